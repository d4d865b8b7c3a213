// The owner's side of a slot: every step of the log goes to all holders, is committed when the whole acknowledging set
// has it, and only then is it shown. New holders get a copy; those that are not needed any more are released.
import HashRing

extension ShardMachine {
    // MARK: Appending

    /// Appends a publish that the lanes have let through, or answers it from what is remembered.
    mutating func append(_ publish: Publish, request: UInt64, now: Moment, actions: inout [ShardAction]) {
        let slot = publish.key.slot
        catchUp(slot, now: now, actions: &actions)
        guard lanes.mayAppend(request: request), slots[slotIndex(slot)].isOwned else {
            answers.append((request, .failure(.retry)))
            return
        }
        if publish.isRepeatable || publish.mayBeRepeat, !has(.forgetWindow) {
            if answerRepeat(publish, request: request, now: now, actions: &actions) { return }
            if publish.isRepeatable, !publish.isForgettable, store.window.isFull {
                answers.append((request, .failure(.windowFull)))
                return
            }
        }
        guard mayLog, let box = store.mailboxIndex(creating: publish.key, fresh: drawIncarnation(), now: now.monotonic)
        else {
            answers.append((request, .failure(.overloaded)))
            return
        }
        guard store.takes(at: box, now: now.monotonic) else {
            if publish.key.kind == .user { tooFastForUsers += 1 } else { tooFastForChannels += 1 }
            answers.append((request, .failure(.tooFast)))
            return
        }
        let mirrored = view?.ring.mirror(ofSlot: slot) != nil
        let (message, receipt, remembered) = write(publish, at: box, mirrored: mirrored, now: now)
        let entry = SlotEntry.message(publish.key, incarnation: store.boxes[box].incarnation, message, remembered)
        if has(.deliverBeforeCommit) {
            show(entry, now: now, actions: &actions)
            answers.append((request, .success(receipt)))
        }
        let waiter = SlotWaiter.publish(request: request, publish.key, receipt, remembered: remembered?.until)
        log(entry, in: slot, waiter: waiter, now: now, actions: &actions)
    }

    /// Gives a publish its place in a mailbox, and remembers its receipt for repeats.
    mutating func write(
        _ publish: Publish, at box: Int, mirrored: Bool, now: Moment
    ) -> (message: StoredMessage, receipt: Receipt, remembered: Remembered?) {
        let isAttached = !store.boxes[box].attachments.isEmpty
        let message = store.append(publish, at: box, now: now)
        let receipt = Receipt(
            sequence: message.sequence, epoch: lanes.epoch, owner: me.id,
            outcome: isAttached ? .delivered : message.expiresAt > now.monotonic ? .stored : .dropped, mirrored: mirrored, id: publish.id)
        guard publish.isRepeatable, !publish.isForgettable || store.window.hasRoomForAll else { return (message, receipt, nil) }
        let remembered = Remembered(receipt: receipt, until: now.monotonic + store.window.milliseconds)
        store.window.remember(remembered, to: publish.key.hash)
        return (message, receipt, remembered)
    }

    /// Answers a publish that was appended before, as soon as the first one is committed; false when it was not.
    private mutating func answerRepeat(_ publish: Publish, request: UInt64, now: Moment, actions: inout [ShardAction]) -> Bool {
        var first: Receipt?
        if publish.isRepeatable {
            first = store.window.receipt(of: publish.id, to: publish.key.hash, now: now.monotonic)
            if !publish.mayBeRepeat { first = first?.asRepeated }
        }
        if first == nil, publish.mayBeRepeat, !publish.isRepeatable || publish.isForgettable {
            let box = store.mailboxIndices[publish.key]
            if let box, let sequence = store.boxes[box].sequence(of: publish.id) {
                first = Receipt(
                    sequence: sequence, epoch: lanes.epoch, owner: me.id, outcome: .stored,
                    mirrored: view?.ring.mirror(ofSlot: publish.key.slot) != nil, id: publish.id)
            } else if (box.map { store.boxes[$0].lostThrough } ?? store.evictedThrough)
                >= now.monotonic - publish.ageMax(now: now.monotonic)
            {
                // It may have been among what the history has lost since it was sent for the first time.
                answers.append((request, .failure(.outcomeUnknown)))
                return true
            }
        }
        guard let first else { return false }
        let waiter = SlotWaiter.publish(request: request, publish.key, first, remembered: nil)
        // Whatever it is, it is not behind the end of the log.
        wait(waiter, in: publish.key.slot, now: now, actions: &actions)
        return true
    }

