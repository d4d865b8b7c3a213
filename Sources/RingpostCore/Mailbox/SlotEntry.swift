// The steps of a slot's log: all that ever changes a slot's mailboxes.

/// One step of a slot's log.
public enum SlotEntry: Hashable, Sendable {
    /// A message got its sequence number; its mailbox is created if it isn't there.
    case message(Key, incarnation: UInt64, StoredMessage, Remembered?)
    /// A user's mailbox was created by a first attachment. A channel's is not, before its first message: see ``Origins``.
    case created(Key, incarnation: UInt64)
    /// The name counts for this principal from now on.
    case belongs(Key, to: Principal)
    /// A user was there, in milliseconds since 1970; proves too that the owner still is one.
    case seen(Key, at: Int64)
    /// Changes nothing; its commit proves that the owner still is one.
    case nothing

    var payloadBytes: Int { if case .message(_, _, let message, _) = self { message.envelope.count } else { 0 } }

    /// The same step with all times counted from `now`, as frames carry it.
    func counted(from now: Int64) -> SlotEntry { shifted(by: -now) }
    /// The same step with times that were counted from `now` on this node's clock.
    func since(_ now: Int64) -> SlotEntry { shifted(by: now) }

    private func shifted(by offset: Int64) -> SlotEntry {
        guard case .message(let key, let incarnation, let message, let remembered) = self else { return self }
        if message.expiresAt == .max, remembered == nil { return self }
        return .message(key, incarnation: incarnation, message.shifted(by: offset), remembered?.shifted(by: offset))
    }
}

/// The receipt that repeats of an idempotency key get.
public struct Remembered: Hashable, Sendable {
    /// The first receipt.
    public let receipt: Receipt
    /// When it may be forgotten.
    public let until: Int64
    /// Whose idempotency key it was.
    public let principal: Principal
    /// The publish's ``Publish/publishedAt``, which tells whether another one is that very one, sent again. It travels with its message; 0 in a
    /// copy that has come without it.
    public let publishedAt: Int64

    /// A receipt and when it may be forgotten.
    public init(receipt: Receipt, until: Int64, principal: Principal = .unnamed, publishedAt: Int64 = 0) {
        self.receipt = receipt
        self.until = until
        self.principal = principal
        self.publishedAt = publishedAt
    }

    func shifted(by offset: Int64) -> Remembered {
        Remembered(receipt: receipt, until: until &+ offset, principal: principal, publishedAt: publishedAt)
    }

    /// The receipt of this publish.
    func of(_ message: StoredMessage) -> Remembered {
        Remembered(receipt: receipt, until: until, principal: principal, publishedAt: message.publishedAt)
    }
}
