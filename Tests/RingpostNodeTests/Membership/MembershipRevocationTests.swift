// Revocations in a real ZooKeeper: who hears of them, when, and what becomes of them without it.

import HashRing
import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing
import ZooKeeperClient

@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct MembershipRevocationTests {
    private static let paths = ClusterPaths(cluster: "test")
    /// Generous: only a failure takes so long.
    private static let deadlineSeconds = 60.0
    /// A second is promised; a busy machine may take some more.
    private static let effectSeconds = 5.0
    /// 2096.
    private static let until: Int64 = 4_000_000_000

    private func settled(_ nodes: [MembershipNode]) async throws {
        try await eventually(within: Self.deadlineSeconds, "\(nodes.map(\.id)) are members, leased, and know what is revoked") {
            nodes.allSatisfy { $0.isSettled(members: nodes.count) && $0.revocations != nil }
                && Set(nodes.map { $0.view?.epoch }).count == 1
        }
    }

    private func user(_ name: String, _ node: MembershipNode) throws -> Key {
        try Key(.user, name: Array(name.utf8), hasher: try #require(node.view).hasher)
    }

    private func failure(_ node: MembershipNode, _ user: Key, tokenID: String? = nil, now: Int64 = 1_000) async -> RevocationFailure? {
        do throws(RevocationFailure) {
            try await node.service.revoke(RevokedTokens(of: user, tokenID: tokenID), until: Self.until, now: now)
            return nil
        } catch { return error }
    }

    @Test func everyNodeHearsOfItWithinASecond() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        #expect(nodes.allSatisfy { $0.told.revocations == [RevocationList()] })
        let epoch = nodes[1].view?.epoch
        let alice = try user("alice", nodes[0])
        let bob = try user("bob", nodes[0])
        let hasher = try #require(nodes[0].view).hasher
        for round in 1...20 {
            #expect(await failure(nodes[0], alice, now: Int64(round)) == nil)
            #expect(nodes[0].revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: Int64(round)) == true, "here at once")
            try await eventually(within: Self.effectSeconds, "the other node knows of round \(round)", pollMilliseconds: 1) {
                nodes[1].revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: Int64(round)) == true
            }
        }
        #expect(nodes[1].revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 21) == false)
        #expect(await failure(nodes[1], bob, tokenID: "t") == nil)
        let token = Revocation.tokenHash("t", hasher: hasher)
        try await eventually(within: Self.effectSeconds, "the token") {
            nodes[0].revocations?.revokes(user: bob.hash, tokenHash: token, issuedAt: 5) == true
        }
        #expect(nodes[0].revocations?.revokes(user: alice.hash, tokenHash: token, issuedAt: 50) == false)
        #expect(nodes[1].view?.epoch == epoch && nodes[1].told.alarms.isEmpty, "the ring has nothing to do with it")
        let notes = try await nodes[0].service.revocationNotes()
        #expect(Set(notes.map(\.user)) == ["alice", "bob"])
        #expect(notes.filter { $0.user == "bob" } == [RevocationNote(user: "bob", token: "t", until: Self.until)])
        // Of alice's, those go that say less than another one.
        let session = try await openSession(server)
        try await eventually(within: Self.deadlineSeconds, "two are left") {
            try await session.children(of: Self.paths.revocations).names.count == 2
        }
        for node in nodes {
            try await eventually(within: Self.deadlineSeconds, "\(node.id) knows the two") { node.revocations?.count == 2 }
            #expect(node.revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 20) == true)
        }
        await session.close()
    }

    @Test func againIsTheSameAsOnce() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let alice = try user("alice", nodes[0])
        for node in nodes + nodes {
            #expect(await failure(node, alice) == nil)
            #expect(await failure(node, alice, tokenID: "t") == nil)
        }
        let session = try await openSession(server)
        #expect(try await session.children(of: Self.paths.revocations).names.count == 2)
        #expect(await failure(nodes[0], alice, tokenID: "") == .badTokenID)
        #expect(await failure(nodes[0], alice, tokenID: String(repeating: "x", count: 257)) == .badTokenID)
        #expect(await failure(nodes[0], alice, tokenID: String(repeating: "x", count: 256)) == nil)
        await session.close()
    }

    @Test func withoutZooKeeperTheLastListStaysInForce() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let alice = try user("alice", nodes[0])
        let bob = try user("bob", nodes[0])
        #expect(await failure(nodes[0], alice) == nil)
        try await eventually(within: Self.deadlineSeconds, "both know") { nodes.allSatisfy { $0.revocations?.count == 1 } }
        await server.stop()
        try await eventually(within: Self.deadlineSeconds, "nobody reaches ZooKeeper") {
            nodes.allSatisfy { $0.lease?.reachesZooKeeper == false }
        }
        guard case .unavailable = await failure(nodes[0], bob) else {
            Issue.record("it was promised, and nobody could hear of it")
            return
        }
        #expect(nodes.allSatisfy { $0.revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 1) == true })
        await #expect(throws: RevocationFailure.self) { try await nodes[0].service.revocationNotes() }
        try await server.start()
        try await settled(nodes)
        #expect(nodes.allSatisfy { $0.revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 1) == true })
        #expect(!nodes.contains { $0.told.revocations.dropFirst(2).contains { $0.count == 0 } }, "never forgotten meanwhile")
        try await eventually(within: Self.deadlineSeconds, "it can be revoked again") { await failure(nodes[0], bob) == nil }
        try await eventually(within: Self.effectSeconds, "both know") { nodes.allSatisfy { $0.revocations?.count == 2 } }
    }

    @Test func whatWasRevokedWhileANodeWasAwayIsReadWhenItIsBack() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let alice = try user("alice", node)
        let session = try await openSession(server)
        // A new session, whose predecessor's watch is lost.
        let stat = try #require(try await session.exists(Self.paths.member("a")))
        try await server.expireSession(stat.ephemeralOwner)
        try await session.create(
            Self.paths.revocation(Revocation(user: alice.hash, issuedBefore: 7, until: Self.until)), data: [])
        try await eventually(within: Self.deadlineSeconds, "it is known") {
            node.revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 7) == true
        }
        try await settled([node])
        // One that starts later knows it with its first list.
        let late = MembershipNode("b", server: server)
        try await settled([node, late])
        #expect(late.told.revocations.first?.count == 1)
        await session.close()
    }

    @Test func garbageIsIgnoredAndTheRestHolds() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let alice = try user("alice", node)
        let session = try await openSession(server)
        for name in ["lock", "1-2-3", "2000-100-00000000000000ab-1"] {
            try await session.create("\(Self.paths.revocations)/\(name)", data: [])
        }
        #expect(await failure(node, alice) == nil)
        try await eventually(within: Self.deadlineSeconds, "a word about it") {
            node.told.lines.contains { $0.hasPrefix("3 names among the revocations are none") && $0.contains("\"lock\"") }
        }
        try await eventually(within: Self.deadlineSeconds, "the rest") { node.revocations?.count == 1 }
        #expect(node.isSettled(members: 1) && node.told.alarms.isEmpty)
        #expect(try await session.children(of: Self.paths.revocations).names.count == 4, "it may be somebody's")
        await session.close()
    }

    @Test func whatHasExpiredIsDeletedByWhoeverFindsIt() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let session = try await openSession(server)
        for number in 0..<100 as Range<UInt64> {
            let old = Revocation(user: KeyHash(rawValue: number), issuedBefore: 1, until: 1_000)
            try await session.create(Self.paths.revocation(old), data: [])
        }
        let alice = try user("alice", nodes[0])
        #expect(await failure(nodes[0], alice) == nil)
        try await eventually(within: Self.deadlineSeconds, "one is left") {
            try await session.children(of: Self.paths.revocations).names.count == 1
        }
        try await eventually(within: Self.deadlineSeconds, "it is in force") {
            nodes.allSatisfy { $0.revocations?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 1) == true }
        }
        #expect(nodes.allSatisfy { $0.told.lines.isEmpty }, "\(nodes.map(\.told.lines))")
        // A folder that a hand has deleted comes back.
        for name in try await session.children(of: Self.paths.revocations).names {
            try await session.delete("\(Self.paths.revocations)/\(name)")
        }
        try await session.delete(Self.paths.revocations)
        try await eventually(within: Self.deadlineSeconds, "it is there again") { await failure(nodes[0], alice) == nil }
        try await eventually(within: Self.effectSeconds, "both know") { nodes.allSatisfy { $0.revocations?.count == 1 } }
        await session.close()
    }

    @Test func aFullListRefuses() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let session = try await openSession(server)
        for start in stride(from: 0, to: RevocationList.countMax, by: 1_000) {
            try await session.multi(
                (start..<start + 1_000).map { number in
                    let revocation = Revocation(user: KeyHash(rawValue: UInt64(number)), issuedBefore: 1, until: Self.until)
                    return .create(path: Self.paths.revocation(revocation), data: [])
                })
        }
        try await eventually(within: Self.deadlineSeconds, "all are known") { node.revocations?.count == RevocationList.countMax }
        let alice = try user("alice", node)
        #expect(await failure(node, alice) == .full)
        #expect(try await session.exists(Self.paths.revocations)?.childCount == Int32(RevocationList.countMax))
        try await session.delete(Self.paths.revocation(Revocation(user: KeyHash(rawValue: 0), issuedBefore: 1, until: Self.until)))
        try await eventually(within: Self.deadlineSeconds, "there is room again") { await failure(node, alice) == nil }
        #expect(await failure(node, alice) == nil, "again is the same as once")
        await session.close()
    }

    @Test func withoutACluster() async throws {
        let lists = Mutex<[RevocationList]>([])
        let view = Mutex<MembershipView?>(nil)
        let me = Member(id: "a", boot: 0, weight: 1, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
        var hooks = MembershipHooks()
        hooks.onView = { next in view.withLock { $0 = next } }
        hooks.onRevocations = { list in lists.withLock { $0.append(list) } }
        let service = MembershipService(
            configuration: MembershipConfiguration(servers: nil, cluster: "test", me: me), hooks: hooks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let running: Void = service.run()
        try await eventually(within: 30, "the first list") { lists.withLock { $0 } == [RevocationList()] }
        let hasher = try #require(view.withLock { $0 }).hasher
        let alice = try Key(.user, name: Array("alice".utf8), hasher: hasher)
        try await service.revoke(.user(alice), until: 2_000, now: 100)
        try await service.revoke(.user(alice), until: 2_100, now: 200)
        try await service.revoke(.token(alice, id: "t"), until: 9_000, now: 200)
        #expect(lists.withLock { $0.last }?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 200) == true)
        #expect(
            Set(try await service.revocationNotes()) == [
                RevocationNote(user: "alice", token: nil, until: 2_100), RevocationNote(user: "alice", token: "t", until: 9_000),
            ])
        // What has expired makes room.
        try await service.revoke(.token(alice, id: "u"), until: 9_000, now: 8_000)
        #expect(lists.withLock { $0.last }?.revokes(user: alice.hash, tokenHash: nil, issuedAt: 200) == false)
        #expect(Set(try await service.revocationNotes().map(\.token)) == ["t", "u"])
        await service.leave(clearingRoster: true)
        try await running
    }
}
