// Incarnations of mailboxes, also of those to which nobody has written. Nothing is kept for such a name, and still everybody who asks for it
// has to get the same cursor, on this owner and on the next one, until a message may have been missed. So incarnations are computed, from the
// name and a number of the slot: its origin. That begins with the slot's log, moves with its copies, and changes with each mailbox with
// messages that is forgotten, so that none is ever taken for the one before it. With it change the incarnations of all names of the slot to
// which nobody has written: whoever comes back to one of these may be told of a gap where nothing was missed, and never the other way round.
import HashRing

/// The origins of one shard's slots.
struct Origins {
    private var origins: [UInt64]
    private let shardCount: Int

    init(shardCount: Int) {
        self.shardCount = shardCount
        origins = Array(repeating: 0, count: (HashRing.slotCount + shardCount - 1) / shardCount)
    }

    /// As it moves with a copy.
    subscript(slot: Int) -> UInt64 {
        get { origins[slot / shardCount] }
        set { origins[slot / shardCount] = newValue }
    }

    /// A log begins. Owner and holders come to the same: there is one owner in a term, and no boot comes twice. (A node without ZooKeeper has
    /// no boot, but with each start another seed, and so other hashes.)
    mutating func begin(slot: Int, term: UInt64, boot: UInt64) { self[slot] = Self.mixed(Self.mixed(term) &+ boot) }

    /// The incarnation of a mailbox that begins, or would begin.
    func incarnation(of key: Key) -> UInt64 { Self.mixed(self[key.slot] &+ Self.mixed(key.hash.rawValue)) }

    /// A mailbox with messages is forgotten. A sum: the order in which several go does not matter, and none comes back when one goes twice.
    mutating func forget(_ incarnation: UInt64, of key: Key) { self[key.slot] &+= Self.mixed(incarnation) }

    private static func mixed(_ number: UInt64) -> UInt64 {
        var generator = SplitMix64(seed: number)
        return generator.next()
    }
}
