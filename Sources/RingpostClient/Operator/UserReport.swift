// What the cluster knows of one user, as Swift values.

/// The answer to `GET /v1/users/{user}`.
public struct UserReport: Decodable, Equatable, Sendable {
    /// What the owner's history holds.
    public struct History: Decodable, Equatable, Sendable {
        /// Messages kept.
        public let messages: Int
        /// Their bytes.
        public let bytes: Int
    }

    /// One socket of the user, wherever it is.
    public struct Socket: Decodable, Equatable, Sendable {
        /// The node that holds it.
        public let edge: String
        /// "ws", "sse" or "poll".
        public let transport: String
        /// The client's address.
        public let remote: String?
        /// For how long.
        public let connectedSeconds: Double?
        /// Where it stands.
        public let cursor: String?
    }

    /// The user's id.
    public let user: String
    /// The key's place: 16 hexadecimal digits.
    public let hash: String
    /// The hash's upper 16 bits.
    public let slot: Int
    /// The epoch of the ring that was looked at.
    public let epoch: UInt64
    /// The node that owns the user; `nil` when nobody has weight.
    public let owner: String?
    /// Who comes after the owner, the mirror first.
    public let next: [String]
    /// Where the user's order stands; `nil` when the owner has no mailbox for the user, or did not answer.
    public let cursor: String?
    /// What the owner keeps.
    public let history: History?
    /// Whether the user is there, with a socket or between two polls.
    public let online: Bool?
    /// Since when, in milliseconds since 1970: as long as the oldest of the sockets is there.
    public let since: Int64?
    /// When the user was last there, in milliseconds since 1970; `nil` for one who is there, or was not for a day.
    public let lastSeen: Int64?
    /// The user's sockets on all nodes that answered.
    public let sockets: [Socket]
    /// Nodes that did not answer; they may hold sockets too.
    public let unanswered: [String]?
}
