// All mailboxes of one shard's slots, its own and those that it holds copies of: sequence numbers, history, attachments, receipts for
// repeats, all of it bounded. Only `SlotLog` writes here; when a message may be shown is decided there too.
import HashRing

/// The mailboxes of one shard.
struct MailboxStore {
    let limits: MailboxLimits
    /// To look into; only the functions of this type change it.
    var mailboxes: MailboxTable
    /// What is here of each namespace, by its number less 1.
    var uses: [NamespaceUse]
    /// The last namespace whose old messages were looked for.
    var nextToAge = 0
    /// The place in the table where the search for old messages goes on.
    var nextToLookAt = 0
    private var window: IdempotencyWindow
    private var origins: Origins
    /// What has changed, for the node's store; `nil` where there is none.
    var journal: SlotJournal?
    /// Which histories give when memory runs short.
    var trimming: HistoryTrim
    /// Bytes of envelopes that memory holds of all histories.
    var historyBytes = 0
    /// What only the node's store has of them.
    var older = OlderHistories()
    /// Bytes of envelopes that this store's share of the node's store may keep.
    let storedBytesMax: Int
    /// Attachments to all mailboxes.
    var attachmentCount = 0
    /// Mailboxes that were forgotten because the store was full.
    private(set) var evictedCount: UInt64 = 0
    /// No forgotten mailbox was used later than this. A message that was sent after it is in no forgotten mailbox.
    private(set) var evictedThrough = Int64.min

    /// - Parameter shardCount: the store has every slot that one of so many shards has.
    init(shardCount: Int = 1, limits: MailboxLimits = MailboxLimits()) {
        self.limits = limits
        storedBytesMax = limits.storedBytesMax / shardCount
        mailboxes = MailboxTable(shardCount: shardCount)
        origins = Origins(shardCount: shardCount)
        uses = limits.namespaces.all.map { NamespaceUse($0, limits: limits, shardCount: shardCount) }
        trimming = HistoryTrim(bytesMax: limits.historyBytesMax)
        window = IdempotencyWindow(
            entriesMax: limits.windowEntriesMax, milliseconds: limits.windowMilliseconds, waitMilliseconds: limits.windowWaitMilliseconds,
            shardCount: shardCount)
    }

    // MARK: Looking up

    /// Keys that are remembered.
    var mailboxCount: Int { mailboxes.count }

    /// Where a key's mailbox is; `nil` when there is none. Valid until the next mailbox is created or removed.
    func mailboxIndex(of key: Key) -> Int? { mailboxes.index(of: key) }
    /// The incarnation of a mailbox that begins now, or would begin.
    func incarnation(ofNew key: Key) -> UInt64 { origins.incarnation(of: key) }
    func incarnation(at mailboxIndex: Int) -> UInt64 { mailboxes.all[mailboxIndex].incarnation }
    func attachments(at mailboxIndex: Int) -> [ReturnAddress] { mailboxes.all[mailboxIndex].attachments }
    func isAttached(at mailboxIndex: Int) -> Bool { !mailboxes.all[mailboxIndex].attachments.isEmpty }
    func lastSeen(at mailboxIndex: Int) -> Int64 { mailboxes.all[mailboxIndex].lastSeen }
    /// The last sequence number given.
    func end(at mailboxIndex: Int) -> UInt64 { mailboxes.all[mailboxIndex].appended }
    /// The sequence number of a publish that is still in the history.
    func sequence(of id: MessageID, at mailboxIndex: Int) -> UInt64? { mailboxes.all[mailboxIndex].sequence(of: id) }
    /// The latest time at which a message can have come that is not in the history any more.
    func lostThrough(at mailboxIndex: Int?) -> Int64 { mailboxIndex.map { mailboxes.all[$0].lostThrough } ?? evictedThrough }

    // MARK: Receipts for repeats

    /// Idempotency keys that are remembered.
    var windowCount: Int { window.count }
    /// Whether one more idempotency key of a principal may be remembered; a key that need not be only while there is room for all.
    func windowHasRoom(for publish: Publish) -> Bool {
        window.hasRoom(for: publish.principal) && (!publish.isForgettable || window.hasRoomForAll)
    }

