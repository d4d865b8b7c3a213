// What could send a client back is said only after the set has confirmed the term since the question: a stale owner must not.
import Testing

@testable import RingpostCore

@Suite struct AttachBarrierTests {
    private func incarnation(_ net: InMemoryCluster) -> UInt64 {
        net.contents("a").mailboxes.first?.incarnation ?? 0
    }

    @Test func aCursorIsHandedOutOnlyWhenItsMailboxIsCommitted() {
        let net = InMemoryCluster.settled("abcd", "abcd")
        net.hold("a<b")
        net.attach(9, at: "a", from: .now)
        net.attach(10, at: "d", from: .now, stay: .never)
        net.run()
        #expect(net.heard(9) == [] && net.heard(10) == [])
        #expect(net.contents("b").mailboxes.count == 1)
        net.letGo()
        net.run()
        #expect(net.heard(9) == ["0…0: live"] && net.heard(10) == ["0…0:"])
        net.kill("a")
        net.view(2, "bcd")
        net.attach(11, at: "d", from: .now, stay: .never)
        net.run()
        #expect(net.heard(11) == ["0…0:"])
    }

    @Test func onlyWhatContinuesACursorIsSaidAtOnce() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 3)
        let here = incarnation(net)
        func after(_ sequence: UInt64, _ incarnation: UInt64) -> AttachStart {
            .after(Cursor(incarnation: incarnation, sequence: sequence))
        }
        net.hold("a<b")
        net.attach(1, at: "a", from: after(1, here))
        #expect(net.heard(1) == ["1…3: #2 #3 live"])
        net.attach(2, at: "a", from: after(3, here), stay: .ifEmpty)
        net.attach(3, at: "a", from: after(4, here))
        net.attach(4, at: "a", from: after(1, here &+ 1))
        net.attach(5, at: "a", from: .now)
        net.attach(6, at: "a", from: .earliest)
        net.attach(7, at: "a", from: after(3, here), stay: .never)
        net.run()
        #expect((2...7).allSatisfy { net.heard($0) == [] })
        net.letGo()
        net.run()
        #expect(
            (2...7).map { net.heard($0) } == [
                ["3…3: live"], ["gap 3…3: live"], ["gap 0…3: #1 #2 #3 live"], ["3…3: live"], ["0…3: #1 #2 #3 live"], ["3…3:"],
            ])
    }

    /// b has lost its session, others have gone on without it, and it has not noticed: worse than anything that a lease allows.
    @Test func aStaleOwnerSendsNobodyBack() throws {
        let net = InMemoryCluster.settled("bcad", "bcd", messages: 2)
        net.attach(9, at: "b", stay: .never)
        net.run()
        guard case .attached(let reply) = net.takeHeard(9).first else { throw Unexpected(net.trace) }
        net.view(2, "cd", at: "acd")
        net.publish(1, at: "c")
        net.run()
        #expect(net.result(1) == "#3")
        func after(_ sequence: UInt64) -> AttachStart { .after(Cursor(incarnation: reply.incarnation, sequence: sequence)) }
        net.attach(1, at: "b", from: after(3))
        net.attach(2, at: "b", from: .now)
        net.attach(3, at: "b", from: .earliest, stay: .ifEmpty)
        net.attach(4, at: "b", from: after(1))
        #expect(net.heard(4) == ["1…2: #2 live"], "only what is true in any case")
        net.run()
        #expect((1...3).map { net.heard($0) } == [["retry"], ["retry"], ["retry"]])
        #expect(net.heard(4) == ["detached"])
    }

    @Test func nothingIsMissedAndNothingComesTwiceAroundTheBarrier() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.hold("a<b")
        net.publish(1, at: "a")
        net.attach(9, at: "d")
        net.run()
        net.publish(2, at: "a")
        net.run()
        #expect(net.heard(9) == [])
        net.letGo()
        net.step("a<b")
        #expect(net.queued("d<a") == [])
        net.step("a<b")
        #expect(net.queued("d<a") == ["attached 9"])
        net.run()
        #expect(net.heard(9) == ["0…2: #1 #2 live", "#3"])
    }

    @Test func whoHasGoneIsNotAttached() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.hold("a<b")
        net.attach(9, at: "a")
        net.attach(10, at: "d")
        net.attach(11, at: "a")
        net.run()
        net.detach(9, at: "a")
        net.cut("d>a")
        net.letGo()
        net.run()
        #expect(net.heard(9) == [] && net.heard(10) == ["detached"] && net.heard(11) == ["0…1: #1 live"])
        #expect(net.nodes["a"]?.machine.log.mailboxes.attachmentCount == 1)
        let waiting = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        waiting.hold("a<b")
        waiting.view(2, "abcd")
        waiting.attach(9, at: "a")
        waiting.attach(10, at: "d")
        waiting.attach(11, at: "a")
        waiting.run()
        #expect(waiting.nodes["a"]?.machine.waitingAttaches.count == 3)
        waiting.detach(9, at: "a")
        waiting.cut("d>a")
        #expect(waiting.nodes["a"]?.machine.waitingAttaches.count == 1)
        waiting.letGo()
        waiting.run()
        #expect(waiting.heard(9) == [] && waiting.heard(11) == ["0…1: #1 live"])
        #expect(waiting.nodes["a"]?.machine.log.mailboxes.attachmentCount == 1)
    }

    @Test func anEdgeThatIsAheadWaitsAndOneThatIsElsewhereAsksAgain() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.view(2, "abcd", at: "d")
        for attachment: UInt64 in 7...9 { net.attach(attachment, at: "d") }
        net.run()
        #expect(net.heard(9) == [], "the owner does not know yet that it is one")
        #expect(net.nodes["a"]?.machine.load.waitingAttachments == 3)
        net.tell("a") { machine, now, _ in
            machine.detach(ReturnAddress(connectionID: net.connections["d>a"]?.number ?? 0, id: 8), from: net.key(), now: now)
        }
        net.view(2, "abcd")
        net.run()
        #expect(net.heard(7) == ["0…1: #1 live"] && net.heard(8) == [] && net.heard(9) == ["0…1: #1 live"])
        #expect(net.nodes["a"]?.machine.load.waitingAttachments == 0)
        net.view(3, "abcd", at: "d")
        net.attach(13, at: "d")
        net.run()
        #expect(net.heard(13) == ["0…1: #1 live"], "it owns the slot, and may act as the owner: the edge's epoch does not matter")
        net.view(3, "bcd", without: "a", at: "abc")
        net.view(4, "abcd", at: "d")
        net.attach(12, at: "d")
        net.run()
        #expect(net.nodes["a"]?.machine.load.waitingAttachments == 1)
        net.cut("d>a")
        #expect(net.nodes["a"]?.machine.load.waitingAttachments == 0, "with its link")
        net.mend("ad")
        net.view(4, "abcd", at: "abc")
        net.cut("d>a")
        net.attach(10, at: "d")
        #expect(net.heard(10) == ["owner_unreachable"])
        net.view(5, "bcd", without: "a", at: "abc")
        net.mend("ad")
        net.attach(11, at: "d")
        net.run()
        #expect(net.heard(11) == ["retry"], "attachments make one hop")
    }
}
