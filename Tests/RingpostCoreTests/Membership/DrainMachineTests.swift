// An orderly end as transcripts: one event a line, and all that must be done about it.

import Testing

@testable import RingpostCore

@Suite struct DrainMachineTests {
    private typealias Action = DrainMachine.Action

    private static let elsewhere = ["b:1", "c:1"]
    private static let b = MemberIdentity(id: "b", boot: 7)
    private static let begin: [Action] = [.say("draining: giving up the weight, then 30 s for the sockets"), .giveUpWeight, .look]

    private func machine() -> DrainMachine {
        DrainMachine(drainMilliseconds: 30_000, sessionTimeoutMilliseconds: 6_000, handOverMilliseconds: 60_000)
    }

    private func look(
        weight: UInt16? = 0, slots: Int = 0, copies: Int = 0, users: Int = 7, sockets: Int = 9, others: Bool = true, zooKeeper: Bool = true,
        elsewhere: [String] = DrainMachineTests.elsewhere, heirs: Set<MemberIdentity> = [], going: Set<MemberIdentity> = []
    ) -> DrainMachine.Look {
        DrainMachine.Look(
            weight: weight, slots: slots, copies: copies, users: users, sockets: sockets, othersHaveWeight: others,
            reachesZooKeeper: zooKeeper, elsewhere: elsewhere, heirs: heirs, going: going)
    }

