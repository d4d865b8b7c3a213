// Each bound of a loop's slots, one by one, and what happens there.
import Testing

@testable import RingpostCore

@Suite struct SlotBoundsTests {
    private func net(_ members: String, messages: UInt64 = 0, slots: Int = 1, _ change: (inout SlotLimits) -> Void) -> InMemoryCluster {
        var limits = ShardLimits()
        change(&limits.slots)
        return InMemoryCluster.settled("abcd", members, messages: messages, slots: slots, limits: limits)
    }

    @Test func uncommittedSteps() {
        let net = net("abcd") { $0.uncommittedMax = 3 }
        net.hold("a<b")
        for number: UInt64 in 1...4 { net.publish(number, at: "a") }
        net.attach(9, at: "a")
        net.run()
        #expect(net.result(4) == "overloaded" && net.heard(9) == ["overloaded"])
        #expect(net.nodes["a"]?.machine.uncommittedCount == 3)
        net.letGo()
        net.run()
        #expect((1...3).map { net.result($0) } == ["#1", "#2", "#3"])
        net.hold("a<b")
        net.publish(5, at: "a")
        net.attach(10, at: "a")
        net.run()
        net.view(2, "bcd", without: "a")
        #expect(net.nodes["a"]?.machine.uncommittedCount == 0, "also when the slot goes")
        net.letGo()
        net.pass(50)
        #expect(net.result(5) == "#4" && net.heard(10) == ["retry"])
    }

    @Test func uncommittedBytes() {
        let net = net("abcd") { $0.uncommittedBytesMax = 500 }
        net.hold("a<b")
        for number: UInt64 in 1...3 { net.publish(number, at: "a", bytes: 200) }
        net.run()
        #expect(net.result(2) == "" && net.result(3) == "overloaded")
        net.letGo()
        net.run()
        #expect(net.result(1) == "#1" && net.result(2) == "#2")
        #expect(net.nodes["a"]?.machine.log.uncommittedBytes == 0)
        net.hold("a<b")
        net.publish(4, at: "a", bytes: 200)
        net.run()
        net.view(2, "bcd", without: "a")
        #expect(net.nodes["a"]?.machine.log.uncommittedBytes == 0, "also when the slot goes")
    }

    @Test func attachmentsThatWait() {
        let net = net("bcd", messages: 1) { $0.attachesMax = 2 }
        net.hold("a<b")
        net.view(2, "abcd")
        for number: UInt64 in 1...3 { net.attach(number, at: "a") }
        net.run()
        #expect(net.heard(3) == ["retry"] && net.heard(1) == [])
        net.detach(1, at: "a")
        net.attach(4, at: "a")
        net.letGo()
        net.run()
        #expect(net.heard(1) == [] && net.heard(2) == ["0…1: #1 live"] && net.heard(4) == ["0…1: #1 live"])
        net.view(3, "bcd", without: "a")
        net.run()
        #expect(net.nodes["a"]?.machine.waitingAttaches.count == 0)
    }

    @Test(arguments: [true, false]) func framesThatWait(byBytes: Bool) {
        let net = net("bcd", slots: 64) { limits in
            limits.slotsPerFrameMax = 2
            limits.movesAtFirst = 64
            if byBytes { limits.parkedBytesMax = 8 } else { limits.parkedFramesMax = 3 }
        }
        net.publish(1, at: "b")
        net.run()
        net.view(2, "abcd", at: "acd")
        net.publish(2, at: "a")
        net.run()
        #expect(net.trace.contains("a>b cut"), "what waits is said again on the next connection")
        #expect(net.nodes["b"]?.machine.parked.count == 0 && net.nodes["b"]?.machine.parked.bytes == 0)
        #expect(net.result(2) == "")
        net.view(2, "abcd", at: "b")
        net.dial("a", "b")
        net.run()
        #expect(net.result(2) == "#2" && net.contents("a") == net.contents("b"))
        #expect(net.slots.allSatisfy { net.copies(of: $0).count == 2 })
    }

