// The audit log: JSON lines in a file of their own. Event loops hand lines over (`LineWriter`): a disk that is full or slow loses lines, which
// are counted, and holds up nobody.
import FoundationEssentials
import Glibc
import Logging
import RingpostCore
import Synchronization

final class AuditLog: Sendable {
    /// Lines that wait for the disk; more are lost.
    static let waitingMax = 4_096
    /// Refusals that are written; more are counted only. Strangers cause them, and must not fill the disk.
    static let refusalsPerSecond = 10
    /// So long the end of the node waits for lines.
    static let closeMilliseconds = 2_000

    let path: String
    private let node: String
    private let logger: Logger
    private let bucket = Mutex(
        TokenBucket(ratePerSecond: Double(AuditLog.refusalsPerSecond), burst: 2 * Double(AuditLog.refusalsPerSecond)))
    private let writer: LineWriter<AuditEntry>

    init(path: String, node: String, logger: Logger) {
        (self.path, self.node, self.logger) = (path, node, logger)
        writer = LineWriter(label: "audit", waitingMax: Self.waitingMax, size: { _ in 1 }, text: Self.text) {
            logger.error("lines of the audit log are lost: is the disk full?", metadata: ["file": "\(path)"])
        }
    }

    var counts: LineCounts { writer.counts }

    // MARK: Lines

    /// An order, or other keys.
    func record(_ entry: AuditEntry) {
        var entry = entry
        entry.time = AuditEntry.time(Moment.now().wall)
        entry.node = node
        writer.put(entry)
    }

    /// A refusal; some are left out when there are many.
    func recordRefusal(_ entry: @autoclosure () -> AuditEntry) {
        if bucket.withLock({ $0.take(now: MonotonicClock.nowMilliseconds()) }) { record(entry()) } else { writer.leaveOut() }
    }

    private static func text(_ entry: AuditEntry, _ missing: LineCounts.Missing) -> [UInt8] {
        var entry = entry
        entry.omitted = missing.omitted > 0 ? missing.omitted : nil
        entry.lost = missing.lost > 0 ? missing.lost : nil
        return Array(ShownText.escapedJSON(Array(JSONDocument.encode(entry).dropLast())).utf8) + [0x0A]
    }

    // MARK: The file

    /// - Throws: `NodeError` when it can't be written to.
    func open() throws(NodeError) {
        let descriptor = Self.open(path)
        guard descriptor >= 0 else {
            throw NodeError("the audit log can't be opened: \(path): \(String(cString: strerror(errno))) (--audit-log)")
        }
        writer.use { descriptor }
    }

    /// Somebody has moved the file away: a new one is begun at its path. What waits is written to one of them.
    func reopen() {
        writer.use { [path, logger] in
            let descriptor = Self.open(path)
            if descriptor < 0 {
                logger.error("the audit log can't be opened again, and goes on in the old file", metadata: ["file": "\(path)"])
            }
            return descriptor
        }
    }

    /// Returns when all lines are written, or the time is over.
    func close() async { await writer.flush(milliseconds: Self.closeMilliseconds) }

    private static func open(_ path: String) -> Int32 { Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600) }
}
