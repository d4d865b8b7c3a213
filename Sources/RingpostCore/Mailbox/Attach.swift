// How an edge asks an owner for what a socket has not seen. One question serves all four transports: it brings what the
// history holds after a cursor, in bounded pieces, and attaches the socket to what comes once it has caught up.

/// Where a socket wants to begin.
public enum AttachStart: Hashable, Sendable {
    /// With the next message.
    case now
    /// With the oldest message that is kept.
    case earliest
    /// With the message after the cursor.
    case after(Cursor)
    /// Backwards, with the newest message. Only for who reads a page.
    case newest
    /// Backwards, with the message before the one that the cursor came with. Only for who reads a page.
    case before(Cursor)
}

/// An edge's question.
public struct AttachRequest: Hashable, Sendable {
    /// Which mailbox.
    public let key: Key
    /// Who asks, and what is attached.
    public let address: ReturnAddress
    /// Where to begin.
    public let start: AttachStart
    /// Whether to attach.
    public let stay: Stay
    /// Of a page: so many messages at most.
    public let countMax: UInt16

    /// Whether the address becomes attached once it has caught up.
    public enum Stay: UInt8, Sendable {
        /// Only looks: a poll that doesn't wait.
        case never = 0
        /// A stream.
        case always = 1
        /// A long poll: waits for the next message only where there is nothing to give at once.
        case ifEmpty = 2
        /// Reads a page of the history. Nobody is there for it: it leaves no trace.
        case page = 3
    }

    /// A question for the owner of `key`.
    public init(key: Key, address: ReturnAddress, start: AttachStart, stay: Stay, countMax: UInt16 = .max) {
        self.key = key
        self.address = address
        self.start = start
        self.stay = stay
        self.countMax = countMax
    }
}

/// The owner's answer.
public struct AttachReply: Hashable, Sendable {
    /// Of the mailbox as it is now.
    public let incarnation: UInt64
    /// True when the history does not reach back to the cursor, or does not know it; `from` is then a new beginning. Of a page that is read
    /// backwards: there were messages up to `from`, and they are not kept.
    public let gap: Bool
    /// The place that the messages continue.
    public let from: UInt64
    /// The place after the messages.
    public let through: UInt64
    /// In order; what is past its time to live is left out.
    public let messages: [StoredMessage]
    /// True when the address is attached from `through` on. False: nothing is attached, and unless the request only
    /// wanted to look there is more to ask for.
    public let isLive: Bool
    /// True when the history holds more after `through`; of a page that is read backwards, more up to `from`.
    public let hasMore: Bool

    /// An answer with all its parts.
    public init(
        incarnation: UInt64, gap: Bool, from: UInt64, through: UInt64, messages: [StoredMessage], isLive: Bool, hasMore: Bool
    ) {
        self.incarnation = incarnation
        self.gap = gap
        self.from = from
        self.through = through
        self.messages = messages
        self.isLive = isLive
        self.hasMore = hasMore
    }
}