    /// The receipt of a publish that was appended before. It says that it was given to an earlier one, unless this is that very one, sent again
    /// because nobody knows what became of it.
    mutating func receipt(of publish: Publish, now: Int64) -> Receipt? {
        guard let first = window.first(of: publish.id, to: publish.key.hash, age: publish.ageMax(now: now), now: now) else { return nil }
        let isSame = publish.mayBeRepeat && (publish.isForgettable || first.publishedAt == publish.publishedAt)
        return isSame ? first.receipt : first.receipt.asRepeated
    }

    /// See ``IdempotencyWindow/outcome(of:to:)``.
    func outcome(of id: MessageID, to key: KeyHash) -> Receipt.Outcome? { window.outcome(of: id, to: key) }

    /// - Returns: the receipt with the time until which it is remembered.
    mutating func remember(_ receipt: Receipt, of publish: Publish, now: Int64) -> Remembered {
        let remembered = Remembered(
            receipt: receipt, until: window.end(ofReceiptAt: now), principal: publish.principal, publishedAt: publish.publishedAt)
        window.remember(remembered, to: publish.key.hash)
        return remembered
    }

    /// Replaces a receipt that is remembered already.
    mutating func correct(_ remembered: Remembered, to key: KeyHash) { window.remember(remembered, to: key) }

    mutating func expireWindow(now: Int64) { window.expire(now) }

    // MARK: The log

    /// Counts one more message against a mailbox's rate; false when it has come too fast.
    mutating func admitMessage(at mailboxIndex: Int, now: Int64) -> Bool {
        let namespace = Int(mailboxes.all[mailboxIndex].namespace)
        let rate =
            namespace > 0
            ? uses[namespace - 1].messagesPerSecond
            : mailboxes.all[mailboxIndex].key.kind == .user ? limits.userMessagesPerSecond : limits.channelMessagesPerSecond
        return mailboxes.all[mailboxIndex].pace.take(now: now, ratePerSecond: rate, burst: 2 * rate)
    }

