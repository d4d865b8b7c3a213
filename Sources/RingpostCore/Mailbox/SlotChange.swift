// What changes a slot's content, for a node's store: steps of the log, and what happens to mailboxes beside them.

/// One change of what a slot has in it.
public enum SlotChange: Hashable, Sendable {
    /// A step of the log. Times in it are the node's. Before the first message of another incarnation its mailbox is forgotten.
    case step(SlotEntry)
    /// Another copy in place of all that is here, but for what is kept of histories. Times in it are counted from the tick, as frames carry
    /// them.
    case copy([SnapshotChunk], keeping: [Key: KeptHistory] = [:])
    /// All that is here goes: the copy was released, or is fetched anew.
    case drop
    /// A mailbox's messages up to this number leave its history. What a receipt needs of them stays until the receipt's time is over.
    case trim(Key, MailboxBounds)
    /// A mailbox is forgotten, with all it holds.
    case forget(Key)

    /// About what a small change takes.
    static let smallBytes = 96

    /// About how many bytes it takes.
    var bytes: Int {
        switch self {
        case .step(let entry): Self.smallBytes + entry.payloadBytes
        case .copy(let chunks, _): chunks.reduce(0) { $0 + $1.payloadBytes }
        case .drop, .trim, .forget: Self.smallBytes
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
