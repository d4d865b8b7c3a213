// Three copies of a slot: any two members may die at once. And one copy: nobody waits for anybody.
import Testing

@testable import RingpostCore

@Suite struct ThreeCopiesTests {
    private static func settled(_ members: String, copies: Int = 3, messages: UInt64 = 2, keepsCopies: Bool = false) -> InMemoryCluster {
        let net = InMemoryCluster.settled("abcd", members, messages: messages, keepsCopies: keepsCopies, copies: copies)
        #expect(net.copies().count == min(copies, members.count))
        return net
    }

    private func told(_ net: InMemoryCluster, _ number: UInt64) -> UInt8? {
        guard case .success(let receipt) = net.takeResult(number) else { return nil }
        return receipt.copies
    }

    @Test(arguments: ["ab", "ac", "ad", "bc", "bd", "cd"]) func twoOfFourDieAtOnceAndNothingIsLost(dead: String) throws {
        let net = Self.settled("abcd")
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "c t1@2"])
        net.publish(1, at: "d")
        net.run()
        #expect(told(net, 1) == 3)
        for id in dead { net.kill(String(id)) }
        let left = "abcd".filter { !dead.contains($0) }
        net.view(2, left)
        net.run()
        let (owner, mirror) = (try #require(left.first.map(String.init)), try #require(left.last.map(String.init)))
        #expect(net.copies().count == 2 && net[owner].owner?.isServing == true)
        #expect(net.history(owner) == [1_000, 1_001, 1] && net.contents(owner) == net.contents(mirror))
        net.attach(9, at: mirror)
        net.publish(2, at: owner)
        net.run()
        #expect(net.heard(9).first?.contains("#1 #2 #3") == true, "the same incarnation, and nothing of it is missing")
        #expect(told(net, 2) == 2, "two are left")
    }

    @Test func theWholeSetConfirmsAndTwoAreEnoughToBegin() {
        let net = Self.settled("abcd")
        net.hold("a<c")
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "", "c may have it and be promoted")
        net.letGo()
        net.run()
        #expect(told(net, 1) == 3)
        // Who was never sent a copy is waited for by nobody.
        let other = Self.settled("ab", messages: 0)
        other.cut("a>c")
        other.view(2, "abcd")
        other.publish(1, at: "a")
        other.run()
        #expect(told(other, 1) == 2 && other.copies() == ["a t1@1 serves", "b t1@1"])
        #expect(other.nodes["a"]?.machine.slotCounts.unmirrored == 1)
        other.dial("a", "c")
        other.publish(2, at: "a")
        other.run()
        #expect(told(other, 2) == 3 && other.copies() == ["a t1@2 serves", "b t1@2", "c t1@2"])
        #expect(other.nodes["a"]?.machine.slotCounts.unmirrored == 0)
    }

    @Test func theThirdCopyComesAndGoes() {
        let net = Self.settled("abd")
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "d t1@2"])
        net.view(2, "abcd")
        net.run()
        #expect(net.steps() == ["a>c fill t1 t1@2", "a<c ack t1 @2", "a>d release t1", "a<d released t1"])
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "c t1@2"])
        net.trace = []
        net.view(3, "abd", without: "c")
        net.run()
        #expect(net.steps() == ["a>d fill t1 t1@2", "a<d ack t1 @2", "a>c release t1", "a<c released t1"])
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "d t1@2"])
        #expect(net.contents("a") == net.contents("d"))
    }

    @Test func nobodyIsReleasedBeforeBothMirrorsHaveConfirmed() {
        let net = InMemoryCluster.settled("abcde", "ade", messages: 2, copies: 3)
        net.hold("a<c")
        net.view(2, "abcde")
        net.run()
        #expect(net.copies() == ["a t1@2 serves", "b t1@2", "c t1@2", "d t1@2", "e t1@2"], "c has not confirmed")
        net.kill("a")
        net.kill("b")
        net.kill("c")
        net.letGo()
        net.view(3, "de")
        net.run()
        #expect(net.copies() == ["d t3@2 serves", "e t3@2"] && net.history("e") == [1_000, 1_001])
    }

    /// c gets the third copy, in pieces, when the owner dies; b has everything.
    @Test func theOwnerDiesWhileTheThirdIsFilled() {
        for deadToo in ["", "c", "d"] {
            var limits = ShardLimits()
            limits.slots.chunkBytesMax = 300
            let net = InMemoryCluster.settled("abcd", "abd", messages: 3, limits: limits, copies: 3)
            net.view(2, "abcd")
            #expect(net.queued("a>c").count == 3)
            net.step("a>c")
            net.publish(1, at: "d")
            net.step("d>a")
            #expect(net.copy("c") == "none" && net.result(1) == "", "not before c has it")
            net.kill("a")
            if !deadToo.isEmpty { net.kill(deadToo) }
            net.letGo()
            net.view(3, "bcd".filter { String($0) != deadToo })
            net.pass(100)
            #expect(net.copies().first == "b t3@4 serves" || deadToo == "d", "\(deadToo)")
            #expect(net.copies().count == (deadToo.isEmpty ? 3 : 2))
            #expect(net.history("b").starts(with: [1_000, 1_001, 1_002]))
        }
    }

    @Test func bothMirrorsDieWhileTheOwnerHandsOver() {
        let net = Self.settled("bcd")
        net.hold("a<b piece")
        net.view(2, "abcd")
        net.publish(1, at: "d")
        net.run()
        net.kill("b")
        net.kill("c")
        net.letGo()
        net.view(3, "ad")
        net.pass(100)
        #expect(net.copies() == ["a t2@3 serves", "d t2@3"])
        #expect(net.result(1) == "#3" && net.history("d") == [1_000, 1_001, 1])
    }

    @Test func theSettingChangesUnderLoadAndNodesDifferAboutIt() {
        let net = Self.settled("abcd", copies: 2)
        #expect(net.copies() == ["a t1@2 serves", "b t1@2"])
        net.setCopies(3, at: "a")
        net.publish(1, at: "b")
        net.run()
        #expect(net.copies() == ["a t1@3 serves", "b t1@3", "c t1@3"])
        net.publish(2, at: "b")
        net.run()
        #expect(told(net, 2) == 3, "the owner's setting holds")
        // b has not heard of it, and takes over.
        net.kill("a")
        net.view(2, "bcd")
        net.run()
        #expect(net.copies() == ["b t2@4 serves", "c t2@4"] && net.history("c") == [1_000, 1_001, 1, 2])
        for id in ["b", "c", "d"] { net.setCopies(3, at: id) }
        net.run()
        #expect(net.copies() == ["b t2@4 serves", "c t2@4", "d t2@4"])
        for copies in [2, 1] {
            for id in ["b", "c", "d"] { net.setCopies(copies, at: id) }
            net.run()
            #expect(net.copies().count == copies)
        }
        net.publish(3, at: "d")
        net.run()
        #expect(told(net, 3) == 1)
        for id in ["b", "c", "d"] { net.setCopies(2, at: id) }
        net.publish(4, at: "d")
        net.run()
        #expect(told(net, 4) == 2 && net.copies() == ["b t2@6 serves", "c t2@6"])
    }

    @Test func withOneCopyNobodyMirrors() {
        let net = Self.settled("abcd", copies: 1)
        net.publish(1, at: "a")
        #expect(told(net, 1) == 1, "at once")
        #expect(net.copies() == ["a t1@3 serves"] && net.nodes["a"]?.machine.slotCounts.unmirrored == 0)
        #expect(net.nodes["a"]?.machine.lastCopyCount == 1)
        // It moves in order all the same.
        net.view(2, "bcd", without: "a")
        net.run()
        #expect(net.copies() == ["b t2@3 serves"] && net.history("b") == [1_000, 1_001, 1])
        net.publish(2, at: "d")
        net.run()
        #expect(told(net, 2) == 1)
        // And it is gone with its node.
        net.kill("b")
        net.view(3, "cd", without: "a")
        net.run()
        #expect(net.copies() == ["c t3@0 serves"])
    }

    @Test func aMemberWithTheLastOfThreeCopiesKnowsIt() {
        let net = Self.settled("abcd")
        net.view(2, "acd", without: "b")
        net.run()
        #expect(["a", "b", "c", "d"].allSatisfy { net.nodes[$0]?.machine.lastCopyCount == 0 })
        #expect(net.copies() == ["a t1@2 serves", "c t1@2", "d t1@2"])
        net.kill("c")
        net.kill("d")
        net.hold("a>b")
        net.view(3, "ab")
        net.run()
        #expect(net.nodes["a"]?.machine.lastCopyCount == 1)
    }

    @Test func allSessionsEndAndAllReturn() {
        let net = Self.settled("abcd", keepsCopies: true)
        for id in ["a", "b", "c", "d"] { net.newSession(id, hadPredecessor: false) }
        net.view(2, "abcd")
        net.publish(1, at: "d")
        net.run()
        #expect(net.copies() == ["a t2@3 serves", "b t2@3", "c t2@3"] && told(net, 1) == 3)
    }
}
