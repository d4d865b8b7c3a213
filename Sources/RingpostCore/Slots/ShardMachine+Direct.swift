// The short way of a publish: where this node owns the slot alone and nothing stands in the way, it is appended, shown and answered at
// once. The lanes come to the same in more steps; they have it whenever something has to wait, to be refused, or to be looked up.

extension ShardMachine {
    /// Appends a publish that neither the lanes nor a copy elsewhere hold up.
    ///
    /// - Returns: `false` if it has to go the long way; nothing has happened to it then.
    mutating func appendAtOnce(_ publish: Publish, _ context: PublishContext, now: Moment, actions: inout [ShardAction]) -> Bool {
        let slot = publish.key.slot
        let slotIndex = slotIndex(slot)
        guard case .here = routes[slotIndex], lanes.letsThrough(slot, context, now: now.monotonic), commitsAlone(slot, now: now),
            limits.faults.isEmpty, mayLog, !publish.mayBeRepeat
        else { return false }
        if publish.isRepeatable {
            guard publish.isForgettable || !store.window.isFull,
                store.window.receipt(of: publish.id, to: publish.key.hash, now: now.monotonic) == nil
            else { return false }
        }
        guard let box = store.mailboxIndex(creating: publish.key, fresh: drawIncarnation(), now: now.monotonic),
            store.takes(at: box, now: now.monotonic)
        else { return false }
        let (message, receipt, _) = write(publish, at: box, mirrored: false, now: now)
        let position = slots[slotIndex].copy.position + 1
        slots[slotIndex].copy.position = position
        slots[slotIndex].owner?.committed = position
        store.boxes[box].committed = message.sequence
        let incarnation = store.boxes[box].incarnation
        for address in store.boxes[box].attachments { actions.append(.deliver(address, incarnation: incarnation, message)) }
        actions.append(.answer(context.address, .success(receipt)))
        return true
    }
}
