// Nobody has a copy of a slot. Somebody who can't be asked might still act as its owner, so it is waited for as long as the
// roster says, and longer where a new boot has taken somebody's place in that.
import Testing

@testable import RingpostCore

@Suite struct VacancyTests {
    private func rosterQuestions(_ net: InMemoryCluster, _ id: String) -> Int { net.nodes[id]?.rosterQuestions ?? 0 }

    @Test func anEmptyRosterIsNotWaitedFor() {
        let net = InMemoryCluster("abcd")
        net.view(1, "a")
        #expect(net.copies() == ["a t1@0 serves"] && rosterQuestions(net, "a") == 1)
    }

    @Test func withoutAnAnswerItIsAskedAgain() {
        let net = InMemoryCluster("abcd")
        net.ruling = nil
        net.view(1, "abcd")
        net.run()
        #expect(net.copies() == [] && rosterQuestions(net, "a") == 1)
        net.pass(1_000)
        #expect(rosterQuestions(net, "a") == 2)
        net.tell("a") { $0.onRoster(waitMilliseconds: nil, askedAt: 1, now: $1, actions: &$2) }
        net.pass(999)
        #expect(rosterQuestions(net, "a") == 2 && net.copies() == [])
        net.ruling = 0
        net.pass(1)
        #expect(rosterQuestions(net, "a") == 3 && net.copies() == ["a t1@0 serves", "b t1@0"])
        #expect(["b", "c", "d"].allSatisfy { rosterQuestions(net, $0) == 0 })
    }

    /// Who registers stands in the roster before it is a member: what was found out then says nothing of the epoch in which it is one.
    @Test func anAnswerOfAnEarlierEpochDoesNotCount() {
        let net = InMemoryCluster("abcd")
        net.ruling = nil
        net.view(1, "ab", without: "cd")
        net.run()
        net.view(2, "abcd")
        net.run()
        net.tell("a") { $0.onRoster(waitMilliseconds: 600_000, askedAt: 1, now: $1, actions: &$2) }
        net.tell("a") { $0.onRoster(waitMilliseconds: 0, askedAt: 1, now: $1, actions: &$2) }
        net.run()
        #expect(net.copies() == [], "neither that it may begin, nor how long it has to wait")
        net.tell("a") { $0.onRoster(waitMilliseconds: 0, askedAt: 2, now: $1, actions: &$2) }
        net.run()
        #expect(net.copies().first?.hasPrefix("a ") == true && net.copies().first?.hasSuffix("serves") == true)
    }

    @Test func itIsWaitedAsLongAsTheRosterSays() {
        let net = InMemoryCluster("abcd")
        net.ruling = 69_000
        net.view(1, "abcd")
        net.publish(1, at: "a", budget: 10_000)
        net.attach(9, at: "a")
        net.run()
        net.pass(60_000, tick: 500)
        #expect(net.result(1) == "retry" && net.heard(9) == [], "a budget does not last that long, a socket has time")
        net.pass(8_999, tick: 8_999)
        #expect(net.copies() == [])
        net.publish(2, at: "a")
        net.pass(1, tick: 1)
        net.run()
        #expect(net.copies() == ["a t1@2 serves", "b t1@2"])
        #expect(net.result(2) == "#1" && net.heard(9) == ["0…0: live", "#1"])
    }

    @Test func itIsToldForWhomSlotsWait() {
        let net = InMemoryCluster("abcd")
        func waits() -> SlotWaits { net.nodes["a"]?.machine.slotWaits ?? SlotWaits() }
        net.ruling = nil
        net.cut("ac")
        net.view(1, "abcd")
        net.run()
        #expect(waits().slots == 1 && waits().silent == [net.identity("c")] && waits().vacant == 0)
        net.mend("ac")
        net.run()
        #expect(waits().slots == 1 && waits().silent.isEmpty && waits().vacant == 1 && waits().vacantUntil == nil)
        net.ruling = 69_000
        net.pass(1_000)
        let now = net.now("a").monotonic
        #expect(waits().vacantUntil.map { (now...now + 69_000).contains($0) } == true)
        net.pass(69_000, tick: 500)
        #expect(waits() == SlotWaits(), "it has begun")
        #expect(net.copies().first?.hasSuffix("serves") == true)
    }

