// A new epoch: slots begin, go on and end. How they take turns is in ShardMachine+Look.swift.
import HashRing

extension ShardMachine {
    /// A new epoch is in force. Older ones than the present one are not taken.
    public mutating func apply(_ view: MembershipView, now: Moment, actions: inout [ShardAction]) {
        if let current = self.view, view.epoch < current.epoch { return }
        let before = self.view
        self.view = view
        ruling = nil
        rosterAskedAt = nil
        vacantDueAt = .min
        updatePeers(view)
        markBehind(since: before)
        lookAtSome(now: now, actions: &actions)
        move(now: now, actions: &actions)
        handleParked(now: now, actions: &actions)
        answerEarlyAttaches(now: now, actions: &actions)
        let routing = routing
        lanes.onEpoch(view.epoch, now: now.monotonic, route: routing.route, actions: &laneActions)
        settle(now: now, actions: &actions)
    }

    /// This node has a new boot: whatever it held is void, and whatever it did it does no longer. ``succeed(now:)`` follows where
    /// another boot had its id before.
    ///
    /// - Parameters:
    ///   - me: the new identity.
    ///   - now: the present time.
    ///   - actions: gets the answers of all that waited.
    public mutating func begin(as me: MemberIdentity, now: Moment, actions: inout [ShardAction]) {
        self.me = me
        succeededAt = nil
        // Nothing is begun in an epoch that does not know this boot.
        staleSlots.removeAll()
        for slotIndex in slots.indices {
            let slot = slot(at: slotIndex)
            stepDown(slot, now: now, actions: &actions)
            routes[slotIndex] = computeRoute(slot)
            if has(.sameMemberAnyBoot) { continue }
            store.drop(slot: slot)
            slots[slotIndex] = Slot()
        }
        fills = [:]
        parked = []
        parkedBytes = 0
        unacknowledged = []
        settle(now: now, actions: &actions)
    }

    /// Another boot had this id before, and did not say goodbye: it may have had copies, and the roster doesn't name it any more.
    public mutating func succeed(now: Moment) { succeededAt = now.monotonic }

    private mutating func updatePeers(_ view: MembershipView) {
        peersByMember = view.members.enumerated().map { slotIndex, member in slotIndex == view.selfIndex ? -1 : number(of: member.identity)
        }
        let members = Set(peersByMember)
        for peer in peers.indices {
            peers[peer].isMember = members.contains(peer)
            if peers[peer].isMember { continue }
            peers[peer].queue = []
            peers[peer].fetches = []
            peers[peer].underWay = []
            peers[peer].fetchesUnderWay = []
        }
    }

    /// This node is not the owner (any more). Its copy stays what it is.
    mutating func stepDown(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        if let inheritance = takeovers.removeValue(forKey: slot) {
            vacant.remove(slotIndex)
            if case .fetching(let peer, _) = inheritance.phase { peers[peer].fetchesUnderWay.remove(slot) }
            waitingAttaches -= inheritance.attaches.count
            for request in inheritance.attaches { actions.append(.attached(request.address, .failure(.retry))) }
        }
        guard let owner = slots[slotIndex].owner.take() else { return }
        stalled.remove(slot)
        uncommittedCount -= owner.entries.count
        uncommittedBytes -= owner.entries.reduce(0) { $0 + $1.payloadBytes }
        for holder in owner.holders { peers[holder.peer].underWay.remove(slot) }
        for (address, key) in store.detachAll(slot: slot) {
            actions.append(.detached(address))
            if key.kind == .channel { presences[key] = nil }
        }
        for (_, waiter) in owner.waiting {
            switch waiter {
            // The next owner may have it or not: the router asks it again.
            case .publish(let request, _, _, _): answers.append((request, .failure(.outcomeUnknown)))
            case .attach(let request): actions.append(.attached(request.address, .failure(.retry)))
            }
        }
    }

    // MARK: Frames that wait for an epoch

    mutating func park(_ frame: SlotFrame, from member: MemberIdentity, connectionID: UInt32, actions: inout [ShardAction]) {
        parkedBytes += frame.payloadBytes
        parked.append((frame, member, connectionID))
        if parked.count > limits.slots.parkedFramesMax || parkedBytes > limits.slots.parkedBytesMax {
            forgetParked(of: connectionID)
            // What still comes before the end must not be taken for the rest of a copy.
            fills = fills.filter { $0.value.connectionID != connectionID }
            actions.append(.closeConnection(connectionID))
        }
    }

    mutating func forgetParked(of connectionID: UInt32) {
        parked.removeAll { $0.connectionID == connectionID }
        parkedBytes = parked.reduce(0) { $0 + $1.frame.payloadBytes }
    }

    private mutating func handleParked(now: Moment, actions: inout [ShardAction]) {
        if parked.isEmpty { return }
        let waiting = parked
        parked = []
        parkedBytes = 0
        for (frame, member, connectionID) in waiting {
            onRequest(frame, from: member, connectionID: connectionID, now: now, actions: &actions)
        }
    }
}
