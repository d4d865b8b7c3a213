// What happens to whole installations: everything stands still, everything dies.

import Foundation
import TestSupport

extension Director {
    /// After it every session has ended.
    private var pastSessions: Double { 3 * sessionSeconds + 3 }

    func pauseZooKeeper() async throws {
        try await row(.zookeeperPaused, "for \(pastSessions.text) s", cutOff: cluster.residents) {
            for server in cluster.zookeepers { server.pause() }
            try await pause(pastSessions)
            for server in cluster.zookeepers { server.resume() }
        }
    }

    func freezeAll() async throws {
        try await row(.allFrozen, "for \(pastSessions.text) s", taken: cluster.residents) {
            for node in cluster.residents { node.freeze() }
            try await pause(pastSessions)
            for node in cluster.residents { node.thaw() }
        }
    }

    /// They come back one by one, a moment apart.
    func kill(_ nodes: [TortureNode], _ kind: FaultKind) async throws {
        try await row(kind, nodes.map(\.id).joined(separator: ", "), taken: nodes, cutOff: cluster.residents) {
            for node in nodes { node.kill() }
            for node in nodes { try await node.waitForExit(seconds: 10) }
            try await startAgain(nodes)
        }
    }

    /// With disks they have to come back. With three copies they need not: then the others may have taken over before they do.
    func killTwo() async throws {
        let nodes = twoResidents()
        if settings.durability == nil { try await cluster.whole() }
        // Of three nodes one would be left, and could not have a mirror.
        let areBackAtOnce = settings.durability != nil || settings.nodeCount < 4 || Bool.random(using: &random)
        if areBackAtOnce { return try await kill(nodes, .twoKilled) }
        let names = nodes.map(\.id).joined(separator: ", ")
        try await row(.twoKilled, "\(names), for longer than their sessions", taken: nodes) {
            for node in nodes {
                node.kill()
                cluster.expect(node, weight: nil)
            }
            for node in nodes { try await node.waitForExit(seconds: 10) }
        }
        try await row(.startsAgain, names) { try await startAgain(nodes) }
    }

    func restartAll() async throws {
        let nodes = cluster.residents
        try await row(.allStopped, nodes.map(\.id).joined(separator: ", "), taken: nodes) {
            for node in nodes { node.terminate() }
            for node in nodes {
                let status = try await node.waitForExit(seconds: Self.orderlyEndSecondsMax)
                if status != 0 { timeline.complain("node \(node.id) ended with status \(status) when it was asked to go") }
            }
            try await startAgain(nodes)
        }
    }

    private func startAgain(_ nodes: [TortureNode]) async throws {
        for node in nodes.shuffled(using: &random) {
            try await pause(.random(in: 0...2, using: &random))
            try cluster.start(node)
        }
    }
}
