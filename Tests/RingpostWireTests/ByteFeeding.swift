// How the codecs' tests feed a decoder: whole, byte by byte, and in seeded random pieces. A decoder must say the same
// every time, so a test states one transcript and this holds it for every way of cutting.

import HashRing
import NIOCore
import Testing

/// A way to cut a stream into the pieces in which it arrives.
enum Cutting {
    case whole
    case bytes
    case random(seed: UInt64)

    func pieces(of stream: [UInt8]) -> [ArraySlice<UInt8>] {
        switch self {
        case .whole: return [stream[...]]
        case .bytes: return stream.indices.map { stream[$0...$0] }
        case .random(let seed):
            var generator = SplitMix64(seed: seed)
            var pieces: [ArraySlice<UInt8>] = []
            var start = 0
            while start < stream.count {
                let end = min(stream.count, start + Int.random(in: 1...17, using: &generator))
                pieces.append(stream[start..<end])
                start = end
            }
            return pieces
        }
    }
}

/// Runs `transcript` for every cutting, expects the same each time, and returns it.
func sameForEveryCutting<Line: Equatable>(
    _ stream: [UInt8], sourceLocation: SourceLocation = #_sourceLocation, _ transcript: ([ArraySlice<UInt8>]) -> [Line]
) -> [Line] {
    let whole = transcript(Cutting.whole.pieces(of: stream))
    #expect(transcript(Cutting.bytes.pieces(of: stream)) == whole, "fed byte by byte", sourceLocation: sourceLocation)
    for seed in 1...8 as ClosedRange<UInt64> {
        #expect(transcript(Cutting.random(seed: seed).pieces(of: stream)) == whole, "cut with seed \(seed)", sourceLocation: sourceLocation)
    }
    return whole
}

/// Changes up to four bytes of `stream`: replaces, removes, inserts or repeats.
func mutated(_ stream: [UInt8], using generator: inout SplitMix64) -> [UInt8] {
    var stream = stream
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !stream.isEmpty {
        let index = Int.random(in: 0..<stream.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: stream[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: stream[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        case 2: stream.remove(at: index)
        case 3: stream.insert([0x0D, 0x0A, 0x20, 0x3A, 0x30, 0x00, 0xFF].randomElement(using: &generator) ?? 0, at: index)
        default:
            let end = min(stream.count, index + Int.random(in: 1...24, using: &generator))
            stream.insert(contentsOf: stream[index..<end], at: index)
        }
    }
    return stream
}
