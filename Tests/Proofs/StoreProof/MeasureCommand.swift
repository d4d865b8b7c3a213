// What a store costs on this machine's disk: batches and messages in a second, how long a tick waits, and how many bytes are written for a
// message until it has come to rest.
import ArgumentParser
import Dispatch
import Foundation
import Glibc
import RingpostCore
import RingpostStore
import RocksStore
import Synchronization

struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Measure a store in a directory that does not exist yet.",
        discussion: "Times mean something in a release build on a machine that does nothing else. Bytes written are the same everywhere.")

    @Argument(help: "A directory on the disk that is to be measured. It is made, and stays.")
    var directory: String
    @Option(help: "What \"there\" means: fsync or written.")
    var durability = StoreDurability.fsync
    @Option(help: "How many event loops write, each the next tick when the one before is there.")
    var loops = 2
    @Option(help: "Messages altogether.")
    var messages = 100_000
    @Option(help: "Messages of one tick.")
    var perTick = 20
    @Option(help: "Bytes of a payload.")
    var payloadBytes = 512
    @Option(help: "Mailboxes of one event loop.")
    var mailboxes = 500

    func run() throws {
        let syncs = durability == .fsync ? try Self.syncMicroseconds(beside: directory) : []
        let before = Self.bytesWritten()
        let opened = try SlotStore.open(
            directory, for: StoreOwner(cluster: "proof", node: "n1"), durability: durability, fresh: 1,
            now: Moment.now.monotonic
        ) { print("failed: \($0)") }
        guard opened.isNew else { throw ValidationError("\(directory) has a store already.") }
        let waits = Mutex<[Double]>([])
        let began = ContinuousClock.now
        DispatchQueue.concurrentPerform(iterations: loops) { loop in
            let times = write(loop, into: opened.store)
            waits.withLock { $0 += times }
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let counts = opened.store.counts
        if let failure = opened.store.close() { throw ValidationError("\(failure)") }
        let written = Self.bytesWritten() - before
        try compact()
        let settled = Self.bytesWritten() - before
        let total = Double(counts.ticks * perTick)
        func show(_ name: String, _ value: Double, _ digits: Int = 0) { print("\(name) \(String(format: "%.\(digits)f", value))") }
        show("messages", total)
        show("messages-per-second", total / seconds)
        show("batches-per-second", Double(counts.batches) / seconds)
        show("ticks-per-batch", Double(counts.ticks) / Double(max(1, counts.batches)), 2)
        show("batch-milliseconds-mean", Double(counts.microseconds) / Double(max(1, counts.batches)) / 1_000, 3)
        show("tick-milliseconds-p50", Self.middle(waits.withLock { $0 }) / 1_000, 3)
        if !syncs.isEmpty { show("fdatasync-milliseconds-p50", Self.middle(syncs) / 1_000, 3) }
        show("bytes-written-per-payload-byte", Double(written) / total / Double(payloadBytes), 2)
        show("bytes-written-per-payload-byte-compacted", Double(settled) / total / Double(payloadBytes), 2)
    }

    /// - Returns: how many microseconds each tick took until it was there.
    private func write(_ loop: Int, into store: SlotStore) -> [Double] {
        var load = LoopLoad(
            loop: loop, loops: loops, mailboxes: mailboxes, payloadBytes: payloadBytes, messagesPerTick: perTick)
        let done = DispatchSemaphore(value: 0)
        var times: [Double] = []
        for _ in 0..<max(1, messages / loops / perTick) {
            let (tick, _) = load.tick(now: .now)
            let began = ContinuousClock.now
            guard store.write(tick, then: { _ in done.signal() }) else { continue }
            done.wait()
            times.append((ContinuousClock.now - began) / .microseconds(1))
        }
        return times
    }

    /// Rewrites all that RocksDB would rewrite some time.
    private func compact() throws {
        let database = try RocksDatabase(StoreLimits.configuration("\(directory)/db", creates: false))
        for table in StoreTable.allCases { try database.compact(RocksTable(number: table.rawValue)) }
        database.close()
    }

    /// How long the disk takes for a little at the end of a file.
    private static func syncMicroseconds(beside directory: String) throws -> [Double] {
        let path = directory + ".sync"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ValidationError("can't write \(path): \(String(cString: strerror(errno)))") }
        defer {
            close(file)
            unlink(path)
        }
        let bytes = [UInt8](repeating: 1, count: 700)
        return (0..<300).map { _ in
            let began = ContinuousClock.now
            _ = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            _ = fdatasync(file)
            return (ContinuousClock.now - began) / .microseconds(1)
        }
    }

    private static func middle(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

    /// What this process has handed to the kernel to write, whatever for.
    private static func bytesWritten() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            line.hasPrefix("wchar: ") ? Int(line.dropFirst(7)) : nil
        }.first ?? 0
    }
}