    @Test func slotsThenCopiesThenSocketsThenTheRing() {
        var machine = machine()
        #expect(machine.progress == nil)
        #expect(machine.drain(.order, now: 100) == Self.begin)
        #expect(machine.onLook(look(weight: 100, slots: 20_000, copies: 40_000), now: 110) == [])
        #expect(machine.onLook(look(copies: 40_000), now: 200) == [], "slots are gone at once, copies are not")
        let progress = DrainMachine.Progress(phase: .handingOver, cause: .order, since: 100, look: look(copies: 1))
        #expect(machine.onLook(look(copies: 1), now: 300) == [])
        #expect(machine.progress == progress)
        #expect(
            machine.onLook(look(), now: 400) == [
                .say("all slots and copies are handed over; moving 9 sockets"),
                .moveSockets(number: 1, milliseconds: 30_000, elsewhere: Self.elsewhere),
            ])
        #expect(machine.onLook(look(sockets: 3), now: 500) == [])
        #expect(machine.progress?.look?.sockets == 3)
        #expect(machine.onMoved(1) == [.say("leaving the ring"), .leave(clearingRoster: true)])
        #expect(machine.phase == .leaving)
        #expect(machine.onLook(look(), now: 600) == [])
        #expect(machine.onMoved(1) == [])
    }

    @Test func aDeadlineEndsTheHandingOver() {
        var machine = machine()
        _ = machine.drain(.order, now: 0)
        #expect(machine.onLook(look(copies: 2), now: 59_999) == [])
        #expect(
            machine.onLook(look(copies: 2), now: 60_000) == [
                .warn("not handed over after 60 s, leaving all the same: this node still owns 0 slots and holds 2 copies"),
                .moveSockets(number: 1, milliseconds: 30_000, elsewhere: Self.elsewhere),
            ])
        #expect(machine.onMoved(1).last == .leave(clearingRoster: false), "somebody might still hope for the copies")
    }

    @Test func theLastOneSaysWhatWillBeLost() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        #expect(
            machine.onLook(look(weight: 100, slots: 65_536, others: false, elsewhere: []), now: 10) == [
                .warn("no other member has weight: the history of 7 users will be lost"),
                .moveSockets(number: 1, milliseconds: 0, elsewhere: []),
            ])
        #expect(machine.onMoved(1).last == .leave(clearingRoster: false), "an older copy must not be taken for the newest")
    }

    @Test func theLastOneOfAClusterThatNobodyUsedLeavesNothing() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        _ = machine.onLook(look(weight: 100, slots: 65_536, users: 0, others: false, elsewhere: []), now: 10)
        #expect(machine.onMoved(1).last == .leave(clearingRoster: true))
    }

    @Test func whenAllDrainAtOnceNobodyWaitsForAnother() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        let b = MemberIdentity(id: "b", boot: 7)
        #expect(machine.onLook(look(weight: 100, slots: 30_000, copies: 65_536, heirs: [b]), now: 10) == [])
        // The others have given their weight up too; nobody is left to release anything.
        let actions = machine.onLook(look(weight: 0, copies: 65_536, users: 0, others: false, elsewhere: ["b:1"], going: [b]), now: 100)
        #expect(actions == [.moveSockets(number: 1, milliseconds: 30_000, elsewhere: ["b:1"])])
        // Then they are known to leave: spreading sockets over them gains nothing.
        #expect(
            machine.onLook(look(weight: 0, others: false, elsewhere: []), now: 900)
                == [.moveSockets(number: 2, milliseconds: 0, elsewhere: [])])
        #expect(machine.onMoved(1) == [], "the order that was replaced")
        #expect(machine.onMoved(2).last == .leave(clearingRoster: true))
    }

    @Test func theOnlyCopiesWaitForSomebodyWhenTheOthersDie() {
        var machine = machine()
        let b = MemberIdentity(id: "b", boot: 7)
        _ = machine.drain(.signal, now: 0)
        #expect(machine.onLook(look(weight: 100, slots: 30_000, copies: 65_536, heirs: [b]), now: 10) == [])
        #expect(machine.onLook(look(copies: 65_536, heirs: [b]), now: 100) == [])
        // Dead, and its session is over: what this node holds is all that is left.
        let alone = look(copies: 65_536, users: 0, others: false, elsewhere: [])
        let waits = "no other member has weight any more; waiting for one, because this node still owns 0 slots and holds 65536 copies"
        #expect(machine.onLook(alone, now: 6_000) == [.warn(waits)])
        #expect(machine.onLook(alone, now: 6_100) == [])
        var back = machine
        #expect(machine.onLook(alone, now: 59_999) == [])
        #expect(
            machine.onLook(alone, now: 60_000) == [
                .warn("not handed over after 60 s, leaving all the same: this node still owns 0 slots and holds 65536 copies"),
                .moveSockets(number: 1, milliseconds: 0, elsewhere: []),
            ])
        #expect(machine.onMoved(1).last == .leave(clearingRoster: false), "nobody else has them")
        // Or it comes back in time, and takes them over.
        let restarted = MemberIdentity(id: "b", boot: 8)
        #expect(back.onLook(look(copies: 65_536, heirs: [restarted]), now: 20_000) == [])
        #expect(
            back.onLook(look(heirs: [restarted]), now: 21_000).last
                == .moveSockets(number: 1, milliseconds: 30_000, elsewhere: Self.elsewhere))
        #expect(back.onMoved(1).last == .leave(clearingRoster: true))
    }

    @Test func whoWentInOrderIsNotWaitedFor() {
        var machine = machine()
        let b = MemberIdentity(id: "b", boot: 7)
        _ = machine.drain(.signal, now: 0)
        #expect(machine.onLook(look(copies: 9, heirs: [b]), now: 10) == [])
        // It is not known yet that it goes; then it is, though it has gone.
        #expect(machine.onLook(look(copies: 9, users: 0, others: false, elsewhere: []), now: 110).count == 1)
        #expect(
            machine.onLook(look(copies: 9, users: 0, others: false, elsewhere: [], going: [b]), now: 210)
                == [.moveSockets(number: 1, milliseconds: 0, elsewhere: [])])
        #expect(machine.onMoved(1).last == .leave(clearingRoster: true))
    }

    @Test func sIsTheClusters() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        machine.sessionTimeoutMilliseconds = 2_000
        let stuck = look(weight: 100, slots: 9, copies: 9, zooKeeper: false, heirs: [Self.b])
        #expect(machine.onLook(stuck, now: 1_000) == [])
        #expect(machine.onLook(stuck, now: 3_000).count == 1)
    }

    @Test func aNodeOutsideTheRingHasNothingToGive() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        let actions = machine.onLook(look(weight: nil, sockets: 0, others: false, zooKeeper: false, elsewhere: []), now: 1)
        #expect(actions.last == .moveSockets(number: 1, milliseconds: 0, elsewhere: []))
    }

    @Test func whatIsOnADiskIsNotLost() {
        var machine = DrainMachine(drainMilliseconds: 0, sessionTimeoutMilliseconds: 6_000, keepsCopies: true)
        _ = machine.drain(.signal, now: 0)
        let look = DrainMachine.Look(
            weight: 1, slots: 9, copies: 9, users: 7, sockets: 0, othersHaveWeight: false, reachesZooKeeper: true, elsewhere: [])
        let said = DrainMachine.Action.say("no other member has weight: the history of 7 users stays in the data directory")
        #expect(machine.onLook(look, now: 1).first == said)
    }

    @Test func aNodeServesOnWhileZooKeeperIsAway() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        let stuck = look(weight: 100, slots: 9, copies: 9, zooKeeper: false, heirs: [Self.b])
        #expect(machine.onLook(stuck, now: 1_000) == [])
        let rest = "this node still owns 9 slots and holds 9 copies"
        #expect(
            machine.onLook(stuck, now: 7_000) == [
                .warn(
                    "ZooKeeper is away, so nothing can be handed over; serving on until it is back, at most 53 s more (a second signal ends "
                        + "this node at once): \(rest)")
            ])
        #expect(machine.onLook(stuck, now: 7_100) == [], "said once")
        var hurried = machine
        let given = look(weight: 0, slots: 0, copies: 9, heirs: [Self.b])
        #expect(machine.onLook(given, now: 20_000) == [.say("ZooKeeper is back; handing over")])
        #expect(
            machine.onLook(look(heirs: [Self.b]), now: 21_000).last
                == .moveSockets(number: 1, milliseconds: 30_000, elsewhere: Self.elsewhere))
        #expect(machine.onMoved(1).last == .leave(clearingRoster: true))
        // Or told again: at once.
        #expect(
            hurried.drain(.signal, now: 8_000)
                == [.warn("told to hurry: \(rest)"), .moveSockets(number: 1, milliseconds: 0, elsewhere: Self.elsewhere)])
    }

    @Test func anOutageIsWaitedForAsLongAsAnythingElse() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        let stuck = look(weight: 100, slots: 9, copies: 9, zooKeeper: false, heirs: [Self.b])
        #expect(machine.onLook(stuck, now: 1_000) == [])
        #expect(machine.onLook(stuck, now: 59_999).count == 1)
        #expect(
            machine.onLook(stuck, now: 60_000).first
                == .warn(
                    "not handed over after 60 s, because ZooKeeper is away, leaving all the same: this node still owns 9 slots and holds 9 copies"
                ))
        #expect(machine.onMoved(1).last == .leave(clearingRoster: false))
    }

    @Test func whenAllLeaveWithoutZooKeeperNobodyWaits() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        let stuck = look(weight: 100, slots: 9, copies: 9, zooKeeper: false, elsewhere: [], heirs: [Self.b], going: [Self.b])
        #expect(
            machine.onLook(stuck, now: 100) == [
                .warn("all other members leave too, and ZooKeeper is away: this node still owns 9 slots and holds 9 copies"),
                .moveSockets(number: 1, milliseconds: 0, elsewhere: []),
            ])
        #expect(machine.onMoved(1).last == .leave(clearingRoster: false))
    }

    @Test func aWeightTakesItBack() throws {
        var machine = machine()
        #expect(try machine.setWeight(5) == [.takeWeight(5)], "not draining")
        _ = machine.drain(.order, now: 0)
        #expect(throws: DrainRefusal.draining) { try machine.setWeight(0) }
        #expect(try machine.setWeight(100) == [.takeWeight(100), .say("the drain is taken back")])
        #expect(machine.progress == nil)
        #expect(machine.onLook(look(), now: 10) == [], "a late look")
        // Again, and further.
        #expect(machine.drain(.order, now: 20) == Self.begin)
        _ = machine.onLook(look(), now: 30)
        #expect(machine.phase == .movingSockets)
        #expect(try machine.setWeight(100) == [.keepSockets, .takeWeight(100), .say("the drain is taken back")])
        #expect(machine.onMoved(1) == [])
        _ = machine.drain(.order, now: 40)
        #expect(machine.onLook(look(), now: 50).last == .moveSockets(number: 2, milliseconds: 30_000, elsewhere: Self.elsewhere))
        _ = machine.onMoved(2)
        #expect(throws: DrainRefusal.leaving) { try machine.setWeight(100) }
    }

    @Test func aSignalCantBeTakenBack() {
        var machine = machine()
        _ = machine.drain(.order, now: 0)
        #expect(machine.drain(.order, now: 1) == [], "it is on its way")
        #expect(machine.drain(.signal, now: 2) == [], "the same, but for good")
        #expect(throws: DrainRefusal.stopping) { try machine.setWeight(100) }
        #expect(machine.progress?.since == 0)
    }

    @Test func aSecondSignalHastensIt() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        _ = machine.onLook(look(copies: 5), now: 1)
        #expect(
            machine.drain(.signal, now: 2) == [
                .warn("told to hurry: this node still owns 0 slots and holds 5 copies"),
                .moveSockets(number: 1, milliseconds: 0, elsewhere: Self.elsewhere),
            ])
        #expect(machine.drain(.signal, now: 3) == [])
        #expect(machine.onMoved(1).last == .leave(clearingRoster: false))
    }

    @Test func aSecondSignalHastensSocketsToo() {
        var machine = machine()
        _ = machine.drain(.signal, now: 0)
        _ = machine.onLook(look(), now: 1)
        #expect(
            machine.drain(.signal, now: 2) == [
                .warn("told to hurry: all sockets that are left go at once"),
                .moveSockets(number: 2, milliseconds: 0, elsewhere: Self.elsewhere),
            ])
        #expect(machine.onMoved(1) == [])
        #expect(machine.onMoved(2).last == .leave(clearingRoster: true), "everything was handed over")
        #expect(machine.drain(.signal, now: 3) == [])
    }
}
