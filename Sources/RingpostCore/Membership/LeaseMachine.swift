// How long a node may act as owner or mirror. A client library learns that its session has expired only when it is connected
// again, and a follower cut off from its leader goes on answering pings; so what counts is when the last `sync` that was answered
// had been sent, by this node's own clock. Past that, the others are asked whether they are without ZooKeeper too.
//
// All times are milliseconds of one clock that doesn't stop while the machine is suspended. Every "until" is exclusive.

/// The lease and the outage mode of one node. See docs/architecture/membership.md, "The lease" and
/// "When ZooKeeper is away".
public struct LeaseMachine: Sendable {
    /// So many syncs may be without an answer; then no more are sent until one is answered or fails.
    static let syncsUnderWayMax = 8
    /// So many of the latest queries to the peers are remembered. One is sent every H/3, and after H an answer is worth nothing.
    static let queriesMax = 4

    /// Something the shell must do.
    public enum Action: Equatable, Sendable {
        /// Send `sync`, and report ``syncAnswered(sentAt:now:)`` or ``syncFailed(sentAt:)`` with this time.
        case sendSync(sentAt: Int64)
        /// Ask every peer whether it is at the same epoch and without ZooKeeper.
        case askPeers(queryNumber: UInt64)
        /// Let the session go, so that others can take over.
        case closeSession
    }

    /// A question to all peers.
    private struct Query {
        let number: UInt64
        let sentAt: Int64
        /// Who has answered "same epoch, no ZooKeeper either".
        var agreed: Set<MemberIdentity> = []
        /// Somebody has answered otherwise.
        var isSpoiled = false
    }

    /// Whether this node's znode is there.
    private enum Membership {
        /// It is no member, or its session is over. Can transition to member.
        case outside
        /// The session that holds its znode lives, as far as is known. Can transition to outside.
        case member
    }

    private let sessionTimeout: Int64
    private let leaseTime: Int64
    private let heartbeatTimeout: Int64
    private let outageMax: Int64

    private var membership = Membership.outside
    /// When it last became a member. How long it has been outside before says nothing about this session.
    private var memberSince: Int64 = .min
    private var isConnected = false
    /// When the syncs without an answer were sent, in the order of sending.
    private var syncsUnderWay: [Int64] = []
    private var nextSync: Int64
    /// A sync was answered since the connection was made.
    private var hasBeenAnswered = false
    /// The lease's time after the sending of the last answered sync; the past when there is none.
    private var leasedUntil: Int64
    /// This session has had a lease. One that never had any has nothing to go on with.
    private var hasHeldLease = false
    private var queries: [Query] = []
    private var nextQuery: Int64
    private var lastQueryNumber: UInt64 = 0
    /// H after the sending of the last query that everybody agreed to, cut at M after the lease's end.
    private var outageUntil: Int64
    /// The other members with weight that have not said goodbye.
    private var others: Set<MemberIdentity> = []
    private var epoch: UInt64 = 0
    /// When this node was last without ZooKeeper, and may have told a peer so: for H after that the peer may rely on it.
    private var lastWithout: Int64
    /// A member has gone that may rely on such an answer: this node may have taken its place, and must not act until that is over.
    private var held: (since: Int64, until: Int64)
    /// When a peer last said that it reaches ZooKeeper, by the time of the query it answered.
    private var peerReachedAt: Int64?

    /// A node that is no member yet: frozen since `now`.
    ///
    /// - Parameters:
    ///   - document: S, H and M.
    ///   - now: the present time.
    public init(document: ClusterDocument, now: Int64) {
        sessionTimeout = Int64(document.sessionTimeoutMilliseconds)
        leaseTime = Int64(document.leaseMilliseconds)
        heartbeatTimeout = Int64(document.heartbeatTimeoutMilliseconds)
        outageMax = Int64(document.outageMaxMilliseconds)
        leasedUntil = now
        outageUntil = now
        lastWithout = now
        held = (now, now)
        nextSync = now
        nextQuery = now
    }

    // MARK: - What holds now

    /// The node may act while the clock is below this, unless it holds back for one that has gone.
    public var actUntil: Int64 { max(leasedUntil, outageUntil) }

    /// Whether the node may act as owner or mirror.
    public func mayAct(now: Int64) -> Bool { now >= held.until && now < actUntil }

