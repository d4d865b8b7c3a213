// A node's store on a disk: one database for all event loops. One thread writes: it takes all that waits, puts it into one batch, waits for the
// disk once, and says to everybody in it that it is there. Another one reads slots, and a third one what somebody wants of a history: however
// many do, and however long that takes, slots do not wait for it.
import Dispatch
import Foundation
import HashRing
import RingpostCore
import RocksStore
import Synchronization

/// An open store. See ``CopyStore`` for what it promises. It has three threads, which end with ``close()``.
public final class SlotStore: CopyStore {
    private struct WriteJob: Sendable {
        let tick: StoreTick
        let then: @Sendable (StoreFailure?) -> Void
    }

    private struct ReadJob<Request: Sendable, Value: Sendable>: Sendable {
        let request: Request
        let then: @Sendable (Result<Value, StoreDamage>) -> Void
    }

    /// What "is there" means.
    public let durability: StoreDurability
    /// The directory.
    public let path: String
    let database: RocksDatabase
    private let clock: StoreClock
    private let mark: AcknowledgedMark
    /// `nil` when the store is closed.
    private let directory: Mutex<StoreDirectory?>
    private let failure = Mutex<StoreFailure?>(nil)
    private let counted = Mutex(StoreCounts())
    private let writes = WorkQueue<WriteJob>(costMax: StoreLimits.queueBytesMax)
    private let slotReads = WorkQueue<ReadJob<SlotLoad, StoredSlot>>(costMax: StoreLimits.readsMax)
    private let historyReads = WorkQueue<ReadJob<HistoryLoad, HistoryPart>>(costMax: StoreLimits.readsMax)
    private let threads = DispatchGroup()
    private let onFailure: @Sendable (StoreFailure) -> Void

    private init(
        _ opening: sending StoreOpening, durability: StoreDurability, limits: MailboxLimits,
        onFailure: @escaping @Sendable (StoreFailure) -> Void
    ) {
        self.durability = durability
        self.onFailure = onFailure
        path = opening.directory.path
        database = opening.database
        clock = opening.clock
        mark = opening.mark
        let encoder = SlotEncoder(clock: opening.clock, present: opening.heads.keys, limits: limits)
        directory = Mutex(opening.directory)
        start("ringpost-store") { $0.writeAll(encoder) }
        start("ringpost-read") { store in store.readAll(store.slotReads) { store.read($0) } }
        start("ringpost-history") { store in store.readAll(store.historyReads) { store.read($0) } }
    }

    // MARK: Life

    /// Opens a directory's store, or makes one. Blocks: as long as the write-ahead log takes to be read.
    ///
    /// - Parameters:
    ///   - fresh: 64 random bits: the lineage of a store that is new, or that has lost something.
    ///   - now: the node's monotonic milliseconds.
    ///   - limits: how long receipts are remembered.
    ///   - onFailure: called once, when a write has failed: on the store's thread, or on that of whoever calls ``close()`` or
    ///     ``begin(lineage:)``, which haven't returned then.
    /// - Throws: when the directory can't be this node's store, or is damaged. Nothing was deleted.
    public static func open(
        _ path: String, for owner: StoreOwner, durability: StoreDurability, fresh: UInt64, now: Int64,
        limits: MailboxLimits = MailboxLimits(), onFailure: @escaping @Sendable (StoreFailure) -> Void
    ) throws(StoreRefusal) -> OpenedStore {
        let opening = try StoreOpening(path, for: owner, durability: durability, fresh: fresh, now: now)
        let (heads, loss, isNew) = (opening.heads, opening.loss, opening.directory.isNew)
        let lineage = UInt64(hexadecimal: Array(opening.directory.identity.lineage.utf8)) ?? fresh
        let store = SlotStore(opening, durability: durability, limits: limits, onFailure: onFailure)
        return OpenedStore(store: store, lineage: lineage, heads: heads, loss: loss, isNew: isNew)
    }

    /// Writes what waits, and puts the store down in order: then nothing is lost, whatever the machine does. Blocks.
    ///
    /// - Returns: what went wrong, now or before.
    @discardableResult
    public func close() -> StoreFailure? {
        writes.finish()
        slotReads.finish()
        historyReads.finish()
        threads.wait()
        let wrong = directory.withLock { directory -> String? in
            guard let held = directory else { return nil }
            // In this order: whoever waits for the directory may open the database as soon as the lock is given up.
            defer {
                database.close()
                directory = nil
            }
            if firstFailure != nil { return nil }
            do {
                try database.flush()
                try held.update { $0.state = .closed }
                return nil
            } catch { return sentence(error) }
        }
        if let wrong { fail(wrong) }
        return firstFailure
    }

    private func start(_ name: String, _ body: @escaping @Sendable (SlotStore) -> Void) {
        threads.enter()
        let thread = Thread { [self] in
            body(self)
            threads.leave()
        }
        thread.name = name
        thread.start()
    }

