// Messages to the other shards of the node: collected in a turn, and handed over in one batch a shard at its end.

struct ShardOutbox {
    private var batches: [[ShardMessage]]
    private var isScheduled = false

    init(shardCount: Int) { batches = Array(repeating: [], count: shardCount) }

    var shardIndices: Range<Int> { batches.indices }

    /// - Returns: true when the handing over has to be scheduled.
    mutating func append(_ message: ShardMessage, to shard: Int) -> Bool {
        batches[shard].append(message)
        defer { isScheduled = true }
        return !isScheduled
    }

    /// The messages are handed over now.
    mutating func begin() { isScheduled = false }

    /// The messages that wait for a shard, which gets them with this.
    mutating func removeBatch(to shard: Int) -> [ShardMessage] {
        if batches[shard].isEmpty { return [] }
        let batch = batches[shard]
        batches[shard] = []
        return batch
    }
}
