// Where publishes and attachments go from here, and the links they go over.
import HashRing

extension ShardMachine {
    var routing: ShardRouting { ShardRouting(routes: routes, shardCount: shardCount) }

    func computeRoute(_ slot: Int) -> PublishLanes.Route {
        guard let view, let owner = view.ring.owner(ofSlot: slot) else { return .nobody }
        return owner == view.selfIndex ? slots[slotIndex(slot)].isOwned ? .here : .preparing : route(toMember: owner)
    }

    /// To another member, by its place in the view.
    func route(toMember slotIndex: Int) -> PublishLanes.Route {
        guard let link = peers[peersByMember[slotIndex]].link, !fullLinks.contains(link) else { return .unreachable }
        return .peer(link)
    }

    /// A link came or went, or takes more or no more.
    private mutating func updateRoutes(to peer: Int) {
        guard let ring = view?.ring, let member = peersByMember.firstIndex(of: peer) else { return }
        let route = route(toMember: member)
        for slotIndex in routes.indices where ring.owner(ofSlot: slot(at: slotIndex)) == member { routes[slotIndex] = route }
    }

    // MARK: Publishes

    /// A publish arrives, from a producer here or from another node.
    public mutating func submit(_ publish: Publish, _ context: PublishContext, now: Moment, actions: inout [ShardAction]) {
        if appendAtOnce(publish, context, now: now, actions: &actions) { return }
        let routing = routing
        lanes.submit(publish, context, now: now.monotonic, route: routing.route, actions: &laneActions)
        settle(now: now, actions: &actions)
    }

    /// A peer answers a publish that was forwarded.
    public mutating func onAnswer(request: UInt64, _ result: PublishResult, now: Moment, actions: inout [ShardAction]) {
        answers.append((request, result))
        settle(now: now, actions: &actions)
    }

    /// A producer's connection or batch has ended.
    public mutating func streamEnded(_ stream: UInt64) { lanes.onStreamEnd(stream) }

    /// Time passes; call it every 25 to 100 ms.
    public mutating func onTick(now: Moment, actions: inout [ShardAction]) {
        let routing = routing
        lanes.onTick(now: now.monotonic, route: routing.route, actions: &laneActions)
        if !vacant.isEmpty { considerVacant(now: now, actions: &actions) }
        tellPresences(now: now, actions: &actions)
        logDepartures(now: now, actions: &actions)
        store.forgetIdle(now: now.monotonic)
        // Of copies nobody ever asks; their receipts have to go too.
        store.window.expire(now.monotonic)
        settle(now: now, actions: &actions)
    }

    /// How long this node may act from now on.
    public mutating func setLease(until: Int64, now: Moment, actions: inout [ShardAction]) {
        leaseUntil = until
        lanes.mayActUntil = has(.noLease) ? .max : until
        guard mayAct(now) else { return }
        // In the order of slots, so that a simulation repeats exactly.
        let (waitToCommit, waitToAcknowledge) = (stalled.sorted(), unacknowledged.sorted())
        stalled = []
        unacknowledged = []
        for slot in waitToCommit {
            catchUp(slot, now: now, actions: &actions)
            advance(slot, now: now, actions: &actions)
            releaseAgain(slot, now: now, actions: &actions)
        }
        for slot in waitToAcknowledge {
            catchUp(slot, now: now, actions: &actions)
            acknowledge(slot, now: now, actions: &actions)
        }
        settle(now: now, actions: &actions)
    }

    // MARK: Links

    /// A link that this node has dialled is up.
    ///
    /// - Parameters:
    ///   - link: the shell's number for the link to this (id, boot), never used for another.
    ///   - member: who answered there.
    ///   - now: the present time.
    ///   - actions: gets what is to be said over it.
    public mutating func linkIsUp(_ link: UInt32, to member: MemberIdentity, now: Moment, actions: inout [ShardAction]) {
        let peer = number(of: member)
        let isFirst = !peers[peer].wasLinked
        peers[peer].link = link
        peers[peer].wasLinked = true
        peersByLink[link] = peer
        updateRoutes(to: peer)
        if isFirst { sayFirst(to: peer, now: now, actions: &actions) } else { sayAgain(to: peer, now: now, actions: &actions) }
        let routing = routing
        lanes.onEpoch(epoch, now: now.monotonic, route: routing.route, actions: &laneActions)
        settle(now: now, actions: &actions)
    }

