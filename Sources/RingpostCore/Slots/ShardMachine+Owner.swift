// The holders of an owned slot: new ones get a copy, a few at a time; those that are not needed any more are released.
import HashRing

extension ShardMachine {
    /// Brings the holders in line with the present ring; members that have left count no more.
    mutating func updateHolders(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        log.updateHolders(mirror: peers.mirror(ofSlot: slot), isMember: peers.isMember, at: slotIndex)
        let isUrgent = log.isWaitedFor(at: slotIndex)
        for (number, holder) in log.holders(at: slotIndex).enumerated() where holder.state == .waiting {
            // An adoption costs nothing; a whole copy waits for its turn, unless a request waits for it.
            if holder.isSame || isUrgent, peers.isLinked(holder.peer) {
                sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
            } else {
                copies.append(slot, to: holder.peer)
                pump(holder.peer, now: now, actions: &actions)
            }
        }
        advance(slot, now: now, actions: &actions)
    }

    /// Slots that have got another mirror, as many as may have their turn now.
    mutating func mirrorQueued(now: Moment, actions: inout [ShardAction]) {
        var looked = 0
        while moves.left > 0, looked < limits.slots.movesMax, let slot = moves.popUnmirrored() {
            looked += 1
            // A stale slot is brought up to the epoch soon, which updates its holders too.
            if log.isOwned(at: slotIndex(slot)), !staleSlots.contains(slotIndex(slot)) {
                updateHolders(slot, now: now, actions: &actions)
            }
        }
        if !moves.unmirrored.isEmpty { scheduleMoves(actions: &actions) }
    }

    /// Sends copies that wait for a member, and asks it for those that this node waits for, a few at a time for the sake of live traffic.
    mutating func pump(_ peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard peers.isLinked(peer) else { return }
        while copies.mayStart(to: peer) {
            guard moves.left > 0, let slot = copies.pop(to: peer) else {
                scheduleMoves(actions: &actions)
                break
            }
            // A stale slot is put in again when it has been brought up to the epoch.
            guard !staleSlots.contains(slotIndex(slot)), let number = log.holderNumber(of: peer, at: slotIndex(slot)),
                log.holders(at: slotIndex(slot))[number].state == .waiting
            else { continue }
            moves.spend()
            sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
        }
        while let slot = copies.popFetch(from: peer) {
            guard case .fetching(peer, false) = takeovers[slot]?.phase else { continue }
            fetch(slot, actions: &actions)
        }
    }

    /// From here on the owner waits for this holder, also before it has said that it has everything.
    mutating func sendCopy(of slot: Int, toHolder number: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        guard let owner = log.slot(at: slotIndex).owner else { return }
        let holder = owner.holders.all[number]
        guard holder.state == .waiting, peers.isLinked(holder.peer) else { return }
        log.markSent(holder: number, at: slotIndex)
        if holder.isSame {
            let adoption = SlotAdoption(slot: UInt16(slot), term: owner.term, base: owner.baseTerm, position: owner.base)
            peers.send(.adopt(adoption), to: holder.peer, actions: &actions)
            resend(slot, owner, after: owner.base, to: holder.peer, now: now, actions: &actions)
            return
        }
        copies.begin(slot, to: holder.peer)
        let chunks = log.snapshot(base: owner.term, at: slotIndex, now: now.monotonic, bytesMax: limits.slots.chunkBytesMax)
        for chunk in chunks {
            peers.send(.snapshot(SnapshotTransfer(slot: UInt16(slot), term: owner.term, chunk: chunk)), to: holder.peer, actions: &actions)
        }
    }

    /// Sends the log after a position, as far as it is not committed: every confirmed holder has what is committed.
    private mutating func resend(
        _ slot: Int, _ owner: Ownership, after position: UInt64, to peer: Int, now: Moment, actions: inout [ShardAction]
    ) {
        for (offset, entry) in owner.entries.enumerated() where owner.committed + UInt64(offset) >= position {
            let frame = SlotFrame.append(
                term: owner.term, slot: UInt16(slot), position: owner.committed + UInt64(offset) + 1,
                entry.counted(from: now.monotonic))
            peers.send(frame, to: peer, actions: &actions)
        }
    }

    /// On a new link to a holder: sends what it may not have received.
    mutating func sayAgain(_ slot: Int, toHolder number: Int, now: Moment, actions: inout [ShardAction]) {
        guard let owner = log.slot(at: slotIndex(slot)).owner else { return }
        let holder = owner.holders.all[number]
        switch holder.state {
        case .waiting where owner.waiting.isEmpty: copies.append(slot, to: holder.peer)
        case .waiting: sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
        case .sent where holder.isConfirmed:
            resend(slot, owner, after: holder.acknowledged, to: holder.peer, now: now, actions: &actions)
        case .sent:
            log.markUnsent(holder: number, at: slotIndex(slot))
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        case .releasing: release(slot, from: holder.peer, now: now, actions: &actions)
        }
    }

    /// Repeats a release that was decided with the right to act. Without that right the mirror that made the holder dispensable may be gone
    /// for long, and this copy void already: the holder's may be the last one.
    private mutating func release(_ slot: Int, from peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard lease.mayAct(now) else {
            lease.postponeCommit(of: slot)
            return
        }
        guard let term = log.term(at: slotIndex(slot)), peers.isLinked(peer) else { return }
        peers.send(.release(SlotTerm(slot: UInt16(slot), term: term)), to: peer, actions: &actions)
    }

    /// The right to act is back.
    mutating func releaseAgain(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        for holder in log.holders(at: slotIndex(slot)) where holder.state == .releasing {
            release(slot, from: holder.peer, now: now, actions: &actions)
        }
    }

    /// Releases every holder that the present ring does not ask for, once the mirror is confirmed.
    mutating func releaseOthers(_ slot: Int, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        let released = log.releaseHolders(allBut: peers.mirror(ofSlot: slot), isEarly: has(.releaseEarly), at: slotIndex)
        if released.isEmpty { return }
        guard let term = log.term(at: slotIndex) else { return }
        for peer in released {
            copies.end(slot, to: peer)
            peers.send(.release(SlotTerm(slot: UInt16(slot), term: term)), to: peer, actions: &actions)
        }
    }
}
