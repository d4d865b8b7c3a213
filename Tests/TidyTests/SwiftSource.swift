// Reads Swift source just well enough for the checks of this target: blanks strings and comments, and finds functions by matching
// braces. It is no parser; where braces don't match it says so instead of guessing.

/// Swift source in which strings and comments are blanked, line by line.
struct SwiftSource {
    /// The lines, with a space for every byte of a string or comment.
    let lines: [String]

    init(_ text: String) {
        var blanker = Blanker(Array(text.replacing("\r\n", with: "\n").utf8))
        self.lines = blanker.blanked().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Lines as an editor counts them: a final newline opens no further line.
    var lineCount: Int { self.lines.last == "" ? self.lines.count - 1 : self.lines.count }
}

/// Walks over source and blanks strings (plain, multi-line, raw, with interpolations), comments (nested) and `#/…/#` literals.
private struct Blanker {
    private let input: [UInt8]
    private var output: [UInt8] = []
    private var position = 0

    init(_ input: [UInt8]) { self.input = input }

    mutating func blanked() -> String {
        while let byte = self.current {
            if byte == UInt8(ascii: "/"), self.starts("//") {
                while let byte = self.current, byte != UInt8(ascii: "\n") { self.blank() }
            } else if byte == UInt8(ascii: "/"), self.starts("/*") {
                self.blankBlockComment()
            } else if let opening = self.literalOpening() {
                self.blankLiteral(opening)
            } else {
                self.output.append(byte)
                self.position += 1
            }
        }
        return String(decoding: self.output, as: UTF8.self)
    }

    private var current: UInt8? { self.position < self.input.count ? self.input[self.position] : nil }

    private func starts(_ prefix: String, at offset: Int = 0) -> Bool {
        self.position + offset <= self.input.count && self.input[(self.position + offset)...].starts(with: prefix.utf8)
    }

    private mutating func blank(_ count: Int = 1) {
        for byte in self.input[self.position...].prefix(count) {
            self.output.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
        }
        self.position = min(self.position + count, self.input.count)
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if self.starts("/*") {
                depth += 1
                self.blank(2)
            } else if self.starts("*/") {
                depth -= 1
                self.blank(2)
            } else {
                self.blank()
            }
        } while depth > 0 && self.current != nil
    }

    private struct Opening {
        var length: Int
        var closing: String
        var escape: String
        var endsAtNewline: Bool
        /// A parenthesis behind a backslash opens an interpolation; in a regular expression it is a parenthesis.
        var interpolates = true
    }

    private func literalOpening() -> Opening? {
        guard let byte = self.current, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "#") else { return nil }
        let pounds = self.input[self.position...].prefix { $0 == UInt8(ascii: "#") }.count
        let hashes = String(repeating: "#", count: pounds)
        // A text of several lines begins behind a line's end; `#""""#` is two quotation marks.
        if self.starts("\"\"\"\n", at: pounds) {
            return Opening(length: pounds + 3, closing: "\"\"\"" + hashes, escape: "\\" + hashes, endsAtNewline: false)
        } else if self.starts("\"", at: pounds) {
            return Opening(length: pounds + 1, closing: "\"" + hashes, escape: "\\" + hashes, endsAtNewline: true)
        } else if pounds > 0, self.starts("/", at: pounds) {
            return Opening(length: pounds + 1, closing: "/" + hashes, escape: "\\", endsAtNewline: false, interpolates: false)
        }
        return nil
    }

    private mutating func blankLiteral(_ opening: Opening) {
        self.blank(opening.length)
        while let byte = self.current {
            if self.starts(opening.closing) {
                return self.blank(opening.closing.utf8.count)
            } else if opening.endsAtNewline, byte == UInt8(ascii: "\n") {
                return
            } else if self.starts(opening.escape) {
                self.blank(opening.escape.utf8.count)
                if opening.interpolates, self.current == UInt8(ascii: "(") { self.blankInterpolation() } else { self.blank() }
            } else {
                self.blank()
            }
        }
    }

    /// From the opening parenthesis of an interpolation to its closing one; strings in between may hold anything.
    private mutating func blankInterpolation() {
        var depth = 0
        while let byte = self.current {
            if let opening = self.literalOpening() {
                self.blankLiteral(opening)
                continue
            }
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            self.blank()
            if depth == 0 { return }
        }
    }
}