    /// Puts one more step at the end of a slot's log and sends it to all who have a copy.
    mutating func log(_ entry: SlotEntry, in slot: Int, waiter: SlotWaiter?, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        slots[slotIndex].copy.position += 1
        let position = slots[slotIndex].copy.position
        if commitsAlone(slot, now: now) {
            slots[slotIndex].owner?.committed = position
            show(entry, now: now, actions: &actions)
            if let waiter { tell(waiter, isMirrored: false, now: now, actions: &actions) }
            return
        }
        uncommittedCount += 1
        uncommittedBytes += entry.payloadBytes
        guard let (term, holders) = slots[slotIndex].owner?.append(entry, at: position, waiter) else { return }
        for holder in holders where holder.state == .sent {
            guard peers[holder.peer].link != nil else { continue }
            let frame = SlotFrame.append(
                term: term, slot: UInt16(slot), position: position, entry.counted(from: now.monotonic))
            send(frame, to: holder.peer, actions: &actions)
        }
        if holders.isEmpty {
            advance(slot, now: now, actions: &actions)
        } else if holders.contains(where: { $0.state == .waiting }) {
            pull(slot, now: now, actions: &actions)
        }
    }

    /// Whether one more step may wait to be confirmed.
    var mayLog: Bool { uncommittedCount < limits.slots.uncommittedMax && uncommittedBytes < limits.slots.uncommittedBytesMax }

    /// Nobody else has a copy, or is to have one, and nothing waits.
    func commitsAlone(_ slot: Int, now: Moment) -> Bool {
        let slotIndex = slotIndex(slot)
        guard !staleSlots.contains(slotIndex), slots[slotIndex].owner?.isServing == true, slots[slotIndex].owner?.holders.isEmpty == true,
            slots[slotIndex].owner?.waiting.isEmpty == true
        else { return false }
        return mayAct(now) && view?.ring.mirror(ofSlot: slot) == nil && !has(.deliverBeforeCommit)
    }

    /// Answers when all that is in the log now is committed; at once if it is.
    private mutating func wait(_ waiter: SlotWaiter, in slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        let position = slots[slotIndex].copy.position
        slots[slotIndex].owner?.waiting.append((position, waiter))
        advance(slot, now: now, actions: &actions)
        if slots[slotIndex].owner?.waiting.isEmpty == false { pull(slot, now: now, actions: &actions) }
    }

    // MARK: Committing

    /// Commits what the whole set has, if this node may still act: the clock was read after the acknowledgement came.
    mutating func advance(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        if has(.releaseEarly) { releaseOthers(slot, actions: &actions) }
        let (end, copiesMin) = (slots[slotIndex].copy.position, view?.ring.mirror(ofSlot: slot) == nil ? 1 : 2)
        guard let (upTo, copies) = slots[slotIndex].owner?.confirmed(end: end, copiesMin: copiesMin) else { return }
        guard mayAct(now) else {
            stalled.insert(slot)
            return
        }
        slots[slotIndex].owner?.isServing = true
        while let (entry, position) = slots[slotIndex].owner?.commit(upTo: upTo) {
            // Who waits for a step before this one must not find this one shown already: "from now on" would be after it.
            tellWaiters(slot, upTo: position - 1, copies: copies, now: now, actions: &actions)
            uncommittedCount -= 1
            uncommittedBytes -= entry.payloadBytes
            if !has(.deliverBeforeCommit) { show(entry, now: now, actions: &actions) }
        }
        tellWaiters(slot, upTo: upTo, copies: copies, now: now, actions: &actions)
        releaseOthers(slot, actions: &actions)
    }

    private mutating func tellWaiters(_ slot: Int, upTo: UInt64, copies: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        while let waiter = slots[slotIndex].owner?.takeWaiter(upTo: upTo) {
            tell(waiter, isMirrored: copies > 1, now: now, actions: &actions)
        }
    }

