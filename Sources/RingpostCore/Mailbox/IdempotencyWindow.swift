// Remembers the receipts of publishes that carried an idempotency key, so that a repeat gets the first receipt.
// Entries leave when their time has come, never earlier: a full window refuses new keys instead of forgetting old ones. Nobody who brings a
// credential can fill it alone.
import DequeModule
import HashRing

struct IdempotencyWindow {
    /// One idempotency key at one destination: a producer may use the same one for two users.
    private struct Repeatable: Hashable {
        let id: MessageID
        let key: KeyHash
    }

    private struct Entry {
        var key: KeyHash
        /// `nil` while the place is free.
        var remembered: Remembered?
        /// Neighbours of the same slot, of which the newer one stands before; -1 for none.
        var before: Int32 = -1
        var after: Int32 = -1
    }

    private var entryIndices: [Repeatable: Int32] = [:]
    /// A slab: places stay, freed ones are used again. There are no more than the window may ever have had entries at once.
    private var entries: [Entry] = []
    private var free: [Int32] = []
    /// A place is named here at least until the end of the time of what is there now.
    private var order: Deque<(entryIndex: Int32, until: Int64)> = []
    /// The newest entry of each slot, so that a slot's receipts can travel with it; empty until there is one.
    private var heads: [Int32] = []
    /// How many entries each principal has that has any; those that nobody asks for a key are not counted.
    private var counts: [Principal: Int] = [:]
    private let shardCount: Int
    private let entriesMax: Int
    private let milliseconds: Int64
    private let waitMilliseconds: Int64

    /// - Parameters:
    ///   - milliseconds: a repeat that is asked for by then gets the first receipt.
    ///   - waitMilliseconds: and for so long it may wait until it comes here.
    ///   - shardCount: the slots are those that one of so many loops has.
    init(entriesMax: Int, milliseconds: Int64, waitMilliseconds: Int64 = 0, shardCount: Int = 1) {
        self.entriesMax = entriesMax
        self.milliseconds = milliseconds
        self.waitMilliseconds = waitMilliseconds
        self.shardCount = shardCount
    }

    var count: Int { entryIndices.count }

    /// Until when a receipt is remembered that is given now.
    func end(ofReceiptAt now: Int64) -> Int64 { now + milliseconds + waitMilliseconds }

    /// The first receipt, if the key was remembered when it was asked for. A repeat may have waited since: for a link, or for somebody to
    /// take the slot over.
    ///
    /// - Parameter age: how long ago the publish was asked for.
    mutating func first(of id: MessageID, to key: KeyHash, age: Int64 = 0, now: Int64) -> Remembered? {
        expire(now)
        guard let entryIndex = entryIndices[Repeatable(id: id, key: key)], let found = entries[Int(entryIndex)].remembered,
            now - min(age, waitMilliseconds) < found.until - waitMilliseconds
        else { return nil }
        return found
    }

    /// What became of the message of a remembered receipt; `nil` where there is none.
    func outcome(of id: MessageID, to key: KeyHash) -> Receipt.Outcome? {
        entryIndices[Repeatable(id: id, key: key)].flatMap { entries[Int($0)].remembered?.receipt.outcome }
    }

    /// Whether one more key of a principal may be remembered.
    func hasRoom(for principal: Principal) -> Bool {
        let free = entriesMax - entryIndices.count
        return principal.isUnnamed ? free > 0 : counts[principal, default: 0] < MailboxLimits.windowShareOfFree * free
    }

    /// Whether there is room also for what need not be remembered.
    var hasRoomForAll: Bool { entryIndices.count < entriesMax / 2 }

    /// Remembers a receipt, or corrects one that is remembered already.
    mutating func remember(_ remembered: Remembered, to key: KeyHash) {
        let next = free.last ?? Int32(truncatingIfNeeded: entries.count)
        let entryIndex = Self.look(at: &entryIndices[Repeatable(id: remembered.receipt.id, key: key), default: next])
        if entryIndex == next {
            insert(remembered, to: key, at: entryIndex)
        } else {
            let first = entries[Int(entryIndex)].remembered
            let before = first?.until ?? .min
            // A receipt may be corrected, and does not change hands with that.
            let publishedAt = remembered.publishedAt == 0 ? first?.publishedAt : nil
            entries[Int(entryIndex)].remembered = Remembered(
                receipt: remembered.receipt, until: remembered.until, principal: first?.principal ?? remembered.principal,
                publishedAt: publishedAt ?? remembered.publishedAt)
            // A copy's entry can be renewed before anybody has looked whether its first time is over.
            if before >= remembered.until { return }
        }
        // What comes with a slot from another node may be older than what is here: the order of time is kept roughly, an
        // entry is forgotten late rather than early.
        order.append((entryIndex, max(remembered.until, order.last?.until ?? .min)))
    }

    /// As an argument in place, a default stays where it is looked at: one look-up for both.
    private static func look(at entryIndex: inout Int32) -> Int32 { entryIndex }

    private mutating func insert(_ remembered: Remembered, to key: KeyHash, at entryIndex: Int32) {
        if !remembered.principal.isUnnamed { counts[remembered.principal, default: 0] += 1 }
        if heads.isEmpty { heads = Array(repeating: -1, count: (HashRing.slotCount + shardCount - 1) / shardCount) }
        let head = key.slot / shardCount
        let entry = Entry(key: key, remembered: remembered, after: heads[head])
        if free.isEmpty {
            entries.append(entry)
        } else {
            free.removeLast()
            entries[Int(entryIndex)] = entry
        }
        if entry.after >= 0 { entries[Int(entry.after)].before = entryIndex }
        heads[head] = entryIndex
    }

    private mutating func remove(_ entryIndex: Int32) {
        guard let id = entries[Int(entryIndex)].remembered?.receipt.id else { return }
        let (key, before, after) = (entries[Int(entryIndex)].key, entries[Int(entryIndex)].before, entries[Int(entryIndex)].after)
        entryIndices[Repeatable(id: id, key: key)] = nil
        if before >= 0 { entries[Int(before)].after = after } else { heads[key.slot / shardCount] = after }
        if after >= 0 { entries[Int(after)].before = before }
        if let principal = entries[Int(entryIndex)].remembered?.principal, !principal.isUnnamed { discount(principal) }
        entries[Int(entryIndex)].remembered = nil
        free.append(entryIndex)
    }

    private mutating func discount(_ principal: Principal) {
        let left = counts[principal, default: 1] - 1
        counts[principal] = left > 0 ? left : nil
    }

    /// All that is remembered for a slot, the oldest first.
    func entries(ofSlot slot: Int, now: Int64) -> [(key: KeyHash, Remembered)] {
        var found: [(key: KeyHash, Remembered)] = []
        var entryIndex = heads.isEmpty ? -1 : heads[slot / shardCount]
        while entryIndex >= 0 {
            let entry = entries[Int(entryIndex)]
            if let remembered = entry.remembered, remembered.until > now { found.append((entry.key, remembered)) }
            entryIndex = entry.after
        }
        return found.reversed()
    }

    /// Forgets a slot: its receipts are somebody else's to repeat.
    mutating func forget(slot: Int) {
        if heads.isEmpty { return }
        while heads[slot / shardCount] >= 0 { remove(heads[slot / shardCount]) }
    }

    /// Forgets what has had its time.
    mutating func expire(_ now: Int64) {
        while let oldest = order.first, oldest.until <= now {
            order.removeFirst()
            // It may have been forgotten with its slot, and another one have come to its place since.
            guard let until = entries[Int(oldest.entryIndex)].remembered?.until, until <= now else { continue }
            remove(oldest.entryIndex)
        }
    }
}
