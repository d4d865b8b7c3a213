// Is this well-formed UTF-8? Whole (`UTF8Check`), or as it arrives (`UTF8Validator`), with runs of ASCII taken eight
// bytes at a time. Nothing is decoded or repaired here.

/// Checks a whole text against RFC 3629 (no overlong forms, no surrogates, nothing above U+10FFFF).
public enum UTF8Check {
    /// Whether `bytes` is well-formed UTF-8; the empty text is.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var validator = UTF8Validator()
        return validator.consume(bytes) && validator.isComplete
    }

    /// Whether `bytes` is well-formed UTF-8; the empty text is.
    public static func isValid(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { isValid($0) }
    }
}

/// Checks a text that arrives in parts, and fails at the first byte that no well-formed text could have there
/// (RFC 6455 8.1 asks for that; the ranges are those of RFC 3629 4).
public struct UTF8Validator: Sendable {
    /// Continuation bytes that the current character still needs: 0 … 3, or -1 once the text is known to be ill-formed.
    private var pending: Int8 = 0
    /// What the next continuation byte may be. Narrower than 0x80 … 0xBF only right after a lead byte.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// Starts at the beginning of a text.
    public init() {}

    /// Whether the text so far ends at the end of a character.
    public var isComplete: Bool { pending == 0 }

    /// Takes the next part. Returns false, now and for every later part, once the text can't be well-formed any more.
    public mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        let end = bytes.count
        while index < end {
            if pending == 0 {
                index = WordScan.firstNonASCII(bytes, from: index, to: end)
                if index == end { return true }
                guard begin(bytes[index]) else { return fail() }
            } else {
                guard pending > 0, bytes[index] >= lowest, bytes[index] <= highest else { return fail() }
                pending &-= 1
                lowest = 0x80
                highest = 0xBF
            }
            index &+= 1
        }
        return pending >= 0
    }

    /// Takes a lead byte; false if it can't be one.
    @inline(__always)
    private mutating func begin(_ lead: UInt8) -> Bool {
        switch lead {
        case 0xC2...0xDF: pending = 1
        case 0xE0...0xEF:
            pending = 2
            if lead == 0xE0 { lowest = 0xA0 }
            if lead == 0xED { highest = 0x9F }
        case 0xF0...0xF4:
            pending = 3
            if lead == 0xF0 { lowest = 0x90 }
            if lead == 0xF4 { highest = 0x8F }
        default: return false
        }
        return true
    }

    private mutating func fail() -> Bool {
        pending = -1
        return false
    }
}
