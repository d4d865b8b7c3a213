// One owner and its mirror, and nothing that changes: nothing is shown or answered before the whole set has it.
import Testing

@testable import RingpostCore

@Suite struct CommitTests {
    @Test func theFirstRing() {
        let net = InMemoryCluster("abcd")
        net.view(1, "abcd")
        net.run()
        #expect(
            net.steps() == [
                "a>b inquire t1", "a>c inquire t1", "a>d inquire t1", "a<b holdings t1 none", "a<c holdings t1 none",
                "a<d holdings t1 none", "a>b fill t1 t1@0", "a<b ack t1 @0",
            ])
        #expect(net.copies() == ["a t1@0 serves", "b t1@0"])
    }

    @Test func aReceiptWaitsForTheMirror() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.publish(1, at: "a")
        #expect(net.result(1) == "")
        net.run()
        #expect(net.steps() == ["a>b append t1 @1 #1", "a<b ack t1 @1", "a: 1 is #1"])
        net.publish(2, at: "c")
        net.run()
        #expect(net.steps() == ["c>a publish 2", "a>b append t1 @2 #2", "a<b ack t1 @2", "c<a answer #2", "c: 2 is #2"])
        #expect(net.contents("a") == net.contents("b"))
    }

    @Test func aSocketWaitsForTheMirror() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.attach(9, at: "d")
        net.run()
        #expect(net.heard(9) == ["0…0: live"])
        net.hold("a<b")
        net.publish(1, at: "c")
        net.publish(2, at: "a")
        net.run()
        #expect(net.queued("a<b") == ["ack t1 @2", "ack t1 @3"])
        #expect(net.heard(9) == [] && net.result(1) == "" && net.result(2) == "")
        net.letGo()
        net.step("a<b")
        #expect(net.queued("d<a") == ["deliver #1 to 9"], "as far as it is confirmed")
        net.run()
        #expect(net.heard(9) == ["#1", "#2"])
        #expect(net.result(1) == "#2" && net.result(2) == "#1", "2 was the first to arrive")
    }

    @Test func whoIsThereHearsBeforeTheProducerDoes() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.attach(9, at: "a")
        net.run()
        net.trace = []
        net.publish(1, at: "a")
        net.run()
        #expect(net.steps() == ["a>b append t1 @2 #1", "a<b ack t1 @2", "a: socket 9 #1", "a: 1 is #1"])
        guard case .success(let receipt) = net.results[1]?.first else {
            Issue.record("no receipt")
            return
        }
        #expect(receipt.outcome == .delivered && receipt.owner == "a" && receipt.epoch == 1)
    }

    @Test func aSingleMemberAnswersAtOnceAndSaysSo() {
        let net = InMemoryCluster.settled("abcd", "a")
        net.attach(9, at: "a")
        net.publish(1, at: "a")
        #expect(net.result(1) == "#1 alone")
        #expect(net.heard(9) == ["0…0: live", "#1"])
        #expect(net.steps() == ["a: socket 9 0…0: live", "a: socket 9 #1", "a: 1 is #1 alone"], "nothing was said to anybody")
        let routers = InMemoryCluster.settled("abcd", "a", messages: 1)
        routers.view(2, "a", without: "bcd")
        routers.run()
        routers.publish(1, at: "d")
        routers.run()
        #expect(routers.result(1) == "#2 alone", "members without weight have no copies")
        #expect(routers.copies() == ["a t1@2 serves"])
    }

    @Test func theSecondMemberIsWaitedFor() {
        let net = InMemoryCluster.settled("abcd", "a", messages: 3)
        net.attach(9, at: "a")
        #expect(net.heard(9) == ["0…3: #1 #2 #3 live"])
        net.cut("a>b")
        net.view(2, "ab")
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "" && net.heard(9) == [], "two have weight, so two must have it")
        net.dial("a", "b")
        net.run()
        #expect(net.result(1) == "#4" && net.heard(9) == ["#4"])
        #expect(net.contents("a") == net.contents("b"))
        net.view(3, "a")
        net.publish(2, at: "a")
        #expect(net.result(2) == "#5 alone")
    }

    @Test func repeatsWaitForTheFirst() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.hold("a<b")
        net.publish(1, at: "a", idempotency: 7)
        net.publish(2, at: "c", idempotency: 7)
        net.run()
        #expect(net.result(1) == "" && net.result(2) == "")
        net.letGo()
        net.run()
        #expect(net.result(1) == "#1" && net.result(2) == "#1 again")
        net.publish(3, at: "d", idempotency: 7)
        net.publish(4, at: "d", net.key(2), idempotency: 7)
        net.run()
        #expect(net.result(3) == "#1 again" && net.result(4) == "#1", "another mailbox")
        #expect(net.contents("a") == net.contents("b"))
        #expect(net.contents("b").receiptCount == 2)
    }

    @Test func aRefusedMessageHoldsBackItsStream() {
        var limits = ShardLimits()
        limits.mailbox.windowEntriesMax = 1
        let net = InMemoryCluster.settled("abcd", "abcd", limits: limits)
        for number: UInt64 in 1...3 { net.publish(number, at: "a", idempotency: number, stream: 5) }
        net.publish(4, at: "a", stream: 5)
        net.publish(5, at: "a", stream: 6)
        net.pass(50)
        #expect((1...5).map { net.result($0) } == ["#1", "window_full", "retry", "retry", "#2"])
        net.publish(6, at: "a", stream: 5, restarts: true)
        net.run()
        #expect(net.result(6) == "#3")
    }
}
