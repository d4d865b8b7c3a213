// An owner's view of its slot: the steps of the log that are not committed, the requests that wait for them, and the holders. A message
// goes through here several times. Swift copies an optional, with a reference count for each part, when code outside reads a part of it
// in an array; a mutating function works in place. That is why some of these functions are mutating although they change nothing.
import DequeModule

/// An owner's view of its slot.
struct Ownership {
    /// The epoch in which it began.
    let term: UInt64
    /// The end of the log that it began with, and the term under which that was written.
    let base: UInt64
    let baseTerm: UInt64
    /// By then whoever was attached to an owner before has asked this one, or is gone.
    let settledAt: Int64
    /// What was known of the log before. While the term does not count, nothing of it does but this.
    let former: SlotEvidence?
    /// It was in no set before, and nobody of the last one has confirmed its term: who asks them hears nothing of it.
    private(set) var isNewcomer: Bool
    /// All that was there at the beginning has been confirmed: messages may be shown, publishes answered.
    private(set) var isServing = false
    /// Up to where the log is on every member of the acknowledging set.
    private(set) var committed: UInt64
    var holders: HolderSet
    /// The log after `committed`, to be sent again on a new link.
    private(set) var entries: Deque<SlotEntry> = []
    /// The requests that wait for steps which are not committed yet, in the order of positions.
    private(set) var waiting: Deque<(position: UInt64, waiter: SlotWaiter)> = []

    init(term: UInt64, from copy: SlotCopy, isNewcomer: Bool, holders: HolderSet, settledAt: Int64 = .min) {
        self.settledAt = settledAt
        self.term = term
        base = copy.position
        baseTerm = copy.term
        former = copy.evidence
        self.isNewcomer = isNewcomer
        self.holders = holders
        committed = base
    }

    /// Nobody of the last set is left that could confirm the term.
    var isStranded: Bool { isNewcomer && !holders.all.contains(where: \.isFormer) }

    /// One of the last set has confirmed the term.
    ///
    /// - Returns: false if it counted before.
    mutating func count(confirmedBy peer: Int) -> Bool {
        guard isNewcomer, let number = holders.number(of: peer), holders.all[number].isFormer else { return false }
        isNewcomer = false
        return true
    }

    /// One more step is at the end of the log, at `position`.
    ///
    /// - Returns: the term and the holders that have to be sent the step.
    mutating func append(_ entry: SlotEntry, at position: UInt64, _ waiter: SlotWaiter?) -> (term: UInt64, holders: [Holder]) {
        entries.append(entry)
        if let waiter { waiting.append((position, waiter)) }
        return (term, holders.all)
    }

    /// The step at `position` is committed with its append: no other member has a copy.
    mutating func commitAtOnce(_ position: UInt64) { committed = position }

    /// A request waits for the end of the log.
    mutating func wait(_ waiter: SlotWaiter, at position: UInt64) { waiting.append((position, waiter)) }

    /// Whether requests wait for a commit.
    var isWaitedFor: Bool { mutating get { !waiting.isEmpty } }

    /// Whether a step is committed as soon as it is appended.
    var commitsAtOnce: Bool { mutating get { isServing && holders.isEmpty && waiting.isEmpty } }

    /// See ``HolderSet/acknowledge(_:by:end:)``; an acknowledgement of another term counts for nothing.
    mutating func acknowledge(_ position: UInt64, term: UInt64, by peer: Int, end: UInt64) -> Bool? {
        term == self.term ? holders.acknowledge(position, by: peer, end: end) : nil
    }

    /// See ``HolderSet/confirmed(end:copiesMin:)``.
    mutating func confirmed(end: UInt64, copiesMin: Int) -> (upTo: UInt64, copies: Int)? {
        holders.confirmed(end: end, copiesMin: copiesMin)
    }

    /// The acknowledging set has confirmed the log.
    mutating func beginServing() { isServing = true }

    /// Commits the next step; `nil` when all are committed that may be.
    mutating func commit(upTo: UInt64) -> (entry: SlotEntry, position: UInt64)? {
        guard committed < upTo, let entry = entries.popFirst() else { return nil }
        committed += 1
        return (entry, committed)
    }

    /// Removes and returns the first request that waits for no more than this position.
    mutating func popWaiter(upTo: UInt64) -> SlotWaiter? {
        guard !waiting.isEmpty, waiting[0].position <= upTo else { return nil }
        return waiting.removeFirst().waiter
    }

    mutating func isHeld(atMostBy mirrors: SlotMirrors) -> Bool { holders.isHeld(atMostBy: mirrors) }

    /// Attachments that meet the condition wait no longer.
    mutating func forgetAttaches(where condition: (AttachRequest) -> Bool) {
        waiting.removeAll { waiting in
            guard case .attach(let request) = waiting.waiter else { return false }
            return condition(request)
        }
    }
}

/// A request that waits for a commit.
enum SlotWaiter {
    /// - Parameters:
    ///   - remembered: until when the receipt is remembered; `nil` where it is not.
    ///   - isRepeat: the message got its place for an earlier publish.
    case publish(request: UInt64, Key, Receipt, remembered: Int64?, isRepeat: Bool)
    case attach(AttachRequest)
}
