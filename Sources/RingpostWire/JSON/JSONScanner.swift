// Walks one JSON text against the grammar of RFC 8259, without recursion and without memory of its own.
// It relies on its caller for UTF-8.

/// A cursor over one text, and the brackets that are open at it.
struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private let depthMax: Int
    private var index = 0
    private var depth = 0
    /// One bit an open bracket, the innermost lowest: 1 for an object, 0 for an array.
    private var objects: UInt128 = 0
    /// The text was left because of one bracket too many.
    private(set) var isTooDeep = false

    /// - Parameter depthMax: at most ``JSONText/depthCeiling``, the bits of the stack.
    init(bytes: UnsafeRawBufferPointer, depthMax: Int) {
        precondition(depthMax <= JSONText.depthCeiling, "a JSON text is followed to \(JSONText.depthCeiling) levels, not \(depthMax)")
        self.bytes = bytes
        self.depthMax = depthMax
    }

    /// What the grammar wants at the cursor.
    private enum Expectation {
        case value
        /// Right after `[`: a value or `]`.
        case firstElement
        /// Right after `{`: a name or `}`.
        case firstName
        /// After a comma in an object.
        case name
        /// After a value: a comma, the closing bracket, or the end of the text.
        case continuation
    }

    /// Whether the whole text is one value.
    mutating func scanText() -> Bool {
        var expectation = Expectation.value
        while true {
            skipWhiteSpace()
            guard index < bytes.count else { return expectation == .continuation && depth == 0 }
            let next: Expectation?
            switch expectation {
            case .value: next = scanValue()
            case .firstElement: next = bytes[index] == UInt8(ascii: "]") ? close(object: false) : scanValue()
            case .firstName: next = bytes[index] == UInt8(ascii: "}") ? close(object: true) : scanName()
            case .name: next = scanName()
            case .continuation: next = scanContinuation()
            }
            guard let next else { return false }
            expectation = next
        }
    }

    private mutating func skipWhiteSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index &+= 1
            default: return
            }
        }
    }

    private mutating func scanValue() -> Expectation? {
        switch bytes[index] {
        case UInt8(ascii: "{"): return open(object: true)
        case UInt8(ascii: "["): return open(object: false)
        case UInt8(ascii: "\""): return scanString() ? .continuation : nil
        case UInt8(ascii: "t"): return scanLiteral("true") ? .continuation : nil
        case UInt8(ascii: "f"): return scanLiteral("false") ? .continuation : nil
        case UInt8(ascii: "n"): return scanLiteral("null") ? .continuation : nil
        default: return scanNumber() ? .continuation : nil
        }
    }

    private mutating func open(object: Bool) -> Expectation? {
        guard depth < depthMax else {
            isTooDeep = true
            return nil
        }
        depth += 1
        objects = objects << 1 | (object ? 1 : 0)
        index += 1
        return object ? .firstName : .firstElement
    }

    private mutating func close(object: Bool) -> Expectation? {
        guard depth > 0, (objects & 1 == 1) == object else { return nil }
        depth -= 1
        objects >>= 1
        index += 1
        return .continuation
    }

    private mutating func scanName() -> Expectation? {
        guard bytes[index] == UInt8(ascii: "\""), scanString() else { return nil }
        skipWhiteSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return nil }
        index += 1
        return .value
    }

    private mutating func scanContinuation() -> Expectation? {
        switch bytes[index] {
        case UInt8(ascii: ","):
            guard depth > 0 else { return nil }
            index += 1
            return objects & 1 == 1 ? .name : .value
        case UInt8(ascii: "}"): return close(object: true)
        case UInt8(ascii: "]"): return close(object: false)
        default: return nil
        }
    }

    private mutating func scanString() -> Bool {
        index += 1
        while true {
            index = WordScan.firstJSONSpecial(bytes, from: index, to: bytes.count)
            guard index < bytes.count else { return false }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return true
            case UInt8(ascii: "\\"):
                guard scanEscape() else { return false }
            default: return false
            }
        }
    }

    private mutating func scanEscape() -> Bool {
        guard index + 1 < bytes.count else { return false }
        let kind = bytes[index + 1]
        index += 2
        switch kind {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: return true
        case UInt8(ascii: "u"):
            guard index + 4 <= bytes.count else { return false }
            for _ in 0..<4 {
                guard HexDigit.value(bytes[index]) != nil else { return false }
                index += 1
            }
            return true
        default: return false
        }
    }

    private mutating func scanLiteral(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard index + count <= bytes.count else { return false }
        for offset in 0..<count where bytes[index + offset] != literal.utf8Start[offset] { return false }
        index += count
        return true
    }

    private mutating func scanNumber() -> Bool {
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        if index < bytes.count, bytes[index] == UInt8(ascii: "0") {
            index += 1
        } else if !scanDigits() {
            return false
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            guard scanDigits() else { return false }
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") { index += 1 }
            guard scanDigits() else { return false }
        }
        return true
    }

    /// One digit or more.
    private mutating func scanDigits() -> Bool {
        let start = index
        while index < bytes.count, bytes[index] &- 0x30 < 10 { index += 1 }
        return index > start
    }
}
