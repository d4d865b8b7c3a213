// A link that stays cut, with a real ZooKeeper and links that are a table.

import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct WithdrawalServiceTests {
    private static let deadlineSeconds = 90.0

    /// Which pairs of nodes can't reach each other, and heartbeats between the others.
    private final class Links: Sendable {
        private let cuts = Mutex<Set<Set<String>>>([])
        private let tables = Mutex<[String: PeerTable]>([:])

        func cut(_ one: String, _ other: String) { cuts.withLock { _ = $0.insert([one, other]) } }
        func mend() { cuts.withLock { $0 = [] } }
        func isCut(_ one: String, _ other: String) -> Bool { cuts.withLock { $0.contains([one, other]) } }
        func table(of id: String) -> PeerTable { tables.withLock { $0[id] ?? PeerTable(shardCount: 1) } }

        func apply(_ view: MembershipView, at id: String) {
            tables.withLock { $0[id, default: PeerTable(shardCount: 1)].apply(view, own: Self.own(view, id)) }
        }

        private static func own(_ view: MembershipView, _ id: String) -> MemberIdentity {
            view.own?.identity ?? MemberIdentity(id: id, boot: 0)
        }

        /// Every node sees whom it reaches, and tells those whom it doesn't reach.
        func beat(_ nodes: [MembershipNode]) {
            let now = MonotonicClock.nowMilliseconds()
            for node in nodes {
                guard let view = node.view else { continue }
                let reached = view.members.map(\.identity).filter { !isCut(node.id, $0.id) }
                tables.withLock { $0[node.id]?.setLinked(Set(reached), ofShard: 0, own: Self.own(view, node.id)) }
                guard let own = node.own else { continue }
                let standing = LinkStanding(
                    epoch: view.epoch, digest: view.ring.digest, reachesZooKeeper: true, isLeaving: false,
                    unreachable: nodes.map(\.id).filter { isCut(node.id, $0) })
                for other in nodes where other.id != node.id && !isCut(node.id, other.id) {
                    tables.withLock { _ = $0[other.id]?.onStanding(standing, of: own.identity, now: now) }
                }
            }
        }
    }

    private func node(_ id: String, server: ZooKeeperServer, links: Links) -> MembershipNode {
        MembershipNode(id, server: server, probe: { links.isCut(id, $0.id) ? .silent : .sameBoot }) { hooks in
            let onView = hooks.onView
            hooks.onView = { view in
                onView(view)
                links.apply(view, at: id)
            }
            hooks.peers = { links.table(of: id) }
        }
    }

    @Test func theLaterOfTwoWithdrawsAndComesBack() async throws {
        let server = try await ZooKeeperServer.start()
        let links = Links()
        let nodes = ["a", "b", "c"].map { node($0, server: server, links: links) }
        let beating = Task {
            while !Task.isCancelled {
                links.beat(nodes)
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        defer { beating.cancel() }
        try await eventually(within: Self.deadlineSeconds, "three members") { nodes.allSatisfy { $0.isSettled(members: 3) } }
        let order = try #require(nodes[0].view?.members.map(\.id))
        let (first, second) = (order[1], order[2])
        let boots = Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0.told.identity?.boot) })
        links.cut(first, second)
        try await eventually(within: Self.deadlineSeconds, "one has withdrawn") {
            nodes.allSatisfy { Set($0.view?.members.map(\.id) ?? []) == Set(order.prefix(2)) }
        }
        let out = try #require(nodes.first { $0.id == second })
        #expect(out.own == nil)
        #expect(out.told.alarms.contains { $0.hasPrefix("withdrawing from the ring: no link with \(first)") })
        for node in nodes where node.id != second { #expect(node.told.identity?.boot == boots[node.id], "\(node.id) stays") }
        links.mend()
        try await eventually(within: Self.deadlineSeconds, "it is back") { nodes.allSatisfy { $0.isSettled(members: 3) } }
        #expect(out.told.identity?.boot != boots[second])
    }
}
