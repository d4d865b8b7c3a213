// Who may touch a cluster's znodes, against a real ZooKeeper: members with credentials alone.

import RingpostCore
import TestSupport
import Testing
import ZooKeeperClient

@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct MembershipAccessTests {
    private static let paths = ClusterPaths(cluster: "test")
    /// Generous: only a failure takes so long.
    private static let deadlineSeconds = 60.0

    private let credentials: ZooKeeperCredentials
    private let others: [ZooKeeperCredentials?]

    init() throws {
        credentials = try Self.somebody("ringpost", "secret")
        others = [nil, try Self.somebody("ringpost", "Secret")]
    }

    private static func somebody(_ user: String, _ password: String) throws -> ZooKeeperCredentials {
        let credentials = ZooKeeperCredentials(user: user, password: password)
        return try #require(credentials)
    }

    private func settled(_ nodes: [MembershipNode]) async throws {
        try await eventually(within: Self.deadlineSeconds, "\(nodes.map(\.id)) are members and leased") {
            nodes.allSatisfy { $0.isSettled(members: nodes.count) } && Set(nodes.map { $0.view?.epoch }).count == 1
        }
    }

    /// All znodes from a path down.
    private func tree(_ path: String, _ session: ZooKeeperSession) async throws -> [String] {
        var paths = [path]
        for name in try await session.children(of: path).names { paths += try await tree("\(path)/\(name)", session) }
        return paths
    }

    private func failure(_ request: () async throws(ZooKeeperError) -> Void) async -> ZooKeeperError.Kind? {
        do throws(ZooKeeperError) {
            try await request()
            return nil
        } catch { return error.kind }
    }

    /// Every znode below `/ringpost` is for members alone, and somebody else can do nothing with any of them.
    private func expectClosed(_ server: ZooKeeperServer, containing expected: [String]) async throws {
        let member = try await openSession(server, credentials: credentials)
        let tree = try await tree(Self.paths.cluster, member)
        for path in expected { #expect(tree.contains(path), "\(tree)") }
        for path in tree {
            let list = try await member.permissions(of: path)
            #expect(list.map(\.scheme) == ["digest"] && list.map(\.permissions) == [31], "\(path): \(list)")
        }
        #expect(try await member.permissions(of: ClusterPaths.root).map(\.isForAnybody) == [true])
        for other in others {
            let stranger = try await openSession(server, credentials: other)
            for path in tree {
                let kinds = [
                    await failure { () throws(ZooKeeperError) in _ = try await stranger.get(path) },
                    await failure { () throws(ZooKeeperError) in _ = try await stranger.children(of: path) },
                    await failure { () throws(ZooKeeperError) in try await stranger.set(path, data: []) },
                    await failure { () throws(ZooKeeperError) in try await stranger.create("\(path)/x", data: []) },
                    await failure { () throws(ZooKeeperError) in try await stranger.setAccess(path, .anybody) },
                    await failure { () throws(ZooKeeperError) in _ = try await stranger.permissions(of: path) },
                ]
                #expect(kinds == Array(repeating: .noAuth, count: 6), "\(path)")
                // `/ringpost` is everybody's, so what keeps the cluster's path there is that it is never empty.
                let deletion = await failure { () throws(ZooKeeperError) in try await stranger.delete(path) }
                #expect(deletion == (path == Self.paths.cluster ? .notEmpty : .noAuth), "\(path)")
            }
            await stranger.close()
        }
        #expect(try await self.tree(Self.paths.cluster, member).sorted() == tree.sorted())
        await member.close()
    }

    @Test func aClusterWithCredentialsIsNobodyElsesBusiness() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server, credentials: credentials) }
        try await settled(nodes)
        try await eventually(within: Self.deadlineSeconds, "the revocations are read") { nodes[0].revocations != nil }
        let user = try Key(.user, name: Array("alice".utf8), hasher: try #require(nodes[0].view).hasher)
        try await nodes[0].service.revoke(.user(user), until: 4_000_000_000, now: 1_000)
        #expect(await nodes[0].takeWithdrawalLock() != .failed)
        let revocation = Revocation(user: user.hash, issuedBefore: 1_000, until: 4_000_000_000)
        let expected =
            ["a", "b"].flatMap { [Self.paths.member($0), Self.paths.roster($0)] }
            + [Self.paths.ring, Self.paths.withdrawal, Self.paths.revocation(revocation)]
        try await expectClosed(server, containing: expected)
        // Nobody was ever let in, so there is nothing to be said.
        #expect(nodes.allSatisfy { $0.told.lines.isEmpty }, "\(nodes.map(\.told.lines))")
        // A weight is a new znode.
        try await nodes[1].service.setWeight(3)
        try await eventually(within: Self.deadlineSeconds, "the weight") { nodes[0].view?.member("b")?.weight == 3 }
        try await expectClosed(server, containing: expected)
    }

    @Test func anOpenClusterIsClosedByTheFirstWithCredentials() async throws {
        let server = try await ZooKeeperServer.start()
        let open = MembershipNode("a", server: server)
        try await settled([open])
        let user = try Key(.user, name: Array("alice".utf8), hasher: try #require(open.view).hasher)
        try await eventually(within: Self.deadlineSeconds, "the revocations are read") { open.revocations != nil }
        try await open.service.revoke(.token(user, id: "t"), until: 4_000_000_000, now: 1_000)
        let session = try await openSession(server)
        let seed = try await session.get(Self.paths.ring).data
        // One that has left entries behind.
        let gone = Member(id: "z", boot: 9, weight: 0, protocolVersion: 1, client: "z:1", api: "z:2", link: "z:3")
        try await session.create(Self.paths.roster("z"), data: gone.json())
        await open.service.leave(clearingRoster: false)

        let first = MembershipNode("b", server: server, credentials: credentials)
        try await settled([first])
        let warnings = first.told.lines.filter { $0.contains("everybody could read") }
        #expect(warnings.count == 1 && warnings[0].contains(Self.paths.ring) && warnings[0].contains("delete \(Self.paths.cluster)"))
        try await expectClosed(server, containing: [Self.paths.roster("a"), Self.paths.roster("z"), Self.paths.ring])
        #expect(first.told.alarms.isEmpty)
        // The cluster is the same one.
        let member = try await openSession(server, credentials: credentials)
        #expect(try await member.get(Self.paths.ring).data == seed)
        try await eventually(within: Self.deadlineSeconds, "what was revoked") { first.revocations?.count == 1 }
        let second = MembershipNode("c", server: server, credentials: credentials)
        try await settled([first, second])
        #expect(second.told.lines.isEmpty, "said once")
        for session in [session, member] { await session.close() }
    }

    @Test func whoWasInterruptedAtClosingIsFinishedByTheNext() async throws {
        let server = try await ZooKeeperServer.start()
        let open = MembershipNode("a", server: server)
        try await settled([open])
        await open.service.leave(clearingRoster: false)
        let member = try await openSession(server, credentials: credentials)
        for path in [Self.paths.cluster, Self.paths.ring] { try await member.setAccess(path, .creator) }
        let next = MembershipNode("b", server: server, credentials: credentials)
        try await settled([next])
        try await expectClosed(server, containing: [Self.paths.roster("a")])
        await member.close()
    }

    @Test func whoHasNoOrOtherCredentialsIsToldWhatToDo() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server, credentials: credentials)
        try await settled([node])
        for (other, words) in zip(others, ["has no credentials", "those of the user \"ringpost\""]) {
            let stranger = MembershipNode("b", server: server, credentials: other)
            try await eventually(within: Self.deadlineSeconds, "it gives up") { stranger.told.hasEnded }
            let sentence = try #require(stranger.told.failure?.message)
            #expect(sentence.contains(words) && sentence.contains("--zookeeper-auth-file"), "\(sentence)")
            #expect(!sentence.contains("Secret") && !stranger.told.lines.contains { $0.contains("Secret") })
            #expect(stranger.told.alarms.isEmpty && stranger.told.registered.isEmpty)
        }
        #expect(node.isSettled(members: 1))
    }

    @Test func aMemberThatIsShutOutFreezesUntilItIsLetInAgain() async throws {
        let server = try await ZooKeeperServer.start()
        let open = MembershipNode("a", server: server)
        try await settled([open])
        let member = try await openSession(server, credentials: credentials)
        try await member.setAccess(Self.paths.ring, .creator)
        try await eventually(within: Self.deadlineSeconds, "the alarm") {
            open.told.alarms.contains { $0.contains("has no credentials") && $0.contains("--zookeeper-auth-file") }
        }
        try await eventually(within: Self.deadlineSeconds, "frozen") { if case .frozen = open.lease?.state { true } else { false } }
        #expect(!open.told.hasEnded, "its copies are not thrown away")
        try await member.setAccess(Self.paths.ring, .anybody)
        try await settled([open])
        await member.close()
    }

    @Test func aSessionThatIsReplacedIsTheSameUser() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server, credentials: credentials)
        try await settled([node])
        let boot = node.told.identity?.boot
        let member = try await openSession(server, credentials: credentials)
        let stat = try #require(try await member.exists(Self.paths.member("a")))
        try await server.expireSession(stat.ephemeralOwner)
        try await eventually(within: Self.deadlineSeconds, "a new boot") { node.told.identity?.boot != boot }
        try await settled([node])
        await server.stop()
        try await eventually(within: Self.deadlineSeconds, "outage mode") { node.lease?.state == .outage }
        try await server.start()
        try await settled([node])
        try await expectClosed(server, containing: [Self.paths.member("a")])
        await member.close()
    }

    @Test func aFolderOfAllClustersThatSomebodyClosedServesWhoIsThereAlready() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("a", server: server, credentials: credentials)
        try await settled([first])
        let stranger = try await openSession(server, credentials: try Self.somebody("eve", "x"))
        try await stranger.setAccess(ClusterPaths.root, .creator)
        let second = MembershipNode("b", server: server, credentials: credentials)
        try await settled([first, second])
        await stranger.close()
    }

    @Test func clustersWithDifferentCredentialsShareTheFolder() async throws {
        let server = try await ZooKeeperServer.start()
        let one = MembershipNode("a", server: server, credentials: credentials)
        let other = MembershipNode("a", server: server, cluster: "other", credentials: try Self.somebody("other", "x"))
        let open = MembershipNode("a", server: server, cluster: "open")
        for node in [one, other, open] { try await settled([node]) }
    }
}
