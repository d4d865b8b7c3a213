// The value of one hexadecimal digit, for the escapes of JSON, the percent-encoding of targets and the sizes of chunks.

enum HexDigit {
    /// 0 … 15, or nil if `byte` is no hexadecimal digit (either case is one).
    @inline(__always)
    static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: return byte &- 0x30
        case 0x41...0x46: return byte &- 0x37
        case 0x61...0x66: return byte &- 0x57
        default: return nil
        }
    }
}
