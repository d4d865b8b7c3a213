// Who publishes, as far as those have to know who count: idempotency keys and names of one principal are counted together. Which producer or
// client it is, is not in it: whoever needs a name for people reads `from`.
import HashRing

/// A publisher's number: the same on every node of a cluster, and nobody who doesn't know the cluster's secret finds a name with a
/// certain number.
public struct Principal: Hashable, Sendable, RawRepresentable {
    /// What a principal is known by.
    public enum Role: UInt8, Sendable {
        /// A producer's API key, by its id.
        case key = 1
        /// A client with a token, by its user.
        case user = 2
        /// A client whom nobody asked who it is, by its source address.
        case source = 3
        /// All of these together, where the address says nothing: a client may come from another one with its second try.
        case anybody = 4
    }

    /// The hash; 0 for those that nobody asks for a key.
    public let rawValue: UInt64

    /// A producer where producers need no key: counted with nobody, and bounded by nobody's share.
    public static let unnamed = Principal(rawValue: 0)

    /// As it came over a link.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// A principal known by an id of its role.
    public init(_ role: Role, _ id: UnsafeRawBufferPointer, hasher: KeyHasher) {
        let hash = withUnsafeTemporaryAllocation(byteCount: 2 + id.count, alignment: 1) { bytes in
            // No name begins so: a principal's hash is no key's.
            bytes[0] = 0
            bytes[1] = role.rawValue
            UnsafeMutableRawBufferPointer(rebasing: bytes[2...]).copyMemory(from: id)
            return hasher.hash(.user, utf8: UnsafeRawBufferPointer(bytes)).rawValue
        }
        rawValue = role == .key ? max(hash & ~1, 2) : hash | 1
    }

    /// A producer with an API key.
    public init(key id: String, hasher: KeyHasher) {
        var id = id
        self = id.withUTF8 { Principal(.key, UnsafeRawBufferPointer($0), hasher: hasher) }
    }

    /// A client whose token names a user.
    public init(user: [UInt8], hasher: KeyHasher) { self = user.withUnsafeBytes { Principal(.user, $0, hasher: hasher) } }

    /// Clients whom nobody asked who they are, all of them.
    public static func anybody(hasher: KeyHasher) -> Principal {
        Principal(.anybody, UnsafeRawBufferPointer(start: nil, count: 0), hasher: hasher)
    }

    /// Nobody asked for a key.
    public var isUnnamed: Bool { rawValue == 0 }
    /// A client, and no producer.
    public var isClient: Bool { rawValue & 1 == 1 }
}
