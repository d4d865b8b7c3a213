// The mailboxes of one shard in one array, found by key, by slot, in the order of use, and by whom they are counted for. Nothing here knows
// about messages.
import HashRing

/// A place in a list of mailboxes.
enum MailboxLink {
    static let none: Int32 = -1
    /// In the order of use: in no list at all.
    static let unlinked: Int32 = -2
}

/// Mailboxes by key, slot and last use. An index stays valid until its mailbox is removed; then it is used again.
struct MailboxTable {
    /// The ends of a list in the order of use.
    private struct UseList {
        var oldest = MailboxLink.none
        var newest = MailboxLink.none
    }

    private var indices: [Key: Int] = [:]
    /// By index; the store changes their contents in place. A subscript of the table would be a coroutine, which allocates with each use:
    /// measured, 14 allocations a message.
    var all: [Mailbox] = []
    private var free: [Int] = []
    /// The first mailbox of each slot.
    private var heads: [Int32]
    /// Those with messages.
    private var written = UseList()
    /// Of users to whom nobody has written, and who have gone. What nobody has written to and somebody listens to is in no list.
    private var departed = UseList()
    private(set) var writtenCount = 0
    private(set) var departedCount = 0
    /// All mailboxes that were used before this one have lost their history: here the search for history to drop goes on.
    private var shedNext = MailboxLink.none
    /// Who has which names.
    var owners = NameOwners()
    private let shardCount: Int

    init(shardCount: Int) {
        self.shardCount = shardCount
        heads = Array(repeating: MailboxLink.none, count: (HashRing.slotCount + shardCount - 1) / shardCount)
    }

    var count: Int { indices.count }
    /// Names to which nobody has written.
    var unwrittenCount: Int { indices.count - writtenCount }
    /// Every index that was ever used; free ones hold an empty mailbox without attachments.
    var allIndices: Range<Int> { all.indices }

    func index(of key: Key) -> Int? { indices[key] }

    /// Adds a mailbox whose key is not in the table, without a message and in no list.
    mutating func insert(_ mailbox: Mailbox) -> Int {
        let mailboxIndex: Int
        if let freed = free.popLast() {
            mailboxIndex = freed
            all[mailboxIndex] = mailbox
        } else {
            mailboxIndex = all.count
            all.append(mailbox)
        }
        indices[mailbox.key] = mailboxIndex
        linkInSlot(mailboxIndex)
        return mailboxIndex
    }

    mutating func remove(_ mailboxIndex: Int) {
        give(mailboxIndex, to: .unnamed)
        if all[mailboxIndex].isWritten {
            unlinkWritten(mailboxIndex)
            writtenCount -= 1
        } else {
            unlinkDeparted(mailboxIndex)
        }
        unlinkInSlot(mailboxIndex)
        indices[all[mailboxIndex].key] = nil
        all[mailboxIndex] = Mailbox(key: all[mailboxIndex].key, incarnation: 0)
        free.append(mailboxIndex)
    }

    // MARK: The order of use

    /// Makes a mailbox the one that was used last.
    mutating func touch(_ mailboxIndex: Int, now: Int64) {
        if all[mailboxIndex].isWritten {
            if Int(written.newest) != mailboxIndex {
                unlinkWritten(mailboxIndex)
                linkWritten(mailboxIndex)
            }
        } else if all[mailboxIndex].older != MailboxLink.unlinked {
            leave(mailboxIndex, now: now)
        }
        all[mailboxIndex].lastUsed = now
    }

    /// The last sequence number of a mailbox. With the first one it is among those with messages.
    mutating func setEnd(_ sequence: UInt64, at mailboxIndex: Int, now: Int64) {
        if !all[mailboxIndex].isWritten {
            unlinkDeparted(mailboxIndex)
            linkWritten(mailboxIndex)
            all[mailboxIndex].lastUsed = now
            writtenCount += 1
        }
        all[mailboxIndex].appended = sequence
    }

    /// The last attachment to a user to whom nobody has written is gone.
    mutating func leave(_ mailboxIndex: Int, now: Int64) {
        unlinkDeparted(mailboxIndex)
        Self.link(mailboxIndex, &departed, &all)
        all[mailboxIndex].lastUsed = now
        departedCount += 1
    }

    /// Takes a mailbox out of the list of those who have gone, if it is there.
    mutating func unlinkDeparted(_ mailboxIndex: Int) {
        if all[mailboxIndex].isWritten || all[mailboxIndex].older == MailboxLink.unlinked { return }
        Self.unlink(mailboxIndex, &departed, &all)
        departedCount -= 1
    }

    /// The mailbox with messages that was used longest ago.
    var oldestWritten: Int? { found(written.oldest) }
    /// The user who left first of those to whom nobody has written.
    var oldestDeparted: Int? { found(departed.oldest) }

    /// The mailbox used longest ago that still has history; `nil` when none has.
    mutating func nextToShed() -> Int? {
        while let next = found(shedNext) {
            if !all[next].history.isEmpty { return next }
            guard all[next].newer >= 0 else { return nil }
            shedNext = all[next].newer
        }
        return nil
    }

    private mutating func linkWritten(_ mailboxIndex: Int) {
        Self.link(mailboxIndex, &written, &all)
        if shedNext < 0 { shedNext = Int32(truncatingIfNeeded: mailboxIndex) }
    }

    private mutating func unlinkWritten(_ mailboxIndex: Int) {
        let (older, newer) = (all[mailboxIndex].older, all[mailboxIndex].newer)
        if Int(shedNext) == mailboxIndex { shedNext = newer >= 0 ? newer : older }
        Self.unlink(mailboxIndex, &written, &all)
    }

    private static func link(_ mailboxIndex: Int, _ list: inout UseList, _ all: inout [Mailbox]) {
        let link = Int32(truncatingIfNeeded: mailboxIndex)
        all[mailboxIndex].older = list.newest
        all[mailboxIndex].newer = MailboxLink.none
        if list.newest >= 0 { all[Int(list.newest)].newer = link } else { list.oldest = link }
        list.newest = link
    }

    private static func unlink(_ mailboxIndex: Int, _ list: inout UseList, _ all: inout [Mailbox]) {
        let (older, newer) = (all[mailboxIndex].older, all[mailboxIndex].newer)
        if older >= 0 { all[Int(older)].newer = newer } else { list.oldest = newer }
        if newer >= 0 { all[Int(newer)].older = older } else { list.newest = older }
        all[mailboxIndex].older = MailboxLink.unlinked
    }

    private func found(_ link: Int32) -> Int? { link < 0 ? nil : Int(link) }

    // MARK: Slots

    /// The first mailbox of a slot; ``next(inSlotAfter:)`` leads to the others.
    func first(inSlot slot: Int) -> Int? { found(heads[slot / shardCount]) }

    func next(inSlotAfter mailboxIndex: Int) -> Int? { found(all[mailboxIndex].after) }

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
        let first = heads[head]
        let link = Int32(truncatingIfNeeded: mailboxIndex)
        all[mailboxIndex].before = MailboxLink.none
        all[mailboxIndex].after = first
        if first >= 0 { all[Int(first)].before = link }
        heads[head] = link
    }

    private mutating func unlinkInSlot(_ mailboxIndex: Int) {
        let (before, after) = (all[mailboxIndex].before, all[mailboxIndex].after)
        if before >= 0 { all[Int(before)].after = after } else { heads[all[mailboxIndex].key.slot / shardCount] = after }
        if after >= 0 { all[Int(after)].before = before }
    }
}
