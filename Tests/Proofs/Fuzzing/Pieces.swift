// How a stream arrives: whole, byte by byte, and in pieces that depend on nothing but its bytes, so that an input alone repeats a run.
import HashRing

/// Ways to cut an input.
enum Pieces {
    /// Longer inputs are not fed byte by byte: that would take most of the time and find little that pieces don't.
    private static let singleBytesMax = 768

    /// What `decode` makes of the input, which must be the same however it is cut.
    static func sameForAll<Result: Equatable>(
        _ input: UnsafeRawBufferPointer, _ decode: ([UnsafeRawBufferPointer]) -> Result
    ) -> Result {
        let whole = decode([input])
        let chopped = decode(random(input))
        demand(chopped == whole, "in pieces: \(chopped), whole: \(whole)")
        if input.count <= singleBytesMax {
            let single = decode(input.indices.map { UnsafeRawBufferPointer(rebasing: input[$0...$0]) })
            demand(single == whole, "byte by byte: \(single), whole: \(whole)")
        }
        return whole
    }

    private static func random(_ input: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var dice = SplitMix64(seed: input.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 })
        let longest = Int.random(in: 1...64, using: &dice)
        var pieces: [UnsafeRawBufferPointer] = []
        var start = 0
        while start < input.count {
            let end = min(input.count, start + Int.random(in: 1...longest, using: &dice))
            pieces.append(UnsafeRawBufferPointer(rebasing: input[start..<end]))
            start = end
        }
        return pieces
    }
}
