// The door of the room in which a node's copies are kept on a disk. Who stands behind it is not known here.
import HashRing

/// Keeps what a node's slots have, for longer than the process lives.
///
/// What an implementation promises:
/// 1. **All or nothing.** A tick is there as a whole, or not at all. Ticks are there in the order in which they were handed over; of two that
///    one event loop has handed over, the later one never without the earlier.
/// 2. **Told once.** `then` is called exactly once for each tick that was taken, in that order, on a thread of the store's: whoever gets it
///    hands it to an event loop. `nil` means that the tick is there as durably as ``durability`` says, not before.
/// 3. **Never trusted again.** After the first write that failed, nothing is written any more, and every tick, also those that wait already,
///    gets the same failure. What was said to be there before is there.
/// 4. **Bounded.** When more waits than fits, ``write(_:then:)`` takes nothing and returns false. The event loop keeps the tick and hands it
///    over again with the next one; nothing of it is acknowledged meanwhile.
/// 5. **Nothing blocks.** All of this returns at once.
public protocol CopyStore: AnyObject, Sendable {
    /// What "is there" means.
    var durability: StoreDurability { get }
    /// Hands over what a tick of an event loop has changed.
    func write(_ tick: StoreTick, then: @escaping @Sendable (StoreFailure?) -> Void) -> Bool
    /// Reads a slot as it was after the last tick that is there. `then` is called once, on a thread of the store's. False when too many wait.
    func load(_ request: SlotLoad, then: @escaping @Sendable (Result<StoredSlot, StoreDamage>) -> Void) -> Bool
    /// Reads a part of a history, which may reach back further than memory does. As ``load(_:then:)``.
    func read(_ request: HistoryLoad, then: @escaping @Sendable (Result<HistoryPart, StoreDamage>) -> Void) -> Bool
}

/// A slot that is to be read.
public struct SlotLoad: Sendable {
    /// Which slot.
    public let slot: Int
    /// Its head: what is read is a copy with this end.
    public let head: SlotHead
    /// The node's monotonic milliseconds: times are counted from here.
    public let now: Int64
    /// The cluster's; names are kept without their hashes.
    public let hasher: KeyHasher
    /// How much of each history.
    public let limits: StoredHistoryLimits
    /// About how many bytes a chunk has.
    public let chunkBytesMax: Int

    /// A slot that is to be read.
    public init(slot: Int, head: SlotHead, now: Int64, hasher: KeyHasher, limits: StoredHistoryLimits, chunkBytesMax: Int) {
        self.slot = slot
        self.head = head
        self.now = now
        self.hasher = hasher
        self.limits = limits
        self.chunkBytesMax = chunkBytesMax
    }
}

/// Why a store is not trusted any more.
public struct StoreFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong first, and what to do.
    public let sentence: String

    /// A failure.
    public init(_ sentence: String) { self.sentence = sentence }

    /// One sentence for a log or an operator.
    public var description: String { sentence }
}
