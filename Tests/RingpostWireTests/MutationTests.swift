// Good streams, damaged at random from a seed: a decoder may refuse them or not, but says the same however they are cut,
// stays within its bounds, and never traps. A failure names the seed that repeats it.

import HashRing
import NIOCore
import RingpostWire
import Testing

@Suite struct MutationTests {
    /// Streams tried for each decoder, each of them whole, byte by byte, and in random pieces.
    private static let rounds = 4_000 as UInt64

    @Test func requests() {
        let streams = [
            "POST /v1/p?x=%20 HTTP/1.1\r\nHost: a:80\r\nIdempotency-Key: k\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nAccept: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        ].map { Array($0.utf8) }
        let limits = HTTPLimits(bodyBytesMax: 64)
        for seed in 0..<Self.rounds {
            var generator = SplitMix64(seed: seed)
            let stream = mutated(streams[Int(seed) % streams.count], using: &generator)
            let whole = httpTranscript([stream[...]], limits: limits)
            #expect(httpTranscript(Cutting.bytes.pieces(of: stream), limits: limits) == whole, "seed \(seed)")
            #expect(httpTranscript(Cutting.random(seed: seed).pieces(of: stream), limits: limits) == whole, "seed \(seed)")
            #expect(whole.allSatisfy { $0.utf8.count <= stream.count + 64 }, "seed \(seed)")
            askEverything(of: stream)
        }
    }

    /// Every accessor walks the head in its own way; none may trap on one that was accepted.
    private func askEverything(of stream: [UInt8]) {
        var parser = HTTPRequestParser()
        var buffer = ByteBuffer(bytes: stream)
        guard case .head(let head) = try? parser.next(&buffer) else { return }
        var count = 0
        head.forEachHeader { name, _ in count += name.isEmpty ? 1_000 : 1 }
        #expect(count <= HTTPLimits.headerCountMax)
        for header in KnownHeader.allCases { #expect((head[header] != nil) == head.has(header)) }
        _ = head.webSocketUpgrade
        _ = HTTPTarget.segments(head.path)
        _ = head.query.flatMap { HTTPQuery($0) }?["x"]
    }

    @Test func frames() {
        let stream =
            RawFrame.text("grüße", first: 0x01) + RawFrame.text("p", first: 0x89) + RawFrame.text("👋 and more", first: 0x80)
            + RawFrame(first: 0x82, payload: [UInt8](repeating: 7, count: 130)).bytes
            + RawFrame(first: 0x88, payload: [0x03, 0xE8, 0x62, 0x79, 0x65]).bytes
        for seed in 0..<Self.rounds {
            var generator = SplitMix64(seed: seed)
            let damaged = mutated(stream, using: &generator)
            let whole = webSocketTranscript([damaged[...]], messageBytesMax: 160)
            #expect(webSocketTranscript(Cutting.bytes.pieces(of: damaged), messageBytesMax: 160) == whole, "seed \(seed)")
            #expect(webSocketTranscript(Cutting.random(seed: seed).pieces(of: damaged), messageBytesMax: 160) == whole, "seed \(seed)")
        }
    }

    @Test func events() {
        let stream = Array("\u{FEFF}id: 1\ndata: a\r\ndata: ü\rretry: 5\n\n: c\nevent: t\ndata:x\r\n\r\n".utf8)
        for seed in 0..<Self.rounds {
            var generator = SplitMix64(seed: seed)
            let damaged = mutated(stream, using: &generator)
            let whole = eventTranscript([damaged[...]], eventBytesMax: 12)
            #expect(eventTranscript(Cutting.bytes.pieces(of: damaged), eventBytesMax: 12) == whole, "seed \(seed)")
            #expect(eventTranscript(Cutting.random(seed: seed).pieces(of: damaged), eventBytesMax: 12) == whole, "seed \(seed)")
        }
    }

    @Test func json() {
        let text = Array(#"{"a": [1.5e3, -0, true, null], "b\u00e9\n": {"c": "grüße 👋", "d": []}}"#.utf8)
        for seed in 0..<Self.rounds * 4 {
            var generator = SplitMix64(seed: seed)
            let damaged = mutated(text, using: &generator)
            guard JSONText.isValid(damaged) else { continue }
            let compact = JSONText.compactLineBreaks(damaged)
            #expect(JSONText.isValid(compact), "seed \(seed)")
            #expect(!compact.contains { $0 < 0x20 }, "seed \(seed)")
        }
    }
}
