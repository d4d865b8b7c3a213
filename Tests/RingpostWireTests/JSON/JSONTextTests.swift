// JSON and UTF-8 as bytes: what is valid, what isn't, and how texts are quoted.

import HashRing
import NIOCore
import RingpostWire
import Testing

@Suite struct JSONTextTests {
    @Test(arguments: [
        "0", "-0", "10", "-1.50", "1e5", "1E+05", "0.1e-0", "123456789012345678901234567890", "true", "false", "null",
        #""""#, #""a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDC4B""#, #""\uD800""#, #""\uDC00 alone""#, "\"grüße 👋\u{7f}\"",
        "[]", "{}", " [ ] ", "\t{\n}\r ", "[1,2 , 3]", #"{"a":1,"a":[{"b":{}},[]]}"#, #"{"" : ""}"#, "[[[[]]]]",
        #"["a long enough text to fill words"]"#,
    ])
    func valid(_ text: String) {
        #expect(JSONText.isValid(Array(text.utf8)))
    }

    @Test(arguments: [
        "", " ", "1 2", "01", "-", "-a", "+1", ".5", "1.", "1.e5", "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "truee", "nul", "True",
        "\"", "\"a", #""\x""#, #""\u12g4""#, #""\u123"#, #""\"#, "\"a\nb\"", "\"a\tb\"", "\"a\u{0}\"", "'a'",
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "}", "{]", "{1:2}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a" 1}"#,
        #"{,"a":1}"#, #"{"a":1 "b":2}"#, "[]]", "{}{}", "[]1", ",", ":", "\u{FEFF}1", "\u{a0}1", "// a\n1", "1\u{0}",
    ])
    func invalid(_ text: String) {
        #expect(!JSONText.isValid(Array(text.utf8)))
    }

    @Test func invalidUTF8IsNoJSON() {
        #expect(!JSONText.isValid([0x22, 0xFF, 0x22]))
        #expect(!JSONText.isValid([0x22, 0xC3, 0x22]))
        #expect(!JSONText.isValid([0x22, 0xED, 0xA0, 0x80, 0x22]))
    }

    @Test func depthIsBounded() {
        let nested = { (count: Int) in [UInt8](repeating: 0x5B, count: count) + [UInt8](repeating: 0x5D, count: count) }
        #expect(JSONText.isValid(nested(64)))
        #expect(!JSONText.isValid(nested(65)))
        #expect(JSONText.isValid(nested(JSONText.depthCeiling), depthMax: 1_000))
        #expect(!JSONText.isValid(nested(JSONText.depthCeiling + 1), depthMax: 1_000))
        #expect(nested(65).withUnsafeBytes { JSONText.fault(in: $0) } == .tooDeep)
        #expect(nested(64).dropLast().withUnsafeBytes { JSONText.fault(in: $0) } == .malformed)
        #expect(JSONText.isValid(nested(3), depthMax: 3))
        #expect(!JSONText.isValid(nested(4), depthMax: 3))
        #expect(JSONText.isValid(Array("1".utf8), depthMax: 0))
        #expect(!JSONText.isValid([UInt8](repeating: 0x5B, count: 1_000_000)))
        let mixed = String(repeating: #"{"a":["#, count: 32) + String(repeating: "]}", count: 32)
        #expect(JSONText.isValid(Array(mixed.utf8)))
    }

    @Test func quoting() {
        let quoted = { (text: String) in
            var output = Array("x".utf8)
            JSONText.appendQuoted(text, to: &output)
            return String(decoding: output, as: UTF8.self)
        }
        #expect(quoted("") == #"x"""#)
        #expect(quoted("a plain text, longer than a word") == #"x"a plain text, longer than a word""#)
        #expect(quoted("\"\\/\u{8}\u{9}\u{a}\u{c}\u{d}") == #"x"\"\\/\b\t\n\f\r""#)
        #expect(quoted("\u{0}\u{1f}\u{10}\u{b}\u{7f}ü👋\u{2028}") == "x\"\\u0000\\u001f\\u0010\\u000b\u{7f}ü👋\u{2028}\"")
    }

    @Test func everyByteIsQuotedWhereverItStands() {
        for code in 0..<0x80 as Range<UInt8> {
            for index in 0..<18 {
                var text = [UInt8](repeating: 0x61, count: 17)
                text.insert(code, at: index)
                var output: [UInt8] = []
                text.withUnsafeBytes { JSONText.appendQuoted($0, to: &output) }
                #expect(JSONText.isValid(output))
                #expect(output.count == 20 || code < 0x20 || code == 0x22 || code == 0x5C)
                #expect(output.count > 20 || !(code < 0x20 || code == 0x22 || code == 0x5C))
            }
        }
    }

    @Test func lineBreaksBetweenTokensAreDropped() {
        let pretty = "{\r\n\t\"a b\": [1,\n 2],\n\t\"c\\n\": null\n}\n"
        let compact = #"{"a b": [1, 2],"c\n": null}"#
        #expect(JSONText.compactLineBreaks(Array(pretty.utf8)) == Array(compact.utf8))
        #expect(JSONText.compactLineBreaks(ByteBuffer(string: pretty)) == ByteBuffer(string: compact))
        #expect(JSONText.compactLineBreaks(Array(compact.utf8)) == Array(compact.utf8))
        #expect(JSONText.compactLineBreaks(ByteBuffer(string: compact)) == ByteBuffer(string: compact))
        #expect(JSONText.compactLineBreaks([]) == [])
    }

    @Test func utf8AgreesWithTheStandardLibrary() {
        var generator = SplitMix64(seed: 6)
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF,
        ]
        var validCount = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...5, using: &generator)).map { _ in edges.randomElement(using: &generator) ?? 0 }
            let padded = [UInt8](repeating: 0x61, count: Int.random(in: 0...9, using: &generator)) + text
            let expected = String(validating: padded, as: UTF8.self) != nil
            #expect(UTF8Check.isValid(padded) == expected, "\(padded)")
            validCount += expected ? 1 : 0
        }
        #expect(validCount > 1_000)
    }

    @Test func utf8FailsAtTheFirstImpossibleByte() {
        var validator = UTF8Validator()
        #expect(([0x61, 0xF0, 0x9F] as [UInt8]).withUnsafeBytes { validator.consume($0) })
        #expect(!validator.isComplete)
        #expect(([0x91, 0x8B] as [UInt8]).withUnsafeBytes { validator.consume($0) })
        #expect(validator.isComplete)
        #expect(!([0xE0, 0x80] as [UInt8]).withUnsafeBytes { validator.consume($0) })
        #expect(!([0x61] as [UInt8]).withUnsafeBytes { validator.consume($0) })
        #expect(!validator.isComplete)
    }
}
