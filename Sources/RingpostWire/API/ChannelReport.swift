// What the cluster knows of one channel, as node and clients have it.

/// The answer to `GET /v1/channels/{channel}`.
public struct ChannelReport: Codable, Equatable, Sendable {
    /// One user who listens.
    public struct User: Codable, Equatable, Sendable {
        /// The user's id.
        public let user: String
        /// Sockets and polls; 0 for one who was here a moment ago, or is between two polls.
        public let sockets: Int

        /// What a node answers.
        public init(user: String, sockets: Int) {
            self.user = user
            self.sockets = sockets
        }
    }

    /// One node that holds subscribers.
    public struct Node: Codable, Equatable, Sendable {
        /// Its id.
        public let node: String
        /// How many it holds.
        public let subscribers: Int

        /// What a node answers.
        public init(node: String, subscribers: Int) {
            self.node = node
            self.subscribers = subscribers
        }
    }

    /// The channel's name.
    public let channel: String
    /// The key's place: 16 hexadecimal digits.
    public let hash: String
    /// The hash's upper 16 bits.
    public let slot: Int
    /// The epoch of the ring that was looked at.
    public let epoch: UInt64
    /// The node that owns the channel.
    public let owner: String
    /// Who comes after the owner, the mirror first.
    public let next: [String]
    /// Where the channel's order stands; `nil` before its first message and its first subscriber.
    public let cursor: String?
    /// What the owner keeps.
    public let history: UserReport.History?
    /// All sockets that listen, of users and of nobody.
    public let subscribers: Int
    /// Users who listen, by name; a thousand at most.
    public let users: [User]
    /// Where they are.
    public let nodes: [Node]
    /// False for a few seconds after the channel got another owner: a node may not have said yet who listens there.
    public let complete: Bool
    /// True where the owner's disk is slow: cursor and history are left out, because they are not on it yet as they are.
    public let waiting: Bool?

    /// What a node answers.
    public init(
        channel: String, hash: String, slot: Int, epoch: UInt64, owner: String, next: [String], cursor: String? = nil,
        history: UserReport.History? = nil, subscribers: Int, users: [User], nodes: [Node], complete: Bool,
        waiting: Bool? = nil
    ) {
        self.channel = channel
        self.hash = hash
        self.slot = slot
        self.epoch = epoch
        self.owner = owner
        self.next = next
        self.cursor = cursor
        self.history = history
        self.subscribers = subscribers
        self.users = users
        self.nodes = nodes
        self.complete = complete
        self.waiting = waiting
    }
}
