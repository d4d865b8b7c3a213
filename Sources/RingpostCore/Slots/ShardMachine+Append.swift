// The owner's log: a publish or an attachment becomes a step, the step goes to all holders, and is committed when the whole acknowledging
// set has it. Only then is it shown.
import HashRing

extension ShardMachine {
    // MARK: Appending

    /// Where the publish goes; `nil` where it has been refused.
    private mutating func place(of publish: Publish, request: UInt64, now: Moment) -> Int? {
        switch log.hasRoom ? log.place(of: publish, boot: peers.me.boot, now: now.monotonic) : .full {
        case .mailbox(let mailboxIndex): return mailboxIndex
        case .tooManyNames: publishes.refuseName(request, of: publish.principal)
        case .full:
            log.noteRefusal(of: publish.key)
            publishes.answer(request, .failure(.overloaded))
        }
        return nil
    }

    /// Appends a publish that the lanes have let through, or answers it from what is remembered.
    mutating func append(_ publish: Publish, request: UInt64, now: Moment, actions: inout [ShardAction]) {
        let slot = publish.key.slot
        catchUp(slot, now: now, actions: &actions)
        guard publishes.lanes.mayAppend(request: request), log.isOwned(at: slotIndex(slot)) else {
            publishes.answer(request, .failure(.retry))
            return
        }
        if publish.isRepeatable || publish.mayBeRepeat, !has(.forgetWindow),
            answerRepeat(publish, request: request, now: now, actions: &actions)
        {
            return
        }
        // Looked at after the repeats, which lets go of what has had its time.
        let remembers = publish.isRepeatable && log.mailboxes.windowHasRoom(for: publish)
        if publish.isRepeatable, !publish.isForgettable, !remembers, !has(.forgetWindow) {
            publishes.answer(request, .failure(.windowFull))
            return
        }
        guard let mailboxIndex = place(of: publish, request: request, now: now) else { return }
        guard log.admitMessage(at: mailboxIndex, now: now.monotonic) else {
            log.noteTooFast(at: mailboxIndex)
            publishes.refuseTooFast(request, kind: publish.key.kind)
            return
        }
        let (message, receipt, remembered, isClaimed) = log.write(
            publish, remembers: remembers, at: mailboxIndex, epoch: publishes.lanes.epoch, owner: peers.me.id,
            copies: peers.copiesWanted(slot), now: now)
        let entry = SlotEntry.message(
            publish.key, incarnation: log.mailboxes.incarnation(at: mailboxIndex), message, remembered)
        if has(.deliverBeforeCommit) {
            _ = show(entry, actions: &actions)
            publishes.answer(request, .success(receipt))
        }
        let waiter = SlotWaiter.publish(request: request, publish.key, receipt, remembered: remembered?.until, isRepeat: false)
        append(entry, to: slot, waiter: waiter, now: now, actions: &actions)
        // Only for the count: where there is no room the holders are not told.
        if isClaimed, log.hasRoom {
            append(.belongs(publish.key, to: publish.principal), to: slot, waiter: nil, now: now, actions: &actions)
        }
    }

    /// Answers a publish that was appended before, as soon as the first one is committed; false when it was not.
    private mutating func answerRepeat(_ publish: Publish, request: UInt64, now: Moment, actions: inout [ShardAction]) -> Bool {
        var first: Receipt?
        if publish.isRepeatable { first = log.receipt(of: publish, now: now.monotonic) }
        if first == nil, publish.mayBeRepeat, !publish.isRepeatable || publish.isForgettable {
            let mailboxIndex = log.mailboxes.mailboxIndex(of: publish.key)
            if let mailboxIndex, let sequence = log.mailboxes.sequence(of: publish.id, at: mailboxIndex) {
                first = Receipt(
                    sequence: sequence, epoch: publishes.lanes.epoch, owner: peers.me.id, outcome: .unknown,
                    copies: peers.copiesWanted(publish.key.slot), id: publish.id)
            } else if log.mailboxes.lostThrough(at: mailboxIndex) >= now.monotonic - publish.ageMax(now: now.monotonic) {
                // It may have been in the history after it was sent for the first time, and have been lost since.
                publishes.answer(request, .failure(.outcomeUnknown))
                return true
            }
        }
        guard let first else { return false }
        // Whatever its step is, it is not behind the end of the log.
        log.wait(.publish(request: request, publish.key, first, remembered: nil, isRepeat: true), at: slotIndex(publish.key.slot))
        advance(publish.key.slot, now: now, actions: &actions)
        if log.isWaitedFor(at: slotIndex(publish.key.slot)) { pull(publish.key.slot, now: now, actions: &actions) }
        return true
    }

