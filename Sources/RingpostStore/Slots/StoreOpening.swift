// Opens a store: takes the directory, reads the log, and looks whether all is there that somebody was told of. What was lost is lost with its
// lineage: the store goes on under another one, and what it holds is marked as hearsay, before anybody can ask it for something.
import HashRing
import RingpostCore
import RocksStore

/// A store that was opened, before its threads begin.
struct StoreOpening {
    let directory: StoreDirectory
    let database: RocksDatabase
    let mark: AcknowledgedMark
    let clock: StoreClock
    let heads: [Int: SlotHead]
    /// What was lost; `nil` when the store has all that it ever acknowledged.
    let loss: String?

    /// - Parameters:
    ///   - fresh: the lineage of a store that is new, or has lost something.
    ///   - now: the node's monotonic milliseconds.
    init(
        _ path: String, for owner: StoreOwner, durability: StoreDurability, fresh: UInt64, now: Int64
    ) throws(StoreRefusal) {
        directory = try StoreDirectory(path, for: owner, durability: durability, lineage: fresh)
        database = try Self.open(directory)
        let found = try Self.findLoss(in: database, directory)
        clock = StoreClock(goingOnFrom: found.clock ?? 0, at: now)
        loss = found.loss
        do {
            // What an earlier process has left with the kernel is on the disk from here on.
            try database.flush()
            if let loss {
                // First of all: whoever opens it after this process has died half-way finds it lost as well.
                try directory.update { ($0.state, $0.lost) = (.lost, loss) }
                heads = try Self.beginLineage(fresh, in: database, directory)
            } else {
                heads = found.heads
            }
            mark = try AcknowledgedMark(directory.markPath, try database.lastSequence(), in: path)
        } catch let error as RocksError {
            throw Self.refusal(error, path)
        } catch let refusal as StoreRefusal {
            throw refusal
        } catch {
            throw StoreRefusal(.io, path, "\(error).")
        }
        try settle(owner, durability)
    }

    private func settle(_ owner: StoreOwner, _ durability: StoreDurability) throws(StoreRefusal) {
        let surroundings = directory.surroundings
        let place = try StoreSurroundings.folder(directory.databasePath, for: directory.path)
        try directory.update { identity in
            (identity.state, identity.lost) = (.open, "")
            if let generation = owner.generation { identity.generation = generation.hexadecimal }
            identity.durability = durability.rawValue
            (identity.kernelBoot, identity.device) = (surroundings.kernelBoot, surroundings.device)
            identity.place = place
        }
        directory.sign()
    }

    // MARK: What is there

    private static func open(_ directory: StoreDirectory) throws(StoreRefusal) -> RocksDatabase {
        do {
            return try RocksDatabase(StoreLimits.configuration(directory.databasePath, creates: directory.isNew))
        } catch { throw refusal(error, directory.path) }
    }

    /// Only what is proved to be gone is a loss, and ends the lineage. What can't be looked at now is there the next time.
    static func findLoss(
        in database: RocksDatabase, _ directory: StoreDirectory
    ) throws(StoreRefusal) -> (heads: [Int: SlotHead], clock: Int64?, loss: String?) {
        var losses: [String] = []
        if let loss = directory.identity.loss(at: directory.surroundings) { losses.append(loss) }
        let acknowledged = directory.isNew ? nil : try AcknowledgedMark.read(directory.markPath, in: directory.path)
        do {
            let last = try database.lastSequence()
            if !directory.isNew {
                if acknowledged == nil { losses.append("its file acknowledged is missing or damaged") }
                if let acknowledged, acknowledged > last {
                    losses.append("\(acknowledged) changes were acknowledged, and it has only \(last): the end of its log is missing")
                }
            }
            let (heads, damage) = try readHeads(database)
            if let damage { losses.append("heads of slots are damaged (\(damage))") }
            let clock = try readClock(database)
            if clock == nil, !heads.isEmpty { losses.append("its clock is missing or damaged") }
            return (heads, clock, losses.isEmpty ? nil : losses.joined(separator: "; "))
        } catch { throw refusal(error, directory.path) }
    }

