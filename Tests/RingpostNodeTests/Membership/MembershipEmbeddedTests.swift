// A node without ZooKeeper is a cluster of its own.

import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct MembershipEmbeddedTests {
    private final class Told: Sendable {
        let views = Mutex<[MembershipView]>([])
        let leases = Mutex<[Lease]>([])
    }

    /// Which would be asked on, beside, for as long as nobody answers.
    @Test func aQuestionBesideTakesThePlaceOfTheOneBefore() async throws {
        let me = Member(id: "a", boot: 1, weight: 1, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
        // Nobody listens there.
        let service = MembershipService(
            configuration: MembershipConfiguration(servers: "127.0.0.1:1", cluster: "test", me: me), hooks: MembershipHooks(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let question = NodeAction.askAfresh(session: 1, me, limitMilliseconds: 60_000)
        await service.perform(question)
        let first = try #require(await service.asking)
        await service.perform(question)
        let second = try #require(await service.asking)
        #expect(first.isCancelled && !second.isCancelled)
        second.cancel()
        for task in [first, second] { await task.value }
    }

    /// Names are placed as before, and no epoch comes twice: copies know the ones that were.
    @Test func aRingThatWasThereGoesOn() async throws {
        let me = Member(id: "a", boot: 0, lineage: 5, weight: 3, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
        var configuration = MembershipConfiguration(servers: nil, cluster: "test", me: me)
        let before = configuration.proposal()
        configuration.ring = LoneRing(seed: before.seed, generation: before.generation, epoch: 41)
        let service = MembershipService(
            configuration: configuration, hooks: MembershipHooks(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let running: Void = service.run()
        try await eventually(within: 120, "the view") { await service.view != nil }
        let view = try #require(await service.view)
        #expect(view.epoch == 42 && view.document == before)
        await service.leave(clearingRoster: true)
        try await running
    }

    @Test func itIsAMemberAtOnceAndForever() async throws {
        let told = Told()
        let me = Member(id: "a", boot: 0, weight: 3, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
        var hooks = MembershipHooks()
        hooks.onView = { view in told.views.withLock { $0.append(view) } }
        hooks.onLease = { lease in told.leases.withLock { $0.append(lease) } }
        let service = MembershipService(
            configuration: MembershipConfiguration(servers: nil, cluster: "test", me: me), hooks: hooks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let running: Void = service.run()
        try await eventually(within: 120, "the view") { told.views.withLock { $0.count } == 1 }
        let first = try #require(told.views.withLock { $0.first })
        #expect(first.epoch == 1)
        #expect(first.slotsOwned == 65_536)
        #expect(first.own?.boot != 0)
        #expect(told.leases.withLock { $0 } == [.forever])
        try await service.setWeight(0)
        try await eventually(within: 120, "the second view") { told.views.withLock { $0.count } == 2 }
        let second = try #require(told.views.withLock { $0.last })
        #expect(second.epoch == 2)
        #expect(second.owner(ofSlot: 0) == nil)
        #expect(second.hasher == first.hasher)
        await service.leave(clearingRoster: true)
        try await running
    }
}
