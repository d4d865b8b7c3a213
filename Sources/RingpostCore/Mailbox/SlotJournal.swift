// What has changed of one shard's slots since it was last asked, for the store. Where there is no store there is no journal, and nothing is
// collected.

/// Changes by slot, in their order.
struct SlotJournal {
    /// Where a slot's changes are.
    private var places: [Int: Int] = [:]
    private var writes: [(slot: Int, changes: [SlotChange])] = []
    /// The places of mailboxes whose history has lost something: however much went, it is written once.
    private(set) var trimmed: Set<Int> = []

    var isEmpty: Bool { writes.isEmpty && trimmed.isEmpty }

    /// A slot's head has changed.
    mutating func touch(_ slot: Int) { _ = place(of: slot) }

    mutating func add(_ change: SlotChange, slot: Int) { writes[place(of: slot)].changes.append(change) }

    /// All that is in a slot is another thing now: what led there need not be written.
    mutating func replace(by change: SlotChange, slot: Int) { writes[place(of: slot)].changes = [change] }

    /// A mailbox's history has lost its oldest message.
    mutating func trim(_ mailboxIndex: Int) { trimmed.insert(mailboxIndex) }

    /// A mailbox has gone from its place, which another one may have next.
    mutating func remove(_ mailboxIndex: Int) { trimmed.remove(mailboxIndex) }

    /// Takes all out.
    mutating func take() -> [(slot: Int, changes: [SlotChange])] {
        defer { self = SlotJournal() }
        return writes
    }

    private mutating func place(of slot: Int) -> Int {
        if let place = places[slot] { return place }
        places[slot] = writes.count
        writes.append((slot, []))
        return writes.count - 1
    }
}

extension MailboxStore {
    /// What has changed, by slot.
    mutating func takeChanges() -> [(slot: Int, changes: [SlotChange])] {
        guard let trimmed = journal?.trimmed else { return [] }
        for mailboxIndex in trimmed {
            let key = mailboxes.all[mailboxIndex].key
            let bounds = mailboxes.all[mailboxIndex].bounds(older: older[mailboxIndex])
            journal?.add(.trim(key, bounds), slot: key.slot)
        }
        return journal?.take() ?? []
    }
}

extension Mailbox {
    /// What its history has lost, which goes on in memory behind what only the store has.
    fileprivate func bounds(older: OlderHistory?) -> MailboxBounds {
        MailboxBounds(
            through: older?.begin ?? history.first.map { $0.sequence - 1 } ?? appended, resumableFrom: resumableFrom,
            lostThrough: lostThrough)
    }
}
