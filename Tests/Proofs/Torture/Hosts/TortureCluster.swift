// The cluster under torture: ZooKeeper, the nodes that stay and the nodes that visit, and the question whether all is well again.

import Foundation
import HashRing
import RingpostClient
import Synchronization
import TestSupport

final class TortureCluster: Sendable {
    /// After any fault the cluster is whole again within so long: a node that was killed several times in a row takes no weight for some
    /// minutes.
    static let settleSecondsMax = 300.0
    /// The pause between two looks whether it is: they take time from what is measured.
    static let lookMilliseconds = 200
    static let weightDefault: UInt16 = 100

    let landscape: any Landscape
    let zookeepers: [ZooKeeperServer]
    /// The nodes that are there throughout, and those that come and go.
    let residents: [TortureNode]
    let visitors: [TortureNode]
    let program: RingpostProgram
    /// How many nodes are to have each message.
    let copies: Int
    /// The nodes that ought to be in the ring, with their weights.
    private let expected = Mutex<[String: UInt16]>([:])

    private init(
        landscape: any Landscape, zookeepers: [ZooKeeperServer], residents: [TortureNode], visitors: [TortureNode],
        program: RingpostProgram, copies: Int
    ) {
        self.landscape = landscape
        self.zookeepers = zookeepers
        self.residents = residents
        self.visitors = visitors
        self.program = program
        self.copies = copies
    }

    /// Starts ZooKeeper and the residents, and waits until they agree.
    static func start(_ settings: TortureSettings, landscape: any Landscape) async throws -> TortureCluster {
        let namespaces = try settings.zookeeperHosts.map { try landscape.namespace($0) }
        let zookeepers =
            namespaces.count == 1
            ? [try await ZooKeeperServer.start(namespace: namespaces[0])]
            : try await ZooKeeperEnsemble.start(servers: namespaces.count, namespaces: namespaces).servers
        let credentials = try await Credentials(folder: settings.logs)
        var nodes: [TortureNode] = []
        for host in settings.nodeHosts {
            var options = ["--session-timeout", "\(settings.sessionMilliseconds)"]
            if settings.copies != 2 { options += ["--copies", "\(settings.copies)"] }
            options += ["--drain-seconds", "\(settings.drainSeconds)"] + credentials.nodeOptions
            let node = try TortureNode(
                host, program: settings.program, namespace: landscape.namespace(host), logs: settings.logs, credentials: credentials)
            var servers: [String] = []
            for (name, server) in zip(settings.zookeeperHosts, zookeepers) {
                let endpoint = Endpoint(host: server.namespace.host, port: server.port)
                servers.append("\(try await landscape.way(from: host, to: name, at: endpoint))")
            }
            options += ["--zookeeper", servers.joined(separator: ",")]
            if let durability = settings.durability {
                options += ["--data", "\(settings.logs)/tmp/\(host)-data", "--durability", durability]
            }
            let link = try await landscape.way(from: nil, to: host, at: node.link)
            if link != node.link { options += ["--advertise-link", "\(link)"] }
            node.set(options)
            nodes.append(node)
        }
        let cluster = TortureCluster(
            landscape: landscape, zookeepers: zookeepers, residents: Array(nodes.prefix(settings.nodeCount)),
            visitors: Array(nodes.dropFirst(settings.nodeCount)),
            program: RingpostProgram(path: settings.program, apiKey: credentials.apiKey), copies: settings.copies)
        for node in cluster.residents { try cluster.start(node) }
        try await cluster.settled()
        return cluster
    }

    var nodes: [TortureNode] { residents + visitors }
    /// The nodes that ought to be in the ring.
    var present: [TortureNode] { nodes.filter { node in expected.withLock { $0[node.id] != nil } } }
    /// The leader of an ensemble, or the only server.
    var leader: ZooKeeperServer? { zookeepers.first { $0.mode == "leader" || $0.mode == "standalone" } }

    /// Starts a node and expects it in the ring.
    func start(_ node: TortureNode) throws {
        try node.start()
        expect(node, weight: Self.weightDefault)
    }

    /// From now on the node ought to be in the ring with this weight, or not at all (`nil`).
    func expect(_ node: TortureNode, weight: UInt16?) { expected.withLock { $0[node.id] = weight } }

    /// Waits until every node that ought to be in the ring answers, and all of them show the same ring of exactly these nodes.
    func settled(seconds: Double = settleSecondsMax) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while let complaint = await complaint() {
            for node in present where node.exitStatus != nil {
                throw TortureError("node \(node.id) has ended by itself with status \(node.exitStatus ?? -1)")
            }
            guard ContinuousClock.now < deadline else {
                throw TortureError("after \(Int(seconds)) s the cluster is not whole: \(complaint)")
            }
            try await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
        }
    }

    /// Waits until ``isEverySlotWhole()``.
    func whole(seconds: Double = settleSecondsMax) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try await !isEverySlotWhole() {
            guard ContinuousClock.now < deadline else { throw TortureError("after \(Int(seconds)) s slots still lack copies") }
            try await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
        }
    }

    /// Whether every slot has one owner with its history and mirrors that have confirmed their copies, and nobody has another copy.
    func isEverySlotWhole() async throws -> Bool {
        var counts: [String: Int] = [:]
        for node in present {
            let text = String(decoding: try await node.operators.get("/metrics"), as: UTF8.self)
            for line in text.split(separator: "\n") where line.hasPrefix("ringpost_slots{") {
                let words = line.split(separator: " ")
                counts[String(words[0]), default: 0] += words.last.flatMap { Int($0) } ?? 0
            }
        }
        let mirrored = HashRing.slotCount * (min(copies, present.count) - 1)
        return ["owned": HashRing.slotCount, "copy": mirrored, "unmirrored": 0, "inheriting": 0].allSatisfy { state, count in
            counts["ringpost_slots{state=\"\(state)\"}"] == count
        }
    }

    /// What is not yet as it should be.
    private func complaint() async -> String? {
        let wanted = expected.withLock { $0 }
        var epochs: Set<UInt64> = []
        for node in present {
            let ring: RingReport
            do { ring = try await node.operators.ring() } catch { return "\(node.id): \(error)" }
            let shown = Dictionary(uniqueKeysWithValues: ring.nodes.map { ($0.id, $0.weight) })
            if shown != wanted { return "\(node.id) shows \(Self.text(shown)) instead of \(Self.text(wanted))" }
            for other in ring.nodes {
                guard other.answered, other.epoch == ring.epoch, other.lease == "leased" else {
                    return "\(node.id) at epoch \(ring.epoch) says of \(other.id): "
                        + "\(other.answered ? "epoch \(other.epoch ?? 0), \(other.lease ?? "no lease")" : "no answer")"
                }
            }
            epochs.insert(ring.epoch)
        }
        return epochs.count == 1 ? nil : "several epochs: \(epochs.sorted())"
    }

    private static func text(_ weights: [String: UInt16]) -> String {
        weights.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: " ")
    }

    /// Ends everything at once; nothing of it is needed any more.
    func end() {
        for node in nodes { node.kill() }
        for zookeeper in zookeepers { zookeeper.kill() }
    }
}
