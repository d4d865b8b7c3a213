// A node as a whole, as decisions only: its membership, its right to act, its orderly end, its withdrawal while links are cut, and
// what is revoked. The machines for these know nothing of each other; what one of them means for the others is decided here. Events
// and the time go in, actions come out; the service and the simulation are the two shells that perform them.
//
// Its parts: the membership and the lease are in NodeMachine+Membership.swift, what becomes of looks at the node in
// NodeMachine+Looks.swift, the lock for withdrawing in NodeMachine+Lock.swift, the roster in NodeMachine+Vacancy.swift, alarms that stand in
// NodeMachine+Standing.swift.

/// All that one node decides about itself. See docs/architecture/membership.md.
public struct NodeMachine: Sendable {
    /// Where the member list comes from.
    enum Cluster: Sendable {
        /// From ZooKeeper.
        case zooKeeper(MembershipMachine)
        /// There is no ZooKeeper, and no other node.
        case alone(LoneMembership)
    }

    var cluster: Cluster
    /// Made with the cluster's document, which says S, H and M.
    var leaseMachine: LeaseMachine?
    /// Whether the present session holds this node's znode.
    var isRegistered = false
    var drain: DrainMachine
    /// Made with the first view, which says S and H.
    var withdrawal: WithdrawalMachine?
    var revocations = RevocationMachine()
    var look = Look()
    var lock = Lock.idle
    /// The lease that was told last.
    private var toldLease: Lease?
    private var toldProgress: DrainMachine.Progress?
    var slotWatch = SlotWatch()
    var told = Told()
    /// It has been asked to go: that it may not act any more is nothing to be alarmed at.
    private var isLeaving = false
    private let startedAt: Int64

    /// A node whose cluster lives in ZooKeeper.
    public init(_ membership: MembershipMachine, drain: DrainMachine, now: Int64) {
        self.init(.zooKeeper(membership), drain: drain, now: now)
    }

    /// A cluster of this node alone: a view at once, and a lease that never ends.
    ///
    /// - Parameters:
    ///   - me: with the boot that it keeps.
    ///   - document: of the cluster that it is.
    ///   - epoch: of an earlier process that has left copies; epochs begin above it.
    public init(alone me: Member, document: ClusterDocument, above epoch: UInt64 = 0, drain: DrainMachine, now: Int64) {
        self.init(.alone(LoneMembership(me: me, document: document, above: epoch)), drain: drain, now: now)
    }

    private init(_ cluster: Cluster, drain: DrainMachine, now: Int64) {
        self.cluster = cluster
        self.drain = drain
        startedAt = now
    }

    // MARK: - What holds now

    /// The newest view; `nil` before the first one.
    public var view: MembershipView? {
        switch cluster {
        case .zooKeeper(let membership): membership.view
        case .alone(let membership): membership.view
        }
    }

    /// Who this node is at present, member or not.
    public var identity: MemberIdentity {
        switch cluster {
        case .zooKeeper(let membership): membership.me.identity
        case .alone(let membership): membership.me.identity
        }
    }

    /// Whose its copies are; 0: its boot's.
    var lineage: UInt64 {
        switch cluster {
        case .zooKeeper(let membership): membership.me.lineage
        case .alone(let membership): membership.me.lineage
        }
    }

    /// What the cluster has agreed on, once read.
    public var document: ClusterDocument? {
        switch cluster {
        case .zooKeeper(let membership): membership.document
        case .alone(let membership): membership.document
        }
    }

    /// Whether this is the session that counts.
    public func isCurrent(_ session: Int) -> Bool {
        if case .zooKeeper(let membership) = cluster { membership.isCurrent(session) } else { false }
    }

    /// The node drains or leaves.
    public var isDraining: Bool { drain.phase != .serving }

    /// How long the node may act.
    public func lease(now: Int64) -> Lease {
        guard case .zooKeeper(let membership) = cluster else { return .forever }
        let frozen = Lease(state: .frozen(since: startedAt), actUntil: startedAt, reachesZooKeeper: false)
        let lease = leaseMachine?.lease(now: now) ?? frozen
        // Between two sessions no syncs are sent, but a node that is connected must not tell peers that ZooKeeper is away.
        // One that was shut out by another ring of the same name doesn't either: others act there.
        let reaches = lease.reachesZooKeeper || membership.isConnected && !isRegistered || membership.hasMetOtherRing
        return Lease(state: lease.state, actUntil: lease.actUntil, reachesZooKeeper: reaches)
    }

    /// When ``NodeEvent/tick`` is due next; `nil` if only events can change anything.
    public func nextWake(now: Int64) -> Int64? {
        var due = [leaseMachine?.nextWake(now: now), revocations.nextWake, look.nextWake, nextWatchWake(now: now)]
        if case .zooKeeper(let membership) = cluster { due.append(membership.nextWake) }
        if case .waiting(let at) = lock { due.append(at) }
        return due.compactMap { $0 }.min()
    }

    // MARK: - Events

