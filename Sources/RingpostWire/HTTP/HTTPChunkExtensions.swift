// What may stand behind a chunk's size (RFC 9112 7.1.1). Extensions mean nothing here; but one whose quotes stay open has two readings: the
// line ends at its CR LF, or where the quotes do, and then the chunk's data begins somewhere else.

/// The rest of the line that announces a chunk.
enum HTTPChunkExtensions {
    /// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`
    /// - Parameter text: without control bytes other than tabs.
    static func areValid(_ text: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < text.count {
            skipSpace(text, &index)
            guard take(UInt8(ascii: ";"), text, &index) else { return false }
            skipSpace(text, &index)
            guard takeToken(text, &index) else { return false }
            // White space may stand before `=` and before the next `;`, not at the end.
            let nameEnd = index
            skipSpace(text, &index)
            guard take(UInt8(ascii: "="), text, &index) else {
                index = nameEnd
                continue
            }
            skipSpace(text, &index)
            guard takeToken(text, &index) || takeQuoted(text, &index) else { return false }
        }
        return true
    }

    private static func skipSpace(_ text: UnsafeRawBufferPointer, _ index: inout Int) {
        while index < text.count, text[index].isSpaceOrTab { index += 1 }
    }

    private static func take(_ byte: UInt8, _ text: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        guard index < text.count, text[index] == byte else { return false }
        index += 1
        return true
    }

    private static func takeToken(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        let start = index
        while index < text.count, ASCIISet.token.contains(text[index]) { index += 1 }
        return index > start
    }

    /// A string in quotes (RFC 9110 5.6.4), where a backslash takes its special meaning from what follows it.
    private static func takeQuoted(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        guard take(UInt8(ascii: "\""), text, &index) else { return false }
        while index < text.count {
            let byte = text[index]
            index += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return true }
        }
        return false
    }
}
