// How a node stands, as it says in every heartbeat of a link. What its peers make of that is in PeerTable.

/// What a node says of itself in a heartbeat.
public struct LinkStanding: Hashable, Sendable {
    /// The sender's epoch.
    public let epoch: UInt64
    /// Of the sender's ring.
    public let digest: UInt64
    /// Whether ZooKeeper answers the sender.
    public let reachesZooKeeper: Bool
    /// Said goodbye: it leaves in order.
    public let isLeaving: Bool
    /// It is about to leave: no place to send clients to.
    public let isDraining: Bool
    /// Ids of members that it can't reach, ``unreachableMax`` at most.
    public let unreachable: [String]

    /// A longer list is cut; who is cut off from so many has the most cut links anyway.
    public static let unreachableMax = WithdrawalMachine.unreachableMax

    /// All of it.
    public init(
        epoch: UInt64, digest: UInt64, reachesZooKeeper: Bool, isLeaving: Bool, isDraining: Bool = false, unreachable: [String] = []
    ) {
        self.epoch = epoch
        self.digest = digest
        self.reachesZooKeeper = reachesZooKeeper
        self.isLeaving = isLeaving
        self.isDraining = isDraining
        self.unreachable = Array(unreachable.prefix(Self.unreachableMax))
    }
}
