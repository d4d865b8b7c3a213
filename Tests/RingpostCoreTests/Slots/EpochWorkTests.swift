// A new epoch that is taken over some slots at a time: whatever comes for a slot that has not had its turn finds it as the epoch wants it.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct EpochWorkTests {
    /// A cluster at rest whose nodes look at one slot at a time, and a slot of the order abcd that is among the last to be looked at.
    private func net(_ members: String, messages: UInt64 = 2) throws -> (InMemoryCluster, slot: Int) {
        var limits = ShardLimits()
        limits.slots.looksMax = 1
        let net = InMemoryCluster.settled("abcd", members, slots: 64, limits: limits)
        let ring = Rings.ring("abcd".map { RingMember(id: String($0), weight: 1) })
        let order = "abcd".map { letter in ring.members.firstIndex { $0.id == String(letter) } ?? -1 }
        let slot = try #require(net.slots.last { ring.preference(ofSlot: $0, count: 4) == order })
        #expect(slot > net.slot, "which is the first one")
        let owner = members.first.map(String.init) ?? ""
        for number in 0..<messages { net.publish(1_000 + number, at: owner, net.key(slot: slot)) }
        net.run()
        #expect(isRested(net))
        return (net, slot)
    }

    private func isBehind(_ id: String, _ slot: Int, in net: InMemoryCluster) -> Bool {
        net.nodes[id]?.machine.staleSlots.contains(slot / net.shardCount) == true
    }

    private func isRested(_ net: InMemoryCluster) -> Bool { net.nodes.values.allSatisfy { $0.machine.staleSlots.isEmpty } }

    @Test func aPublishHasItsSlotLookedAt() throws {
        let (net, slot) = try net("bcd")
        net.view(2, "abcd")
        #expect(isBehind("a", slot, in: net) && isBehind("b", slot, in: net))
        net.publish(1, at: "a", net.key(slot: slot))
        #expect(!isBehind("a", slot, in: net) && net.nodes["a"]?.machine.takeovers[slot]?.term == 2)
        #expect(isBehind("b", slot, in: net), "b has heard nothing of it")
        net.run()
        #expect(net.result(1) == "#3" && net.copies(of: slot) == ["a t2@3 serves", "b t2@3"])
        #expect(isRested(net))
    }

    @Test func aQuestionHasItsSlotLookedAt() throws {
        let (net, slot) = try net("bcd")
        net.attach(9, at: "d", net.key(slot: slot))
        net.run()
        #expect(net.heard(9) == ["0…2: #1 #2 live"])
        net.view(2, "abcd")
        net.publish(1, at: "a", net.key(slot: slot))
        #expect(net.state("b", of: slot).isOwned)
        net.hold("a<b", "d<b")
        while net.step("a>b") {}
        #expect(!isBehind("b", slot, in: net) && !net.state("b", of: slot).isOwned, "before it says what it has")
        net.letGo()
        net.run()
        #expect(net.heard(9) == ["detached"])
    }

    @Test func anAttachmentHasItsSlotLookedAt() throws {
        let (net, slot) = try net("bcd")
        net.attach(8, at: "b", net.key(slot: slot))
        net.run()
        _ = net.heard(8)
        net.view(2, "abcd")
        net.attach(9, at: "a", net.key(slot: slot))
        #expect(!isBehind("a", slot, in: net) && net.heard(9) == [], "it waits for the history")
        net.attach(10, at: "b", net.key(slot: slot))
        #expect(!net.state("b", of: slot).isOwned && net.heard(8) == ["detached"])
        net.run()
        #expect(net.heard(9) == ["0…2: #1 #2 live"] && net.heard(10) == ["0…2: #1 #2 live"])
    }

    /// The answer comes to a slot that has gone: what waits is asked of the next owner and not said to be written by this one.
    @Test func anAcknowledgementHasItsSlotLookedAt() throws {
        let (net, slot) = try net("abcd")
        net.hold("a<b")
        net.publish(1, at: "a", net.key(slot: slot))
        net.run()
        net.view(2, "bcd", without: "a", at: "a")
        #expect(net.state("a", of: slot).isOwned && isBehind("a", slot, in: net))
        while net.step("a<b") {}
        #expect(!net.state("a", of: slot).isOwned && net.result(1) == "")
        net.letGo()
        net.view(2, "bcd", without: "a")
        net.pass(100)
        #expect(net.result(1) == "#3" && net.history("b", of: slot) == [1_000, 1_001, 1])
    }

    @Test func aStepOfTheLogHasItsSlotLookedAt() throws {
        let (net, slot) = try net("abcd")
        net.view(2, "bcd", without: "a", at: "b")
        #expect(isBehind("b", slot, in: net))
        net.publish(1, at: "a", net.key(slot: slot))
        while net.step("a>b") {}
        #expect(!isBehind("b", slot, in: net) && net.copy("b", of: slot) == "t1@2", "b is the owner, and takes nothing")
        net.view(2, "bcd", without: "a")
        net.pass(100)
        #expect(net.result(1) == "#3" && net.history("b", of: slot).count == 3)
    }

    @Test func theLeaseCommitsNothingInASlotThatHasGone() throws {
        let (net, slot) = try net("abcd")
        net.hold("a<b")
        net.publish(1, at: "a", net.key(slot: slot))
        net.run()
        net.lease("a", until: net.time)
        while net.step("a<b") {}
        #expect(net.nodes["a"]?.machine.lease.uncommitted == [slot])
        net.view(2, "bcd", without: "a", at: "a")
        #expect(net.state("a", of: slot).isOwned)
        net.lease("a")
        #expect(!net.state("a", of: slot).isOwned && net.result(1) == "")
        net.letGo()
        net.view(2, "bcd", without: "a")
        net.pass(100)
        #expect(net.result(1) == "#3" && net.history("b", of: slot).count == 3)
    }

    @Test func whatIsShownIsTheNewestEpoch() throws {
        let (net, slot) = try net("bcd")
        let owned = net.slots.filter { net.state("b", of: $0).isOwned }.count
        let key = net.key(slot: slot)
        #expect(net.nodes["b"]?.machine.slotCounts.owned == owned && net.nodes["b"]?.machine.summary(of: key) != nil)
        net.view(2, "abcd")
        let ring = net.nodes["b"]?.machine.view?.ring
        func count(_ id: String) -> Int {
            net.slots.filter { ring?.owner(ofSlot: $0) == ring?.members.firstIndex { $0.id == id } }.count
        }
        #expect(count("a") > 2 && count("b") < owned)
        #expect(net.nodes["a"]?.machine.inheritingCount == count("a"), "not ready before each of them has had its turn")
        #expect(net.nodes["b"]?.machine.slotCounts.owned == count("b"))
        #expect(net.nodes["b"]?.machine.summary(of: key) == nil && net.state("b", of: slot).isOwned)
        net.run()
        #expect(net.nodes["a"]?.machine.inheritingCount == 0 && net.nodes["a"]?.machine.slotCounts.owned == count("a"))
    }

    @Test func epochsThatComeBeforeTheOneBeforeIsTakenOver() throws {
        let (net, slot) = try net("bcd")
        net.view(2, "abcd")
        net.view(3, "bcd", without: "a")
        #expect(net.copy("b", of: slot) == "t1@2 serves", "nobody has begun in epoch 2")
        net.publish(1, at: "b", net.key(slot: slot))
        #expect(!isBehind("b", slot, in: net))
        net.run()
        #expect(net.result(1) == "#3" && net.copies(of: slot) == ["b t1@3 serves", "c t1@3"] && isRested(net))
        net.view(4, "abcd")
        net.view(5, "acd")
        net.kill("b")
        net.publish(2, at: "d", net.key(slot: slot))
        net.view(6, "acd", without: "")
        net.pass(200)
        #expect(net.result(2) == "#4" && net.history("a", of: slot) == [1_000, 1_001, 1, 2])
        let term = net.state("a", of: slot).copy.term
        #expect(net.copies(of: slot) == ["a t\(term)@4 serves", "c t\(term)@4"])
        for other in net.slots { #expect(net.copies(of: other).count == 2 && isRested(net)) }
    }

    /// Slots that are taken and given back while they wait for their turn to begin: the queue remembers them, and they are behind.
    @Test func slotsThatWaitedToBeginGoAndComeBack() throws {
        let (net, _) = try net("bcd")
        net.hold("a>b")
        for epoch: UInt64 in stride(from: 2, to: 10, by: 2) {
            net.view(epoch, "abcd")
            net.tell("a") { machine, now, actions in for _ in 0..<64 { machine.onEpochWork(now: now, actions: &actions) } }
            net.view(epoch + 1, "bcd", without: "a")
        }
        net.view(10, "abcd")
        net.letGo()
        net.pass(200)
        for slot in net.slots { #expect(net.copies(of: slot).filter { $0.hasSuffix("serves") }.count == 1) }
        #expect(isRested(net) && net.nodes["a"]?.machine.inheritingCount == 0)
    }

    @Test func noMoreThanSomeAtATime() throws {
        let (net, _) = try net("bcd")
        net.view(2, "abcd")
        while case let behind = net.nodes["a"]?.machine.staleSlots.count ?? 0, behind > 0 {
            net.tell("a") { $0.onEpochWork(now: $1, actions: &$2) }
            #expect(net.nodes["a"]?.machine.staleSlots.count == behind - 1)
        }
        net.run()
    }
}

@Suite struct SlotSetTests {
    @Test func theFirstOneComesFirst() {
        var set = SlotSet(slotCount: 200)
        #expect(set.popFirst() == nil && set.first(from: 0) == nil && !set.contains(199))
        for index in [199, 64, 63, 0, 64] { set.insert(index) }
        #expect(set.count == 4 && set.contains(64) && !set.contains(65))
        #expect(set.first(from: 1) == 63 && set.first(from: 64) == 64 && set.first(from: 65) == 199 && set.first(from: 256) == nil)
        set.remove(63)
        set.remove(63)
        #expect(set.popFirst() == 0 && set.popFirst() == 64 && set.popFirst() == 199 && set.isEmpty)
        set.insert(5)
        #expect(set.first(from: 0) == 5, "also below those that have gone")
        set.removeAll()
        #expect(set.isEmpty && set.first(from: 0) == nil)
    }
}
