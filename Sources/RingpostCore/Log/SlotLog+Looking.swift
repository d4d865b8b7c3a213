// What is asked of single slots.

extension SlotLog {
    var slotIndices: Range<Int> { slots.indices }

    /// For tests and for what looks at a whole slot rarely.
    func slot(at slotIndex: Int) -> Slot { slots[slotIndex] }
    func copy(at slotIndex: Int) -> SlotCopy { slots[slotIndex].copy }
    func isOwned(at slotIndex: Int) -> Bool { slots[slotIndex].isOwned }
    func fence(at slotIndex: Int) -> UInt64 { slots[slotIndex].fence }
    func connectionID(at slotIndex: Int) -> UInt32 { slots[slotIndex].connectionID }
    func vacantSince(at slotIndex: Int) -> Int64? { slots[slotIndex].vacantSince }
    /// The owner's term; `nil` where this node is not the owner.
    func term(at slotIndex: Int) -> UInt64? { slots[slotIndex].owner?.term }
    func holders(at slotIndex: Int) -> [Holder] { slots[slotIndex].owner?.holders.all ?? [] }
    /// Whether this node is an owner whose term does not count yet.
    func isNewcomer(at slotIndex: Int) -> Bool { slots[slotIndex].owner?.isNewcomer == true }
    func isStranded(at slotIndex: Int) -> Bool { slots[slotIndex].owner?.isStranded == true }
    func isServing(at slotIndex: Int) -> Bool { slots[slotIndex].owner?.isServing == true }
    /// Whether a peer has confirmed its copy of an owned slot.
    func isConfirmed(by peer: Int, at slotIndex: Int) -> Bool {
        slots.withUnsafeBufferPointer { $0[slotIndex].owner?.holders.all.contains { $0.peer == peer && $0.isConfirmed } == true }
    }
    func hasHolder(_ peer: Int, at slotIndex: Int) -> Bool { holderNumber(of: peer, at: slotIndex) != nil }
    func holderNumber(of peer: Int, at slotIndex: Int) -> Int? {
        // In place: to copy a slot costs more than to look at it.
        slots.withUnsafeBufferPointer { $0[slotIndex].owner?.holders.number(of: peer) }
    }

    /// What the producer of a message is told when it is committed: whoever has been attached since it got its place is shown it.
    func settle(_ receipt: Receipt, _ key: Key, isMirrored: Bool) -> Receipt {
        if receipt.repeated || receipt.outcome == .delivered && receipt.mirrored == isMirrored { return receipt }
        let isShown = receipt.outcome != .delivered && mailboxes.mailboxIndex(of: key).map(mailboxes.isAttached) == true
        if !isShown, receipt.mirrored == isMirrored { return receipt }
        return receipt.with(mirrored: isMirrored, outcome: isShown ? .delivered : nil)
    }
}
