// What a node makes of what its peers say of themselves.

import Testing

@testable import RingpostCore

@Suite struct PeerTableTests {
    private static let a = MembershipScript.member("a", boot: 1, weight: 0)
    private static let b = MembershipScript.b
    private static let c = MembershipScript.member("c", boot: 3)

    private func table(shardCount: Int = 1) throws -> (PeerTable, MembershipView) {
        let view = try MembershipScript.view(10, Self.a, Self.b, Self.c)
        var table = PeerTable(shardCount: shardCount)
        table.apply(view, own: Self.a.identity)
        return (table, view)
    }

    private func standing(
        _ view: MembershipView, epoch: UInt64? = nil, digest: UInt64? = nil, reachesZooKeeper: Bool = true, isLeaving: Bool = false,
        isDraining: Bool = false
    ) -> LinkStanding {
        LinkStanding(
            epoch: epoch ?? view.epoch, digest: digest ?? view.ring.digest, reachesZooKeeper: reachesZooKeeper, isLeaving: isLeaving,
            isDraining: isDraining)
    }

    @Test func aPeerIsReachedWhenEveryShardIsLinkedWithIt() throws {
        var (table, _) = try table(shardCount: 2)
        #expect(table.unreachable == [Self.b.identity, Self.c.identity])
        table.setLinked([Self.b.identity, Self.c.identity], ofShard: 0, own: Self.a.identity)
        #expect(table.unreachable == [Self.b.identity, Self.c.identity])
        table.setLinked([Self.b.identity], ofShard: 1, own: Self.a.identity)
        #expect(table.unreachable == [Self.c.identity])
        #expect(!table.isLinkedWithAll(own: Self.a.identity))
        table.setLinked([Self.b.identity, Self.c.identity], ofShard: 1, own: Self.a.identity)
        #expect(table.isLinkedWithAll(own: Self.a.identity))
    }

    @Test func whoGoesIsNoPlaceForClients() throws {
        var (table, view) = try table()
        #expect(table.elsewhere(view, own: "a") == ["c.test:8080"], "it owns something")
        #expect(table.onStanding(standing(view, isDraining: true), of: Self.c.identity, now: 0).isEmpty)
        #expect(table.elsewhere(view, own: "a") == ["b.test:8080"])
        #expect(table.onStanding(standing(view), of: Self.c.identity, now: 1).isEmpty)
        #expect(table.elsewhere(view, own: "a") == ["c.test:8080"])
        let events = table.onStanding(standing(view, isLeaving: true), of: Self.b.identity, now: 2)
        guard case .saidGoodbye(Self.b.identity) = events.first else {
            Issue.record("nobody hears of the goodbye: \(events)")
            return
        }
        #expect(events.count == 1)
        #expect(table.going == [Self.b.identity])
    }

    @Test func theSameEpochWithAnotherRingIsNeverIgnored() throws {
        var (table, view) = try table()
        let events = table.onStanding(standing(view, digest: 7), of: Self.b.identity, query: 4, now: 0)
        guard case .membership(.peerDiffers(Self.b.identity, 10, 7)) = events.first else {
            Issue.record("nobody hears of the difference: \(events)")
            return
        }
        guard case .outageAnswered(Self.b.identity, 4, 10, true) = events.last else {
            Issue.record("the question is not answered: \(events)")
            return
        }
        #expect(events.count == 2)
        #expect(table.onStanding(standing(view, epoch: 9, digest: 7), of: Self.b.identity, now: 1).isEmpty, "another epoch's ring")
    }

    @Test func whoIsBehindIsSentTheListOnceAnEpoch() throws {
        let (table, view) = try table()
        var told: UInt64 = 0
        #expect(table.news(for: standing(view), told: &told) == nil)
        #expect(table.news(for: standing(view, epoch: 9), told: &told) == view)
        #expect(table.news(for: standing(view, epoch: 9), told: &told) == nil)
        // It drops a list that comes before it knows that its session is disconnected.
        #expect(table.news(for: standing(view, epoch: 9, reachesZooKeeper: false), told: &told) == view)
        #expect(table.news(for: standing(view, epoch: 9, reachesZooKeeper: false), told: &told) == view)
        #expect(table.news(for: standing(view, reachesZooKeeper: false), told: &told) == nil, "it is not behind")
    }

    @Test func aRefusedBootIsForgottenWhenItHasLeft() throws {
        var (table, _) = try table()
        table.refuse(Self.b.identity)
        #expect(table.isRefused(Self.b.identity))
        table.apply(try MembershipScript.view(11, Self.a, Self.c), own: Self.a.identity)
        #expect(!table.isRefused(Self.b.identity))
    }
}
