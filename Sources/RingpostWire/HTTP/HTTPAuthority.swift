// `uri-host [ ":" port ]` (RFC 3986 3.2.2 and 3.2.3), as a Host header and an absolute target name it. Nothing is routed by it here; but
// a request whose host has two readings is one that a program before this one may have read in the other (RFC 9112 3.2).

/// A host and its port, as bytes.
enum HTTPAuthority {
    /// Whether the bytes are a host, by name or by address, that isn't empty, and a port of digits, if any.
    static func isValid(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let hostEnd = text.first == UInt8(ascii: "[") ? addressEnd(text) : nameEnd(text) else { return false }
        guard hostEnd < text.count else { return true }
        guard text[hostEnd] == UInt8(ascii: ":") else { return false }
        for byte in text[(hostEnd + 1)...] where !byte.isDigit { return false }
        return true
    }

    /// Where a name, or an address of version 4, ends; nil if there is none.
    private static func nameEnd(_ text: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        while index < text.count, text[index] != UInt8(ascii: ":") {
            switch text[index] {
            case UInt8(ascii: "["), UInt8(ascii: "]"): return nil
            case UInt8(ascii: "%"):
                guard index + 2 < text.count, HexDigit.value(text[index + 1]) != nil, HexDigit.value(text[index + 2]) != nil
                else { return nil }
                index += 3
            case let byte:
                guard ASCIISet.host.contains(byte) else { return nil }
                index += 1
            }
        }
        return index > 0 ? index : nil
    }

    /// Where an address in brackets ends; nil if there is none. What is in them is not taken apart, but has a colon and neither
    /// brackets nor escapes.
    private static func addressEnd(_ text: UnsafeRawBufferPointer) -> Int? {
        var hasColon = false
        for index in 1..<text.count {
            switch text[index] {
            case UInt8(ascii: "]"): return hasColon ? index + 1 : nil
            case UInt8(ascii: "["), UInt8(ascii: "%"): return nil
            case UInt8(ascii: ":"): hasColon = true
            case let byte: guard ASCIISet.host.contains(byte) else { return nil }
            }
        }
        return nil
    }
}
