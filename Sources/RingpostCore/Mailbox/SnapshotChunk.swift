// A copy of a slot on its way to another node: mailboxes with their messages, and receipts for repeats.
import HashRing

/// One of the frames that bring a copy of a slot.
public struct SnapshotChunk: Hashable, Sendable {
    /// Chunks that came before belong to an attempt that was given up.
    public let isFirst: Bool
    /// The copy is complete with this chunk.
    public let isLast: Bool
    /// Under which term the copy was written last.
    public let base: UInt64
    /// The end of the log that the copy holds.
    public let position: UInt64
    /// Whose copies count.
    public let set: LineageSet
    /// See ``Origins``.
    public let origin: UInt64
    /// Mailboxes, each followed by its messages, and receipts.
    public let items: [SnapshotItem]

    /// A chunk with all its parts.
    public init(
        isFirst: Bool, isLast: Bool, base: UInt64, position: UInt64, set: LineageSet = LineageSet(), origin: UInt64 = 0,
        items: [SnapshotItem]
    ) {
        self.isFirst = isFirst
        self.isLast = isLast
        self.base = base
        self.position = position
        self.set = set
        self.origin = origin
        self.items = items
    }

    var payloadBytes: Int { items.reduce(0) { $0 + $1.payloadBytes } }
}

/// Divides a copy into chunks of about so many bytes.
struct SnapshotPacker {
    private let bytesMax: Int
    private var bytes = 0
    private var packed: [[SnapshotItem]] = [[]]

    /// - Parameter bytesMax: of one chunk. One item alone may have more.
    init(bytesMax: Int) { self.bytesMax = bytesMax }

    mutating func add(_ item: SnapshotItem) {
        let size = item.payloadBytes
        if bytes > 0, bytes + size > bytesMax {
            packed.append([])
            bytes = 0
        }
        bytes += size
        packed[packed.count - 1].append(item)
    }

    /// All that was added, in at least one chunk.
    func chunks(base: UInt64, position: UInt64, set: LineageSet, origin: UInt64) -> [SnapshotChunk] {
        packed.enumerated().map { number, items in
            SnapshotChunk(
                isFirst: number == 0, isLast: number == packed.count - 1, base: base, position: position, set: set, origin: origin,
                items: items)
        }
    }
}

/// One part of a copy.
public enum SnapshotItem: Hashable, Sendable {
    /// A mailbox begins.
    case mailbox(MailboxHead)
    /// The next message of the mailbox that began last.
    case message(StoredMessage)
    /// A receipt for repeats.
    case remembered(KeyHash, Remembered)

    var payloadBytes: Int {
        switch self {
        case .mailbox(let head): head.key.name.count + 64
        case .message(let message): message.envelope.count + 48
        case .remembered: 96
        }
    }
}

/// A mailbox without its messages.
public struct MailboxHead: Hashable, Sendable {
    /// Whose it is.
    public let key: Key
    /// See `Mailbox`.
    public let incarnation: UInt64
    /// The last sequence number given.
    public let appended: UInt64
    /// A cursor at or after this sequence number can be brought on without a hole.
    public let resumableFrom: UInt64
    /// How long ago the newest of the messages that the history has lost had come into it; `Int64.max` if it has lost none.
    public let lostAgo: Int64
    /// When a socket of the user was last there, in milliseconds since 1970; 0 for never.
    public let lastSeen: Int64
    /// To whom its name is counted.
    public let principal: Principal

    /// A mailbox's head with all its parts.
    public init(
        key: Key, incarnation: UInt64, appended: UInt64, resumableFrom: UInt64, lostAgo: Int64, lastSeen: Int64 = 0,
        principal: Principal = .unnamed
    ) {
        self.key = key
        self.incarnation = incarnation
        self.appended = appended
        self.resumableFrom = resumableFrom
        self.lostAgo = lostAgo
        self.lastSeen = lastSeen
        self.principal = principal
    }
}
