// What the membership and the lease mean for each other and for the rest of the node, and in which order it is told.

extension NodeMachine {
    mutating func start(now: Int64, _ actions: inout [NodeAction]) {
        tellLease(now: now, &actions)
        switch cluster {
        case .zooKeeper: apply(.start, now: now, &actions)
        case .alone(var membership):
            let view = membership.begin()
            cluster = .alone(membership)
            actions += [.identity(identity, lineage: lineage), .registered(identity, hadPredecessor: false), .view(view)]
            perform(revocations.onTidied(seconds: 0), &actions)
        }
    }

    /// What sessions say concerns the lease and the revocations too.
    mutating func onMembership(_ event: MembershipEvent, now: Int64, _ actions: inout [NodeAction]) {
        switch event {
        case .connected(let session, _):
            guard isCurrent(session) else { return }
            apply(event, now: now, &actions)
            perform(leaseMachine?.connected(now: now), now: now, &actions)
        case .disconnected(let session):
            guard isCurrent(session) else { return }
            revocations.onDisconnected()
            perform(leaseMachine?.disconnected(now: now), now: now, &actions)
            apply(event, now: now, &actions)
        case .sessionOpened(let session, _):
            apply(event, now: now, &actions)
            if isCurrent(session) { actions.append(.identity(identity, lineage: lineage)) }
        case .leave(let clearingRoster): leave(clearingRoster: clearingRoster, now: now, &actions)
        default: apply(event, now: now, &actions)
        }
        // Not before: what is revoked may have to be put back first, and would be forgotten if it were read as it is.
        if case .zooKeeper(let membership) = cluster, membership.hasListed, !revocations.isConnected {
            perform(revocations.onConnected(now: now), &actions)
        }
    }

    mutating func apply(_ event: MembershipEvent, now: Int64, _ actions: inout [NodeAction]) {
        switch cluster {
        case .zooKeeper(var membership):
            let wanted = membership.handle(event, now: now)
            cluster = .zooKeeper(membership)
            for action in wanted { perform(action, now: now, &actions) }
        case .alone(var membership):
            let wanted = membership.handle(event)
            cluster = .alone(membership)
            if let wanted { actions.append(wanted) }
        }
    }

    mutating func stop(now: Int64, _ actions: inout [NodeAction]) {
        guard case .zooKeeper = cluster else { return }
        perform(.unregistered, now: now, &actions)
        perform(.closeSession, now: now, &actions)
    }

    // MARK: - What the machines want

    private mutating func perform(_ action: MembershipAction, now: Int64, _ actions: inout [NodeAction]) {
        switch action {
        case .openSession(let session, let timeout): actions.append(.openSession(session: session, timeoutMilliseconds: timeout))
        case .closeSession:
            revocations.onDisconnected()
            // It goes with its session.
            lock = .idle
            actions.append(.closeSession)
        case .request(let ticket, .putBack(var remains)):
            remains.revocations = revocations.list.revocations.map(\.name).sorted()
            actions.append(.request(ticket: ticket, .putBack(remains)))
        case .request(let ticket, let request): actions.append(.request(ticket: ticket, request))
        case .askAfresh(let session, let member, let limit):
            actions.append(.askAfresh(session: session, member, limitMilliseconds: limit))
        case .probeHolder(let ticket, let holder): actions.append(.probeHolder(ticket: ticket, holder))
        case .linkWithMembers(let session, let limit): actions.append(.linkWithMembers(session: session, limitMilliseconds: limit))
        case .registered(let member, let hadPredecessor):
            isRegistered = true
            actions.append(.registered(member.identity, hadPredecessor: hadPredecessor))
            makeLeaseMachine(now: now)
            perform(leaseMachine?.registered(now: now), now: now, &actions)
        case .unregistered:
            isRegistered = false
            leaseMachine?.sessionEnded(now: now)
        case .lineage(let lineage): actions.append(.identity(identity, lineage: lineage))
        case .view(let view): announce(view, now: now, &actions)
        case .refusePeer(let peer): actions.append(.refusePeer(peer))
        case .say(let sentence): actions.append(.log(.notice, sentence))
        case .alarm(let sentence): actions.append(.log(.alarm, sentence))
        case .fail(let sentence): actions.append(.end(.failed(sentence)))
        case .left: actions.append(.end(.left))
        }
    }

