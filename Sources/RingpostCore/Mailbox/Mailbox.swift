// The owner's state for one key: its order, its recent history, who is attached. What is *appended* has its place;
// only what is *committed* is shown to sockets, replays, polls and producers.
import DequeModule

/// One message as the history keeps it.
public struct StoredMessage: Hashable, Sendable {
    /// Its place in the mailbox, from 1.
    public let sequence: UInt64
    /// The JSON object that every socket gets, encoded once.
    public let envelope: [UInt8]
    /// Monotonic milliseconds; `Int64.max` when the message has no time to live.
    public let expiresAt: Int64
    /// Microseconds since 1970 when the publish entered the cluster; 0 when that is not known. For the latency histogram.
    public let publishedAt: Int64
    /// The publish that it came with: how a router's second try is recognised. Sockets are not sent it apart from the envelope.
    public let id: MessageID
    /// When it came into this node's history, on its monotonic clock.
    public let appendedAt: Int64

    /// A message that has its place.
    public init(
        sequence: UInt64, envelope: [UInt8], expiresAt: Int64 = .max, publishedAt: Int64 = 0, id: MessageID = MessageID(high: 0, low: 0),
        appendedAt: Int64 = 0
    ) {
        self.sequence = sequence
        self.envelope = envelope
        self.expiresAt = expiresAt
        self.publishedAt = publishedAt
        self.id = id
        self.appendedAt = appendedAt
    }

    func shifted(by offset: Int64) -> StoredMessage {
        StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt == .max ? .max : expiresAt &+ offset, publishedAt: publishedAt,
            id: id, appendedAt: appendedAt &+ offset)
    }

    /// As the history keeps it from now on: of one that was only for the sockets of its moment, the place and the id.
    func kept(now: Int64) -> StoredMessage {
        StoredMessage(
            sequence: sequence, envelope: expiresAt > now ? envelope : [], expiresAt: expiresAt, publishedAt: publishedAt, id: id,
            appendedAt: now)
    }
}

/// Bounds of mailboxes and of the store that holds them; one store an event loop.
public struct MailboxLimits: Sendable {
    /// Messages that one mailbox keeps; the oldest goes first.
    public var historyMessagesMax = 1_000
    /// Bytes of envelopes that one mailbox keeps.
    public var historyBytesMax = 1_024 * 1_024
    /// Where the node has a store: messages of one mailbox that memory keeps of those. What comes before them is read when it is asked for.
    public var memoryMessagesMax = 1_000
    /// The same in bytes of envelopes.
    public var memoryBytesMax = 1_024 * 1_024
    /// Bytes of envelopes that a node's store keeps, those that memory has too, shared out evenly to its event loops. Beyond it the messages
    /// that left memory first are dropped.
    public var storedBytesMax = 16_384 * 1_024 * 1_024
    /// What one mailbox may be told to keep without a store, and with one.
    public static let historyMessagesMost = (memory: Namespace.historyMessagesMax, store: 10_000_000)
    /// The same in bytes of envelopes.
    public static let historyBytesMost = (memory: Namespace.historyBytesMax, store: 16 * 1_024 * 1_024 * 1_024)
    /// How long one mailbox keeps a message; `nil` for no bound.
    public var historyMilliseconds: Int64?
    /// Mailboxes in which old messages are looked for in one tick, where all have such a bound: a million of them in less than a minute.
    public static let agingLooksMax = 1_024
    /// Bytes of envelopes that the whole store keeps. Beyond it the mailboxes that were used longest ago lose their history.
    public var storeBytesMax = 512 * 1_024 * 1_024
    /// Mailboxes with messages in the store. Beyond it one is forgotten that nobody is attached to: of whoever has more names than an even
    /// share, or else the one used longest ago.
    public var mailboxesMax = 1_000_000
    /// Names that nobody has written to, and that somebody is attached to; beyond it an attachment is answered "overloaded".
    public var unwrittenMax = 1_000_000
    /// Users to whom nobody has written, of whom the store knows when they left; those who left first are forgotten first.
    public var departedMax = 100_000
    /// Names of mailboxes with messages that count for one client, by its user or its address; beyond it a publish to a new one is refused.
    public var clientNamesMax = 1_000
    /// The same of one API key.
    public var keyNamesMax = 100_000_000
    /// How long a mailbox that nobody uses is remembered: its incarnation, its last sequence number, and what history is left.
    public var idleMilliseconds: Int64 = 24 * 3_600 * 1_000
    /// Messages that one channel takes in a second, and twice as many at once; beyond it they are refused as too fast.
    public var channelMessagesPerSecond = 2_000
    /// The same of one user.
    public var userMessagesPerSecond = 10_000
    /// Attachments to one mailbox.
    public var attachmentsMax = 16_384
    /// Bytes of envelopes in one answer to an attachment; the edge asks again for the rest.
    public var replayBytesMax = 64 * 1_024
    /// Idempotency keys that the store remembers; beyond it a publish with a new one is answered "window full". So many that as many fit into
    /// each second of both times below as 262,144 would into the first alone.
    public var windowEntriesMax = 349_525
    /// Of these one principal has at most so many times as many as are free: one takes three quarters of all, two take three sevenths each,
    /// and there is always room for another one.
    public static let windowShareOfFree = 3
    /// What is said of channels by the beginning of their names.
    public var namespaces = NamespaceTable()
    /// How long after a publish a repeat may be asked for: three budgets.
    public var windowMilliseconds: Int64 = 3 * Publish.budgetMillisecondsMax
    /// How long a repeat that was asked for by then may wait until it comes to the owner: what is remembered stays for so much longer.
    public var windowWaitMilliseconds = Publish.budgetMillisecondsMax
    /// How long a receipt is remembered.
    var receiptMilliseconds: Int64 { windowMilliseconds + windowWaitMilliseconds }

