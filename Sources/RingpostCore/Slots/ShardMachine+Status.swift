// What operators and metrics are shown of a loop's slots.
import HashRing

extension ShardMachine {
    /// Keys that are remembered, in own slots and in copies of others'.
    public var mailboxCount: Int { store.mailboxCount }
    /// Bytes of envelopes in all histories.
    public var historyBytes: Int { store.historyBytes }
    /// Attachments to all mailboxes.
    public var attachmentCount: Int { store.attachmentCount }
    /// Mailboxes that were forgotten because the store was full.
    public var evictedCount: UInt64 { store.evictedCount }
    /// Idempotency keys that are remembered.
    public var windowCount: Int { store.windowCount }
    /// Publishes that wait.
    public var parkedCount: Int { lanes.parkedCount }
    /// Publishes that are under way, to other nodes or to be confirmed here.
    public var inFlightCount: Int { lanes.inFlightCount }
    /// Publishes sent to another node so far.
    public var forwardedCount: UInt64 { lanes.forwardedCount }
    /// Publishes that left a lane for another try so far.
    public var retriedCount: UInt64 { lanes.retriedCount }
    /// Slots that this node is to own and whose history it has not got yet.
    public var inheritingCount: Int {
        var count = takeovers.count
        var slotIndex = staleSlots.first(from: 0)
        while let next = slotIndex {
            if isOwner(slot(at: next)), !slots[next].isOwned, takeovers[slot(at: next)] == nil { count += 1 }
            slotIndex = staleSlots.first(from: next + 1)
        }
        return count
    }
    /// How many slots are what; looks at each of them once.
    public var slotCounts: SlotCounts {
        var counts = SlotCounts()
        // In place: to copy a slot costs more than to look at it.
        slots.withUnsafeBufferPointer { slots in
            for slotIndex in slots.indices {
                // One that went with the newest epoch is not owned any more, looked at or not.
                guard routes[slotIndex] == .here else {
                    if slots[slotIndex].copy.state == .complete { counts.copies += 1 }
                    continue
                }
                counts.owned += 1
                guard let mirror = mirror(ofSlot: slot(at: slotIndex)) else { continue }
                if slots[slotIndex].owner?.holders.contains(where: { $0.peer == mirror && $0.isConfirmed }) != true {
                    counts.unmirrored += 1
                }
            }
        }
        return counts
    }

    /// What `locate` shows of a key, without touching it.
    public func summary(of key: Key) -> MailboxSummary? {
        isServing(key) ? store.summary(of: key) : nil
    }
}

/// What one loop's slots are.
public struct SlotCounts: Equatable, Sendable {
    /// This node is the owner, whether or not it is confirmed yet.
    public var owned = 0
    /// Of these, the present mirror has not confirmed its copy.
    public var unmirrored = 0
    /// Copies of other owners' slots.
    public var copies = 0

    /// None at all.
    public init() {}
}
