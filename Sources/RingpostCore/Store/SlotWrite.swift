// What one event loop's tick has changed of its slots, on its way to the store.

/// All that one tick of an event loop has changed. It is written as one, or not at all.
public struct StoreTick: Sendable {
    /// The node's monotonic milliseconds when it was put together.
    public let now: Int64
    /// By slot, each at most once.
    public let slots: [SlotWrite]
    /// About how many bytes are written.
    public let bytes: Int

    /// A tick's changes.
    public init(now: Int64, slots: [SlotWrite]) {
        self.now = now
        self.slots = slots
        bytes = slots.reduce(0) { $0 + $1.bytes }
    }
}

/// What has changed of one slot.
public struct SlotWrite: Sendable {
    /// About what a small change takes.
    static let smallBytes = 96

    /// Which slot.
    public let slot: Int
    /// The head after the changes.
    public let head: SlotHead
    /// The changes in their order.
    public let changes: [SlotChange]

    /// One slot's changes, and the head that they lead to.
    public init(slot: Int, head: SlotHead, changes: [SlotChange]) {
        self.slot = slot
        self.head = head
        self.changes = changes
    }

    /// The head names every lineage of its set, and a set may be larger than the step that it came with.
    var bytes: Int { changes.reduce(Self.smallBytes + head.set.lineages.count * MemoryLayout<UInt64>.size) { $0 + $1.bytes } }
}

/// One change of what a slot has in it.
public enum SlotChange: Hashable, Sendable {
    /// A step of the log. Times in it are the node's. Before the first message of another incarnation its mailbox is forgotten.
    case step(SlotEntry)
    /// Another copy in place of all that is here. Times in it are counted from the tick, as frames carry them.
    case copy([SnapshotChunk])
    /// All that is here goes: the copy was released, or is fetched anew.
    case drop
    /// A mailbox's messages up to this number leave its history. What a receipt needs of them stays until the receipt's time is over.
    case trim(Key, MailboxBounds)
    /// A mailbox is forgotten, with all it holds.
    case forget(Key)

    var bytes: Int {
        switch self {
        case .step(let entry): SlotWrite.smallBytes + entry.payloadBytes
        case .copy(let chunks): chunks.reduce(0) { $0 + $1.payloadBytes }
        case .drop, .trim, .forget: SlotWrite.smallBytes
        }
    }
}

/// What a mailbox's history has lost at its beginning.
public struct MailboxBounds: Hashable, Sendable {
    /// Messages up to this one are not kept.
    public let through: UInt64
    /// A cursor at or after this sequence number can be brought on without a hole.
    public let resumableFrom: UInt64
    /// When the newest of the lost messages had come, on the node's clock; the past when none was lost.
    public let lostThrough: Int64

    /// A history's beginning.
    public init(through: UInt64, resumableFrom: UInt64, lostThrough: Int64) {
        self.through = through
        self.resumableFrom = resumableFrom
        self.lostThrough = lostThrough
    }
}
