// Each card of the deck, played out.

import Foundation
import TestSupport

extension Director {
    /// An orderly end takes the drain and the moves before it.
    static let orderlyEndSecondsMax = 60.0
    /// A node behind a cut link withdraws after three sessions; a link stays cut for longer than that.
    static let linkCutSessions = 5.0

    func play(_ fault: Fault) async throws {
        switch fault {
        case .kill: try await kill()
        case .restart: try await restart()
        case .freeze: try await freeze()
        case .visit: try await visit()
        case .weight: try await changeWeight()
        case .zookeeper: try await stopZooKeeper(.zookeeperAway, seconds: 10)
        case .zookeeperLong: try await stopZooKeeper(.zookeeperAwayLong, seconds: max(15, 3 * sessionSeconds + 3))
        case .leader: try await killLeader()
        case .link: try await cutLink()
        case .cutFromZooKeeper: try await cutOff(.cutFromZooKeeper)
        case .cutFromAll: try await cutOff(.cutFromAll)
        case .pair: try await cutPairFromZooKeeper()
        case .killWithoutZooKeeper: try await killWithoutZooKeeper()
        case .zookeeperPause: try await pauseZooKeeper()
        case .freezeAll: try await freezeAll()
        case .killAll: try await kill(cluster.residents, .allKilled)
        case .killTwo: try await killTwo()
        case .restartAll: try await restartAll()
        }
    }

    // MARK: Nodes

    private func kill() async throws {
        let node = anyResident()
        // A namesake that is back before the others have noticed is a case of its own.
        let isBackAtOnce = Bool.random(using: &random)
        try await row(.killed, "\(node.id)\(isBackAtOnce ? ", back at once" : "")", taken: [node]) {
            node.kill()
            try await node.waitForExit(seconds: 10)
            if isBackAtOnce { try cluster.start(node) } else { cluster.expect(node, weight: nil) }
        }
        if !isBackAtOnce { try await start(node, .startsAgain) }
    }

    private func restart() async throws {
        let node = anyResident()
        try await stop(node)
        try await start(node, .startsAgain)
    }

    private func freeze() async throws {
        let node = anyResident()
        let seconds = sessionSeconds + .random(in: 1...4, using: &random)
        try await row(.frozen, "\(node.id) for \(seconds.text) s", taken: [node]) {
            node.freeze()
            try await pause(seconds)
            node.thaw()
        }
    }

    private func visit() async throws {
        for node in cluster.visitors { try await start(node, .joins) }
        for (index, node) in cluster.visitors.shuffled(using: &random).enumerated() {
            if index % 2 == 0 { try await drain(node) } else { try await stop(node) }
        }
    }

    private func start(_ node: TortureNode, _ kind: FaultKind) async throws {
        try await row(kind, node.id) { try cluster.start(node) }
    }

    private func drain(_ node: TortureNode) async throws {
        try await row(.drained, node.id, taken: [node]) {
            cluster.expect(node, weight: nil)
            let api = other(than: node).api.url
            try await cluster.program.run(["drain", node.id, "--api", api], seconds: Self.orderlyEndSecondsMax)
            try await expectOrderlyEnd(node)
        }
    }

    private func stop(_ node: TortureNode) async throws {
        try await row(.stopped, node.id, taken: [node]) {
            cluster.expect(node, weight: nil)
            node.terminate()
            try await expectOrderlyEnd(node)
        }
    }

    private func expectOrderlyEnd(_ node: TortureNode) async throws {
        let status = try await node.waitForExit(seconds: Self.orderlyEndSecondsMax)
        if status != 0 { timeline.complain("node \(node.id) ended with status \(status) when it was asked to go") }
    }

    private func changeWeight() async throws {
        let node = anyResident()
        for weight: UInt16 in [50, TortureCluster.weightDefault] {
            try await row(.weight, "\(node.id) to \(weight)") {
                cluster.expect(node, weight: weight)
                try await cluster.program.run(["weight", node.id, "\(weight)", "--api", other(than: node).api.url])
            }
        }
    }

    // MARK: ZooKeeper

    private func stopZooKeeper(_ kind: FaultKind, seconds: Double) async throws {
        try await row(kind, "for \(seconds.text) s") {
            for server in cluster.zookeepers { server.kill() }
            try await pause(seconds)
            try await startZooKeepers(cluster.zookeepers)
        }
    }

    /// All are started before one is waited for: a server serves only once a majority runs.
    private func startZooKeepers(_ servers: [ZooKeeperServer]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for server in servers { group.addTask { try await server.start() } }
            try await group.waitForAll()
        }
    }

    private func killLeader() async throws {
        guard let leader = cluster.leader else { throw TortureError("the ensemble has no leader") }
        try await row(.leaderKilled, leader.connectString) {
            leader.kill()
            try await pause(sessionSeconds)
            try await startZooKeepers([leader])
        }
    }

    private func killWithoutZooKeeper() async throws {
        let node = anyResident()
        let others = cluster.residents.filter { $0.id != node.id }
        try await row(.killedWithoutZooKeeper, node.id, taken: [node], cutOff: others) {
            for server in cluster.zookeepers { server.kill() }
            try await pause(1)
            node.kill()
            try await node.waitForExit(seconds: 10)
            try await pause(2 * sessionSeconds)
            try await startZooKeepers(cluster.zookeepers)
            try cluster.start(node)
        }
    }

    // MARK: Ways

    private func cutLink() async throws {
        let pair = twoResidents()
        let seconds = Self.linkCutSessions * sessionSeconds
        try await row(.linkCut, "\(pair[0].id) and \(pair[1].id) for \(seconds.text) s", cutOff: pair) {
            try await cluster.landscape.cut(pair[0].id, pair[1].id)
            try await pause(seconds)
            try await cluster.landscape.heal()
        }
    }

    private func cutOff(_ kind: FaultKind) async throws {
        let node = anyResident()
        let seconds = sessionSeconds + .random(in: 2...5, using: &random)
        let others = kind == .cutFromAll ? cluster.residents.map(\.id).filter { $0 != node.id } : []
        try await row(kind, "\(node.id) for \(seconds.text) s", cutOff: [node]) {
            for host in others + settings.zookeeperHosts { try await cluster.landscape.cut(node.id, host) }
            try await pause(seconds)
            try await cluster.landscape.heal()
        }
    }

    /// Any two nodes are owner and mirror of some slots. Once so shortly that their sessions go on, which nobody may notice; once for longer.
    private func cutPairFromZooKeeper() async throws {
        try await cutPairFromZooKeeper(.pairCutBriefly, seconds: sessionSeconds / 2, cutOff: [])
        try await cutPairFromZooKeeper(.pairCutFromZooKeeper, seconds: sessionSeconds + 3, cutOff: cluster.residents)
    }

    private func cutPairFromZooKeeper(_ kind: FaultKind, seconds: Double, cutOff: [TortureNode]) async throws {
        let pair = twoResidents()
        try await row(kind, "\(pair[0].id) and \(pair[1].id) for \(seconds.text) s", cutOff: cutOff) {
            for node in pair { for host in settings.zookeeperHosts { try await cluster.landscape.cut(node.id, host) } }
            try await pause(seconds)
            try await cluster.landscape.heal()
        }
    }
}
