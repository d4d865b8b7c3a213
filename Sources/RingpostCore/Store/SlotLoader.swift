// Reads a slot as it was written, step by step or whole, and makes a copy of it as copies travel: so a node that comes back takes its own copy
// the way it would take another node's.
import HashRing

/// Where records are read from, in the order of their keys.
public protocol StoreSource: ~Copyable {
    /// Whether it stands at a record. If not, either there is none, or it could not be read.
    var isValid: Bool { get }
    /// Why it could not be read; `nil` when all is well. Forgotten with the next seek.
    var damage: String? { get }
    /// Goes to this key, or to the first one after it.
    mutating func seek(to key: [UInt8])
    /// Goes to this key, or to the last one before it.
    mutating func seek(backTo key: [UInt8])
    /// To the next record.
    mutating func next()
    /// To the record before.
    mutating func previous()
    /// The record at which it stands, which is gone when `body` returns.
    func withRecord<Value>(_ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Value) -> Value
}

/// What a store has of a slot can't be read, or is not what was written. The slot's head is not concerned: it lies elsewhere.
public struct StoreDamage: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which slot.
    public let slot: Int
    /// What is wrong.
    public let reason: String

    /// Damage in a slot's contents.
    public init(slot: Int, reason: String) {
        self.slot = slot
        self.reason = reason
    }

    /// One sentence for a log or an operator.
    public var description: String { "The store's contents of slot \(slot) are damaged: \(reason)." }
}

extension StoreSource where Self: ~Copyable {
    /// Throws if the last step led to a record that could not be read.
    func check(_ slot: Int) throws(StoreDamage) {
        if !isValid, let damage { throw StoreDamage(slot: slot, reason: damage) }
    }
}

/// How much of each history is read: what is older stays where it is.
public struct StoredHistoryLimits: Sendable {
    /// Messages of one mailbox.
    public var messagesMax: Int
    /// Bytes of envelopes of one mailbox.
    public var bytesMax: Int
    /// In messages that came before, no receipt is looked for.
    let receiptMilliseconds: Int64

    /// As much as a node's memory keeps.
    public init(_ limits: MailboxLimits = MailboxLimits()) {
        // Also where the node's own bound is lower: a namespace's may be higher, and what is too much goes when the slot has come.
        messagesMax = limits.memoryMessagesMax
        bytesMax = limits.memoryBytesMax
        receiptMilliseconds = limits.receiptMilliseconds
    }
}

/// A slot as a store has it.
public struct StoredSlot: Hashable, Sendable {
    /// What memory keeps of it, as a copy.
    public let chunks: [SnapshotChunk]
    /// What lies behind that. Times in it are counted from the same moment.
    public let older: [Key: KeptHistory]

    /// A slot.
    public init(chunks: [SnapshotChunk], older: [Key: KeptHistory] = [:]) {
        self.chunks = chunks
        self.older = older
    }
}

/// Puts one slot's records together again.
public struct SlotLoader {
    /// One mailbox, as far as it was read.
    private struct Found {
        let key: Key
        var incarnation: UInt64?
        /// The newest first.
        var history: [StoredMessage] = []
        var historyBytes = 0
        var bounds: MailboxBounds?
        var end: UInt64 = 0
        var principal = Principal.unnamed
        var lastSeen: Int64 = 0
        var touched = Int64.min
        var order: UInt64 = 0
        /// Messages that are not read any more: when the newest of them came.
        var passedOver: Int64?
        /// They are kept all the same, and go on where the history begins.
        var hasOlder = false
        var older: KeptHistory?
    }

    private let slot: Int
    private let hasher: KeyHasher
    private let clock: StoreClock
    private let limits: StoredHistoryLimits
    private var mailboxes: [Found] = []
    private var receipts: [SnapshotItem] = []

    /// - Parameters:
    ///   - hasher: the cluster's; names are kept without their hashes.
    ///   - clock: the store's time now.
    public init(slot: Int, hasher: KeyHasher, clock: StoreClock, limits: StoredHistoryLimits) {
        self.slot = slot
        self.hasher = hasher
        self.clock = clock
        self.limits = limits
    }

    /// Reads all of the slot.
    public mutating func read(from source: inout some StoreSource & ~Copyable) throws(StoreDamage) {
        source.seek(to: StoreKey.mailboxes(ofSlot: slot))
        let prefix = StoreKey.slot(slot)
        while source.isValid, source.withRecord({ key, _ in key.starts(with: prefix) }) {
            switch source.withRecord({ key, _ in StoredKey(key) }) {
            case .part(let kind, let name, _), .message(let kind, let name, _):
                try readMailbox(kind, name, from: &source)
            case .receipt(let hash, let id):
                try readReceipt(hash, id, from: source)
                source.next()
            case nil: throw StoreDamage(slot: slot, reason: "a key can't be read")
            }
        }
        try source.check(slot)
    }

    // MARK: Mailboxes

