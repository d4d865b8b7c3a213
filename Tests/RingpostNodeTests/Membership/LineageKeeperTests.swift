// What a membership asks of a store of copies, and when a node ends because of the answer.
import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct LineageKeeperTests {
    private func member(boot: UInt64, lineage: UInt64 = 7) -> Member {
        Member(id: "a", boot: boot, lineage: lineage, weight: 1, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
    }

    private func service(_ keeper: TestKeeper, servers: String? = nil) -> MembershipService {
        MembershipService(
            configuration: MembershipConfiguration(servers: servers, cluster: "test", me: member(boot: 0, lineage: keeper.lineage)),
            hooks: MembershipHooks(), keeper: keeper, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func aBootIsKeptBeforeItStandsAnywhere() async throws {
        let keeper = TestKeeper()
        for request in [MembershipRequest.makeRosterEntry(member(boot: 3), Life()), .register(member(boot: 4), Life())] {
            try await keeper.prepare(request, generation: 5)
        }
        for request in [MembershipRequest.sync, .readRing, .changeWeight(member(boot: 5))] {
            try await keeper.prepare(request, generation: 5)
        }
        #expect(keeper.kept.withLock { $0 } == [3, 4])
        await #expect(throws: MembershipFailure.self) { try await keeper.prepare(.register(member(boot: 6), Life()), generation: nil) }
    }

    /// Ticks are on their way to the disk under the old one.
    @Test func aLineageThatIsGivenUpEndsTheNode() async throws {
        let service = service(TestKeeper())
        let running = Task { try await service.run() }
        try await eventually(within: 60, "a view") { await service.view != nil }
        await service.perform([.identity(MemberIdentity(id: "a", boot: 1), lineage: 8)])
        await #expect(throws: MembershipFailure.self) { try await running.value }
    }

    @Test func aFailureEndsTheNodeWithItsSentence() async throws {
        for servers in [nil, "127.0.0.1:1"] {
            let service = service(TestKeeper(), servers: servers)
            let running = Task { try await service.run() }
            service.fail(because: "the disk is gone")
            service.fail(because: "and again")
            await #expect(throws: MembershipFailure(message: "the disk is gone")) { try await running.value }
        }
    }

    @Test(.timeLimit(.minutes(2))) func aBootThatCantBeKeptIsNotRegistered() async throws {
        let server = try await ZooKeeperServer.start()
        let service = service(TestKeeper(refusal: "the disk is full"), servers: server.connectString)
        await #expect(throws: MembershipFailure(message: "the disk is full")) { try await service.run() }
        let session = try await openSession(server)
        let paths = ClusterPaths(cluster: "test")
        #expect(try await session.children(of: paths.members).names.isEmpty)
        #expect(try await session.children(of: paths.roster).names.isEmpty)
        await session.close()
    }
}
