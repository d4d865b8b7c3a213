// All mailboxes that one event loop owns: appends, commits, attaches, and forgets within its bounds. Pure: the shell
// brings the time and fresh random numbers, and performs the actions.
import HashRing

/// The owner's side of one event loop.
public struct MailboxStore {
    let limits: MailboxLimits
    let owner: String
    var places: [Key: Int] = [:]
    /// A slab: places stay, freed ones are used again.
    var boxes: [Mailbox] = []
    var free: [Int] = []
    /// The order of use, for eviction.
    var oldest = -1
    var newest = -1
    /// Everything older than this mailbox has lost its history already: where shedding goes on.
    var shedNext = -1
    private var window: IdempotencyWindow
    /// Bytes of envelopes in all histories.
    public internal(set) var historyBytes = 0
    /// Attachments to all mailboxes.
    public internal(set) var attachmentCount = 0
    /// Mailboxes that were forgotten because the store was full.
    public internal(set) var evictedCount: UInt64 = 0

    /// - Parameter owner: this node's id, for receipts.
    public init(owner: String, limits: MailboxLimits = MailboxLimits()) {
        self.owner = owner
        self.limits = limits
        window = IdempotencyWindow(entriesMax: limits.windowEntriesMax, milliseconds: limits.windowMilliseconds)
    }

    /// Keys that are remembered.
    public var mailboxCount: Int { places.count }
    /// Idempotency keys that are remembered.
    public var windowCount: Int { window.count }

    // MARK: Publishing

    /// Appends a message and, as there are no other copies to wait for yet, commits it.
    ///
    /// - Parameters:
    ///   - fresh: 64 random bits, used if the mailbox has to be created.
    ///   - actions: gets the deliveries, then the answer to `address`.
    /// - Returns: false when the publish was refused.
    @discardableResult
    public mutating func publish(
        _ publish: Publish, answerTo address: ReturnAddress, epoch: UInt64, now: Moment, fresh: UInt64, actions: inout [OwnerAction]
    ) -> Bool {
        if publish.isRepeatable {
            if let first = window.receipt(of: publish.id, to: publish.key.hash, now: now.monotonic) {
                actions.append(.answer(address, .success(first.asRepeated)))
                return true
            }
            if window.isFull {
                actions.append(.answer(address, .failure(.windowFull)))
                return false
            }
        }
        guard let place = place(creating: publish.key, fresh: fresh, now: now.monotonic) else {
            actions.append(.answer(address, .failure(.overloaded)))
            return false
        }
        let message = append(publish, at: place, now: now)
        let receipt = commit(message, of: publish, at: place, epoch: epoch, now: now.monotonic, actions: &actions)
        if publish.isRepeatable { window.remember(receipt, to: publish.key.hash, now: now.monotonic) }
        actions.append(.answer(address, .success(receipt)))
        shed(now: now.monotonic)
        return true
    }

    private mutating func append(_ publish: Publish, at place: Int, now: Moment) -> StoredMessage {
        touch(place, now: now.monotonic)
        boxes[place].appended += 1
        let envelope = Envelope.encode(
            sequence: boxes[place].appended, incarnation: boxes[place].incarnation, id: publish.id, at: now.wall, data: publish.data)
        let expiresAt = publish.timeToLiveSeconds.map { now.monotonic + Int64($0) * 1_000 } ?? .max
        return StoredMessage(
            sequence: boxes[place].appended, envelope: envelope, expiresAt: expiresAt, publishedAt: publish.publishedAt)
    }

    private mutating func commit(
        _ message: StoredMessage, of publish: Publish, at place: Int, epoch: UInt64, now: Int64, actions: inout [OwnerAction]
    ) -> Receipt {
        boxes[place].committed = message.sequence
        let incarnation = boxes[place].incarnation
        for address in boxes[place].attachments { actions.append(.deliver(address, incarnation: incarnation, message)) }
        let isAttached = !boxes[place].attachments.isEmpty
        let isKept = message.expiresAt > now
        if isKept {
            boxes[place].history.append(message)
            boxes[place].historyBytes += message.envelope.count
            historyBytes += message.envelope.count
            while boxes[place].isOver(limits) { historyBytes -= boxes[place].dropOldest(now: now) }
        }
        return Receipt(
            sequence: message.sequence, epoch: epoch, owner: owner, outcome: isAttached ? .delivered : isKept ? .stored : .dropped,
            mirrored: false,
            id: publish.id)
    }

