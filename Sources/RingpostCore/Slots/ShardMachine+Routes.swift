// Where publishes and attachments go from here, and the links they go over.
import HashRing

extension ShardMachine {
    func computeRoute(_ slot: Int) -> PublishLanes.Route {
        guard let view = peers.view, let owner = view.ring.owner(ofSlot: slot) else { return .nobody }
        if owner != view.selfIndex { return peers.route(toMember: owner) }
        return log.isOwned(at: slotIndex(slot)) ? .here : .preparing
    }

    /// A link came or went, or takes more or no more.
    private mutating func updateRoutes(to peer: Int) {
        guard let ring = peers.view?.ring, let member = peers.memberIndex(of: peer) else { return }
        routes.set(peers.route(toMember: member)) { [layout] in ring.owner(ofSlot: layout.slot(at: $0)) == member }
    }

    // MARK: Publishes

    /// A publish arrives, from a producer here or from another node.
    public mutating func submit(_ publish: Publish, _ context: PublishContext, now: Moment, actions: inout [ShardAction]) {
        if appendAtOnce(publish, context, now: now, actions: &actions) { return }
        publishes.submit(publish, context, now: now.monotonic, routing: routes.routing)
        processPending(now: now, actions: &actions)
    }

    /// A peer answers a publish that was forwarded.
    public mutating func onAnswer(request: UInt64, _ result: PublishResult, now: Moment, actions: inout [ShardAction]) {
        publishes.answer(request, result)
        processPending(now: now, actions: &actions)
    }

    /// A producer's connection or batch has ended.
    public mutating func streamEnded(_ stream: UInt64) { publishes.streamEnded(stream) }

    /// Time passes; call it every 25 to 100 ms.
    public mutating func onTick(now: Moment, actions: inout [ShardAction]) {
        publishes.onTick(now: now.monotonic, routing: routes.routing)
        if !vacancy.isEmpty { considerVacant(now: now, actions: &actions) }
        presences.onTick(now: now.monotonic)
        tellSomePresences(now: now, actions: &actions)
        logDepartures(now: now, actions: &actions)
        // Repeats are looked for in owned slots only; the receipts of copies expire here.
        log.forgetIdle(now: now.monotonic)
        refuseLateReads(now: now, actions: &actions)
        processPending(now: now, actions: &actions)
    }

    /// Until when this node may act, on its monotonic clock.
    public var leaseUntil: Int64 { lease.until }

    /// How long this node may act from now on.
    ///
    /// - Parameters:
    ///   - until: on its monotonic clock.
    ///   - reachesZooKeeper: whether ZooKeeper answers. While it doesn't nobody can come back, so the wait for those that may does not run.
    ///   - now: the present time.
    ///   - actions: gets what follows.
    public mutating func setLease(until: Int64, reachesZooKeeper: Bool = true, now: Moment, actions: inout [ShardAction]) {
        lease.set(until: until)
        vacancy.setReach(reachesZooKeeper, now: now.monotonic)
        publishes.setLease(until: has(.noLease) ? .max : until)
        guard lease.mayAct(now) else { return }
        let postponed = lease.removePostponed()
        for slot in postponed.commits {
            catchUp(slot, now: now, actions: &actions)
            advance(slot, now: now, actions: &actions)
            releaseAgain(slot, now: now, actions: &actions)
        }
        for slot in postponed.acknowledgements {
            catchUp(slot, now: now, actions: &actions)
            acknowledge(slot, now: now, actions: &actions)
        }
        processPending(now: now, actions: &actions)
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
        let (peer, isFirst) = peers.linkIsUp(link, to: member)
        copies.setPeerCount(peers.count)
        updateRoutes(to: peer)
        if isFirst { sayFirst(to: peer, now: now, actions: &actions) } else { sayAgain(to: peer, now: now, actions: &actions) }
        tellRetained(to: peer, now: now, actions: &actions)
        publishes.onEpoch(epoch, now: now.monotonic, routing: routes.routing)
        processPending(now: now, actions: &actions)
    }

    /// A link is gone, and with it everything that was under way on it.
    public mutating func linkIsDown(_ link: UInt32, now: Moment, actions: inout [ShardAction]) {
        if let peer = peers.linkIsDown(link) {
            copies.linkIsDown(peer)
            takeovers.linkIsDown(peer)
            updateRoutes(to: peer)
        }
        publishes.peerIsDown(link, now: now.monotonic)
        processPending(now: now, actions: &actions)
    }

    /// Too many bytes wait for a link, or not any more: meanwhile its owner counts as out of reach for publishes.
    public mutating func setFull(_ link: UInt32, _ isFull: Bool) {
        if let peer = peers.setFull(link, isFull) { updateRoutes(to: peer) }
    }

    /// On the first link to a member: nothing was ever sent to it, so only what waits for it is sent.
    private mutating func sayFirst(to peer: Int, now: Moment, actions: inout [ShardAction]) {
        for slot in copies.removeQueue(to: peer) where !staleSlots.contains(slotIndex(slot)) {
            guard let number = log.holderNumber(of: peer, at: slotIndex(slot)) else { continue }
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        }
        askForTakeovers(peer, actions: &actions)
        pump(peer, now: now, actions: &actions)
    }

    /// On a new link: sends all that the peer may not have received, or whose answer may have been lost.
    private mutating func sayAgain(to peer: Int, now: Moment, actions: inout [ShardAction]) {
        _ = copies.removeQueue(to: peer)
        copies.removeFetches(from: peer)
        for slot in slotsHeld(by: peer) {
            catchUp(slot, now: now, actions: &actions)
            guard let number = log.holderNumber(of: peer, at: slotIndex(slot)) else { continue }
            sayAgain(slot, toHolder: number, now: now, actions: &actions)
        }
        askForTakeovers(peer, actions: &actions)
        pump(peer, now: now, actions: &actions)
    }

    /// Own slots of which a member has a copy, or is to have one.
    private func slotsHeld(by peer: Int) -> [Int] {
        log.slotIndices.filter { slotIndex in
            (routes.isHere(slotIndex) || staleSlots.contains(slotIndex)) && log.hasHolder(peer, at: slotIndex)
        }.map { layout.slot(at: $0) }
    }

    /// Asks a peer about the slots that are to be this node's own.
    private mutating func askForTakeovers(_ peer: Int, actions: inout [ShardAction]) {
        if takeovers.isEmpty { return }
        ask(peer, about: takeovers.asked(peer), actions: &actions)
        for slot in takeovers.restartFetches(from: peer) { copies.appendFetch(slot, from: peer) }
    }
}
