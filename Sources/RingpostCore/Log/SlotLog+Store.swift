// What a node's store is told of the slots, and what they begin with when there is one.
import HashRing

extension SlotLog {
    /// From here on what changes is collected; see ``takeWrites()``.
    mutating func beginJournal() { mailboxes.beginJournal() }

    /// Whether something has changed since ``takeWrites()``.
    var hasChanges: Bool { mailboxes.journal?.isEmpty == false }

    /// All that has changed.
    mutating func takeWrites() -> [SlotWrite] {
        mailboxes.takeChanges().map { slot, changes in
            SlotWrite(slot: slot, head: head(at: layout.slotIndex(slot)), changes: changes)
        }
    }

    /// What is written of a slot beside its content.
    func head(at slotIndex: Int) -> SlotHead {
        // In place: to copy a slot costs more than to look at it.
        let (slot, copy) = (layout.slot(at: slotIndex), slots.withUnsafeBufferPointer { $0[slotIndex].lasting })
        return SlotHead(
            kind: copy.state == .complete ? .copy : copy.term > 0 ? .released : .fenced, term: copy.term, position: copy.position,
            fence: slots[slotIndex].fence, origin: mailboxes.origin(ofSlot: slot), set: copy.set)
    }

    mutating func record(_ change: SlotChange, at slotIndex: Int) { mailboxes.journal?.add(change, slot: layout.slot(at: slotIndex)) }
    mutating func recordHead(at slotIndex: Int) { mailboxes.journal?.touch(layout.slot(at: slotIndex)) }
    mutating func recordWhole(_ change: SlotChange, at slotIndex: Int) {
        mailboxes.journal?.replace(by: change, slot: layout.slot(at: slotIndex))
    }

    /// Another copy comes in place of this one.
    ///
    /// - Returns: what stays in the store of the histories here.
    mutating func recordCopy(_ chunks: [SnapshotChunk], at slotIndex: Int) -> [Key: KeptHistory] {
        guard mailboxes.journal != nil else { return [:] }
        let kept = mailboxes.keptOlder(ofSlot: layout.slot(at: slotIndex), by: chunks)
        if kept.isEmpty {
            recordWhole(.copy(chunks), at: slotIndex)
        } else {
            // Some of that may still be on its way there.
            record(.copy(chunks, keeping: kept), at: slotIndex)
        }
        return kept
    }

    // MARK: The beginning

    /// A slot as the store has it: a copy is retained, and its content is read when it is needed. Before the first view.
    mutating func restore(_ head: SlotHead, at slotIndex: Int) {
        // Hearsay proves nothing, and where no copy ever was there is nothing to go on from.
        guard head.kind == .copy || head.kind == .released else { return }
        slots[slotIndex].fence = max(head.fence, head.term)
        slots[slotIndex].copy = SlotCopy(
            state: head.kind == .copy ? .complete : .none, term: head.term, position: head.position, set: head.set)
        mailboxes.setOrigin(head.origin, ofSlot: layout.slot(at: slotIndex))
        guard head.kind == .copy else { return }
        retained.insert(slotIndex)
        if head.position > 0 { unloaded.insert(slotIndex) }
    }

    /// The content of a copy has come from the store, where it stays as it is.
    mutating func load(_ stored: StoredSlot, at slotIndex: Int, now: Int64) {
        mailboxes.replace(
            slot: layout.slot(at: slotIndex), with: stored.chunks, keeping: stored.older.mapValues { $0.shifted(by: now) }, now: now)
        unloaded.remove(slotIndex)
    }
}