    private mutating func readMailbox(_ kind: KeyKind, _ name: [UInt8], from source: inout some StoreSource & ~Copyable) throws(StoreDamage)
    {
        let key = Key(kind, trusted: name, hash: name.withUnsafeBytes { hasher.hash(kind, utf8: $0) })
        guard key.slot == slot else {
            throw StoreDamage(slot: slot, reason: "it has a name that belongs to slot \(key.slot): another cluster has written it")
        }
        let prefix = StoreKey.mailbox(key)
        var found = Found(key: key)
        while source.isValid, case .part(kind, name, let part) = source.withRecord({ key, _ in StoredKey(key) }) {
            guard source.withRecord({ _, value in Self.read(part, value, into: &found) }) else {
                throw StoreDamage(slot: slot, reason: "what is known of a mailbox can't be read")
            }
            source.next()
        }
        try source.check(slot)
        if source.isValid, source.withRecord({ key, _ in key.starts(with: prefix) }) {
            try readHistory(prefix, into: &found, from: &source)
            try source.check(slot)
            if found.hasOlder { readOlder(prefix, into: &found, from: &source) }
            source.seek(to: StoreKey.end(ofMailbox: prefix))
        }
        mailboxes.append(found)
    }

    private static func read(_ part: StoreKey.Part, _ value: UnsafeRawBufferPointer, into found: inout Found) -> Bool {
        var reader = StoreReader(value)
        switch part {
        case .created:
            guard let incarnation = reader.readWord(), let touched = reader.readSigned(), let order = reader.readNumber() else {
                return false
            }
            found.incarnation = incarnation
            if touched >= found.touched { (found.touched, found.order) = (touched, order) }
        case .principal:
            guard let principal = reader.readWord() else { return false }
            found.principal = Principal(rawValue: principal)
        case .seen:
            guard let wall = reader.readSigned(), let touched = reader.readSigned() else { return false }
            found.lastSeen = wall
            found.touched = max(found.touched, touched)
        case .bounds:
            guard let through = reader.readNumber(), let resumableFrom = reader.readNumber(), let lostThrough = reader.readSigned(),
                let end = reader.readNumber()
            else { return false }
            found.bounds = MailboxBounds(through: through, resumableFrom: resumableFrom, lostThrough: lostThrough)
            found.end = end
        }
        return reader.isAtEnd
    }

    /// Reads backwards, from the newest message on, until there is more than memory keeps and no receipt can be younger.
    private mutating func readHistory(
        _ prefix: [UInt8], into found: inout Found, from source: inout some StoreSource & ~Copyable
    ) throws(StoreDamage) {
        source.seek(backTo: StoreKey.end(ofMailbox: prefix))
        let key = found.key
        while source.isValid {
            guard source.withRecord({ bytes, _ in bytes.starts(with: prefix) }) else { return }
            let place = source.withRecord { bytes, _ in StoredKey(bytes) }
            if place == nil { throw StoreDamage(slot: slot, reason: "a key can't be read") }
            guard case .message(_, _, let sequence) = place else { return }
            guard let read = source.withRecord({ _, value in StoredMessageForm.read(value, sequence: sequence, of: key) }) else {
                throw StoreDamage(slot: slot, reason: "a message can't be read")
            }
            guard take(read.message, incarnation: read.incarnation, read.2, into: &found) else { return }
            source.previous()
        }
    }

    /// - Returns: whether older ones are wanted too.
    private mutating func take(
        _ message: StoredMessage, incarnation: UInt64, _ remembered: Remembered?, into found: inout Found
    ) -> Bool {
        if found.history.isEmpty, found.passedOver == nil { found.incarnation = incarnation }
        // Of an incarnation before this one nothing counts.
        guard incarnation == found.incarnation else { return false }
        if let remembered, remembered.until > clock.now {
            receipts.append(.remembered(found.key.hash, remembered.shifted(by: 0 &- clock.now)))
        }
        found.end = max(found.end, message.sequence)
        if found.history.isEmpty { found.touched = max(found.touched, message.appendedAt) }
        let follows = found.history.last.map { $0.sequence == message.sequence + 1 } ?? (message.sequence == found.end)
        let isKept = message.sequence > found.bounds?.through ?? 0
        let fits =
            found.history.count < limits.messagesMax
            && (found.historyBytes + message.envelope.count <= limits.bytesMax || found.history.isEmpty)
        if found.passedOver == nil, follows, isKept, fits {
            found.history.append(message)
            found.historyBytes += message.envelope.count
            return true
        }
        if found.passedOver == nil, follows, isKept { found.hasOlder = true }
        if isKept { found.passedOver = max(found.passedOver ?? .min, message.appendedAt) }
        return message.appendedAt &+ limits.receiptMilliseconds > clock.now
    }