    // MARK: Writing

    /// Hands over a tick; see ``CopyStore``.
    public func write(_ tick: StoreTick, then: @escaping @Sendable (StoreFailure?) -> Void) -> Bool {
        writes.add(WriteJob(tick: tick, then: then), cost: max(1, tick.bytes))
    }

    private func writeAll(_ encoder: SlotEncoder) {
        var encoder = encoder
        countFiles()
        var counted = ContinuousClock.now
        while let jobs = writes.take(costMax: StoreLimits.batchBytesMax) {
            let failure = write(jobs, &encoder)
            for job in jobs { job.then(failure) }
            if ContinuousClock.now - counted < .seconds(1) { continue }
            countFiles()
            counted = ContinuousClock.now
        }
    }

    private func countFiles() {
        // A database that can't say it says so with its next write.
        guard let bytes = try? StoreTable.allCases.reduce(0, { $0 + (try database.fileBytes(of: $1.rocks)) }) else { return }
        counted.withLock { $0.fileBytes = bytes }
    }

    private func write(_ jobs: [WriteJob], _ encoder: inout SlotEncoder) -> StoreFailure? {
        if let failure = firstFailure { return failure }
        let began = ContinuousClock.now
        do {
            let last = try database.write(isSynced: durability == .fsync) { batch in
                for job in jobs { encoder.encode(job.tick, into: &batch) }
                encoder.finish(into: &batch)
            }
            let error = mark.set(last)
            if error != 0 { return fail("its file acknowledged can't be written (\(String(cString: strerror(error))))") }
        } catch { return fail(sentence(error)) }
        let took = Int((ContinuousClock.now - began) / .microseconds(1))
        counted.withLock { $0.count(ticks: jobs.count, bytes: jobs.reduce(0) { $0 + $1.tick.bytes }, microseconds: took) }
        return nil
    }

    private func sentence(_ error: any Error) -> String {
        guard let error = error as? RocksError else { return (error as? StoreRefusal)?.sentence ?? "\(error)" }
        return error.kind == .noSpace ? "its file system has no room" : error.text
    }

    /// The first failure is the one that counts, and is told once. Not to be called under a lock: nobody knows what ``onFailure`` does.
    @discardableResult
    private func fail(_ reason: String) -> StoreFailure {
        let made = StoreFailure(
            "The store in \(path) has failed: \(reason). Nothing more is written to it, and nothing is acknowledged that is not there. "
                + "Mend what is wrong with the disk, and start the node again.")
        let isFirst = failure.withLock { failure in
            defer { failure = failure ?? made }
            return failure == nil
        }
        if isFirst { onFailure(made) }
        return failure.withLock { $0 } ?? made
    }

    // MARK: Reading

    /// Reads a slot; see ``CopyStore``.
    public func load(_ request: SlotLoad, then: @escaping @Sendable (Result<StoredSlot, StoreDamage>) -> Void) -> Bool {
        slotReads.add(ReadJob(request: request, then: then), cost: 1)
    }

    /// Reads a part of a history; see ``CopyStore``.
    public func read(_ request: HistoryLoad, then: @escaping @Sendable (Result<HistoryPart, StoreDamage>) -> Void) -> Bool {
        historyReads.add(ReadJob(request: request, then: then), cost: 1)
    }

    private func readAll<Request, Value>(
        _ reads: WorkQueue<ReadJob<Request, Value>>, _ read: (Request) -> Result<Value, StoreDamage>
    ) {
        // One by one: what was read is in memory until it is told.
        while let jobs = reads.take(costMax: 1) {
            for job in jobs { job.then(read(job.request)) }
        }
    }

    private func read(_ request: HistoryLoad) -> Result<HistoryPart, StoreDamage> {
        let part = read(request.key.slot, at: request.now) { cursor, clock in request.read(from: &cursor, clock: clock) }
        if case .success(let part) = part, part.isDamaged { counted.withLock { $0.damagedReads += 1 } }
        return part
    }

    private func read(_ request: SlotLoad) -> Result<StoredSlot, StoreDamage> {
        read(request.slot, at: request.now) { cursor, clock throws(StoreDamage) in
            var loader = SlotLoader(slot: request.slot, hasher: request.hasher, clock: clock, limits: request.limits)
            try loader.read(from: &cursor)
            return loader.slot(of: request.head, bytesMax: request.chunkBytesMax)
        }
    }

