// What a copy leaves behind when its holder lets go of it.

extension SlotLog {
    /// What a holder is left with when it lets go of its copy.
    func evidence(released holder: Holder, at slotIndex: Int) -> SlotEvidence? {
        let slot = slot(at: slotIndex)
        return slot.owner.map { SlotEvidence(term: $0.term, position: $0.committed, set: slot.copy.set.without(holder.lineage)) }
    }
}
