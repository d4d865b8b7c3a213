// A new epoch: slots begin, go on and end.
import HashRing

extension LoopMachine {
    /// A new epoch is in force. Older ones than the present one are not taken.
    public mutating func apply(_ view: MembershipView, now: Moment, actions: inout [LoopAction]) {
        if let current = self.view, view.epoch < current.epoch { return }
        let before = self.view.map { (ring: $0.ring, peers: peersByPlace) }
        self.view = view
        ruling = nil
        rosterAskedAt = nil
        updatePeers(view)
        var begun: [Int] = []
        for place in slots.indices {
            let slot = slot(at: place)
            // Most of them, and what is not looked at costs nothing.
            if let before, isUntouched(slot, before: before.ring, peersBefore: before.peers) { continue }
            routes[place] = computeRoute(slot)
            if !isOwner(slot) {
                // Most slots of a ring are others', before and after.
                if slots[place].owner == nil, inheritances.isEmpty { continue }
                stepDown(slot, now: now, actions: &actions)
            } else if slots[place].owner != nil {
                updateHolders(slot, now: now, actions: &actions)
            } else if inheritances[slot] != nil {
                forgetLeavers(slot, now: now, actions: &actions)
            } else if view.epoch >= slots[place].fence {
                begun.append(slot)
            }
        }
        begin(begun, now: now, actions: &actions)
        for peer in peers.indices { pump(peer, now: now, actions: &actions) }
        handleParked(now: now, actions: &actions)
        answerEarlyAttaches(now: now, actions: &actions)
        let routing = routing
        lanes.onEpoch(view.epoch, now: now.monotonic, route: routing.route, actions: &laneActions)
        settle(now: now, actions: &actions)
    }

    /// The same owner and mirror as before, and nothing in between: every holder has its copy.
    private func isUntouched(_ slot: Int, before: HashRing, peersBefore: [Int]) -> Bool {
        guard let ring = view?.ring, let owner = ring.owner(ofSlot: slot), let ownerBefore = before.owner(ofSlot: slot) else {
            return false
        }
        guard peersByPlace[owner] == peersBefore[ownerBefore] else { return false }
        let mirror = ring.mirror(ofSlot: slot).map { peersByPlace[$0] }
        guard mirror == before.mirror(ofSlot: slot).map({ peersBefore[$0] }) else { return false }
        if owner != view?.selfPlace { return peersByPlace[owner] >= 0 }
        guard let holders = slots[place(slot)].owner?.holders else { return false }
        return holders.isEmpty ? mirror == nil : holders.count == 1 && holders[0].peer == mirror && holders[0].state == .sent
    }

    /// This node has a new boot: whatever it held is void, and whatever it did it does no longer. ``succeed(now:)`` follows where
    /// another boot had its id before.
    ///
    /// - Parameters:
    ///   - me: the new identity.
    ///   - now: the present time.
    ///   - actions: gets the answers of all that waited.
    public mutating func begin(as me: MemberIdentity, now: Moment, actions: inout [LoopAction]) {
        self.me = me
        succeededAt = nil
        for place in slots.indices {
            let slot = slot(at: place)
            stepDown(slot, now: now, actions: &actions)
            if has(.sameMemberAnyBoot) { continue }
            store.drop(slot: slot)
            slots[place] = Slot()
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
        peersByPlace = view.members.enumerated().map { place, member in place == view.selfPlace ? -1 : number(of: member.identity) }
        let members = Set(peersByPlace)
        for peer in peers.indices {
            peers[peer].isMember = members.contains(peer)
            // Every slot that still has to be sent is put in again.
            peers[peer].queue = []
            if peers[peer].isMember { continue }
            peers[peer].fetches = []
            peers[peer].underWay = []
            peers[peer].fetchesUnderWay = []
        }
    }

    /// This node is not the owner (any more). Its copy stays what it is.
    mutating func stepDown(_ slot: Int, now: Moment, actions: inout [LoopAction]) {
        let place = place(slot)
        if let inheritance = inheritances.removeValue(forKey: slot) {
            vacant.remove(slot)
            if case .fetching(let peer, _) = inheritance.phase { peers[peer].fetchesUnderWay.remove(slot) }
            waitingAttaches -= inheritance.attaches.count
            for request in inheritance.attaches { actions.append(.attached(request.address, .failure(.retry))) }
        }
        guard let owner = slots[place].owner else { return }
        slots[place].owner = nil
        stalled.remove(slot)
        uncommittedCount -= owner.entries.count
        uncommittedBytes -= owner.entries.reduce(0) { $0 + $1.payloadBytes }
        for holder in owner.holders { peers[holder.peer].underWay.remove(slot) }
        for address in store.detachAll(slot: slot) { actions.append(.detached(address)) }
        for (_, waiter) in owner.waiting {
            switch waiter {
            // The next owner may have it or not: the router asks it again.
            case .publish(let request, _, _, _): answers.append((request, .failure(.outcomeUnknown)))
            case .attach(let request): actions.append(.attached(request.address, .failure(.retry)))
            }
        }
        routes[place] = computeRoute(slot)
    }

    // MARK: Frames that wait for an epoch

    mutating func park(_ frame: SlotFrame, from member: MemberIdentity, channel: UInt32, actions: inout [LoopAction]) {
        parkedBytes += frame.payloadBytes
        parked.append((frame, member, channel))
        if parked.count > limits.slots.parkedFramesMax || parkedBytes > limits.slots.parkedBytesMax {
            forgetParked(of: channel)
            // What still comes before the end must not be taken for the rest of a copy.
            fills = fills.filter { $0.value.channel != channel }
            actions.append(.closeChannel(channel))
        }
    }

    mutating func forgetParked(of channel: UInt32) {
        parked.removeAll { $0.channel == channel }
        parkedBytes = parked.reduce(0) { $0 + $1.frame.payloadBytes }
    }

    private mutating func handleParked(now: Moment, actions: inout [LoopAction]) {
        if parked.isEmpty { return }
        let waiting = parked
        parked = []
        parkedBytes = 0
        for (frame, member, channel) in waiting { onRequest(frame, from: member, channel: channel, now: now, actions: &actions) }
    }
}
