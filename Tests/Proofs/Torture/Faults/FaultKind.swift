// The faults by name. One fault of the deck may make several rows of the report: what a join does is one thing, what the drain after it
// does another.

/// What a row of the report is about.
enum FaultKind: String, CaseIterable, Sendable {
    case calm
    case killed
    case startsAgain
    case frozen
    case joins
    case drained
    case stopped
    case weight
    case zookeeperAway
    case zookeeperAwayLong
    case leaderKilled
    case linkCut
    case cutFromZooKeeper
    case cutFromAll
    case pairCutBriefly
    case pairCutFromZooKeeper
    case killedWithoutZooKeeper
    case zookeeperPaused
    case allFrozen
    case allKilled
    case twoKilled
    case allStopped

    var name: String {
        switch self {
        case .calm: "(none, before the first)"
        case .killed: "a node killed (SIGKILL)"
        case .startsAgain: "a node starts again"
        case .frozen: "a node frozen past its session"
        case .joins: "a node joins"
        case .drained: "a node drained (ringpost drain)"
        case .stopped: "a node stopped (SIGTERM)"
        case .weight: "a weight changed"
        case .zookeeperAway: "ZooKeeper away for 10 s"
        case .zookeeperAwayLong: "ZooKeeper away for 3 sessions and more"
        case .leaderKilled: "ZooKeeper's leader killed"
        case .linkCut: "the link between two nodes cut"
        case .cutFromZooKeeper: "a node cut off from ZooKeeper"
        case .cutFromAll: "a node cut off from all others"
        case .pairCutBriefly: "an owner and its mirror cut off from ZooKeeper for half a session"
        case .pairCutFromZooKeeper: "an owner and its mirror cut off from ZooKeeper past their sessions"
        case .killedWithoutZooKeeper: "ZooKeeper away and a node killed"
        case .zookeeperPaused: "all ZooKeeper servers paused past the sessions"
        case .allFrozen: "all nodes frozen past their sessions"
        case .allKilled: "all nodes killed at once and started again"
        case .twoKilled: "two nodes killed at once and started again"
        case .allStopped: "all nodes stopped at once (SIGTERM) and started again"
        }
    }

    /// The cluster stops, or loses what both copies' holders held, as it is meant to: reported apart. Nothing may come twice, in disorder
    /// or with two voices there either.
    var isByDesign: Bool { self == .pairCutFromZooKeeper || self == .killedWithoutZooKeeper }

    /// Whether what happened in its time is what is promised.
    func permits(_ tally: Tally) -> Bool {
        switch self {
        case .pairCutFromZooKeeper: tally.isConsistent
        // Everything waits, but the dead node's mirrors have it all.
        case .killedWithoutZooKeeper: tally.isConsistent && tally.lost + tally.gaps == 0
        default: tally.isClean
        }
    }
}

/// A row of the report.
struct FaultRow: Equatable, Sendable {
    let kind: FaultKind
    var count: Int
    var tally: Tally
}