    /// Looks at some of the messages that are not read, to know about how large and how old all of them are. What can't be looked at here can't be
    /// read later either, and whoever wants it is told then.
    private func readOlder(_ prefix: [UInt8], into found: inout Found, from source: inout some StoreSource & ~Copyable) {
        guard let first = found.history.last else { return }
        source.seek(to: StoreKey.message(after: found.bounds?.through ?? 0, inMailbox: prefix))
        guard source.isValid, case .message(_, _, let start) = source.withRecord({ bytes, _ in StoredKey(bytes) }), start < first.sequence,
            // More than any store holds makes no sense.
            first.sequence - start <= UInt64(UInt32.max)
        else { return }
        var history = OlderHistory(begin: start - 1)
        let count = first.sequence - start
        let samples = min(count, Self.samplesMax)
        let average = found.historyBytes / max(1, found.history.count)
        for sample in 0..<samples {
            let from = start + count * sample / samples
            let through = start + count * (sample + 1) / samples - 1
            source.seek(to: StoreKey.message(through, inMailbox: prefix))
            let read = source.isValid ? source.withRecord { Self.message(of: found.key, at: through, $0, $1) } : nil
            let at = read?.appendedAt ?? first.appendedAt
            history.append(
                OlderHistory.Stretch(
                    first: from, through: through, bytes: Int(through - from + 1) * (read?.envelope.count ?? average), oldest: at,
                    newest: at,
                    expiresAt: .max))
        }
        // What should follow on what has left the history, and is not there, is lost.
        let isWhole = start - 1 <= found.bounds?.through ?? 0
        found.older = KeptHistory(resumableFrom: max(found.bounds?.resumableFrom ?? 0, isWhole ? 0 : start - 1), history: history)
    }

    /// The message of this number, if it is what was found.
    private static func message(
        of key: Key, at sequence: UInt64, _ place: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) -> StoredMessage? {
        guard StoredKey(place) == .message(kind: key.kind, name: key.name, sequence: sequence) else { return nil }
        return StoredMessageForm.read(value, sequence: sequence, of: key)?.message
    }

    /// Messages of a history behind memory that are looked at when it is read.
    private static let samplesMax: UInt64 = 8

    private mutating func readReceipt(_ hash: KeyHash, _ id: MessageID, from source: borrowing some StoreSource & ~Copyable)
        throws(StoreDamage)
    {
        let read = source.withRecord { _, value -> Remembered? in
            var reader = StoreReader(value)
            guard let sequence = reader.readNumber(), let publishedAt = reader.readSigned(),
                let read = StoredMessageForm.readReceipt(&reader, after: 0, sequence: sequence, id: id)
            else { return nil }
            return Remembered(receipt: read.receipt, until: read.until, principal: read.principal, publishedAt: publishedAt)
        }
        guard let read, hash.slot == slot else { throw StoreDamage(slot: slot, reason: "a receipt can't be read") }
        if read.until > clock.now { receipts.append(.remembered(hash, read.shifted(by: 0 &- clock.now))) }
    }

    // MARK: The copy

    /// What was read. Its times are counted from the clock's moment.
    public func slot(of head: SlotHead, bytesMax: Int) -> StoredSlot {
        let older = mailboxes.lazy.compactMap { found in found.older.map { (found.key, $0.shifted(by: 0 &- clock.now)) } }
        return StoredSlot(chunks: chunks(of: head, bytesMax: bytesMax), older: Dictionary(older) { $1 })
    }

    /// What was read, as a copy of this head in chunks of about `bytesMax` bytes, at least one. Its times are counted from the clock's moment.
    public func chunks(of head: SlotHead, bytesMax: Int) -> [SnapshotChunk] {
        var packer = SnapshotPacker(bytesMax: bytesMax)
        // The one used last comes last, as in any copy.
        for found in mailboxes.sorted(by: { ($0.touched, $0.order) < ($1.touched, $1.order) }) {
            guard let mailbox = self.head(of: found) else { continue }
            packer.add(.mailbox(mailbox))
            for message in found.history.reversed() { packer.add(.message(message.shifted(by: 0 &- clock.now))) }
        }
        for receipt in receipts { packer.add(receipt) }
        return packer.chunks(base: head.term, position: head.position, set: head.set, origin: head.origin)
    }

    private func head(of found: Found) -> MailboxHead? {
        guard let incarnation = found.incarnation, found.end > 0 || found.key.kind == .user else { return nil }
        var resumableFrom = found.bounds?.resumableFrom ?? 0
        var lostThrough = found.bounds?.lostThrough ?? .min
        // Places count from 1; see StoredKey.
        let before = found.history.last.map { $0.sequence - 1 } ?? found.end
        if let passedOver = found.passedOver {
            resumableFrom = before
            lostThrough = max(lostThrough, passedOver)
        } else if found.bounds == nil, before > 0 {
            // Nothing says what was there before.
            resumableFrom = before
            lostThrough = clock.now
        }
        let lostAgo = lostThrough == .min ? Int64.max : max(0, clock.now &- lostThrough)
        return MailboxHead(
            key: found.key, incarnation: incarnation, appended: found.end, resumableFrom: resumableFrom, lostAgo: lostAgo,
            lastSeen: found.lastSeen, principal: found.principal)
    }
}
