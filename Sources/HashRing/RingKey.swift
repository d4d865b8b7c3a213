// How a user id or a channel name becomes a place on the ring. What is *valid* as a name is not decided here.

/// What a key names. The raw value is the byte that tags the name before it is hashed, so that a user and a channel of
/// one name don't meet.
public enum KeyKind: UInt8, Sendable, Hashable, CaseIterable {
    case user = 0x75  // "u"
    case channel = 0x63  // "c"
}

/// A key's place: the 64-bit hash, of which the upper 16 bits are the slot.
public struct KeyHash: Hashable, Sendable, RawRepresentable {
    /// The hash as `KeyHasher` computes it.
    public let rawValue: UInt64

    /// - Parameter rawValue: the hash as `KeyHasher` computes it.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// 0 … 65,535.
    public var slot: Int { Int(truncatingIfNeeded: rawValue >> 48) }
}

/// Hashes keys under the cluster's secret seed: `sip13(seed, kind ‖ 0x00 ‖ name)`, the name's UTF-8 as it came, not
/// normalised.
public struct KeyHasher: Hashable, Sendable {
    /// The cluster's secret.
    public let seed: SipKey

    /// - Parameter seed: the sixteen random bytes of `/ringpost/<cluster>/ring`.
    public init(seed: SipKey) { self.seed = seed }

    /// The place of a name given as UTF-8 bytes.
    public func hash(_ kind: KeyKind, utf8 name: UnsafeRawBufferPointer) -> KeyHash {
        KeyHash(rawValue: sipHash13(key: seed, prefix: UInt64(kind.rawValue), prefixLength: 2, name))
    }

    /// The place of a name given as a string.
    public func hash(_ kind: KeyKind, _ name: String) -> KeyHash {
        // Nearly every string gives its bytes without being copied, or kept alive meanwhile.
        if let hash = name.utf8.withContiguousStorageIfAvailable({ hash(kind, utf8: UnsafeRawBufferPointer($0)) }) { return hash }
        var name = name
        return name.withUTF8 { hash(kind, utf8: UnsafeRawBufferPointer($0)) }
    }
}
