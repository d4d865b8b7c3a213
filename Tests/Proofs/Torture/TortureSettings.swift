// What a run is to be like, with everything decided.

import Foundation

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
    /// Nodes keep their copies on a disk, this durably.
    var durability: String?
    /// How many nodes have each message.
    var copies = 2
    /// Over which a stopping node spreads its goodbyes.
    var drainSeconds = 3
    var userCount = 60
    var perSecond = 200.0
    var faults: [Fault]
    /// The path of a chat log; a generated chat without one.
    var chat: String?
    /// A folder for the nodes' logs and the run's own.
    var logs: String
    var commit: String
    /// A file for the table.
    var table: String?

    /// Leaves a part of the report for docs/measurements/torture.md.
    func write(_ lines: [String]) throws {
        if let table { try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: table)) }
    }

    static let visitorCount = 2
    /// Listeners of each user.
    static let listenersEach = 2

    var nodeHosts: [String] { (1...nodeCount + Self.visitorCount).map { "n\($0)" } }
    var zookeeperHosts: [String] { (1...zookeeperCount).map { "zk\($0)" } }
}
