// What is asked of single slots.

extension SlotLog {
    var slotIndices: Range<Int> { slots.indices }

    /// For tests and for what looks at a whole slot rarely.
    func slot(at slotIndex: Int) -> Slot { slots[slotIndex] }
    func copy(at slotIndex: Int) -> SlotCopy { slots[slotIndex].copy }
    /// The end of a copy that is complete and current; `nil` of any other. In place, as it is asked for each message: a copy has a set.
    func currentEnd(at slotIndex: Int) -> (term: UInt64, position: UInt64)? {
        slots.withUnsafeBufferPointer { slots in
            guard slots[slotIndex].copy.state == .complete, slots[slotIndex].copy.isCurrent else { return nil }
            return (slots[slotIndex].copy.term, slots[slotIndex].copy.position)
        }
    }
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

    /// What the producer of a message is told when it is committed.
    ///
    /// - Parameter isShown: somebody is attached then, and is shown it. Who was there when it got its place may have gone since.
    func settle(_ receipt: Receipt, isShown: Bool, copies: UInt8, isDurable: Bool) -> Receipt {
        let outcome: Receipt.Outcome =
            switch receipt.outcome {
            case .delivered: isShown ? .delivered : .unknown
            case .stored, .dropped, .unknown: isShown ? .delivered : receipt.outcome
            }
        if receipt.outcome == outcome, receipt.copies == copies, receipt.durable == isDurable { return receipt }
        return receipt.with(copies: copies, durable: isDurable, outcome: outcome)
    }

    /// What whoever asks for it once more is told of a message that is committed by now. What became of it was found out then.
    func settle(repeated receipt: Receipt, _ key: Key, copies: UInt8, isDurable: Bool) -> Receipt {
        let first = receipt.outcome == .unknown ? nil : mailboxes.outcome(of: receipt.id, to: key.hash)
        return receipt.with(copies: copies, durable: isDurable, outcome: first)
    }
}
