// Where a node's log goes. Everything that logs does so on threads that must not wait: event loops, and the one that keeps the session with
// ZooKeeper. Whoever reads the log may hang (a stuck log driver, a terminal after Ctrl-S), so lines are handed over and written elsewhere.
import Glibc
import Logging

/// The end of a process's log.
public final class LogOutput: Sendable {
    /// Bytes of lines that wait for whoever reads the log; more lines are lost, counted, and told by the next line.
    public static let waitingBytesMax = 1_048_576
    /// So long the end of the process waits for lines.
    public static let flushMilliseconds = 2_000
    /// What a line takes besides its bytes.
    private static let overheadBytes = 64

    private struct Stream: TextOutputStream, Sendable {
        let writer: LineWriter<String>
        func write(_ line: String) { writer.put(line) }
    }

    private let writer: LineWriter<String>

    /// - Parameter descriptor: stays open.
    public init(descriptor: Int32 = STDERR_FILENO) {
        writer = LineWriter(
            label: "log", waitingMax: Self.waitingBytesMax, size: { $0.utf8.count + Self.overheadBytes },
            text: { line, missing in
                if missing.lost == 0 { return Array(line.utf8) }
                // With the time of the line behind it, which is the first one that came through.
                let time = line.prefix { $0 != " " }
                let notice =
                    "\(time) warning ringpost: lines=\(missing.lost) lines of this log are missing here: its reader did not keep up\n"
                return Array((notice + line).utf8)
            })
        writer.use { descriptor }
    }

    /// For `LoggingSystem.bootstrap`.
    public func handler(label: String, level: Logger.Level) -> any LogHandler {
        var handler = StreamLogHandler(label: label, stream: Stream(writer: writer))
        handler.logLevel = level
        return handler
    }

    /// Before the process ends: returns when all lines are written, or the time is over.
    public func flush() async { await writer.flush(milliseconds: Self.flushMilliseconds) }

    var counts: (written: UInt64, lost: UInt64) {
        let counts = writer.counts
        return (counts.written, counts.lost)
    }
}
