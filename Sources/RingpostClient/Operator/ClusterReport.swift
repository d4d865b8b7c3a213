// What a node's API says of the cluster, as Swift values. Fields that only an answering node knows are optional; keys
// that this version doesn't know are ignored, so that a newer node can say more.

/// The answer to `GET /v1/ring`.
public struct RingReport: Decodable, Equatable, Sendable {
    /// The cluster's name.
    public let cluster: String
    /// Which cluster this is: 16 hexadecimal digits.
    public let generation: String
    /// The ring's number, as the answering node sees it.
    public let epoch: UInt64
    /// How long ago ZooKeeper last confirmed it.
    public let epochAgeMilliseconds: Int64
    /// 16 hexadecimal digits; two rings with one digest place every slot alike.
    public let digest: String
    /// The number of slots.
    public let slots: Int
    /// The node that answered.
    public let answeredBy: String
    /// All members.
    public let nodes: [NodeReport]
}

/// The answer to `GET /v1/nodes`.
public struct NodesReport: Decodable, Equatable, Sendable {
    /// All members.
    public let nodes: [NodeReport]
}

/// One member, and what it says of itself if it answered.
public struct NodeReport: Decodable, Equatable, Sendable {
    /// Sockets by transport.
    public struct Sockets: Decodable, Equatable, Sendable {
        /// WebSockets.
        public let ws: Int
        /// Event streams.
        public let sse: Int
        /// Polls that wait.
        public let poll: Int
    }

    /// Counters since the node began.
    public struct Messages: Decodable, Equatable, Sendable {
        /// Appended here, as the owner.
        public let published: UInt64?
        /// Sent on to their owners.
        public let forwarded: UInt64?
        /// Written to sockets.
        public let delivered: UInt64?
    }

    /// How far a drain is.
    public struct Draining: Decodable, Equatable, Sendable {
        /// "handingOver", "movingSockets" or "leaving".
        public let phase: String
        /// "order" or "signal".
        public let cause: String?
        /// Slots that the node still owns.
        public let slots: Int?
        /// Slots of which it still holds a copy.
        public let copies: Int?
        /// Sockets that are still there.
        public let sockets: Int?
        /// Since it began.
        public let seconds: Int?
    }

    /// The node's id.
    public let id: String
    /// Which life of the node: 16 hexadecimal digits.
    public let boot: String?
    /// "host:port" for clients.
    public let client: String
    /// "host:port" for producers and operators.
    public let api: String
    /// "host:port" for links.
    public let link: String
    /// Its share relative to the others'.
    public let weight: UInt16
    /// Where it runs.
    public let zone: String?
    /// Slots it owns in the answering node's ring.
    public let slots: Int?
    /// False: the node did not answer the one that was asked, and what follows is missing.
    public let answered: Bool
    /// The epoch that the node itself sees.
    public let epoch: UInt64?
    /// The digest of the ring that the node itself sees.
    public let digest: String?
    /// Users with a mailbox here.
    public let users: Int?
    /// Sockets held here.
    public let sockets: Sockets?
    /// "leased", "outage" or "frozen".
    public let lease: String?
    /// Since the process began.
    public let uptimeSeconds: Double?
    /// Event loops.
    public let loops: Int?
    /// Bytes of all histories kept here.
    public let historyBytes: Int?
    /// Publishes that wait here for a ring or a link.
    public let parked: Int?
    /// Set while the node drains.
    public let draining: Draining?
    /// The program's version.
    public let version: String?
    /// Counters.
    public let messages: Messages?
}
