// Who is heard and who is not: terms, boots, epochs, and answers that come too late.
import Testing

@testable import RingpostCore

@Suite struct FenceTests {
    /// What a node answers to one frame of another, without any queue.
    private func answer(of id: String, to frame: SlotFrame, from member: MemberIdentity, in net: InMemoryCluster) -> [String] {
        var words: [String] = []
        net.ask(id, frame, from: member) { words.append($0.words) }
        return words
    }

    @Test func anOwnerThatDoesNotKnowOfTheNextOneIsRefused() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.view(2, "abcd", at: "acd")
        net.run()
        #expect(net.queued("b<a") == [] && net.copies() == ["b t1@2 serves", "c t1@2"], "a waits for b's answer")
        net.trace = []
        net.publish(1, at: "b")
        net.run()
        #expect(net.steps() == ["b>c append t1 @3 #3", "b<c refused t1 min 2"])
        #expect(net.result(1) == "" && net.copy("b") == "t1@3", "it has stepped down")
        net.view(2, "abcd", at: "b")
        net.pass(50)
        #expect(net.result(1) == "#3")
        #expect(net.copies() == ["a t2@3 serves", "b t2@3"])
        #expect(net.history("a").count == 3, "not twice")
    }

    @Test func anOwnerThatIsOneAgainBeginsAnew() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.view(2, "abcd", at: "ac")
        net.run()
        net.view(3, "bcd", without: "a")
        net.run()
        #expect(net.copies() == ["b t1@2 serves", "c t1@2"], "b has not heard of epoch 2, and nothing has asked it since")
        net.trace = []
        net.publish(1, at: "b")
        net.attach(9, at: "b")
        net.run()
        #expect(
            net.steps().prefix(6) == [
                "b>c append t1 @3 #3", "b>c append t1 @4 seen", "b<c refused t1 min 2", "b: socket 9 retry", "b>a inquire t3",
                "b>c inquire t3",
            ])
        net.pass(50)
        #expect(net.result(1) == "#3")
        #expect(net.copies() == ["b t3@4 serves", "c t3@4"])
    }

    @Test func aRefusedOwnerWaitsForAnEpochThatIsHighEnough() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.publish(1, at: "b")
        let link = net.connections["b>c"]?.number ?? 0
        net.tell("b") { $0.onReply(.refused(term: 1, slot: UInt16(net.slot), minimum: 7), from: link, now: $1, actions: &$2) }
        net.run()
        net.view(6, "bcd")
        net.pass(100)
        #expect(net.copy("b") == "t1@2" && net.result(1) == "")
        net.view(7, "bcd")
        net.pass(100)
        #expect(net.copy("b") == "t7@2 serves" && net.result(1) == "#2")
    }

    @Test func aLowerTermIsRefusedByWhoeverHasAnswered() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.hold("a<b", "a<c", "a<d")
        net.view(2, "abcd")
        net.run()
        let slot = UInt16(net.slot)
        let (a, b) = (net.identity("a"), net.identity("b"))
        #expect(answer(of: "c", to: .fetch(term: 1, slot: slot), from: a, in: net) == ["refused t1 min 2"])
        #expect(answer(of: "c", to: .fetch(term: 2, slot: slot), from: b, in: net) == ["refused t2 min 2"], "no owner")
        #expect(answer(of: "c", to: .inquire(term: 1, slots: [slot]), from: b, in: net) == ["refused t1 min 2"])
        #expect(answer(of: "c", to: .release(term: 1, slot: slot), from: b, in: net) == ["refused t1 min 2"])
        #expect(net.copy("c") == "t1@1")
        #expect(answer(of: "d", to: .append(term: 2, slot: slot, position: 1, .nothing), from: a, in: net) == ["mismatch t2"])
        #expect(answer(of: "d", to: .adopt(term: 2, slot: slot, base: 1, position: 1), from: a, in: net) == ["mismatch t2"])
        #expect(answer(of: "d", to: .fetch(term: 2, slot: slot), from: a, in: net) == ["piece t2 none"])
        #expect(
            answer(of: "c", to: .adopt(term: 2, slot: slot, base: 1, position: 2), from: a, in: net) == ["mismatch t2"],
            "another end")
        #expect(answer(of: "c", to: .adopt(term: 2, slot: slot, base: 1, position: 1), from: a, in: net) == ["ack t2 @1"])
        #expect(answer(of: "c", to: .adopt(term: 2, slot: slot, base: 1, position: 1), from: a, in: net) == ["ack t2 @1"])
        let ahead = SlotFrame.append(term: 2, slot: slot, position: 3, .nothing)
        #expect(answer(of: "c", to: ahead, from: a, in: net) == ["mismatch t2"], "a step is missing")
    }

    @Test func aMemberIsIdAndBoot() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        let slot = UInt16(net.slot)
        let old = net.identity("a")
        let new = MemberIdentity(id: "a", boot: old.boot + 1)
        let append = SlotFrame.append(term: 1, slot: slot, position: 2, .nothing)
        #expect(answer(of: "b", to: append, from: new, in: net) == ["refused t1 min 1"], "not the one that the list names")
        net.restart("a")
        net.view(2, "abcd", at: "bcd")
        #expect(answer(of: "b", to: append, from: old, in: net) == ["refused t1 min 2"], "not any more")
        #expect(net.copy("b") == "t1@1")
    }

    @Test func framesFromANewerEpochWait() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.view(2, "abcd", at: "abd")
        net.run()
        net.publish(1, at: "a")
        net.run()
        #expect(net.nodes["c"]?.machine.parked.count == 1 && net.copies() == ["b t1@1", "c t1@1"])
        #expect(net.result(1) == "")
        net.view(2, "abcd", at: "c")
        net.run()
        #expect(net.nodes["c"]?.machine.parked.count == 0 && net.nodes["c"]?.machine.parked.bytes == 0)
        #expect(net.copies() == ["a t2@2 serves", "b t2@2"] && net.result(1) == "#2")
    }

    /// What an owner may do rests on its term: a holder that knows that needn't know the newest epoch.
    @Test func aHolderThatIsBehindHoldsNothingUp() {
        let net = InMemoryCluster.settled("abcd", "acd", messages: 2)
        net.view(2, "abcd", at: "acd")
        for number: UInt64 in 1...3 { net.publish(number, at: "a") }
        net.run()
        #expect((1...3).map { net.result($0) } == ["#3", "#4", "#5"] && net.nodes["b"]?.machine.epoch == 1)
        #expect(net.copies() == ["a t1@5 serves", "b t1@5"])
        net.view(2, "abcd", at: "b")
        net.run()
        #expect((1...3).map { net.result($0) } == ["#3", "#4", "#5"])
        #expect(net.contents("a") == net.contents("b") && net.trace.allSatisfy { !$0.contains("mismatch") })
    }

    @Test func answersThatComeTooLateChangeNothing() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        let slot = UInt16(net.slot)
        let old = net.connections["a>b"]?.number ?? 0
        net.cut("a>b")
        net.publish(1, at: "a")
        func reply(_ frame: SlotFrame, _ link: UInt32) {
            net.tell("a") { $0.onReply(frame, from: link, now: $1, actions: &$2) }
        }
        reply(.acknowledge(term: 1, slot: slot, position: 2), old)
        #expect(net.result(1) == "", "of a link that is gone")
        net.hold("a>b")
        net.dial("a", "b")
        let link = net.connections["a>b"]?.number ?? 0
        reply(.acknowledge(term: 0, slot: slot, position: 2), link)
        reply(.acknowledge(term: 1, slot: slot, position: 1), link)
        #expect(net.result(1) == "", "of another term, or of something earlier")
        reply(.released(term: 1, slot: slot), link)
        reply(.holdings(term: 1, [SlotHolding(slot: slot, content: .copy(term: 9, position: 9))]), link)
        reply(.chunk(term: 1, slot: slot, nil), link)
        reply(.refused(term: 0, slot: slot, minimum: 9), link)
        #expect(net.copy("a") == "t1@2 serves", "nothing that it has asked for")
        net.publish(2, at: "a")
        reply(.acknowledge(term: 1, slot: slot, position: 9), link)
        #expect(net.result(1) == "#2" && net.result(2) == "#3")
        net.publish(3, at: "a")
        #expect(net.result(3) == "", "nobody can have confirmed what was not written yet")
    }

    @Test func aFenceIsNotAnAcceptedTerm() {
        // a asks everybody and dies: c's copy stays what it was, and b, with the longer one, is what the next owner takes.
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.hold("b>c")
        net.publish(1, at: "b")
        net.run()
        #expect(net.copy("b") == "t1@2 serves" && net.copy("c") == "t1@1")
        net.hold("a<b", "a<c", "a<d")
        net.view(2, "abcd")
        net.run()
        net.kill("a")
        net.letGo()
        net.view(3, "bcd")
        net.pass(100)
        #expect(net.result(1) == "#2" && net.history("b").count == 2)
        #expect(net.copies() == ["b t3@2 serves", "c t3@2"])
    }

    /// b has b's own reasons to refuse some pieces: a is not the owner in an epoch that a itself never hears of.
    @Test func aCopyWithAHoleInItIsNone() {
        var limits = ShardLimits()
        limits.slots.chunkBytesMax = 300
        let net = InMemoryCluster.settled("abcd", "acd", messages: 5, limits: limits)
        net.view(2, "abcd")
        #expect(net.queued("a>b").count > 3)
        net.step("a>b")
        net.view(3, "bcd", without: "a", at: "b")
        net.step("a>b")
        net.view(4, "abcd", at: "b")
        while net.step("a>b") {}
        #expect(net.copy("b") == "none")
        net.view(4, "abcd")
        net.pass(50)
        #expect(net.copies() == ["a t4@5 serves", "b t4@5"] && net.contents("a") == net.contents("b"))
    }

    @Test func piecesThatCouldNotWaitAreNotSkipped() {
        var limits = ShardLimits()
        limits.slots.parkedFramesMax = 1
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1, limits: limits)
        net.view(2, "abcd", at: "bcd")
        let (slot, b) = (UInt16(net.slot), net.identity("b"))
        func fill(_ term: UInt64, isFirst: Bool = false, isLast: Bool = false) -> SlotFrame {
            .snapshot(term: term, slot: slot, SnapshotChunk(isFirst: isFirst, isLast: isLast, base: 2, position: 9, items: []))
        }
        net.view(2, "bcd", without: "a", at: "a")
        #expect(answer(of: "a", to: fill(2, isFirst: true), from: b, in: net) == [])
        for _ in 0..<2 { #expect(answer(of: "a", to: fill(3), from: b, in: net) == []) }
        #expect(answer(of: "a", to: fill(2, isLast: true), from: b, in: net) == [], "comes before the end of the connection")
        #expect(net.copy("a") == "t1@1")
    }

    @Test func slotsOfOtherLoopsAreNotTouched() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        let other = UInt16(net.slot + 1)
        let owner = net.identity("a")
        #expect(answer(of: "b", to: .inquire(term: 1, slots: [other]), from: owner, in: net) == ["refused t1 min 1"])
        #expect(answer(of: "b", to: .release(term: 1, slot: other), from: owner, in: net) == ["refused t1 min 1"])
        let link = net.connections["a>b"]?.number ?? 0
        for frame in [
            SlotFrame.acknowledge(term: 1, slot: other, position: 9), .mismatch(term: 1, slot: other), .released(term: 1, slot: other),
            .refused(term: 1, slot: other, minimum: 9), .chunk(term: 1, slot: other, nil),
            .holdings(term: 1, [SlotHolding(slot: other, content: .none(vacant: 0, quiet: .max))]),
        ] {
            net.tell("a") { $0.onReply(frame, from: link, now: $1, actions: &$2) }
        }
        #expect(net.copies() == ["a t1@1 serves", "b t1@1"])
    }
}
