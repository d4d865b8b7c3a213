// Which slots a shard has, and where each one stands in the shard's tables.
import HashRing

/// The slots of one shard: those with `slot % shardCount == shardIndex`, numbered from 0 in their order.
struct ShardSlots: Sendable {
    let shardIndex: Int
    let shardCount: Int

    /// How many slots the shard has.
    var count: Int { (HashRing.slotCount - shardIndex + shardCount - 1) / shardCount }

    func contains(_ slot: Int) -> Bool { slot % shardCount == shardIndex }
    func slotIndex(_ slot: Int) -> Int { slot / shardCount }
    func slot(at slotIndex: Int) -> Int { slotIndex * shardCount + shardIndex }
}
