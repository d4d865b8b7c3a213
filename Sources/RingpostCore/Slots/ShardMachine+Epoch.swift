// What an epoch changes in single slots. It may change all of them at once, and no message waits for that long: routes change at once, the
// rest is done some slots at a time. A slot that has not had its turn is *stale*; an event for it brings it up to the epoch first, so
// nothing ever sees a slot as it was before the epoch in force. (To everybody else it is as if the epoch had come a moment later.)
import HashRing

extension ShardMachine {
    // MARK: Which slots

    /// Marks the slots that a new epoch may change as stale, and changes all routes.
    mutating func markStale(since before: MembershipView?) {
        guard let view = peers.view else { return }
        let routesByMember = view.members.indices.map { $0 == view.selfIndex ? .preparing : peers.route(toMember: $0) }
        let (ring, own) = (view.ring, view.selfIndex ?? -1)
        var begins = 0
        func turn(_ slotIndex: Int, isEvery: Bool) {
            let owner = ring.owner(ofSlot: layout.slot(at: slotIndex)) ?? -1
            if owner == own, own >= 0 {
                if !keeps(slotIndex, isEvery: isEvery) { begins += 1 }
            } else {
                if routes[slotIndex].isOwn { staleSlots.insert(slotIndex) }
                routes.set(owner < 0 ? .nobody : routesByMember[owner], at: slotIndex)
            }
        }
        if let moved = slotsMoved(since: before) {
            for slot in moved { turn(slotIndex(slot), isEvery: false) }
        } else {
            // Every slot that still has to be sent is put in again.
            moves.forgetUnmirrored()
            copies.removeAllQueues()
            for slotIndex in log.slotIndices { turn(slotIndex, isEvery: true) }
        }
        // Who has come may have what they wait for.
        for slot in takeovers.slots where takeovers.isUndecided(slot) { staleSlots.insert(slotIndex(slot)) }
        staleSlots.onEpoch()
        if begins > 0 { takeovers.reserve(begins) }
    }

    /// As long as no member has left (this one's earlier boot is one that has), an epoch means something only to slots that get another
    /// owner or mirror, and to those that wait for it. Copies on members that have left are looked for everywhere, and another number of
    /// copies means something to all slots.
    private func slotsMoved(since before: MembershipView?) -> [Int]? {
        guard let view = peers.view, let before, (before.selfIndex == nil) == (view.selfIndex == nil) else { return nil }
        let memberIndices = view.memberIndices(of: before)
        if memberIndices.contains(nil) || view.document.copies != before.document.copies { return nil }
        return view.ring.slotsWithOtherHolders(
            than: before.ring, memberIndices: memberIndices, from: layout.shardIndex, by: layout.shardCount,
            copies: view.document.copies)
    }

    /// A slot that is this node's in the new epoch. Looks at nothing but its route, as with all others: that is all in one place.
    ///
    /// - Returns: whether it was this node's before.
    private mutating func keeps(_ slotIndex: Int, isEvery: Bool) -> Bool {
        // A stale slot may be owned though its route has gone elsewhere meanwhile.
        guard routes.isHere(slotIndex) else {
            let isOwned = staleSlots.contains(slotIndex) && log.isOwned(at: slotIndex)
            routes.set(isOwned ? .here : .preparing, at: slotIndex)
            staleSlots.insert(slotIndex)
            return isOwned
        }
        // The mirror before goes on acknowledging until then.
        if isEvery { staleSlots.insert(slotIndex) } else { moves.appendUnmirrored(layout.slot(at: slotIndex)) }
        return true
    }

    // MARK: Their turn

    /// Brings a slot up to the epoch in force, before anything else is done with it.
    @inline(__always)
    mutating func catchUp(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        if staleSlots.contains(slotIndex(slot)) { catchUp(with: CollectionOfOne(slot), now: now, actions: &actions) }
    }

    /// The same for all slots that a frame is about.
    mutating func catchUp(with frame: SlotFrame, now: Moment, actions: inout [ShardAction]) {
        if staleSlots.isEmpty { return }
        catchUp(with: frame.slots, now: now, actions: &actions)
    }

    private mutating func catchUp(with slots: some Collection<Int>, now: Moment, actions: inout [ShardAction]) {
        var begun: [Int] = []
        for slot in slots where layout.contains(slot) && staleSlots.contains(slotIndex(slot)) {
            staleSlots.remove(slotIndex(slot))
            if applyEpoch(slot, now: now, actions: &actions) { begun.append(slot) }
        }
        begin(begun, now: now, actions: &actions)
    }

    /// The pause that ``ShardAction/scheduleEpochWork`` has asked for is over: more slots have their turn, and more channels.
    public mutating func onEpochWork(now: Moment, actions: inout [ShardAction]) {
        staleSlots.workBegins()
        catchUpSome(now: now, actions: &actions)
        tellSomePresences(now: now, actions: &actions)
        processPending(now: now, actions: &actions)
    }

    /// Brings as many slots up to the epoch as may have their turn now.
    mutating func catchUpSome(now: Moment, actions: inout [ShardAction]) {
        var left = limits.slots.looksMax
        var begun: [Int] = []
        while left > 0, let slotIndex = staleSlots.popFirst() {
            let before = actions.count
            let slot = layout.slot(at: slotIndex)
            if applyEpoch(slot, now: now, actions: &actions) { begun.append(slot) }
            // The actions for a slot take the shell longer than the look at it.
            left -= 1 + SlotLimits.looksPerAction * (actions.count - before)
        }
        begin(begun, now: now, actions: &actions)
        if vacancy.isInPass { considerVacant(now: now, actions: &actions) }
        if !staleSlots.isEmpty { scheduleEpochWork(actions: &actions) }
    }

    mutating func scheduleEpochWork(actions: inout [ShardAction]) {
        if staleSlots.scheduleWork() { actions.append(.scheduleEpochWork) }
    }

    /// Brings a slot up to the epoch in force, whatever was the case before.
    ///
    /// - Returns: whether this node begins a term in it.
    private mutating func applyEpoch(_ slot: Int, now: Moment, actions: inout [ShardAction]) -> Bool {
        let slotIndex = slotIndex(slot)
        if !peers.isOwner(slot) {
            stepDown(slot, now: now, actions: &actions)
        } else if log.isOwned(at: slotIndex) {
            updateHolders(slot, now: now, actions: &actions)
        } else if takeovers.contains(slot) {
            membersChanged(slot, now: now, actions: &actions)
        } else if epoch >= log.fence(at: slotIndex) {
            return true
        } else {
            staleSlots.waitForNextEpoch(slotIndex)
        }
        return false
    }
}

extension SlotFrame {
    /// All slots that it is about.
    fileprivate var slots: [Int] {
        switch self {
        case .inquire(_, let slots): slots.map { Int($0) }
        case .adopt(let adoptions): adoptions.map { Int($0.slot) }
        case .snapshots(let transfers): transfers.map { Int($0.slot) }
        case .release(let slots): slots.map { Int($0.slot) }
        case .released(let slots): slots.map { Int($0.slot) }
        case .keepers(let slots): slots.map { Int($0.slot) }
        case .holdings(_, let holdings), .retained(_, let holdings): holdings.map { Int($0.slot) }
        case .acknowledgeCopies(let positions): positions.map { Int($0.slot) }
        case .fetch(_, let slot), .append(_, let slot, _, _), .chunk(_, let slot, _), .acknowledge(_, let slot, _), .mismatch(_, let slot),
            .refused(_, let slot, _):
            [Int(slot)]
        }
    }
}
