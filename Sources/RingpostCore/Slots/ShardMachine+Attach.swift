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
        if epoch > self.epoch, !routes.isHere(slotIndex(slot)) {
            // This node is behind the asking edge. The edge would ask again only after a pause, and this node's ring is about to move on.
            if !waitingAttaches.waitForEpoch(.init(request: request, epoch: epoch, fromLink: fromLink)) { refuse(.retry) }
            return
        }
        if staleSlots.contains(slotIndex(slot)) {
            catchUp(slot, now: now, actions: &actions)
            processPending(now: now, actions: &actions)
        }
        switch routes[slotIndex(slot)] {
        case .here:
            attachHere(request, now: now, actions: &actions)
            processPending(now: now, actions: &actions)
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
        guard takeovers.contains(slot), waitingAttaches.hasRoom else {
            actions.append(.attached(request.address, .failure(.retry)))
            return
        }
        takeovers.wait(request)
        waitingAttaches.beginWaitForSlot()
        pull(slot, isUrgent: false, now: now, actions: &actions)
        processPending(now: now, actions: &actions)
    }

    /// A new epoch is in force: edges that knew it before this node are answered.
    mutating func answerEarlyAttaches(now: Moment, actions: inout [ShardAction]) {
        for early in waitingAttaches.removeEarly() {
            attach(early.request, epoch: early.epoch, fromLink: early.fromLink, now: now, actions: &actions)
        }
    }

    /// Answers at once only with messages that continue a cursor, which are true whoever the owner is. Any other answer could send a
    /// client back if this owner were a stale one, so the set has to confirm the term first.
    mutating func attachHere(_ request: AttachRequest, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(request.key.slot)
        guard log.isOwned(at: slotIndex) else {
            actions.append(.attached(request.address, .failure(.retry)))
            return
        }
        guard lease.mayAct(now) else {
            actions.append(.attached(request.address, .failure(.frozen)))
            return
        }
        let request = log.isServing(at: slotIndex) ? request.arriving(now: now.monotonic) : request
        let isKnown = log.mailboxes.mailboxIndex(of: request.key) != nil
        // For a channel that nobody has written to there is nothing to remember but the attachment, and that not before it stands. Of who only
        // reads a page nothing is remembered.
        let isSomebodyThere = request.stay != .page
        let mailboxIndex =
            isKnown || (request.key.kind == .user && isSomebodyThere)
            ? log.mailboxIndex(listening: request.key, boot: peers.me.boot, now: now.monotonic) : nil
        guard log.hasRoom, mailboxIndex != nil || request.key.kind == .channel || !isSomebodyThere else {
            actions.append(.attached(request.address, .failure(.overloaded)))
            return
        }
        if let mailboxIndex, isSomebodyThere { log.touch(mailboxIndex, isSeen: request.key.kind == .user, now: now) }
        if isKnown, let mailboxIndex, log.isServing(at: slotIndex),
            answerAtOnce(request, at: mailboxIndex, slotIndex, now: now, actions: &actions)
        {
            return
        }
        let entry: SlotEntry =
            if request.key.kind == .channel || !isSomebodyThere {
                .nothing
            } else if !isKnown, let mailboxIndex {
                .created(request.key, incarnation: log.mailboxes.incarnation(at: mailboxIndex))
            } else {
                .seen(request.key, at: now.wall)
            }
        append(entry, to: request.key.slot, waiter: .attach(request), now: now, actions: &actions)
    }

    /// - Returns: false where a step has to be confirmed before.
    private mutating func answerAtOnce(
        _ request: AttachRequest, at mailboxIndex: Int, _ slotIndex: Int, now: Moment, actions: inout [ShardAction]
    ) -> Bool {
        if log.commitsAtOnce(at: slotIndex) {
            answerAttach(request, now: now, actions: &actions)
            return true
        }
        if let load = log.mailboxes.load(for: request, at: mailboxIndex, now: now.monotonic) {
            guard request.start.continues(withGap: false) else { return false }
            read(load, for: request, isConfirmed: false, now: now, actions: &actions)
            return true
        }
        let reply = log.mailboxes.read(request, at: mailboxIndex, now: now.monotonic)
        guard !reply.messages.isEmpty, request.start.continues(withGap: reply.gap) else { return false }
        answerAttach(request, now: now, actions: &actions)
        return true
    }

    /// Answers an edge's question and attaches the address if it wants to stay and has caught up.
    mutating func answerAttach(_ request: AttachRequest, now: Moment, actions: inout [ShardAction]) {
        let mailboxIndex = log.mailboxes.mailboxIndex(of: request.key)
        if let mailboxIndex, let load = log.mailboxes.load(for: request, at: mailboxIndex, now: now.monotonic) {
            return read(load, for: request, isConfirmed: true, now: now, actions: &actions)
        }
        let reply =
            mailboxIndex.map { log.mailboxes.read(request, at: $0, now: now.monotonic) }
            ?? log.mailboxes.readUnwritten(request, now: now.monotonic)
        give(reply, to: request, at: mailboxIndex, now: now, actions: &actions)
    }

    /// - Parameter mailboxIndex: `nil` where nobody has written to the name, and nobody listens.
    mutating func give(
        _ reply: AttachReply, to request: AttachRequest, at mailboxIndex: Int?, now: Moment, actions: inout [ShardAction]
    ) {
        var mailboxIndex = mailboxIndex
        if reply.isLive, mailboxIndex == nil {
            mailboxIndex = log.mailboxIndex(listening: request.key, boot: peers.me.boot, now: now.monotonic)
        }
        if reply.isLive, mailboxIndex == nil { log.noteRefusal(of: request.key) }
        if reply.isLive, mailboxIndex.map({ log.attach(request.address, at: $0) }) != true {
            actions.append(.attached(request.address, .failure(.overloaded)))
            return
        }
        actions.append(.attached(request.address, .success(reply)))
    }

    /// Ends an attachment, or the wish for one.
    public mutating func detach(_ address: ReturnAddress, from key: Key, now: Moment) {
        if log.detach(address, from: key, now: now) { departures.append(key) }
        presences.remove(address, on: key, now: now.monotonic)
        waitingAttaches.forgetEarly(address)
        olderReads.forget(address)
        forgetAttaches(inSlot: key.slot) { $0.address == address }
    }

    /// An accepted link connection is gone, and with it all its attachments and questions.
    public mutating func connectionEnded(_ connectionID: UInt32, now: Moment) {
        departures.append(contentsOf: log.detachAll(connectionID: connectionID, now: now))
        presences.removeAll(connectionID: connectionID, now: now.monotonic)
        waitingAttaches.forgetEarly(connectionID: connectionID)
        olderReads.forget(connectionID: connectionID)
        for slotIndex in log.slotIndices { log.forgetAttaches(at: slotIndex) { $0.address.connectionID == connectionID } }
        for slot in Array(takeovers.slots) { forgetAttaches(inSlot: slot) { $0.address.connectionID == connectionID } }
        parked.forget(connectionID: connectionID)
        snapshots.removeAll(connectionID: connectionID)
    }

    private mutating func forgetAttaches(inSlot slot: Int, where condition: (AttachRequest) -> Bool) {
        waitingAttaches.endWaitForSlot(takeovers.forgetAttaches(slot, where: condition))
        log.forgetAttaches(at: slotIndex(slot), where: condition)
    }
}

extension AttachStart {
    /// Whether messages that answer it are true whoever the owner is. Before a cursor they are the same whatever else was lost.
    func continues(withGap gap: Bool) -> Bool {
        switch self {
        case .after: !gap
        case .before: true
        case .now, .earliest, .newest: false
        }
    }
}
