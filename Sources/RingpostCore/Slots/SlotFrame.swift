// What two nodes say to each other about a slot. The owner asks over the link that it has dialled, the holder of a copy
// answers on the same connection; what a broken link has swallowed is said again on the next one, and nothing of it does
// harm when it comes twice. See docs/architecture/copies.md.
//
// Times in frames (`expiresAt`, `until`, and in copies `appendedAt`) are milliseconds counted from the moment of sending: clocks are a node's own.
import HashRing

/// One frame about slots. `term` is the epoch in which the owner began: what it may do rests on that, and a holder that knows it can
/// judge. The newest epoch of the sender does not matter, or one node that hears of it late would hold up all slots that stay.
public enum SlotFrame: Hashable, Sendable {
    // From the owner:

    /// Which copies do you have? Fences lower terms of these slots.
    case inquire(term: UInt64, slots: [UInt16])
    /// Send me your copy.
    case fetch(term: UInt64, slot: UInt16)
    /// Your copies, if each was written under its `base` and stands at its `position`, are the ones I go on from.
    case adopt([SlotAdoption])
    /// Pieces of copies; with its last one a copy is complete.
    case fill([SnapshotTransfer])
    /// One more step of the log.
    case append(term: UInt64, slot: UInt16, position: UInt64, SlotEntry)
    /// Your copies are not needed any more.
    case release([SlotTerm])

    // From the holder:

    /// What there is of the slots that were asked for.
    case holdings(term: UInt64, [SlotHolding])
    /// A piece of the copy that was to be fetched; `nil` when there is none any more.
    case piece(term: UInt64, slot: UInt16, SnapshotChunk?)
    /// The copy is complete under this term up to this position.
    case acknowledge(term: UInt64, slot: UInt16, position: UInt64)
    /// The same of all copies that one frame was about.
    case acknowledgeCopies([SlotPosition])
    /// The copy does not fit what was said of it: send it whole.
    case mismatch(term: UInt64, slot: UInt16)
    /// The copies are gone.
    case released([SlotTerm])
    /// The sender is not the owner in this term, or not any more; it may begin anew at `minimum` or above.
    case refused(term: UInt64, slot: UInt16, minimum: UInt64)

    /// The epoch that the receiver has to know before it looks at the frame; 0 for answers.
    public var epoch: UInt64 {
        switch self {
        case .inquire(let term, _), .fetch(let term, _), .append(let term, _, _, _): term
        case .adopt(let adoptions): adoptions.reduce(0) { max($0, $1.term) }
        case .fill(let fills): fills.reduce(0) { max($0, $1.term) }
        case .release(let slots): slots.reduce(0) { max($0, $1.term) }
        case .holdings, .piece, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: 0
        }
    }

    /// About how many bytes it takes beyond a small frame's, for bounds.
    var payloadBytes: Int {
        switch self {
        case .append(_, _, _, .message(_, _, let message, _)): message.envelope.count
        case .fill(let fills): fills.reduce(0) { $0 + $1.bytes }
        case .inquire(_, let slots): slots.count * MemoryLayout<UInt16>.stride
        case .adopt(let adoptions): adoptions.count * MemoryLayout<SlotAdoption>.stride
        case .release(let slots): slots.count * MemoryLayout<SlotTerm>.stride
        default: 0
        }
    }
}

/// One step of a slot's log.
public enum SlotEntry: Hashable, Sendable {
    /// A message got its place; its mailbox is created if it isn't there.
    case message(Key, incarnation: UInt64, StoredMessage, Remembered?)
    /// A mailbox was created by a first attachment.
    case created(Key, incarnation: UInt64)
    /// A user was there, in milliseconds since 1970; proves too that the owner still is one.
    case seen(Key, at: Int64)
    /// Only to be confirmed: proves that the owner still is one.
    case nothing

    var payloadBytes: Int { if case .message(_, _, let message, _) = self { message.envelope.count } else { 0 } }

    /// The same with all times counted from `now`, and back.
    func counted(from now: Int64) -> SlotEntry { shifted(by: -now) }
    func since(_ now: Int64) -> SlotEntry { shifted(by: now) }

    private func shifted(by offset: Int64) -> SlotEntry {
        guard case .message(let key, let incarnation, let message, let remembered) = self else { return self }
        if message.expiresAt == .max, remembered == nil { return self }
        return .message(key, incarnation: incarnation, message.shifted(by: offset), remembered?.shifted(by: offset))
    }
}

/// A receipt that repeats of an idempotency key get.
public struct Remembered: Hashable, Sendable {
    /// The first receipt.
    public let receipt: Receipt
    /// When it may be forgotten.
    public let until: Int64

    /// A receipt and when it may be forgotten.
    public init(receipt: Receipt, until: Int64) {
        self.receipt = receipt
        self.until = until
    }

