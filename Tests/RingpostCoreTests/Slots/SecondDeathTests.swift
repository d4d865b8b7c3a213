// Somebody dies, or the ring changes once more, while a change is half done: what is complete elsewhere is gone on from.
import Testing

@testable import RingpostCore

@Suite struct SecondDeathTests {
    /// a is about to take the slot over from b, which has one message more than its mirror c has; b's copy is asked for.
    private func halfJoined(chunkBytesMax: Int = 256 * 1_024) -> InMemoryCluster {
        var limits = ShardLimits()
        limits.slots.chunkBytesMax = chunkBytesMax
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 3, limits: limits)
        net.hold("b>c")
        net.publish(1, at: "d")
        net.run()
        net.hold("b>c", "a<b piece")
        net.view(2, "abcd")
        net.run()
        #expect(net.copies() == ["b t1@4", "c t1@3"])
        #expect(net.queued("a<b").first?.hasPrefix("piece t2 t1@4") == true)
        return net
    }

    @Test(arguments: [256 * 1_024, 300]) func theOldOwnerDiesAndTheNextBestCopyIsTaken(chunkBytesMax: Int) {
        let net = halfJoined(chunkBytesMax: chunkBytesMax)
        let pieces = net.queued("a<b").count
        #expect(pieces == (chunkBytesMax == 300 ? 4 : 1))
        for _ in 1..<pieces { net.step("a<b") }
        #expect(net.copy("a") == "none", "not before the last piece")
        net.kill("b")
        net.letGo()
        net.view(3, "acd")
        net.pass(100)
        #expect(net.copies() == ["a t2@4 serves", "c t2@4"])
        #expect(net.result(1) == "#4" && net.history("a") == [1_000, 1_001, 1_002, 1])
        #expect(net.contents("a") == net.contents("c"))
    }

    @Test func theNewOwnerDies() {
        let net = halfJoined()
        net.kill("a")
        net.letGo()
        net.view(3, "bcd")
        net.pass(100)
        #expect(net.copies() == ["b t3@4 serves", "c t3@4"])
        #expect(net.result(1) == "#4" && net.history("c") == [1_000, 1_001, 1_002, 1])
    }

    @Test func bothDie() {
        let net = halfJoined()
        net.kill("b")
        net.kill("a")
        net.letGo()
        net.view(3, "cd")
        net.pass(100)
        #expect(net.copies() == ["c t3@4 serves", "d t3@4"])
        #expect(net.result(1) == "#4" && net.history("d") == [1_000, 1_001, 1_002, 1], "by its router's second try")
    }

    @Test func theOneAfterTheNewOwnerIsAskedForWhatItHas() {
        // a → b → c, all at once: c becomes the owner while a has only begun.
        let net = halfJoined()
        net.view(3, "cd", without: "ab")
        net.letGo()
        net.pass(100)
        #expect(net.copies() == ["c t3@4 serves", "d t3@4"])
        #expect(net.result(1) == "#4" && net.history("c") == [1_000, 1_001, 1_002, 1])
    }

    @Test func thereAndBack() {
        for didBegin in [false, true] {
            let net = halfJoined()
            if didBegin { net.letGo("a<b piece") }
            net.run()
            net.view(3, "bcd", without: "a")
            net.view(4, "abcd")
            net.letGo()
            net.pass(100)
            #expect(net.copies() == ["a t4@4 serves", "b t4@4"])
            #expect(net.result(1) == "#4" && net.history("b") == [1_000, 1_001, 1_002, 1])
        }
    }

    /// c leaves in order, and a, its mirror with a message less, takes over: its own copy is all that is left when c dies.
    @Test func theOwnWorseCopyStaysUntilTheBetterOneIsThere() {
        var limits = ShardLimits()
        limits.slots.chunkBytesMax = 300
        let net = InMemoryCluster.settled("cabd", "abcd", messages: 3, limits: limits)
        net.hold("c>a append")
        net.publish(1, at: "d")
        net.run()
        #expect(net.copies() == ["a t1@3", "c t1@4 serves"])
        net.hold("c>a", "a<c piece")
        net.view(2, "abd", without: "c")
        net.run()
        #expect(net.queued("a<c").count == 4)
        for _ in 0..<3 { net.step("a<c") }
        #expect(net.copy("a") == "t1@3")
        net.kill("c")
        net.letGo()
        net.view(3, "abd")
        net.pass(100)
        #expect(net.copies() == ["a t2@4 serves", "b t2@4"])
        #expect(net.result(1) == "#4" && net.history("b") == [1_000, 1_001, 1_002, 1])
    }

    /// b comes between a and its mirror c.
    private func halfMirrored() -> InMemoryCluster {
        var limits = ShardLimits()
        limits.slots.chunkBytesMax = 300
        let net = InMemoryCluster.settled("abcd", "acd", messages: 3, limits: limits)
        net.view(2, "abcd")
        #expect(net.queued("a>b").count == 3)
        net.step("a>b")
        net.publish(1, at: "d")
        net.step("d>a")
        #expect(net.copies() == ["a t1@4 serves", "c t1@3"])
        return net
    }

    @Test func theNewMirrorDies() {
        let net = halfMirrored()
        net.kill("b")
        net.run()
        #expect(net.result(1) == "", "it might have had it all")
        net.view(3, "acd")
        net.run()
        #expect(net.copies() == ["a t1@4 serves", "c t1@4"] && net.result(1) == "#4")
    }

    @Test func theOwnerDiesBeforeItsNewMirrorIsComplete() {
        let net = halfMirrored()
        net.kill("a")
        net.view(3, "bcd")
        net.pass(100)
        #expect(net.copies() == ["b t3@4 serves", "c t3@4"])
        #expect(net.result(1) == "#4" && net.history("b") == [1_000, 1_001, 1_002, 1])
    }

    @Test func theOldMirrorDies() {
        let net = halfMirrored()
        net.kill("c")
        net.view(3, "abd")
        net.run()
        #expect(net.copies() == ["a t1@4 serves", "b t1@4"] && net.result(1) == "#4")
    }

    @Test func theOwnerAndTheOldMirrorDieBeforeTheNewOneIsComplete() {
        let net = halfMirrored()
        net.kill("a")
        net.kill("c")
        net.view(3, "bd")
        net.pass(100)
        #expect(net.copies() == ["b t3@1 serves", "d t3@1"], "nothing was complete any more")
        #expect(net.result(1) == "#1")
    }

    @Test func theOwnerDiesBeforeItsOldMirrorIsReleased() {
        let net = InMemoryCluster.settled("abcd", "acd", messages: 3)
        net.hold("a>c release")
        net.view(2, "abcd")
        net.run()
        #expect(net.copies() == ["a t1@3 serves", "b t1@3", "c t1@3"])
        net.kill("a")
        net.trace = []
        net.view(3, "bd", without: "c")
        net.publish(1, at: "d")
        net.pass(100)
        #expect(net.copies() == ["b t3@4 serves", "d t3@4"] && net.result(1) == "#4")
        #expect(net.trace.contains("b>c adopt t3 t1@3"), "it had to be waited for until then")
    }

    /// c has missed the last step, and says so only when it is asked by the next owner.
    @Test func aShorterCopyIsSentAnew() {
        let net = InMemoryCluster.settled("abcd", "acd", messages: 3)
        net.view(2, "abcd", at: "abd")
        net.hold("a>c")
        net.publish(1, at: "a")
        net.run()
        #expect(net.copies() == ["a t1@4 serves", "b t1@4", "c t1@3"])
        net.kill("a")
        net.letGo()
        net.trace = []
        net.view(3, "bcd")
        net.run()
        #expect(net.trace.contains("b>c fill t3 t3@4"))
        #expect(net.copies() == ["b t3@4 serves", "c t3@4"] && net.contents("b") == net.contents("c"))
    }
}
