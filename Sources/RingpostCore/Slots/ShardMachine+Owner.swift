// The holders of an owned slot: new ones get a copy, a few at a time; those that are not needed any more are released.
import HashRing

extension ShardMachine {
    /// Brings the holders in line with the present ring; members that have left count no more.
    mutating func updateHolders(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        log.updateHolders(
            mirrors: peers.mirrors(ofSlot: slot), lineages: peers.lineages, isMember: peers.isMember, at: slotIndex)
        if log.isStranded(at: slotIndex), !has(.newcomerAlone) { return beginAnew(slot, now: now, actions: &actions) }
        updateSet(slot, actions: &actions)
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
        // A release that waits for its holder's first link goes on waiting: an epoch empties the queues.
        for holder in log.holders(at: slotIndex) where holder.state == .releasing && !peers.isLinked(holder.peer) {
            copies.append(slot, to: holder.peer)
        }
        advance(slot, now: now, actions: &actions)
    }

    /// All have left that could have confirmed this owner's term: what it has fetched proves nothing, and everybody is asked again.
    private mutating func beginAnew(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let term = log.term(at: slotIndex(slot)) ?? 0
        stepDown(slot, now: now, actions: &actions)
        routes.set(computeRoute(slot), at: slotIndex(slot))
        guard peers.isOwner(slot) else { return }
        if epoch > term, epoch >= log.fence(at: slotIndex(slot)) {
            begin([slot], now: now, actions: &actions)
        } else {
            staleSlots.waitForNextEpoch(slotIndex(slot))
        }
    }

    /// The acknowledging set may be another one now.
    mutating func updateSet(_ slot: Int, actions: inout [ShardAction]) {
        guard let set = log.updateSet(lineage: peers.lineage, at: slotIndex(slot)) else { return }
        for holder in log.holders(at: slotIndex(slot)) where holder.isConfirmed { tellSet(set, of: slot, to: holder, actions: &actions) }
    }

    private mutating func tellSet(_ set: LineageSet, of slot: Int, to holder: Holder, actions: inout [ShardAction]) {
        guard let term = log.term(at: slotIndex(slot)) else { return }
        peers.send(.keepers(SlotKeepers(slot: UInt16(slot), term: term, set: set)), to: holder.peer, actions: &actions)
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
        // Who would have a whole copy of a term that does not count could be taken for somebody who has all that was committed.
        if owner.isNewcomer, !holder.isInSet, !has(.newcomerAlone) { return }
        guard holder.state == .waiting, peers.isLinked(holder.peer) else { return }
        log.markSent(holder: number, at: slotIndex)
        updateSet(slot, actions: &actions)
        if holder.isSame {
            let set = log.copy(at: slotIndex).set
            let adoption = SlotAdoption(slot: UInt16(slot), term: owner.term, base: owner.baseTerm, position: owner.base, set: set)
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
            let set = log.copy(at: slotIndex(slot)).set
            if set.number > 1 { tellSet(set, of: slot, to: holder, actions: &actions) }
            resend(slot, owner, after: holder.acknowledged, to: holder.peer, now: now, actions: &actions)
        case .sent:
            log.markUnsent(holder: number, at: slotIndex(slot))
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        case .releasing: release(slot, from: holder, now: now, actions: &actions)
        case .retained: break
        }
    }

    /// Repeats a release that was decided with the right to act. Without that right the mirror that made the holder dispensable may be gone
    /// for long, and this copy void already: the holder's may be the last one.
    private mutating func release(_ slot: Int, from holder: Holder, now: Moment, actions: inout [ShardAction]) {
        guard lease.mayAct(now) else {
            lease.postponeCommit(of: slot)
            return
        }
        guard let evidence = log.evidence(released: holder, at: slotIndex(slot)), peers.isLinked(holder.peer) else { return }
        peers.send(.release(SlotRelease(slot: UInt16(slot), evidence: evidence)), to: holder.peer, actions: &actions)
    }

    /// The right to act is back.
    mutating func releaseAgain(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        for holder in log.holders(at: slotIndex(slot)) where holder.state == .releasing {
            release(slot, from: holder, now: now, actions: &actions)
        }
    }

    /// Releases every holder that the present ring does not ask for, once all mirrors are confirmed.
    mutating func releaseOthers(_ slot: Int, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        let released = log.releaseHolders(allBut: peers.mirrors(ofSlot: slot), isEarly: has(.releaseEarly), at: slotIndex)
        if released.isEmpty { return }
        for holder in log.holders(at: slotIndex) where released.contains(holder.peer) {
            copies.end(slot, to: holder.peer)
            // Whoever tells of a copy may not have been dialled yet.
            if !peers.isLinked(holder.peer) { copies.append(slot, to: holder.peer) }
            guard let evidence = log.evidence(released: holder, at: slotIndex) else { continue }
            peers.send(.release(SlotRelease(slot: UInt16(slot), evidence: evidence)), to: holder.peer, actions: &actions)
        }
    }
}
