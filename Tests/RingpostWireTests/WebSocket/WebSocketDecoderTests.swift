// Frames that the decoder accepts and frames that it refuses, each fed whole, byte by byte and in random pieces.

import NIOCore
import RingpostWire
import Testing

/// A stream of frames, and the close code and beginning of the sentence that it is refused with.
struct FrameRejection: Sendable, CustomTestStringConvertible {
    let reason: String
    let stream: [UInt8]
    var role = WebSocketDecoder.Role.server

    init(_ reason: String, _ stream: [UInt8], role: WebSocketDecoder.Role = .server) {
        self.reason = reason
        self.stream = stream
        self.role = role
    }

    var testDescription: String { "\(reason): \(stream.prefix(12))" }

    /// A close frame with that payload.
    static func close(_ reason: String, _ payload: [UInt8]) -> FrameRejection {
        FrameRejection(reason, RawFrame(first: 0x88, payload: payload).bytes)
    }

    /// A text message with that payload.
    static func text(_ payload: [UInt8]) -> FrameRejection {
        FrameRejection("1007 A text", RawFrame(first: 0x81, payload: payload).bytes)
    }
}

@Suite struct WebSocketDecoderTests {
    private func transcript(_ stream: [UInt8], role: WebSocketDecoder.Role = .server, messageBytesMax: Int = 65_536) -> [String] {
        sameForEveryCutting(stream) { webSocketTranscript($0, role: role, messageBytesMax: messageBytesMax) }
    }

    @Test func messagesAndControlFrames() {
        #expect(transcript(RawFrame.text("hello")) == ["text hello"])
        #expect(transcript(RawFrame.text("")) == ["text "])
        #expect(transcript(RawFrame(first: 0x82, payload: [0, 255, 128]).bytes) == ["binary [0, 255, 128]"])
        #expect(transcript(RawFrame.text("a", first: 0x89) + RawFrame.text("", first: 0x8A)) == ["ping a", "pong "])
        #expect(transcript(RawFrame(first: 0x81, payload: [0x61], maskKey: nil).bytes, role: .client) == ["text a"])
        #expect(transcript(RawFrame.text("grüße 👋")) == ["text grüße 👋"])
    }

    @Test func everyLengthFormUnmasksEveryByte() {
        for count in [7, 8, 9, 63, 125, 126, 127, 4_099] {
            let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            #expect(transcript(RawFrame(first: 0x82, payload: payload).bytes) == ["binary \(payload)"], "\(count) bytes")
        }
        let long = [UInt8](repeating: 0x61, count: 65_536)
        #expect(webSocketTranscript([RawFrame(first: 0x81, payload: long).bytes[...]]).first?.utf8.count == 65_541)
    }

    @Test func fragmentsWithControlFramesBetween() {
        let stream =
            RawFrame.text("grü", first: 0x01) + RawFrame.text("p", first: 0x89) + RawFrame.text("", first: 0x00)
            + RawFrame.text("q", first: 0x8A) + RawFrame.text("ße", first: 0x80) + RawFrame.text("next")
        #expect(transcript(stream) == ["ping p", "pong q", "text grüße", "text next"])
        let split = RawFrame(first: 0x01, payload: [0xF0, 0x9F]).bytes + RawFrame(first: 0x80, payload: [0x91, 0x8B]).bytes
        #expect(transcript(split) == ["text 👋"])
        let plain = RawFrame(first: 0x02, payload: [1], maskKey: nil).bytes + RawFrame(first: 0x80, payload: [2], maskKey: nil).bytes
        #expect(transcript(plain, role: .client) == ["binary [1, 2]"])
    }

    @Test func closing() {
        #expect(transcript(RawFrame(first: 0x88).bytes + RawFrame.text("late")) == ["close - "])
        #expect(transcript(RawFrame(first: 0x88, payload: [0x03, 0xE8] + Array("bye ü".utf8)).bytes) == ["close 1000 bye ü"])
        for code in [1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999] as [UInt16] {
            let payload = withUnsafeBytes(of: code.bigEndian, Array.init)
            #expect(transcript(RawFrame(first: 0x88, payload: payload).bytes) == ["close \(code) "])
        }
    }

    @Test func messagesAtTheirLimit() {
        #expect(transcript(RawFrame.text("abcd"), messageBytesMax: 4) == ["text abcd"])
        #expect(transcript(RawFrame.text("ab", first: 0x01) + RawFrame.text("cd", first: 0x80), messageBytesMax: 4) == ["text abcd"])
        let tooBig = "1009 The message is too big."
        // The header alone is refused: no payload follows it.
        #expect(transcript(RawFrame(first: 0x81, announced: 5).bytes.dropLast(4), messageBytesMax: 4) == [tooBig])
        #expect(transcript(RawFrame(first: 0x82, announced: 65_537).bytes) == [tooBig])
        #expect(transcript(RawFrame(first: 0x82, announced: .max >> 1).bytes) == [tooBig])
        #expect(transcript(RawFrame.text("abc", first: 0x01) + RawFrame(first: 0x80, announced: 2).bytes, messageBytesMax: 4) == [tooBig])
    }

