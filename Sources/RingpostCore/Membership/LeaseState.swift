// What a node may do now, as readiness and metrics show it, and as the loops that own slots need it: one number to compare the clock with.

/// Whether a node may act as owner and mirror.
public enum LeaseState: Hashable, Sendable {
    /// ZooKeeper has lately confirmed that the session lives.
    case leased
    /// ZooKeeper is away for every other member with weight too.
    case outage
    /// It may not act. Copies and sockets are kept.
    case frozen(since: Int64)
}

/// A node's right to act, until the next one is told.
public struct Lease: Hashable, Sendable {
    /// The state when this was told.
    public let state: LeaseState
    /// The node may act while the clock (CLOCK_BOOTTIME in milliseconds) is below this.
    public let actUntil: Int64
    /// Whether ZooKeeper answers this node: what it tells peers that ask.
    public let reachesZooKeeper: Bool

    /// A right to act until `actUntil`.
    public init(state: LeaseState, actUntil: Int64, reachesZooKeeper: Bool) {
        self.state = state
        self.actUntil = actUntil
        self.reachesZooKeeper = reachesZooKeeper
    }

    /// A lease that never ends, for a node without ZooKeeper.
    public static let forever = Lease(state: .leased, actUntil: .max, reachesZooKeeper: true)

    /// Whether the node may act as owner or mirror at `now`.
    public func mayAct(now: Int64) -> Bool { now < actUntil }
}
