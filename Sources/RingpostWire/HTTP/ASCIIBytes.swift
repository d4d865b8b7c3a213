// Small questions about ASCII that the codecs of HTTP share: character classes as bit sets, and comparisons with
// literals. Everything here reads memory that somebody else holds, and allocates nothing.

/// A set of ASCII characters as 128 bits.
struct ASCIISet {
    /// Characters 0 … 63.
    private let low: UInt64
    /// Characters 64 … 127.
    private let high: UInt64

    /// `tchar`, RFC 9110 5.6.2.
    static var token: ASCIISet { ASCIISet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE) }
    /// What `uri-host [ ":" port ]` is written with, RFC 3986 3.2: unreserved, sub-delims, `%`, `:`, `[` and `]`.
    static var host: ASCIISet { ASCIISet(low: 0x2FFF_7FF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE) }
    /// The alphabet of base64 without its padding, RFC 4648 4.
    static var base64: ASCIISet { ASCIISet(low: 0x03FF_8800_0000_0000, high: 0x07FF_FFFE_07FF_FFFE) }

    /// Whether `byte` is in the set; no byte from 128 on is.
    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let half = byte < 64 ? low : high
        return byte < 128 && (half &>> UInt64(byte & 63)) & 1 == 1
    }
}

extension UnsafeRawBufferPointer {
    /// The same memory from `range` on, as a block of its own (indices from 0).
    @inline(__always)
    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }

    /// Whether this is a token (RFC 9110 5.6.2): at least one character, and each of those allowed in names.
    @inline(__always)
    var isToken: Bool {
        for byte in self where !ASCIISet.token.contains(byte) { return false }
        return !isEmpty
    }

    /// Whether these are exactly the bytes of `literal`.
    @inline(__always)
    func equals(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index] != literal.utf8Start[index] { return false }
        return true
    }

    /// The same without regard to the case of ASCII letters.
    /// - Parameter literal: lower case.
    @inline(__always)
    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index].lowercasedASCII != literal.utf8Start[index] { return false }
        return true
    }

    /// The range that is left of `range` without spaces and tabs at its ends (`OWS`, RFC 9110 5.6.3).
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start].isSpaceOrTab { start &+= 1 }
        while end > start, self[end &- 1].isSpaceOrTab { end &-= 1 }
        return start..<end
    }

    /// Whether a comma-separated list (RFC 9110 5.6.1) has `token` among its elements, without regard to case.
    func containsListElement(_ token: StaticString) -> Bool {
        var start = 0
        while start <= count {
            var end = start
            while end < count, self[end] != UInt8(ascii: ",") { end &+= 1 }
            if slice(trimmed(start..<end)).equalsIgnoringCase(token) { return true }
            start = end &+ 1
        }
        return false
    }

    /// Whether the last element of a comma-separated list is `token`, without regard to case.
    func endsWithListElement(_ token: StaticString) -> Bool {
        let start = lastIndex(of: UInt8(ascii: ",")).map { $0 + 1 } ?? 0
        return slice(trimmed(start..<count)).equalsIgnoringCase(token)
    }
}

extension UInt8 {
    /// Itself, or the small letter of a capital one.
    @inline(__always)
    var lowercasedASCII: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    @inline(__always)
    var isSpaceOrTab: Bool { self == 0x20 || self == 0x09 }

    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }
}
