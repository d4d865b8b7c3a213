// A part of one mailbox's history: what a cursor asks for that reaches back further than memory does.
import HashRing

/// Which part of a history is to be read.
public struct HistoryLoad: Sendable {
    /// Whose.
    public let key: Key
    /// Messages of another incarnation are none of it.
    public let incarnation: UInt64
    /// Messages after this one. If the first that comes is not the next one, those between are lost.
    public let after: UInt64
    /// So many at most.
    public let messagesMax: Int
    /// So many bytes of envelopes at most, but one message in any case.
    public let bytesMax: Int
    /// The node's monotonic milliseconds: times are counted from here.
    public let now: Int64

    /// A part of a history.
    public init(key: Key, incarnation: UInt64, after: UInt64, messagesMax: Int, bytesMax: Int, now: Int64) {
        self.key = key
        self.incarnation = incarnation
        self.after = after
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
        self.now = now
    }

    /// Reads them, in their order.
    ///
    /// - Parameter clock: the store's time at ``now``.
    public func read(from source: inout some StoreSource & ~Copyable, clock: StoreClock) throws(StoreDamage) -> [StoredMessage] {
        let mailbox = StoreKey.mailbox(key)
        var messages: [StoredMessage] = []
        var bytes = 0
        source.seek(to: StoreKey.message(after: max(after, try through(mailbox, from: &source)), inMailbox: mailbox))
        while source.isValid, messages.count < messagesMax {
            guard source.withRecord({ bytes, _ in bytes.starts(with: mailbox) }) else { break }
            guard case .message(_, _, let sequence) = source.withRecord({ bytes, _ in StoredKey(bytes) }) else {
                throw StoreDamage(slot: key.slot, reason: "a key can't be read")
            }
            guard let read = source.withRecord({ _, value in StoredMessageForm.read(value, sequence: sequence, of: key) }) else {
                throw StoreDamage(slot: key.slot, reason: "a message can't be read")
            }
            bytes += read.message.envelope.count
            if read.incarnation != incarnation || (bytes > bytesMax && !messages.isEmpty) { break }
            messages.append(read.message.shifted(by: 0 &- clock.now))
            source.next()
        }
        try source.check(key.slot)
        return messages
    }

    /// Up to where messages have left the history, though they may still lie there.
    private func through(_ mailbox: [UInt8], from source: inout some StoreSource & ~Copyable) throws(StoreDamage) -> UInt64 {
        source.seek(to: mailbox + [StoreKey.Part.bounds.rawValue])
        try source.check(key.slot)
        guard source.isValid, source.withRecord({ bytes, _ in StoredKey(bytes) }) == .part(kind: key.kind, name: key.name, .bounds) else {
            return 0
        }
        let through = source.withRecord { _, value in
            var reader = StoreReader(value)
            return reader.readNumber()
        }
        guard let through else { throw StoreDamage(slot: key.slot, reason: "what is known of a mailbox can't be read") }
        return through
    }
}
