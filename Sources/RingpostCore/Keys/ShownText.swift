// Text from elsewhere on its way to people: in a log, a sentence, a terminal.

/// Makes text harmless where it is shown.
public enum ShownText {
    /// Characters that do something instead of being something: controls of a terminal (C0, C1, delete), line and paragraph separators, which
    /// make a second line of one, and all that turn the direction of writing, which make a text look like another one.
    public static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F: true
        // Beyond ASCII few are meant, and most text has none of them.
        case ..<0x061C: false
        case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// The text with those characters as `\u{…}`.
    public static func escaped(_ text: String) -> String {
        if !text.unicodeScalars.contains(where: isUnsafe) { return text }
        return text.unicodeScalars.map { isUnsafe($0) ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
    }

    /// A JSON text with those characters as JSON writes them: the same values for whoever reads it. White space between values stays. What is no
    /// UTF-8 becomes U+FFFD, because a terminal may take its bytes for controls.
    public static func escapedJSON(_ json: [UInt8]) -> String {
        let text = String(decoding: json, as: UTF8.self)
        let isHarmless = { (scalar: Unicode.Scalar) in !isUnsafe(scalar) || scalar == "\n" || scalar == "\t" }
        if text.unicodeScalars.allSatisfy(isHarmless) { return text }
        return text.unicodeScalars.map { isHarmless($0) ? String($0) : jsonEscape($0) }.joined()
    }

    /// Of a character that one UTF-16 unit has room for, as all of these.
    public static func jsonEscape(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
