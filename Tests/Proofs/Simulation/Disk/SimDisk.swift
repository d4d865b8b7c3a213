// A node's disk: what of its store survives a process, and what survives the machine. What is opened, lost and given up is as in
// Sources/RingpostStore: after a loss the store goes on under a fresh lineage, and what is left in it is hearsay.

import RingpostCore

/// What a process finds when it opens its store.
struct SimOpening {
    let lineage: UInt64
    /// Under which the lineage was registered; `nil` where it is a fresh one.
    let boots: Set<UInt64>?
    let heads: [Int: SlotHead]
    let clock: StoreClock

    /// The highest epoch that it has seen.
    var epoch: UInt64 { SlotHead.epoch(of: heads.values) }
}

/// A directory on a disk.
final class SimDisk {
    let durability: StoreDurability
    /// Whose the store is; `nil` while it is empty.
    private(set) var lineage: UInt64?
    private var boots: Set<UInt64> = []
    /// It has lost something, or may have.
    private var hasLost = false
    /// The process before has put it down in order.
    private var isClosed = false
    /// What survives the machine, and what only the kernel has: a batch is there with all before it.
    private var records = SimRecords()
    private var unsynced: [SimBatch] = []
    /// Slots of which the contents can't be read.
    var damagedSlots: Set<Int> = []
    /// So many more batches can't be written.
    var failures = 0
    /// How long the disk takes at most (microseconds), now and then; and whether it does all the time.
    var slowMicroseconds: Int64 = 20_000
    var isSlow = false
    /// So long a slot takes to be read at most.
    var readMicroseconds: Int64 = 40_000

    init(_ durability: StoreDurability) { self.durability = durability }

    /// Another directory with the same content: a backup.
    init(copyOf other: SimDisk) {
        durability = other.durability
        (lineage, boots, hasLost, isClosed) = (other.lineage, other.boots, other.hasLost, true)
        (records, unsynced) = (other.records, other.unsynced)
    }

    // MARK: A process

    /// A process takes it.
    ///
    /// - Parameters:
    ///   - fresh: the lineage of a store that is new, or that has lost something.
    ///   - now: the process's time.
    func open(fresh: UInt64, now: Int64, faults: Set<ShellFault>) -> SimOpening {
        sync()
        if faults.contains(.keepLostLineage) { hasLost = false }
        let clock = StoreClock(goingOnFrom: lastClock, at: now)
        isClosed = false
        if lineage == nil || hasLost {
            begin(lineage: fresh)
            return SimOpening(lineage: fresh, boots: nil, heads: heads, clock: clock)
        }
        let heads = faults.contains(.forgetStoredEvidence) ? heads.filter { $0.value.kind != .released } : heads
        return SimOpening(lineage: lineage ?? fresh, boots: boots, heads: heads, clock: clock)
    }

    /// What is there is nobody's word any more.
    func begin(lineage: UInt64) {
        sync()
        let before = heads
        self.lineage = lineage
        (boots, hasLost) = ([], false)
        records.remove(from: StoreKey.heads, upTo: StoreKey.clock, in: .heads)
        for (slot, head) in before.sorted(by: { $0.key < $1.key }) {
            guard let hearsay = head.asHearsay else {
                records.remove(from: StoreKey.slot(slot), upTo: StoreKey.end(ofSlot: slot), in: .contents)
                continue
            }
            var bytes: [UInt8] = []
            hearsay.append(to: &bytes)
            records.put(StoreKey.head(ofSlot: slot), bytes, in: .heads)
        }
    }

    /// Before a boot is registered.
    func remember(boot: UInt64) { boots.insert(boot) }

    /// The kernel has it.
    func add(_ batch: SimBatch) { unsynced.append(batch) }

    /// The disk has all that the kernel has.
    func sync() {
        for batch in unsynced { batch.apply(to: &records) }
        unsynced = []
    }

    /// The process ends in order.
    func close() {
        sync()
        isClosed = true
    }

    /// The machine goes down: of what the disk has not got, some of the beginning may be there all the same.
    func losePower(kept: Int) {
        unsynced = Array(unsynced.prefix(kept))
        sync()
        if durability == .written, !isClosed { hasLost = true }
    }

    var unsyncedCount: Int { unsynced.count }

    /// The disk is well again; what is damaged stays so.
    func heal() { (failures, isSlow, readMicroseconds) = (0, false, 40_000) }

    // MARK: Looking

    /// As the kernel shows it.
    private var shown: SimRecords {
        var shown = records
        for batch in unsynced { batch.apply(to: &shown) }
        return shown
    }

    private var heads: [Int: SlotHead] {
        var heads: [Int: SlotHead] = [:]
        for record in records.records(in: .heads) {
            guard let slot = record.key.withUnsafeBytes({ StoreKey.slot(ofHead: $0) }) else { continue }
            heads[slot] = record.value.withUnsafeBytes { SlotHead($0) }
        }
        return heads
    }

    private var lastClock: Int64 { records.value(of: StoreKey.clock, in: .heads).flatMap(SlotEncoder.clock) ?? 0 }

    /// Reads a slot.
    func load(_ request: SlotLoad, clock: StoreClock) -> Result<StoredSlot, StoreDamage> {
        var clock = clock
        clock.advance(to: request.now)
        var loader = SlotLoader(slot: request.slot, hasher: request.hasher, clock: clock, limits: request.limits)
        var source = SimCursor(shown, isDamaged: damagedSlots.contains(request.slot))
        do {
            try loader.read(from: &source)
            return .success(loader.slot(of: request.head, bytesMax: request.chunkBytesMax))
        } catch { return .failure(error) }
    }

    /// Reads a part of a history.
    func read(_ request: HistoryLoad, clock: StoreClock) -> HistoryPart {
        var clock = clock
        clock.advance(to: request.now)
        var source = SimCursor(shown, isDamaged: damagedSlots.contains(request.key.slot))
        return request.read(from: &source, clock: clock)
    }
}