    /// Gives a message the next sequence number of its mailbox and keeps it.
    mutating func append(_ publish: Publish, at mailboxIndex: Int, now: Moment) -> StoredMessage {
        mailboxes.touch(mailboxIndex, now: now.monotonic)
        let sequence = mailboxes.all[mailboxIndex].appended + 1
        let envelope = Envelope.encode(
            publish.key, sequence: sequence, incarnation: mailboxes.all[mailboxIndex].incarnation, id: publish.id, at: now.wall,
            from: publish.from, data: publish.data)
        let expiresAt = publish.timeToLiveSeconds.map { now.monotonic + Int64($0) * 1_000 } ?? .max
        let message = StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt, publishedAt: publish.publishedAt, id: publish.id)
        keep(message, at: mailboxIndex, now: now.monotonic)
        shed(now: now.monotonic)
        return message
    }

    /// Puts a message at the end of a history.
    private mutating func keep(_ message: StoredMessage, at mailboxIndex: Int, now: Int64) {
        setEnd(message.sequence, at: mailboxIndex, now: now)
        let kept = message.kept(now: now)
        mailboxes.all[mailboxIndex].history.append(kept)
        mailboxes.all[mailboxIndex].historyBytes += kept.envelope.count
        count(bytes: kept.envelope.count, at: mailboxIndex)
        let namespace = Int(mailboxes.all[mailboxIndex].namespace)
        bound(at: mailboxIndex, now: now)
        if namespace > 0 || limits.historyMilliseconds != nil { letGo(at: mailboxIndex, now: now) }
        if namespace == 0 { return }
        shed(inNamespaceOf: mailboxIndex, now: now)
    }

    /// Applies a step of an owner's log to this copy; false if it is a message for which there is no room.
    @discardableResult
    mutating func apply(_ entry: SlotEntry, now: Int64) -> Bool {
        switch entry {
        case .nothing: break
        case .created(let key, let incarnation):
            replaceOther(key, incarnation: incarnation, nextSequence: .max)
            _ = mailboxIndex(listening: key, fresh: incarnation, now: now)
        case .belongs(let key, let principal):
            if let mailboxIndex = mailboxes.index(of: key), mailboxes.all[mailboxIndex].isWritten {
                mailboxes.give(mailboxIndex, to: principal)
            }
        case .seen(let key, let wall):
            guard let mailboxIndex = mailboxes.index(of: key) else { return true }
            mailboxes.touch(mailboxIndex, now: now)
            mailboxes.all[mailboxIndex].lastSeen = wall
        case .message(let key, let incarnation, let message, let remembered):
            replaceOther(key, incarnation: incarnation, nextSequence: message.sequence)
            guard let mailboxIndex = mailboxIndex(writing: key, fresh: incarnation, by: .unnamed, now: now) else {
                miss(key, incarnation)
                return false
            }
            mailboxes.touch(mailboxIndex, now: now)
            // The mailbox was forgotten here but not by its owner: the messages before this one are missing.
            if mailboxes.all[mailboxIndex].appended + 1 != message.sequence {
                setEnd(message.sequence - 1, at: mailboxIndex, now: now)
                let bytes = mailboxes.all[mailboxIndex].clear(through: message.sequence - 1, now: now)
                count(bytes: -bytes, at: mailboxIndex)
                forgetOlder(at: mailboxIndex)
                journal?.trim(mailboxIndex)
            }
            keep(message, at: mailboxIndex, now: now)
            if let remembered { window.remember(remembered.of(message), to: key.hash) }
            shed(now: now)
        }
        return true
    }

    /// There is no room for a mailbox that its owner has. The name must begin anew here: under the same incarnation, what is missing would be
    /// passed over without a gap.
    private mutating func miss(_ key: Key, _ incarnation: UInt64) {
        if let mailboxIndex = mailboxes.index(of: key) { remove(mailboxIndex) }
        origins.forget(incarnation, of: key)
        journal?.add(.forget(key), slot: key.slot)
    }

    /// The mailbox of this incarnation comes in place of any other one, and of one that is further than it can be.
    private mutating func replaceOther(_ key: Key, incarnation: UInt64, nextSequence: UInt64) {
        guard let mailboxIndex = mailboxes.index(of: key) else { return }
        let mailbox = mailboxes.all[mailboxIndex]
        if mailbox.incarnation != incarnation || mailbox.appended >= nextSequence { remove(mailboxIndex) }
    }

    /// See ``Origins/begin(slot:term:boot:)``.
    mutating func beginOrigin(slot: Int, term: UInt64, boot: UInt64) { origins.begin(slot: slot, term: term, boot: boot) }

    /// Commits up to a sequence number: sockets, replays and polls may be shown so much.
    mutating func commit(_ sequence: UInt64, at mailboxIndex: Int) { mailboxes.all[mailboxIndex].committed = sequence }

    mutating func touch(_ mailboxIndex: Int, now: Int64) { mailboxes.touch(mailboxIndex, now: now) }

    /// What `locate` shows of a key, without touching it.
    func summary(of key: Key) -> MailboxSummary? {
        guard let mailboxIndex = mailboxes.index(of: key) else { return nil }
        let mailbox = mailboxes.all[mailboxIndex]
        return MailboxSummary(
            cursor: Cursor(incarnation: mailbox.incarnation, sequence: mailbox.committed),
            historyMessages: mailbox.history.count + (older[mailboxIndex]?.count ?? 0),
            historyBytes: mailbox.historyBytes + (older[mailboxIndex]?.bytes ?? 0), attachments: mailbox.attachments,
            lastSeen: mailbox.lastSeen)
    }

    // MARK: Bounds

    /// See ``MailboxTable/claim(_:by:)``.
    mutating func claim(_ mailboxIndex: Int, by principal: Principal) -> Bool { mailboxes.claim(mailboxIndex, by: principal) }

    /// Where a message goes.
    enum Place {
        case mailbox(Int)
        /// It would be a new name, and its publisher has as many as it may.
        case tooManyNames
        /// Its namespace is full, or the store is and every mailbox has attachments.
        case full
    }

    /// Finds the mailbox of a message that this node is the first to keep, or creates it.
    mutating func place(of publish: Publish, now: Int64) -> Place {
        let known = mailboxes.index(of: publish.key)
        if let known, mailboxes.all[known].isWritten { return .mailbox(known) }
        guard publish.principal.isUnnamed || mailboxes.mayTakeName(publish.principal, limits: limits) else { return .tooManyNames }
        return mailboxIndex(writing: publish.key, known: known, fresh: nil, by: publish.principal, now: now).map(Place.mailbox) ?? .full
    }

    /// Finds a mailbox for a message that another owner has kept, or creates it; `nil` when the store is full and every mailbox has
    /// attachments.
    ///
    /// - Parameter fresh: the incarnation that the other owner gave it: a copy is kept as that one says, whatever the namespace's quota.
    mutating func mailboxIndex(writing key: Key, fresh: UInt64, by principal: Principal, now: Int64) -> Int? {
        let known = mailboxes.index(of: key)
        if let known, mailboxes.all[known].isWritten { return known }
        return mailboxIndex(writing: key, known: known, fresh: fresh, by: principal, now: now)
    }

    /// - Parameter known: where the name is that nobody has written to yet.
    private mutating func mailboxIndex(writing key: Key, known: Int?, fresh: UInt64?, by principal: Principal, now: Int64) -> Int? {
        if known == nil, fresh == nil, !makeRoom(for: key, now: now) { return nil }
        if mailboxes.writtenCount >= limits.mailboxesMax {
            guard let victim = mailboxes.victim(for: principal, mailboxesMax: limits.mailboxesMax) else { return nil }
            evictedThrough = max(evictedThrough, mailboxes.all[victim].lastUsed)
            remove(victim)
            evictedCount += 1
        }
        return known ?? create(key, fresh, now: now)
    }

    mutating func create(_ key: Key, _ fresh: UInt64?, now: Int64) -> Int {
        var mailbox = Mailbox(key: key, incarnation: fresh ?? incarnation(ofNew: key))
        // It may have been here before, and its messages of that time are lost.
        mailbox.lostThrough = evictedThrough
        mailbox.lastUsed = now
        mailbox.namespace = UInt16(truncatingIfNeeded: limits.namespaces.number(of: key))
        let mailboxIndex = mailboxes.insert(mailbox)
        if mailbox.namespace > 0 { uses[Int(mailbox.namespace) - 1].insert() }
        return mailboxIndex
    }

    /// Forgets a mailbox with all it holds.
    mutating func remove(_ mailboxIndex: Int) {
        let key = mailboxes.all[mailboxIndex].key
        // Of a channel that nobody has written to the store knows nothing.
        if journal != nil, key.kind == .user || mailboxes.all[mailboxIndex].isWritten { journal?.add(.forget(key), slot: key.slot) }
        takeOut(mailboxIndex)
    }

    private mutating func takeOut(_ mailboxIndex: Int) {
        journal?.remove(mailboxIndex)
        if mailboxes.all[mailboxIndex].isWritten {
            origins.forget(mailboxes.all[mailboxIndex].incarnation, of: mailboxes.all[mailboxIndex].key)
        }
        count(bytes: -mailboxes.all[mailboxIndex].historyBytes, at: mailboxIndex)
        forgetOlder(at: mailboxIndex)
        let namespace = Int(mailboxes.all[mailboxIndex].namespace)
        if namespace > 0 { uses[namespace - 1].remove() }
        attachmentCount -= mailboxes.all[mailboxIndex].attachments.count
        mailboxes.remove(mailboxIndex)
    }

    /// Forgets mailboxes that nobody has used for long; at most `limit` in one go, so that no tick takes long.
    mutating func forgetIdle(now: Int64, limit: Int = 256) {
        var looked = 0
        // Where messages are kept in a store for longer than that, so is their mailbox.
        let idle = journal == nil ? limits.idleMilliseconds : max(limits.idleMilliseconds, limits.historyMilliseconds ?? 0)
        while looked < limit, let oldest = mailboxes.oldestWritten, mailboxes.all[oldest].lastUsed + idle <= now {
            looked += 1
            if mailboxes.all[oldest].attachments.isEmpty { remove(oldest) } else { mailboxes.touch(oldest, now: now) }
        }
        while looked < limit, let oldest = mailboxes.oldestDeparted, mailboxes.all[oldest].lastUsed + limits.idleMilliseconds <= now {
            looked += 1
            remove(oldest)
        }
    }

    // MARK: Slots

    /// See ``Origins``.
    func origin(ofSlot slot: Int) -> UInt64 { origins[slot] }
    /// The slot's log is not begun here but goes on from a store's.
    mutating func setOrigin(_ origin: UInt64, ofSlot slot: Int) { origins[slot] = origin }

    /// Forgets a slot's mailboxes and receipts. That is no change of its own: what comes in their place is one.
    mutating func drop(slot: Int) {
        if mailboxes.first(inSlot: slot) != nil { for mailboxIndex in mailboxes.indices(inSlot: slot) { takeOut(mailboxIndex) } }
        window.forget(slot: slot)
    }

    /// Commits everything that a slot's mailboxes hold.
    mutating func commitAll(slot: Int) {
        var next = mailboxes.first(inSlot: slot)
        while let mailboxIndex = next {
            mailboxes.all[mailboxIndex].committed = mailboxes.all[mailboxIndex].appended
            next = mailboxes.next(inSlotAfter: mailboxIndex)
        }
    }

    /// A slot's copy in chunks of about `bytesMax` bytes, at least one.
    func chunks(
        ofSlot slot: Int, base: UInt64, position: UInt64, set: LineageSet = LineageSet(), now: Int64, bytesMax: Int
    ) -> [SnapshotChunk] {
        var packer = SnapshotPacker(bytesMax: bytesMax)
        // The one used last comes last, so that the order of use travels too.
        for mailboxIndex in mailboxes.indices(inSlot: slot).sorted(by: {
            (mailboxes.all[$0].lastUsed, $0) < (mailboxes.all[$1].lastUsed, $1)
        }) {
            let mailbox = mailboxes.all[mailboxIndex]
            if !mailbox.isWritten, mailbox.key.kind == .channel { continue }
            let lostAgo = mailbox.lostThrough == .min ? Int64.max : max(0, now - mailbox.lostThrough)
            packer.add(
                .mailbox(
                    MailboxHead(
                        key: mailbox.key, incarnation: mailbox.incarnation, appended: mailbox.appended,
                        // A copy brings what memory has.
                        resumableFrom: max(mailbox.resumableFrom, older[mailboxIndex]?.end ?? 0),
                        lostAgo: lostAgo, lastSeen: mailbox.lastSeen, principal: mailbox.principal)))
            for message in mailbox.history { packer.add(.message(message.shifted(by: -now))) }
        }
        for (key, remembered) in window.entries(ofSlot: slot, now: now) { packer.add(.remembered(key, remembered.shifted(by: -now))) }
        return packer.chunks(base: base, position: position, set: set, origin: origins[slot])
    }

    /// Replaces all that is here of a slot by another node's copy.
    ///
    /// - Parameter kept: what lies in the store of its mailboxes' histories.
    mutating func replace(slot: Int, with chunks: [SnapshotChunk], keeping kept: [Key: KeptHistory] = [:], now: Int64) {
        drop(slot: slot)
        origins[slot] = chunks.first?.origin ?? 0
        var current = -1
        for item in chunks.lazy.flatMap(\.items) {
            switch item {
            case .mailbox(let head):
                boundCopy(at: current, now: now)
                current = receive(head, now: now) ?? -1
                guard current >= 0 else { continue }
                mailboxes.all[current].resumableFrom = head.resumableFrom
                if !kept.isEmpty, let kept = kept[head.key] { keep(kept, at: current) }
                mailboxes.all[current].lastSeen = head.lastSeen
                mailboxes.all[current].lostThrough = head.lostAgo == .max ? .min : now - head.lostAgo
            case .message(let message):
                guard current >= 0, mailboxes.all[current].isWritten else { continue }
                let message = message.shifted(by: now)
                mailboxes.all[current].history.append(message)
                mailboxes.all[current].historyBytes += message.envelope.count
                count(bytes: message.envelope.count, at: current)
                shed(inNamespaceOf: current, now: now)
            case .remembered(let key, let remembered): window.remember(remembered.shifted(by: now), to: key)
            }
        }
        boundCopy(at: current, now: now)
        shed(now: now)
    }

    private mutating func receive(_ head: MailboxHead, now: Int64) -> Int? {
        guard head.appended > 0 else { return mailboxIndex(listening: head.key, fresh: head.incarnation, now: now) }
        guard let mailboxIndex = mailboxIndex(writing: head.key, fresh: head.incarnation, by: head.principal, now: now) else {
            miss(head.key, head.incarnation)
            return nil
        }
        setEnd(head.appended, at: mailboxIndex, now: now)
        mailboxes.give(mailboxIndex, to: head.principal)
        return mailboxIndex
    }
}
