// All fuzzers for a short while: over the corpus as it is, over inputs that have once broken a promise, and over what a seeded mutator
// makes of it. Each runs in a process of its own, which ends at the first broken promise and says what it was. cluster/fuzz goes on from
// here, for as long as one likes and guided by coverage.
import Foundation
import Fuzzing
import HashRing
import Testing

@Suite(.serialized) struct FuzzerTests {
    /// Inputs for each decoder.
    private static let rounds = 6_000 as UInt64

    @Test(arguments: Fuzzer.all.map(\.name)) func promises(name: String) async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) { [name] in
            let fuzzer = try #require(Fuzzer.all.first { $0.name == name })
            let corpus = try Corpus.files(name)
            LastWords.listen()
            for (index, file) in corpus.enumerated() { file.withUnsafeBytes { LastWords.blame($0, seed: UInt64(index), fuzzer.check) } }
            let mutator = Mutator(corpus: corpus, words: fuzzer.words.map { Array($0.utf8) }, bytesMax: fuzzer.bytesMax)
            for seed in 0..<Self.rounds { mutator.input(seed: seed).withUnsafeBytes { LastWords.blame($0, seed: seed, fuzzer.check) } }
        }
        let said = String(decoding: try #require(result).standardErrorContent.suffix(20_000), as: UTF8.self)
        #expect(!said.contains("\(LastWords.beginning)"), "\(name): \(said)")
    }

    @Test(arguments: Fuzzer.all.map(\.name)) func aCorpusIsThere(name: String) throws { #expect(try Corpus.files(name).count >= 3) }

    /// The same seed makes the same input, or a failure could not be repeated.
    @Test func seedsRepeat() {
        let mutator = Mutator(corpus: [Array("GET / HTTP/1.1".utf8), [1, 2, 3]], words: [[9]], bytesMax: 40)
        for seed in 0..<200 as Range<UInt64> {
            #expect(mutator.input(seed: seed) == mutator.input(seed: seed))
            #expect(mutator.input(seed: seed).count <= 40)
        }
    }

    /// A fuzzer that can't fail finds nothing.
    @Test func aBrokenPromiseIsNoticed() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let input: [UInt8] = [0xAB, 0x01]
            LastWords.listen()
            input.withUnsafeBytes { LastWords.blame($0, seed: 1_024) { precondition($0[0] == 0, "it was \($0[0])") } }
        }
        let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(said.contains("\(LastWords.beginning)1024 in hexadecimal: ab01\n"))
    }
}