    /// Reads something of one slot.
    private func read<Value>(
        _ slot: Int, at monotonic: Int64, _ body: (inout RocksCursor, StoreClock) throws(StoreDamage) -> Value
    ) -> Result<Value, StoreDamage> {
        var now = clock
        now.advance(to: monotonic)
        var result: Result<Value, StoreDamage>?
        do {
            try database.withCursor(prefix: StoreKey.slot(slot), in: StoreTable.contents.rocks) { cursor throws(RocksError) in
                do throws(StoreDamage) { result = .success(try body(&cursor, now)) } catch { result = .failure(error) }
            }
        } catch { result = .failure(StoreDamage(slot: slot, reason: error.text)) }
        let read = result ?? .failure(StoreDamage(slot: slot, reason: "nothing was read"))
        counted.withLock { counts in
            counts.reads += 1
            if case .failure = read { counts.damagedReads += 1 }
        }
        return read
    }

    // MARK: What the store says of itself

    /// What it has done since it was opened.
    public var counts: StoreCounts { counted.withLock { $0 } }
    /// Bytes of ticks that wait.
    public var bytesQueued: Int { writes.cost }
    /// The first thing that went wrong.
    public var firstFailure: StoreFailure? { failure.withLock { $0 } }

    private var closed: StoreFailure { StoreFailure("The store in \(path) is closed.") }

    /// Whether a boot was written to this store.
    public func knows(boot: UInt64) -> Bool { directory.withLock { $0?.identity.boots.contains(boot.hexadecimal) == true } }

    /// Writes a boot to the store, which has to be done before it is registered. Blocks until the disk has it.
    public func remember(boot: UInt64) throws {
        try directory.withLock { directory in
            guard let directory else { throw closed }
            try directory.update { identity in
                identity.boots.append(boot.hexadecimal)
                identity.boots.removeFirst(max(0, identity.boots.count - StoreLimits.bootsMax))
            }
        }
    }

    /// Holds the store against the cluster's generation once that is known, and writes it to a store that has none yet. Blocks.
    public func settle(generation: UInt64) throws {
        try directory.withLock { directory in
            guard let directory else { throw closed }
            try directory.identity.check(generation: generation, in: path)
            if directory.identity.generation.isEmpty { try directory.update { $0.generation = generation.hexadecimal } }
        }
    }

    /// The cluster that a node without ZooKeeper is. The first time it is made with these random bits; from then on it is the same.
    /// Blocks.
    ///
    /// - Throws: a refusal, when the store was used with ZooKeeper, which keeps the rest of what places names.
    public func settle(alone generation: UInt64, seed: SipKey) throws -> (generation: UInt64, seed: SipKey) {
        try directory.withLock { directory in
            guard let directory else { throw closed }
            if directory.identity.generation.isEmpty {
                try directory.update { $0.ring = (generation, seed) }
            }
            guard let ring = directory.identity.ring else {
                throw StoreRefusal(
                    .otherGeneration, path,
                    "it was used with ZooKeeper, which has the rest of what this node needs to find things in it. Start the node with --zookeeper, "
                        + "or name another directory.")
            }
            return ring
        }
    }

    /// The cluster's generation, if it is known already.
    public var generation: UInt64? {
        directory.withLock { $0.flatMap { UInt64(hexadecimal: Array($0.identity.generation.utf8)) } }
    }

    /// Boots of this lineage that were about to be registered, so that others may have gone on with it or without it.
    public var boots: Set<UInt64> {
        directory.withLock { Set(($0?.identity.boots ?? []).compactMap { UInt64(hexadecimal: Array($0.utf8)) }) }
    }

    /// Goes on under another lineage: this one was given up. All heads become hearsay. Blocks; to be called before the first tick.
    ///
    /// - Returns: the heads as they are now.
    /// - Throws: when it could not be finished; then the store has failed, and is lost when it is opened again.
    public func begin(lineage: UInt64) throws(StoreFailure) -> [Int: SlotHead] {
        if let failure = firstFailure { throw failure }
        let begun = directory.withLock { directory -> Result<[Int: SlotHead], any Error> in
            guard let directory else { return .failure(closed) }
            return Result {
                try directory.update { ($0.state, $0.lost) = (.lost, "its lineage was given up") }
                let heads = try StoreOpening.beginLineage(lineage, in: database, directory)
                let code = mark.set(try database.lastSequence())
                if code != 0 { throw StoreRefusal(errno: code, doing: "write its file acknowledged", path) }
                try directory.update { ($0.state, $0.lost) = (.open, "") }
                return heads
            }
        }
        switch begun {
        case .success(let heads): return heads
        case .failure(let error as StoreFailure): throw error
        case .failure(let error): throw fail("another lineage could not be begun (\(sentence(error)))")
        }
    }
}

/// A store that was opened, and what it holds.
public struct OpenedStore: Sendable {
    /// The store.
    public let store: SlotStore
    /// Under which lineage it is from now on.
    public let lineage: UInt64
    /// The head of each slot that has one.
    public let heads: [Int: SlotHead]
    /// What was lost: then the lineage is a new one, and all that is here is hearsay. `nil` when it has all that it ever acknowledged.
    public let loss: String?
    /// There was no store.
    public let isNew: Bool
}
