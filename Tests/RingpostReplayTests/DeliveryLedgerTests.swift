// The judge must bite: each kind of fault is shown to it once, and a clean run too.
import Testing

@testable import RingpostReplay

@Suite struct DeliveryLedgerTests {
    /// Four messages: 0, 1 and 3 to recipient 0, 2 to recipient 1; all sent and acknowledged, both recipients attached.
    private static func sent(acknowledged: [Int] = [0, 1, 2, 3]) -> DeliveryLedger {
        var ledger = DeliveryLedger(recipients: [0, 0, 1, 0], recipientCount: 2)
        ledger.onAttached(0, incarnation: 7, sequence: 10)
        ledger.onAttached(1, incarnation: 8, sequence: 0)
        for number in 0..<4 { ledger.onSend(number, at: 100) }
        let sequences: [UInt64] = [11, 12, 1, 13]
        for number in acknowledged { ledger.onReceipt(number, sequence: sequences[number]) }
        return ledger
    }

    @Test func cleanRun() {
        var ledger = Self.sent()
        #expect(ledger.missing == 4)
        #expect(ledger.onMessage(0, to: 0, incarnation: 7, sequence: 11, at: 150) == 50)
        #expect(ledger.onMessage(2, to: 1, incarnation: 8, sequence: 1, at: 170) == 70)
        #expect(ledger.onMessage(1, to: 0, incarnation: 7, sequence: 12, at: 180) == 80)
        #expect(!ledger.verdict.isClean)
        #expect(ledger.onMessage(3, to: 0, incarnation: 7, sequence: 13, at: 190) == 90)
        #expect(ledger.missing == 0)
        #expect(ledger.verdict.isClean)
        #expect(ledger.verdict.delivered == 4)
    }

    @Test func messagesMayComeBeforeTheirReceipts() {
        var ledger = Self.sent(acknowledged: [])
        #expect(ledger.onMessage(2, to: 1, incarnation: 8, sequence: 1, at: 101) == 1)
        ledger.onReceipt(2, sequence: 1)
        #expect(ledger.missing == 3)
        #expect(ledger.verdict.mismatched == 0)
    }

    @Test func bitesOnLoss() {
        var ledger = Self.sent()
        _ = ledger.onMessage(0, to: 0, incarnation: 7, sequence: 11, at: 150)
        _ = ledger.onMessage(1, to: 0, incarnation: 7, sequence: 12, at: 150)
        _ = ledger.onMessage(2, to: 1, incarnation: 8, sequence: 1, at: 150)
        #expect(ledger.verdict.lost == 1)
        #expect(!ledger.verdict.isClean)
    }

    @Test func bitesOnLossInTheMiddleOnceAsLossAndOnceAsHole() {
        var ledger = Self.sent()
        _ = ledger.onMessage(0, to: 0, incarnation: 7, sequence: 11, at: 150)
        _ = ledger.onMessage(3, to: 0, incarnation: 7, sequence: 13, at: 150)
        _ = ledger.onMessage(2, to: 1, incarnation: 8, sequence: 1, at: 150)
        #expect(ledger.verdict.lost == 1)
        #expect(ledger.verdict.holes == 1)
    }

    @Test func bitesOnDuplicates() {
        var ledger = Self.sent()
        _ = ledger.onMessage(0, to: 0, incarnation: 7, sequence: 11, at: 150)
        #expect(ledger.onMessage(0, to: 0, incarnation: 7, sequence: 12, at: 151) == nil)
        #expect(ledger.verdict.duplicated == 1)
        // The same place in the order again is a repeat as well, but no hole.
        _ = ledger.onMessage(0, to: 0, incarnation: 7, sequence: 12, at: 152)
        #expect(ledger.verdict.duplicated == 2)
        #expect(ledger.verdict.holes == 0)
    }

    @Test func bitesOnDisorder() {
        var ledger = Self.sent()
        _ = ledger.onMessage(1, to: 0, incarnation: 7, sequence: 11, at: 150)
        _ = ledger.onMessage(0, to: 0, incarnation: 7, sequence: 12, at: 150)
        _ = ledger.onMessage(3, to: 0, incarnation: 7, sequence: 13, at: 150)
        #expect(ledger.verdict.outOfOrder == 1)
        // Their receipts said it the other way round.
        #expect(ledger.verdict.mismatched == 2)
        #expect(ledger.verdict.holes == 0)
    }

    @Test func bitesOnTheWrongRecipient() {
        var ledger = Self.sent()
        #expect(ledger.onMessage(2, to: 0, incarnation: 7, sequence: 11, at: 150) == nil)
        #expect(ledger.verdict.misdelivered == 1)
        #expect(ledger.verdict.delivered == 0)
    }

    @Test func bitesOnASilentChangeOfIncarnation() {
        var ledger = Self.sent()
        _ = ledger.onMessage(0, to: 0, incarnation: 7, sequence: 11, at: 150)
        ledger.onAttached(0, incarnation: 9, sequence: 0)
        _ = ledger.onMessage(1, to: 0, incarnation: 9, sequence: 1, at: 150)
        #expect(ledger.verdict.holes == 1)
    }

    @Test func anAnnouncedGapIsNoHoleButWhatFellIntoItIsLost() {
        var ledger = Self.sent()
        ledger.onGap(0, incarnation: 7, sequence: 12)
        _ = ledger.onMessage(3, to: 0, incarnation: 7, sequence: 13, at: 150)
        #expect(ledger.verdict.gaps == 1)
        #expect(ledger.verdict.holes == 0)
        #expect(ledger.verdict.lost == 3)
    }

    @Test func refusedMessagesAreNeitherLostNorClean() {
        var ledger = Self.sent(acknowledged: [0, 1, 2])
        ledger.onFailure(3, mayBeAppended: false)
        #expect(ledger.missing == 3)
        for (number, recipient, incarnation, sequence) in [(0, 0, 7, 11), (1, 0, 7, 12), (2, 1, 8, 1)] as [(Int, Int, UInt64, UInt64)] {
            _ = ledger.onMessage(number, to: recipient, incarnation: incarnation, sequence: sequence, at: 150)
        }
        #expect(ledger.verdict.lost == 0)
        #expect(ledger.verdict.refused == 1)
        #expect(!ledger.verdict.isClean)
    }

    @Test func anUnknownOutcomeIsFineOnceTheMessageIsThere() {
        var ledger = Self.sent(acknowledged: [0, 1, 2])
        ledger.onFailure(3, mayBeAppended: true)
        for (number, recipient, incarnation, sequence) in [(0, 0, 7, 11), (1, 0, 7, 12), (2, 1, 8, 1)] as [(Int, Int, UInt64, UInt64)] {
            _ = ledger.onMessage(number, to: recipient, incarnation: incarnation, sequence: sequence, at: 150)
        }
        #expect(!ledger.verdict.isClean)
        #expect(ledger.onMessage(3, to: 0, incarnation: 7, sequence: 13, at: 150) == nil)
        #expect(ledger.verdict.isClean)
        #expect(ledger.missing == 0)
    }

    @Test func messagesOfOthersAreCountedApart() {
        var ledger = Self.sent()
        _ = ledger.onMessage(nil, to: 0, incarnation: 7, sequence: 11, at: 150)
        _ = ledger.onMessage(99, to: 0, incarnation: 7, sequence: 12, at: 150)
        #expect(ledger.verdict.foreign == 2)
        #expect(ledger.verdict.holes == 0)
    }
}
