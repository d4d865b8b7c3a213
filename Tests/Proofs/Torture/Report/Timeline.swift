// What a run says while it runs, on standard error and in a file, and the complaints that end it with status 1.

import Foundation
import Synchronization

final class Timeline: Sendable {
    private let start = ContinuousClock.now
    private let file: String
    private let complaints = Mutex<[String]>([])

    /// - Parameter folder: where its file is written, `torture.log`; older logs in it go.
    init(folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Nodes append to their logs: those of an earlier run would be taken for this one's.
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".log") {
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
        file = "\(folder)/torture.log"
        try Data().write(to: URL(fileURLWithPath: file))
    }

    func say(_ sentence: String) {
        let clock = Date.now.formatted(.iso8601.time(includingFractionalSeconds: true))
        let line = "[\((ContinuousClock.now - start).text.padded(8))] \(sentence)\n"
        FileHandle.standardError.write(Data(line.utf8))
        if let handle = FileHandle(forWritingAtPath: file) {
            handle.seekToEndOfFile()
            handle.write(Data("\(clock) \(line)".utf8))
            try? handle.close()
        }
    }

    /// Something that must not be, beyond what the judge sees.
    func complain(_ sentence: String) {
        say("VIOLATION: \(sentence)")
        complaints.withLock { $0.append(sentence) }
    }

    var violations: [String] { complaints.withLock { $0 } }
}

extension Duration {
    /// "12.3 s"
    var text: String { "\((Double(microseconds) / 1_000_000).text) s" }
}

extension Double {
    /// With one decimal.
    var text: String { String(format: "%.1f", self) }
}

extension String {
    /// At the right end of so many columns.
    func padded(_ columns: Int) -> String { String(repeating: " ", count: max(0, columns - count)) + self }
}

extension Tally {
    /// For the timeline.
    var text: String {
        func milliseconds(_ waits: Waits) -> String { "receipt \(waits.receipt / 1_000) ms, socket \(waits.socket / 1_000) ms" }
        var text = "\(acknowledged) messages; \(milliseconds(waits)); moved: \(milliseconds(movedWaits))"
        for (name, count) in [
            ("gaps", gaps), ("duplicates", duplicates), ("disorder", disorder), ("DISCONNECTS", disconnects), ("moved sockets", moved),
            ("resumed sockets", resumed), ("VOICES", voices), ("unknown", unknown), ("refused", refused),
        ] where count > 0 { text += "; \(name) \(count)" }
        return text
    }
}
