// The judge of a torture run, shown each thing that must never happen: a judge that sees nothing would let everything pass.

import RingpostCore
import Testing

@testable import torture

@Suite struct JudgeTests {
    /// Two users; listeners 0 and 1 hear the first of them, listener 2 the second.
    private static func judge() -> Judge {
        var judge = Judge(userCount: 2, listeners: [0, 0, 1])
        for listener in 0..<3 { judge.onAttached(listener, Cursor(incarnation: 7, sequence: 0)) }
        return judge
    }

    /// Sends a message to the first user and acknowledges it.
    private static func publish(_ judge: inout Judge, sequence: UInt64, at now: Int64 = 1_000) -> Int {
        let number = judge.onSend(user: 0, at: now)
        judge.onReceipt(user: 0, number: number, sequence: sequence, isMirrored: true, isMoved: false, at: now + 5)
        return number
    }

    private static func hear(_ judge: inout Judge, _ listener: Int, _ number: Int, sequence: UInt64, incarnation: UInt64 = 7) {
        let index = Cursor(incarnation: incarnation, sequence: sequence)
        judge.onMessage(listener, user: 0, number: number, position: index, isMoved: false, at: 2_000)
    }

    private static func total(_ judge: Judge) -> Tally { judge.verdict.reduce(into: Tally()) { $0.merge($1) } }

    @Test func whatComesOnceAndInOrderIsClean() {
        var judge = Self.judge()
        for sequence: UInt64 in 1...3 {
            let number = Self.publish(&judge, sequence: sequence)
            for listener in [0, 1] { Self.hear(&judge, listener, number, sequence: sequence) }
        }
        #expect(Self.total(judge).isClean)
        #expect(Self.total(judge).acknowledged == 3)
        #expect(judge.missing(before: .max) == 0)
        #expect(Self.total(judge).waits == Tally.Waits(receipt: 5, socket: 995))
        #expect(judge.incidents.isEmpty)
    }

    @Test func whatOneListenerNeverGetsIsLost() {
        var judge = Self.judge()
        let number = Self.publish(&judge, sequence: 1)
        Self.hear(&judge, 0, number, sequence: 1)
        #expect(judge.missing(before: .max) == 1)
        #expect(judge.missing(before: 1_005) == 0, "it was acknowledged then, not before")
        #expect(Self.total(judge).lost == 1)
        judge.giveUpMissing()
        #expect(judge.missing(before: .max) == 0)
        #expect(Self.total(judge).lost == 1, "given up is not forgiven")
    }

    @Test func whatHasNoReceiptNeedNotCome() {
        var judge = Self.judge()
        judge.onUnknown(user: 0, number: judge.onSend(user: 0, at: 1))
        #expect(Self.total(judge).isClean)
        #expect(Self.total(judge).unknown == 1)
    }

    @Test func whatWasSentBeforeAListenerCameNeedNotCome() {
        var judge = Judge(userCount: 1, listeners: [0])
        _ = Self.publish(&judge, sequence: 1)
        judge.onAttached(0, Cursor(incarnation: 7, sequence: 1))
        let number = Self.publish(&judge, sequence: 2)
        Self.hear(&judge, 0, number, sequence: 2)
        #expect(Self.total(judge).isClean)
    }

    @Test func twiceIsADuplicate() {
        var judge = Self.judge()
        let number = Self.publish(&judge, sequence: 1)
        for listener in [0, 0, 1] { Self.hear(&judge, listener, number, sequence: 1) }
        #expect(Self.total(judge).duplicates == 1)
    }

    @Test func laterFirstIsDisorder() {
        var judge = Self.judge()
        let (first, second) = (Self.publish(&judge, sequence: 2), Self.publish(&judge, sequence: 1))
        for listener in [0, 1] {
            Self.hear(&judge, listener, second, sequence: 1)
            Self.hear(&judge, listener, first, sequence: 2)
        }
        #expect(Self.total(judge).disorder == 2)
    }

