// The node's store of copies, as metrics and the membership look at it.
import RingpostCore
import RingpostStore

extension NodeContext {
    /// The store of copies; `nil` where the node keeps them in memory only.
    var store: SlotStore? { storeFacts.withLock { $0 } }
    func setStore(_ store: SlotStore) { storeFacts.withLock { $0 = store } }

    /// The store has failed: what is not on the disk is not acknowledged, so the node is of no use any more. On any thread.
    func onStoreFailure(_ failure: StoreFailure) {
        countAlarm()
        // Its last words are what is wrong, and what to do.
        fail("\(failure)")
    }

    /// A shard's ticks wait for the disk for too long, or do so no more. The node is one alarm, and one line, whichever shards wait.
    func setDisk(_ change: DiskPace.Change, ofShard index: Int) {
        let (was, isNow) = standingFacts.withLock { standing in
            let was = !standing.slowShards.isEmpty
            switch change {
            case .isSlow: standing.slowShards.insert(index)
            case .isWell: standing.slowShards.remove(index)
            }
            return (was, !standing.slowShards.isEmpty)
        }
        if was == isNow { return }
        if isNow {
            countAlarm()
            logger.critical("\(Self.diskIsSlow)")
        } else {
            logger.notice("the disk of the data directory takes no longer than it should any more")
        }
    }

    static let diskIsSlow =
        "The disk of the data directory is slow: what was written has not been there for more than \(DiskPace.slowMilliseconds) ms. Publishes "
        + "and acknowledgements wait for it; after \(StoreGate.waitMillisecondsMax / 1_000) s the node ends. Look what the disk does, or move this "
        + "node's part of the ring to others meanwhile (ringpost weight ID 0)."

    /// Some of what the store has can't be read. There may be thousands of slots; somebody is to look once.
    func tellDamage(_ damage: StoreDamage) {
        let isFirst = standingFacts.withLock { standing in
            defer { standing.hasDamage = true }
            return !standing.hasDamage
        }
        guard isFirst else { return }
        let sentence =
            "Some of what is in the data directory\(store.map { " \($0.path)" } ?? "") can't be read (slot \(damage.slot): \(damage.reason)). "
            + (configuration.zookeeper == nil ? "Clients" : "It comes from other nodes; of what none of them has, clients")
            + " are told gap. Look what is wrong with the disk: the node may find more of it (ringpost_store_damaged_reads_total)."
        countAlarm()
        logger.critical("\(sentence)")
        addAlarm(StandingAlarm(.storeDamaged, sentence))
    }

    /// Copies that were this node's count no more.
    func tellLoss(_ sentence: String) {
        countAlarm()
        logger.critical("\(sentence)")
        addAlarm(StandingAlarm(.storeLost, sentence))
    }
}
