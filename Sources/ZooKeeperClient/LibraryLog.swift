// Routes the C library's own log into swift-log at debug. The library's callback has no context, so one logger serves the process, that
// of the session opened last; and it writes two lines every 25 ms while disconnected, so lines are limited.

import CZooKeeper
import Logging
import Synchronization

/// How many log lines pass: a pure decision over the time it is told.
struct LogRateLimit {
    /// The lines that pass in one window; the others are counted.
    static let linesPerWindowMax = 20
    /// The length of a window.
    static let window = Duration.seconds(5)

    private var windowStart: ContinuousClock.Instant?
    private var lines = 0
    private var suppressed = 0

    /// Whether a line at this moment passes, and if so how many were held back since the last one that did. `nil` holds it back.
    mutating func admit(at now: ContinuousClock.Instant) -> Int? {
        if windowStart.map({ now - $0 >= Self.window }) ?? true {
            windowStart = now
            lines = 0
        }
        guard lines < Self.linesPerWindowMax else {
            suppressed += 1
            return nil
        }
        lines += 1
        defer { suppressed = 0 }
        return suppressed
    }
}

/// The process-wide sink of the C library's log.
enum LibraryLog {
    private struct State {
        var logger: Logger?
        var limit = LogRateLimit()
    }

    private static let state = Mutex(State())

    /// From now on the library's lines go to this logger.
    static func use(_ logger: Logger) {
        state.withLock { $0.logger = logger }
    }

    /// Called on any thread, also with locks of the library held: it must not call into a session. The line is copied before return.
    static let callback: log_callback_fn = { line in
        guard let line else { return }
        let admitted = state.withLock { state -> (logger: Logger, suppressed: Int)? in
            guard let logger = state.logger, logger.logLevel <= .debug else { return nil }
            return state.limit.admit(at: .now).map { (logger, $0) }
        }
        guard let admitted else { return }
        let metadata: Logger.Metadata = admitted.suppressed == 0 ? [:] : ["suppressed-lines": "\(admitted.suppressed)"]
        admitted.logger.debug("\(withoutPrefix(String(cString: line)))", metadata: metadata)
    }

    /// Drops time, process and thread, which swift-log knows better: `2026-…:123(0x7f…):ZOO_INFO@function@line: text`.
    private static func withoutPrefix(_ line: String) -> Substring {
        line.firstRange(of: "ZOO_").map { line[$0.lowerBound...] } ?? line[...]
    }
}
