// What two nodes, or a producer and a node, say to each other. A frame is a 32-bit length, a type byte, and fields;
// all integers little-endian. The one who dials asks, the one who accepts answers and delivers, all on one connection,
// so what belongs together stays in order and ends together.
import HashRing
import NIOCore
import RingpostCore

/// Bounds and constants of the link protocol.
public enum LinkProtocol {
    /// Nodes of different versions don't link.
    public static let version: UInt16 = 4
    /// "RPL1": the first bytes of every hello's body.
    public static let magic: UInt32 = 0x314C_5052
    /// A frame's largest length; a longer one ends the connection before it is read.
    public static let frameBytesMax = 2 * 1_024 * 1_024
    /// A payload, as the JSON that it becomes, leaves room for a name and what else a frame has.
    public static let payloadBytesMax = frameBytesMax - 64 * 1_024
    /// A frame before the handshake is over is shorter.
    public static let handshakeBytesMax = 1_024
    /// A producer's key in a hello.
    public static let credentialBytesMax = 255
    /// Users that one frame about who listens names at most: those who are listed, and those who may be back.
    public static let presenceNamesMax = 6 * PresenceList.listedMax
    /// Attachments one deliver frame names at most.
    public static let addressesMax = 1_024
}

/// Opens a connection.
public struct LinkHello: Hashable, Sendable {
    /// What the dialler wants to be.
    public enum Role: UInt8, Sendable {
        case node = 1
        case producer = 2
        /// Only wants to know who answers here, with which boot.
        case probe = 3
    }

    /// Of the link protocol.
    public let version: UInt16
    /// What the dialler wants to be.
    public let role: Role
    /// The cluster's name; empty from those who don't know it.
    public let cluster: String
    /// 0 from a producer or a probe, which don't know it.
    public let generation: UInt64
    /// The dialler's node id; free text for producers.
    public let from: String
    /// Which life of the node this is.
    public let boot: UInt64
    /// Whom the dialler wants to reach; empty and 0 from a producer or a probe.
    public let to: String
    /// Which life of it.
    public let toBoot: UInt64
    /// Which of the dialler's event loops dials; a node has one connection of each at a time.
    public let line: UInt16
    /// Grows with every connection that the event loop dials: a later one ends an earlier one to the same node.
    public let dial: UInt64
    /// Random, and new with every connection: what is proven about this hello is proven about no other.
    public let nonce: LinkNonce
    /// A producer's API key; empty from all others.
    public let credential: String

    /// All of it.
    public init(
        version: UInt16 = LinkProtocol.version, role: Role, cluster: String, generation: UInt64, from: String, boot: UInt64, to: String,
        toBoot: UInt64, line: UInt16 = 0, dial: UInt64 = 0, nonce: LinkNonce = .none, credential: String = ""
    ) {
        self.version = version
        self.role = role
        self.cluster = cluster
        self.generation = generation
        self.from = from
        self.boot = boot
        self.to = to
        self.toBoot = toBoot
        self.line = line
        self.dial = dial
        self.nonce = nonce
        self.credential = credential
    }
}

/// Accepts a connection.
public struct LinkWelcome: Hashable, Sendable {
    /// The id of who answers.
    public let node: String
    /// Which life of the node this is.
    public let boot: UInt64
    /// The sender's epoch.
    public let epoch: UInt64
    /// The largest payload a producer may send, in bytes.
    public let payloadBytesMax: UInt32

    /// All of it.
    public init(node: String, boot: UInt64, epoch: UInt64, payloadBytesMax: UInt32) {
        self.node = node
        self.boot = boot
        self.epoch = epoch
        self.payloadBytesMax = payloadBytesMax
    }
}

/// A publish between two nodes: checked, placed, its payload already JSON.
public struct LinkForward: Hashable, Sendable {
    /// Numbers it on this connection.
    public let request: UInt64
    /// The sender's epoch.
    public let epoch: UInt64
    /// Links it has crossed, this one included: 1 or 2.
    public let hops: UInt8
    /// Begins again, in order, after a refusal of the same slot on this connection.
    public let restarts: Bool
    /// Whom it is for.
    public let key: Key
    /// The same in every repeat.
    public let id: MessageID
    /// See `Publish.principal`.
    public let principal: Principal
    /// See `Publish.from`.
    public let from: [UInt8]
    /// See `Publish.isRepeatable`.
    public let isRepeatable: Bool
    /// See `Publish.isForgettable`.
    public let isForgettable: Bool
    /// `nil` when it has none.
    public let timeToLiveSeconds: UInt32?
    /// What is left of the budget.
    public let budgetMilliseconds: UInt16
    /// See `Publish.publishedAt`.
    public let publishedAt: Int64
    /// See `Publish.mayBeRepeat`.
    public let mayBeRepeat: Bool
    /// The payload.
    public let data: [UInt8]

    /// All of it.
    public init(
        request: UInt64, epoch: UInt64, hops: UInt8, restarts: Bool, key: Key, id: MessageID, principal: Principal = .unnamed,
        from: [UInt8] = SenderText.nobody, isRepeatable: Bool, isForgettable: Bool = false, timeToLiveSeconds: UInt32?,
        budgetMilliseconds: UInt16, publishedAt: Int64 = 0, mayBeRepeat: Bool = false, data: [UInt8]
    ) {
        self.request = request
        self.epoch = epoch
        self.hops = hops
        self.restarts = restarts
        self.key = key
        self.id = id
        self.principal = principal
        self.from = from
        self.isRepeatable = isRepeatable
        self.isForgettable = isForgettable
        self.timeToLiveSeconds = timeToLiveSeconds
        self.budgetMilliseconds = budgetMilliseconds
        self.publishedAt = publishedAt
        self.mayBeRepeat = mayBeRepeat
        self.data = data
    }
}

