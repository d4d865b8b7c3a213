// A new epoch, and a new boot of this node: slots begin, go on and end. How slots take turns is in ShardMachine+Epoch.swift.
import HashRing

extension ShardMachine {
    /// A new epoch is in force. One that is older than the present one is ignored.
    public mutating func apply(_ view: MembershipView, now: Moment, actions: inout [ShardAction]) {
        let before = peers.view
        if let before, view.epoch < before.epoch { return }
        vacancy.onEpoch()
        peers.setView(view)
        copies.setPeerCount(peers.count)
        for peer in 0..<peers.count where !peers.isMember[peer] { copies.forget(peer) }
        markStale(since: before)
        catchUpSome(now: now, actions: &actions)
        move(now: now, actions: &actions)
        tellRetained(to: nil, now: now, actions: &actions)
        handleParked(now: now, actions: &actions)
        answerEarlyAttaches(now: now, actions: &actions)
        publishes.onEpoch(view.epoch, now: now.monotonic, routing: routes.routing)
        processPending(now: now, actions: &actions)
    }

    /// This node has a new boot, and its terms are void. Of its copies it tells owners, and acknowledges nothing for them before those have
    /// taken them. With another lineage they are void too. ``succeed(now:)`` follows where another boot had its id before.
    ///
    /// - Parameters:
    ///   - me: the new identity.
    ///   - lineage: whose the copies are; the boot's, and so another one than before, unless given.
    ///   - now: the present time.
    ///   - actions: gets the answers of all that waited.
    public mutating func begin(as me: MemberIdentity, lineage: UInt64? = nil, now: Moment, actions: inout [ShardAction]) {
        let keeps = lineage == peers.lineage
        peers.setMe(me, lineage: lineage ?? me.boot)
        vacancy.beginBoot()
        // Nothing is begun in an epoch that does not know this boot.
        staleSlots.removeAll()
        for slotIndex in log.slotIndices {
            let slot = layout.slot(at: slotIndex)
            stepDown(slot, now: now, actions: &actions)
            routes.set(computeRoute(slot), at: slotIndex)
            if has(.sameMemberAnyBoot) { continue }
            if keeps { log.retain(at: slotIndex) } else { log.forget(at: slotIndex) }
        }
        snapshots.removeAll()
        loads.forgetSteps()
        _ = parked.removeAll()
        lease.forgetAcknowledgements()
        processPending(now: now, actions: &actions)
    }

    /// Another boot had this id before, and did not end in order: it may have had copies, and the roster doesn't name it any more.
    public mutating func succeed(now: Moment) { vacancy.succeed(now: now.monotonic) }

    /// This node is not the owner (any more). Its copy stays as it is.
    mutating func stepDown(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        if let takeover = takeovers.remove(slot) {
            vacancy.remove(slotIndex)
            if let source = takeover.source { copies.endFetch(slot, from: source) }
            waitingAttaches.endWaitForSlot(takeover.attaches.count)
            for request in takeover.attaches { actions.append(.attached(request.address, .failure(.retry))) }
        }
        guard let (owner, detached) = log.endTerm(at: slotIndex, now: now.monotonic) else { return }
        lease.forgetCommit(of: slot)
        for request in olderReads.removeAll(ofSlot: slot) { actions.append(.attached(request.address, .failure(.retry))) }
        for holder in owner.holders.all { copies.end(slot, to: holder.peer) }
        for (address, key) in detached {
            actions.append(.detached(address))
            if key.kind == .channel { presences.forget(key) }
        }
        for (_, waiter) in owner.waiting {
            switch waiter {
            // The next owner may have it or not: the router asks it again.
            case .publish(let request, _, _, _, _): publishes.answer(request, .failure(.outcomeUnknown))
            case .attach(let request): actions.append(.attached(request.address, .failure(.retry)))
            }
        }
    }

    // MARK: Frames that wait for an epoch

    mutating func park(_ frame: SlotFrame, from member: MemberIdentity, connectionID: UInt32, actions: inout [ShardAction]) {
        if parked.park(.init(frame: frame, member: member, connectionID: connectionID)) { return }
        // Chunks that still come before the end must not be taken for the rest of a copy.
        snapshots.removeAll(connectionID: connectionID)
        actions.append(.closeConnection(connectionID))
    }

    private mutating func handleParked(now: Moment, actions: inout [ShardAction]) {
        for parked in parked.removeAll() {
            onRequest(parked.frame, from: parked.member, connectionID: parked.connectionID, now: now, actions: &actions)
        }
    }
}
