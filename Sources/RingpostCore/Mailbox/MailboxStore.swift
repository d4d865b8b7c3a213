// All mailboxes of one event loop's slots, its own and those that it holds copies of: places in the order, history,
// attachments, receipts for repeats, all of it bounded. What may be shown when is decided by the slot's keeper.
import HashRing

/// The mailboxes of one event loop.
struct MailboxStore {
    let limits: MailboxLimits
    let loopCount: Int
    var places: [Key: Int] = [:]
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

    /// - Parameter loopCount: the store has every slot that one of so many loops has.
    init(loopCount: Int = 1, limits: MailboxLimits = MailboxLimits()) {
        self.loopCount = loopCount
        self.limits = limits
        heads = Array(repeating: -1, count: (HashRing.slotCount + loopCount - 1) / loopCount)
        window = IdempotencyWindow(
            entriesMax: limits.windowEntriesMax, milliseconds: limits.windowMilliseconds, loopCount: loopCount)
    }

    /// Keys that are remembered.
    var mailboxCount: Int { places.count }
    /// Idempotency keys that are remembered.
    var windowCount: Int { window.count }

    // MARK: The log

    /// Whether a mailbox takes one more message now: how often it may is bounded.
    mutating func takes(at place: Int, now: Int64) -> Bool {
        let rate = boxes[place].key.kind == .user ? limits.userMessagesPerSecond : limits.channelMessagesPerSecond
        return boxes[place].pace.take(now: now, ratePerSecond: rate, burst: 2 * rate)
    }

    /// Gives a message its place in a mailbox that is there.
    mutating func append(_ publish: Publish, at place: Int, now: Moment) -> StoredMessage {
        touch(place, now: now.monotonic)
        let sequence = boxes[place].appended + 1
        let envelope = Envelope.encode(
            publish.key, sequence: sequence, incarnation: boxes[place].incarnation, id: publish.id, at: now.wall, data: publish.data)
        let expiresAt = publish.timeToLiveSeconds.map { now.monotonic + Int64($0) * 1_000 } ?? .max
        let message = StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt, publishedAt: publish.publishedAt, id: publish.id)
        keep(message, at: place, now: now.monotonic)
        shed(now: now.monotonic)
        return message
    }

    /// Puts a message at the end of a history.
    private mutating func keep(_ message: StoredMessage, at place: Int, now: Int64) {
        boxes[place].appended = message.sequence
        let kept = message.kept(now: now)
        boxes[place].history.append(kept)
        boxes[place].historyBytes += kept.envelope.count
        historyBytes += kept.envelope.count
        while boxes[place].isOver(limits) { historyBytes -= boxes[place].dropOldest(now: now) }
    }

    /// Does to a copy what the owner did to its own.
    mutating func apply(_ entry: SlotEntry, now: Int64) {
        switch entry {
        case .nothing: break
        case .created(let key, let incarnation): _ = open(key, incarnation: incarnation, now: now)
        case .seen(let key, let wall):
            guard let place = places[key] else { return }
            touch(place, now: now)
            boxes[place].lastSeen = wall
        case .message(let key, let incarnation, let message, let remembered):
            guard let place = open(key, incarnation: incarnation, now: now) else { return }
            touch(place, now: now)
            // Forgotten here, but not where it is owned: what came before is missing.
            if boxes[place].appended + 1 != message.sequence {
                historyBytes -= boxes[place].clear(through: message.sequence - 1, now: now)
            }
            keep(message, at: place, now: now)
            if let remembered { window.remember(remembered, to: key.hash) }
            shed(now: now)
        }
    }

    /// The mailbox of this incarnation, in place of any other one.
    private mutating func open(_ key: Key, incarnation: UInt64, now: Int64) -> Int? {
        if let place = places[key], boxes[place].incarnation != incarnation { remove(place) }
        return place(creating: key, fresh: incarnation, now: now)
    }

    // MARK: Attaching

    /// What there is after a place, as far as it may be shown.
    func read(_ request: AttachRequest, at place: Int, now: Int64) -> AttachReply {
        Self.read(boxes[place], from: request.start, stay: request.stay, now: now, bytesMax: limits.replayBytesMax)
    }

    /// Attaches an address to a mailbox; asking twice is harmless. False when there are too many already.
    mutating func attach(_ address: ReturnAddress, at place: Int) -> Bool {
        if boxes[place].attachments.contains(address) { return true }
        if boxes[place].attachments.count >= limits.attachmentsMax { return false }
        boxes[place].attachments.append(address)
        attachmentCount += 1
        return true
    }

    /// Ends an attachment; one that isn't there is no fault (it may have been ended from the other side).
    ///
    /// - Returns: whether it was the last one of a user.
    mutating func detach(_ address: ReturnAddress, from key: Key, now: Moment) -> Bool {
        guard let place = places[key], let found = boxes[place].attachments.firstIndex(of: address) else { return false }
        boxes[place].attachments.swapAt(found, boxes[place].attachments.count - 1)
        boxes[place].attachments.removeLast()
        attachmentCount -= 1
        return noteDeparture(at: place, now: now)
    }

    /// Ends every attachment of a link that has closed; returns the users who have no other.
    mutating func detachAll(channel: UInt32, now: Moment) -> [Key] {
        var departed: [Key] = []
        for place in boxes.indices where boxes[place].attachments.contains(where: { $0.channel == channel }) {
            let before = boxes[place].attachments.count
            boxes[place].attachments.removeAll { $0.channel == channel }
            attachmentCount -= before - boxes[place].attachments.count
            if noteDeparture(at: place, now: now) { departed.append(boxes[place].key) }
        }
        return departed
    }

    private mutating func noteDeparture(at place: Int, now: Moment) -> Bool {
        guard boxes[place].attachments.isEmpty, boxes[place].key.kind == .user else { return false }
        boxes[place].lastSeen = now.wall
        return true
    }

    private static func read(_ box: Mailbox, from start: AttachStart, stay: AttachRequest.Stay, now: Int64, bytesMax: Int) -> AttachReply {
        let (gap, from) = beginning(of: start, in: box)
        var through = from
        var messages: [StoredMessage] = []
        var bytes = 0
        var place = box.firstPlace(after: from)
        while place < box.history.count, box.history[place].sequence <= box.committed {
            let message = box.history[place]
            // What is past its time to live is skipped without a word.
            if message.expiresAt > now {
                // One message always fits, or a large one could never be replayed.
                if !messages.isEmpty, bytes + message.envelope.count > bytesMax { break }
                messages.append(message)
                bytes += message.envelope.count
            }
            through = message.sequence
            place += 1
        }
        let hasMore = place < box.history.count && box.history[place].sequence <= box.committed
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
        guard let place = places[key] else { return nil }
        let box = boxes[place]
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
