// Sessions end and processes go on: copies are kept, told of, taken by the next owner when they are certainly the best there is, and
// released when they are not needed.
import Testing

@testable import RingpostCore

@Suite struct LineageTests {
    private static func settled(_ members: String, fault: GuardFault? = nil, messages: UInt64 = 2) -> InMemoryCluster {
        var limits = ShardLimits()
        limits.faults = fault.map { [$0] } ?? []
        return InMemoryCluster.settled("abcd", members, messages: messages, limits: limits, keepsCopies: true)
    }

    /// b is away while a goes on with c and then hands over to c and d, which die: b is back with a copy that was good once.
    static func staleCopyAndAReleasedOne(_ fault: GuardFault?) -> InMemoryCluster {
        let net = settled("abcd", fault: fault)
        net.ruling = nil
        net.newSession("b", hadPredecessor: false)
        net.view(2, "acd")
        net.run()
        net.view(3, "cd", without: "a")
        net.run()
        net.publish(1, at: "c")
        net.run()
        net.kill("c")
        net.kill("d")
        net.view(7, "ab")
        net.run()
        return net
    }

    /// a has fetched the copy, and those that had it lose their sessions before they hear that it goes on from there.
    static func newcomerWithoutItsSource(_ fault: GuardFault?) -> InMemoryCluster {
        let net = settled("bcd", fault: fault)
        net.ruling = nil
        net.hold("a>b adopt", "a>c adopt", "a>b fill", "a>c fill")
        net.view(2, "abcd")
        net.run()
        net.newSession("b", hadPredecessor: false)
        net.newSession("c", hadPredecessor: false)
        net.letGo()
        net.view(3, "ad")
        net.run()
        return net
    }

    @Test func allSessionsEndAndAllReturn() {
        let net = Self.settled("abcd")
        for id in ["a", "b", "c", "d"] { net.newSession(id, hadPredecessor: false) }
        net.view(2, "abcd")
        net.publish(1, at: "d")
        net.run()
        #expect(net.copies() == ["a t2@3 serves", "b t2@3"] && net.result(1) == "#3")
        #expect(net.history("b") == [1_000, 1_001, 1])
    }

    /// All sessions have ended, and b, which may have more, is not back.
    static func ownerWithoutItsMirror(_ fault: GuardFault?) -> InMemoryCluster {
        let net = settled("abcd", fault: fault)
        net.ruling = nil
        for id in ["a", "b", "c", "d"] { net.newSession(id, hadPredecessor: false) }
        net.view(2, "ac")
        net.run()
        return net
    }

    @Test func whoReturnsLateIsAskedToo() {
        let net = Self.ownerWithoutItsMirror(nil)
        #expect(net.copies() == ["a t1@2", "b t1@2"], "b may have more")
        // Also where the slot does not move with it.
        net.view(3, "ac", without: "b")
        net.publish(1, at: "c")
        net.run()
        #expect(net.copies() == ["a t2@3 serves", "c t2@3"], "the one that is not needed any more is released")
        #expect(net.result(1) == "#3" && net.history("c") == [1_000, 1_001, 1])
    }

    @Test func aMemberThatHasNoCopyFetchesTheBest() {
        let net = Self.settled("bcd")
        for id in ["a", "b", "c", "d"] { net.newSession(id, hadPredecessor: false) }
        net.view(2, "abcd")
        net.publish(1, at: "d")
        net.run()
        #expect(net.copies() == ["a t2@3 serves", "b t2@3"] && net.history("a") == [1_000, 1_001, 1])
    }

    /// The owner hears of the copy before it has dialled who has it, and an epoch comes in between.
    @Test func aCopyIsReleasedOnceItsHolderIsDialled() {
        let net = Self.settled("abcd")
        net.newSession("b", hadPredecessor: false, othersDial: false)
        net.view(2, "acd", without: "b")
        net.run()
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "c t1@2"])
        net.view(3, "ac", without: "b")
        net.run()
        net.dial("a", "b")
        net.run()
        #expect(net.copies() == ["a t1@2 serves", "c t1@2"])
    }

    @Test func theMirrorGoesOnAloneAndTheOldOwnersCopyIsReleased() {
        let net = Self.settled("abcd")
        net.hold("a>b")
        net.publish(1, at: "a")
        net.run()
        net.newSession("a", hadPredecessor: false)
        net.letGo()
        net.view(2, "bcd")
        net.publish(2, at: "d")
        net.run()
        #expect(net.copies() == ["a t1@3", "b t2@4 serves", "c t2@4"])
        net.view(3, "bcd", without: "a")
        net.run()
        #expect(net.copies() == ["b t2@4 serves", "c t2@4"])
        #expect(net["a"].copy.evidence?.term == 2 && net["a"].copy.evidence?.set.lineages.count == 2)
    }

    /// The old owner's tail was never confirmed, and the mirror goes on from it all the same when both are there.
    @Test func aRetainedTailAboveAPromotableMirror() {
        let net = Self.settled("abcd")
        net.hold("a>b")
        net.publish(1, at: "a")
        net.run()
        net.newSession("a", hadPredecessor: false)
        net.letGo()
        net.view(2, "bcd", without: "a")
        net.publish(2, at: "d")
        net.run()
        #expect(net.copies() == ["b t2@4 serves", "c t2@4"])
        #expect(net.history("c") == [1_000, 1_001, 1, 2])
    }

    @Test func aCopyWhoseMirrorIsGoneIsNotCertain() {
        let net = Self.settled("abcd")
        net.ruling = nil
        net.newSession("a", hadPredecessor: false)
        net.restart("b")
        net.view(2, "abcd")
        net.run()
        #expect(net.copies() == ["a t1@2"])
        net.ruling = 0
        net.view(3, "abcd")
        net.publish(1, at: "a")
        net.pass(1_100)
        #expect(net.copies() == ["a t2@1 serves", "b t2@1"] && net.result(1) == "#1")
    }

    @Test func anotherLineageBeginsWithNothing() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.newSession("b", hadPredecessor: false)
        #expect(net.copies() == ["a t1@2 serves"])
    }

    @Test func whoIsInTheSetIsTold() {
        let net = Self.settled("acd")
        net.view(2, "abcd")
        net.run()
        #expect(net.copies() == ["a t1@2 serves", "b t1@2"])
        #expect(net["b"].copy.set.lineages.count == 2 && net["a"].copy.set.lineages.count == 2)
        #expect(net["c"].copy.state == .none && net["c"].copy.evidence?.set.lineages.sorted() == net["b"].copy.set.lineages.sorted())
    }
}
