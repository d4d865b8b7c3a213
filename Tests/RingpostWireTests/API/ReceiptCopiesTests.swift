// How many copies a receipt tells of, as JSON and in frames: three are said, so that who knows of two only understands it too.
import HashRing
import NIOCore
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct ReceiptCopiesTests {
    private func receipt(_ copies: UInt8, durable: Bool = false) -> Receipt {
        Receipt(sequence: 1, epoch: 2, owner: "n1", outcome: .stored, copies: copies, durable: durable, id: MessageID(high: 0, low: 5))
    }

    private func json(_ copies: UInt8, durable: Bool = false) -> String {
        var bytes: [UInt8] = []
        receipt(copies, durable: durable).appendJSON(key: Key(.user, trusted: Array("a".utf8), hash: KeyHash(rawValue: 0)), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func onlyThreeAreNamed() {
        let head = #"{"user":"a","seq":1,"epoch":2,"owner":"n1","outcome":"stored","#
        let tail = #""id":"00000000000000000000000000000005"}"#
        #expect(json(1) == head + #""mirrored":false,"# + tail)
        #expect(json(2) == head + #""mirrored":true,"# + tail)
        #expect(json(3) == head + #""mirrored":true,"copies":3,"# + tail)
        #expect(json(3, durable: true) == head + #""mirrored":true,"copies":3,"durable":true,"# + tail)
    }

    /// Byte 30 of the frame.
    @Test(arguments: [(1, 0), (2, 1), (3, 17)] as [(UInt8, UInt8)]) func whoKnowsOnlyOfMirroredSeesThat(copies: UInt8, flags: UInt8) {
        for (durable, durableFlag) in [(false, 0), (true, 8)] as [(Bool, UInt8)] {
            var buffer = ByteBuffer()
            LinkEncoder.write(answer: 7, .success(receipt(copies, durable: durable)), into: &buffer)
            #expect(buffer.getInteger(at: 30, as: UInt8.self) == flags | durableFlag)
        }
    }
}
