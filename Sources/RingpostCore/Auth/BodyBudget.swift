// Bytes of requests' bodies that an event loop holds: on their way in, or being worked off. Who brings many doesn't take the room of
// others: each owner has a share, and a part of the room is kept for those who bring little. Bodies that come whole with their head are not
// in it: they are gone again before the loop reads anything else.

/// Whom bytes are charged to.
public enum ByteOwner: Hashable, Sendable {
    /// An API key, by its id.
    case key(String)
    /// A source address, where no key is asked for.
    case address(SourceAddress)
    /// A user, for what waits for its sockets.
    case user(Key)
    /// Whoever can't be told from others.
    case nobody

    /// Whoever asks on the API port.
    ///
    /// - Parameters:
    ///   - key: the id of its API key; `nil` where none is asked for.
    ///   - address: where it comes from.
    public init(key: String?, address: SourceAddress?) {
        self = key.map(ByteOwner.key) ?? address.map { .address($0.counted) } ?? .nobody
    }
}

/// Counts bytes of bodies by owner.
public struct BodyBudget: Sendable {
    /// So many shares there are; one more is for owners who hold little.
    public static let shareCount = 4
    /// What little is.
    public static let smallBytesMax = 256 * 1_024

    /// What one owner may hold.
    public let shareBytesMax: Int
    private var held: [ByteOwner: Int] = [:]
    /// Of all owners.
    public private(set) var bytes = 0

    /// - Parameter shareBytesMax: what one owner may hold.
    public init(shareBytesMax: Int) { self.shareBytesMax = shareBytesMax }

    /// Owners who hold something.
    public var ownerCount: Int { held.count }

    /// Whether an owner may hold so many bytes more.
    public func takes(_ more: Int, for owner: ByteOwner) -> Bool {
        let own = held[owner, default: 0] + more
        if own > shareBytesMax { return false }
        return bytes + more <= (own <= Self.smallBytesMax ? Self.shareCount + 1 : Self.shareCount) * shareBytesMax
    }

    /// An owner holds so many bytes more, or fewer.
    public mutating func charge(_ more: Int, to owner: ByteOwner) {
        let own = held[owner, default: 0] + more
        precondition(own >= 0, "more is given back than was charged")
        held[owner] = own == 0 ? nil : own
        bytes += more
    }
}
