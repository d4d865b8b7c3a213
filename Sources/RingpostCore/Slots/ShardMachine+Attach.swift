// Attachments: to mailboxes here, or on their way to the owner.
import HashRing

extension ShardMachine {
    /// An edge asks for what a socket has not seen.
    ///
    /// - Parameters:
    ///   - request: the question; the answer comes by ``ShardAction/attached(_:_:)``, from here or from the owner.
    ///   - epoch: the asking edge's.
    ///   - fromLink: another node asks; then this one has to be the owner.
    ///   - now: the present time.
    ///   - actions: gets the answer, or the question on its way to the owner.
    public mutating func attach(
        _ request: AttachRequest, epoch: UInt64, fromLink: Bool, now: Moment, actions: inout [ShardAction]
    ) {
        let slot = request.key.slot
        func refuse(_ problem: Problem) { actions.append(.attached(request.address, .failure(problem))) }
        if epoch > self.epoch, routes[slotIndex(slot)] != .here {
            // Behind the asking edge. It would ask again only after a pause, and this node's ring is about to move on.
            guard waitingAttaches < limits.slots.attachesMax else { return refuse(.retry) }
            earlyAttaches.append((request, epoch, fromLink))
            earlyAddresses.insert(request.address)
            waitingAttaches += 1
            return
        }
        if staleSlots.contains(slotIndex(slot)) {
            catchUp(slot, now: now, actions: &actions)
            settle(now: now, actions: &actions)
        }
        switch routes[slotIndex(slot)] {
        case .here:
            attachHere(request, now: now, actions: &actions)
            settle(now: now, actions: &actions)
        case .preparing: wait(request, now: now, actions: &actions)
        case .peer(let link) where !fromLink: actions.append(.attach(peer: link, request, epoch: self.epoch))
        case .peer: refuse(.retry)
        case .unreachable: refuse(fromLink ? .retry : .ownerUnreachable)
        case .nobody: refuse(.noOwner)
        }
    }

    /// The slot's history is on its way: the attachment waits for it, and makes it come sooner.
    private mutating func wait(_ request: AttachRequest, now: Moment, actions: inout [ShardAction]) {
        let slot = request.key.slot
        guard takeovers[slot] != nil, waitingAttaches < limits.slots.attachesMax else {
            actions.append(.attached(request.address, .failure(.retry)))
            return
        }
        takeovers[slot]?.attaches.append(request)
        waitingAttaches += 1
        pull(slot, isUrgent: false, now: now, actions: &actions)
        settle(now: now, actions: &actions)
    }

    /// A new epoch is in force: who was ahead of this node is answered.
    mutating func answerEarlyAttaches(now: Moment, actions: inout [ShardAction]) {
        if earlyAttaches.isEmpty { return }
        let early = earlyAttaches
        earlyAttaches = []
        earlyAddresses = []
        waitingAttaches -= early.count
        for (request, epoch, fromLink) in early { attach(request, epoch: epoch, fromLink: fromLink, now: now, actions: &actions) }
    }

    /// Answers at once what can only be true: messages that continue a cursor. Everything else could send a client back if this
    /// owner were a stale one, so the set has to confirm the term first.
    mutating func attachHere(_ request: AttachRequest, now: Moment, actions: inout [ShardAction]) {
        let slot = request.key.slot
        guard let owner = slots[slotIndex(slot)].owner else {
            actions.append(.attached(request.address, .failure(.retry)))
            return
        }
        guard mayAct(now) else {
            actions.append(.attached(request.address, .failure(.frozen)))
            return
        }
        let isKnown = store.mailboxIndices[request.key] != nil
        guard mayLog, let box = store.mailboxIndex(creating: request.key, fresh: drawIncarnation(), now: now.monotonic)
        else {
            actions.append(.attached(request.address, .failure(.overloaded)))
            return
        }
        store.touch(box, now: now.monotonic)
        if request.key.kind == .user { store.boxes[box].lastSeen = now.wall }
        if isKnown, owner.isServing {
            let reply = store.read(request, at: box, now: now.monotonic)
            let onlyContinues = !reply.gap && !reply.messages.isEmpty && request.start.isCursor
            if owner.holders.isEmpty && owner.waiting.isEmpty || onlyContinues {
                answerAttach(request, now: now, actions: &actions)
                return
            }
        }
        let entry: SlotEntry =
            if !isKnown {
                .created(request.key, incarnation: store.boxes[box].incarnation)
            } else if request.key.kind == .user {
                .seen(request.key, at: now.wall)
            } else {
                .nothing
            }
        log(entry, in: slot, waiter: .attach(request), now: now, actions: &actions)
    }

    /// Answers an edge's question and attaches the address if it wants to stay and has caught up.
    mutating func answerAttach(_ request: AttachRequest, now: Moment, actions: inout [ShardAction]) {
        guard let box = store.mailboxIndices[request.key] else {
            actions.append(.attached(request.address, .failure(.retry)))
            return
        }
        let reply = store.read(request, at: box, now: now.monotonic)
        if reply.isLive, !store.attach(request.address, at: box) {
            actions.append(.attached(request.address, .failure(.overloaded)))
            return
        }
        actions.append(.attached(request.address, .success(reply)))
    }

    /// Ends an attachment, or the wish for one.
    public mutating func detach(_ address: ReturnAddress, from key: Key, now: Moment) {
        if store.detach(address, from: key, now: now) { departures.append(key) }
        endPresence(of: address, on: key, now: now)
        if earlyAddresses.remove(address) != nil { forgetEarlyAttaches { $0.address == address } }
        forgetAttaches(inSlot: key.slot) { $0.address == address }
    }

    /// An accepted link connection is gone, and with it all its attachments and questions.
    public mutating func connectionEnded(_ connectionID: UInt32, now: Moment) {
        departures += store.detachAll(connectionID: connectionID, now: now)
        endPresences(connectionID: connectionID, now: now)
        forgetEarlyAttaches { $0.address.connectionID == connectionID }
        for slotIndex in slots.indices where slots[slotIndex].owner?.waiting.isEmpty == false {
            forgetAttaches(inSlot: slot(at: slotIndex)) { $0.address.connectionID == connectionID }
        }
        for slot in takeovers.keys { forgetAttaches(inSlot: slot) { $0.address.connectionID == connectionID } }
        forgetParked(of: connectionID)
        fills = fills.filter { $0.value.connectionID != connectionID }
    }

    private mutating func forgetEarlyAttaches(where condition: (AttachRequest) -> Bool) {
        if earlyAttaches.isEmpty { return }
        waitingAttaches -= earlyAttaches.count
        earlyAttaches.removeAll { condition($0.request) }
        waitingAttaches += earlyAttaches.count
    }

    private mutating func forgetAttaches(inSlot slot: Int, where condition: (AttachRequest) -> Bool) {
        if let inheritance = takeovers[slot], !inheritance.attaches.isEmpty {
            takeovers[slot]?.attaches.removeAll(where: condition)
            waitingAttaches -= inheritance.attaches.count - (takeovers[slot]?.attaches.count ?? 0)
        }
        let slotIndex = slotIndex(slot)
        guard slots[slotIndex].owner?.waiting.isEmpty == false else { return }
        slots[slotIndex].owner?.waiting.removeAll { waiting in
            guard case .attach(let request) = waiting.waiter else { return false }
            return condition(request)
        }
    }
}

extension AttachStart {
    fileprivate var isCursor: Bool { if case .after = self { true } else { false } }
}
