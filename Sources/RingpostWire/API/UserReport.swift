// What the cluster knows of one user, as node and clients have it.

/// The answer to `GET /v1/users/{user}`.
public struct UserReport: Codable, Equatable, Sendable {
    /// What the owner's history holds.
    public struct History: Codable, Equatable, Sendable {
        /// Messages kept.
        public let messages: Int
        /// Their bytes.
        public let bytes: Int

        /// What a node answers.
        public init(messages: Int, bytes: Int) {
            self.messages = messages
            self.bytes = bytes
        }
    }

    /// One socket of the user, wherever it is.
    public struct Socket: Codable, Equatable, Sendable {
        /// The node that holds it.
        public let edge: String
        /// "ws", "sse" or "poll".
        public let transport: String
        /// The client's address.
        public let remote: String?
        /// For how long.
        public let connectedSeconds: Int64?
        /// Where it stands.
        public let cursor: String?

        /// What a node answers.
        public init(edge: String, transport: String, remote: String? = nil, connectedSeconds: Int64? = nil, cursor: String? = nil) {
            self.edge = edge
            self.transport = transport
            self.remote = remote
            self.connectedSeconds = connectedSeconds
            self.cursor = cursor
        }
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
    /// True where the owner's disk is slow: cursor, history and `lastSeen` are left out, because they are not on it yet as they are.
    public let waiting: Bool?

    /// What a node answers.
    public init(
        user: String, hash: String, slot: Int, epoch: UInt64, owner: String? = nil, next: [String], cursor: String? = nil,
        history: History? = nil, online: Bool? = nil, since: Int64? = nil, lastSeen: Int64? = nil, sockets: [Socket],
        unanswered: [String]? = nil, waiting: Bool? = nil
    ) {
        self.user = user
        self.hash = hash
        self.slot = slot
        self.epoch = epoch
        self.owner = owner
        self.next = next
        self.cursor = cursor
        self.history = history
        self.online = online
        self.since = since
        self.lastSeen = lastSeen
        self.sockets = sockets
        self.unanswered = unanswered
        self.waiting = waiting
    }
}
