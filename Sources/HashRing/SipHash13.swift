// SipHash-1-3 with a 64-bit result: one round a word, three at the end. Keys are placed with it because user ids are
// chosen by users: with a secret seed nobody can aim at a node. Pinned by Tests/HashRingTests/ring-vectors.json.
// Source of the algorithm: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), and its reference code.

/// A 128-bit SipHash key: sixteen bytes, read as two little-endian words.
public struct SipKey: Hashable, Sendable {
    let low: UInt64
    let high: UInt64

    /// - Parameter bytes: exactly 16 bytes; `nil` for any other number.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (offset, byte) in bytes.enumerated() {
            if offset < 8 {
                words.0 |= UInt64(byte) << (8 * UInt64(offset))
            } else {
                words.1 |= UInt64(byte) << (8 * UInt64(offset - 8))
            }
        }
        (low, high) = words
    }

    /// A key made of sixteen ASCII characters that stand in the source.
    package init(ascii: StaticString) {
        precondition(ascii.utf8CodeUnitCount == 16, "a SipHash key has 16 bytes, not \(ascii.utf8CodeUnitCount)")
        let raw = UnsafeRawPointer(ascii.utf8Start)
        low = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
        high = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// The key's bytes, in the order in which `init(bytes:)` takes them.
    public var bytes: [UInt8] {
        [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
    }
}

/// SipHash-1-3 of `bytes`.
public func sipHash13(key: SipKey, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
    sipHash13(key: key, prefix: 0, prefixLength: 0, bytes)
}

/// SipHash-1-3 of a short prefix followed by `bytes`, without putting the two together first.
///
/// - Parameters:
///   - prefix: the prefix's bytes as a little-endian word; bytes beyond `prefixLength` must be zero.
///   - prefixLength: 0 to 7 bytes; a constant, so that all shifts are.
@inline(__always)
func sipHash13(key: SipKey, prefix: UInt64, prefixLength: Int, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var state = SipState(key: key)
    let count = bytes.count
    let shift = UInt64(prefixLength) &* 8
    let length = UInt64(truncatingIfNeeded: count &+ prefixLength) &<< 56
    guard count >= 8 else {
        let word = shortWord(bytes)
        guard prefixLength &+ count >= 8 else {
            state.absorb(prefix | (word &<< shift) | length)
            return state.finish()
        }
        state.absorb(prefix | (word &<< shift))
        state.absorb(word &>> (64 &- shift) | length)
        return state.finish()
    }
    // The first word takes in the prefix; from there on words are read where they lie.
    state.absorb(prefix | (bytes.word(at: 0) &<< shift))
    var offset = 8 &- prefixLength
    while offset &+ 8 <= count {
        state.absorb(bytes.word(at: offset))
        offset &+= 8
    }
    // The last eight bytes in one load, the ones that were absorbed already shifted out; all of them, where nothing is left.
    let rest = UInt64(truncatingIfNeeded: count &- offset)
    state.absorb((bytes.word(at: count &- 8) &>> 8) &>> (56 &- rest &* 8) | length)
    return state.finish()
}

/// Fewer than eight bytes as a little-endian word.
@inline(__always)
private func shortWord(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var word: UInt64 = 0
    var offset = bytes.count
    while offset > 0 {
        offset &-= 1
        word = word &<< 8 | UInt64(bytes[offset])
    }
    return word
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    fileprivate func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

private struct SipState {
    var v0: UInt64
    var v1: UInt64
    var v2: UInt64
    var v3: UInt64

    @inline(__always)
    init(key: SipKey) {
        v0 = key.low ^ 0x736f_6d65_7073_6575
        v1 = key.high ^ 0x646f_7261_6e64_6f6d
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    @inline(__always)
    mutating func finish() -> UInt64 {
        v2 ^= 0xff
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = rotate(v1, 13) ^ v0
        v0 = rotate(v0, 32)
        v2 = v2 &+ v3
        v3 = rotate(v3, 16) ^ v2
        v0 = v0 &+ v3
        v3 = rotate(v3, 21) ^ v0
        v2 = v2 &+ v1
        v1 = rotate(v1, 17) ^ v2
        v2 = rotate(v2, 32)
    }

    @inline(__always)
    private func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { (word &<< bits) | (word &>> (64 &- bits)) }
}
