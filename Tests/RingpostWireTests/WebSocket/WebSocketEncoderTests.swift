// Frames as the encoder writes them: against RFC 6455 5.7's examples, and read back by the decoder.

import NIOCore
import RingpostWire
import Testing

@Suite struct WebSocketEncoderTests {
    private func written(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
        var buffer = ByteBuffer()
        write(&buffer)
        return Array(buffer.readableBytesView)
    }

    @Test func theExamplesOfTheStandard() {
        let hello = ByteBuffer(string: "Hello")
        #expect(written { WebSocketEncoder.writeText(hello, into: &$0) } == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(written { WebSocketEncoder.writeText(Array("Hello".utf8), into: &$0) } == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(
            written { WebSocketEncoder.writeMasked(.text, hello, maskKey: 0x37FA_213D, into: &$0) }
                == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
        #expect(written { WebSocketEncoder.writePing(hello, into: &$0) } == [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(written { WebSocketEncoder.writePong(ByteBuffer(), into: &$0) } == [0x8A, 0x00])
        #expect(written { WebSocketEncoder.writeHeader(opcode: .binary, payloadLength: 256, into: &$0) } == [0x82, 0x7E, 0x01, 0x00])
        #expect(
            written { WebSocketEncoder.writeHeader(opcode: .binary, payloadLength: 65_536, into: &$0) }
                == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536])
    func headersHaveTheLengthThatIsAnnounced(_ count: Int) {
        let payload = ByteBuffer(repeating: 0x61, count: count)
        let plain = written { WebSocketEncoder.writeBinary(payload, into: &$0) }
        #expect(plain.count == WebSocketEncoder.headerLength(payloadLength: count) + count)
        let masked = written { WebSocketEncoder.writeMasked(.binary, payload, maskKey: 0xFF00_0102, into: &$0) }
        #expect(masked.count == WebSocketEncoder.headerLength(payloadLength: count, isMasked: true) + count)
        #expect(webSocketTranscript([plain[...]], role: .client) == webSocketTranscript([masked[...]], role: .server))
    }

    @Test func closeReasonsAreCutBetweenCharacters() {
        #expect(written { WebSocketEncoder.writeClose(code: 1000, reason: "ok", into: &$0) } == [0x88, 0x04, 0x03, 0xE8, 0x6F, 0x6B])
        let fits = String(repeating: "a", count: WebSocketEncoder.closeReasonBytesMax)
        #expect(written { WebSocketEncoder.writeClose(code: 4000, reason: fits, into: &$0) }.count == 127)
        let cut = written { WebSocketEncoder.writeClose(code: 4000, reason: fits.dropLast() + "ü", into: &$0) }
        #expect(webSocketTranscript([cut[...]], role: .client) == ["close 4000 \(fits.dropLast())"])
        let wide = written {
            WebSocketEncoder.writeMaskedClose(code: 4000, reason: String(repeating: "👋", count: 40), maskKey: 7, into: &$0)
        }
        #expect(webSocketTranscript([wide[...]]) == ["close 4000 \(String(repeating: "👋", count: 30))"])
    }
}