    /// The state for readiness and metrics.
    public func state(now: Int64) -> LeaseState {
        if now < held.until { return .frozen(since: held.since) }
        if now < leasedUntil { return .leased }
        return now < outageUntil ? .outage : .frozen(since: actUntil)
    }

    /// All of it, to be handed to those who act.
    public func lease(now: Int64) -> Lease {
        Lease(state: state(now: now), actUntil: now < held.until ? held.since : actUntil, reachesZooKeeper: reachesZooKeeper(now: now))
    }

    /// Whether ZooKeeper answers: connected, a sync answered since, and none unanswered for S/3. That leaves as long to hear from everybody
    /// before the lease ends.
    public func reachesZooKeeper(now: Int64) -> Bool {
        guard isConnected, hasBeenAnswered else { return false }
        guard let oldest = syncsUnderWay.first else { return true }
        return now < oldest + sessionTimeout / 3
    }

    /// When ``tick(now:)`` is due next; `nil` if only events can change anything.
    public func nextWake(now: Int64) -> Int64? {
        guard case .member = membership else { return nil }
        var due: [Int64] = []
        if maySync { due.append(nextSync) }
        if let oldest = syncsUnderWay.first, reachesZooKeeper(now: now) { due.append(oldest + sessionTimeout / 3) }
        if !reachesZooKeeper(now: now) { due.append(nextQuery) }
        if now < held.until { due.append(held.until) }
        if mayAct(now: now) {
            due.append(now < leasedUntil ? leasedUntil : outageUntil)
        }
        return due.min()
    }

    private var syncInterval: Int64 { max(1, sessionTimeout / 6) }
    private var queryInterval: Int64 { max(1, heartbeatTimeout / 3) }
    private var maySync: Bool { isConnected && syncsUnderWay.count < Self.syncsUnderWayMax }

    // MARK: - The session

    /// The own znode was seen in the list: from now on syncs count.
    public mutating func registered(now: Int64) -> [Action] {
        if case .outside = membership {
            membership = .member
            memberSince = now
            isConnected = true
            nextSync = now
            // The first answer is on its way; no reason to doubt ZooKeeper yet.
            nextQuery = now + queryInterval
        }
        return tick(now: now)
    }

    /// The session has ended, or must not be relied upon: the lease ends at once, outage mode too.
    public mutating func sessionEnded(now: Int64) {
        membership = .outside
        isConnected = false
        hasBeenAnswered = false
        hasHeldLease = false
        syncsUnderWay = []
        queries = []
        peerReachedAt = nil
        leasedUntil = min(leasedUntil, now)
        outageUntil = min(outageUntil, now)
    }

    /// The session is connected again.
    public mutating func connected(now: Int64) -> [Action] {
        guard case .member = membership, !isConnected else { return [] }
        isConnected = true
        nextSync = now
        return tick(now: now)
    }

    /// The connection was lost. Syncs under way will not be answered.
    public mutating func disconnected(now: Int64) -> [Action] {
        isConnected = false
        hasBeenAnswered = false
        syncsUnderWay = []
        return tick(now: now)
    }

    /// A sync was answered. Answers may come late and in any order; the newest one that was sent counts.
    public mutating func syncAnswered(sentAt: Int64, now: Int64) -> [Action] {
        noteReach(now: now)
        // One that isn't under way any more belongs to an earlier session or connection, or a newer one has been answered.
        guard syncsUnderWay.contains(sentAt) else { return [] }
        syncsUnderWay.removeAll { $0 <= sentAt }
        hasBeenAnswered = true
        hasHeldLease = true
        leasedUntil = max(leasedUntil, sentAt + leaseTime)
        if reachesZooKeeper(now: now) { endOutage() }
        return tick(now: now)
    }

    /// A sync failed: it proves nothing.
    public mutating func syncFailed(sentAt: Int64, now: Int64) -> [Action] {
        syncsUnderWay.removeAll { $0 == sentAt }
        hasBeenAnswered = false
        return tick(now: now)
    }

    /// With ZooKeeper back, the questions to the peers are over; what their answers allowed stays allowed.
    private mutating func endOutage() {
        queries = []
        peerReachedAt = nil
    }

    // MARK: - The others

