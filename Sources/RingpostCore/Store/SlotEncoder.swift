// Turns changes of slots into what is written under which key. A step is written once: a message goes straight to its place in its mailbox,
// and there is no log beside it. The store's write-ahead log is the log, and its tables are the mailboxes.
import HashRing

/// Takes what is to be written together.
public protocol StoreSink: ~Copyable {
    /// Sets a value.
    mutating func put(_ key: [UInt8], _ value: [UInt8], in table: StoreTable)
    /// Removes the keys from `first` on that come before `end`.
    mutating func remove(from first: [UInt8], upTo end: [UInt8], in table: StoreTable)
}

/// Encodes ticks, one after the other.
public struct SlotEncoder: Sendable {
    /// The store's time.
    public private(set) var clock: StoreClock
    /// Which slots have anything: what was never there need not be removed, and removed ranges make reading slower.
    private var present: [Bool]
    private var trims: PendingTrims
    // Used again and again.
    private var key: [UInt8] = []
    private var value: [UInt8] = []
    private var scratch: [UInt8] = []

    /// - Parameters:
    ///   - clock: goes on from what the store has.
    ///   - present: the slots that have a head.
    ///   - limits: how long receipts are remembered that lie in messages.
    public init(clock: StoreClock, present: some Sequence<Int>, limits: MailboxLimits = MailboxLimits()) {
        self.clock = clock
        trims = PendingTrims(milliseconds: limits.receiptMilliseconds)
        self.present = Array(repeating: false, count: HashRing.slotCount)
        for slot in present { self.present[slot] = true }
    }

    /// Histories whose lost messages still lie in the store.
    public var pendingTrimCount: Int { trims.count }

    /// Puts a tick's changes into the sink.
    public mutating func encode(_ tick: StoreTick, into sink: inout some StoreSink & ~Copyable) {
        clock.advance(to: tick.now)
        for write in tick.slots {
            for change in write.changes {
                encode(change, ofSlot: write.slot, into: &sink)
                // Not only after all of them: the next one may replace what this one has put there.
                present[write.slot] = true
            }
            value.removeAll(keepingCapacity: true)
            write.head.append(to: &value)
            sink.put(StoreKey.head(ofSlot: write.slot), value, in: .heads)
        }
    }

    /// Puts into the sink what every batch ends with: the clock, and messages whose receipts have had their time.
    public mutating func finish(into sink: inout some StoreSink & ~Copyable) {
        for (mailbox, through) in trims.takeDue(now: clock.now) {
            sink.remove(
                from: StoreKey.message(0, inMailbox: mailbox), upTo: StoreKey.message(after: through, inMailbox: mailbox), in: .contents)
        }
        Self.put(clock: clock.now, into: &sink)
    }

    /// Writes the store's time.
    public static func put(clock: Int64, into sink: inout some StoreSink & ~Copyable) {
        var value: [UInt8] = []
        value.append(signed: clock)
        sink.put(StoreKey.clock, value, in: .heads)
    }

    /// Reads the clock that ``put(clock:into:)`` wrote; `nil` where it is none.
    public static func clock(_ bytes: [UInt8]) -> Int64? {
        bytes.withUnsafeBytes {
            var reader = StoreReader($0)
            return reader.readSigned()
        }
    }

    private mutating func encode(_ change: SlotChange, ofSlot slot: Int, into sink: inout some StoreSink & ~Copyable) {
        switch change {
        case .step(let entry): encode(entry, into: &sink)
        case .copy(let chunks, let kept):
            drop(slot, keeping: kept, in: &sink)
            encode(chunks, keeping: kept, into: &sink)
        case .drop: drop(slot, in: &sink)
        case .trim(let key, let bounds):
            putBounds(bounds.stored(by: clock), end: 0, of: key, into: &sink)
            trims.add(StoreKey.mailbox(key), slot: slot, through: bounds.through, now: clock.now)
        case .forget(let key):
            let mailbox = StoreKey.mailbox(key)
            trims.remove(mailbox, slot: slot)
            sink.remove(from: mailbox, upTo: StoreKey.end(ofMailbox: mailbox), in: .contents)
        }
    }

    private mutating func drop(_ slot: Int, keeping kept: [Key: KeptHistory] = [:], in sink: inout some StoreSink & ~Copyable) {
        trims.removeAll(ofSlot: slot)
        guard present[slot] else { return }
        var next = StoreKey.slot(slot)
        let parts = kept.map { (mailbox: StoreKey.mailbox($0.key), history: $0.value) }
        for part in parts.sorted(by: { $0.mailbox.lexicographicallyPrecedes($1.mailbox) }) {
            sink.remove(from: next, upTo: StoreKey.message(after: part.history.after, inMailbox: part.mailbox), in: .contents)
            next = StoreKey.message(after: part.history.through, inMailbox: part.mailbox)
        }
        sink.remove(from: next, upTo: StoreKey.end(ofSlot: slot), in: .contents)
    }

    // MARK: Steps

