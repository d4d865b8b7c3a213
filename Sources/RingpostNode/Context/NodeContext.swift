// What the shards of a node share: configuration that never changes, and a few facts behind a lock that handshakes, heartbeats and
// operators' questions read. No message reads them on its way.
import Logging
import NIOCore
import RingpostCore
import RingpostStore
import RingpostWire
import Synchronization

package final class NodeContext: Sendable {
    package let configuration: NodeConfiguration
    let logger: Logger
    /// Where the log goes; `nil` where that is not the node's business.
    let log: LogOutput?
    let shardCount: Int
    let startedAt = Moment.now().monotonic

    private struct Facts {
        var identity: MemberIdentity
        var lease = Lease(state: .frozen(since: 0), actUntil: .min, reachesZooKeeper: false)
        var view: MembershipView?
        /// Shards that have been told of a ring: none forgets it.
        var shardsWithRing = 0
        /// It has been said that clients are served.
        var hasServed = false
        /// Shards that have been told which tokens are revoked.
        var shardsWithRevocations = 0
        var isLeaving = false
        /// Alarms: an operator should look at each.
        var alarms: UInt64 = 0
        /// When ZooKeeper last confirmed the ring, on the monotonic clock.
        var lastConfirmed: Int64?
        /// Set while this node drains.
        var drain: DrainMachine.Progress?
        var peers: PeerTable
    }

    /// The way to the event loops.
    let loops = LoopGate()
    /// Looks up where other members are.
    let lookups: HostLookups
    let auth = NodeAuth()
    /// Checks clients' tokens; `nil` where they are asked for none.
    let tokens: TokenVerifier?
    /// Knows producers' and operators' keys; `nil` where they are asked for none.
    let apiKeys: APIKeys?
    /// Who has ordered what; `nil` where nobody wants to know.
    let audit: AuditLog?
    /// What every client may do where none is asked for a token.
    let openGrant: SharedGrant
    let quotas: NodeQuotas
    private let facts: Mutex<Facts>
    let standingFacts = Mutex(Standing())
    let storeFacts = Mutex<SlotStore?>(nil)
    /// Set once before any link exists.
    private let hooks = Mutex<Hooks>(Hooks())

    /// What links and operators tell and ask the membership.
    package struct Hooks: Sendable {
        /// An event that a peer's heartbeat or member list has caused.
        var tell: @Sendable (NodeEvent) -> Void = { _ in }
        /// For how long a slot must be waited for of which nobody has a copy; `nil` when that can't be found out now.
        package var vacancyWait: (@Sendable (_ epoch: UInt64) async -> Int64?)?
        /// An operator's order to this node.
        var order: @Sendable (OperatorOrder) async -> OperatorAnswer = { _ in .notYet }
        /// Takes tokens back; and what has been taken back.
        var revoke: @Sendable (RevokedTokens, _ until: Int64, _ maker: String?) async throws -> Void = { _, _, _ in
            throw ProblemReport(.noOwner)
        }
        var revocationNotes: @Sendable () async throws -> [RevocationNote] = { [] }
        /// The node can't go on, and ends with this sentence.
        var fail: @Sendable (String) -> Void = { _ in }
        /// Nobody is to wait for this member any more; what stands against it, or `nil`.
        var forget: @Sendable (_ id: String) async -> ForgetRefusal? = { _ in .unavailable("the node is just starting") }
        /// The process is told to end; again, if it was before.
        var signal: @Sendable () -> Void = {}

        package init() {}
    }

    package init(
        configuration: NodeConfiguration, shardCount: Int, logger: Logger, log: LogOutput? = nil, lookups: HostLookups = HostLookups()
    ) {
        self.configuration = configuration
        self.shardCount = shardCount
        self.logger = logger
        self.log = log
        self.lookups = lookups
        tokens = configuration.auth.asksForTokens ? TokenVerifier(configuration.auth, logger: logger) : nil
        apiKeys = configuration.auth.apiKeysFile.map {
            APIKeys(path: $0, messagesPerSecond: configuration.limits.keyMessagesPerSecond, logger: logger)
        }
        audit = configuration.auth.auditLogFile.map { AuditLog(path: $0, node: configuration.id, logger: logger) }
        openGrant = SharedGrant(.open(publish: configuration.clientPublish, publishUsers: configuration.clientPublishUsers))
        quotas = NodeQuotas(
            limits: configuration.limits, shardCount: shardCount, proxies: configuration.auth.trustedProxies,
            storeFiles: configuration.store == nil ? 0 : StoreLimits.filesMax)
        facts = Mutex(Facts(identity: MemberIdentity(id: configuration.id, boot: 0), peers: PeerTable(shardCount: shardCount)))
    }

    // MARK: Facts

    var identity: MemberIdentity { facts.withLock { $0.identity } }
    var lease: Lease { facts.withLock { $0.lease } }
    var view: MembershipView? { facts.withLock { $0.view } }
    var alarms: UInt64 { facts.withLock { $0.alarms } }
    var lastConfirmed: Int64? { facts.withLock { $0.lastConfirmed } }

    package func setHooks(_ hooks: Hooks) { self.hooks.withLock { $0 = hooks } }

    package func setIdentity(_ identity: MemberIdentity) { facts.withLock { $0.identity = identity } }

    package func setLease(_ lease: Lease) {
        facts.withLock { facts in
            facts.lease = lease
            // A lease is granted from the moment at which the confirmed question was sent.
            if lease.state == .leased, let document = facts.view?.document, lease.actUntil < .max {
                facts.lastConfirmed = lease.actUntil - Int64(document.leaseMilliseconds)
            }
        }
    }

    package func setView(_ view: MembershipView) {
        facts.withLock { facts in
            facts.view = view
            facts.peers.apply(view, own: facts.identity)
        }
    }

    /// One shard more has been told of a ring.
    func onShardKnowsRing() { facts.withLock { $0.shardsWithRing += 1 } }
    /// Every shard has been told of a ring.
    var allShardsKnowRing: Bool { facts.withLock { $0.shardsWithRing == shardCount } }
    /// One shard more has been told which tokens are revoked; it takes none before.
    func onShardKnowsRevocations() { facts.withLock { $0.shardsWithRevocations += 1 } }
    /// Every shard takes tokens, or none are asked for.
    var takesTokens: Bool { tokens == nil || facts.withLock { $0.shardsWithRevocations == shardCount } }

    /// Every shard serves clients for the first time: true once.
    func beginsServing() -> Bool {
        guard allShardsKnowRing, takesTokens else { return false }
        return facts.withLock { facts in
            defer { facts.hasServed = true }
            return !facts.hasServed
        }
    }

    var hasServed: Bool { facts.withLock { $0.hasServed } }

    /// `nil` while the node doesn't drain.
    var drain: DrainMachine.Progress? { facts.withLock { $0.drain } }
    func setDrain(_ progress: DrainMachine.Progress?) { facts.withLock { $0.drain = progress } }
    /// How the peers stand.
    var peers: PeerTable { facts.withLock { $0.peers } }

    /// Where clients can go.
    func elsewhere(_ view: MembershipView) -> [String] { peers.elsewhere(view, own: configuration.id) }

    func perform(_ order: OperatorOrder) async -> OperatorAnswer { await hooks.withLock { $0 }.order(order) }
    /// - Parameter maker: the id of the API key, if that is limited to names.
    /// - Throws: `ProblemReport`.
    func revoke(_ tokens: RevokedTokens, until: Int64, maker: String?) async throws {
        try await hooks.withLock { $0 }.revoke(tokens, until, maker)
    }
    /// - Throws: `ProblemReport`.
    func revocationNotes() async throws -> [RevocationNote] { try await hooks.withLock { $0 }.revocationNotes() }
    func fail(_ sentence: String) { hooks.withLock { $0 }.fail(sentence) }
    func forget(_ id: String) async -> ForgetRefusal? { await hooks.withLock { $0 }.forget(id) }
    func onSignal() { hooks.withLock { $0 }.signal() }
    func setLeaving() { facts.withLock { $0.isLeaving = true } }
    func refuse(_ peer: MemberIdentity) { facts.withLock { $0.peers.refuse(peer) } }
    func isRefused(_ peer: MemberIdentity) -> Bool { facts.withLock { $0.peers.isRefused(peer) } }
    func tell(_ event: NodeEvent) { hooks.withLock { $0.tell }(event) }
    func countAlarm() { facts.withLock { $0.alarms += 1 } }

    // MARK: Links

    /// What this node says of itself in heartbeats.
    func standing(_ view: MembershipView?) -> LinkStanding {
        facts.withLock { facts in
            LinkStanding(
                epoch: view?.epoch ?? 0, digest: view?.ring.digest ?? 0, reachesZooKeeper: facts.lease.reachesZooKeeper,
                isLeaving: facts.isLeaving, isDraining: facts.drain != nil,
                unreachable: facts.peers.unreachable.prefix(LinkStanding.unreachableMax).map(\.id))
        }
    }

    /// What a peer says of itself.
    ///
    /// - Parameter query: the question that it answers; 0 for none.
    func onStanding(of peer: MemberIdentity, _ standing: LinkStanding, query: UInt64 = 0) {
        let now = MonotonicClock.nowMilliseconds()
        let events = facts.withLock { $0.peers.onStanding(standing, of: peer, query: query, now: now) }
        if events.isEmpty { return }
        let tell = hooks.withLock { $0.tell }
        for event in events { tell(event) }
    }

    /// The member list, for a peer that is behind; once an epoch and connection.
    ///
    /// - Parameter told: the epoch that the connection was last told of.
    func news(for standing: LinkStanding, told: inout UInt64) -> LinkFrame? {
        guard let view = facts.withLock({ $0.peers.news(for: standing, told: &told) }) else { return nil }
        return .members(epoch: view.epoch, generation: view.generation, view.members)
    }

    func onMembers(epoch: UInt64, generation: UInt64, _ members: [Member]) {
        hooks.withLock { $0.tell }(.membership(.offered(epoch: epoch, members: members, generation: generation)))
    }

    /// For how long a slot must be waited for of which nobody has a copy; `nil` while there is no membership that could say it.
    var vacancyWait: (@Sendable (_ epoch: UInt64) async -> Int64?)? { hooks.withLock { $0.vacancyWait } }

    /// Members that a shard is linked with now.
    func setLinked(_ members: Set<MemberIdentity>, ofShard shardIndex: Int) {
        facts.withLock { facts in
            facts.peers.setLinked(members, ofShard: shardIndex, own: facts.identity)
        }
    }

    /// Whether every shard is linked with every other member.
    func isLinkedWithAll() -> Bool { facts.withLock { $0.peers.isLinkedWithAll(own: $0.identity) } }
}
