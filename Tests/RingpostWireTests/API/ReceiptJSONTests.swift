// Receipts as producers and clients read them.
import HashRing
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct ReceiptJSONTests {
    private func json(mirrored: Bool, durable: Bool, repeated: Bool = false, _ kind: KeyKind = .user) -> String {
        let key = Key(kind, trusted: Array("al\"ice".utf8), hash: KeyHash(rawValue: 1))
        let receipt = Receipt(
            sequence: 42, epoch: 12, owner: "n2", outcome: .stored, mirrored: mirrored, durable: durable, id: MessageID(high: 1, low: 2),
            repeated: repeated)
        var bytes: [UInt8] = []
        receipt.appendJSON(key: key, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func whatIsNotSoIsNotSaid() {
        #expect(
            json(mirrored: true, durable: false)
                == #"{"user":"al\"ice","seq":42,"epoch":12,"owner":"n2","outcome":"stored","mirrored":true,"#
                + #""id":"00000000000000010000000000000002"}"#)
        #expect(json(mirrored: false, durable: false).contains(#","mirrored":false,"id":"#))
    }

    @Test func whatIsDurableSaysSo() {
        #expect(
            json(mirrored: true, durable: true, repeated: true, .channel)
                == #"{"channel":"al\"ice","seq":42,"epoch":12,"owner":"n2","outcome":"stored","mirrored":true,"durable":true,"#
                + #""id":"00000000000000010000000000000002","repeated":true}"#)
        #expect(json(mirrored: false, durable: true).contains(#","mirrored":false,"durable":true,"id":"#))
    }
}
