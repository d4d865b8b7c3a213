// How an edge asks an owner for what a socket has not seen. One question serves all four transports: it brings what the
// history holds after a cursor, in bounded pieces, and attaches the socket to what comes once it has caught up.

/// Where a socket wants to begin.
public enum AttachStart: Hashable, Sendable {
    /// With the first message since the edge asked: see ``AttachRequest/askedAt``.
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
    /// Of one that begins ``AttachStart/now``: when its edge first asked, on this node's monotonic clock; `Int64.max` if that is when it is
    /// answered.
    public let askedAt: Int64

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
    public init(
        key: Key, address: ReturnAddress, start: AttachStart, stay: Stay, countMax: UInt16 = .max, askedAt: Int64 = .max
    ) {
        self.key = key
        self.address = address
        self.start = start
        self.stay = stay
        self.countMax = countMax
        self.askedAt = askedAt
    }

    /// Milliseconds since its edge asked; 0 where that was just now, as exactly as clocks tell it, or doesn't matter.
    public func age(now: Int64) -> UInt32 { start == .now && askedAt < now &- 1 ? UInt32(clamping: now &- askedAt) : 0 }

    /// The same as it comes to an owner that serves: one that was asked just now begins where the log stands, so that it is not shown what came
    /// in the same millisecond, and before it.
    func arriving(now: Int64) -> AttachRequest {
        if askedAt == .max || age(now: now) > 0 { return self }
        return AttachRequest(key: key, address: address, start: start, stay: stay, countMax: countMax)
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
