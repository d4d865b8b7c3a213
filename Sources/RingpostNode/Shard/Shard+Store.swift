// A shard of a node with a store.
import RingpostCore

extension Shard {
    /// Begins with what the store has, and keeps there what changes. Once, on the event loop, before ``start()``.
    ///
    /// - Parameters:
    ///   - lineage: the store's.
    ///   - heads: of this shard's slots.
    package func serve(store: any CopyStore, lineage: UInt64, heads: [Int: SlotHead]) {
        let shardStore = ShardStore(store, eventLoop: eventLoop, loops: context.loops, shell: shell) { [context] in
            context.onStoreFailure($0)
        }
        shell.serve(shardStore, lineage: lineage, heads: heads)
    }
}