    @Test func theWaitGoesOnUnderTheNextOwner() {
        let net = InMemoryCluster("abcd")
        net.ruling = 69_000
        net.view(1, "bcd", without: "a")
        net.run()
        net.pass(40_000, tick: 1_000)
        net.view(2, "abcd")
        net.run()
        net.pass(28_999, tick: 28_999)
        #expect(net.copies() == [])
        net.pass(1, tick: 1)
        net.run()
        #expect(net.copies() == ["a t2@0 serves", "b t2@0"])
    }

    @Test func theWaitGoesOnAfterAChangeOfRings() {
        let net = InMemoryCluster("abcd")
        net.ruling = 69_000
        net.view(1, "abcd")
        net.run()
        net.pass(40_000, tick: 1_000)
        net.view(2, "bcd", without: "a")
        net.run()
        net.view(3, "abcd")
        net.run()
        #expect(rosterQuestions(net, "a") == 2, "the roster may say something else by now")
        net.pass(28_999, tick: 28_999)
        #expect(net.copies() == [])
        net.pass(1, tick: 1)
        net.run()
        #expect(net.copies() == ["a t3@0 serves", "b t3@0"])
    }

    /// What was found long ago says nothing about what has come and gone since.
    @Test func anOldWaitCountsNoMoreOnceThereWasACopy() {
        let net = InMemoryCluster("abcd")
        net.ruling = 69_000
        net.view(1, "bcd", without: "a")
        net.run()
        net.view(2, "abcd")
        net.run()
        net.pass(69_000, tick: 1_000)
        net.publish(1, at: "a")
        net.run()
        #expect(net.copies() == ["a t2@1 serves", "b t2@1"] && net.result(1) == "#1")
        net.view(3, "acd", without: "b")
        net.run()
        #expect(net.copies() == ["a t2@1 serves", "c t2@1"])
        for id in ["a", "c", "d"] { net.kill(id) }
        net.view(4, "b")
        net.pass(68_999, tick: 68_999)
        #expect(net.copies() == [], "waited for anew")
        net.pass(1, tick: 1)
        #expect(net.copies() == ["b t4@0 serves"])
    }

    @Test func aSuccessorsQuietTime() {
        let net = InMemoryCluster("abcd")
        net.newSession("c")
        net.pass(1_000, tick: 1_000)
        net.view(1, "abcd")
        net.run()
        #expect(net.copies() == [], "c's other boot may have been the owner, and the roster does not name it any more")
        net.pass(InMemoryCluster.quietMilliseconds - 1_001, tick: 100_000)
        #expect(net.copies() == [])
        net.pass(1, tick: 1)
        net.run()
        #expect(net.copies() == ["a t1@0 serves", "b t1@0"])
    }

    @Test func theOwnersOwnQuietTime() {
        let net = InMemoryCluster("abcd")
        net.newSession("a")
        net.newSession("b", hadPredecessor: false)
        net.view(1, "abcd")
        net.run()
        net.pass(InMemoryCluster.quietMilliseconds - 1, tick: 100_000)
        #expect(net.copies() == [])
        net.pass(1, tick: 1)
        net.run()
        #expect(net.copies() == ["a t1@0 serves", "b t1@0"])
        let orderly = InMemoryCluster("abcd")
        orderly.newSession("a", hadPredecessor: false)
        orderly.view(1, "abcd")
        orderly.run()
        #expect(orderly.copies() == ["a t1@0 serves", "b t1@0"])
    }

    @Test func whoeverCanBeAskedIsWaitedFor() {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 2)
        net.cut("ab")
        net.cut("ac")
        net.view(2, "abcd")
        net.pass(100_000, tick: 10_000)
        #expect(net.copy("a") == "none" && rosterQuestions(net, "a") == 0, "b and c have not answered")
        net.mend("ac")
        net.run()
        #expect(net.copy("a") == "none", "b has not")
        net.mend("ab")
        net.run()
        #expect(net.copies() == ["a t2@2 serves", "b t2@2"])
    }

    @Test func clientsAreToldOfTheGap() throws {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 3)
        net.attach(9, at: "d", stay: .never)
        net.run()
        guard case .attached(let reply) = net.takeHeard(9).first else { throw Unexpected(net.trace) }
        net.kill("a")
        net.kill("b")
        net.view(2, "cd")
        net.run()
        net.publish(1, at: "d")
        net.attach(10, at: "d", from: .after(Cursor(incarnation: reply.incarnation, sequence: 3)))
        net.run()
        #expect(net.result(1) == "#1" && net.heard(10) == ["gap 0…1: #1 live"])
    }
}
