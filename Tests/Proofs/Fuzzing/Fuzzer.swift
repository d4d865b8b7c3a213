// Every decoder of bytes that strangers send, each with what must hold whatever they send. The same functions are run by libFuzzer
// (cluster/fuzz) and by a seeded mutator in the tests.

/// A decoder, and the function that feeds it.
package struct Fuzzer: Sendable {
    /// What cluster/fuzz and the folders of the corpus call it.
    package let name: String
    /// The longest input that is worth trying.
    package let bytesMax: Int
    /// What the format is made of: pieces that chance would not find.
    package let words: [String]
    /// Decodes the input in several ways, and ends the process with a sentence when they differ or a promise is broken.
    package let check: @Sendable (UnsafeRawBufferPointer) -> Void

    /// All of them.
    package static let all: [Fuzzer] = [
        Fuzzer(name: "http", bytesMax: 4_096, words: RequestFuzzer.words) { RequestFuzzer.check($0) },
        Fuzzer(name: "websocket", bytesMax: 4_096, words: FrameFuzzer.words) { FrameFuzzer.check($0) },
        Fuzzer(name: "link", bytesMax: 4_096, words: LinkFuzzer.words) { LinkFuzzer.check($0) },
        Fuzzer(name: "json", bytesMax: 1_024, words: JSONFuzzer.words) { JSONFuzzer.check($0) },
        Fuzzer(name: "command", bytesMax: 1_024, words: CommandFuzzer.words) { CommandFuzzer.check($0) },
        Fuzzer(name: "batch", bytesMax: 2_048, words: CommandFuzzer.words + ["\n"]) { BatchFuzzer.check($0) },
        Fuzzer(name: "cursor", bytesMax: 512, words: CursorFuzzer.words) { CursorFuzzer.check($0) },
        Fuzzer(name: "history", bytesMax: 512, words: HistoryFuzzer.words) { HistoryFuzzer.check($0) },
        Fuzzer(name: "token", bytesMax: 1_024, words: TokenFuzzer.words) { TokenFuzzer.check($0) },
        Fuzzer(name: "proxy", bytesMax: 4_096, words: ProxyFuzzer.words) { ProxyFuzzer.check($0) },
        Fuzzer(name: "claims", bytesMax: 1_024, words: ClaimsFuzzer.words) { ClaimsFuzzer.check($0) },
        Fuzzer(name: "namespaces", bytesMax: 1_024, words: NamespaceFuzzer.words) { NamespaceFuzzer.check($0) },
        Fuzzer(name: "events", bytesMax: 1_024, words: EventFuzzer.words) { EventFuzzer.check($0) },
    ]
}

/// Ends the process when a promise is broken. Unlike `precondition`, it says which one in optimized programs too.
func demand(_ holds: Bool, _ promise: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line) {
    if !holds { fatalError("broken promise: \(promise())", file: file, line: line) }
}