    func shifted(by offset: Int64) -> Remembered { Remembered(receipt: receipt, until: until &+ offset) }
}

/// What a holder says of one slot.
public struct SlotHolding: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// What there is of it.
    public let content: Content

    /// A copy, or none.
    public enum Content: Hashable, Sendable {
        /// Complete and not released: written last under `term`, as long as `position`.
        case copy(term: UInt64, position: UInt64)
        /// Nothing; `vacant` milliseconds ago this node found, as an owner, that nobody has anything, and `quiet`
        /// milliseconds ago it came in place of another boot that might have had something (`Int64.max` if it didn't).
        case none(vacant: Int64, quiet: Int64)
    }

    /// What there is of a slot.
    public init(slot: UInt16, content: Content) {
        self.slot = slot
        self.content = content
    }
}

/// A slot and the term of who speaks of it as its owner.
public struct SlotTerm: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The epoch in which its owner began.
    public let term: UInt64

    /// A slot under an owner's term.
    public init(slot: UInt16, term: UInt64) {
        self.slot = slot
        self.term = term
    }
}

/// Which copy of a slot its new owner goes on from.
public struct SlotAdoption: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The new owner's term.
    public let term: UInt64
    /// Under which term the copy was written last.
    public let base: UInt64
    /// Where it ends.
    public let position: UInt64

    /// One slot of an adoption.
    public init(slot: UInt16, term: UInt64, base: UInt64, position: UInt64) {
        self.slot = slot
        self.term = term
        self.base = base
        self.position = position
    }
}

/// Up to where a holder has a slot's log.
public struct SlotPosition: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// Under whose term the copy is complete.
    public let term: UInt64
    /// The number of the last step.
    public let position: UInt64

    /// One slot of an acknowledgement.
    public init(slot: UInt16, term: UInt64, position: UInt64) {
        self.slot = slot
        self.term = term
        self.position = position
    }
}

/// A piece of a copy that an owner sends.
public struct SnapshotTransfer: Hashable, Sendable {
    /// Of which slot.
    public let slot: UInt16
    /// The owner's term.
    public let term: UInt64
    /// What it holds.
    public let piece: SnapshotChunk

    /// A piece of one slot's copy.
    public init(slot: UInt16, term: UInt64, piece: SnapshotChunk) {
        self.slot = slot
        self.term = term
        self.piece = piece
    }

    var bytes: Int { MemoryLayout<SnapshotTransfer>.stride + piece.payloadBytes }
}

/// A piece of a slot's copy.
public struct SnapshotChunk: Hashable, Sendable {
    /// The pieces before are of an attempt that was given up.
    public let isFirst: Bool
    /// The copy is complete with it.
    public let isLast: Bool
    /// Under which term the copy was written last.
    public let base: UInt64
    /// The end of the log that the copy holds.
    public let position: UInt64
    /// Mailboxes, each followed by its messages, and receipts.
    public let items: [SnapshotItem]

    /// A piece with all its parts.
    public init(isFirst: Bool, isLast: Bool, base: UInt64, position: UInt64, items: [SnapshotItem]) {
        self.isFirst = isFirst
        self.isLast = isLast
        self.base = base
        self.position = position
        self.items = items
    }

    var payloadBytes: Int { items.reduce(0) { $0 + $1.payloadBytes } }
}

/// A part of a copy.
public enum SnapshotItem: Hashable, Sendable {
    /// A mailbox begins.
    case mailbox(MailboxHead)
    /// The next message of the mailbox that began last.
    case message(StoredMessage)
    /// A receipt for repeats.
    case remembered(KeyHash, Remembered)

    var payloadBytes: Int {
        switch self {
        case .mailbox(let head): head.key.name.count + 56
        case .message(let message): message.envelope.count + 48
        case .remembered: 96
        }
    }
}

/// A mailbox without its messages.
public struct MailboxHead: Hashable, Sendable {
    /// Whose it is.
    public let key: Key
    /// See `Mailbox`.
    public let incarnation: UInt64
    /// The last sequence number given.
    public let appended: UInt64
    /// A cursor at or after this place can be brought on without a hole.
    public let resumableFrom: UInt64
    /// How long ago the newest of the messages that the history has lost had come into it; `Int64.max` if it has lost none.
    public let lostAgo: Int64
    /// When a socket of the user was last there, in milliseconds since 1970; 0 for never.
    public let lastSeen: Int64

    /// A mailbox's head with all its parts.
    public init(key: Key, incarnation: UInt64, appended: UInt64, resumableFrom: UInt64, lostAgo: Int64, lastSeen: Int64 = 0) {
        self.key = key
        self.incarnation = incarnation
        self.appended = appended
        self.resumableFrom = resumableFrom
        self.lostAgo = lostAgo
        self.lastSeen = lastSeen
    }
}
