// The judge of channels must bite: each kind of fault is shown to it once, and a clean run too.
import Testing

@testable import RingpostReplay

@Suite struct ChannelLedgerTests {
    /// Messages 0, 1 and 2 on channel 0, which has two subscribers, and 3 on channel 1, which has one.
    private static func sent() -> ChannelLedger {
        var ledger = ChannelLedger(messages: [0, 0, 0, 1], subscribers: [2, 1])
        for number in 0..<4 { ledger.onSend(number, at: 100) }
        for (number, sequence) in [11, 12, 13, 1].enumerated() { ledger.onReceipt(number, sequence: UInt64(sequence)) }
        return ledger
    }

    /// Everything, unless it is left out.
    private static func hear(_ ledger: inout ChannelLedger, without: [(subscriber: Int, number: Int)] = []) {
        for subscriber in 0..<2 {
            for number in 0..<3 where !without.contains(where: { $0 == (subscriber, number) }) {
                _ = ledger.onMessage(number, on: 0, to: subscriber, incarnation: 7, sequence: UInt64(11 + number), at: 150)
            }
        }
        _ = ledger.onMessage(3, on: 1, to: 5, incarnation: 9, sequence: 1, at: 150)
    }

    @Test func cleanRun() {
        var ledger = Self.sent()
        #expect(ledger.missing == 7)
        Self.hear(&ledger)
        #expect(ledger.missing == 0)
        #expect(ledger.verdict.isClean && ledger.verdict.delivered == 7 && ledger.verdict.planned == 7)
    }

    @Test func whatOneSubscriberLacksIsLost() {
        var ledger = Self.sent()
        Self.hear(&ledger, without: [(1, 2)])
        #expect(ledger.verdict.lost == 1 && ledger.missing == 1 && !ledger.verdict.isClean)
        var hollow = Self.sent()
        Self.hear(&hollow, without: [(0, 1)])
        #expect(hollow.verdict.lost == 1 && hollow.verdict.holes == 1)
    }

    @Test func whatComesAgainIsADuplicate() {
        var ledger = Self.sent()
        Self.hear(&ledger)
        #expect(ledger.onMessage(1, on: 0, to: 1, incarnation: 7, sequence: 12, at: 160) == nil)
        #expect(ledger.verdict.duplicated == 1 && ledger.verdict.lost == 0)
    }

    @Test func subscribersWhoSeeAnotherOrder() {
        var ledger = ChannelLedger(messages: [0, 0], subscribers: [2])
        for number in 0..<2 { ledger.onSend(number, at: 0) }
        _ = ledger.onMessage(0, on: 0, to: 0, incarnation: 7, sequence: 1, at: 0)
        _ = ledger.onMessage(1, on: 0, to: 0, incarnation: 7, sequence: 2, at: 0)
        _ = ledger.onMessage(1, on: 0, to: 1, incarnation: 7, sequence: 1, at: 0)
        _ = ledger.onMessage(0, on: 0, to: 1, incarnation: 7, sequence: 2, at: 0)
        // Twice at another place than the other saw it, and once after a later one.
        #expect(ledger.verdict.outOfOrder == 2 && !ledger.verdict.isClean)
    }

    @Test func whatBelongsElsewhereAndWhatTheReceiptSaysOtherwise() {
        var ledger = Self.sent()
        _ = ledger.onMessage(3, on: 0, to: 0, incarnation: 7, sequence: 11, at: 0)
        _ = ledger.onMessage(nil, on: 0, to: 0, incarnation: 7, sequence: 11, at: 0)
        _ = ledger.onMessage(9, on: 0, to: 0, incarnation: 7, sequence: 11, at: 0)
        #expect(ledger.verdict.foreign == 3)
        _ = ledger.onMessage(0, on: 0, to: 0, incarnation: 7, sequence: 12, at: 0)
        #expect(ledger.verdict.mismatched == 1)
        var early = ChannelLedger(messages: [0], subscribers: [1])
        early.onSend(0, at: 0)
        _ = early.onMessage(0, on: 0, to: 0, incarnation: 7, sequence: 3, at: 0)
        early.onReceipt(0, sequence: 2)
        #expect(early.verdict.mismatched == 1)
    }

    @Test func gapsAndFailures() {
        var ledger = ChannelLedger(messages: [0, 0, 0], subscribers: [1])
        for number in 0..<3 { ledger.onSend(number, at: 0) }
        ledger.onReceipt(0, sequence: 1)
        ledger.onFailure(1, mayBeAppended: true)
        ledger.onFailure(2, mayBeAppended: false)
        _ = ledger.onMessage(0, on: 0, to: 0, incarnation: 7, sequence: 1, at: 0)
        ledger.onGap(0, channel: 0)
        #expect(ledger.missing == 0)
        #expect(ledger.verdict.gaps == 1 && ledger.verdict.unknown == 1 && ledger.verdict.refused == 1 && ledger.verdict.lost == 0)
    }
}