    // MARK: Attaching

    /// Answers an edge's question; attaches the address if it wants to stay and has caught up. Asking twice is harmless.
    public mutating func attach(_ request: AttachRequest, now: Moment, fresh: UInt64) -> Result<AttachReply, Problem> {
        guard let place = place(creating: request.key, fresh: fresh, now: now.monotonic) else { return .failure(.overloaded) }
        touch(place, now: now.monotonic)
        let reply = Self.read(boxes[place], from: request.start, stay: request.stay, now: now.monotonic, bytesMax: limits.replayBytesMax)
        if reply.isLive, !boxes[place].attachments.contains(request.address) {
            if boxes[place].attachments.count >= limits.attachmentsMax { return .failure(.overloaded) }
            boxes[place].attachments.append(request.address)
            attachmentCount += 1
        }
        return .success(reply)
    }

    /// Ends an attachment; one that isn't there is no fault (it may have been ended from the other side).
    public mutating func detach(_ address: ReturnAddress, from key: Key) {
        guard let place = places[key], let found = boxes[place].attachments.firstIndex(of: address) else { return }
        boxes[place].attachments.swapAt(found, boxes[place].attachments.count - 1)
        boxes[place].attachments.removeLast()
        attachmentCount -= 1
    }

    /// Ends every attachment of a link that has closed.
    public mutating func detachAll(channel: UInt32) {
        for place in boxes.indices where boxes[place].attachments.contains(where: { $0.channel == channel }) {
            let before = boxes[place].attachments.count
            boxes[place].attachments.removeAll { $0.channel == channel }
            attachmentCount -= before - boxes[place].attachments.count
        }
    }

    private static func read(_ box: Mailbox, from start: AttachStart, stay: AttachRequest.Stay, now: Int64, bytesMax: Int) -> AttachReply {
        let (gap, from) = beginning(of: start, in: box)
        var through = from
        var messages: [StoredMessage] = []
        var bytes = 0
        var place = box.firstPlace(after: from)
        while place < box.history.count {
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
        let hasMore = place < box.history.count
        if !hasMore { through = max(through, box.committed) }
        let goesLive = !hasMore && (stay == .always || (stay == .ifEmpty && messages.isEmpty && !gap))
        return AttachReply(
            incarnation: box.incarnation, gap: gap, from: from, through: through, messages: messages, isLive: goesLive,
            hasMore: hasMore)
    }

    private static func beginning(of start: AttachStart, in box: Mailbox) -> (gap: Bool, from: UInt64) {
        switch start {
        case .now: return (false, box.committed)
        case .earliest: return (false, box.resumableFrom)
        case .after(let cursor):
            // Another incarnation: nothing of this one has been seen.
            if cursor.incarnation != box.incarnation { return (true, box.resumableFrom) }
            // Ahead of the owner: somebody's mistake; what is here has been seen.
            if cursor.sequence > box.committed { return (true, box.committed) }
            if cursor.sequence < box.resumableFrom { return (true, box.resumableFrom) }
            return (false, cursor.sequence)
        }
    }

    // MARK: Ownership

    /// Gives up every mailbox whose slot has changed hands, and tells its edges.
    public mutating func keepOnly(slots isOwned: (Int) -> Bool, actions: inout [OwnerAction]) {
        var place = oldest
        while place >= 0 {
            let newer = boxes[place].newer
            if !isOwned(boxes[place].key.slot) {
                for address in boxes[place].attachments { actions.append(.detached(address)) }
                remove(place)
            }
            place = newer
        }
        window.forget { !isOwned($0) }
    }

    /// What `locate` shows of a key, without touching it.
    public func summary(of key: Key) -> MailboxSummary? {
        guard let place = places[key] else { return nil }
        let box = boxes[place]
        return MailboxSummary(
            cursor: Cursor(incarnation: box.incarnation, sequence: box.committed), historyMessages: box.history.count,
            historyBytes: box.historyBytes, attachments: box.attachments)
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
}
