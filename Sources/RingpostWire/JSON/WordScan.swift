// Looks at bytes eight at a time: the one place of the codecs' word tricks.
// A search returns the index of the first byte that matches, or the end. It is not a general string search: each
// question that a codec asks on its hot way has its own function here.

/// Word-wise searches over a block of bytes; all are O(n) with n / 8 steps where nothing matches.
enum WordScan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// Eight bytes from `index`, the first of them in the lowest bits; the caller has checked that they are there.
    @inline(__always)
    static func load(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// High bits of the bytes below `limit` (1 … 128). Only the lowest one that is set is exact, as a borrow travels
    /// upwards; that is why every search below takes the lowest and why masks may be joined with `|`.
    @inline(__always)
    private static func below(_ word: UInt64, _ limit: UInt64) -> UInt64 {
        (word &- ones &* limit) & ~word & highs
    }

    /// High bits of the bytes that equal `byte`; exact in the lowest one, as above.
    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt64) -> UInt64 {
        below(word ^ (ones &* byte), 1)
    }

    @inline(__always)
    private static func first(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ mask: (UInt64) -> UInt64, _ single: (UInt8) -> Bool
    ) -> Int {
        var index = start
        while index &+ 8 <= end {
            let hits = mask(load(bytes, index))
            if hits != 0 { return index &+ (hits.trailingZeroBitCount >> 3) }
            index &+= 8
        }
        while index < end, !single(bytes[index]) { index &+= 1 }
        return index
    }

    /// The first byte below 0x20, or DEL, in `start ..< end`; `end` if there is none.
    @inline(__always)
    static func firstControl(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        first(bytes, start, end, { below($0, 0x20) | equal($0, 0x7F) }, { $0 < 0x20 || $0 == 0x7F })
    }

    /// The first byte that a JSON string can't hold as it is (below 0x20, quote, backslash).
    @inline(__always)
    static func firstJSONSpecial(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        first(
            bytes, start, end,
            { below($0, 0x20) | equal($0, 0x22) | equal($0, 0x5C) },
            { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C })
    }

    /// The first CR or LF.
    @inline(__always)
    static func firstLineBreak(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        first(bytes, start, end, { equal($0, 0x0A) | equal($0, 0x0D) }, { $0 == 0x0A || $0 == 0x0D })
    }

    /// The first colon.
    @inline(__always)
    static func firstColon(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        first(bytes, start, end, { equal($0, 0x3A) }, { $0 == 0x3A })
    }

    /// The first byte with the high bit set.
    @inline(__always)
    static func firstNonASCII(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        first(bytes, start, end, { $0 & highs }, { $0 >= 0x80 })
    }
}
