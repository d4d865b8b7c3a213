// A real ZooKeeper and some nodes. Whoever holds the last reference ends all of them, so a test that fails leaves nothing behind.

import Foundation
import Synchronization
import RingpostWire
import TestSupport

final class Cluster: Sendable {
    /// A whole cluster is settled by then, on a busy machine as well.
    static let settleSecondsMax = 90.0

    let zookeeper: ZooKeeperServer
    let sessionTimeoutMilliseconds: Int
    private let members: Mutex<[NodeProcess]>
    private let options: @Sendable (String) -> [String]
    private let authority: String?

    /// The nodes that were started and not taken out.
    var nodes: [NodeProcess] { members.withLock { $0 } }

    private init(
        zookeeper: ZooKeeperServer, sessionTimeoutMilliseconds: Int, options: @escaping @Sendable (String) -> [String], authority: String?
    ) {
        self.options = options
        self.authority = authority
        self.zookeeper = zookeeper
        self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        members = Mutex([])
    }

    /// Starts nodes n1, n2 … with these weights and waits until they agree.
    ///
    /// - Parameters:
    ///   - sessionTimeoutMilliseconds: S; no less than leaves room for a ring computed without optimization.
    ///   - tickTimeMilliseconds: ZooKeeper grants sessions of 2 to 20 ticks.
    ///   - authority: who has signed the certificates of client and API ports.
    ///   - options: of the node with an id, besides those that all have.
    static func start(
        weights: [Int] = [100, 100, 100], sessionTimeoutMilliseconds: Int = 4_000, tickTimeMilliseconds: Int = 500,
        authority: String? = nil, options: @escaping @Sendable (String) -> [String] = { _ in [] }
    ) async throws -> Cluster {
        let zookeeper = try await ZooKeeperServer.start(tickTimeMilliseconds: tickTimeMilliseconds)
        let cluster = Cluster(
            zookeeper: zookeeper, sessionTimeoutMilliseconds: sessionTimeoutMilliseconds, options: options, authority: authority)
        for (namespace, weight) in weights.enumerated() { try cluster.addNode("n\(namespace + 1)", weight: weight).launch() }
        try await cluster.settled()
        return cluster
    }

    /// A further node, not started yet, that counts as one of the cluster's.
    func addNode(_ id: String, weight: Int = 100, options: [String] = [], disk: SmallDisk? = nil) throws -> NodeProcess {
        let node = try stranger(id, weight: weight, options: options, disk: disk)
        members.withLock { $0.append(node) }
        return node
    }

    /// A node that would join this cluster but does not count as one of its own. Its options win over the cluster's.
    func stranger(_ id: String, weight: Int = 100, options: [String] = [], disk: SmallDisk? = nil) throws -> NodeProcess {
        try NodeProcess(
            id, zookeeper: zookeeper.connectString, weight: weight,
            options: ["--session-timeout", "\(sessionTimeoutMilliseconds)"] + self.options(id) + options, authority: authority,
            disk: disk)
    }

    /// Takes a node out of what `settled()` waits for. The process is the caller's.
    func take(_ id: String) throws -> NodeProcess {
        let node = try self[id]
        members.withLock { $0.removeAll { $0 === node } }
        return node
    }

    func putBack(_ node: NodeProcess) { members.withLock { $0.append(node) } }

    subscript(id: String) -> NodeProcess {
        get throws {
            guard let node = nodes.first(where: { $0.id == id }) else { throw HarnessError("there is no node \(id)") }
            return node
        }
    }

    /// Waits until every node shows exactly the nodes of this cluster with their weights, all of them answering, leased and in one epoch.
    @discardableResult
    func settled(seconds: Double = Cluster.settleSecondsMax) async throws -> RingReport {
        let nodes = nodes
        let expected = Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0.weight) })
        var last: RingReport?
        try await eventually(within: seconds, "\(expected.keys.sorted()) agree") {
            var epochs: Set<UInt64> = []
            for node in nodes {
                try node.requireRunning()
                guard let ring = try await node.ring() else { return false }
                last = ring
                guard Dictionary(uniqueKeysWithValues: ring.nodes.map { ($0.id, Int($0.weight)) }) == expected else { return false }
                guard ring.nodes.allSatisfy({ $0.answered && $0.epoch == ring.epoch && $0.lease == "leased" }) else { return false }
                epochs.insert(ring.epoch)
            }
            return epochs.count == 1
        }
        guard let last else { throw HarnessError("a cluster without nodes") }
        return last
    }

    /// Waits until each slot has its owner and its mirror: from then on nothing needs ZooKeeper.
    func whole(seconds: Double = Cluster.settleSecondsMax) async throws {
        try await eventually(within: seconds, "every slot has its owner and its second copy") {
            for node in nodes {
                let metrics = try await node.metrics()
                for state in ["unmirrored", "inheriting"] where metrics[#"ringpost_slots{state="\#(state)"}"#] != 0 { return false }
            }
            return true
        }
    }

    /// Users that these nodes own, `count` each: `found[id]`. Their names begin with `prefix`.
    func users(_ prefix: String, ownedBy owners: [String], count: Int = 1) async throws -> [String: [String]] {
        var found: [String: [String]] = [:]
        let first = try nodes.first ?? { throw HarnessError("a cluster without nodes") }()
        for number in 0..<2_000 where owners.contains(where: { (found[$0]?.count ?? 0) < count }) {
            let user = "\(prefix)-\(number)"
            let owner = try await first.locate(user).owner.id
            if owners.contains(owner), (found[owner]?.count ?? 0) < count { found[owner, default: []].append(user) }
        }
        guard owners.allSatisfy({ found[$0]?.count == count }) else { throw HarnessError("no users for \(owners): \(found)") }
        return found
    }

    /// One user that this node owns.
    func user(_ prefix: String, ownedBy owner: String) async throws -> String {
        guard let user = try await users(prefix, ownedBy: [owner])[owner]?.first else { throw HarnessError("no user of \(owner)") }
        return user
    }
}

/// What tests share that only look, publish and listen; each uses users of its own. Started once, ended with the process.
enum Shared {
    private static let clusters = Mutex<Task<Cluster, any Error>?>(nil)
    private static let loners = Mutex<Task<NodeProcess, any Error>?>(nil)

    /// Three nodes of equal weight. Whoever disturbs them waits until they are settled again.
    static func cluster() async throws -> Cluster {
        try await clusters.withLock { task in
            let running = task ?? Task { try await Cluster.start(sessionTimeoutMilliseconds: 6_000) }
            if task == nil { endAtExit() }
            task = running
            return running
        }.value
    }

    /// A node without ZooKeeper.
    static func loner() async throws -> NodeProcess {
        try await loners.withLock { task in
            let running = task ?? Task { try await NodeProcess.alone() }
            if task == nil { endAtExit() }
            task = running
            return running
        }.value
    }

    /// The kernel ends the processes with this one; what only this process can do is to remove their folders.
    private static func endAtExit() {
        atexit { Shared.end() }
    }

    private static func end() {
        Witness.forget()
        clusters.withLock { $0 = nil }
        loners.withLock { $0 = nil }
    }
}
