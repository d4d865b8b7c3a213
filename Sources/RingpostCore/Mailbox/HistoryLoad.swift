// A part of one mailbox's history: what a cursor asks for that reaches back further than memory does, and what has come of it.

/// Which part of a history is to be read.
public struct HistoryLoad: Hashable, Sendable {
    /// Whose.
    public let key: Key
    /// Messages of another incarnation are none of it.
    public let incarnation: UInt64
    /// Messages after this one. If the first that comes is not the next one, those between are lost.
    public let after: UInt64
    /// Messages up to this one.
    public let through: UInt64
    /// The last ones are wanted where not all of them fit, not the first ones.
    public let isBackwards: Bool
    /// So many at most.
    public let messagesMax: Int
    /// So many bytes of envelopes at most, but one message in any case.
    public let bytesMax: Int
    /// The node's monotonic milliseconds: times are counted from here.
    public let now: Int64

    /// A part of a history.
    public init(
        key: Key, incarnation: UInt64, after: UInt64, through: UInt64 = .max, isBackwards: Bool = false, messagesMax: Int, bytesMax: Int,
        now: Int64
    ) {
        self.key = key
        self.incarnation = incarnation
        self.after = after
        self.through = through
        self.isBackwards = isBackwards
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
        self.now = now
    }
}

/// What was read of a history.
public struct HistoryPart: Hashable, Sendable {
    /// In their order. Numbers that are missing are not there, or can't be read.
    public let messages: [StoredMessage]
    /// Something could not be read.
    public let isDamaged: Bool

    /// A part of a history.
    public init(messages: [StoredMessage], isDamaged: Bool = false) {
        self.messages = messages
        self.isDamaged = isDamaged
    }
}
