// The mailboxes of one shard in one array, found by key, by slot, and in the order of use. Nothing here knows about messages.
import HashRing

/// Mailboxes by key, slot and last use. An index stays valid until its mailbox is removed; then it is used again.
struct MailboxTable {
    private var indices: [Key: Int] = [:]
    /// By index; the store changes their contents in place. A subscript of the table would be a coroutine, which allocates with each use:
    /// measured, 14 allocations a message.
    var all: [Mailbox] = []
    private var free: [Int] = []
    /// The first mailbox of each slot; -1 for none.
    private var heads: [Int32]
    /// The ends of the list in the order of use; -1 while it is empty.
    private(set) var oldest = -1
    private var newest = -1
    /// All mailboxes that were used before this one have lost their history: here the search for history to drop goes on.
    private var shedNext = -1
    private let shardCount: Int

    init(shardCount: Int) {
        self.shardCount = shardCount
        heads = Array(repeating: -1, count: (HashRing.slotCount + shardCount - 1) / shardCount)
    }

    var count: Int { indices.count }
    /// Every index that was ever used; free ones hold an empty mailbox without attachments.
    var allIndices: Range<Int> { all.indices }

    func index(of key: Key) -> Int? { indices[key] }

    /// Adds a mailbox whose key is not in the table; it counts as used now.
    mutating func insert(_ mailbox: Mailbox, now: Int64) -> Int {
        let mailboxIndex: Int
        if let freed = free.popLast() {
            mailboxIndex = freed
            all[mailboxIndex] = mailbox
        } else {
            mailboxIndex = all.count
            all.append(mailbox)
        }
        indices[mailbox.key] = mailboxIndex
        link(mailboxIndex, now: now)
        linkInSlot(mailboxIndex)
        return mailboxIndex
    }

    mutating func remove(_ mailboxIndex: Int) {
        unlink(mailboxIndex)
        unlinkInSlot(mailboxIndex)
        indices[all[mailboxIndex].key] = nil
        all[mailboxIndex] = Mailbox(key: all[mailboxIndex].key, incarnation: 0)
        free.append(mailboxIndex)
    }

    // MARK: The order of use

    /// Makes a mailbox the one that was used last.
    mutating func touch(_ mailboxIndex: Int, now: Int64) {
        if newest == mailboxIndex {
            all[mailboxIndex].lastUsed = now
            return
        }
        unlink(mailboxIndex)
        link(mailboxIndex, now: now)
    }

    /// The mailbox used longest ago that still has history; `nil` when none has.
    mutating func nextToShed() -> Int? {
        while shedNext >= 0 {
            if !all[shedNext].history.isEmpty { return shedNext }
            guard all[shedNext].newer >= 0 else { return nil }
            shedNext = all[shedNext].newer
        }
        return nil
    }

    private mutating func link(_ mailboxIndex: Int, now: Int64) {
        all[mailboxIndex].lastUsed = now
        all[mailboxIndex].older = newest
        all[mailboxIndex].newer = -1
        if newest >= 0 { all[newest].newer = mailboxIndex } else { oldest = mailboxIndex }
        newest = mailboxIndex
        if shedNext < 0 { shedNext = mailboxIndex }
    }

    private mutating func unlink(_ mailboxIndex: Int) {
        let older = all[mailboxIndex].older
        let newer = all[mailboxIndex].newer
        if shedNext == mailboxIndex { shedNext = newer >= 0 ? newer : older }
        if older >= 0 { all[older].newer = newer } else { oldest = newer }
        if newer >= 0 { all[newer].older = older } else { newest = older }
    }

    // MARK: Slots

    /// The first mailbox of a slot; ``next(inSlotAfter:)`` leads to the others.
    func first(inSlot slot: Int) -> Int? { found(heads[slot / shardCount]) }

    func next(inSlotAfter mailboxIndex: Int) -> Int? { found(Int32(truncatingIfNeeded: all[mailboxIndex].after)) }

    private func found(_ link: Int32) -> Int? { link < 0 ? nil : Int(link) }

    /// All mailboxes of a slot, collected so that the caller may remove some of them meanwhile.
    func indices(inSlot slot: Int) -> [Int] {
        var collected: [Int] = []
        var next = first(inSlot: slot)
        while let mailboxIndex = next {
            collected.append(mailboxIndex)
            next = self.next(inSlotAfter: mailboxIndex)
        }
        return collected
    }

    private mutating func linkInSlot(_ mailboxIndex: Int) {
        let head = all[mailboxIndex].key.slot / shardCount
        let first = Int(heads[head])
        all[mailboxIndex].before = -1
        all[mailboxIndex].after = first
        if first >= 0 { all[first].before = mailboxIndex }
        heads[head] = Int32(truncatingIfNeeded: mailboxIndex)
    }

    private mutating func unlinkInSlot(_ mailboxIndex: Int) {
        let (before, after) = (all[mailboxIndex].before, all[mailboxIndex].after)
        if before >= 0 {
            all[before].after = after
        } else {
            heads[all[mailboxIndex].key.slot / shardCount] = Int32(truncatingIfNeeded: after)
        }
        if after >= 0 { all[after].before = before }
    }
}
