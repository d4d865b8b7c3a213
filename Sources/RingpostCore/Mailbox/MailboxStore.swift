// All mailboxes of one event loop's slots, its own and those that it holds copies of: places in the order, history,
// attachments, receipts for repeats, all of it bounded. What may be shown when is decided by the slot's keeper.
import HashRing

/// The mailboxes of one event loop.
struct MailboxStore {
    let limits: MailboxLimits
    let shardCount: Int
    var mailboxIndices: [Key: Int] = [:]
    /// A slab: places stay, freed ones are used again.
    var boxes: [Mailbox] = []
    var free: [Int] = []
    /// The first mailbox of each slot.
    var heads: [Int32]
    /// The order of use, for eviction.
    var oldest = -1
    var newest = -1
    /// Everything older than this mailbox has lost its history already: where shedding goes on.
    var shedNext = -1
    var window: IdempotencyWindow
    /// Bytes of envelopes in all histories.
    var historyBytes = 0
    /// Attachments to all mailboxes.
    var attachmentCount = 0
    /// Mailboxes that were forgotten because the store was full.
    var evictedCount: UInt64 = 0
    /// When the one of these that was used last was used: a message that came later is in no mailbox that was forgotten.
    var evictedThrough = Int64.min

    /// - Parameter shardCount: the store has every slot that one of so many loops has.
    init(shardCount: Int = 1, limits: MailboxLimits = MailboxLimits()) {
        self.shardCount = shardCount
        self.limits = limits
        heads = Array(repeating: -1, count: (HashRing.slotCount + shardCount - 1) / shardCount)
        window = IdempotencyWindow(
            entriesMax: limits.windowEntriesMax, milliseconds: limits.windowMilliseconds, shardCount: shardCount)
    }

    /// Keys that are remembered.
    var mailboxCount: Int { mailboxIndices.count }
    /// Idempotency keys that are remembered.
    var windowCount: Int { window.count }

    // MARK: The log

    /// Whether a mailbox takes one more message now: how often it may is bounded.
    mutating func takes(at mailboxIndex: Int, now: Int64) -> Bool {
        let rate = boxes[mailboxIndex].key.kind == .user ? limits.userMessagesPerSecond : limits.channelMessagesPerSecond
        return boxes[mailboxIndex].pace.take(now: now, ratePerSecond: rate, burst: 2 * rate)
    }