    /// All heads that can be read.
    private static func readHeads(_ database: RocksDatabase) throws(RocksError) -> (heads: [Int: SlotHead], damage: String?) {
        var heads: [Int: SlotHead] = [:]
        var unreadable = 0
        do throws(RocksError) {
            try database.scan(prefix: StoreKey.heads, in: StoreTable.heads.rocks) { key, value throws(RocksError) in
                if let slot = StoreKey.slot(ofHead: key), let head = SlotHead(value) { heads[slot] = head } else { unreadable += 1 }
                return true
            }
        } catch {
            guard error.kind == .corruption else { throw error }
            return (heads, error.text)
        }
        return (heads, unreadable > 0 ? "\(unreadable) can't be read" : nil)
    }

    /// The store's time; `nil` when it is missing or damaged.
    private static func readClock(_ database: RocksDatabase) throws(RocksError) -> Int64? {
        do throws(RocksError) {
            return try database.get(StoreKey.clock, in: StoreTable.heads.rocks).flatMap(SlotEncoder.clock)
        } catch {
            guard error.kind == .corruption else { throw error }
            return nil
        }
    }

    // MARK: Lineages

    /// Goes on under another lineage. What is there becomes hearsay, and then the store's name changes. Contents of slots without a head go: with
    /// nothing that says what they are they would only mix with what comes. Without a clock all go, because nothing says how old they are.
    static func beginLineage(_ lineage: UInt64, in database: RocksDatabase, _ directory: StoreDirectory) throws -> [Int: SlotHead] {
        let clock = try readClock(database)
        let heads = clock == nil ? [:] : try readHeads(database).heads.compactMapValues(\.asHearsay)
        try database.write(isSynced: true) { batch in
            // A damaged head can't be read, but it can be removed.
            batch.remove(from: StoreKey.heads, upTo: RocksCursor.end(of: StoreKey.heads), in: StoreTable.heads)
            var next = 0
            for (slot, head) in heads.sorted(by: { $0.key < $1.key }) {
                var bytes: [UInt8] = []
                head.append(to: &bytes)
                batch.put(StoreKey.head(ofSlot: slot), bytes, in: StoreTable.heads)
                removeContents(ofSlots: next..<slot, &batch)
                next = slot + 1
            }
            removeContents(ofSlots: next..<HashRing.slotCount, &batch)
            if clock == nil { SlotEncoder.put(clock: 0, into: &batch) }
        }
        // Reads go through all removed ranges that are in memory only.
        try database.flush()
        try directory.update { identity in
            identity.lineage = lineage.hexadecimal
            identity.boots = []
        }
        return heads
    }

    private static func removeContents(ofSlots slots: Range<Int>, _ batch: inout RocksBatch) {
        guard let last = slots.last else { return }
        batch.remove(from: StoreKey.slot(slots.lowerBound), upTo: StoreKey.end(ofSlot: last), in: StoreTable.contents)
    }

    // MARK: Errors

    static func refusal(_ error: RocksError, _ path: String) -> StoreRefusal {
        switch error.kind {
        case .corruption:
            StoreRefusal(.damaged, path, "files of its database are damaged (\(error.text)). \(StoreRefusal.startEmpty)")
        case .missing:
            StoreRefusal(.filesMissing, path, "files of its database are missing (\(error.text)). \(StoreRefusal.startEmpty)")
        case .noSpace: StoreRefusal(.full, path, "its file system has no room. Make room, or name a directory on another one.")
        case .locked:
            StoreRefusal(.inUse, path, "another process has its database open. Stop it, or give this node a directory of its own.")
        case .io, .badArguments, .closed, .other: StoreRefusal(.io, path, "\(error.text).")
        }
    }
}
