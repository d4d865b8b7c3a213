// One socket at its edge, as transcripts: replay in pieces, live, detached and attached again, holes, owners that can't
// be reached. What the socket is told and how is the shells' business.
import Testing

@testable import RingpostCore

@Suite struct SubscriptionMachineTests {
    private typealias Reading = SubscriptionMachine.Reading

    private static func cursor(_ sequence: UInt64, _ incarnation: UInt64 = 1) -> Cursor {
        Cursor(incarnation: incarnation, sequence: sequence)
    }

    private static func messages(_ sequences: ClosedRange<UInt64>) -> [StoredMessage] {
        sequences.map { StoredMessage(sequence: $0, envelope: [0x7B, 0x7D]) }
    }

    private static func reply(
        from: UInt64, through: UInt64, incarnation: UInt64 = 1, gap: Bool = false, isLive: Bool = true
    ) -> AttachReply {
        AttachReply(
            incarnation: incarnation, gap: gap, from: from, through: through, messages: from < through ? messages(from + 1...through) : [],
            isLive: isLive, hasMore: !isLive)
    }

    /// A machine that is live after message 4 since the given time; its attachment is number 1.
    private static func live(at now: Int64 = 0) -> SubscriptionMachine {
        var machine = SubscriptionMachine(start: .now, now: now)
        _ = machine.ask(now: now)
        _ = machine.onReply(attachment: 1, reply(from: 4, through: 4), now: now)
        return machine
    }

    @Test func beginsAnewFromAnotherPlace() {
        var machine = Self.live()
        #expect(machine.restart(at: .earliest, now: 1) == .ask(.earliest))
        #expect(machine.cursor == nil && machine.attachment == 2)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .drop)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 4, through: 4), now: 2) == nil, "of the earlier question")
        let reading = machine.onReply(attachment: 2, Self.reply(from: 0, through: 5), now: 3)
        #expect(reading == Reading(begins: Self.cursor(0), messages: Self.messages(1...5)))
        #expect(machine.onDeliver(attachment: 2, incarnation: 1, sequence: 6) == .write)
        #expect(machine.restart(at: .after(Self.cursor(3)), now: 4) == .ask(.after(Self.cursor(3))))
        #expect(machine.restart(at: .now, now: 5) == .ask(.now), "also while it asks")
        machine.onClose()
        #expect(machine.restart(at: .now, now: 6) == .nothing)
    }

    @Test func beginsNow() {
        var machine = SubscriptionMachine(start: .now, now: 0)
        #expect(machine.cursor == nil)
        #expect(machine.ask(now: 0) == .ask(.now))
        #expect(machine.attachment == 1)
        #expect(!machine.isLive)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 4, through: 4), now: 1) == Reading(begins: Self.cursor(4)))
        #expect(machine.isLive)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .write)
        #expect(machine.cursor == Self.cursor(5))
    }

