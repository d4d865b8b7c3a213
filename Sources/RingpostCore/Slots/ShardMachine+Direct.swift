// The short way of a publish: where this node owns the slot alone and nothing stands in the way, it is appended, shown and answered at
// once. The lanes come to the same in more steps; they have it whenever something has to wait, to be refused, or to be looked up.

extension ShardMachine {
    /// Appends a publish that neither the lanes nor a copy elsewhere hold up.
    ///
    /// - Returns: `false` if it has to go the long way; nothing has happened to it then.
    mutating func appendAtOnce(_ publish: Publish, _ context: PublishContext, now: Moment, actions: inout [ShardAction]) -> Bool {
        let slot = publish.key.slot
        let slotIndex = slotIndex(slot)
        guard routes.isHere(slotIndex), publishes.lanes.letsThrough(slot, context, now: now.monotonic), commitsAtOnce(slot, now: now),
            limits.faults.isEmpty, log.hasRoom, !publish.mayBeRepeat
        else { return false }
        if publish.isRepeatable, log.receipt(of: publish, now: now.monotonic) != nil { return false }
        let remembers = publish.isRepeatable && log.mailboxes.windowHasRoom(for: publish)
        if publish.isRepeatable, !publish.isForgettable, !remembers { return false }
        guard case .mailbox(let mailboxIndex) = log.place(of: publish, boot: peers.me.boot, now: now.monotonic),
            log.admitMessage(at: mailboxIndex, now: now.monotonic)
        else { return false }
        let (message, receipt, remembered, isClaimed) = log.write(
            publish, remembers: remembers, at: mailboxIndex, epoch: publishes.lanes.epoch, owner: peers.me.id, copies: 1, now: now)
        let incarnation = log.mailboxes.incarnation(at: mailboxIndex)
        let position = log.nextPosition(
            of: .message(publish.key, incarnation: incarnation, message, remembered), at: slotIndex, boot: peers.me.boot)
        if isClaimed { log.record(.step(.belongs(publish.key, to: publish.principal)), at: slotIndex) }
        log.commitAtOnce(position, at: slotIndex)
        show(message, at: mailboxIndex, actions: &actions)
        actions.append(.answer(context.address, .success(peers.amOnDisk ? receipt.with(copies: 1, durable: true) : receipt)))
        return true
    }
}
