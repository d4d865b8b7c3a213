// The membership against a real ZooKeeper: what only it can show. One server a test, one test at a time.

import HashRing
import RingpostCore
import TestSupport
import Testing
import ZooKeeperClient

@testable import RingpostNode

@Suite(.serialized, .timeLimit(.minutes(3))) struct MembershipServiceTests {
    private static let paths = ClusterPaths(cluster: "test")
    /// Generous: only a failure takes so long.
    private static let deadlineSeconds = 60.0

    private func settled(_ nodes: [MembershipNode]) async throws {
        try await eventually(within: Self.deadlineSeconds, "\(nodes.map(\.id)) are members and leased") {
            nodes.allSatisfy { $0.isSettled(members: nodes.count) } && Set(nodes.map { $0.view?.epoch }).count == 1
        }
    }

    @Test func threeNodesAgree() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b", "c"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let views = nodes.compactMap(\.view)
        #expect(Set(views.map(\.ring.digest)).count == 1)
        #expect(Set(views.map(\.generation)).count == 1)
        #expect(Set(views.map(\.hasher)).count == 1)
        #expect(views.map { $0.own?.id } == ["a", "b", "c"])
        #expect(views[0].members.map(\.identity) == views[1].members.map(\.identity))
        // Nobody ever owned a slot before it was linked: the first view with itself has it without weight.
        for node in nodes {
            let first = node.told.views.first { $0.own != nil }
            #expect(first?.own?.weight == 0)
            #expect(node.told.views.map(\.epoch) == node.told.views.map(\.epoch).sorted())
        }
    }

    @Test func aLiveNamesakeIsRefused() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("a", server: server)
        try await settled([first])
        let boot = first.told.identity?.boot
        let second = MembershipNode("a", server: server) { member in member.boot == boot ? .sameBoot : .otherBoot }
        try await eventually(within: Self.deadlineSeconds, "the second one gives up") { second.told.hasEnded }
        let sentence = second.told.failure?.message ?? ""
        #expect(sentence.contains("the node id a is in use") && sentence.contains("a.test:3"), "\(sentence)")
        #expect(first.isSettled(members: 1))
        #expect(try await first.service.roster().map(\.boot) == [boot], "one that is refused leaves no trace")
    }

    @Test func aDeadSessionsZnodeIsWaitedOut() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("b", server: server)
        try await settled([first])
        let dead = try await openSession(server)
        let corpse = Member(id: "a", boot: 99, weight: 0, protocolVersion: 1, client: "x:1", api: "x:2", link: "x:3")
        try await dead.create(Self.paths.member("a"), data: corpse.json(), ephemeral: true)
        let second = MembershipNode("a", server: server)
        try await eventually(within: Self.deadlineSeconds, "the znode is seen") { second.view?.member("a")?.boot == 99 }
        #expect(second.own == nil)
        await dead.close()
        try await settled([first, second])
    }

    @Test func aMemberAloneGoesOnWithoutZooKeeper() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let (epoch, boot) = (node.view?.epoch, node.told.identity?.boot)
        await server.stop()
        try await eventually(within: Self.deadlineSeconds, "outage mode") { node.lease?.state == .outage }
        #expect(node.view?.epoch == epoch)
        let before = node.told.leases.count
        try await server.start()
        try await eventually(within: Self.deadlineSeconds, "the lease is back") { node.lease?.state == .leased }
        #expect(node.told.identity?.boot == boot, "the session has survived")
        #expect(!node.told.leases[before...].contains { if case .frozen = $0.state { true } else { false } })
    }

    @Test func aRingOutlivesTheDataOfZooKeeper() async throws {
        let server = try await ZooKeeperServer.start()
        let network = MembershipNetwork()
        defer { network.removeAll() }
        let nodes = ["a", "b"].map { MembershipNode($0, server: server, network: network) }
        try await settled(nodes)
        let before = try #require(nodes[0].view)
        try await nodes[0].service.revoke(
            .user(try Key(.user, name: Array("alice".utf8), hasher: before.hasher)), until: 4_000_000_000, now: 1_000)
        try await eventually(within: Self.deadlineSeconds, "it is revoked") { nodes[1].revocations?.revocations.count == 1 }
        await server.stop()
        try server.loseData()
        try await server.start()
        // Knows nothing of the ring, and must not found another one.
        let newcomer = MembershipNode("c", server: server, network: network)
        try await settled(nodes + [newcomer])
        #expect(newcomer.view?.generation == before.generation)
        #expect(try #require(newcomer.view?.epoch) > before.epoch)
        for node in nodes {
            let id = node.id
            #expect(newcomer.view?.member(id)?.lineage == before.member(id)?.lineage, "no process has ended, so no store has")
            #expect(newcomer.view?.member(id)?.boot != before.member(id)?.boot)
        }
        #expect(nodes.allSatisfy { $0.told.views.map(\.epoch) == $0.told.views.map(\.epoch).sorted() })
        #expect(nodes.allSatisfy { $0.told.alarms.contains { $0.contains("ZooKeeper has") && $0.contains("lost") } })
        try await eventually(within: Self.deadlineSeconds, "it is still revoked") { newcomer.revocations?.revocations.count == 1 }
        #expect(try await nodes[0].service.roster().map(\.id).sorted() == ["a", "b", "c"])
    }

    @Test func garbageIsLeftOutAndTheOthersGoOn() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("a", server: server) { _ in .silent }
        try await settled([first])
        let operatorSession = try await openSession(server)
        try await operatorSession.create(Self.paths.member("junk"), data: Array("no member".utf8))
        try await operatorSession.create(Self.paths.roster("junk"), data: Array("nobody".utf8))
        try await eventually(within: Self.deadlineSeconds, "the alarm") { first.told.alarms.contains { $0.contains("/members/junk ") } }
        let second = MembershipNode("b", server: server)
        try await settled([first, second])
        // Somebody's, who can't be asked: the longest time, but not for ever.
        let longest = try #require(first.view?.document.vacancyMillisecondsMax)
        #expect(await first.service.vacancyWait() == Int64(longest))
        #expect(first.told.alarms.contains { $0.contains("/roster/junk ") })
        try await operatorSession.delete(Self.paths.roster("junk"))
        #expect(await first.service.vacancyWait() == 0)
        await operatorSession.close()
    }

    @Test func aServerThatFallsSilentIsNoticedBeforeTheLeaseEnds() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let before = node.told.leases.count
        server.pause()
        try await eventually(within: Self.deadlineSeconds, "outage mode") { node.lease?.state == .outage }
        // Asked in time: there was no gap between the lease and the outage mode.
        #expect(!node.told.leases[before...].contains { if case .frozen = $0.state { true } else { false } })
        server.resume()
        // Its session may have ended meanwhile by the server's clock; then it is a member again with a new boot.
        try await settled([node])
    }

    @Test func membersThatAgreeGoOnAndThoseThatCantHearEachOtherFreeze() async throws {
        let server = try await ZooKeeperServer.start()
        let network = MembershipNetwork()
        defer { network.removeAll() }
        let nodes = ["a", "b"].map { MembershipNode($0, server: server, network: network) }
        try await settled(nodes)
        let epoch = nodes[0].view?.epoch
        await server.stop()
        try await eventually(within: Self.deadlineSeconds, "outage mode") { nodes.allSatisfy { $0.lease?.state == .outage } }
        network.cut(true)
        try await eventually(within: Self.deadlineSeconds, "frozen") {
            nodes.allSatisfy { if case .frozen = $0.lease?.state { true } else { false } }
        }
        #expect(nodes.allSatisfy { $0.view?.epoch == epoch }, "the view is kept")
        try await server.start()
        try await settled(nodes)
    }

    @Test func anExpiredSessionIsSurvived() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let epoch = try #require(nodes[1].view?.epoch)
        let boot = nodes[0].told.identity?.boot
        let operatorSession = try await openSession(server)
        let stat = try #require(try await operatorSession.exists(Self.paths.member("a")))
        try await server.expireSession(stat.ephemeralOwner)
        try await eventually(within: Self.deadlineSeconds, "a new boot") { nodes[0].told.identity?.boot != boot }
        try await settled(nodes)
        #expect(nodes[1].view?.member("a")?.boot == nodes[0].told.identity?.boot)
        #expect(try #require(nodes[1].view?.epoch) > epoch)
        await operatorSession.close()
    }

    @Test func aNewWeightIsOneEpoch() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let before = nodes[1].told.views.count
        let boot = nodes[0].own?.boot
        try await nodes[0].service.setWeight(5)
        try await eventually(within: Self.deadlineSeconds, "the weight") {
            nodes.allSatisfy { $0.view?.member("a")?.weight == 5 }
        }
        #expect(nodes[1].told.views.count == before + 1)
        #expect(nodes[0].own?.boot == boot)
        #expect(nodes[0].view?.ring.digest == nodes[1].view?.ring.digest)
    }

    @Test func anotherGenerationFreezes() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let boot = node.told.identity?.boot
        let operatorSession = try await openSession(server)
        let real = try await operatorSession.get(Self.paths.ring).data
        let seed = try #require(SipKey(bytes: [UInt8](repeating: 1, count: 16)))
        try await operatorSession.set(Self.paths.ring, data: ClusterDocument(seed: seed, generation: 1).json())
        try await eventually(within: Self.deadlineSeconds, "the alarm") { node.told.alarms.contains { $0.contains("generation") } }
        try await eventually(within: Self.deadlineSeconds, "frozen") { if case .frozen = node.lease?.state { true } else { false } }
        try await operatorSession.set(Self.paths.ring, data: real)
        try await settled([node])
        #expect(node.told.identity?.boot != boot)
        await operatorSession.close()
    }

    @Test func anOwnZnodeThatIsDeletedComesBackWithANewBoot() async throws {
        let server = try await ZooKeeperServer.start()
        let node = MembershipNode("a", server: server)
        try await settled([node])
        let boot = node.told.identity?.boot
        let operatorSession = try await openSession(server)
        try await operatorSession.delete(Self.paths.member("a"))
        try await eventually(within: Self.deadlineSeconds, "a new boot") { node.told.identity?.boot != boot }
        try await settled([node])
        #expect(node.told.alarms.contains { $0.contains("is gone or another's") })
        await operatorSession.close()
    }

    @Test func drainAndGoodbye() async throws {
        let server = try await ZooKeeperServer.start()
        let nodes = ["a", "b"].map { MembershipNode($0, server: server) }
        try await settled(nodes)
        let boot = nodes[0].own?.boot
        nodes[0].service.submit(.membership(.drain))
        try await eventually(within: Self.deadlineSeconds, "no weight") { nodes[1].view?.member("a")?.weight == 0 }
        #expect(nodes[1].view?.member("a")?.boot == boot)
        await nodes[0].service.leave(clearingRoster: true)
        #expect(nodes[0].lease?.mayAct(now: MonotonicClock.nowMilliseconds()) == false)
        try await eventually(within: Self.deadlineSeconds, "it is gone") { nodes[1].view?.members.map(\.id) == ["b"] }
        #expect(try await nodes[1].service.roster().map(\.id) == ["b"])
    }

    @Test func aSessionTimeoutThatZooKeeperDoesNotGrantIsAFailure() async throws {
        let server = try await ZooKeeperServer.start(tickTimeMilliseconds: 500)
        let node = MembershipNode("a", server: server, sessionTimeoutMilliseconds: 300)
        try await eventually(within: Self.deadlineSeconds, "the failure") { node.told.hasEnded }
        #expect(node.told.failure?.message.contains("grants a session time-out of 1000 ms") == true)
    }

    @Test func theDocumentsSessionTimeoutHoldsForEverybody() async throws {
        let server = try await ZooKeeperServer.start()
        let first = MembershipNode("a", server: server)
        try await settled([first])
        let second = MembershipNode("b", server: server, sessionTimeoutMilliseconds: 5_000)
        try await settled([first, second])
    }
}
