// Text of strangers in logs and sentences.
import RingpostCore

/// Foreign text on its way into a log or a sentence.
enum LogText {
    static let charactersMax = 128

    /// What a terminal or a reader would take for something else escaped, the rest cut at a length that no log minds.
    static func escaped(_ text: String) -> String {
        ShownText.escaped(String(String.UnicodeScalarView(text.unicodeScalars.prefix(charactersMax))))
    }
}
