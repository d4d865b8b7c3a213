// What the event loops of a node share. None of it lies on the way of a message: configuration that never changes, and a
// few facts behind a lock that handshakes, heartbeats and operators' questions look at.
import Logging
import NIOCore
import RingpostCore
import RingpostWire
import Synchronization

final class NodeContext: Sendable {
    let configuration: NodeConfiguration
    let logger: Logger
    let shardCount: Int
    let startedAt = Moment.now().monotonic

    private struct Facts {
        var identity: MemberIdentity
        var lease = Lease(state: .frozen(since: 0), actUntil: .min, reachesZooKeeper: false)
        var view: MembershipView?
        var isLeaving = false
        /// Things that somebody should look at.
        var alarms: UInt64 = 0
        /// When ZooKeeper last confirmed the ring, on the monotonic clock.
        var lastConfirmed: Int64?
        /// Members that each loop is linked with.
        var linked: [Int: Set<MemberIdentity>] = [:]
        /// Other members with which not every loop is linked.
        var unreachable: Set<MemberIdentity> = []
        /// Set while this node drains.
        var drain: DrainMachine.Progress?
        /// Members that have computed another ring from the same epoch: no link with this boot of them.
        var refusedPeers: Set<MemberIdentity> = []
        /// Peers that say they drain or leave, also those that have left.
        var goingPeers: Set<MemberIdentity> = []

        mutating func findUnreachable(shardCount: Int) {
            guard let view else { return }
            let me = identity
            let linked = linked
            unreachable = Set(
                view.members.map(\.identity).filter { other in
                    other != me && !(0..<shardCount).allSatisfy { linked[$0]?.contains(other) == true }
                })
        }
    }

    /// Of so many peers that have gone it is known that they said so.
    private static let goingPeersMax = 4_096

    let lines = LinkRegistry()
    let trust = NodeAuth()
    /// Checks clients' tokens; `nil` where they are asked for none.
    let tokens: TokenVerifier?
    /// Knows producers' and operators' keys; `nil` where they are asked for none.
    let apiKeys: APIKeys?
    /// What every client may do where none is asked for a token.
    let openGrant: SharedGrant
    let quotas: NodeQuotas
    /// One for each loop, used on that loop only.
    let admissions: [AdmissionController]
    private let facts: Mutex<Facts>
    private let loopList = Mutex<[Shard]>([])
    /// Tells the membership what peers say; set once before any link exists.
    private let hooks = Mutex<Hooks>(Hooks())

    /// What the membership wants to hear from links.
    struct Hooks: Sendable {
        var outageAnswer: @Sendable (MemberIdentity, UInt64, LinkStanding) -> Void = { _, _, _ in }
        var peerDiffers: @Sendable (MemberIdentity, LinkStanding) -> Void = { _, _ in }
        var saidGoodbye: @Sendable (MemberIdentity) -> Void = { _ in }
        /// For how long a slot must be waited for of which nobody has a copy; `nil` when that can't be found out now.
        var vacancyWait: (@Sendable () async -> Int64?)?
        /// A peer's heartbeat has named those that it can't reach.
        var unreachable: @Sendable (MemberIdentity, [String]) -> Void = { _, _ in }
        /// A peer has sent a newer member list.
        var offer: @Sendable (_ epoch: UInt64, _ generation: UInt64, [Member]) -> Void = { _, _, _ in }
        /// An operator's order to this node.
        var order: @Sendable (OperatorOrder) async -> OperatorAnswer = { _ in .notYet }
        /// Takes tokens back: a user's, or one of them; and what has been taken back.
        var revoke: @Sendable (Key, _ tokenID: String?, _ until: Int64) async throws -> Void = { _, _, _ in throw ProblemReport(.noOwner) }
        var revocationNotes: @Sendable () async throws -> [RevocationNote] = { [] }
        /// The process is told to end; again, if it was before.
        var signal: @Sendable () -> Void = {}
    }

