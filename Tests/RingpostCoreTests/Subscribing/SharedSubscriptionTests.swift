// A socket that shares its node's attachment to a channel: what the owner's answer brings and what is shown to all have to fit together.
import Testing

@testable import RingpostCore

@Suite struct SharedSubscriptionTests {
    private static func cursor(_ sequence: UInt64, _ incarnation: UInt64 = 1) -> Cursor {
        Cursor(incarnation: incarnation, sequence: sequence)
    }

    /// As an owner answers who doesn't stay.
    private static func reply(from: UInt64, through: UInt64, incarnation: UInt64 = 1, hasMore: Bool = false) -> AttachReply {
        let messages = (from..<through).map { StoredMessage(sequence: $0 + 1, envelope: [0x7B, 0x7D]) }
        return AttachReply(
            incarnation: incarnation, gap: false, from: from, through: through, messages: messages, isLive: false, hasMore: hasMore)
    }

    private static func asking(_ start: AttachStart = .now) -> SubscriptionMachine {
        var machine = SubscriptionMachine(start: start, isShared: true, now: 0)
        _ = machine.ask(now: 0)
        return machine
    }

    @Test func isLiveOnceTheHistoryIsThere() {
        var machine = Self.asking(.earliest)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 0, through: 2, hasMore: true), now: 1)?.asksAgain == true)
        #expect(!machine.isLive)
        #expect(machine.ask(now: 2) == .ask(.after(Self.cursor(2))))
        #expect(machine.onReply(attachment: 2, Self.reply(from: 2, through: 4), now: 3)?.asksAgain == false)
        #expect(machine.isLive && machine.isSettled)
        #expect(machine.onDeliver(attachment: 2, incarnation: 1, sequence: 4) == .drop)
        #expect(machine.onDeliver(attachment: 2, incarnation: 1, sequence: 5) == .write)
        #expect(machine.onDeliver(attachment: 2, incarnation: 1, sequence: 7) == .hole)
    }

    @Test func anAnswerThatEndsBeforeWhatWasShownMeanwhileIsNotTheEnd() {
        var machine = Self.asking()
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .drop)
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 6) == .drop)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 5, through: 5), now: 1)?.asksAgain == true)
        #expect(!machine.isLive)
        #expect(machine.ask(now: 1) == .ask(.after(Self.cursor(5))))
        #expect(machine.onReply(attachment: 2, Self.reply(from: 5, through: 6), now: 2)?.messages.map(\.sequence) == [6])
        #expect(machine.isLive)
    }

    @Test func anAnswerThatReachesFurtherIs() {
        var machine = Self.asking()
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 5) == .drop)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 7, through: 7), now: 1)?.asksAgain == false)
        #expect(machine.isLive)
        for sequence: UInt64 in 6...7 { #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: sequence) == .drop) }
        #expect(machine.onDeliver(attachment: 1, incarnation: 1, sequence: 8) == .write)
    }

    @Test func anAnswerOfAnotherIncarnationIsNotTheEnd() {
        var machine = Self.asking()
        #expect(machine.onDeliver(attachment: 1, incarnation: 2, sequence: 1) == .drop)
        #expect(machine.onReply(attachment: 1, Self.reply(from: 5, through: 5, incarnation: 1), now: 1)?.asksAgain == true)
        #expect(!machine.isLive)
    }

    @Test func anotherOwnerIsTheNodesBusiness() {
        var machine = Self.asking()
        #expect(machine.ownerHasChanged(now: 1) == .ask(.now), "the owner before won't answer any more")
        _ = machine.onReply(attachment: 2, Self.reply(from: 5, through: 5), now: 2)
        #expect(machine.ownerHasChanged(now: 3) == .nothing)
        #expect(machine.isLive && machine.isSettled)
        #expect(machine.onTick(now: 100_000) == .nothing)
    }
}
