// A link that stays cut, with a real ZooKeeper and links that are a table.

import Logging
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
        private let services = Mutex<[String: WithdrawalService]>([:])

        func cut(_ one: String, _ other: String) { cuts.withLock { _ = $0.insert([one, other]) } }
        func mend() { cuts.withLock { $0 = [] } }
        func isCut(_ one: String, _ other: String) -> Bool { cuts.withLock { $0.contains([one, other]) } }
        func add(_ id: String, _ service: WithdrawalService) { services.withLock { $0[id] = service } }

        /// Every node tells those that it reaches whom it doesn't reach.
        func beat(_ nodes: [MembershipNode]) {
            let services = services.withLock { $0 }
            for node in nodes {
                guard let own = node.own else { continue }
                let unreachable = nodes.map(\.id).filter { isCut(node.id, $0) }
                for other in nodes where other.id != node.id && !isCut(node.id, other.id) {
                    services[other.id]?.onReport(from: own.identity, unreachable: unreachable)
                }
            }
        }
    }

    private struct Withdrawing {
        let node: MembershipNode
        let alarms = Shared<[String]>([])
        let service: WithdrawalService
        let task: Task<Void, Never>

        init(_ id: String, server: ZooKeeperServer, links: Links) {
            let node = MembershipNode(id, server: server)
            let alarms = alarms
            var hooks = WithdrawalService.Hooks()
            hooks.unreachable = { view in Set(view.members.map(\.identity).filter { links.isCut(id, $0.id) }) }
            hooks.probe = { links.isCut(id, $0.id) ? .silent : .sameBoot }
            hooks.onAlarm = { alarm in alarms.value.withLock { $0.append(alarm) } }
            var logger = Logger(label: "withdrawal")
            logger.logLevel = .critical
            logger.handler = SwiftLogNoOpLogHandler()
            let service = WithdrawalService(membership: node.service, hooks: hooks, logger: logger)
            links.add(id, service)
            self.node = node
            self.service = service
            task = Task { await service.run() }
        }
    }

    private final class Shared<Value: Sendable>: Sendable {
        let value: Mutex<Value>
        init(_ value: Value) { self.value = Mutex(value) }
    }

    @Test func theLaterOfTwoWithdrawsAndComesBack() async throws {
        let server = try await ZooKeeperServer.start()
        let links = Links()
        let all = ["a", "b", "c"].map { Withdrawing($0, server: server, links: links) }
        let nodes = all.map(\.node)
        let beating = Task {
            while !Task.isCancelled {
                links.beat(nodes)
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        defer {
            beating.cancel()
            for one in all { one.task.cancel() }
        }
        try await eventually(within: Self.deadlineSeconds, "three members") { nodes.allSatisfy { $0.isSettled(members: 3) } }
        let order = try #require(nodes[0].view?.members.map(\.id))
        let (first, second) = (order[1], order[2])
        let boots = Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0.told.identity?.boot) })
        links.cut(first, second)
        try await eventually(within: Self.deadlineSeconds, "one has withdrawn") {
            nodes.allSatisfy { Set($0.view?.members.map(\.id) ?? []) == Set(order.prefix(2)) }
        }
        let out = try #require(all.first { $0.node.id == second })
        #expect(out.node.own == nil)
        #expect(out.alarms.value.withLock { $0 }.contains { $0.hasPrefix("withdrawing from the ring: no link with \(first)") })
        for node in nodes where node.id != second { #expect(node.told.identity?.boot == boots[node.id], "\(node.id) stays") }
        links.mend()
        try await eventually(within: Self.deadlineSeconds, "it is back") { nodes.allSatisfy { $0.isSettled(members: 3) } }
        #expect(out.node.told.identity?.boot != boots[second])
    }
}
