// Keys that a producer's library makes for itself: they leave room in the window for those that anybody may use again, and a repeat of one
// that is not remembered is still never appended twice.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct ForgettableKeyTests {
    private static func publish(
        _ number: UInt64, to key: Key = LoneShard.key(), isForgettable: Bool = true, again: Bool = false, timeToLive: UInt32? = nil
    ) -> Publish {
        Publish(
            key: key, id: MessageID(high: 0, low: number), isRepeatable: true, isForgettable: isForgettable, data: [0x31],
            timeToLiveSeconds: timeToLive, deadline: 10_000, mayBeRepeat: again)
    }

    private static func words(_ publish: Publish, to loop: inout LoneShard, at now: Int64 = 1) -> String? {
        let actions = loop.publish(publish, answerTo: ReturnAddress(connectionID: 0, id: 1), hops: 1, at: Moment(monotonic: now, wall: 0))
        guard actions.count == 1, case .answer(_, let result) = actions[0] else {
            Issue.record("not one answer, but \(actions)")
            return nil
        }
        return result.words
    }

    private static func loop(window: Int, history: Int = 1_000, mailboxes: Int = 1_000) -> LoneShard {
        var limits = MailboxLimits()
        limits.windowEntriesMax = window
        limits.historyMessagesMax = history
        limits.mailboxesMax = mailboxes
        return LoneShard(limits: limits)
    }

    @Test func halfOfTheWindowIsLeftToOtherKeys() {
        var loop = Self.loop(window: 4)
        for number in 1...10 as ClosedRange<UInt64> { #expect(Self.words(Self.publish(number), to: &loop) == "#\(number) alone") }
        #expect(loop.store.windowCount == 2)
        #expect(Self.words(Self.publish(11, isForgettable: false), to: &loop) == "#11 alone")
        #expect(Self.words(Self.publish(12, isForgettable: false), to: &loop) == "#12 alone")
        #expect(Self.words(Self.publish(13, isForgettable: false), to: &loop) == "window_full", "the window is full of what was promised")
        #expect(Self.words(Self.publish(14), to: &loop) == "#13 alone", "and that is nobody else's trouble")
    }

    @Test func aRepeatIsFoundInTheWindowOrInTheHistory() {
        var loop = Self.loop(window: 4)
        for number in 1...10 as ClosedRange<UInt64> { _ = Self.words(Self.publish(number), to: &loop) }
        #expect(Self.words(Self.publish(1, again: true), to: &loop) == "#1 alone", "remembered")
        #expect(Self.words(Self.publish(9, again: true), to: &loop) == "#9 alone", "in the history")
        #expect(Self.words(Self.publish(11, again: true), to: &loop) == "#11 alone", "the first try never came here")
        #expect(loop.store.summary(of: LoneShard.key())?.historyMessages == 11)
    }

    @Test func aRepeatOfWhatTheHistoryMayHaveLostIsUnknown() {
        var loop = Self.loop(window: 2, history: 3)
        for number in 1...10 as ClosedRange<UInt64> { _ = Self.words(Self.publish(number), to: &loop) }
        #expect(Self.words(Self.publish(5, again: true), to: &loop) == "outcome_unknown")
        #expect(Self.words(Self.publish(9, again: true), to: &loop) == "#9 alone")
        #expect(Self.words(Self.publish(11), to: &loop) == "#11 alone", "a first try is no repeat of anything")
    }

    @Test func aRepeatForAMailboxThatMayHaveBeenForgottenIsUnknown() {
        var loop = Self.loop(window: 2, mailboxes: 1)
        _ = Self.words(Self.publish(1, to: LoneShard.key(1)), to: &loop)
        _ = Self.words(Self.publish(2, to: LoneShard.key(1)), to: &loop)
        _ = Self.words(Self.publish(3, to: LoneShard.key(2)), to: &loop, at: 5_000)
        #expect(Self.words(Self.publish(2, to: LoneShard.key(1), again: true), to: &loop, at: 5_000) == "outcome_unknown")
        // What was used last when it was forgotten is older than any repeat by then.
        let late = Publish(
            key: LoneShard.key(1), id: MessageID(high: 0, low: 4), isRepeatable: true, isForgettable: true, data: [0x31],
            deadline: 5_002 + 2 * Publish.budgetMillisecondsMax, mayBeRepeat: true)
        #expect(late.ageMax(now: 5_002 + Publish.budgetMillisecondsMax) == 0)
        #expect(Self.words(late, to: &loop, at: 5_002 + Publish.budgetMillisecondsMax) == "#1 alone")
    }

    /// The mailbox is there again, but not with what it held before.
    @Test func aRepeatForAMailboxThatWasForgottenAndMadeAgainIsUnknown() {
        var loop = Self.loop(window: 2, mailboxes: 1)
        let (one, other) = (LoneShard.key(1), LoneShard.key(2))
        for number in 1...2 as ClosedRange<UInt64> { _ = Self.words(Self.publish(number, to: one), to: &loop) }
        _ = Self.words(Self.publish(3, to: other), to: &loop, at: 100)
        _ = Self.words(Self.publish(4, to: one), to: &loop, at: 200)
        #expect(Self.words(Self.publish(2, to: one, again: true), to: &loop, at: 300) == "outcome_unknown")
        #expect(loop.store.summary(of: one)?.historyMessages == 1)
    }
}
