// Takes paths apart and percent-encoding off (RFC 3986 2.1), strictly: a broken escape makes the whole text invalid.
// What comes out is bytes; whether they are UTF-8, and whether that matters, is for the route to say.

/// Operations on the path and query of a request target.
public enum HTTPTarget {
    /// Segments of one path. Beyond: nil.
    public static let segmentCountMax = 64

    /// `bytes` without percent-encoding; nil if a percent sign is not followed by two hexadecimal digits.
    /// - Parameter plusIsSpace: whether `+` means a space. True for queries only (WHATWG URL, form-urlencoded).
    public static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        withContiguousBytes(bytes) { decode($0, plusIsSpace: plusIsSpace) }
    }

    /// The segments of a path that begins with a slash, split first and decoded then, so that an encoded slash stays in
    /// its segment. `/` has no segments, `/a/` has `a` and an empty one; `.` and `..` are segments like others.
    ///
    /// Nil if the path does not begin with a slash, has a broken escape, or more than ``segmentCountMax`` segments.
    public static func segments(_ path: some Collection<UInt8>) -> [[UInt8]]? {
        withContiguousBytes(path) { bytes in
            guard bytes.first == UInt8(ascii: "/") else { return nil }
            guard bytes.count > 1 else { return [] }
            var segments: [[UInt8]] = []
            var start = 1
            while start <= bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
                guard segments.count < segmentCountMax, let segment = decode(bytes.slice(start..<end), plusIsSpace: false)
                else { return nil }
                segments.append(segment)
                start = end + 1
            }
            return segments
        }
    }

    static func decode(_ bytes: UnsafeRawBufferPointer, plusIsSpace: Bool) -> [UInt8]? {
        var isValid = true
        let decoded = [UInt8](unsafeUninitializedCapacity: bytes.count) { output, count in
            var index = 0
            while index < bytes.count {
                var byte = bytes[index]
                if byte == UInt8(ascii: "%") {
                    guard index + 2 < bytes.count, let high = HexDigit.value(bytes[index + 1]), let low = HexDigit.value(bytes[index + 2])
                    else {
                        isValid = false
                        return
                    }
                    byte = high << 4 | low
                    index += 2
                } else if plusIsSpace, byte == UInt8(ascii: "+") {
                    byte = 0x20
                }
                output.initializeElement(at: count, to: byte)
                count += 1
                index += 1
            }
        }
        return isValid ? decoded : nil
    }

    /// Runs `body` on the collection's bytes in one block, copied only if they are in none.
    static func withContiguousBytes<Value>(_ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        if let value = bytes.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return value }
        return Array(bytes).withUnsafeBytes(body)
    }
}
