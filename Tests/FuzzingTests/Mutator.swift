// Inputs for the fuzzers where there is no libFuzzer: files of the corpus, damaged and joined by chance, and always the same for a seed.
import HashRing

/// Makes inputs from a corpus.
struct Mutator {
    let corpus: [[UInt8]]
    let words: [[UInt8]]
    let bytesMax: Int
    /// Numbers at which lengths and counts turn over.
    private static let turns: [UInt8] = [
        0x00, 0x01, 0x0A, 0x0D, 0x20, 0x22, 0x2E, 0x30, 0x39, 0x5C, 0x7D, 0x7E, 0x7F, 0x80, 0xC3, 0xED, 0xFF,
    ]

    /// The input of a seed.
    func input(seed: UInt64) -> [UInt8] {
        var dice = SplitMix64(seed: seed)
        var input = corpus.randomElement(using: &dice) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &dice) { mutate(&input, using: &dice) }
        return Array(input.prefix(bytesMax))
    }

    private func mutate(_ input: inout [UInt8], using dice: inout SplitMix64) {
        let start = Int.random(in: 0...input.count, using: &dice)
        let end = min(input.count, start + Int.random(in: 1...16, using: &dice))
        switch Int.random(in: 0..<10, using: &dice) {
        case 0: for offset in start..<min(start + 1, input.count) { input[offset] = UInt8.random(in: 0...255, using: &dice) }
        case 1: for offset in start..<min(start + 1, input.count) { input[offset] ^= 1 << UInt8.random(in: 0...7, using: &dice) }
        case 2: for offset in start..<min(start + 1, input.count) { input[offset] = Self.turns.randomElement(using: &dice) ?? 0 }
        case 3: input.insert(Self.turns.randomElement(using: &dice) ?? 0, at: start)
        case 4: input.removeSubrange(start..<end)
        case 5: input.insert(contentsOf: input[start..<end], at: start)
        case 6: input.removeSubrange(start...)
        case 7: input += (corpus.randomElement(using: &dice) ?? []).suffix(Int.random(in: 1...512, using: &dice))
        case 8: input.insert(contentsOf: Array(repeating: Self.turns.randomElement(using: &dice) ?? 0, count: 64), at: start)
        default: input.insert(contentsOf: words.randomElement(using: &dice) ?? [], at: start)
        }
    }
}