    /// Puts one more step at the end of a slot's log and sends it to all who have a copy.
    mutating func append(_ entry: SlotEntry, to slot: Int, waiter: SlotWaiter?, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        let position = log.nextPosition(of: entry, at: slotIndex, boot: peers.me.boot)
        if commitsAtOnce(slot, now: now) {
            log.commitAtOnce(position, at: slotIndex)
            let isShown = show(entry, actions: &actions)
            let copies = (count: UInt8(1), areDurable: peers.amOnDisk)
            if let waiter { answer(waiter, isShown: isShown, copies, now: now, actions: &actions) }
            return
        }
        guard let (term, holders) = log.append(entry, position: position, waiter: waiter, at: slotIndex) else { return }
        for holder in holders where holder.state == .sent {
            guard peers.isLinked(holder.peer) else { continue }
            let frame = SlotFrame.append(
                term: term, slot: UInt16(slot), position: position, entry.counted(from: now.monotonic))
            peers.send(frame, to: holder.peer, actions: &actions)
        }
        if holders.isEmpty || holders.contains(where: { $0.state == .waiting }) { pull(slot, now: now, actions: &actions) }
    }

    /// Nobody else has a copy of the slot, or is to have one, and nothing waits.
    mutating func commitsAtOnce(_ slot: Int, now: Moment) -> Bool {
        let slotIndex = slotIndex(slot)
        guard !staleSlots.contains(slotIndex), log.commitsAtOnce(at: slotIndex) else { return false }
        return lease.mayAct(now) && !peers.hasMirror(slot) && !has(.deliverBeforeCommit)
    }

    // MARK: Committing

    /// Commits what the whole set has, if this node may still act: the clock was read after the acknowledgement came.
    mutating func advance(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        if has(.releaseEarly) { releaseOthers(slot, actions: &actions) }
        guard let (upTo, copies) = log.confirmed(at: slotIndex, copiesMin: peers.hasMirror(slot) ? 2 : 1) else { return }
        guard lease.mayAct(now) else {
            lease.postponeCommit(of: slot)
            return
        }
        log.beginServing(at: slotIndex)
        // While a copy moves there is one more for a moment, of which nobody is told.
        let confirmed = (count: UInt8(min(copies, max(2, peers.copies))), areDurable: areDurable(at: slotIndex))
        // Of the step before.
        var isShown = false
        while let (entry, position) = log.commitNext(upTo: upTo, at: slotIndex) {
            // Requests that wait for an earlier step are answered first: an attachment that begins "from now on" must not begin after
            // this step.
            answerWaiters(slotIndex, upTo: position - 1, isShown: isShown, confirmed, now: now, actions: &actions)
            isShown = has(.deliverBeforeCommit) ? false : show(entry, actions: &actions)
        }
        answerWaiters(slotIndex, upTo: upTo, isShown: isShown, confirmed, now: now, actions: &actions)
        releaseOthers(slot, actions: &actions)
    }

    /// Confirmed copies of what is committed: how many there are, the owner's too, and whether all of them are on disks by fsync.
    private typealias Copies = (count: UInt8, areDurable: Bool)

    /// Who has not confirmed its copy is in no set whose steps are committed.
    private func areDurable(at slotIndex: Int) -> Bool {
        peers.amOnDisk && log.holders(at: slotIndex).allSatisfy { !$0.isConfirmed || peers.isOnDisk[$0.peer] }
    }

    /// - Parameter isShown: the message of the step `upTo` is shown to somebody. Its publish waits for no other step.
    private mutating func answerWaiters(
        _ slotIndex: Int, upTo: UInt64, isShown: Bool, _ copies: Copies, now: Moment, actions: inout [ShardAction]
    ) {
        while let waiter = log.popWaiter(upTo: upTo, at: slotIndex) {
            answer(waiter, isShown: isShown, copies, now: now, actions: &actions)
        }
    }

    private mutating func answer(
        _ waiter: SlotWaiter, isShown: Bool, _ copies: Copies, now: Moment, actions: inout [ShardAction]
    ) {
        switch waiter {
        case .publish(let request, let key, let receipt, _, isRepeat: true):
            let told = log.settle(repeated: receipt, key, copies: copies.count, isDurable: copies.areDurable)
            publishes.answer(request, .success(told))
        case .publish(let request, let key, let receipt, let until, isRepeat: false):
            let told = log.settle(receipt, isShown: isShown, copies: copies.count, isDurable: copies.areDurable)
            if told != receipt, let until { log.correct(Remembered(receipt: told, until: until), to: key.hash) }
            publishes.answer(request, .success(told))
        case .attach(let request): answerAttach(request, now: now, actions: &actions)
        }
    }

    /// A committed step becomes visible, if it is a message whose mailbox is still there.
    ///
    /// - Returns: whether somebody is attached, and is shown it.
    private mutating func show(_ entry: SlotEntry, actions: inout [ShardAction]) -> Bool {
        guard case .message(let key, let incarnation, let message, _) = entry,
            let mailboxIndex = log.mailboxes.mailboxIndex(of: key), log.mailboxes.incarnation(at: mailboxIndex) == incarnation
        else { return false }
        show(message, at: mailboxIndex, actions: &actions)
        return log.mailboxes.isAttached(at: mailboxIndex)
    }

    /// The commit point: every message that this owner appends becomes visible here and nowhere else. What it found in its copy when its
    /// term began becomes readable with ``SlotLog/beginServing(at:)``.
    mutating func show(_ message: StoredMessage, at mailboxIndex: Int, actions: inout [ShardAction]) {
        let incarnation = log.mailboxes.incarnation(at: mailboxIndex)
        for address in log.show(message, at: mailboxIndex) {
            actions.append(.deliver(address, incarnation: incarnation, message))
        }
    }
}
