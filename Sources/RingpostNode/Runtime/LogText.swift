// Text of strangers in logs and sentences.

/// Foreign text on its way into a log or a sentence.
enum LogText {
    static let charactersMax = 128

    /// Control characters escaped, the rest cut at a length that no log minds.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.prefix(charactersMax).map { scalar in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }.joined()
    }
}