    /// The defaults.
    public init() {}
}

struct Mailbox {
    let key: Key
    /// The number of the channel's namespace; 0 for none. Here it fits into the key's last word, and costs a mailbox nothing.
    var namespace: UInt16 = 0
    let incarnation: UInt64
    /// The last sequence number given.
    var appended: UInt64 = 0
    /// The last sequence number that may be shown.
    var committed: UInt64 = 0
    var history: Deque<StoredMessage> = []
    var historyBytes = 0
    /// A cursor at or after this place can be brought on without a hole.
    var resumableFrom: UInt64 = 0
    /// When the newest of the messages that the history has lost had come into it; the past when it has lost none.
    var lostThrough: Int64 = .min
    var attachments: [ReturnAddress] = []
    var lastUsed: Int64 = 0
    /// When a socket of the user was last there, in milliseconds since 1970; 0 for never. Channels are never seen.
    var lastSeen: Int64 = 0
    /// How fast messages come.
    var pace = Pace()
    /// Neighbours in the order of use.
    var older = MailboxLink.unlinked
    var newer = MailboxLink.none
    /// Neighbours among the mailboxes of the slot.
    var before = MailboxLink.none
    var after = MailboxLink.none
    /// To whom the name is counted.
    var principal = Principal.unnamed
    /// Neighbours among the names of that principal.
    var earlier = MailboxLink.none
    var later = MailboxLink.none

    init(key: Key, incarnation: UInt64) {
        self.key = key
        self.incarnation = incarnation
    }

    /// Somebody has written to it: it has a history, or had one.
    var isWritten: Bool { appended > 0 }

    func isOver(messagesMax: Int, bytesMax: Int) -> Bool {
        history.count > messagesMax || (historyBytes > bytesMax && history.count > 1)
    }

    /// Takes the oldest message out; returns its bytes. A message that was past its time to live leaves no gap.
    mutating func dropOldest(now: Int64) -> Int {
        guard let oldest = history.popFirst() else { return 0 }
        if oldest.expiresAt > now { resumableFrom = oldest.sequence }
        lostThrough = max(lostThrough, oldest.appendedAt)
        historyBytes -= oldest.envelope.count
        return oldest.envelope.count
    }

    /// The place in `history` of the first message after `sequence`.
    func firstIndex(after sequence: UInt64) -> Int {
        var low = 0
        var high = history.count
        while low < high {
            let middle = (low + high) / 2
            if history[middle].sequence <= sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Loses all history; returns its bytes.
    mutating func clear(through sequence: UInt64, now: Int64) -> Int {
        let bytes = historyBytes
        history = []
        historyBytes = 0
        resumableFrom = sequence
        appended = sequence
        lostThrough = now
        return bytes
    }

    /// The place that a publish got, if it is still in the history.
    func sequence(of id: MessageID) -> UInt64? { history.last { $0.id == id }?.sequence }
}
