// Text that strangers send, as people get to see it.

import RingpostCore
import Testing

@Suite struct ShownTextTests {
    @Test(arguments: [
        ("plain, with ünïcödé 日本語 🙂", "plain, with ünïcödé 日本語 🙂"), ("a\u{1B}[31mb", #"a\u{1b}[31mb"#), ("a\nb\r\t", #"a\u{a}b\u{d}\u{9}"#),
        ("\u{9B}2J", #"\u{9b}2J"#), ("\u{7F}\u{80}", #"\u{7f}\u{80}"#), ("exe.\u{202E}txt", #"exe.\u{202e}txt"#),
        ("a\u{2028}b\u{2029}", #"a\u{2028}b\u{2029}"#),
        ("\u{2066}\u{2069}\u{200E}\u{200F}\u{61C}", #"\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}"#),
        ("\u{202A}\u{202B}\u{202C}\u{202D}\u{2067}\u{2068}", #"\u{202a}\u{202b}\u{202c}\u{202d}\u{2067}\u{2068}"#), ("\u{0}", #"\u{0}"#),
    ])
    func whatDoesSomethingIsEscaped(text: String, shown: String) {
        #expect(ShownText.escaped(text) == shown)
        #expect(ShownText.escaped(shown) == shown, "again changes nothing")
    }

    @Test func jsonStaysTheSameValue() {
        let json = Array("{\"a\": \"x\u{9B}2J\u{202E}\u{2028}é\",\n\t\"b\":1}".utf8)
        #expect(ShownText.escapedJSON(json) == "{\"a\": \"x\\u009b2J\\u202e\\u2028é\",\n\t\"b\":1}")
        #expect(ShownText.escapedJSON([0x22, 0x9B, 0x22]) == "\"\u{FFFD}\"", "a byte that a terminal might take for a control")
        #expect(ShownText.escapedJSON(Array("[1,2]\n".utf8)) == "[1,2]\n")
    }
}