    @Test func aSkippedNumberIsDisorderAndAGapIsAGap() {
        var judge = Self.judge()
        Self.hear(&judge, 0, Self.publish(&judge, sequence: 2), sequence: 2)
        #expect(Self.total(judge).disorder == 1)
        judge.onGap(1, Cursor(incarnation: 7, sequence: 4))
        Self.hear(&judge, 1, Self.publish(&judge, sequence: 5), sequence: 5)
        #expect(Self.total(judge).disorder == 1, "what is announced is no disorder")
        #expect(Self.total(judge).gaps == 1)
        #expect(!Self.total(judge).isClean)
    }

    @Test func anotherIncarnationWithoutAWordIsDisorder() {
        var judge = Self.judge()
        Self.hear(&judge, 0, Self.publish(&judge, sequence: 1), sequence: 1, incarnation: 8)
        #expect(Self.total(judge).disorder == 1)
    }

    @Test func twoMessagesAtOnePlaceAreTwoVoices() {
        var judge = Self.judge()
        let (first, second) = (Self.publish(&judge, sequence: 1), Self.publish(&judge, sequence: 1))
        #expect(Self.total(judge).voices == 1, "two receipts of one number")
        Self.hear(&judge, 0, first, sequence: 1)
        Self.hear(&judge, 1, second, sequence: 1)
        #expect(Self.total(judge).voices == 2, "and two sockets say so")
    }

    @Test func oneMessageAtTwoPlacesIsTwoVoices() {
        var judge = Self.judge()
        let number = Self.publish(&judge, sequence: 1)
        Self.hear(&judge, 0, number, sequence: 1)
        Self.hear(&judge, 1, number, sequence: 1, incarnation: 8)
        #expect(Self.total(judge).voices == 1)
    }

    @Test func aReceiptThatDisagreesWithASocketIsASecondVoice() {
        var judge = Self.judge()
        let early = Self.publish(&judge, sequence: 2)
        Self.hear(&judge, 0, early, sequence: 1)
        let late = judge.onSend(user: 0, at: 1)
        Self.hear(&judge, 0, late, sequence: 2)
        judge.onReceipt(user: 0, number: late, sequence: 3, isMirrored: true, isMoved: false, at: 9)
        #expect(Self.total(judge).voices == 2)
    }

    @Test func whatBelongsToAnotherIsDisorder() {
        var judge = Self.judge()
        let number = Self.publish(&judge, sequence: 1)
        judge.onMessage(2, user: 0, number: number, position: Cursor(incarnation: 7, sequence: 1), isMoved: false, at: 3)
        judge.onMessage(2, user: nil, number: 0, position: Cursor(incarnation: 7, sequence: 2), isMoved: false, at: 3)
        #expect(Self.total(judge).disorder == 2)
    }

    @Test func onlySocketsWhoseNodeStayedCountAsDisconnects() {
        var judge = Self.judge()
        judge.onSocketEnd(0, .moved, "")
        judge.onSocketEnd(0, .resumed, "")
        #expect(Self.total(judge).isClean)
        judge.onSocketEnd(0, .violation, "")
        #expect(Self.total(judge).disconnects == 1)
        #expect(!Self.total(judge).isClean)
    }

    @Test func aLossBelongsToTheFaultThatFollowed() {
        var judge = Self.judge()
        let second: Int64 = 1_000_000
        _ = Self.publish(&judge, sequence: 1, at: second)
        _ = Self.publish(&judge, sequence: 2, at: 10 * second)
        judge.openWindow(at: 10 * second + 100)
        #expect(judge.verdict.map(\.lost) == [2, 2])
        #expect(judge.windows.map(\.acknowledged) == [2, 0])
    }

    @Test func beingWellAgainNeedsAMirroredReceiptForEveryUser() {
        var judge = Self.judge()
        _ = Self.publish(&judge, sequence: 1, at: 100)
        #expect(!judge.isAnswered(since: 100))
        judge.onReceipt(user: 1, number: judge.onSend(user: 1, at: 150), sequence: 1, isMirrored: false, isMoved: false, at: 151)
        #expect(judge.isAnswered(since: 100))
        #expect(!judge.isAnswered(since: 120))
        #expect(!judge.isMirrored(since: 100))
        judge.onReceipt(user: 1, number: judge.onSend(user: 1, at: 160), sequence: 2, isMirrored: true, isMoved: false, at: 161)
        #expect(judge.isMirrored(since: 100))
    }
}
