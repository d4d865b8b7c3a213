// What a node knows of its peers beside the member list: with whom it is linked, who drains or leaves, who computed another ring, and
// whom each of them can't reach. A value, so that links read and change it where they are, and the node machine is handed it as it is.

/// The standings of a node's peers.
public struct PeerTable: Sendable {
    /// Of so many peers it is known that they drain or leave, or whom they can't reach; beyond, only members are kept.
    static let peersMax = 4_096

    private struct Report {
        let unreachable: [String]
        let at: Int64
    }

    private let shardCount: Int
    private var view: MembershipView?
    /// Members that each shard is linked with.
    private var linked: [Int: Set<MemberIdentity>] = [:]
    /// Other members with which not every shard is linked.
    public private(set) var unreachable: Set<MemberIdentity> = []
    /// Members that have computed another ring from the same epoch: no link with this boot of them.
    private var refused: Set<MemberIdentity> = []
    /// Peers that say they drain or leave, also those that have left.
    public private(set) var going: Set<MemberIdentity> = []
    /// Whom each peer can't reach, as it said last.
    private var reports: [MemberIdentity: Report] = [:]

    /// - Parameter shardCount: a peer is reached when so many shards are linked with it.
    public init(shardCount: Int) { self.shardCount = shardCount }

    // MARK: - What happens

    /// A new epoch.
    public mutating func apply(_ view: MembershipView, own: MemberIdentity) {
        self.view = view
        let members = Set(view.members.map(\.identity))
        refused.formIntersection(members)
        // Boots are never used twice, so that only the number matters.
        if going.count > Self.peersMax { going.formIntersection(members) }
        if reports.count > Self.peersMax { reports = reports.filter { members.contains($0.key) } }
        findUnreachable(own: own)
    }

    /// Links of a shard have come up or gone down.
    public mutating func setLinked(_ peers: Set<MemberIdentity>, ofShard shard: Int, own: MemberIdentity) {
        linked[shard] = peers
        findUnreachable(own: own)
    }

    /// This peer computes another ring from the same epoch.
    public mutating func refuse(_ peer: MemberIdentity) { refused.insert(peer) }

    /// A peer's heartbeat, or its answer to one.
    ///
    /// - Parameter query: the question of ``NodeAction/askPeers(queryNumber:epoch:)`` that it answers; 0 for none.
    /// - Returns: what the node machine has to hear of. The same epoch with another ring is never ignored.
    public mutating func onStanding(_ standing: LinkStanding, of peer: MemberIdentity, query: UInt64 = 0, now: Int64) -> [NodeEvent] {
        if standing.isDraining || standing.isLeaving { going.insert(peer) } else { going.remove(peer) }
        reports[peer] = Report(unreachable: standing.unreachable, at: now)
        var events: [NodeEvent] = []
        if standing.isLeaving { events.append(.saidGoodbye(peer)) }
        if let view, standing.epoch == view.epoch, standing.digest != view.ring.digest {
            events.append(.membership(.peerDiffers(peer, epoch: standing.epoch, digest: standing.digest)))
        }
        if query != 0 {
            events.append(
                .outageAnswered(from: peer, queryNumber: query, epoch: standing.epoch, reachesZooKeeper: standing.reachesZooKeeper))
        }
        return events
    }

    private mutating func findUnreachable(own: MemberIdentity) {
        guard let view else { return }
        unreachable = Set(view.members.map(\.identity).filter { $0 != own && !isLinked($0) })
    }

    // MARK: - What holds

    private func isLinked(_ peer: MemberIdentity) -> Bool { (0..<shardCount).allSatisfy { linked[$0]?.contains(peer) == true } }

    /// Whether every shard is linked with every other member.
    public func isLinkedWithAll(own: MemberIdentity) -> Bool {
        view?.members.allSatisfy { $0.identity == own || isLinked($0.identity) } ?? false
    }

    /// Whether no link is wanted with this boot.
    public func isRefused(_ peer: MemberIdentity) -> Bool { refused.contains(peer) }

    /// Where clients can go: to members that own something, or if there are none to all others, but to none that goes itself.
    public func elsewhere(_ view: MembershipView, own id: String) -> [String] {
        let others = view.members.filter { $0.id != id && !going.contains($0.identity) }
        let owners = others.filter { $0.weight > 0 }
        return (owners.isEmpty ? others : owners).map(\.client)
    }

    /// The view whose member list a peer is sent that is behind: once an epoch and connection to one that reaches ZooKeeper, which reads the
    /// list there; with each of its heartbeats to one that does not. Such a peer may have got the first list before it noticed that its
    /// session is disconnected, and then it dropped it.
    ///
    /// - Parameter told: the epoch that the connection was last told of.
    public func news(for standing: LinkStanding, told: inout UInt64) -> MembershipView? {
        guard let view, standing.epoch < view.epoch, told < view.epoch || !standing.reachesZooKeeper else { return nil }
        told = view.epoch
        return view
    }

    /// What the peers have said of whom they can't reach, and when.
    func report(to withdrawal: inout WithdrawalMachine) {
        for (peer, report) in reports { withdrawal.onReport(from: peer, unreachable: report.unreachable, now: report.at) }
    }
}
