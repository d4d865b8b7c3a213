// What a producer hands over and what it gets back, as values that travel between event loops and over links.

/// The time of an event, as its shell read the clocks.
public struct Moment: Hashable, Sendable {
    /// Milliseconds of a clock that never jumps and goes on while the machine is suspended (CLOCK_BOOTTIME).
    public var monotonic: Int64
    /// Milliseconds since 1970, for people.
    public var wall: Int64

    /// A moment that a shell has read.
    public init(monotonic: Int64, wall: Int64) {
        self.monotonic = monotonic
        self.wall = wall
    }
}

/// Where an answer or a delivery goes. The machines pass it through; the event loop that received it gave it its meaning.
public struct ReturnAddress: Hashable, Sendable {
    /// Which loop or which link connection.
    public let connectionID: UInt32
    /// Which request or which attachment there.
    public let id: UInt64

    /// An address that one loop understands.
    public init(connectionID: UInt32, id: UInt64) {
        self.connectionID = connectionID
        self.id = id
    }
}

/// One message on its way to the owner of its key.
public struct Publish: Equatable, Sendable {
    /// A budget never exceeds ten seconds.
    public static let budgetMillisecondsMax: Int64 = 10_000
    /// A time to live never exceeds thirty days; a longer one is cut.
    public static let timeToLiveSecondsMax: UInt32 = 30 * 86_400

    /// Whom it is for.
    public let key: Key
    /// The same in every repeat.
    public let id: MessageID
    /// With whose its idempotency key is counted.
    public let principal: Principal
    /// Who sends it, as ``SenderText`` says it; empty for nobody who is named.
    public let from: [UInt8]
    /// True when the producer gave the idempotency key: then a repeat within the window gets the first receipt.
    public let isRepeatable: Bool
    /// The key is one that only its producer's library knows, which says of every repeat that it ``mayBeRepeat``. Where the window is
    /// half full the key is not remembered, for the sake of those that anybody may use again: the history tells whether a repeat was
    /// appended, and where it can't, nobody knows.
    public let isForgettable: Bool
    /// The payload as JSON: what the producer sent, or its text as a JSON string.
    public let data: [UInt8]
    /// `nil`: as long as the history keeps it. 0: only for the sockets attached right now.
    public let timeToLiveSeconds: UInt32?
    /// When the producer stops waiting, on this node's monotonic clock.
    public var deadline: Int64
    /// Microseconds since 1970 when it entered the cluster; only measured with, never decided by.
    public let publishedAt: Int64
    /// It may have come to an owner before: a router sends it again because it can't know what became of the first try, or it
    /// has waited or gone a roundabout way while its router may have done so. The owner looks whether it has it.
    public var mayBeRepeat: Bool

    /// All of it, made where it entered or read from a link.
    public init(
        key: Key, id: MessageID, principal: Principal = .unnamed, from: [UInt8] = SenderText.nobody, isRepeatable: Bool,
        isForgettable: Bool = false, data: [UInt8], timeToLiveSeconds: UInt32? = nil, deadline: Int64, publishedAt: Int64 = 0,
        mayBeRepeat: Bool = false
    ) {
        self.key = key
        self.id = id
        self.principal = principal
        self.from = from
        self.isRepeatable = isRepeatable
        self.isForgettable = isForgettable
        self.data = data
        self.timeToLiveSeconds = timeToLiveSeconds.map { min($0, Self.timeToLiveSecondsMax) }
        self.deadline = deadline
        self.publishedAt = publishedAt
        self.mayBeRepeat = mayBeRepeat
    }

    /// It entered the cluster no longer ago than this: budgets run down, and never exceed the largest one.
    func ageMax(now: Int64) -> Int64 { max(0, Self.budgetMillisecondsMax - (deadline - now)) }
}

/// What a producer gets back for a message that has its place.
public struct Receipt: Hashable, Sendable {
    /// What became of the message.
    public enum Outcome: UInt8, Sendable {
        /// A socket was attached when the message was appended.
        case delivered = 1
        /// Nobody was attached; the message is kept in the history.
        case stored = 2
        /// Nobody was attached, and its time to live was over at once.
        case dropped = 3
        /// Nobody was attached at this owner, which can't know whether somebody still is: sockets may be on their way back from an owner or a
        /// link before.
        case unknown = 4
    }

    /// Its place in the mailbox, from 1.
    public let sequence: UInt64
    /// The epoch in which the owner appended it.
    public let epoch: UInt64
    /// The owner's node id.
    public let owner: String
    /// What became of it.
    public let outcome: Outcome
    /// How many members have it: the owner, and those that have confirmed it.
    public let copies: UInt8
    /// True when every member that has it has it on a disk, by fsync: it outlives all of their processes and machines.
    public let durable: Bool
    /// The same in every repeat.
    public let id: MessageID
    /// True when this is the receipt of an earlier publish with the same idempotency key.
    public let repeated: Bool

    /// True when a second member has it too.
    public var mirrored: Bool { copies > 1 }

    /// All of it, where it does not matter whether there are two copies or more.
    public init(
        sequence: UInt64, epoch: UInt64, owner: String, outcome: Outcome, mirrored: Bool, durable: Bool = false, id: MessageID,
        repeated: Bool = false
    ) {
        self.init(
            sequence: sequence, epoch: epoch, owner: owner, outcome: outcome, copies: mirrored ? 2 : 1, durable: durable, id: id,
            repeated: repeated)
    }

    /// All of it, made where it entered or read from a link.
    public init(
        sequence: UInt64, epoch: UInt64, owner: String, outcome: Outcome, copies: UInt8, durable: Bool = false, id: MessageID,
        repeated: Bool = false
    ) {
        self.sequence = sequence
        self.epoch = epoch
        self.owner = owner
        self.outcome = outcome
        self.copies = copies
        self.durable = durable
        self.id = id
        self.repeated = repeated
    }

    /// The same receipt for a repeat.
    var asRepeated: Receipt {
        Receipt(
            sequence: sequence, epoch: epoch, owner: owner, outcome: outcome, copies: copies, durable: durable, id: id, repeated: true)
    }

    /// The same receipt when the message is committed: it is known how many members have it, and where, and who is attached.
    func with(copies: UInt8, durable: Bool? = nil, outcome: Outcome? = nil) -> Receipt {
        Receipt(
            sequence: sequence, epoch: epoch, owner: owner, outcome: outcome ?? self.outcome, copies: copies,
            durable: durable ?? self.durable, id: id, repeated: repeated)
    }
}

/// The answer to a publish.
public typealias PublishResult = Result<Receipt, Problem>
