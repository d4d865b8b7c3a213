// The roster in a real ZooKeeper: who might still have a copy, and who was there before.

import HashRing
import RingpostCore
import Synchronization
import TestSupport
import Testing
import ZooKeeperClient

@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct MembershipRosterTests {
    private static let paths = ClusterPaths(cluster: "test")
    private static let deadlineSeconds = 60.0

    private func settled(_ nodes: [MembershipNode]) async throws {
        try await eventually(within: Self.deadlineSeconds, "\(nodes.map(\.id)) are members and leased") {
            nodes.allSatisfy { $0.isSettled(members: nodes.count) } && Set(nodes.map { $0.view?.epoch }).count == 1
        }
    }

    /// What each address answers, by id; refused unless given.
    private final class Answers: Sendable {
        private let results = Mutex<[String: ProbeResult]>([:])
        func set(_ id: String, _ result: ProbeResult) { results.withLock { $0[id] = result } }
        func probe(_ member: Member) -> ProbeResult { results.withLock { $0[member.id] } ?? .refused }
    }

    @Test func howLongASlotWithoutACopyIsWaitedFor() async throws {
        let server = try await ZooKeeperServer.start()
        let answers = Answers()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) { answers.probe($0) } }
        try await settled(nodes)
        let document = try #require(nodes[0].view?.document)
        let (least, most) = (Int64(document.vacancyMillisecondsMin), Int64(document.vacancyMillisecondsMax))
        #expect(least == 3_000 && most == 603_000)
        #expect(await nodes[0].service.vacancyWait() == 0, "everybody in the roster is a member")
        // Goes without a goodbye.
        await nodes[1].cancel()
        try await eventually(within: Self.deadlineSeconds, "it is gone") { nodes[0].view?.members.map(\.id) == ["a"] }
        #expect(await nodes[0].service.vacancyWait() == least, "nobody listens there")
        answers.set("b", .otherBoot)
        #expect(await nodes[0].service.vacancyWait() == least)
        for result in [ProbeResult.silent, .sameBoot] {
            answers.set("b", result)
            #expect(await nodes[0].service.vacancyWait() == most, "it may live")
        }
        // All event loops ask at once.
        async let one = nodes[0].service.vacancyWait()
        async let other = nodes[0].service.vacancyWait()
        #expect(await [one, other] == [most, most])
        let session = try await openSession(server)
        try await session.set(Self.paths.roster("b"), data: [1, 2, 3])
        #expect(await nodes[0].service.vacancyWait() == most, "somebody's, who can't be asked")
        try await session.delete(Self.paths.roster("b"))
        #expect(await nodes[0].service.vacancyWait() == 0)
        await session.close()
    }

    @Test func anEarlierSessionOfTheSameProcessIsNobodyElse() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server) { _ in .silent }
        try await settled([node])
        let session = try await openSession(server)
        let stat = try #require(try await session.exists(Self.paths.member("a")))
        try await server.expireSession(stat.ephemeralOwner)
        try await eventually(within: Self.deadlineSeconds, "a second boot") { node.told.registered.count == 2 }
        #expect(node.told.registered.map(\.hadPredecessor) == [false, false])
        #expect(await node.service.vacancyWait() == 0)
        await session.close()
    }

    @Test func aPredecessorIsToldOfUnlessItSaidGoodbye() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("a", server: server)
        try await settled([first])
        await first.cancel()
        let second = MembershipNode("a", server: server)
        try await settled([second])
        #expect(first.told.registered.map(\.hadPredecessor) == [false])
        #expect(second.told.registered.map(\.hadPredecessor) == [true])
        #expect(second.told.registered.map(\.0) == [second.told.identity])
        await second.service.leave(clearingRoster: true)
        let third = MembershipNode("a", server: server)
        try await settled([third])
        #expect(third.told.registered.map(\.hadPredecessor) == [false])
    }

    @Test func oneMemberHasTheLock() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let epoch = try #require(nodes[0].view?.epoch)
        #expect(await nodes[0].takeWithdrawalLock() == .taken(epoch: epoch))
        #expect(await nodes[0].takeWithdrawalLock() == .taken(epoch: epoch), "it has it already")
        #expect(await nodes[1].takeWithdrawalLock() == .held)
        #expect(await nodes[1].releaseWithdrawalLock())
        #expect(await nodes[1].takeWithdrawalLock() == .held, "only one's own is released")
        #expect(await nodes[0].releaseWithdrawalLock())
        #expect(await nodes[1].takeWithdrawalLock() == .taken(epoch: epoch))
        // It goes with the membership.
        nodes[1].service.submit(.membership(.withdraw))
        try await eventually(within: Self.deadlineSeconds, "it is out") { nodes[0].view?.members.map(\.id) == ["a"] }
        guard case .taken(let later) = await nodes[0].takeWithdrawalLock() else {
            Issue.record("the lock is still there")
            return
        }
        #expect(later > epoch, "a list without it")
        #expect(await nodes[0].releaseWithdrawalLock())
        #expect(nodes[1].view?.own == nil || nodes[1].view?.epoch == epoch)
        nodes[1].service.submit(.membership(.comeBack))
        try await settled(nodes)
        #expect(nodes[1].told.registered.count == 2)
    }
}