    mutating func perform(_ wanted: [LeaseMachine.Action]?, now: Int64, _ actions: inout [NodeAction]) {
        for action in wanted ?? [] {
            switch action {
            case .sendSync(let sentAt): actions.append(.sendSync(sentAt: sentAt))
            case .askPeers(let number): actions.append(.askPeers(queryNumber: number, epoch: view?.epoch ?? 0))
            case .closeSession: apply(.giveUpSession, now: now, &actions)
            }
        }
    }

    mutating func perform(_ wanted: [RevocationMachine.Action], _ actions: inout [NodeAction]) {
        for action in wanted {
            switch action {
            case .read(let ticket): actions.append(.readRevocations(ticket: ticket))
            case .publish(let list): actions.append(.revocations(list))
            case .delete(let revocations): actions.append(.deleteRevocations(revocations))
            case .warn(let sentence): actions.append(.log(.warning, sentence))
            }
        }
    }

    /// Made as soon as the document says S, H and M.
    private mutating func makeLeaseMachine(now: Int64) {
        if leaseMachine == nil, let document { leaseMachine = LeaseMachine(document: document, now: now) }
    }

    private mutating func announce(_ view: MembershipView, now: Int64, _ actions: inout [NodeAction]) {
        makeLeaseMachine(now: now)
        let others = Set(view.othersWithWeight.map(\.identity))
        let idle = Set(view.members.map(\.identity)).subtracting(others)
        leaseMachine?.membersChanged(epoch: view.epoch, others: others, idle: idle, now: now)
        // The lease first: what was agreed at the old epoch must not be acted upon with the new ring. What the new one allows, and the
        // questions, last: a copy must not be acknowledged to an owner that the new ring has replaced.
        tellLease(now: now, &actions)
        actions.append(.view(view))
        perform(leaseMachine?.tick(now: now), now: now, &actions)
        // S is the cluster's.
        drain.sessionTimeoutMilliseconds = Int64(view.document.sessionTimeoutMilliseconds)
        if withdrawal == nil {
            withdrawal = WithdrawalMachine(document: view.document)
            look.withdrawalDue = now
        }
    }
}

// MARK: - Revoking

extension NodeMachine {
    /// What is revoked, as far as this node knows.
    public var revocationList: RevocationList { revocations.list }

    /// What to make of an operator's wish to take tokens back. When it has been made, report ``NodeEvent/revoked(_:)``.
    ///
    /// - Parameters:
    ///   - until: when the last of them has expired, in seconds since 1970.
    ///   - seconds: since 1970: all tokens of a user are those that were issued in this second or before.
    ///   - maker: the id of the API key, if that is limited to names.
    public func revocation(
        of tokens: RevokedTokens, until: Int64, seconds: Int64, maker: String?
    ) throws(RevocationFailure) -> Revocation {
        guard let document else { throw .unavailable("this node has no ring yet") }
        switch tokens {
        case .token(_, let id): if !(1...Revocation.tokenIDBytesMax).contains(id.utf8.count) { throw .badTokenID }
        case .key(let id, _): if !(1...Revocation.keyIDBytesMax).contains(id.utf8.count) { throw .badKeyID }
        case .user, .everybody: break
        }
        let revocation = Revocation(tokens, seconds: seconds, until: until, maker: maker, hasher: document.hasher)
        try revocations.checkRoom(for: revocation)
        guard case .zooKeeper = cluster else { return revocation }
        guard revocations.isConnected, revocations.hasList else { throw .unavailable("this node has no connection") }
        return revocation
    }

    /// Without ZooKeeper: what was revoked before a restart. Before the machine is started.
    public mutating func restoreRevocations(_ restored: [Revocation]) { revocations.restore(restored) }

    /// Without ZooKeeper nobody else deletes what has expired.
    public mutating func tidyRevocations(seconds: Int64) -> [NodeAction] {
        var actions: [NodeAction] = []
        if case .alone = cluster { perform(revocations.onTidied(seconds: seconds), &actions) }
        return actions
    }

    /// Whether ZooKeeper can be asked for the notes of revocations.
    public var canReadRevocations: Bool { revocations.isConnected }
}