    init(configuration: NodeConfiguration, shardCount: Int, logger: Logger) {
        self.configuration = configuration
        self.shardCount = shardCount
        self.logger = logger
        tokens = configuration.trust.asksForTokens ? TokenVerifier(configuration.trust, logger: logger) : nil
        apiKeys = configuration.trust.apiKeysFile.map {
            APIKeys(path: $0, messagesPerSecond: configuration.limits.keyMessagesPerSecond, logger: logger)
        }
        openGrant = SharedGrant(.open(publish: configuration.clientPublish, publishUsers: configuration.clientPublishUsers))
        quotas = NodeQuotas(limits: configuration.limits)
        admissions = (0..<shardCount).map { _ in AdmissionController(limits: configuration.limits, shardCount: shardCount) }
        facts = Mutex(Facts(identity: MemberIdentity(id: configuration.id, boot: 0)))
    }

    // MARK: Loops

    func setShards(_ shards: [Shard]) {
        loopList.withLock { $0 = shards }
        for shard in shards { shard.runtime.setPeers(shards.map(\.runtime)) }
    }

    var shards: [Shard] { loopList.withLock { $0 } }

    /// Runs on every loop.
    func onEachShard(_ body: @escaping @Sendable (Shard) -> Void) {
        for shard in shards { shard.eventLoop.execute { body(shard) } }
    }

    // MARK: Facts

    var identity: MemberIdentity { facts.withLock { $0.identity } }
    var lease: Lease { facts.withLock { $0.lease } }
    var view: MembershipView? { facts.withLock { $0.view } }
    var alarms: UInt64 { facts.withLock { $0.alarms } }
    var lastConfirmed: Int64? { facts.withLock { $0.lastConfirmed } }

    func setHooks(_ hooks: Hooks) { self.hooks.withLock { $0 = hooks } }

    func setIdentity(_ identity: MemberIdentity) { facts.withLock { $0.identity = identity } }

    func setLease(_ lease: Lease) {
        facts.withLock { facts in
            facts.lease = lease
            // A lease is granted from the moment at which the confirmed question was sent.
            if lease.state == .leased, let document = facts.view?.document, lease.actUntil < .max {
                facts.lastConfirmed = lease.actUntil - Int64(document.leaseMilliseconds)
            }
        }
    }

    func setView(_ view: MembershipView) {
        facts.withLock { facts in
            facts.view = view
            facts.refusedPeers.formIntersection(view.members.map(\.identity))
            // Boots are never used twice, so that only the number matters.
            if facts.goingPeers.count > Self.goingPeersMax { facts.goingPeers.formIntersection(view.members.map(\.identity)) }
            facts.findUnreachable(shardCount: shardCount)
        }
    }

    /// `nil` while the node doesn't drain.
    var drain: DrainMachine.Progress? { facts.withLock { $0.drain } }
    /// - Returns: whether it begins or ends with this.
    func setDrain(_ progress: DrainMachine.Progress?) -> Bool {
        facts.withLock { facts in
            defer { facts.drain = progress }
            return (facts.drain == nil) != (progress == nil)
        }
    }
    /// Other members with which not every loop is linked.
    var unreachable: Set<MemberIdentity> { facts.withLock { $0.unreachable } }
    var goingPeers: Set<MemberIdentity> { facts.withLock { $0.goingPeers } }

    /// Where clients can go: to members that own something, or if there are none to all others, but to none that goes itself.
    func elsewhere(_ view: MembershipView) -> [String] {
        let going = goingPeers
        let others = view.members.indices.filter { $0 != view.selfIndex }.map { view.members[$0] }
            .filter { !going.contains($0.identity) && $0.id != configuration.id }
        let owners = others.filter { $0.weight > 0 }
        return (owners.isEmpty ? others : owners).map(\.client)
    }

