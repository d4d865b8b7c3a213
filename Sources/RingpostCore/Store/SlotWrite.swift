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
    var bytes: Int { changes.reduce(SlotChange.smallBytes + head.set.lineages.count * MemoryLayout<UInt64>.size) { $0 + $1.bytes } }
}
