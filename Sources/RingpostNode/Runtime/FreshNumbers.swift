// Numbers that one shard gives out: random ones, message ids, and numbers of producers' streams.
import HashRing
import RingpostCore

package struct FreshNumbers {
    private let shardIndex: Int
    private var generator = SplitMix64.seededBySystem()
    private let messageBase: UInt64
    private var lastMessage: UInt64 = 0
    private var lastStream: UInt64 = 0

    init(shardIndex: Int) {
        self.shardIndex = shardIndex
        messageBase = generator.next()
    }

    mutating func random() -> UInt64 { generator.next() }

    /// An id for a publish whose producer gave none.
    package mutating func messageID() -> MessageID {
        lastMessage &+= 1
        return MessageID(high: messageBase, low: lastMessage)
    }

    /// A number for a producer's stream, unique on this node.
    package mutating func stream() -> UInt64 {
        lastStream += 1
        return UInt64(shardIndex) << 56 | lastStream
    }
}