    /// Rings that change faster than copies can be sent put the same slots into the queues again and again.
    @Test func slotsThatWaitForTheirTurn() throws {
        let net = net("acd", slots: 64) { $0.movesMax = 1 }
        net.hold("a>b", "a>c", "a>d")
        for epoch: UInt64 in 2...60 { net.view(epoch, epoch % 2 == 0 ? "abcd" : "acd", without: epoch % 2 == 0 ? "" : "b") }
        let machine = try #require(net.nodes["a"]?.machine)
        #expect(machine.moves.unmirrored.count <= 128 && machine.moves.beginning.count <= 128)
        #expect((0..<machine.peers.count).allSatisfy { machine.copies.queueCount(to: $0) <= 128 })
    }

    @Test func slotsInOneQuestion() {
        let net = net("bcd", slots: 64) { limits in
            limits.slotsPerFrameMax = 10
            limits.movesAtFirst = 64
        }
        net.view(2, "abcd")
        let taken = net.slots.filter { net.nodes["a"]?.machine.peers.isOwner($0) == true }.count
        #expect(net.queued("a>b").count == (taken + 9) / 10)
        #expect(net.queued("a>b").first == "inquire t2 ×10")
        net.run()
        #expect(net.slots.allSatisfy { slot in net.copies(of: slot).count == 2 })
    }

    @Test func copiesUnderWay() throws {
        let net = net("acd", slots: 64) { $0.copiesUnderWayMax = 2 }
        net.hold("a<b", "c<b", "d<b")
        net.view(2, "abcd")
        net.run()
        for id in ["a", "c", "d"] {
            let machine = try #require(net.nodes[id]?.machine)
            #expect((0..<machine.peers.count).allSatisfy { machine.copies.underWayCount(to: $0) <= 2 })
        }
        #expect(net.queued("a<b").filter { $0.hasPrefix("ack") } == ["ack t1 @0, t1 @0"])
        net.letGo()
        net.run()
        #expect(net.slots.allSatisfy { net.copies(of: $0).count == 2 })
        let machine = try #require(net.nodes["a"]?.machine)
        #expect((0..<machine.peers.count).allSatisfy { machine.copies.underWayCount(to: $0) + machine.copies.queueCount(to: $0) == 0 })
    }

    /// A slot that is taken away while its history is under way makes room for the next one.
    @Test func aFetchThatIsGivenUpMakesRoom() throws {
        let net = net("bcd", messages: 0, slots: 64) { $0.copiesUnderWayMax = 1 }
        for slot in net.slots { net.publish(UInt64(slot), at: "b", net.key(slot: slot)) }
        net.run()
        net.hold("a<b", "a<c", "a<d")
        net.view(2, "abcd")
        net.run()
        net.letGo()
        for way in ["a<b", "a<c", "a<d"] { net.step(way) }
        net.view(3, "bcd", without: "a")
        net.run()
        net.view(4, "abcd")
        net.run()
        #expect(net.slots.allSatisfy { net.copies(of: $0).count == 2 })
        let machine = try #require(net.nodes["a"]?.machine)
        #expect((0..<machine.peers.count).allSatisfy { machine.copies.fetchesUnderWayCount(from: $0) == 0 })
    }

    /// What waits for a link waits once, however often the ring or the link changes meanwhile.
    @Test func whatWaitsForALinkWaitsOnce() throws {
        let net = net("acd", slots: 64) { $0.copiesUnderWayMax = 1 }
        net.hold("a>b", "c>b", "d>b")
        for round: UInt64 in 0..<20 {
            net.view(2 + round, "abcd")
            net.cut("a>b")
            if round % 2 == 0 { net.dial("a", "b") }
        }
        let machine = try #require(net.nodes["a"]?.machine)
        let waiting = (0..<machine.peers.count).map { machine.copies.queueCount(to: $0) }.max() ?? 0
        #expect(waiting <= 64, "\(waiting)")
        net.dial("a", "b")
        net.letGo()
        net.run()
        #expect(net.slots.allSatisfy { net.copies(of: $0).count == 2 })
    }

    @Test func aFullLinkTakesNoMorePublishes() {
        let net = net("abcd") { _ in }
        let link = net.connections["d>a"]?.number ?? 0
        net.tell("d") { machine, _, _ in machine.setFull(link, true) }
        net.publish(1, at: "d")
        net.run()
        #expect(net.result(1) == "" && net.trace == [])
        net.tell("d") { machine, _, _ in machine.setFull(link, false) }
        net.pass(25)
        #expect(net.result(1) == "#1")
    }
}
