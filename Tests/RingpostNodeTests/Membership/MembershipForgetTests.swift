// The order that a node is gone for good, in a real ZooKeeper.

import Logging
import Synchronization
import TestSupport
import Testing
import ZooKeeperClient

@testable import RingpostCore
@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct MembershipForgetTests {
    private static let paths = ClusterPaths(cluster: "test")
    private static let deadlineSeconds = 60.0

    private func settled(_ nodes: [MembershipNode]) async throws {
        try await eventually(within: Self.deadlineSeconds, "\(nodes.map(\.id)) are members and leased") {
            nodes.allSatisfy { $0.isSettled(members: nodes.count) } && Set(nodes.map { $0.view?.epoch }).count == 1
        }
    }

    private func refusal(_ node: MembershipNode, _ id: String) async -> ForgetRefusal? {
        do throws(ForgetRefusal) {
            try await node.service.forget(id)
            return nil
        } catch { return error }
    }

    private func entry(_ session: ZooKeeperSession, _ id: String) async throws -> RosterEntry {
        let path = Self.paths.roster(id)
        return try RosterEntry(json: try await session.get(path).data, znode: path)
    }

    @Test func whoIsGoneIsNotWaitedForAndComesBackEmpty() async throws {
        let server = try await ZooKeeperServer.start()
        let answer = Mutex(ProbeResult.sameBoot)
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) { _ in answer.withLock { $0 } } }
        try await settled(nodes)
        let session = try await openSession(server)
        let member = try #require(nodes[1].own)
        #expect(await refusal(nodes[0], "b") == .isMember("b", member.identity))
        #expect(await refusal(nodes[0], "c") == .unknown("c"))
        #expect(await refusal(nodes[0], "../ring") == .unknown("../ring"))
        // Goes without a goodbye.
        await nodes[1].cancel()
        try await eventually(within: Self.deadlineSeconds, "it is gone") { nodes[0].view?.members.map(\.id) == ["a"] }
        guard case .isAlive = await refusal(nodes[0], "b") else {
            Issue.record("its process answers")
            return
        }
        #expect(try await entry(session, "b").isGivenUp == false)
        answer.withLock { $0 = .silent }
        let document = try #require(nodes[0].view?.document)
        #expect(await nodes[0].service.vacancyWait() == Int64(document.vacancyMillisecondsMax))
        for _ in 0..<2 { #expect(await refusal(nodes[0], "b") == nil, "again is the same as once") }
        #expect(try await entry(session, "b").isGivenUp)
        #expect(await nodes[0].service.vacancyWait() == 0)
        // Under its id somebody registers as if nobody had been there.
        let again = MembershipNode("b", server: server)
        try await settled([nodes[0], again])
        #expect(again.told.registered.map(\.hadPredecessor) == [false])
        #expect(try await entry(session, "b").isGivenUp == false)
        await session.close()
    }

    /// Its session has ended, and its process lives.
    @Test func aProcessThatIsForgottenBetweenTwoSessionsMakesANewLineage() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let session = try await openSession(server)
        let before = try await entry(session, "a")
        let marked = RosterEntry(before.member, before.life, isGivenUp: true)
        try await session.set(Self.paths.roster("a"), data: marked.json())
        let stat = try #require(try await session.exists(Self.paths.member("a")))
        try await server.expireSession(stat.ephemeralOwner)
        try await eventually(within: Self.deadlineSeconds, "a second boot") { node.told.registered.count == 2 }
        let after = try await entry(session, "a")
        #expect(after.member.lineage != before.member.lineage && after.member.lineage != 0 && !after.isGivenUp)
        await session.close()
    }

    /// A registration writes only over what it has read.
    @Test func aRegistrationOverAnotherVersionIsRefused() async throws {
        let server = try await ZooKeeperServer.start()
        let session = try await openSession(server)
        let store = MembershipStore(session: session, paths: Self.paths, user: nil, logger: Logger(label: "test"))
        #expect(await store.perform(.createPaths) == .done)
        let member = Member(
            id: "a", boot: 1, lineage: 7, weight: 0, protocolVersion: 1, client: "a.test:1", api: "a.test:2", link: "a.test:3")
        #expect(await store.perform(.makeRosterEntry(member)) == .done)
        let mark = try #require(try await store.mark(forgetting: "a"))
        #expect(try await store.write(mark))
        #expect(await store.perform(.register(member, over: 0)) == .changed)
        guard case .rosterEntry(let json, version: 1) = await store.perform(.makeRosterEntry(member)) else {
            Issue.record("no entry of version 1")
            return
        }
        #expect(try RosterEntry(json: json, znode: Self.paths.roster("a")).isGivenUp)
        #expect(await store.perform(.register(member, over: 1)) == .done)
        #expect(try await store.write(mark) == false, "the other order")
        await #expect(throws: ForgetRefusal.isMember("a", member.identity)) { try await store.mark(forgetting: "a") }
        await session.close()
    }
}