    /// A new epoch. What was answered at the old one proves nothing any more: somebody may have been promoted.
    ///
    /// This only takes rights away, for ``tick(now:)`` to give: what is allowed at the new epoch must not be used before the new ring is in
    /// force, and what was allowed at the old one not after. So the shell publishes the lease, then the ring, and then calls `tick`.
    ///
    /// - Parameters:
    ///   - others: the other members with weight.
    ///   - idle: those without.
    public mutating func membersChanged(epoch: UInt64, others: Set<MemberIdentity>, idle: Set<MemberIdentity> = [], now: Int64) {
        noteReach(now: now)
        // Who has gone may have asked just before, and been told that this node was at the same epoch and without ZooKeeper: it acts on
        // that until H after it asked, wherever its session is.
        if !self.others.isSubset(of: others.union(idle)), now < lastWithout + heartbeatTimeout {
            held = (since: now < held.until ? held.since : now, until: lastWithout + heartbeatTimeout)
        }
        if epoch != self.epoch || others != self.others {
            self.epoch = epoch
            self.others = others
            queries = []
            outageUntil = min(outageUntil, max(leasedUntil, now))
            nextQuery = now
        }
    }

    /// A member has said goodbye: it acts no more and need not be asked.
    public mutating func saidGoodbye(_ member: MemberIdentity, now: Int64) -> [Action] {
        others.remove(member)
        for query in queries { extendOutage(after: query) }
        return tick(now: now)
    }

    /// A peer's answer to a query.
    ///
    /// - Parameters:
    ///   - peer: who answers.
    ///   - queryNumber: which query.
    ///   - sameEpoch: whether it is at this node's present epoch.
    ///   - reachesZooKeeper: whether ZooKeeper answers it.
    public mutating func outageAnswer(
        from peer: MemberIdentity, queryNumber: UInt64, sameEpoch: Bool, reachesZooKeeper: Bool, now: Int64
    ) -> [Action] {
        // Too old to be remembered, of an earlier epoch, or never asked.
        guard let queryIndex = queries.firstIndex(where: { $0.number == queryNumber }) else { return [] }
        if reachesZooKeeper { peerReachedAt = max(peerReachedAt ?? .min, queries[queryIndex].sentAt) }
        // Others may say whether they reach ZooKeeper, but have no part in the agreement.
        guard others.contains(peer) else { return tick(now: now) }
        if sameEpoch, !reachesZooKeeper {
            queries[queryIndex].agreed.insert(peer)
        } else {
            queries[queryIndex].isSpoiled = true
            // Another epoch means that somebody may have been promoted: nothing that was agreed before holds any longer.
            if !sameEpoch { outageUntil = min(outageUntil, max(leasedUntil, now)) }
        }
        extendOutage(after: queries[queryIndex])
        return tick(now: now)
    }

    private mutating func noteReach(now: Int64) { if !reachesZooKeeper(now: now) { lastWithout = max(lastWithout, now) } }

    /// Once every other member has agreed to a query, this node may act longer without ZooKeeper.
    private mutating func extendOutage(after query: Query) {
        guard hasHeldLease, !query.isSpoiled, others.isSubset(of: query.agreed) else { return }
        outageUntil = max(outageUntil, min(query.sentAt + heartbeatTimeout, leasedUntil + outageMax))
    }

    // MARK: - Time

    /// Sends what is due.
    public mutating func tick(now: Int64) -> [Action] {
        noteReach(now: now)
        guard case .member = membership else { return [] }
        var actions: [Action] = []
        // Two syncs of one millisecond could not be told apart.
        if maySync, now >= nextSync, syncsUnderWay.last != now {
            syncsUnderWay.append(now)
            nextSync = now + syncInterval
            actions.append(.sendSync(sentAt: now))
        }
        if reachesZooKeeper(now: now) { return actions }
        if let reachedAt = peerReachedAt, case .frozen(let end) = state(now: now) {
            let since = max(end, memberSince)
            if now > since + sessionTimeout, reachedAt > since {
                sessionEnded(now: now)
                return actions + [.closeSession]
            }
        }
        if now >= nextQuery { actions.append(askPeers(now: now)) }
        return actions
    }

    private mutating func askPeers(now: Int64) -> Action {
        lastQueryNumber += 1
        nextQuery = now + queryInterval
        let query = Query(number: lastQueryNumber, sentAt: now)
        queries.append(query)
        if queries.count > Self.queriesMax { queries.removeFirst() }
        // With no others the query is answered as it is asked.
        extendOutage(after: query)
        return .askPeers(queryNumber: lastQueryNumber)
    }
}