    @Test func fragmentsAtTheirLimit() {
        let beginning = RawFrame(first: 0x01).bytes
        let middle = (2..<WebSocketDecoder.fragmentCountMax).flatMap { _ in RawFrame(first: 0x00).bytes }
        #expect(webSocketTranscript([(beginning + middle + RawFrame(first: 0x80).bytes)[...]]) == ["text "])
        let tooMany = beginning + middle + RawFrame(first: 0x00).bytes + RawFrame(first: 0x80).bytes
        #expect(webSocketTranscript([tooMany[...]]) == ["1008 A message has too many fragments."])
    }

    static let frames: [FrameRejection] = [
        FrameRejection("1002 A reserved bit", RawFrame(first: 0xC1).bytes),
        FrameRejection("1002 A reserved bit", RawFrame(first: 0xA1).bytes),
        FrameRejection("1002 A reserved bit", RawFrame(first: 0x91).bytes),
        FrameRejection("1002 The opcode", RawFrame(first: 0x83).bytes),
        FrameRejection("1002 The opcode", RawFrame(first: 0x87).bytes),
        FrameRejection("1002 The opcode", RawFrame(first: 0x8B).bytes),
        FrameRejection("1002 The opcode", RawFrame(first: 0x8F).bytes),
        FrameRejection("1002 A control frame is", RawFrame(first: 0x09).bytes),
        FrameRejection("1002 A control frame is", RawFrame(first: 0x08).bytes),
        FrameRejection("1002 A control frame has", RawFrame(first: 0x89, payload: [UInt8](repeating: 0, count: 126)).bytes),
        FrameRejection("1002 A control frame has", RawFrame(first: 0x88, payload: [3, 232], lengthBits: 64).bytes),
        FrameRejection("1002 A continuation", RawFrame(first: 0x80).bytes),
        FrameRejection("1002 A message begins", RawFrame.text("a", first: 0x01) + RawFrame.text("b")),
        FrameRejection("1002 A message begins", RawFrame.text("a", first: 0x01) + RawFrame.text("b", first: 0x02)),
        FrameRejection("1002 A client's", RawFrame(first: 0x81, maskKey: nil).bytes),
        FrameRejection("1002 A server's", RawFrame(first: 0x81).bytes, role: .client),
        FrameRejection("1002 The length is", RawFrame(first: 0x81, payload: [0x61], lengthBits: 16).bytes),
        FrameRejection("1002 The length is", RawFrame(first: 0x81, payload: [UInt8](repeating: 0x61, count: 125), lengthBits: 16).bytes),
        FrameRejection("1002 The length is", RawFrame(first: 0x81, lengthBits: 64, announced: 65_535).bytes),
        FrameRejection("1002 The length has", RawFrame(first: 0x81, lengthBits: 64, announced: 1 << 63).bytes),
        .close("1002 A close frame", [3]),
        .close("1007 A text", [3, 232, 0xFF]),
        .close("1007 A text", [3, 232, 0xC3]),
        .text([0x61, 0xFF]), .text([0xC0, 0x80]), .text([0xC3]), .text([0xED, 0xA0, 0x80]), .text([0xF4, 0x90, 0x80, 0x80]),
        FrameRejection("1007 A text", RawFrame(first: 0x01, payload: [0xC3]).bytes + RawFrame.text("a", first: 0x80)),
        FrameRejection("1007 A text", RawFrame(first: 0x01, payload: [0xC3]).bytes + RawFrame(first: 0x80).bytes),
    ]

    @Test(arguments: frames) func refusedFrames(_ rejection: FrameRejection) {
        let lines = transcript(rejection.stream, role: rejection.role)
        #expect(lines.count == 1)
        #expect(lines.last?.hasPrefix(rejection.reason) == true)
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] as [UInt16])
    func refusedCloseCodes(_ code: UInt16) {
        let payload = withUnsafeBytes(of: code.bigEndian, Array.init)
        #expect(transcript(RawFrame(first: 0x88, payload: payload).bytes) == ["1002 The close code may not be sent."])
    }

    @Test func badTextIsRefusedBeforeTheFrameHasCome() {
        let begun = RawFrame(first: 0x81, payload: [0x61, 0xE0, 0x80], announced: 60_000).bytes
        #expect(transcript(begun) == ["1007 A text is not UTF-8."])
        #expect(transcript(Array(begun.dropLast())) == [])
    }

    @Test func aRefusedStreamStaysRefused() {
        var decoder = WebSocketDecoder(role: .server)
        var buffer = ByteBuffer(bytes: RawFrame(first: 0x83).bytes)
        let first = #expect(throws: WebSocketError.self) { try decoder.next(&buffer) }
        buffer = ByteBuffer(bytes: RawFrame.text("fine"))
        let second = #expect(throws: WebSocketError.self) { try decoder.next(&buffer) }
        #expect(first == second)
    }
}