    /// A link is gone, and with it everything that was under way on it.
    public mutating func linkIsDown(_ link: UInt32, now: Moment, actions: inout [ShardAction]) {
        fullLinks.remove(link)
        if let peer = peersByLink.removeValue(forKey: link), peers[peer].link == link {
            peers[peer].link = nil
            peers[peer].underWay = []
            peers[peer].fetchesUnderWay = []
            for (slot, inheritance) in takeovers {
                guard case .fetching(peer, true) = inheritance.phase else { continue }
                takeovers[slot]?.phase = .fetching(from: peer, isAsked: false)
                takeovers[slot]?.pieces = []
            }
            updateRoutes(to: peer)
        }
        lanes.onPeerDown(link, now: now.monotonic, actions: &laneActions)
        settle(now: now, actions: &actions)
    }

    /// Too many bytes wait for a link, or not any more: meanwhile its owner counts as out of reach for publishes.
    public mutating func setFull(_ link: UInt32, _ isFull: Bool) {
        if isFull == fullLinks.contains(link) { return }
        if isFull { fullLinks.insert(link) } else { fullLinks.remove(link) }
        if let peer = peersByLink[link] { updateRoutes(to: peer) }
    }

    mutating func number(of member: MemberIdentity) -> Int {
        if let number = peerNumbers[known(member)] { return number }
        peers.append(SlotPeer(identity: member))
        peerNumbers[known(member)] = peers.count - 1
        return peers.count - 1
    }

    /// A member is (id, boot).
    func known(_ member: MemberIdentity) -> MemberIdentity {
        has(.sameMemberAnyBoot) ? MemberIdentity(id: member.id, boot: 0) : member
    }

    private func isAsking(_ peer: Int, about slot: Int) -> Bool {
        guard let inheritance = takeovers[slot], !inheritance.isQueued else { return false }
        return inheritance.unanswered.contains(peer)
    }

    /// On the first link to a member: nothing was ever said to it, so only what waits for it is to be said.
    private mutating func sayFirst(to peer: Int, now: Moment, actions: inout [ShardAction]) {
        let queued = peers[peer].queue
        peers[peer].queue = []
        for slot in queued where !staleSlots.contains(slotIndex(slot)) {
            guard let number = slots[slotIndex(slot)].owner?.holders.firstIndex(where: { $0.peer == peer }) else { continue }
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        }
        sayWishes(to: peer, actions: &actions)
        pump(peer, now: now, actions: &actions)
    }

    /// On a new link: all that the peer may not have heard, or that its answer may have been lost of.
    private mutating func sayAgain(to peer: Int, now: Moment, actions: inout [ShardAction]) {
        peers[peer].queue = []
        peers[peer].fetches = []
        for slot in slotsHeld(by: peer) {
            catchUp(slot, now: now, actions: &actions)
            guard let number = slots[slotIndex(slot)].owner?.holders.firstIndex(where: { $0.peer == peer }) else { continue }
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        }
        sayWishes(to: peer, actions: &actions)
        pump(peer, now: now, actions: &actions)
    }

    /// Own slots of which a member has a copy, or is to have one.
    private func slotsHeld(by peer: Int) -> [Int] {
        // In place: to copy a slot costs more than to look at it, and most are others'.
        slots.withUnsafeBufferPointer { slots in
            slots.indices.filter { slotIndex in
                (routes[slotIndex] == .here || staleSlots.contains(slotIndex))
                    && slots[slotIndex].owner?.holders.contains { $0.peer == peer } == true
            }.map { slot(at: $0) }
        }
    }

    /// What this node wants to know of the slots that are to be its own.
    private mutating func sayWishes(to peer: Int, actions: inout [ShardAction]) {
        if takeovers.isEmpty { return }
        let inherited = takeovers.keys.sorted()
        ask(peer, about: inherited.filter { isAsking(peer, about: $0) }, actions: &actions)
        for slot in inherited {
            guard case .fetching(peer, _) = takeovers[slot]?.phase else { continue }
            takeovers[slot]?.phase = .fetching(from: peer, isAsked: false)
            peers[peer].fetches.append(slot)
        }
    }
}
