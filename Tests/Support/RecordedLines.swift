import Logging
import Synchronization

/// A log handler that keeps messages at debug.
package final class RecordedLines: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])
    package var all: [String] { lines.withLock { $0 } }

    package subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    package var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    package var logLevel: Logger.Level {
        get { .debug }
        set {}
    }

    package init() {}

    package func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.message)") }
    }
}
