// Walks over the outermost level of a JSON text that is known to be valid, without decoding what is in it: a payload travels as the
// bytes that it is. What is between two places is skipped by its brackets and quotes alone.

/// A cursor over a valid JSON text.
struct JSONWalk {
    private let json: ArraySlice<UInt8>
    private(set) var offset: Int

    /// - Parameter json: passes `JSONText.isValid`.
    init(_ json: ArraySlice<UInt8>) {
        self.json = json
        offset = json.startIndex
        skipSpace()
    }

    /// The byte at the cursor; `nil` at the end.
    var byte: UInt8? { offset < json.endIndex ? json[offset] : nil }

    /// Steps over `byte` and the white space behind it; false if something else stands there.
    mutating func take(_ byte: UInt8) -> Bool {
        guard self.byte == byte else { return false }
        offset += 1
        skipSpace()
        return true
    }

    /// Steps over the value at the cursor and the white space behind it.
    mutating func takeValue() -> ArraySlice<UInt8> {
        let start = offset
        var depth = 0
        repeat {
            switch byte {
            case UInt8(ascii: "\""): skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                offset += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                offset += 1
            case nil: depth = 0
            default: offset += 1
            }
        } while depth > 0 || !isAtEndOfValue
        var end = offset
        while end > start, Self.isSpace(json[end - 1]) { end -= 1 }
        return json[start..<end]
    }

    private var isAtEndOfValue: Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"), nil: true
        default: false
        }
    }

    private mutating func skipString() {
        offset += 1
        while let byte, byte != UInt8(ascii: "\"") { offset += byte == UInt8(ascii: "\\") ? 2 : 1 }
        offset = min(offset + 1, json.endIndex)
    }

    private mutating func skipSpace() { while let byte, Self.isSpace(byte) { offset += 1 } }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
}
