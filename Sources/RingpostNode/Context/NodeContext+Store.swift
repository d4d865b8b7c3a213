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
        logger.critical("\(failure)")
        fail(Self.storeFailed)
    }

    static let storeFailed = "The node ends, because its store has failed."

    /// Copies that were this node's count no more.
    func tellLoss(_ sentence: String) {
        countAlarm()
        logger.critical("\(sentence)")
        addAlarm(StandingAlarm(.storeLost, sentence))
    }
}
