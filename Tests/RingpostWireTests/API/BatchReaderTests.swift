import RingpostWire
import Testing

@Suite struct BatchReaderTests {
    private func lines(_ body: String, bytesAtOnce: Int = .max) -> (lines: [String], pauses: Int) {
        var reader = BatchReader()
        var (lines, pauses): ([String], Int) = ([], 0)
        let bytes = Array(body.utf8)
        while true {
            var bytesLeft = bytesAtOnce
            switch bytes.withUnsafeBytes({ reader.next($0, bytesLeft: &bytesLeft) }) {
            case .line(let line): lines.append(String(decoding: bytes[line], as: UTF8.self))
            case .pause: pauses += 1
            case .end: return (lines, pauses)
            }
        }
    }

    @Test(arguments: [
        ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("a\n\n \r\nb\r\n", ["a", "b\r"]), (" \n\t\n", []),
        ("  a \n  ", ["  a "]),
    ])
    func linesOfABatch(body: String, expected: [String]) {
        #expect(lines(body).lines == expected)
        #expect(lines(body, bytesAtOnce: 1).lines == expected, "byte by byte")
    }

    @Test func noMoreBytesAreLookedAtThanMayBe() {
        let body = String(repeating: "\n", count: 1_000) + "a"
        #expect(lines(body, bytesAtOnce: 100) == (["a"], 10))
        var reader = BatchReader()
        var bytesLeft = 100
        #expect(Array(body.utf8).withUnsafeBytes { reader.next($0, bytesLeft: &bytesLeft) } == .pause)
        #expect(bytesLeft == 0)
    }
}
