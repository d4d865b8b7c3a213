// A shard of a node with a store.
import RingpostCore

extension Shard {
    /// Begins with what the store has, and keeps there what changes. Once, on the event loop, before ``start()``.
    ///
    /// - Parameters:
    ///   - lineage: the store's.
    ///   - heads: of this shard's slots.
    package func serve(store: any CopyStore, lineage: UInt64, heads: [Int: SlotHead]) {
        let shardStore = ShardStore(store, eventLoop: eventLoop, loops: context.loops, shell: shell) { [context, index] event in
            switch event {
            case .stuck(let failure): context.onStoreFailure(failure)
            case .damage(let damage): context.tellDamage(damage)
            case .pace(let change): context.setDisk(change, ofShard: index)
            }
        }
        shell.serve(shardStore, lineage: lineage, heads: heads)
    }
}