/// A publish from a producer: nothing about it is believed.
public struct LinkProduce: Hashable, Sendable {
    /// Numbers it on this connection.
    public let request: UInt64
    /// Begins again, in order, after a refusal of the same key on this connection.
    public let restarts: Bool
    /// Whether the name is a user's or a channel's.
    public let kind: KeyKind
    /// Not checked yet.
    public let name: [UInt8]
    /// At most 255 bytes; empty for none.
    public let idempotencyKey: ByteBuffer
    /// The key is the producer library's own: see `Publish.isForgettable`.
    public let isForgettable: Bool
    /// The producer has sent it before, and does not know what came of that.
    public let mayBeRepeat: Bool
    /// `nil` when it has none.
    public let timeToLiveSeconds: UInt32?
    /// How long the producer waits.
    public let budgetMilliseconds: UInt16
    /// True: `data` is JSON. False: text.
    public let isJSON: Bool
    /// The payload, where it has arrived: what is kept of it is copied.
    public let data: ByteBuffer

    /// All of it.
    public init(
        request: UInt64, restarts: Bool = false, kind: KeyKind, name: [UInt8], idempotencyKey: [UInt8] = [], isForgettable: Bool = false,
        mayBeRepeat: Bool = false, timeToLiveSeconds: UInt32? = nil,
        budgetMilliseconds: UInt16 = UInt16(Publish.budgetMillisecondsMax), isJSON: Bool, data: [UInt8]
    ) {
        self.init(
            request: request, restarts: restarts, kind: kind, name: name, idempotencyKey: ByteBuffer(bytes: idempotencyKey),
            isForgettable: isForgettable, mayBeRepeat: mayBeRepeat, timeToLiveSeconds: timeToLiveSeconds,
            budgetMilliseconds: budgetMilliseconds, isJSON: isJSON, data: ByteBuffer(bytes: data))
    }

    /// As it has arrived.
    init(
        request: UInt64, restarts: Bool, kind: KeyKind, name: [UInt8], idempotencyKey: ByteBuffer, isForgettable: Bool, mayBeRepeat: Bool,
        timeToLiveSeconds: UInt32?, budgetMilliseconds: UInt16, isJSON: Bool, data: ByteBuffer
    ) {
        self.request = request
        self.restarts = restarts
        self.kind = kind
        self.name = name
        self.idempotencyKey = idempotencyKey
        self.isForgettable = isForgettable
        self.mayBeRepeat = mayBeRepeat
        self.timeToLiveSeconds = timeToLiveSeconds
        self.budgetMilliseconds = budgetMilliseconds
        self.isJSON = isJSON
        self.data = data
    }
}

/// One frame.
public enum LinkFrame: Hashable, Sendable {
    case hello(LinkHello)
    case welcome(LinkWelcome)
    /// Answers a hello where links have a secret: the answering side proves that it knows it, and asks for the same.
    case challenge(LinkNonce, LinkProof)
    /// Answers a challenge.
    case proof(LinkProof)
    /// Ends the handshake, or the connection: a sentence that says what differs.
    case refuse(String)
    case forward(LinkForward)
    case produce(LinkProduce)
    /// Answers forward and produce.
    case answer(request: UInt64, PublishResult, message: String?)
    /// `countMax` travels where a page is read.
    /// The age says how long ago the edge first asked, where it begins now.
    case attach(
        attachment: UInt64, epoch: UInt64, key: Key, AttachStart, AttachRequest.Stay, countMax: UInt16 = .max, ageMilliseconds: UInt32 = 0)
    case attached(attachment: UInt64, Result<AttachReply, Problem>)
    case detach(attachment: UInt64, key: Key)
    /// The owner ends an attachment.
    case detached(attachment: UInt64)
    /// `expiresAt` does not travel: what is delivered is written.
    case deliver(attachments: [UInt64], incarnation: UInt64, StoredMessage)
    /// Of a node's sockets that listen to a channel.
    case presenceReport(attachment: UInt64, key: Key, PresenceReport)
    /// Who comes to a channel, and goes.
    case presenceNews(attachment: UInt64, PresenceNews)
    /// `query` numbers the outage query that it also is; `sentAt` comes back as it was.
    case ping(query: UInt64, sentAt: Int64, LinkStanding)
    case pong(query: UInt64, sentAt: Int64, LinkStanding)
    /// An operator's question to another node; the answer is JSON.
    case ask(request: UInt64, LinkQuestion, argument: [UInt8])
    case told(request: UInt64, json: [UInt8])
    /// To a peer that is behind: the sender's member list. The generation says of which cluster.
    case members(epoch: UInt64, generation: UInt64, [Member])
    /// About the copies of a slot.
    case slot(SlotFrame)
}

/// What nodes ask each other on behalf of operators.
public enum LinkQuestion: UInt8, Sendable {
    /// How a node is doing.
    case status = 1
    /// What a node knows of one key; the argument is the kind byte and the name.
    case key = 2
    /// An order to drain, and leave.
    case drain = 3
    /// An order to take a weight; the argument is 16 bits of it.
    case weight = 4
    /// An order to end a user's sockets; the argument is 1 if they are to come back and 0 if not, the kind byte and the name.
    case disconnect = 5
}

/// Why a connection's bytes are no link.
public struct LinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public let description: String
    /// A sentence about the bytes.
    public init(_ description: String) { self.description = description }
}
