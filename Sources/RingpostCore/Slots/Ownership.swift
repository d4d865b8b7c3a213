// What an owner knows of its slot: who has a copy and how far, which steps of the log are not committed, who waits for them. A message
// goes through here several times, so what it takes is done where it lies: a look at a part of an optional from outside, in an array,
// takes a copy of the whole, with a count of references up and down for each part. That is why some of these functions are mutating
// that change nothing.
import DequeModule

/// Another member that has, or gets, a copy of a slot that this node owns.
struct Holder {
    enum State: UInt8 {
        /// Nothing was sent yet. Can transition to sent.
        case waiting
        /// Adopted, or sent whole; appends follow. Can transition to waiting (when it doesn't fit, or the link broke before
        /// it was confirmed) and releasing.
        case sent
        /// Told that it is not needed any more. Final: it is taken out when it has confirmed, and put in anew if it is the mirror again.
        case releasing
    }

    let peer: Int
    var state = State.waiting
    /// The owner waits for it: it has, or may have, a copy that somebody could go on from.
    var isInSet: Bool
    /// It has confirmed its copy under this owner's term.
    var isConfirmed = false
    /// Up to where it has confirmed.
    var acknowledged: UInt64 = 0
    /// Its copy, if it is the very one that the owner went on from and so need not be sent.
    var isSame: Bool
}

/// An owner's view of its slot.
struct Ownership {
    /// The epoch in which it began.
    let term: UInt64
    /// The end of the log that it began with, and the term under which that was written.
    let base: UInt64
    let baseTerm: UInt64
    /// All that was there at the beginning has been confirmed: messages may be shown, publishes answered.
    var isServing = false
    /// Up to where the log is on every member of the acknowledging set.
    var committed: UInt64
    var holders: [Holder] = []
    /// The log after `committed`, to be sent again on a new link.
    var entries: Deque<SlotEntry> = []
    /// Who waits for what is not committed yet; in the order of positions.
    var waiting: Deque<(position: UInt64, waiter: SlotWaiter)> = []

    init(term: UInt64, base: UInt64, baseTerm: UInt64) {
        self.term = term
        self.base = base
        self.baseTerm = baseTerm
        committed = base
    }

    /// One more step is at the end of the log, at `position`.
    ///
    /// - Returns: whom it concerns.
    mutating func append(_ entry: SlotEntry, at position: UInt64, _ waiter: SlotWaiter?) -> (term: UInt64, holders: [Holder]) {
        entries.append(entry)
        if let waiter { waiting.append((position, waiter)) }
        return (term, holders)
    }

    /// A holder says up to where it has the log of a term; `end` is where the log ends: nobody can have what was not written yet.
    ///
    /// - Returns: whether its copy is confirmed only with this; `nil` if nothing was to be confirmed.
    mutating func acknowledge(_ at: SlotPosition, by peer: Int, end: UInt64) -> Bool? {
        guard at.term == term, let number = holders.firstIndex(where: { $0.peer == peer }), holders[number].state == .sent
        else { return nil }
        let isFirst = !holders[number].isConfirmed
        holders[number].isConfirmed = true
        holders[number].acknowledged = min(max(holders[number].acknowledged, at.position), end)
        return isFirst
    }

    /// Up to where the whole acknowledging set has the log that ends at `end`, and how many copies that makes; `nil` while somebody
    /// has not confirmed its copy at all, or while there are too few.
    mutating func confirmed(end: UInt64, copiesMin: Int) -> (upTo: UInt64, copies: Int)? {
        var upTo = end
        var copies = 1
        for number in holders.indices {
            if holders[number].isInSet {
                guard holders[number].isConfirmed else { return nil }
                upTo = min(upTo, holders[number].acknowledged)
            }
            if holders[number].isConfirmed { copies += 1 }
        }
        return copies < copiesMin ? nil : (upTo, copies)
    }

    /// Commits the next step; `nil` when all are committed that may be.
    mutating func commit(upTo: UInt64) -> (entry: SlotEntry, position: UInt64)? {
        guard committed < upTo, let entry = entries.popFirst() else { return nil }
        committed += 1
        return (entry, committed)
    }

    /// Takes out the first who waits for no more than this.
    mutating func takeWaiter(upTo: UInt64) -> SlotWaiter? {
        guard !waiting.isEmpty, waiting[0].position <= upTo else { return nil }
        return waiting.removeFirst().waiter
    }

    /// Whether nobody but this peer holds a copy, or is to get one.
    mutating func isHeld(atMostBy peer: Int?) -> Bool { holders.isEmpty || holders.count == 1 && holders[0].peer == peer }
}

/// Who waits for a commit.
enum SlotWaiter {
    case publish(request: UInt64, Key, Receipt, remembered: Int64?)
    case attach(AttachRequest)
}
