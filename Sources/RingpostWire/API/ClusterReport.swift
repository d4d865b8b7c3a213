// What the API port says of the cluster: `GET /v1/ring` and `GET /v1/nodes`, as node and clients have it. Fields that only an answering node knows are optional; keys
// that this version doesn't know are ignored, so that a newer node can say more.
import RingpostCore

/// The answer to `GET /v1/ring`.
public struct RingReport: Codable, Equatable, Sendable {
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
    /// How many nodes are to have each message; missing where that is 2.
    public let copies: Int?
    /// The node that answered.
    public let answeredBy: String
    /// All members.
    public let nodes: [NodeReport]

    /// What a node answers.
    public init(
        cluster: String, generation: String, epoch: UInt64, epochAgeMilliseconds: Int64, digest: String, slots: Int, copies: Int? = nil,
        answeredBy: String, nodes: [NodeReport]
    ) {
        self.cluster = cluster
        self.generation = generation
        self.epoch = epoch
        self.epochAgeMilliseconds = epochAgeMilliseconds
        self.digest = digest
        self.slots = slots
        self.copies = copies
        self.answeredBy = answeredBy
        self.nodes = nodes
    }
}

/// The answer to `GET /v1/nodes`.
public struct NodesReport: Codable, Equatable, Sendable {
    /// All members.
    public let nodes: [NodeReport]

    /// What a node answers.
    public init(nodes: [NodeReport]) {
        self.nodes = nodes
    }
}

/// One member, and what it says of itself if it answered.
public struct NodeReport: Codable, Equatable, Sendable {
    /// Sockets by transport.
    public struct Sockets: Codable, Equatable, Sendable {
        /// WebSockets.
        public let ws: Int
        /// Event streams.
        public let sse: Int
        /// Polls that wait.
        public let poll: Int

        /// What a node answers.
        public init(ws: Int, sse: Int, poll: Int) {
            self.ws = ws
            self.sse = sse
            self.poll = poll
        }
    }

    /// Counters since the node began.
    public struct Messages: Codable, Equatable, Sendable {
        /// Appended here, as the owner.
        public let published: UInt64?
        /// Sent on to their owners.
        public let forwarded: UInt64?
        /// Written to sockets.
        public let delivered: UInt64?

        /// What a node answers.
        public init(published: UInt64? = nil, forwarded: UInt64? = nil, delivered: UInt64? = nil) {
            self.published = published
            self.forwarded = forwarded
            self.delivered = delivered
        }
    }

    /// How far a drain is.
    public struct Draining: Codable, Equatable, Sendable {
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

        /// What a node answers.
        public init(phase: String, cause: String? = nil, slots: Int? = nil, copies: Int? = nil, sockets: Int? = nil, seconds: Int? = nil) {
            self.phase = phase
            self.cause = cause
            self.slots = slots
            self.copies = copies
            self.sockets = sockets
            self.seconds = seconds
        }
    }

    /// Slots that are to be a node's and that nobody serves.
    public struct Waiting: Codable, Equatable, Sendable {
        /// How many there are.
        public let slots: Int
        /// Ids of the nodes that they wait for: members that can't be reached, and former ones that might still act.
        public let `for`: [String]
        /// Ids of those of them whose copies are on a disk; missing where there are none.
        public let disks: [String]?
        /// For how long some have waited, without a moment in which none did.
        public let seconds: Int
        /// For how long they wait at most, if none of those comes; missing where that is not known.
        public let secondsLeft: Int?

        /// What a node answers.
        public init(slots: Int, `for`: [String], disks: [String]? = nil, seconds: Int, secondsLeft: Int?) {
            self.slots = slots
            self.for = `for`
            self.disks = disks
            self.seconds = seconds
            self.secondsLeft = secondsLeft
        }

        /// How many, for whom, until when: for people.
        public var sentence: String {
            let whom = self.for.isEmpty ? "" : " for \(self.for.joined(separator: ", "))"
            let left = secondsLeft.map { ", and begin anew in \($0) s" } ?? ""
            let advice = SlotWatch.advice(disks: disks ?? []).map { "; \($0)" } ?? ""
            return "\(slots) slots have waited\(whom) for \(seconds) s\(left)\(advice)"
        }
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
    /// The version of the link protocol that it speaks.
    public let `protocol`: Int?
    /// Its share relative to the others'.
    public let weight: UInt16
    /// Where it runs.
    public let zone: String?
    /// "fsync" or "written": what its disk promises. Missing where its copies are in memory only.
    public let disk: String?
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
    /// How long ago ZooKeeper last confirmed the ring to the node.
    public let ageMilliseconds: Int64?
    /// Since the process began.
    public let uptimeSeconds: Int64?
    /// Event loops.
    public let loops: Int?
    /// Bytes of all histories that the node's memory has.
    public let historyBytes: Int?
    /// About how many bytes of histories only its data directory has; missing where it has none.
    public let olderBytes: Int?
    /// Publishes that wait here for a ring or a link.
    public let parked: Int?
    /// Set while the node drains.
    public let draining: Draining?
    /// Set while slots of the node have nobody.
    public let waiting: Waiting?
    /// Sentences about what is wrong with the node, as long as it is.
    public let alarms: [String]?
    /// A digest of the node's `--namespaces`: 16 hexadecimal digits, the same on nodes with the same rules. Missing where there are none.
    public let namespaces: String?
    /// The program's version.
    public let version: String?
    /// Counters.
    public let messages: Messages?

    /// What a node answers.
    public init(
        id: String, boot: String? = nil, client: String, api: String, link: String, `protocol`: Int? = nil, weight: UInt16,
        zone: String? = nil, disk: String? = nil, slots: Int? = nil, answered: Bool, epoch: UInt64? = nil, digest: String? = nil,
        users: Int? = nil,
        sockets: Sockets? = nil, lease: String? = nil, ageMilliseconds: Int64? = nil, uptimeSeconds: Int64? = nil, loops: Int? = nil,
        historyBytes: Int? = nil, olderBytes: Int? = nil, parked: Int? = nil, draining: Draining? = nil, waiting: Waiting? = nil,
        alarms: [String]? = nil, namespaces: String? = nil, version: String? = nil,
        messages: Messages? = nil
    ) {
        self.id = id
        self.boot = boot
        self.client = client
        self.api = api
        self.link = link
        self.protocol = `protocol`
        self.weight = weight
        self.zone = zone
        self.disk = disk
        self.slots = slots
        self.answered = answered
        self.epoch = epoch
        self.digest = digest
        self.users = users
        self.sockets = sockets
        self.lease = lease
        self.ageMilliseconds = ageMilliseconds
        self.uptimeSeconds = uptimeSeconds
        self.loops = loops
        self.historyBytes = historyBytes
        self.olderBytes = olderBytes
        self.parked = parked
        self.draining = draining
        self.waiting = waiting
        self.alarms = alarms
        self.namespaces = namespaces
        self.version = version
        self.messages = messages
    }
}
