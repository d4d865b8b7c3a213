// A node joins and takes slots over from who had them: history, places, receipts and waiting requests come along.
import Testing

@testable import RingpostCore

@Suite struct JoinTests {
    @Test func aJoinerTakesTheHistoryOver() {
        let net = InMemoryCluster.settled("abcd", "bcd")
        net.publish(1, at: "b")
        net.publish(2, at: "b", net.key(2))
        net.publish(3, at: "b", idempotency: 7)
        net.attach(9, at: "d")
        net.run()
        let before = net.contents("b")
        #expect(net.copies() == ["b t1@4 serves", "c t1@4"])
        net.trace = []
        net.view(2, "abcd")
        net.run()
        #expect(
            net.steps() == [
                "a>b inquire t2", "a>c inquire t2", "a>d inquire t2", "d<b detached 9", "d: socket 9 detached", "a<b holdings t2 t1@4",
                "a<c holdings t2 t1@4", "a<d holdings t2 none", "a>b fetch t2", "a<b piece t2 t1@4", "a>b adopt t2 t1@4",
                "a>c adopt t2 t1@4", "a<b ack t2 @4", "a<c ack t2 @4", "a>c release t2", "a<c released t2",
            ])
        #expect(net.copies() == ["a t2@4 serves", "b t2@4"])
        #expect(net.contents("a") == before && net.contents("b") == before)
        #expect(net.nodes["c"]?.machine.log.mailboxes.mailboxCount == 0)
    }

    @Test func placesIncarnationsAndReceiptsGoOn() throws {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 3)
        net.publish(1, at: "c", idempotency: 7)
        net.attach(9, at: "d")
        net.run()
        guard case .attached(let reply) = net.takeHeard(9).first else { throw Unexpected(net.trace) }
        net.view(2, "abcd")
        net.run()
        #expect(net.heard(9) == ["detached"])
        net.attach(10, at: "d", from: .after(Cursor(incarnation: reply.incarnation, sequence: 3)))
        net.publish(2, at: "d", idempotency: 7)
        net.publish(3, at: "d", idempotency: 8)
        net.run()
        #expect(net.heard(10) == ["3…4: #4 live", "#5"])
        #expect(net.result(2) == "#4 again" && net.result(3) == "#5")
    }

    @Test func whatIsUnderWayMovesToo() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.hold("b<c")
        net.publish(1, at: "d", idempotency: 7, stream: 5)
        net.publish(2, at: "d", stream: 5)
        net.publish(3, at: "b", stream: 5)
        net.run()
        net.view(2, "abcd")
        net.hold("a<b")
        net.publish(4, at: "a", idempotency: 7)
        net.publish(5, at: "d", idempotency: 7)
        net.letGo("b<c")
        net.pass(100)
        #expect((1...5).map { net.result($0) } == ["", "", "", "", ""])
        net.letGo()
        net.pass(100)
        #expect((1...5).map { net.result($0) } == ["#3", "#4", "#2", "#3 again", "#3"])
        #expect(net.history("a").count == 4)
    }

    @Test func whatCannotBeDoneYetWaitsInOrder() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.hold("a<b", "a<c")
        net.view(2, "abcd")
        for number: UInt64 in 1...3 { net.publish(number, at: "a", stream: 5) }
        net.attach(9, at: "a")
        net.attach(10, at: "d")
        for number: UInt64 in 4...6 { net.publish(number, at: "d", stream: 5) }
        net.pass(200)
        #expect((1...6).allSatisfy { net.result($0) == "" } && net.heard(9) == [] && net.heard(10) == [])
        net.letGo()
        net.run()
        #expect((1...6).map { net.result($0) } == ["#3", "#4", "#5", "#6", "#7", "#8"])
        // An attachment stands before what the lanes let through once the slot is ready.
        #expect(net.heard(9) == ["0…2: #1 #2 live", "#3", "#4", "#5", "#6", "#7", "#8"])
        #expect(net.heard(10) == ["0…2: #1 #2 live", "#3", "#4", "#5", "#6", "#7", "#8"])
    }

    @Test func whoIsAheadOfTheNewOwnerWaitsThere() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.view(2, "abcd", at: "bcd")
        net.publish(1, at: "d")
        net.publish(2, at: "a")
        net.attach(9, at: "d")
        net.run()
        #expect(net.result(1) == "" && net.result(2) == "")
        #expect(net.heard(9) == [])
        net.view(2, "abcd", at: "a")
        net.pass(50)
        #expect([net.result(1), net.result(2)].sorted() == ["#3", "#4"])
        #expect(net.heard(9) == ["0…2: #1 #2 live", "#3", "#4"])
    }

    @Test func aPublishPullsItsSlotBeforeTheQueue() {
        var limits = ShardLimits()
        limits.slots.copiesUnderWayMax = 1
        limits.slots.movesAtFirst = 64
        let net = InMemoryCluster.settled("abcd", "bcd", slots: 64, limits: limits)
        for slot in net.slots { net.publish(UInt64(slot), at: "b", net.key(slot: slot)) }
        net.run()
        net.hold("a<b piece", "a<c piece", "a<d piece")
        net.view(2, "abcd")
        net.run()
        let moved = net.slots.filter { net.nodes["a"]?.machine.peers.isOwner($0) == true }
        let asked = moved.filter { net.nodes["a"]?.machine.isAsked($0) == true }
        #expect(moved.count > 8 && asked.count <= 3, "one at a time of each holder: \(asked)")
        let pulled = moved.filter { !asked.contains($0) }
        net.publish(1, at: "d", net.key(slot: pulled[0]))
        net.attach(2, at: "a", net.key(slot: pulled[1]))
        net.run()
        #expect(moved.filter { net.nodes["a"]?.machine.isAsked($0) == true }.count == asked.count + 2)
        net.letGo()
        // Those pulled come with what their holders answer first, all others one after the other.
        for _ in 0..<8 { for way in net.ways { net.step(way) } }
        #expect(net.copy("a", of: pulled[0]).hasSuffix("serves") && net.copy("a", of: pulled[1]).hasSuffix("serves"))
        #expect(moved.contains { net.state("a", of: $0).owner == nil }, "before most others")
        net.run()
        #expect(net.result(1) == "#2" && net.heard(2) == ["0…1: #1 live"])
        #expect(moved.allSatisfy { net.copy("a", of: $0).hasSuffix("serves") })
    }

    @Test func movesTakeTurns() {
        var limits = ShardLimits()
        limits.slots.movesMax = 4
        let net = InMemoryCluster.settled("abcd", "bcd", slots: 64, limits: limits)
        net.hold("a>b", "a>c", "a>d")
        net.view(2, "abcd")
        let moved = net.slots.filter { net.nodes["a"]?.machine.peers.isOwner($0) == true }
        func begun() -> [Int] { moved.filter { net.nodes["a"]?.machine.takeovers[$0]?.isQueued == false } }
        #expect(moved.count > 12 && begun().count == 4)
        let waiting = moved.filter { !begun().contains($0) }
        net.publish(1, at: "a", net.key(slot: waiting[6]))
        #expect(begun().count == 5 && begun().contains(waiting[6]), "a publish does not wait for its turn")
        net.attach(2, at: "a", net.key(slot: waiting[7]))
        #expect(begun().count == 5)
        net.tell("a") { $0.onMoves(now: $1, actions: &$2) }
        #expect(begun().count == 9 && begun().contains(waiting[7]), "an attachment has the next one")
        net.letGo()
        net.run()
        #expect(net.result(1) == "#1" && net.heard(2) == ["0…0: live"])
        #expect(moved.allSatisfy { net.copy("a", of: $0).hasSuffix("serves") })
    }

    @Test func lotsOfMovesGrow() {
        var limits = ShardLimits()
        limits.slots.movesAtFirst = 2
        limits.slots.movesMax = 3
        let net = InMemoryCluster.settled("abcd", "bcd", slots: 512, limits: limits)
        net.hold("a>b", "a>c", "a>d")
        func begun() -> Int { net.nodes["a"]?.machine.takeovers.startedCount ?? 0 }
        net.view(2, "abcd")
        #expect(begun() == 2)
        var lots: [Int] = []
        for _ in 0..<SlotLimits.movesGrowth * 2 {
            let before = begun()
            net.tell("a") { $0.onMoves(now: $1, actions: &$2) }
            lots.append(begun() - before)
        }
        let grown = SlotLimits.movesGrowth - 1
        #expect(lots.prefix(grown).allSatisfy { $0 == 2 } && lots.dropFirst(grown).filter { $0 > 0 }.dropLast().allSatisfy { $0 == 3 })
        net.letGo()
        net.run()
        #expect(net.nodes["a"]?.machine.moves.lots == 0 && net.nodes["a"]?.machine.moves.left == 2, "small again for the next ring")
    }

    /// A slot that stays gets its new mirror when it has its turn; until then the one before goes on.
    @Test func theMirrorBeforeGoesOnUntilTheNewOneHasItsTurn() {
        var limits = ShardLimits()
        limits.slots.movesMax = 1
        let net = InMemoryCluster.settled("abcd", "acd", slots: 64, limits: limits)
        func waiting() -> [Int] { net.nodes["a"]?.machine.moves.unmirrored.map { $0 } ?? [] }
        net.hold("a>b")
        net.view(2, "abcd")
        #expect(waiting().count > 5)
        let slot = waiting()[4]
        net.publish(1, at: "a", net.key(slot: slot))
        for _ in 0..<4 { for way in net.ways { net.step(way) } }
        #expect(net.result(1) == "#1")
        net.letGo()
        net.run()
        #expect(waiting().isEmpty && net.slots.allSatisfy { net.copies(of: $0).count == 2 })
    }

    /// Nothing is committed without a second copy where somebody can have one, so a slot that is waited for gets its mirror at once.
    @Test func whoWasAloneWaitsForNoTurnToGetAMirror() throws {
        var limits = ShardLimits()
        limits.slots.movesMax = 1
        let net = InMemoryCluster.settled("ab", "a", slots: 64, limits: limits)
        for slot in net.slots { net.publish(UInt64(slot), at: "a", net.key(slot: slot), idempotency: UInt64(slot)) }
        net.run()
        net.view(2, "ab")
        func waiting() -> [Int] { net.nodes["a"]?.machine.moves.unmirrored.map { $0 } ?? [] }
        let slots = Array(waiting().suffix(4))
        try #require(slots.count == 4)
        net.publish(1, at: "a", net.key(slot: slots[0]))
        net.publish(2, at: "a", net.key(slot: slots[1]), idempotency: UInt64(slots[1]))
        net.attach(3, at: "a", net.key(9, slot: slots[2]))
        // There and back; the queue's turn does not come.
        for _ in 0..<12 { for way in net.ways { net.step(way) } }
        #expect(net.result(1) == "#2")
        #expect(net.result(2) == "#1 again", "by then somebody else has it too")
        #expect(net.heard(3) == ["0…0: live"])
        #expect(waiting().contains(slots[3]) && net.copies(of: slots[3]).count == 1)
        net.run()
        #expect(net.slots.allSatisfy { net.copies(of: $0).count == 2 })
    }

    /// Who asks only what became of a publish appends nothing, and still must not wait until the new mirror has its turn.
    @Test func aRepeatDoesNotWaitForTheMirrorsTurn() throws {
        var limits = ShardLimits()
        limits.slots.movesMax = 1
        let net = InMemoryCluster.settled("abcd", "abcd", slots: 64, limits: limits)
        for slot in net.slots { net.publish(UInt64(slot), at: "b", net.key(slot: slot), idempotency: UInt64(slot)) }
        net.run()
        net.kill("a")
        net.view(2, "bcd")
        net.tell("b") { $0.onMoves(now: $1, actions: &$2) }
        let begun = try #require(net.slots.first { net.nodes["b"]?.machine.takeovers[$0]?.isQueued == false })
        for _ in 0..<4 { for way in net.ways { net.step(way) } }
        #expect(net.state("b", of: begun).owner != nil && net.result(UInt64(begun)) == "#1")
        func fills() -> Int { (net.queued("b>c") + net.queued("b>d")).count { $0.hasPrefix("fill t2") } }
        #expect(fills() == 0)
        net.publish(1, at: "b", net.key(slot: begun), idempotency: UInt64(begun))
        #expect(fills() == 1 && net.result(1) == "")
        net.run()
        #expect(net.result(1) == "#1 again")
    }

    @Test func clocksAreANodesOwn() {
        let net = InMemoryCluster.settled("abcd", "bcd")
        net.publish(1, at: "b", timeToLive: 10)
        net.publish(2, at: "b", idempotency: 7)
        net.run()
        net.pass(4_000, tick: 1_000)
        net.view(2, "abcd")
        net.run()
        net.pass(5_999, tick: 5_999)
        net.attach(9, at: "a", stay: .never)
        net.run()
        #expect(net.heard(9) == ["0…2: #1 #2"])
        net.pass(1, tick: 1)
        net.attach(10, at: "a", stay: .never)
        net.run()
        #expect(net.heard(10) == ["0…2: #2"], "ten seconds after it came")
        net.pass(19_999, tick: 19_999)
        net.publish(3, at: "a", idempotency: 7)
        net.run()
        net.pass(1, tick: 1)
        net.publish(4, at: "a", idempotency: 7)
        net.run()
        #expect(net.result(3) == "#2 again" && net.result(4) == "#3", "the window counts from the first one too")
    }

    @Test func aDrainGivesEverythingAway() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.attach(9, at: "a")
        net.run()
        net.view(2, "bcd", without: "a")
        net.publish(1, at: "a")
        net.run()
        #expect(net.copies() == ["b t2@4 serves", "c t2@4"])
        #expect(net.result(1) == "#3")
        #expect(net.heard(9) == ["0…2: #1 #2 live", "detached"])
        net.kill("a")
        net.view(3, "bcd")
        net.attach(10, at: "d")
        net.run()
        #expect(net.heard(10) == ["0…3: #1 #2 #3 live"])
    }

    @Test func aSlotThatComesAndGoesAtOnce() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.hold("a<b piece", "a<c piece")
        net.view(2, "abcd")
        net.attach(9, at: "a")
        net.publish(1, at: "a")
        net.run()
        net.view(3, "bcd", without: "a")
        net.run()
        #expect(net.heard(9) == ["retry"])
        net.letGo()
        net.pass(100)
        #expect(net.copies() == ["b t3@3 serves", "c t3@3"])
        #expect(net.result(1) == "#3")
    }
}

extension ShardMachine {
    /// Whether the best copy of a slot has been asked for.
    fileprivate func isAsked(_ slot: Int) -> Bool {
        if case .fetching(_, true) = takeovers[slot]?.phase { true } else { false }
    }
}
