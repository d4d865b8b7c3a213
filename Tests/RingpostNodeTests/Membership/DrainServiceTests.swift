// Draining with a real ZooKeeper: the copies, sockets and clocks of the node are this test's own.

import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct DrainServiceTests {
    private static let deadlineSeconds = 60.0

    /// A node's copies and sockets, and what it was asked to do with them.
    private final class Parts: Sendable {
        struct State: Sendable {
            var holdings = NodeHoldings()
            var moves: [(milliseconds: Int64, elsewhere: [String])] = []
            var kept = 0
            var isLeaving = false
            var progress: [DrainMachine.Progress?] = []
        }

        let state = Mutex(State())
        /// Ends a move; until then sockets are there.
        let gate = AsyncStream<Void>.makeStream()

        func add(to hooks: inout MembershipHooks) {
            hooks.holdings = { self.state.withLock { $0.holdings } }
            hooks.moveSockets = { milliseconds, elsewhere in
                self.state.withLock { $0.moves.append((milliseconds, elsewhere)) }
                for await _ in self.gate.stream { break }
            }
            hooks.keepSockets = { self.state.withLock { $0.kept += 1 } }
            hooks.onProgress = { progress in self.state.withLock { $0.progress.append(progress) } }
            hooks.onLeaving = { self.state.withLock { $0.isLeaving = true } }
        }

        var now: State { state.withLock { $0 } }
    }

    private func node(_ id: String, server: ZooKeeperServer, _ parts: Parts = Parts()) -> MembershipNode {
        MembershipNode(id, server: server, drainMilliseconds: 5_000) { parts.add(to: &$0) }
    }

    private func settled(_ nodes: [MembershipNode]) async throws {
        try await eventually(within: Self.deadlineSeconds, "\(nodes.map(\.id)) are members and leased") {
            nodes.allSatisfy { $0.isSettled(members: nodes.count) } && Set(nodes.map { $0.view?.epoch }).count == 1
        }
    }

    @Test func copiesThenSocketsThenGoodbye() async throws {
        let server = try await ZooKeeperServer.start()
        let parts = Parts()
        let nodes = [node("a", server: server, parts), node("b", server: server)]
        try await settled(nodes)
        parts.state.withLock { $0.holdings = .init(copies: 5, users: 2, sockets: 3) }
        let service = nodes[0].service
        await service.drain(.order)
        #expect(await service.isDraining)
        try await eventually(within: Self.deadlineSeconds, "no weight") { nodes[1].view?.member("a")?.weight == 0 }
        try await eventually(within: Self.deadlineSeconds, "a look without slots") {
            if case .some(.some(let progress)) = parts.now.progress.last { progress.look?.slots == 0 } else { false }
        }
        #expect(parts.now.moves.isEmpty, "it still holds copies")
        parts.state.withLock { $0.holdings.copies = 0 }
        try await eventually(within: Self.deadlineSeconds, "the sockets are told") { !parts.now.moves.isEmpty }
        #expect(parts.now.moves.map(\.milliseconds) == [5_000])
        #expect(parts.now.moves.map(\.elsewhere) == [["b.test:1"]])
        #expect(nodes[1].view?.member("a") != nil, "it stays as long as it has sockets")
        parts.gate.continuation.yield()
        try await eventually(within: Self.deadlineSeconds, "it has left") { nodes[0].told.hasEnded }
        #expect(parts.now.isLeaving)
        try await eventually(within: Self.deadlineSeconds, "the others know") { nodes[1].view?.members.map(\.id) == ["b"] }
        #expect(try await nodes[1].service.roster().map(\.id) == ["b"], "every copy was released")
    }

    @Test func aWeightTakesItBackWhileSocketsMove() async throws {
        let server = try await ZooKeeperServer.start()
        let parts = Parts()
        let nodes = [node("a", server: server, parts), node("b", server: server)]
        try await settled(nodes)
        let service = nodes[0].service
        await service.drain(.order)
        try await eventually(within: Self.deadlineSeconds, "the sockets are told") { !parts.now.moves.isEmpty }
        try await service.setWeight(3)
        #expect(await !service.isDraining)
        try await eventually(within: Self.deadlineSeconds, "the weight is back") { nodes[1].view?.member("a")?.weight == 3 }
        try await eventually(within: Self.deadlineSeconds, "the sockets may stay") { parts.now.kept == 1 }
        #expect(parts.now.progress.last == .some(nil))
        #expect(!nodes[0].told.hasEnded)
        // And again, to the end.
        await service.drain(.signal)
        await #expect(throws: DrainRefusal.stopping) { try await service.setWeight(3) }
        try await eventually(within: Self.deadlineSeconds, "the sockets are told") { parts.now.moves.count == 2 }
        parts.gate.continuation.yield()
        try await eventually(within: Self.deadlineSeconds, "it has left") { nodes[0].told.hasEnded }
    }

    @Test func theLastOneGoesAtOnce() async throws {
        let server = try await ZooKeeperServer.start()
        let parts = Parts()
        let node = node("a", server: server, parts)
        try await settled([node])
        parts.state.withLock { $0.holdings = .init(copies: 0, users: 12, sockets: 1) }
        await node.service.drain(.signal)
        try await eventually(within: Self.deadlineSeconds, "the socket is told") { !parts.now.moves.isEmpty }
        #expect(parts.now.moves.map(\.milliseconds) == [0], "there is nowhere to go, so there is nothing to spread")
        #expect(node.view?.own?.weight == 1, "publishes are taken to the end")
        parts.gate.continuation.yield()
        try await eventually(within: Self.deadlineSeconds, "it has left") { node.told.hasEnded }
    }

    @Test func aNodeWithoutZooKeeperHasNobodyToHandOverTo() async throws {
        let me = Member(id: "a", boot: 0, weight: 3, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
        let parts = Parts()
        var hooks = MembershipHooks()
        parts.add(to: &hooks)
        let service = MembershipService(
            configuration: MembershipConfiguration(servers: nil, cluster: "test", me: me), hooks: hooks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let running: Void = service.run()
        try await eventually(within: Self.deadlineSeconds, "it is a member") { await service.view?.own != nil }
        await service.drain(.signal)
        await service.drain(.signal)
        try await eventually(within: Self.deadlineSeconds, "the sockets are told") { !parts.now.moves.isEmpty }
        #expect(parts.now.moves.allSatisfy { $0.milliseconds == 0 && $0.elsewhere.isEmpty })
        parts.gate.continuation.yield()
        try await running
    }
}
