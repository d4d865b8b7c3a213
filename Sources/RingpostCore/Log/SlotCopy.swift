// The state of one slot on one node: the copy that the node holds, and the log that it writes while it is the slot's owner.

/// This node's copy of a slot: its log and mailboxes.
struct SlotCopy: Hashable {
    enum State: UInt8 {
        /// No copy; of one that was here, what is known of it. Can transition to complete.
        case none
        /// Everything up to `position`. Can transition to none, when it is released, or when its owner did not get it confirmed.
        case complete
    }

    var state = State.none
    /// The term of the last owner frame that this copy accepted (not of a fence), or in which this node is the owner.
    var term: UInt64 = 0
    /// The number of the last step of the log that it holds.
    var position: UInt64 = 0
    /// Whose copies counted then.
    var set = LineageSet()
    /// An owner's frame was accepted under this node's present boot, or this node is an owner whose term counts. Otherwise the copy is one
    /// that is *retained*: it acknowledges nothing.
    var isCurrent = false

    /// The best copy has the highest.
    var rank: SlotEvidence { SlotEvidence(term: term, position: position, set: set) }
    /// What it proves; `nil` where nothing was ever written.
    var evidence: SlotEvidence? { term == 0 ? nil : rank }
}

extension SlotCopy {
    /// No copy; what is known of one, if anything is.
    init(knownFrom evidence: SlotEvidence?) {
        self.init()
        guard let evidence else { return }
        (term, position, set) = (evidence.term, evidence.position, evidence.set)
    }
}

/// One slot on this node.
struct Slot {
    /// The highest term that was heard of: lower ones are refused.
    var fence: UInt64 = 0
    var copy = SlotCopy()
    /// Set while this node is the owner.
    var owner: Ownership?
    /// Since when it is known that nobody has a copy; the wait goes on under the next owner.
    var vacantSince: Int64?
    /// The connection on which the owner wrote last: late acknowledgements go there.
    var connectionID: UInt32 = 0

    /// Looks without copying ``owner``, as a comparison with `nil` does.
    var isOwned: Bool { if case .some = owner { true } else { false } }

    /// What of the copy counts when the term ends now, whatever ends it: whoever asks the last set hears nothing of a newcomer's term, so
    /// nothing of that may be gone on from.
    var lasting: SlotCopy { owner?.isNewcomer == true ? SlotCopy(knownFrom: owner?.former) : copy }
}
