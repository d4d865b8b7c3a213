// Masking (RFC 6455 5.3): byte i of the payload is combined with byte i mod 4 of the key. It hides nothing; it keeps
// scripts in browsers from choosing what goes over the wire.

/// A masking key, and where in a payload it has got to.
struct WebSocketMask: Sendable {
    /// The key's four bytes twice, the one for the next byte of payload lowest.
    private var word: UInt64

    /// - Parameter key: the four bytes in the order of the wire, the first one in the highest bits.
    init(key: UInt32) {
        let once = UInt64(key.byteSwapped)
        word = once | once << 32
    }

    /// Writes `source`, masked or unmasked, to the beginning of `target`, which has room for it; they may be the same memory.
    @inline(__always)
    mutating func apply(_ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer) {
        let count = source.count
        precondition(target.count >= count, "no room for \(count) bytes in \(target.count)")
        var index = 0
        while index &+ 8 <= count {
            target.storeBytes(of: (WordScan.load(source, index) ^ word).littleEndian, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        // The words of eight bytes leave the key where it was; only the rest turns it.
        while index < count {
            target[index] = source[index] ^ UInt8(truncatingIfNeeded: word)
            word = word &>> 8 | word &<< 56
            index &+= 1
        }
    }
}
