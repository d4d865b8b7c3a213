// What the event loops of a node share. None of it lies on the way of a message: configuration that never changes, and a
// few facts behind a lock that handshakes, heartbeats and operators' questions look at.
import Logging
import NIOCore
import RingpostCore
import RingpostWire
import Synchronization

final class NodeShared: Sendable {
    let configuration: NodeConfiguration
    let logger: Logger
    let loopCount: Int
    let startedAt = Moment.now().monotonic

    private struct Facts {
        var identity: MemberIdentity
        var lease = Lease(state: .frozen(since: 0), actUntil: .min, reachesZooKeeper: false)
        var view: MembershipView?
        var isLeaving = false
        /// Members that computed another ring from the same epoch.
        var alarms: UInt64 = 0
        /// When ZooKeeper last confirmed the ring, on the monotonic clock.
        var lastConfirmed: Int64?
        /// Members that each loop is linked with.
        var linked: [Int: Set<MemberIdentity>] = [:]
    }

    private let facts: Mutex<Facts>
    private let loopList = Mutex<[NodeLoop]>([])
    /// Tells the membership what peers say; set once before any link exists.
    private let hooks = Mutex<Hooks>(Hooks())

    /// What the membership wants to hear from links.
    struct Hooks: Sendable {
        var outageAnswer: @Sendable (MemberIdentity, UInt64, LinkStanding) -> Void = { _, _, _ in }
        var peerDiffers: @Sendable (MemberIdentity, LinkStanding) -> Void = { _, _ in }
        var saidGoodbye: @Sendable (MemberIdentity) -> Void = { _ in }
    }

    init(configuration: NodeConfiguration, loopCount: Int, logger: Logger) {
        self.configuration = configuration
        self.loopCount = loopCount
        self.logger = logger
        facts = Mutex(Facts(identity: MemberIdentity(id: configuration.id, boot: 0)))
    }

    // MARK: Loops

    func setLoops(_ loops: [NodeLoop]) { loopList.withLock { $0 = loops } }
    var loops: [NodeLoop] { loopList.withLock { $0 } }

    /// Runs on every loop.
    func onEachLoop(_ body: @escaping @Sendable (NodeLoop) -> Void) {
        for loop in loops { loop.eventLoop.execute { body(loop) } }
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
                facts.lastConfirmed = lease.actUntil - Int64(document.sessionTimeoutMilliseconds)
            }
        }
    }

    func setView(_ view: MembershipView) { facts.withLock { $0.view = view } }
    func setLeaving() { facts.withLock { $0.isLeaving = true } }
    func countAlarm() { facts.withLock { $0.alarms += 1 } }

    // MARK: Links

    /// What this node says of itself in heartbeats.
    func standing(_ loop: NodeLoop) -> LinkStanding {
        let (reaches, isLeaving) = facts.withLock { ($0.lease.reachesZooKeeper, $0.isLeaving) }
        return LinkStanding(
            epoch: loop.view?.epoch ?? 0, digest: loop.view?.ring.digest ?? 0, reachesZooKeeper: reaches, isLeaving: isLeaving)
    }

    /// What a peer says of itself. The same epoch with another ring is never ignored.
    func onStanding(of peer: MemberIdentity, _ standing: LinkStanding) {
        let hooks = hooks.withLock { $0 }
        if standing.isLeaving { hooks.saidGoodbye(peer) }
        if let view, standing.epoch == view.epoch, standing.digest != view.ring.digest { hooks.peerDiffers(peer, standing) }
    }

    func onOutageAnswer(from peer: MemberIdentity, query: UInt64, _ standing: LinkStanding) {
        hooks.withLock { $0 }.outageAnswer(peer, query, standing)
    }

    /// A link of a loop has come up or gone down.
    func onLinkChange(_ loop: NodeLoop) {
        let up = Set(loop.links.compactMap { $0.flatMap { $0.isUp ? $0.member : nil } })
        facts.withLock { $0.linked[loop.index] = up }
    }

    /// Whether every loop is linked with every other member.
    func isLinkedWithAll() -> Bool {
        facts.withLock { facts in
            guard let view = facts.view else { return false }
            let others = view.members.map(\.identity).filter { $0 != facts.identity }
            return (0..<loopCount).allSatisfy { loop in others.allSatisfy { facts.linked[loop]?.contains($0) == true } }
        }
    }
}