    /// Takes an event and says what to do.
    public mutating func handle(_ event: NodeEvent, now: Int64) -> [NodeAction] {
        var actions: [NodeAction] = []
        switch event {
        case .start: start(now: now, &actions)
        case .membership(let event): onMembership(event, now: now, &actions)
        case .syncAnswered(let sentAt): perform(leaseMachine?.syncAnswered(sentAt: sentAt, now: now), now: now, &actions)
        case .syncFailed(let sentAt): perform(leaseMachine?.syncFailed(sentAt: sentAt, now: now), now: now, &actions)
        case .revocationsChanged(let session):
            if isCurrent(session) { perform(revocations.onChange(now: now), &actions) }
        case .revocationsRead(let ticket, let answer, let seconds):
            perform(revocations.onAnswer(ticket, answer, now: now, seconds: seconds), &actions)
        case .revoked(let revocation): perform(revocations.onMade(revocation, now: now), &actions)
        case .lockAnswered(let member, let answer): onLock(answer, of: member, now: now, &actions)
        case .lockReleased(let member, let isDone): onLockReleased(isDone: isDone, of: member, now: now, &actions)
        case .membersProbed(let number, let silent):
            perform(withdrawal?.onProbes(number, silent: silent, now: now), now: now, &actions)
        case .outageAnswered(let peer, let number, let epoch, let reaches):
            let isSame = epoch == view?.epoch
            let wanted = leaseMachine?.outageAnswer(
                from: peer, queryNumber: number, sameEpoch: isSame, reachesZooKeeper: reaches, now: now)
            perform(wanted, now: now, &actions)
        case .saidGoodbye(let peer): perform(leaseMachine?.saidGoodbye(peer, now: now), now: now, &actions)
        case .drain(let cause): perform(drain.drain(cause, now: now), now: now, &actions)
        case .looked(let ticket, let peers, let holdings): onLook(ticket, peers, holdings, now: now, &actions)
        case .moved(let number): perform(drain.onMoved(number), now: now, &actions)
        case .slotsWait(let waits): slotWatch.onWaits(waits, now: now)
        case .rosterRead(let strangers): slotWatch.onRoster(strangers: strangers)
        case .stop: stop(now: now, &actions)
        case .tick: onTick(now: now, &actions)
        }
        conclude(now: now, &actions)
        return actions
    }

    /// Takes a weight, and a drain back with it.
    public mutating func setWeight(_ weight: UInt16, now: Int64) throws(DrainRefusal) -> [NodeAction] {
        var actions: [NodeAction] = []
        perform(try drain.setWeight(weight), now: now, &actions)
        conclude(now: now, &actions)
        return actions
    }

    private mutating func onTick(now: Int64, _ actions: inout [NodeAction]) {
        perform(leaseMachine?.tick(now: now), now: now, &actions)
        perform(revocations.onTick(now: now), &actions)
        apply(.tick, now: now, &actions)
        retryLock(now: now, &actions)
        if let due = look.nextWake, due <= now { askLook(now: now, &actions) }
    }

    /// What every event may have changed.
    private mutating func conclude(now: Int64, _ actions: inout [NodeAction]) {
        tellLease(now: now, &actions)
        tellStanding(now: now, &actions)
        let progress = drain.progress
        if progress == toldProgress { return }
        let hasTurned = (progress == nil) != (toldProgress == nil)
        toldProgress = progress
        actions.append(.progress(progress))
        // The next heartbeat might come too late: a node that is the last one goes at once.
        if hasTurned { actions.append(.pingPeers) }
    }

    mutating func tellLease(now: Int64, _ actions: inout [NodeAction]) {
        let lease = lease(now: now)
        if lease == toldLease { return }
        let before = toldLease
        toldLease = lease
        actions.append(.lease(lease))
        if let before, let (severity, sentence) = sentence(of: lease.state, before: before.state, now: now) {
            actions.append(.log(severity, sentence))
        }
    }

    private func sentence(of state: LeaseState, before: LeaseState, now: Int64) -> (NodeAction.Severity, String)? {
        switch (state, before) {
        case (.leased, .leased), (.outage, .outage), (.frozen, .frozen): nil
        case (.leased, .outage): (.notice, "ZooKeeper confirms the session again; outage mode is over")
        case (.leased, .frozen(let since)): (.notice, "ZooKeeper confirms the session; frozen for \(now - since) ms before")
        case (.outage, _): (.warning, "outage mode: every other member with weight is without ZooKeeper too; going on")
        case (.frozen, _):
            isLeaving ? nil : (.error, "frozen: ZooKeeper does not confirm the session; neither owner nor mirror until it does")
        }
    }

    /// Says goodbye. Peers hear of it at once, so that nobody waits for this node's agreement.
    mutating func leave(clearingRoster: Bool, now: Int64, _ actions: inout [NodeAction]) {
        if !isLeaving { actions += [.leaving, .pingPeers] }
        isLeaving = true
        apply(.leave(clearingRoster: clearingRoster), now: now, &actions)
    }
}