    private mutating func encode(_ entry: SlotEntry, into sink: inout some StoreSink & ~Copyable) {
        switch entry {
        case .nothing: break
        case .created(let key, let incarnation): putCreated(incarnation, order: 0, of: key, into: &sink)
        case .belongs(let key, let principal): putPrincipal(principal, of: key, into: &sink)
        case .seen(let key, let wall): putSeen(wall, of: key, into: &sink)
        case .message(let key, let incarnation, let message, let remembered):
            // As a history keeps it: of one that was only for the sockets of its moment, the place and the id.
            put(
                message.kept(now: clock.monotonic).shifted(by: clock.offset), remembered?.shifted(by: clock.offset), of: key,
                incarnation: incarnation, into: &sink)
        }
    }

    private mutating func put(
        _ message: StoredMessage, _ remembered: Remembered?, of key: Key, incarnation: UInt64, into sink: inout some StoreSink & ~Copyable
    ) {
        begin(key)
        self.key.append(StoreKey.messages)
        self.key.append(word: message.sequence)
        StoredMessageForm.append(message, remembered, of: key, incarnation: incarnation, to: &value, scratch: &scratch)
        sink.put(self.key, value, in: .contents)
    }

    private mutating func putCreated(_ incarnation: UInt64, order: Int, of key: Key, into sink: inout some StoreSink & ~Copyable) {
        begin(key)
        value.append(word: incarnation)
        value.append(signed: clock.now)
        value.append(number: UInt64(order))
        put(.created, into: &sink)
    }

    private mutating func putPrincipal(_ principal: Principal, of key: Key, into sink: inout some StoreSink & ~Copyable) {
        begin(key)
        value.append(word: principal.rawValue)
        put(.principal, into: &sink)
    }

    private mutating func putSeen(_ wall: Int64, of key: Key, into sink: inout some StoreSink & ~Copyable) {
        begin(key)
        value.append(signed: wall)
        value.append(signed: clock.now)
        put(.seen, into: &sink)
    }

    /// - Parameters:
    ///   - bounds: with the store's times.
    ///   - end: the last sequence number given, as far as no message in the history says it.
    private mutating func putBounds(
        _ bounds: MailboxBounds, end: UInt64, of key: Key, into sink: inout some StoreSink & ~Copyable
    ) {
        begin(key)
        value.append(number: bounds.through)
        value.append(number: bounds.resumableFrom)
        value.append(signed: bounds.lostThrough)
        value.append(number: max(end, bounds.through))
        put(.bounds, into: &sink)
    }

    private mutating func begin(_ key: Key) {
        self.key.removeAll(keepingCapacity: true)
        value.removeAll(keepingCapacity: true)
        StoreKey.appendMailbox(key, to: &self.key)
    }

    private mutating func put(_ part: StoreKey.Part, into sink: inout some StoreSink & ~Copyable) {
        key.append(part.rawValue)
        sink.put(key, value, in: .contents)
    }

    // MARK: Copies

    private mutating func encode(
        _ chunks: [SnapshotChunk], keeping kept: [Key: KeptHistory], into sink: inout some StoreSink & ~Copyable
    ) {
        let now = clock.now
        var head: MailboxHead?
        var order = 0
        for item in chunks.lazy.flatMap(\.items) {
            switch item {
            case .mailbox(let mailbox):
                head = mailbox
                order += 1
                put(mailbox, order: order, keeping: kept[mailbox.key], into: &sink)
            case .message(let message):
                guard let head else { continue }
                put(message.shifted(by: now), nil, of: head.key, incarnation: head.incarnation, into: &sink)
            case .remembered(let hash, let remembered):
                key.removeAll(keepingCapacity: true)
                value.removeAll(keepingCapacity: true)
                StoreKey.receipt(remembered.receipt.id, to: hash, into: &key)
                value.append(number: remembered.receipt.sequence)
                value.append(signed: remembered.publishedAt)
                StoredMessageForm.append(remembered.shifted(by: now), after: 0, to: &value)
                sink.put(key, value, in: .contents)
            }
        }
    }

    private mutating func put(
        _ head: MailboxHead, order: Int, keeping kept: KeptHistory?, into sink: inout some StoreSink & ~Copyable
    ) {
        putCreated(head.incarnation, order: order, of: head.key, into: &sink)
        if !head.principal.isUnnamed { putPrincipal(head.principal, of: head.key, into: &sink) }
        if head.lastSeen != 0 { putSeen(head.lastSeen, of: head.key, into: &sink) }
        if head.appended == 0 { return }
        let lostThrough = head.lostAgo == .max ? Int64.min : clock.now &- head.lostAgo
        // Whatever comes with the copy, or was kept, is its history: nothing lies here that is not.
        putBounds(
            MailboxBounds(through: 0, resumableFrom: kept?.resumableFrom ?? head.resumableFrom, lostThrough: lostThrough),
            end: head.appended, of: head.key, into: &sink)
    }
}

extension MailboxBounds {
    fileprivate func stored(by clock: StoreClock) -> MailboxBounds {
        MailboxBounds(through: through, resumableFrom: resumableFrom, lostThrough: clock.stored(lostThrough))
    }
}
