// A node with a store: what of the slots is in it at the beginning, what is read when, and what goes there. When a tick's writes are in the
// store is decided outside: until then nothing that follows from them leaves the node; see ``StoreGate``.
import HashRing

extension ShardMachine {
    /// Before the first view: the slots are as the store has them, each copy of an earlier session that no owner has taken. From here on
    /// ``takeTick(now:)`` says what changes.
    ///
    /// - Parameter lineage: the store's, so whose the copies are.
    public mutating func restore(_ heads: [Int: SlotHead], lineage: UInt64) {
        peers.setMe(peers.me, lineage: lineage)
        for (slot, head) in heads where layout.contains(slot) { log.restore(head, at: slotIndex(slot)) }
        log.beginJournal()
    }

    /// Whether ``takeTick(now:)`` has something.
    public var hasChanges: Bool { log.hasChanges }

    /// All that has changed since it was called last; `nil` if nothing has.
    public mutating func takeTick(now: Int64) -> StoreTick? {
        guard log.hasChanges else { return nil }
        return StoreTick(now: now, slots: log.takeWrites())
    }

    /// The store can't keep up, or does so again: meanwhile publishes are refused as overloaded.
    public mutating func setStoreIsBehind(_ isBehind: Bool) { log.storeIsBehind = isBehind }

    /// A frame that was held for the store leaves now. A release that was decided with the right to act must not go without it: the mirror
    /// that made the holder dispensable may be gone, and the holder's copy may be the last one.
    ///
    /// - Returns: false where it does not go; it is said again when the right is back.
    public mutating func mayLeave(_ frame: SlotFrame, now: Moment) -> Bool {
        guard case .release(let released) = frame, !lease.mayAct(now) else { return true }
        for released in released { lease.postponeCommit(of: Int(released.slot)) }
        return false
    }

    /// A slot's content is needed.
    mutating func load(_ slot: Int, isUrgent: Bool, actions: inout [ShardAction]) {
        loads.want(slot, isUrgent: isUrgent)
        pumpLoads(actions: &actions)
    }

    private mutating func pumpLoads(actions: inout [ShardAction]) {
        while let slot = loads.next() {
            guard log.unloaded.contains(slotIndex(slot)) else {
                _ = loads.end(slot)
                continue
            }
            actions.append(.load(slot: slot, log.head(at: slotIndex(slot))))
        }
    }

    /// What the store is asked for where ``ShardAction/load(slot:_:)`` says so.
    public func slotLoad(_ slot: Int, _ head: SlotHead, hasher: KeyHasher, now: Int64) -> SlotLoad {
        SlotLoad(
            slot: slot, head: head, now: now, hasher: hasher, limits: StoredHistoryLimits(limits.mailbox),
            chunkBytesMax: limits.slots.chunkBytesMax)
    }

    /// The answer to ``ShardAction/load(slot:_:)``.
    ///
    /// - Parameters:
    ///   - result: fails where the content is damaged. What its head proves still counts; the content comes from elsewhere.
    ///   - asked: ``SlotLoad/now``, from which its times count.
    public mutating func onLoaded(
        _ slot: Int, _ result: Result<StoredSlot, StoreDamage>, asked: Int64, now: Moment, actions: inout [ShardAction]
    ) {
        let slotIndex = slotIndex(slot)
        catchUp(slot, now: now, actions: &actions)
        // The copy may have been released or replaced meanwhile.
        if let waiting = loads.end(slot), log.unloaded.contains(slotIndex) {
            if case .success(let stored) = result { log.load(stored, at: slotIndex, now: asked) }
            if let copy = waiting.copy, copy.term >= log.fence(at: slotIndex), !takeovers.contains(slot), !log.isOwned(at: slotIndex) {
                log.replaceCopy(by: copy.chunks, term: copy.term, isCurrent: true, at: slotIndex, now: now.monotonic)
            } else if case .failure = result {
                loseContent(slot, now: now, actions: &actions)
            }
            if waiting.copy.map({ $0.term == log.copy(at: slotIndex).term }) ?? true,
                !log.unloaded.contains(slotIndex), log.copy(at: slotIndex).state == .complete, !log.isOwned(at: slotIndex)
            {
                for (entry, boot) in waiting.steps {
                    let position = log.copy(at: slotIndex).position + 1
                    log.apply(entry, position: position, at: slotIndex, boot: boot, now: now.monotonic)
                }
                acknowledge(slot, now: now, actions: &actions)
            }
            if let fetch = waiting.fetch {
                sendChunks(of: slot, term: fetch.term, connectionID: fetch.connectionID, now: now, actions: &actions)
            }
            if let takeover = takeovers[slot], case .loading(let isBest) = takeover.phase {
                if case .success = result, isBest {
                    become(slot, now: now, actions: &actions)
                } else {
                    decideAnew(slot, now: now, actions: &actions)
                }
            }
        }
        pumpLoads(actions: &actions)
        processPending(now: now, actions: &actions)
    }

    /// The content can't be read.
    private mutating func loseContent(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        let copy = log.copy(at: slotIndex(slot))
        log.replaceCopy(byEmpty: SlotCopy(knownFrom: copy.evidence), at: slotIndex(slot))
        guard copy.isCurrent else { return }
        // Its owner goes on counting on it.
        let connectionID = log.connectionID(at: slotIndex(slot))
        actions.append(.reply(connectionID: connectionID, .mismatch(term: copy.term, slot: UInt16(slot))))
    }
}
