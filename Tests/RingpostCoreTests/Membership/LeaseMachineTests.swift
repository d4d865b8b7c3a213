// The lease and the outage mode as transcripts. S = 6,000, H = 3,000, M = 10,000 unless said otherwise, so syncs are due every
// 1,000 ms, a lease lasts 5,000 ms, queries are due every 1,000 ms, and ZooKeeper counts as away when a sync is without an answer for
// 2,000 ms.

import HashRing
import RingpostCore
import Testing

@Suite struct LeaseMachineTests {
    private static let b = MemberIdentity(id: "b", boot: 2)
    private static let c = MemberIdentity(id: "c", boot: 3)

    private static func document(outageMax: Int = 10_000) throws -> ClusterDocument {
        let seed = try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))
        return ClusterDocument(
            seed: seed, generation: 1, sessionTimeoutMilliseconds: 6_000, heartbeatTimeoutMilliseconds: 3_000,
            outageMaxMilliseconds: outageMax)
    }

    /// Registered at 0 with a sync sent at 0 and answered at 10.
    private static func leased(others: Set<MemberIdentity>, outageMax: Int = 10_000) throws -> LeaseMachine {
        var lease = LeaseMachine(document: try document(outageMax: outageMax), now: 0)
        lease.membersChanged(epoch: 1, others: others, now: 0)
        #expect(lease.registered(now: 0) == [.sendSync(sentAt: 0)])
        #expect(lease.syncAnswered(sentAt: 0, now: 10) == [])
        return lease
    }

    /// The same, and ZooKeeper went away at 100: the first query is number 1, sent at 1,000.
    private static func away(others: Set<MemberIdentity>, outageMax: Int = 10_000) throws -> LeaseMachine {
        var lease = try leased(others: others, outageMax: outageMax)
        #expect(lease.disconnected(now: 100) == [])
        #expect(lease.tick(now: 1_000) == [.askPeers(queryNumber: 1)])
        return lease
    }

    /// Who has gone may rely for H on having been told that this node is without ZooKeeper too.
    @Test func aMemberThatWasToldSoAndHasGoneIsWaitedFor() throws {
        var alone = try Self.away(others: [Self.b])
        _ = alone.outageAnswer(from: Self.b, queryNumber: 1, sameEpoch: true, reachesZooKeeper: false, now: 1_050)
        alone.membersChanged(epoch: 2, others: [], now: 1_200)
        #expect(alone.state(now: 1_200) == .frozen(since: 1_200) && !alone.mayAct(now: 4_199))
        #expect(alone.lease(now: 4_199).actUntil == 1_200 && alone.nextWake(now: 4_199) ?? .max <= 4_200)
        #expect(alone.tick(now: 4_200) == [.askPeers(queryNumber: 2)])
        #expect(alone.mayAct(now: 4_200), "with no others nobody has to agree")
        // With ZooKeeper back just before, too.
        var back = try Self.away(others: [Self.b, Self.c])
        #expect(back.connected(now: 2_000).contains(.sendSync(sentAt: 2_000)))
        _ = back.syncAnswered(sentAt: 2_000, now: 2_010)
        back.membersChanged(epoch: 2, others: [Self.c], now: 2_500)
        #expect(!back.mayAct(now: 5_009) && back.mayAct(now: 5_010))
        // Not for one that has said goodbye, and not for one that takes part no longer than this node has had ZooKeeper.
        var parted = try Self.away(others: [Self.b])
        _ = parted.saidGoodbye(Self.b, now: 1_100)
        parted.membersChanged(epoch: 2, others: [], now: 1_200)
        #expect(parted.mayAct(now: 1_200))
        var drained = try Self.away(others: [Self.b])
        drained.membersChanged(epoch: 2, others: [], idle: [Self.b], now: 1_200)
        #expect(drained.mayAct(now: 1_200))
        var steady = try Self.leased(others: [Self.b])
        for now in stride(from: Int64(1_000), through: 4_000, by: 1_000) {
            _ = steady.tick(now: now)
            _ = steady.syncAnswered(sentAt: now, now: now + 10)
        }
        steady.membersChanged(epoch: 2, others: [], now: 4_500)
        #expect(steady.mayAct(now: 4_500))
    }

    @Test func nothingIsAllowedBeforeTheFirstAnswer() throws {
        var lease = LeaseMachine(document: try Self.document(), now: 500)
        #expect(lease.state(now: 500) == .frozen(since: 500))
        #expect(lease.tick(now: 900) == [], "no member, no sync")
        #expect(lease.nextWake(now: 900) == nil)
        #expect(lease.registered(now: 1_000) == [.sendSync(sentAt: 1_000)])
        #expect(!lease.mayAct(now: 1_000))
        #expect(!lease.reachesZooKeeper(now: 1_000))
        #expect(lease.syncAnswered(sentAt: 1_000, now: 1_020) == [])
        #expect(lease.state(now: 1_020) == .leased)
        #expect(lease.reachesZooKeeper(now: 1_020))
    }

    @Test func theLeaseRunsFromTheSendingAndItsEndIsExclusive() throws {
        var lease = LeaseMachine(document: try Self.document(), now: 0)
        _ = lease.registered(now: 0)
        #expect(lease.syncAnswered(sentAt: 0, now: 900) == [])
        #expect(lease.actUntil == 5_000)
        #expect(lease.mayAct(now: 4_999))
        #expect(!lease.mayAct(now: 5_000))
    }

    @Test func aSyncIsSentEverySixthOfTheSession() throws {
        var lease = try Self.leased(others: [Self.b])
        #expect(lease.nextWake(now: 10) == 1_000)
        #expect(lease.tick(now: 999) == [])
        #expect(lease.tick(now: 1_000) == [.sendSync(sentAt: 1_000)])
        #expect(lease.tick(now: 1_000) == [], "once")
        #expect(lease.syncAnswered(sentAt: 1_000, now: 1_005) == [])
        #expect(lease.actUntil == 6_000)
    }

    @Test func lateAndUnorderedAnswersNeverShortenTheLease() throws {
        var lease = try Self.leased(others: [Self.b])
        #expect(lease.tick(now: 1_000) == [.sendSync(sentAt: 1_000)])
        #expect(lease.tick(now: 2_000) == [.sendSync(sentAt: 2_000)])
        #expect(lease.syncAnswered(sentAt: 2_000, now: 2_100) == [])
        #expect(lease.actUntil == 7_000)
        #expect(lease.syncAnswered(sentAt: 1_000, now: 2_200) == [])
        #expect(lease.actUntil == 7_000)
        #expect(lease.syncAnswered(sentAt: 1_500, now: 2_300) == [], "never sent")
        #expect(lease.actUntil == 7_000)
    }

    @Test func anAnswerOlderThanTheSessionTimeoutLeavesItFrozen() throws {
        var lease = LeaseMachine(document: try Self.document(), now: 0)
        lease.membersChanged(epoch: 1, others: [Self.b], now: 0)
        _ = lease.registered(now: 0)
        _ = lease.syncAnswered(sentAt: 0, now: 6_500)
        #expect(lease.state(now: 6_500) == .frozen(since: 5_000))
    }

    @Test func aFailedSyncProvesNothing() throws {
        var lease = try Self.leased(others: [Self.b])
        #expect(lease.tick(now: 1_000) == [.sendSync(sentAt: 1_000)])
        #expect(lease.syncFailed(sentAt: 1_000, now: 1_010) == [.askPeers(queryNumber: 1)])
        #expect(!lease.reachesZooKeeper(now: 1_010))
        #expect(lease.syncAnswered(sentAt: 1_000, now: 1_020) == [], "it is not under way any more")
        #expect(lease.actUntil == 5_000)
    }

    @Test func syncsWithoutAnswersAreBounded() throws {
        var lease = try Self.leased(others: [Self.b])
        var sent = 0
        for now in stride(from: Int64(1_000), through: 30_000, by: 1_000) {
            sent += lease.tick(now: now).count { if case .sendSync = $0 { true } else { false } }
        }
        #expect(sent == 8)
    }

    @Test func aServerThatFallsSilentCountsAsAwayAfterAThird() throws {
        var lease = try Self.leased(others: [Self.b])
        #expect(lease.tick(now: 1_000) == [.sendSync(sentAt: 1_000)])
        #expect(lease.tick(now: 2_000) == [.sendSync(sentAt: 2_000)])
        #expect(lease.reachesZooKeeper(now: 2_999))
        #expect(!lease.reachesZooKeeper(now: 3_000))
        #expect(lease.tick(now: 3_000) == [.sendSync(sentAt: 3_000), .askPeers(queryNumber: 1)])
    }

    @Test func withoutOthersEveryQueryAnswersItself() throws {
        var lease = try Self.away(others: [])
        #expect(lease.state(now: 4_999) == .leased)
        #expect(lease.tick(now: 5_000) == [.askPeers(queryNumber: 2)])
        #expect(lease.state(now: 5_000) == .outage)
        #expect(lease.actUntil == 8_000, "H after the query was sent")
    }

    @Test func outageModeEndsAtMAfterTheLease() throws {
        var lease = try Self.away(others: [])
        for now in stride(from: Int64(2_000), through: 20_000, by: 1_000) { _ = lease.tick(now: now) }
        #expect(lease.actUntil == 15_000)
        #expect(lease.state(now: 14_999) == .outage)
        #expect(lease.state(now: 15_000) == .frozen(since: 15_000))
    }

    @Test func withoutOutageModeTheLeaseIsAll() throws {
        var lease = try Self.away(others: [], outageMax: 0)
        _ = lease.tick(now: 5_500)
        #expect(lease.state(now: 5_500) == .frozen(since: 5_000))
    }

    @Test func everyOtherMemberMustAgree() throws {
        var lease = try Self.away(others: [Self.b, Self.c])
        #expect(lease.tick(now: 5_000) == [.askPeers(queryNumber: 2)])
        #expect(lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_010) == [])
        #expect(lease.actUntil == 5_000)
        #expect(lease.outageAnswer(from: Self.c, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_900) == [])
        #expect(lease.actUntil == 8_000, "from the sending, not from the answer")
        #expect(lease.state(now: 6_000) == .outage)
        #expect(lease.state(now: 8_000) == .frozen(since: 8_000))
    }

    @Test func answersOfDifferentQueriesDontAddUp() throws {
        var lease = try Self.away(others: [Self.b, Self.c])
        #expect(lease.tick(now: 5_000) == [.askPeers(queryNumber: 2)])
        _ = lease.outageAnswer(from: Self.b, queryNumber: 1, sameEpoch: true, reachesZooKeeper: false, now: 5_010)
        _ = lease.outageAnswer(from: Self.c, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_010)
        #expect(lease.actUntil == 5_000)
    }

    @Test func aLateAnswerCountsForItsOwnQuery() throws {
        var lease = try Self.away(others: [Self.b])
        #expect(lease.tick(now: 4_000) == [.askPeers(queryNumber: 2)])
        #expect(lease.tick(now: 5_000) == [.askPeers(queryNumber: 3)])
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_500)
        #expect(lease.actUntil == 7_000)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 3, sameEpoch: true, reachesZooKeeper: false, now: 5_500)
        #expect(lease.actUntil == 8_000)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 1, sameEpoch: true, reachesZooKeeper: false, now: 5_500)
        #expect(lease.actUntil == 8_000)
    }

    @Test func answersToUnknownQueriesAreIgnored() throws {
        var lease = try Self.away(others: [Self.b])
        for now in stride(from: Int64(2_000), through: 5_000, by: 1_000) { _ = lease.tick(now: now) }
        _ = lease.outageAnswer(from: Self.b, queryNumber: 1, sameEpoch: true, reachesZooKeeper: false, now: 5_000)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 99, sameEpoch: true, reachesZooKeeper: false, now: 5_000)
        #expect(lease.actUntil == 5_000, "the first was forgotten, the last never asked")
    }

    @Test func anotherBootOfAMemberIsNobody() throws {
        var lease = try Self.away(others: [Self.b])
        let reborn = MemberIdentity(id: "b", boot: 9)
        _ = lease.tick(now: 5_000)
        _ = lease.outageAnswer(from: reborn, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_010)
        #expect(lease.actUntil == 5_000)
    }

    @Test func onePeerThatReachesZooKeeperSpoilsTheQuery() throws {
        var lease = try Self.away(others: [Self.b])
        _ = lease.tick(now: 5_000)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: true, now: 5_010)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_020)
        #expect(lease.state(now: 5_500) == .frozen(since: 5_000))
    }

    @Test func anotherEpochEndsOutageModeAtOnceAndFrozenCanGoOnLater() throws {
        var lease = try Self.away(others: [Self.b])
        _ = lease.tick(now: 5_000)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_010)
        #expect(lease.tick(now: 6_500) == [.askPeers(queryNumber: 3)])
        _ = lease.outageAnswer(from: Self.b, queryNumber: 3, sameEpoch: false, reachesZooKeeper: false, now: 6_600)
        #expect(lease.state(now: 6_600) == .frozen(since: 6_600))
        #expect(lease.tick(now: 7_500) == [.askPeers(queryNumber: 4)])
        _ = lease.outageAnswer(from: Self.b, queryNumber: 4, sameEpoch: true, reachesZooKeeper: false, now: 7_510)
        #expect(lease.state(now: 7_510) == .outage)
        #expect(lease.actUntil == 10_500)
    }

    @Test func aNewEpochVoidsWhatWasAgreedAtTheOldOne() throws {
        var lease = try Self.away(others: [Self.b])
        #expect(lease.tick(now: 5_500) == [.askPeers(queryNumber: 2)])
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_510)
        #expect(lease.actUntil == 8_500)
        lease.membersChanged(epoch: 2, others: [Self.b, Self.c], now: 6_100)
        #expect(lease.tick(now: 6_100) == [.askPeers(queryNumber: 3)])
        #expect(lease.state(now: 6_100) == .frozen(since: 6_100))
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 6_110)
        #expect(!lease.mayAct(now: 6_110))
    }

    @Test func whoSaidGoodbyeNeedNotAgree() throws {
        var lease = try Self.away(others: [Self.b, Self.c])
        _ = lease.tick(now: 5_000)
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: false, now: 5_010)
        #expect(lease.saidGoodbye(Self.c, now: 5_100) == [])
        #expect(lease.actUntil == 8_000)
    }

    @Test func theSessionIsGivenUpWhenOthersReachZooKeeper() throws {
        var lease = try Self.away(others: [Self.b])
        #expect(lease.tick(now: 5_000) == [.askPeers(queryNumber: 2)])
        _ = lease.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: true, now: 5_010)
        #expect(lease.tick(now: 11_000) == [.askPeers(queryNumber: 3)], "a query sent before freezing, and not longer than S yet")
        #expect(
            lease.outageAnswer(from: Self.b, queryNumber: 3, sameEpoch: true, reachesZooKeeper: true, now: 11_001)
                == [.closeSession])
        #expect(lease.tick(now: 20_000) == [], "no member any more")
        #expect(lease.state(now: 20_000) == .frozen(since: 5_000))
    }

    @Test func whoWasOutsideForLongIsGivenTimeToBecomeLeased() throws {
        var lease = LeaseMachine(document: try Self.document(), now: 0)
        #expect(lease.registered(now: 60_000) == [.sendSync(sentAt: 60_000)])
        lease.membersChanged(epoch: 2, others: [Self.b], now: 60_001)
        #expect(lease.tick(now: 60_001) == [.askPeers(queryNumber: 1)])
        #expect(lease.outageAnswer(from: Self.b, queryNumber: 1, sameEpoch: true, reachesZooKeeper: true, now: 60_002) == [])
        #expect(lease.syncAnswered(sentAt: 60_000, now: 60_010) == [])
        #expect(lease.state(now: 60_010) == .leased)
        // One that is never confirmed is given up after S, as ever.
        var silent = LeaseMachine(document: try Self.document(), now: 0)
        _ = silent.registered(now: 60_000)
        silent.membersChanged(epoch: 2, others: [Self.b], now: 65_000)
        _ = silent.tick(now: 65_000)
        #expect(
            silent.outageAnswer(from: Self.b, queryNumber: 1, sameEpoch: true, reachesZooKeeper: true, now: 66_000)
                == [.sendSync(sentAt: 66_000), .askPeers(queryNumber: 2)])
        #expect(silent.outageAnswer(from: Self.b, queryNumber: 2, sameEpoch: true, reachesZooKeeper: true, now: 66_001) == [.closeSession])
    }

    @Test func theSessionIsKeptWhileNobodyReachesZooKeeper() throws {
        var lease = try Self.away(others: [Self.b, Self.c])
        for now in stride(from: Int64(2_000), through: 60_000, by: 1_000) {
            #expect(lease.tick(now: now).contains(.closeSession) == false)
        }
        #expect(lease.state(now: 60_000) == .frozen(since: 5_000))
    }

    @Test func aSessionThatSurvivedGoesOn() throws {
        var lease = try Self.away(others: [Self.b])
        _ = lease.tick(now: 7_000)
        #expect(lease.state(now: 7_000) == .frozen(since: 5_000))
        #expect(lease.connected(now: 8_000) == [.sendSync(sentAt: 8_000), .askPeers(queryNumber: 3)])
        #expect(lease.syncAnswered(sentAt: 8_000, now: 8_010) == [])
        #expect(lease.state(now: 8_010) == .leased)
        #expect(lease.actUntil == 13_000)
        #expect(lease.outageAnswer(from: Self.b, queryNumber: 3, sameEpoch: true, reachesZooKeeper: true, now: 8_020) == [])
        #expect(lease.state(now: 12_999) == .leased)
    }

    @Test func anAnswerFromBeforeTheConnectionBrokeIsIgnored() throws {
        var lease = try Self.leased(others: [Self.b])
        #expect(lease.tick(now: 1_000) == [.sendSync(sentAt: 1_000)])
        _ = lease.disconnected(now: 1_100)
        _ = lease.syncAnswered(sentAt: 1_000, now: 1_200)
        #expect(lease.actUntil == 5_000)
    }

    @Test func theEndOfTheSessionEndsLeaseAndOutageAtOnce() throws {
        var lease = try Self.away(others: [])
        _ = lease.tick(now: 5_500)
        #expect(lease.actUntil == 8_500)
        lease.sessionEnded(now: 5_600)
        #expect(lease.state(now: 5_600) == .frozen(since: 5_600))
        #expect(lease.tick(now: 6_600) == [], "a node that is no member asks nobody")
        #expect(lease.registered(now: 7_000) == [.sendSync(sentAt: 7_000)])
        #expect(lease.disconnected(now: 7_100) == [])
        #expect(lease.tick(now: 8_000) == [.askPeers(queryNumber: 3)])
        #expect(lease.state(now: 8_000) == .frozen(since: 5_600), "this session never had a lease to go on with")
    }

    @Test func aClockThatJumpsOverEverythingFreezes() throws {
        var lease = try Self.leased(others: [Self.b])
        #expect(lease.state(now: 1_000_000) == .frozen(since: 5_000))
        #expect(lease.tick(now: 1_000_000) == [.sendSync(sentAt: 1_000_000)])
        #expect(lease.syncAnswered(sentAt: 1_000_000, now: 1_000_001) == [])
        #expect(lease.state(now: 1_000_001) == .leased)
    }
}
