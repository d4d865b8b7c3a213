// The roster in a real ZooKeeper: who might still have a copy, and who was there before.

import HashRing
import Logging
import Synchronization
import TestSupport
import Testing
import ZooKeeperClient

@testable import RingpostCore
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
        #expect(await nodes[0].service.vacancyWait() == Int64(document.recoveryMilliseconds), "it may come back")
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

    @Test func whoHasADiskMayComeBack() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("a", server: server)
        let keeper = TestKeeper(lineage: 70)
        let second = MembershipNode("b", server: server, disk: (keeper, .fsync))
        try await settled([first, second])
        #expect(first.view?.member("b")?.disk == .fsync && first.view?.member("a")?.disk == nil)
        await second.cancel()
        try await eventually(within: Self.deadlineSeconds, "it is gone") { first.view?.members.map(\.id) == ["a"] }
        let document = try #require(first.view?.document)
        #expect(await first.service.vacancyWait() == Int64(document.recoveryMilliseconds), "nobody listens there, and it may come back")
        let third = MembershipNode("b", server: server, disk: (keeper, .fsync))
        try await settled([first, third])
        try await eventually(within: Self.deadlineSeconds, "nobody is waited for") { await first.service.vacancyWait() == 0 }
        try await eventually(within: Self.deadlineSeconds, "it waits for nobody") { await third.service.vacancyWait() == 0 }
        #expect(third.told.registered.map(\.hadPredecessor) == [false], "it has all that was there")
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
        // The answer is one epoch's, and the weight is still to come.
        try await eventually(within: Self.deadlineSeconds, "the answer of an epoch that lasts") { await node.service.vacancyWait() == 0 }
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

    @Test func whoHadTheIdElsewhereIsWaitedForAsLongAsItMayAct() async throws {
        let server = try await ZooKeeperServer.start()
        let before = MembershipNode("a", server: server)
        try await settled([before])
        await before.cancel()
        let session = try await openSession(server)
        try await eventually(within: Self.deadlineSeconds, "it is gone") { (try? await session.exists(Self.paths.member("a"))) == nil }
        var entry = try Member(json: try await session.get(Self.paths.roster("a")).data, znode: Self.paths.roster("a"))
        entry.link = "elsewhere:3"
        try await session.set(Self.paths.roster("a"), data: entry.json())
        let answers = Answers()
        answers.set("a", .sameBoot)
        let node = MembershipNode("a", server: server) { answers.probe($0) }
        try await settled([node])
        let document = try #require(node.view?.document)
        #expect(await node.service.vacancyWait() == Int64(document.vacancyMillisecondsMax), "it may act in outage mode")
        answers.set("a", .refused)
        #expect(await node.service.vacancyWait() == Int64(document.vacancyMillisecondsMin))
        let registered = try Member(json: try await session.get(Self.paths.roster("a")).data, znode: Self.paths.roster("a"))
        #expect(registered.former == [Member.Former(boot: entry.boot, link: "elsewhere:3")])
        await session.close()
    }

    @Test func anEntryOfAnOlderStateIsPutBackWithoutForgettingWhoStoodThere() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let document = try #require(node.view?.document)
        let session = try await openSession(server)
        func entry(_ id: String) async throws -> Member {
            try Member(json: try await session.get(Self.paths.roster(id)).data, znode: Self.paths.roster(id))
        }
        func member(_ id: String, boot: UInt64, lineage: UInt64, at host: String) -> Member {
            Member(
                id: id, boot: boot, lineage: lineage, weight: 1, protocolVersion: 1, client: "\(host):1", api: "\(host):2",
                link: "\(host):3")
        }
        let (older, newer) = (member("b", boot: 4, lineage: 40, at: "old"), member("b", boot: 5, lineage: 50, at: "new"))
        try await session.create(Self.paths.roster("b"), data: older.json())
        let present = try await entry("a")
        let outdated = member("a", boot: 3, lineage: 30, at: "old")
        let store = MembershipStore(session: session, paths: Self.paths, user: nil, logger: Logger(label: "test"))
        let next = document.rebased(above: 100)
        let remains = RingRemains(
            document: next, replaced: document, members: [outdated, newer, member("c", boot: 6, lineage: 60, at: "new")])
        #expect(await store.perform(.putBack(remains)) == .done)
        #expect(try await entry("a") == present, "who is a member now is newer")
        #expect(try await entry("b") == newer.replacing(older))
        #expect(try await entry("b").former == [Member.Former(boot: 4, link: "old:3")])
        #expect(try await entry("c").lineage == 60)
        #expect(try ClusterDocument(json: try await session.get(Self.paths.ring).data, znode: Self.paths.ring) == next)
        #expect(await store.perform(.putBack(remains)) == .exists, "somebody was first")
        await session.close()
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