    /// A committed step becomes visible.
    private mutating func show(_ entry: SlotEntry, now: Moment, actions: inout [ShardAction]) {
        guard case .message(let key, let incarnation, let message, _) = entry, let box = store.mailboxIndices[key],
            store.boxes[box].incarnation == incarnation
        else { return }
        store.boxes[box].committed = message.sequence
        for address in store.boxes[box].attachments { actions.append(.deliver(address, incarnation: incarnation, message)) }
    }

    private mutating func tell(_ waiter: SlotWaiter, isMirrored: Bool, now: Moment, actions: inout [ShardAction]) {
        switch waiter {
        case .publish(let request, let key, let receipt, let until):
            let told = receipt.repeated || receipt.mirrored == isMirrored ? receipt : receipt.with(mirrored: isMirrored)
            if told != receipt, let until { store.window.remember(Remembered(receipt: told, until: until), to: key.hash) }
            answers.append((request, .success(told)))
        case .attach(let request): answerAttach(request, now: now, actions: &actions)
        }
    }

    // MARK: Holders

    /// The holders that the present ring asks for; those that have left count no more.
    mutating func updateHolders(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        slots[slotIndex].owner?.holders.removeAll { !peers[$0.peer].isMember }
        if let mirror = mirror(ofSlot: slot), slots[slotIndex].owner?.holders.contains(where: { $0.peer == mirror }) == false {
            slots[slotIndex].owner?.holders.append(Holder(peer: mirror, isInSet: false, isSame: false))
        }
        let isUrgent = slots[slotIndex].owner?.waiting.isEmpty == false
        for (number, holder) in (slots[slotIndex].owner?.holders ?? []).enumerated() where holder.state == .waiting {
            // To say "that is the one" costs nothing; a whole copy waits for its turn, unless somebody waits for it.
            if holder.isSame || isUrgent, peers[holder.peer].link != nil {
                sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
            } else {
                peers[holder.peer].queue.append(slot, slotsMax: slots.count)
                pump(holder.peer, now: now, actions: &actions)
            }
        }
        advance(slot, now: now, actions: &actions)
    }

    /// Slots that have got another mirror, as many as may have their turn now.
    mutating func mirrorQueued(now: Moment, actions: inout [ShardAction]) {
        var looked = 0
        while movesLeft > 0, looked < limits.slots.movesMax, let slot = unmirrored.popFirst() {
            looked += 1
            // One that is behind is looked at soon, and with that updated.
            if slots[slotIndex(slot)].isOwned, !staleSlots.contains(slotIndex(slot)) { updateHolders(slot, now: now, actions: &actions) }
        }
        if !unmirrored.isEmpty { moveSoon(actions: &actions) }
    }

    /// Sends what waits for a member, a few copies at a time for the sake of live traffic.
    mutating func pump(_ peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard peers[peer].link != nil else { return }
        while peers[peer].underWay.count < limits.slots.copiesUnderWayMax, !peers[peer].queue.isEmpty {
            guard movesLeft > 0, let slot = peers[peer].queue.popFirst() else {
                moveSoon(actions: &actions)
                break
            }
            // One that is behind is put in again when it has been looked at.
            guard !staleSlots.contains(slotIndex(slot)), let holders = slots[slotIndex(slot)].owner?.holders,
                let number = holders.firstIndex(where: { $0.peer == peer }), holders[number].state == .waiting
            else { continue }
            movesLeft -= 1
            sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
        }
        while peers[peer].fetchesUnderWay.count < limits.slots.copiesUnderWayMax, let slot = peers[peer].fetches.popFirst() {
            guard case .fetching(peer, false) = takeovers[slot]?.phase else { continue }
            fetch(slot, actions: &actions)
        }
    }

