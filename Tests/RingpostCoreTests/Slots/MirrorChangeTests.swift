// The mirror changes while the owner stays: nothing stops before the new one is complete, and the old one goes only then.
import Testing

@testable import RingpostCore

@Suite struct MirrorChangeTests {
    /// a owns the slot, c mirrors it, and b is to come between the two.
    private func beforeTheJoin(slots: Int = 1, limits: ShardLimits = ShardLimits()) -> InMemoryCluster {
        let net = InMemoryCluster.settled("abcd", "acd", messages: 2, slots: slots, limits: limits)
        #expect(net.copies() == ["a t1@2 serves", "c t1@2"])
        return net
    }

    @Test func theOldOneGoesWhenTheNewOneIsComplete() {
        let net = beforeTheJoin()
        net.view(2, "abcd")
        net.run()
        #expect(net.steps() == ["a>b fill t1 t1@2", "a<b ack t1 @2", "a>c release t1", "a<c released t1"])
        #expect(net.copies() == ["a t1@2 serves", "b t1@2"])
        #expect(net.contents("a") == net.contents("b"))
    }

    @Test func theOldOneConfirmsUntilTheNewOneCanBeReached() {
        let net = beforeTheJoin()
        net.cut("a>b")
        net.view(2, "abcd")
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "#3")
        #expect(net.copies() == ["a t1@3 serves", "c t1@3"])
        net.dial("a", "b")
        net.run()
        #expect(net.copies() == ["a t1@3 serves", "b t1@3"])
    }

    @Test func bothAreWaitedForFromTheCopyOn() {
        let net = beforeTheJoin()
        net.hold("a<b", "a<c")
        net.view(2, "abcd")
        net.publish(1, at: "a")
        net.run()
        #expect(net.queued("a<b") == ["ack t1 @2", "ack t1 @3"] && net.queued("a<c") == ["ack t1 @3"])
        net.step("a<c")
        #expect(net.result(1) == "", "the new one may have it and be promoted, so it counts before it has confirmed")
        net.step("a<b")
        net.publish(2, at: "a")
        net.step("a<b")
        #expect(net.result(1) == "", "and the old one still counts: its copy is longer than some")
        net.letGo()
        net.run()
        #expect(net.result(1) == "#3" && net.result(2) == "#4")
        #expect(net.copies() == ["a t1@4 serves", "b t1@4"])
    }

    @Test func aReleaseIsWaitedFor() {
        let net = beforeTheJoin()
        net.hold("a<c released")
        net.view(2, "abcd")
        net.run()
        #expect(net.queued("a<c") == ["released t1"])
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "", "as long as it is not known to be gone, somebody could go on from that copy")
        net.letGo()
        net.run()
        #expect(net.result(1) == "#3")
        let without = beforeTheJoin()
        without.hold("a<c released")
        without.view(2, "abcd")
        without.publish(1, at: "a")
        without.run()
        without.kill("c")
        without.view(3, "abd")
        #expect(without.result(1) == "#3", "or until its member has left")
    }

    /// Cut off, its copy may be void and the new mirror gone: then the one that was to be released has the last one.
    @Test func anOwnerThatMayNotActReleasesNobody() {
        let net = beforeTheJoin()
        net.hold("a>c")
        net.view(2, "abcd")
        net.run()
        #expect(net.queued("a>c") == ["release t1"])
        net.cut("a>c")
        net.letGo()
        net.lease("a", until: net.time)
        net.dial("a", "c")
        net.pass(1_000)
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "c t1@2"])
        net.lease("a")
        net.run()
        #expect(net.copies() == ["a t1@2 serves", "b t1@2"])
    }

    @Test func whatWasReleasedIsNoCopy() {
        let net = beforeTheJoin()
        net.hold("a<c released")
        net.view(2, "abcd")
        net.run()
        net.kill("a")
        net.kill("b")
        net.view(3, "cd")
        net.run()
        #expect(net.copies() == ["c t3@0 serves", "d t3@0"], "nothing is left, and nothing stale is taken for something")
    }

    @Test func theMirrorThatIsReleasedBecomesTheMirrorAgain() {
        let net = beforeTheJoin()
        net.hold("a>c")
        net.view(2, "abcd")
        net.run()
        #expect(net.queued("a>c") == ["release t1"])
        net.kill("b")
        net.view(3, "acd")
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "")
        net.letGo()
        net.trace = []
        net.run()
        #expect(net.steps() == ["a>c release t1", "a<c released t1", "a>c fill t1 t1@3", "a<c ack t1 @3", "a: 1 is #3"])
        #expect(net.contents("a") == net.contents("c"))
    }

    @Test func severalNewOnesAfterEachOther() {
        let net = InMemoryCluster.settled("abcd", "ad", messages: 2)
        net.hold("a<c")
        net.view(2, "acd")
        net.publish(1, at: "a")
        net.run()
        net.hold("a<b")
        net.view(3, "abcd")
        net.publish(2, at: "a")
        net.run()
        #expect(net.result(1) == "" && net.result(2) == "")
        net.letGo("a<b")
        net.run()
        #expect(net.result(1) == "", "c has been sent a copy too")
        net.letGo()
        net.run()
        #expect(net.result(1) == "#3" && net.result(2) == "#4")
        #expect(net.copies() == ["a t1@4 serves", "b t1@4"])
    }

    @Test func aLargeCopyComesInPieces() {
        var limits = ShardLimits()
        limits.slots.chunkBytesMax = 500
        let net = InMemoryCluster.settled("abcd", "acd", messages: 5, limits: limits)
        net.publish(1, at: "a", net.key(2), idempotency: 1)
        net.run()
        net.trace = []
        net.view(2, "abcd")
        net.step("a>b")
        net.step("a>b")
        #expect(net.copy("b") == "none", "not before the last piece")
        net.run()
        #expect(net.trace.filter { $0.hasPrefix("a>b fill") }.count > 2)
        #expect(net.contents("a") == net.contents("b"))
        net.kill("a")
        net.restart("a")
        net.view(3, "abcd")
        net.run()
        #expect(net.contents("a") == net.contents("b") && net.contents("a").mailboxes.count == 2)
    }
}