    func take(_ order: OperatorOrder) async -> OperatorAnswer { await hooks.withLock { $0 }.order(order) }
    /// - Throws: `ProblemReport`.
    func revoke(_ user: Key, tokenID: String?, until: Int64) async throws {
        try await hooks.withLock { $0 }.revoke(user, tokenID, until)
    }
    /// - Throws: `ProblemReport`.
    func revocationNotes() async throws -> [RevocationNote] { try await hooks.withLock { $0 }.revocationNotes() }
    func onSignal() { hooks.withLock { $0 }.signal() }
    func setLeaving() { facts.withLock { $0.isLeaving = true } }
    func refuse(_ peer: MemberIdentity) { facts.withLock { _ = $0.refusedPeers.insert(peer) } }
    func isRefused(_ peer: MemberIdentity) -> Bool { facts.withLock { $0.refusedPeers.contains(peer) } }
    func countAlarm() { facts.withLock { $0.alarms += 1 } }

    // MARK: Links

    /// What this node says of itself in heartbeats.
    func standing(_ shard: Shard) -> LinkStanding {
        facts.withLock { facts in
            LinkStanding(
                epoch: shard.view?.epoch ?? 0, digest: shard.view?.ring.digest ?? 0, reachesZooKeeper: facts.lease.reachesZooKeeper,
                isLeaving: facts.isLeaving, isDraining: facts.drain != nil,
                unreachable: facts.unreachable.prefix(LinkStanding.unreachableMax).map(\.id))
        }
    }

    /// What a peer says of itself. The same epoch with another ring is never ignored.
    func onStanding(of peer: MemberIdentity, _ standing: LinkStanding) {
        let hooks = hooks.withLock { $0 }
        if standing.isLeaving { hooks.saidGoodbye(peer) }
        facts.withLock { facts in
            if standing.isDraining || standing.isLeaving { facts.goingPeers.insert(peer) } else { facts.goingPeers.remove(peer) }
        }
        hooks.unreachable(peer, standing.unreachable)
        if let view, standing.epoch == view.epoch, standing.digest != view.ring.digest { hooks.peerDiffers(peer, standing) }
    }

    func onOutageAnswer(from peer: MemberIdentity, query: UInt64, _ standing: LinkStanding) {
        hooks.withLock { $0 }.outageAnswer(peer, query, standing)
    }

    /// The member list, for a peer that is behind; once an epoch and connection.
    ///
    /// - Parameter told: the epoch that the connection was last told of.
    func news(for standing: LinkStanding, told: inout UInt64) -> LinkFrame? {
        guard let view, standing.epoch < view.epoch, told < view.epoch else { return nil }
        told = view.epoch
        return .members(epoch: view.epoch, generation: view.generation, view.members)
    }

    func onMembers(epoch: UInt64, generation: UInt64, _ members: [Member]) { hooks.withLock { $0 }.offer(epoch, generation, members) }

    /// A loop has found slots of which nobody has a copy.
    func askRoster(for shard: Shard) {
        guard let vacancyWait = hooks.withLock({ $0.vacancyWait }) else { return }
        let epoch = shard.machine.epoch
        Task {
            let wait = await vacancyWait()
            shard.eventLoop.execute { shard.decide { $0.onRoster(waitMilliseconds: wait, askedAt: epoch, now: $1, actions: &$2) } }
        }
    }

    /// A link of a loop has come up or gone down.
    func onLinkChange(_ shard: Shard) {
        let up = Set(shard.links.allDialled.filter(\.isUp).map(\.member))
        facts.withLock { facts in
            facts.linked[shard.index] = up
            facts.findUnreachable(shardCount: shardCount)
        }
    }

    /// Whether every loop is linked with every other member.
    func isLinkedWithAll() -> Bool {
        facts.withLock { facts in
            guard let view = facts.view else { return false }
            let others = view.members.map(\.identity).filter { $0 != facts.identity }
            return (0..<shardCount).allSatisfy { shard in others.allSatisfy { facts.linked[shard]?.contains($0) == true } }
        }
    }
}