    /// From here on the owner waits for this holder, also before it has said that it has everything.
    mutating func sendCopy(of slot: Int, toHolder number: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        guard let owner = slots[slotIndex].owner else { return }
        let holder = owner.holders[number]
        guard holder.state == .waiting, peers[holder.peer].link != nil else { return }
        slots[slotIndex].owner?.holders[number].state = .sent
        slots[slotIndex].owner?.holders[number].isInSet = true
        slots[slotIndex].owner?.holders[number].isConfirmed = false
        if holder.isSame {
            let adoption = SlotAdoption(slot: UInt16(slot), term: owner.term, base: owner.baseTerm, position: owner.base)
            send(.adopt(adoption), to: holder.peer, actions: &actions)
            resend(slot, after: owner.base, to: holder.peer, now: now, actions: &actions)
            return
        }
        peers[holder.peer].underWay.insert(slot)
        let position = slots[slotIndex].copy.position
        let pieces = store.pieces(
            ofSlot: slot, base: owner.term, position: position, now: now.monotonic, bytesMax: limits.slots.pieceBytesMax)
        for piece in pieces {
            send(.fill(SnapshotTransfer(slot: UInt16(slot), term: owner.term, piece: piece)), to: holder.peer, actions: &actions)
        }
    }

    /// The log after a position, as far as it is not committed: what is committed, every confirmed holder has.
    private mutating func resend(_ slot: Int, after position: UInt64, to peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard let owner = slots[slotIndex(slot)].owner else { return }
        for (offset, entry) in owner.entries.enumerated() where owner.committed + UInt64(offset) >= position {
            let frame = SlotFrame.append(
                term: owner.term, slot: UInt16(slot), position: owner.committed + UInt64(offset) + 1,
                entry.counted(from: now.monotonic))
            send(frame, to: peer, actions: &actions)
        }
    }

    /// On a new link to a holder.
    mutating func sayAgain(_ slot: Int, toHolder number: Int, now: Moment, actions: inout [ShardAction]) {
        guard let owner = slots[slotIndex(slot)].owner else { return }
        let holder = owner.holders[number]
        switch holder.state {
        case .waiting where owner.waiting.isEmpty: peers[holder.peer].queue.append(slot, slotsMax: slots.count)
        case .waiting: sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
        case .sent where holder.isConfirmed: resend(slot, after: holder.acknowledged, to: holder.peer, now: now, actions: &actions)
        case .sent:
            slots[slotIndex(slot)].owner?.holders[number].state = .waiting
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        case .releasing: release(slot, from: holder.peer, now: now, actions: &actions)
        }
    }

    /// Says again what was decided with the right to act. Without it the mirror that made the holder dispensable may be gone for long, and
    /// this copy void already: the holder's may be the last one.
    private mutating func release(_ slot: Int, from peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard mayAct(now) else {
            stalled.insert(slot)
            return
        }
        guard let owner = slots[slotIndex(slot)].owner, peers[peer].link != nil else { return }
        send(.release(SlotTerm(slot: UInt16(slot), term: owner.term)), to: peer, actions: &actions)
    }

    /// The right to act is back.
    mutating func releaseAgain(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        for holder in slots[slotIndex(slot)].owner?.holders ?? [] where holder.state == .releasing {
            release(slot, from: holder.peer, now: now, actions: &actions)
        }
    }

    /// With the present mirror confirmed, every other holder may go. It stays in the set until it says that its copy is gone:
    /// until then somebody could go on from it.
    private mutating func releaseOthers(_ slot: Int, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        let mirror = mirror(ofSlot: slot)
        guard slots[slotIndex].owner?.isHeld(atMostBy: mirror) == false, let owner = slots[slotIndex].owner else { return }
        if let mirror {
            guard let holder = owner.holders.first(where: { $0.peer == mirror }) else { return }
            guard holder.isConfirmed || (has(.releaseEarly) && holder.state == .sent) else { return }
        }
        slots[slotIndex].owner?.holders.removeAll { $0.peer != mirror && $0.state == .waiting && !$0.isInSet }
        for (number, holder) in (slots[slotIndex].owner?.holders ?? []).enumerated()
        where holder.peer != mirror && holder.state != .releasing {
            slots[slotIndex].owner?.holders[number].state = .releasing
            slots[slotIndex].owner?.holders[number].isConfirmed = false
            peers[holder.peer].underWay.remove(slot)
            send(.release(SlotTerm(slot: UInt16(slot), term: owner.term)), to: holder.peer, actions: &actions)
        }
    }
}
