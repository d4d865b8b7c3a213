// What a receipt says about who was there: the truth, also while slots move and links break, or that it is not known.
import Testing

@testable import RingpostCore

@Suite struct OutcomeTests {
    private func outcome(_ number: UInt64, in net: InMemoryCluster) -> Receipt.Outcome? { try? net.results[number]?.last?.get().outcome }

    @Test func ownersWaitAsLongAsSockets() {
        #expect(SlotLog.settleMilliseconds == SubscriptionMachine.unreachableMillisecondsMax)
    }

    @Test func whoIsThereIsKnownWhereNothingHasMoved() {
        let net = InMemoryCluster("abcd")
        net.view(1, "abcd")
        net.pass(100)
        net.publish(1, at: "c")
        net.publish(2, at: "c", timeToLive: 0)
        net.run()
        #expect(outcome(1, in: net) == .stored && outcome(2, in: net) == .dropped)
        net.attach(9, at: "d")
        net.run()
        net.publish(3, at: "c")
        net.run()
        #expect(outcome(3, in: net) == .delivered)
    }

    /// The attachment waits for the same confirmation as the message.
    @Test func whoAttachesBeforeTheCommitIsThere() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.hold("a<b")
        net.attach(9, at: "d")
        net.run()
        net.publish(1, at: "a")
        net.publish(2, at: "a", timeToLive: 0)
        net.run()
        #expect(net.result(1) == "" && net.heard(9) == [])
        net.letGo()
        net.run()
        #expect(outcome(1, in: net) == .delivered && outcome(2, in: net) == .delivered)
    }

    @Test func aNewOwnerDoesNotKnowWhoIsOnTheWay() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.kill("a")
        net.view(2, "bcd")
        net.run()
        net.publish(1, at: "c")
        net.publish(2, at: "c", timeToLive: 0)
        net.run()
        #expect(outcome(1, in: net) == .unknown && outcome(2, in: net) == .unknown)
        net.attach(9, at: "b")
        net.run()
        net.publish(3, at: "c")
        net.run()
        #expect(outcome(3, in: net) == .delivered)
        net.detach(9, at: "b")
        net.pass(SlotLog.settleMilliseconds)
        net.publish(4, at: "c")
        net.run()
        #expect(outcome(4, in: net) == .stored)
    }

    @Test func anOwnerThatHasLostALinkDoesNotKnowEither() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.publish(1, at: "c", net.key(2))
        net.attach(9, at: "d")
        net.run()
        net.pass(100)
        net.cut("da")
        net.run()
        net.publish(2, at: "c")
        net.publish(3, at: "c", net.key(2))
        net.run()
        #expect(outcome(2, in: net) == .unknown, "its socket may still be there")
        #expect(outcome(3, in: net) == .stored, "and this one was never there")
        net.pass(SlotLog.settleMilliseconds)
        net.publish(4, at: "c")
        net.run()
        #expect(outcome(4, in: net) == .stored)
    }

    @Test func anotherLostLinkDoesNotMakeTheFirstOneForgotten() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.publish(1, at: "c", net.key(2))
        net.attach(9, at: "d")
        net.attach(8, at: "c", net.key(2))
        net.run()
        net.pass(100)
        net.cut("da")
        net.run()
        net.pass(1_000)
        net.cut("ca")
        net.run()
        net.publish(2, at: "b")
        net.run()
        #expect(outcome(2, in: net) == .unknown, "its socket may still be there")
    }

    /// The message was committed, and is in the history, before anybody came.
    @Test func aRepeatSaysWhatBecameOfTheFirst() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.hold("c<a")
        net.publish(1, at: "c", idempotency: 7)
        net.run()
        net.attach(9, at: "d")
        net.run()
        // The answer is lost with its link, and the publish is sent again.
        net.cut("c>a")
        net.letGo()
        net.mend("ca")
        net.run()
        #expect(outcome(1, in: net) == .stored)
    }

    @Test func whoHasGoneBeforeTheCommitIsNotShownIt() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.attach(9, at: "a")
        net.run()
        net.hold("a<b")
        net.publish(1, at: "a")
        net.run()
        net.detach(9, at: "a")
        net.run()
        net.letGo()
        net.run()
        #expect(outcome(1, in: net) == .unknown)
    }
}
