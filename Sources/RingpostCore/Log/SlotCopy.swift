// The state of one slot on one node: the copy that the node holds, and the log that it writes while it is the slot's owner.

/// This node's copy of a slot: its log and mailboxes.
struct SlotCopy: Hashable {
    enum State: UInt8 {
        /// No copy, or one that doesn't count. Can transition to complete.
        case none
        /// Everything up to `position`. Can transition to none, when it is released or when this node loses its session.
        case complete
    }

    var state = State.none
    /// The term of the last owner frame that this copy accepted (not of a fence), or in which this node is the owner.
    var term: UInt64 = 0
    /// The number of the last step of the log that it holds.
    var position: UInt64 = 0
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
}
