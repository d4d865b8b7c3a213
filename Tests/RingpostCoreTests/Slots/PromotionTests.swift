// The owner dies: its mirror goes on with all that was acknowledged, and what was not is sent again by whoever let it in.
import Testing

@testable import RingpostCore

@Suite struct PromotionTests {
    @Test func theMirrorGoesOn() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.kill("a")
        net.trace = []
        net.view(2, "bcd")
        net.run()
        #expect(
            net.steps() == [
                "b>c inquire t2", "b>d inquire t2", "b<c holdings t2 none", "b<d holdings t2 none", "b>c fill t2 t2@2", "b<c ack t2 @2",
            ])
        #expect(net.copies() == ["b t2@2 serves", "c t2@2"])
        net.publish(1, at: "d")
        net.attach(9, at: "d")
        net.run()
        #expect(net.result(1) == "#3" && net.heard(9) == ["0…3: #1 #2 #3 live"])
    }

    @Test func aRepeatThatWaitsForThePromotionIsInTime() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.publish(1, at: "d", idempotency: 7)
        net.run()
        net.pass(25_000)
        net.kill("a")
        net.pass(3_000)
        net.publish(2, at: "d", idempotency: 7)
        net.pass(5_000)
        #expect(net.result(2) == "", "it waits")
        net.view(2, "bcd")
        net.pass(1_000)
        #expect(net.result(1) == "#1" && net.result(2).hasPrefix("#1"), "33 s after the first, and asked for 28 s after it")
        net.publish(3, at: "d", idempotency: 7)
        net.run()
        #expect(net.result(3) == "#2", "asked for after its time")
    }

    /// Both were under way when the owner died; the one was answered before, under its key, and the other never was.
    @Test func whoRepeatsIsToldSoAlsoByANewOwner() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.publish(1, at: "d", idempotency: 7, publishedAt: 100)
        net.run()
        #expect(net.result(1) == "#1")
        net.hold("d<a")
        net.publish(2, at: "d", idempotency: 7, publishedAt: 200)
        net.publish(3, at: "d", idempotency: 8, publishedAt: 300)
        net.run()
        net.kill("a")
        net.letGo()
        net.view(2, "bcd")
        net.pass(100)
        #expect(net.result(2) == "#1 again" && net.result(3) == "#2")
    }

    @Test func theMirrorKnowsWhenAUserWasLastThere() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.attach(9, at: "a")
        net.run()
        net.pass(60_000)
        let gone = net.now("b").wall
        net.detach(9, at: "a")
        net.pass(100)
        net.kill("a")
        net.view(2, "bcd")
        net.pass(20_000)
        #expect(net.nodes["b"]?.machine.summary(of: net.key())?.lastSeen == gone)
    }

    @Test func theTailIsConfirmedBeforeItIsShown() throws {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.attach(9, at: "d")
        net.run()
        guard case .attached(let reply) = net.takeHeard(9).last else { throw Unexpected(net.trace) }
        net.hold("a<b")
        net.publish(1, at: "d")
        net.run()
        net.kill("a")
        #expect(net.heard(9) == ["detached"] && net.result(1) == "", "it was not shown to anybody")
        net.hold("b<c ack")
        net.view(2, "bcd")
        net.attach(10, at: "d", from: .after(Cursor(incarnation: reply.incarnation, sequence: 2)))
        net.run()
        #expect(net.copies() == ["b t2@5 owns", "c t2@5"], "2 messages, a step for the attachment, the tail, and another attachment")
        #expect(net.heard(10) == [] && net.result(1) == "", "the promoted one may not show it yet")
        #expect(net.nodes["b"]?.machine.summary(of: net.key()) == nil, "not to an operator either")
        net.letGo()
        net.pass(100)
        #expect(net.heard(10) == ["2…3: #3 live"])
        #expect(net.result(1) == "#3", "tried again, and found where it is")
        #expect(net.trace.contains("d>b publish 1 maybe again restarts"))
        #expect(net.copies() == ["b t2@5 serves", "c t2@5"])
        #expect(net.nodes["b"]?.machine.summary(of: net.key())?.historyMessages == 3)
    }

    @Test func whatTheMirrorHasNotGotIsAppendedByTheRetry() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.hold("a>b")
        for number: UInt64 in 1...3 { net.publish(number, at: "d", stream: 5) }
        net.publish(4, at: "c", idempotency: 4)
        net.run()
        net.kill("a")
        net.letGo()
        net.view(2, "bcd")
        net.pass(100)
        #expect((1...4).map { net.result($0) } == ["#4", "#5", "#6", "#3"], "in order on the stream")
        #expect(net.contents("b") == net.contents("c"))
        #expect(net.history("b").count == 6)
    }

    @Test func aPartOfTheTailIsThere() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.hold("a<b")
        for number: UInt64 in 1...2 { net.publish(number, at: "d", stream: 5) }
        net.run()
        net.hold("a>b")
        for number: UInt64 in 3...4 { net.publish(number, at: "d", stream: 5) }
        net.run()
        net.kill("a")
        net.letGo()
        net.view(2, "bcd")
        net.pass(100)
        #expect((1...4).map { net.result($0) } == ["#1", "#2", "#3", "#4"], "in order, and none of them twice")
        #expect(net.history("b").count == 4)
    }

    @Test func aRepeatAfterThePromotionGetsTheFirstReceipt() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.publish(1, at: "d", idempotency: 7)
        net.run()
        net.hold("a<b")
        net.publish(2, at: "d", idempotency: 8)
        net.run()
        net.kill("a")
        net.letGo()
        net.hold("b<c")
        net.view(2, "bcd")
        net.publish(3, at: "c", idempotency: 7)
        net.publish(4, at: "c", idempotency: 8)
        net.pass(100)
        #expect((1...4).map { net.result($0) } == ["#1", "", "", ""], "not before it is confirmed")
        net.letGo()
        net.pass(100)
        // Whether the receipt says "repeated" depends on whether they had to wait on the way: then they may have been there already.
        #expect((1...4).map { net.result($0).prefix(2) } == ["#1", "#2", "#1", "#2"])
    }

    @Test func deathAfterDeathLosesNothing() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        for (epoch, victim, rest) in [(2 as UInt64, "a", "bcd"), (3, "b", "cd"), (4, "c", "d")] {
            net.publish(epoch, at: "d")
            net.run()
            net.kill(victim)
            net.view(epoch, rest)
            net.run()
        }
        net.publish(9, at: "d")
        net.attach(9, at: "d")
        #expect((2...4).map { net.result($0) } == ["#2", "#3", "#4"])
        #expect(net.result(9) == "#5 alone" && net.heard(9) == ["0…5: #1 #2 #3 #4 #5 live"])
    }

    @Test func theOwnerComesBackAsSomebodyElse() {
        let net = InMemoryCluster.settled("abcd", "abc", messages: 2)
        net.restart("a")
        net.trace = []
        net.view(2, "abc")
        net.run()
        #expect(net.copies() == ["a t2@2 serves", "b t2@2"], "what its namesake had is fetched from the mirror")
        #expect(net.contents("a") == net.contents("b"))
        let session = InMemoryCluster.settled("abcd", "abc", messages: 2)
        session.newSession("b")
        session.view(2, "abc")
        session.run()
        #expect(session.copies() == ["a t1@2 serves", "b t1@2"], "the mirror's copy is void, and sent anew")
        #expect(session.contents("a") == session.contents("b"))
    }

    @Test func theMirrorsDeathMakesTheNextOneTheMirror() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.kill("b")
        net.publish(1, at: "c")
        net.run()
        #expect(net.result(1) == "", "waits until its session ends")
        net.trace = []
        net.view(2, "acd")
        net.run()
        #expect(net.steps() == ["a>c fill t1 t1@3", "a<c ack t1 @3", "c<a answer #3", "c: 1 is #3"])
        #expect(net.copies() == ["a t1@3 serves", "c t1@3"])
    }
}

struct Unexpected: Error {
    let trace: [String]
    init(_ trace: [String]) { self.trace = trace }
}
