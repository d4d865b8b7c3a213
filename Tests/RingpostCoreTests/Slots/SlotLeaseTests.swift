// Without the right to act nothing is acknowledged, answered or shown; everything is kept, and goes on when the right is back.
import Testing

@testable import RingpostCore

@Suite struct SlotLeaseTests {
    @Test func anOwnerReadsTheClockAfterTheMirrorsAnswer() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.attach(9, at: "a")
        net.run()
        #expect(net.heard(9) == ["0…0: live"])
        net.lease("a", until: net.time + 10)
        net.publish(1, at: "a")
        net.publish(2, at: "c")
        net.step("c>a")
        net.time += 10
        net.run()
        #expect(net.result(1) == "" && net.result(2) == "" && net.heard(9) == [])
        #expect(net.nodes["a"]?.machine.lease.uncommitted == [net.slot])
        net.publish(3, at: "a")
        net.attach(10, at: "a")
        net.run()
        #expect(net.result(3) == "frozen" && net.heard(10) == ["frozen"])
        net.lease("a")
        net.run()
        #expect(net.result(1) == "#1" && net.result(2) == "#2" && net.heard(9) == ["#1", "#2"])
        net.publish(4, at: "a")
        net.run()
        #expect(net.result(4) == "#3")
    }

    /// Also when one look at the clock commits all of it: "from now on" is before the publish that came after.
    @Test func whoAttachesFirstGetsWhatIsPublishedNext() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.lease("a", until: net.time + 10)
        net.attach(9, at: "a")
        net.publish(1, at: "a")
        net.time += 10
        net.run()
        #expect(net.heard(9) == [] && net.result(1) == "")
        net.lease("a")
        net.run()
        #expect(net.heard(9) == ["0…0: live", "#1"] && net.result(1) == "#1")
    }

    @Test func theEndIsNotPartOfTheLease() {
        let net = InMemoryCluster.settled("abcd", "a")
        net.lease("a", until: net.time + 10)
        net.time += 9
        net.publish(1, at: "a")
        net.time += 1
        net.publish(2, at: "a")
        #expect(net.result(1) == "#1 alone" && net.result(2) == "frozen")
    }

    @Test func aMirrorWithoutALeaseConfirmsNothing() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.lease("b", until: net.time)
        net.publish(1, at: "a")
        net.publish(2, at: "a")
        net.run()
        #expect(net.copy("b") == "t1@2" && net.result(1) == "")
        net.lease("b")
        #expect(net.queued("a<b") == ["ack t1 @2"], "once, for all of it")
        net.run()
        #expect(net.result(1) == "#1" && net.result(2) == "#2")
    }

    @Test func whatAMirrorOwesIsForgottenWithTheTerm() {
        let net = InMemoryCluster.settled("abcd", "bcd")
        net.lease("c", until: net.time)
        net.publish(1, at: "b")
        net.run()
        net.hold("a<b", "a<c", "a<d")
        net.view(2, "abcd")
        net.run()
        net.lease("c")
        #expect(net.queued("b<c") == [], "it has promised not to go on with term 1")
        net.letGo()
        net.pass(50)
        #expect(net.result(1) == "#1" && net.copies() == ["a t2@1 serves", "b t2@1"])
    }

    @Test func questionsAndReleasesAreAnsweredWithoutALease() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        for id in ["b", "c", "d"] { net.lease(id, until: net.time) }
        net.view(2, "abcd")
        net.run()
        #expect(net.copies() == ["a t2@2 owns", "b t2@2", "c t2@2"])
        net.lease("b")
        net.run()
        #expect(net.copy("a") == "t2@2 owns", "c's copy counts until it is released, and it can't be yet")
        net.lease("c")
        net.hold("a>c release")
        net.run()
        #expect(net.copy("a") == "t2@2 serves")
        net.lease("c", until: net.time)
        net.letGo()
        net.run()
        #expect(net.copies() == ["a t2@2 serves", "b t2@2"])
    }

    @Test func aNewOwnerWithoutALeaseWaits() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.lease("a", until: net.time)
        net.view(2, "abcd")
        net.publish(1, at: "a")
        net.attach(9, at: "a")
        net.run()
        #expect(net.copies() == ["a t2@2 owns", "b t2@2", "c t2@2"])
        #expect(net.result(1) == "frozen" && net.heard(9) == ["frozen"])
        net.lease("a")
        net.run()
        #expect(net.copies() == ["a t2@2 serves", "b t2@2"])
        net.attach(10, at: "a")
        net.run()
        #expect(net.heard(10) == ["0…2: #1 #2 live"])
    }
}
