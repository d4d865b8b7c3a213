// The audit log: JSON lines in a file of their own. Event loops put lines into a bounded queue, and one thread writes them: a disk that is full
// or slow loses lines, which are counted, and holds up nobody.
import Dispatch
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

    /// What became of lines.
    struct Counts {
        var written: UInt64 = 0
        var lost: UInt64 = 0
        var omitted: UInt64 = 0
    }

    private struct State {
        var waiting: [AuditEntry] = []
        var isWriting = false
        var counts = Counts()
        /// Of these the last line has told.
        var told = Counts()
        var bucket = TokenBucket(ratePerSecond: Double(AuditLog.refusalsPerSecond), burst: 2 * Double(AuditLog.refusalsPerSecond))
        var hasWarned = false
    }

    /// Used on the queue only.
    private final class File: @unchecked Sendable {
        var descriptor: Int32 = -1
        /// The last line is there by half: the next one begins with a line's end.
        var isTorn = false
    }

    let path: String
    private let node: String
    private let logger: Logger
    private let state = Mutex(State())
    private let file = File()
    private let queue = DispatchQueue(label: "audit")

    init(path: String, node: String, logger: Logger) {
        (self.path, self.node, self.logger) = (path, node, logger)
    }

    var counts: Counts { state.withLock { $0.counts } }

    // MARK: Lines

    /// An order, or other keys.
    func record(_ entry: AuditEntry) { append(entry) }

    /// A refusal; some are left out when there are many.
    func recordRefusal(_ entry: @autoclosure () -> AuditEntry) {
        let isTaken = state.withLock { state in
            if state.bucket.take(now: MonotonicClock.nowMilliseconds()) { return true }
            state.counts.omitted += 1
            return false
        }
        if isTaken { append(entry()) }
    }

    private func append(_ entry: AuditEntry) {
        var entry = entry
        entry.time = AuditEntry.time(Moment.now().wall)
        entry.node = node
        let begins = state.withLock { state in
            guard state.waiting.count < Self.waitingMax else {
                state.counts.lost += 1
                return false
            }
            state.waiting.append(entry)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begins { queue.async { self.writeWaiting() } }
    }

    // MARK: The file

    /// - Throws: `NodeError` when it can't be written to.
    func open() throws(NodeError) {
        let descriptor = Self.open(path)
        guard descriptor >= 0 else {
            throw NodeError("the audit log can't be opened: \(path): \(String(cString: strerror(errno))) (--audit-log)")
        }
        queue.async { self.file.descriptor = descriptor }
    }

    /// Somebody has moved the file away: a new one is begun at its path. What waits is written to one of them.
    func reopen() {
        queue.async { [self] in
            let descriptor = Self.open(path)
            guard descriptor >= 0 else {
                logger.error("the audit log can't be opened again, and goes on in the old file", metadata: ["file": "\(path)"])
                return
            }
            close(file.descriptor)
            file.descriptor = descriptor
            file.isTorn = false
        }
    }

    /// Returns when all lines are written, or the time is over.
    func close() async {
        let queue = queue
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                let end = DispatchSemaphore(value: 0)
                queue.async { end.signal() }
                _ = end.wait(timeout: .now() + .milliseconds(Self.closeMilliseconds))
                continuation.resume()
            }
        }
    }

    private static func open(_ path: String) -> Int32 { Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600) }

    private func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    private func writeWaiting() {
        while true {
            let (entries, counts, told) = state.withLock { state in
                let (entries, counts, told) = (state.waiting, state.counts, state.told)
                state.waiting = []
                state.isWriting = !entries.isEmpty
                return (entries, counts, told)
            }
            if entries.isEmpty { return }
            write(entries, counts, told)
        }
    }

    /// The first line that the disk takes tells what was left out since the last one that did.
    private func write(_ entries: [AuditEntry], _ counts: Counts, _ told: Counts) {
        var (written, failed): (UInt64, UInt64) = (0, 0)
        for var entry in entries {
            if written == 0 {
                entry.omitted = counts.omitted > told.omitted ? counts.omitted - told.omitted : nil
                entry.lost = counts.lost > told.lost ? counts.lost - told.lost : nil
            }
            let json = JSONDocument.encode(entry).dropLast()
            if writeLine(Array(ShownText.escapedJSON(Array(json)).utf8)) { written += 1 } else { failed += 1 }
        }
        let warns = state.withLock { state in
            if written > 0 { state.told = counts }
            state.counts.written += written
            state.counts.lost += failed
            defer { state.hasWarned = failed > 0 }
            return failed > 0 && !state.hasWarned
        }
        if warns { logger.error("lines of the audit log are lost: is the disk full?", metadata: ["file": "\(path)"]) }
    }

    private func writeLine(_ line: [UInt8]) -> Bool {
        let bytes = (file.isTorn ? [0x0A] : []) + line + [0x0A]
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(file.descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 {
                if written > 0 { file.isTorn = true }
                return false
            }
            written += count
        }
        file.isTorn = false
        return true
    }
}