    /// Gives a message its place in a mailbox that is there.
    mutating func append(_ publish: Publish, at mailboxIndex: Int, now: Moment) -> StoredMessage {
        touch(mailboxIndex, now: now.monotonic)
        let sequence = boxes[mailboxIndex].appended + 1
        let envelope = Envelope.encode(
            publish.key, sequence: sequence, incarnation: boxes[mailboxIndex].incarnation, id: publish.id, at: now.wall, data: publish.data)
        let expiresAt = publish.timeToLiveSeconds.map { now.monotonic + Int64($0) * 1_000 } ?? .max
        let message = StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt, publishedAt: publish.publishedAt, id: publish.id)
        keep(message, at: mailboxIndex, now: now.monotonic)
        shed(now: now.monotonic)
        return message
    }

    /// Puts a message at the end of a history.
    private mutating func keep(_ message: StoredMessage, at mailboxIndex: Int, now: Int64) {
        boxes[mailboxIndex].appended = message.sequence
        let kept = message.kept(now: now)
        boxes[mailboxIndex].history.append(kept)
        boxes[mailboxIndex].historyBytes += kept.envelope.count
        historyBytes += kept.envelope.count
        while boxes[mailboxIndex].isOver(limits) { historyBytes -= boxes[mailboxIndex].dropOldest(now: now) }
    }

    /// Does to a copy what the owner did to its own.
    mutating func apply(_ entry: SlotEntry, now: Int64) {
        switch entry {
        case .nothing: break
        case .created(let key, let incarnation): _ = open(key, incarnation: incarnation, now: now)
        case .seen(let key, let wall):
            guard let mailboxIndex = mailboxIndices[key] else { return }
            touch(mailboxIndex, now: now)
            boxes[mailboxIndex].lastSeen = wall
        case .message(let key, let incarnation, let message, let remembered):
            guard let mailboxIndex = open(key, incarnation: incarnation, now: now) else { return }
            touch(mailboxIndex, now: now)
            // Forgotten here, but not where it is owned: what came before is missing.
            if boxes[mailboxIndex].appended + 1 != message.sequence {
                historyBytes -= boxes[mailboxIndex].clear(through: message.sequence - 1, now: now)
            }
            keep(message, at: mailboxIndex, now: now)
            if let remembered { window.remember(remembered, to: key.hash) }
            shed(now: now)
        }
    }

    /// The mailbox of this incarnation, in place of any other one.
    private mutating func open(_ key: Key, incarnation: UInt64, now: Int64) -> Int? {
        if let mailboxIndex = mailboxIndices[key], boxes[mailboxIndex].incarnation != incarnation { remove(mailboxIndex) }
        return mailboxIndex(creating: key, fresh: incarnation, now: now)
    }

    // MARK: Attaching

    /// What there is after a place, as far as it may be shown.
    func read(_ request: AttachRequest, at mailboxIndex: Int, now: Int64) -> AttachReply {
        Self.read(boxes[mailboxIndex], from: request.start, stay: request.stay, now: now, bytesMax: limits.replayBytesMax)
    }

    /// Attaches an address to a mailbox; asking twice is harmless. False when there are too many already.
    mutating func attach(_ address: ReturnAddress, at mailboxIndex: Int) -> Bool {
        if boxes[mailboxIndex].attachments.contains(address) { return true }
        if boxes[mailboxIndex].attachments.count >= limits.attachmentsMax { return false }
        boxes[mailboxIndex].attachments.append(address)
        attachmentCount += 1
        return true
    }

    /// Ends an attachment; one that isn't there is no fault (it may have been ended from the other side).
    ///
    /// - Returns: whether it was the last one of a user.
    mutating func detach(_ address: ReturnAddress, from key: Key, now: Moment) -> Bool {
        guard let mailboxIndex = mailboxIndices[key], let found = boxes[mailboxIndex].attachments.firstIndex(of: address) else {
            return false
        }
        boxes[mailboxIndex].attachments.swapAt(found, boxes[mailboxIndex].attachments.count - 1)
        boxes[mailboxIndex].attachments.removeLast()
        attachmentCount -= 1
        return noteDeparture(at: mailboxIndex, now: now)
    }

    /// Ends every attachment of a link that has closed; returns the users who have no other.
    mutating func detachAll(connectionID: UInt32, now: Moment) -> [Key] {
        var departed: [Key] = []
        for mailboxIndex in boxes.indices where boxes[mailboxIndex].attachments.contains(where: { $0.connectionID == connectionID }) {
            let before = boxes[mailboxIndex].attachments.count
            boxes[mailboxIndex].attachments.removeAll { $0.connectionID == connectionID }
            attachmentCount -= before - boxes[mailboxIndex].attachments.count
            if noteDeparture(at: mailboxIndex, now: now) { departed.append(boxes[mailboxIndex].key) }
        }
        return departed
    }

    private mutating func noteDeparture(at mailboxIndex: Int, now: Moment) -> Bool {
        guard boxes[mailboxIndex].attachments.isEmpty, boxes[mailboxIndex].key.kind == .user else { return false }
        boxes[mailboxIndex].lastSeen = now.wall
        return true
    }

    private static func read(_ box: Mailbox, from start: AttachStart, stay: AttachRequest.Stay, now: Int64, bytesMax: Int) -> AttachReply {
        let (gap, from) = beginning(of: start, in: box)
        var through = from
        var messages: [StoredMessage] = []
        var bytes = 0
        var mailboxIndex = box.firstIndex(after: from)
        while mailboxIndex < box.history.count, box.history[mailboxIndex].sequence <= box.committed {
            let message = box.history[mailboxIndex]
            // What is past its time to live is skipped without a word.
            if message.expiresAt > now {
                // One message always fits, or a large one could never be replayed.
                if !messages.isEmpty, bytes + message.envelope.count > bytesMax { break }
                messages.append(message)
                bytes += message.envelope.count
            }
            through = message.sequence
            mailboxIndex += 1
        }
        let hasMore = mailboxIndex < box.history.count && box.history[mailboxIndex].sequence <= box.committed
        if !hasMore { through = max(through, box.committed) }
        let goesLive = !hasMore && (stay == .always || (stay == .ifEmpty && messages.isEmpty && !gap))
        return AttachReply(
            incarnation: box.incarnation, gap: gap, from: from, through: through, messages: messages, isLive: goesLive,
            hasMore: hasMore)
    }

    private static func beginning(of start: AttachStart, in box: Mailbox) -> (gap: Bool, from: UInt64) {
        switch start {
        case .now: return (false, box.committed)
        case .earliest: return (false, min(box.resumableFrom, box.committed))
        case .after(let cursor):
            // Another incarnation: nothing of this one has been seen.
            if cursor.incarnation != box.incarnation { return (true, min(box.resumableFrom, box.committed)) }
            // Ahead of the owner: somebody's mistake; what is here has been seen.
            if cursor.sequence > box.committed { return (true, box.committed) }
            if cursor.sequence < box.resumableFrom { return (true, min(box.resumableFrom, box.committed)) }
            return (false, cursor.sequence)
        }
    }

    /// What `locate` shows of a key, without touching it.
    func summary(of key: Key) -> MailboxSummary? {
        guard let mailboxIndex = mailboxIndices[key] else { return nil }
        let box = boxes[mailboxIndex]
        return MailboxSummary(
            cursor: Cursor(incarnation: box.incarnation, sequence: box.committed), historyMessages: box.history.count,
            historyBytes: box.historyBytes, attachments: box.attachments, lastSeen: box.lastSeen)
    }
}

/// A mailbox as operators see it.
public struct MailboxSummary: Sendable {
    /// Where the mailbox stands.
    public let cursor: Cursor
    /// Messages kept.
    public let historyMessages: Int
    /// Bytes of envelopes kept.
    public let historyBytes: Int
    /// Who is attached.
    public let attachments: [ReturnAddress]
    /// When a socket of the user was last there, in milliseconds since 1970; 0 for never.
    public let lastSeen: Int64
}