    @Test func knowsWhenItFirstAsked() {
        var machine = SubscriptionMachine(start: .now, now: 7)
        _ = machine.ask(now: 7)
        #expect(machine.onRefusal(attachment: 1, now: 8) == .nothing)
        #expect(machine.onTick(now: 200) == .ask(.now))
        #expect(machine.onTick(now: 3_200) == .ask(.now) && machine.askedAt == 7, "asked again, and again")
        #expect(machine.restart(at: .now, now: 4_000) == .ask(.now) && machine.askedAt == 4_000, "the client asks anew")
        #expect(
            machine.onReply(attachment: 4, Self.reply(from: 2, through: 4, gap: true), now: 5_000)
                == Reading(gap: Self.cursor(2), messages: Self.messages(3...4)))
        #expect(machine.ask(now: 6_000) == .ask(.after(Self.cursor(4))))
    }

    @Test func replaysInPieces() {
        var machine = SubscriptionMachine(start: .after(Self.cursor(2)), now: 0)
        #expect(machine.ask(now: 0) == .ask(.after(Self.cursor(2))))
        #expect(
            machine.onReply(attachment: 1, Self.reply(from: 2, through: 4, isLive: false), now: 1)
                == Reading(begins: Self.cursor(2), messages: Self.messages(3...4), asksAgain: true))
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .drop, "not attached yet")
        #expect(machine.ask(now: 2) == .ask(.after(Self.cursor(4))))
        #expect(machine.onReply(attachment: 2, Self.reply(from: 4, through: 6), now: 3) == Reading(messages: Self.messages(5...6)))
        #expect(machine.isLive)
        #expect(machine.cursor == Self.cursor(6))
    }

    @Test func tellsAGap() {
        var machine = SubscriptionMachine(start: .after(Self.cursor(2, 9)), now: 0)
        _ = machine.ask(now: 0)
        #expect(
            machine.onReply(attachment: 1, Self.reply(from: 3, through: 4, gap: true), now: 1)
                == Reading(gap: Self.cursor(3), messages: Self.messages(4...4)))
        #expect(machine.cursor == Self.cursor(4))
    }

    @Test func anOwnerThatGoesOnElsewhereLeavesAGapEvenUnsaid() {
        var machine = SubscriptionMachine(start: .after(Self.cursor(2)), now: 0)
        _ = machine.ask(now: 0)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 3, through: 3, isLive: false), now: 1)?.gap == Self.cursor(3))
        _ = machine.ask(now: 2)
        #expect(machine.onReply(attachment: 2, Self.reply(from: 3, through: 3, incarnation: 8), now: 3)?.gap == Self.cursor(3, 8))
    }

    @Test func dropsWhatIsOlderAndMeetsHoles() {
        var machine = Self.live()
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .write)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .drop)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 3) == .drop)
        #expect(machine.onDeliver(attachment: 0, incarnation: 1, sequence: 6) == .drop, "of an earlier attachment")
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 7) == .hole)
        #expect(machine.onDeliver(attachment: 1, incarnation: 2, sequence: 6) == .hole)
        #expect(machine.cursor == Self.cursor(5))
        // The shell asks again: what still comes to the attachment before is dropped.
        #expect(machine.ask(now: 5) == .ask(.after(Self.cursor(5))))
        #expect(machine.attachment == 2)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 6) == .drop)
        #expect(machine.onReply(attachment: 2, Self.reply(from: 5, through: 7), now: 6) == Reading(messages: Self.messages(6...7)))
    }

    @Test func attachesAgainAfterItWasDetached() {
        var machine = Self.live()
        #expect(machine.onDetached(attachment: 9, now: 50) == .nothing)
        #expect(machine.isLive)
        #expect(machine.onDetached(attachment: 1, now: 50) == .nothing)
        #expect(!machine.isLive)
        #expect(machine.onTick(now: 149) == .nothing)
        #expect(machine.onTick(now: 150) == .ask(.after(Self.cursor(4))))
        #expect(machine.onReply(attachment: 1, Self.reply(from: 4, through: 4), now: 151) == nil, "a late answer to the question before")
        #expect(machine.onRefusal(attachment: 1, now: 151) == .nothing)
        #expect(machine.onRefusal(attachment: 2, now: 160) == .nothing)
        #expect(machine.onTick(now: 259) == .nothing)
        #expect(machine.onTick(now: 260) == .ask(.after(Self.cursor(4))))
        #expect(machine.onReply(attachment: 3, Self.reply(from: 4, through: 4), now: 261) == Reading())
        #expect(machine.isLive)
    }

    @Test func aNewRingIsReasonToAskAtOnce() {
        var machine = Self.live()
        #expect(machine.onEpoch(now: 10) == .nothing, "live: nothing to ask")
        _ = machine.onDetached(attachment: 1, now: 50)
        #expect(machine.onEpoch(now: 51) == .ask(.after(Self.cursor(4))))
        #expect(machine.onEpoch(now: 52) == .nothing, "asked already")
    }

    /// What the owner before has committed until it lets go comes to the attachment that is there.
    @Test func whoIsAttachedWaitsForTheEndOfTheOwnerBefore() {
        var machine = Self.live()
        #expect(machine.ownerHasChanged(now: 10) == .nothing && machine.isLive && !machine.isSettled)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .write)
        #expect(machine.onTick(now: 50) == .nothing && machine.onEpoch(now: 60) == .nothing)
        #expect(machine.onDetached(attachment: 1, now: 70) == .ask(.after(Self.cursor(5))), "at once")
        _ = machine.onReply(attachment: 2, Self.reply(from: 5, through: 5), now: 80)
        #expect(machine.isSettled)
        // One that never lets go.
        _ = machine.ownerHasChanged(now: 100)
        #expect(machine.onTick(now: 3_099) == .nothing)
        #expect(machine.onTick(now: 3_100) == .ask(.after(Self.cursor(5))))
        // Who has no attachment has nothing to lose.
        #expect(machine.ownerHasChanged(now: 3_101) == .ask(.after(Self.cursor(5))))
        #expect(machine.onRefusal(attachment: 4, now: 3_102) == .nothing)
        #expect(machine.ownerHasChanged(now: 3_103) == .ask(.after(Self.cursor(5))))
    }

    @Test func anOwnerThatDoesNotAnswerIsAskedAgain() {
        var machine = SubscriptionMachine(start: .earliest, now: 0)
        #expect(machine.ask(now: 0) == .ask(.earliest))
        #expect(machine.onTick(now: 2_999) == .nothing)
        #expect(machine.onTick(now: 3_000) == .ask(.earliest))
        #expect(machine.onDetached(attachment: 2, now: 3_001) == .nothing)
        #expect(machine.onTick(now: 3_101) == .ask(.earliest))
        #expect(machine.onTick(now: 6_101) == .ask(.earliest))
        #expect(machine.onTick(now: 9_101) == .ask(.earliest))
        #expect(machine.onTick(now: 9_999) == .nothing)
        #expect(machine.onTick(now: 10_000) == .close(.ownerUnreachable))
        #expect(machine.onTick(now: 20_000) == .nothing)
    }

    @Test func refusalsForTenSecondsCloseTheSocket() {
        var machine = Self.live(at: 1_000)
        #expect(machine.onDetached(attachment: 1, now: 50_000) == .nothing)
        var now: Int64 = 50_000
        while now < 59_900 {
            now += 100
            #expect(machine.onTick(now: now) == .ask(.after(Self.cursor(4))))
            #expect(machine.onRefusal(attachment: machine.attachment, now: now) == .nothing)
        }
        #expect(machine.onTick(now: 60_000) == .close(.ownerUnreachable))
        var other = Self.live()
        _ = other.onDetached(attachment: 1, now: 0)
        _ = other.onEpoch(now: 9_999)
        #expect(other.onRefusal(attachment: 2, now: 10_000) == .close(.ownerUnreachable))
    }

    @Test func theTenSecondsBeginWhenTheOwnerIsNeeded() {
        // Live for an hour, then a hole or a new owner: the question has only just been asked.
        var machine = Self.live()
        #expect(machine.ask(now: 3_600_000) == .ask(.after(Self.cursor(4))))
        #expect(machine.onTick(now: 3_600_050) == .nothing)
        #expect(machine.onTick(now: 3_603_000) == .ask(.after(Self.cursor(4))))
        #expect(machine.onTick(now: 3_610_000) == .close(.ownerUnreachable))
        // A socket that took half a minute to drain a piece of its replay.
        var slow = SubscriptionMachine(start: .earliest, now: 0)
        _ = slow.ask(now: 0)
        _ = slow.onReply(attachment: 1, Self.reply(from: 0, through: 2, isLive: false), now: 1)
        #expect(slow.onTick(now: 30_000) == .nothing)
        #expect(slow.ask(now: 30_000) == .ask(.after(Self.cursor(2))))
        #expect(slow.onTick(now: 30_001) == .nothing)
    }

    @Test func endedIsFinal() {
        var machine = Self.live()
        machine.onClose()
        #expect(machine.ask(now: 1) == .nothing)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 4, through: 5), now: 1) == nil)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .drop)
        #expect(machine.onRefusal(attachment: 1, now: 1) == .nothing)
        #expect(machine.onDetached(attachment: 1, now: 1) == .nothing)
        #expect(machine.onEpoch(now: 1) == .nothing)
        #expect(machine.onTick(now: 100_000) == .nothing)
    }
}
