// What a run is to be like, with everything decided.

struct TortureSettings: Sendable {
    /// The program under torture.
    var program: String
    var seed: UInt64
    var minutes: Double
    /// So many times the whole deck, however long that takes.
    var rounds: Int?
    /// Nodes that are there throughout; two more come and go.
    var nodeCount = 3
    var zookeeperCount = 1
    /// S.
    var sessionMilliseconds = 3_000
    /// Over which a stopping node spreads its goodbyes.
    var drainSeconds = 3
    var userCount = 60
    var perSecond = 200.0
    var faults: [Fault]
    var chat: String?
    /// A folder for the nodes' logs and the run's own.
    var logs: String
    var commit: String

    static let visitorCount = 2
    /// Listeners of each user.
    static let listenersEach = 2

    var nodeHosts: [String] { (1...nodeCount + Self.visitorCount).map { "n\($0)" } }
    var zookeeperHosts: [String] { (1...zookeeperCount).map { "zk\($0)" } }
}
