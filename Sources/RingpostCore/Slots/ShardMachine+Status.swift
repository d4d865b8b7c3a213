// What operators and metrics are shown of a shard's slots.
import HashRing

extension ShardMachine {
    /// Keys that are remembered, in own slots and in copies of others'.
    public var mailboxCount: Int { log.mailboxes.mailboxCount }
    /// Keys that are remembered, and one for each copy that lies in the store and has not been read: more than none if there is any.
    public var keptCount: Int { mailboxCount + log.unloaded.count }
    /// Bytes of envelopes that memory has of all histories.
    public var historyBytes: Int { log.mailboxes.historyBytes }
    /// About how many bytes of them only the node's store has.
    public var olderBytes: Int { log.mailboxes.older.bytes }
    /// Messages that were dropped because the node's store has as much as it may.
    public var shedCount: UInt64 { log.mailboxes.older.shedCount }
    /// What has come of requests for what only the store has.
    public var olderReadCounts: OlderCounts { olderCounts }
    /// Attachments to all mailboxes.
    public var attachmentCount: Int { log.mailboxes.attachmentCount }
    /// Mailboxes that were forgotten because the store was full.
    public var evictedCount: UInt64 { log.mailboxes.evictedCount }
    /// Idempotency keys that are remembered.
    public var windowCount: Int { log.mailboxes.windowCount }
    /// Publishes that wait.
    public var parkedCount: Int { publishes.lanes.parkedCount }
    /// Publishes that are under way, to other nodes or to be confirmed here.
    public var inFlightCount: Int { publishes.lanes.inFlightCount }
    /// Publishes sent to another node so far.
    public var forwardedCount: UInt64 { publishes.lanes.forwardedCount }
    /// Publishes that left a lane for another try so far.
    public var retriedCount: UInt64 { publishes.lanes.retriedCount }
    /// Steps of the logs that are not committed.
    public var uncommittedCount: Int { log.uncommittedCount }
    /// Messages that were refused because they came too fast for one user, or on one channel.
    public var tooFastForUsers: UInt64 { publishes.tooFastForUsers }
    /// See ``tooFastForUsers``.
    public var tooFastForChannels: UInt64 { publishes.tooFastForChannels }
    /// Publishes that were refused because a client would have taken more names than it may.
    public var tooManyNamesOfClients: UInt64 { publishes.tooManyNamesOfClients }
    /// The same of API keys.
    public var tooManyNamesOfKeys: UInt64 { publishes.tooManyNamesOfKeys }
    /// New channels that were refused because their namespace has as many as it may.
    public var channelsRefused: UInt64 { log.refusals.channels }
    /// Messages that were refused because they came faster than their namespace takes them on one channel.
    public var tooFastForNamespaces: UInt64 { log.refusals.rate }
    /// Slots that this node is to own and whose history it has not got yet.
    public var inheritingCount: Int {
        var count = takeovers.count
        var slotIndex = staleSlots.first(from: 0)
        while let next = slotIndex {
            let slot = layout.slot(at: next)
            if peers.isOwner(slot), !log.isOwned(at: next), !takeovers.contains(slot) { count += 1 }
            slotIndex = staleSlots.first(from: next + 1)
        }
        return count
    }
    /// Counts the slots by kind; looks at each of them once.
    public var slotCounts: SlotCounts {
        var counts = SlotCounts()
        for slotIndex in log.slotIndices {
            // A slot that went with the newest epoch is not owned any more, stale or not.
            guard routes.isHere(slotIndex) else {
                if log.copy(at: slotIndex).state == .complete { counts.copies += 1 }
                continue
            }
            counts.owned += 1
            let mirrors = peers.mirrors(ofSlot: layout.slot(at: slotIndex))
            if !mirrors.allSatisfy({ log.isConfirmed(by: $0, at: slotIndex) }) { counts.unmirrored += 1 }
        }
        return counts
    }

    /// Slots of which this node holds a complete copy, as their owner or to become it, and no other member is known to hold one. A mirror's
    /// owner has one as well.
    public var lastCopyCount: Int {
        log.slotIndices.count { slotIndex in
            let slot = layout.slot(at: slotIndex)
            let copy = log.copy(at: slotIndex)
            // Where nothing was ever written, nothing can be lost.
            guard copy.state == .complete, copy.position > 0, peers.isOwner(slot) else { return false }
            if let takeover = takeovers[slot] { return takeover.found.isEmpty }
            return !log.holders(at: slotIndex).contains { $0.isConfirmed && peers.isMember[$0.peer] }
        }
    }

    /// The node's memory runs short: drops history of the largest mailboxes, as it is dropped beyond the bytes of the store. Who resumes
    /// before what is left is told `gap`.
    ///
    /// - Returns: how many bytes went.
    public mutating func trimHistories(_ bytes: Int, now: Int64) -> Int { log.trimHistories(bytes, now: now) }

    /// What `locate` shows of a key, without touching it.
    public func summary(of key: Key) -> MailboxSummary? {
        isServing(key) ? log.mailboxes.summary(of: key) : nil
    }
}

/// What one shard's slots are.
public struct SlotCounts: Equatable, Sendable {
    /// This node is the owner, whether or not it is confirmed yet.
    public var owned = 0
    /// Of these, a present mirror has not confirmed its copy.
    public var unmirrored = 0
    /// Copies of other owners' slots.
    public var copies = 0

    /// None at all.
    public init() {}
}
