// How this node becomes the owner of a slot: it asks every member for its copy, which fences all lower terms there, goes on from the
// best, and has it confirmed under its own term before anything of it is shown.
import HashRing

extension ShardMachine {
    /// Begins a term in slots that this node is to own from now on, each as soon as its turn comes.
    mutating func begin(_ begun: [Int], now: Moment, actions: inout [ShardAction]) {
        if begun.isEmpty { return }
        let others = has(.promoteWithoutAsking) ? [] : peers.others
        takeovers.reserve(begun.count)
        for slot in begun {
            log.setFence(epoch, at: slotIndex(slot))
            snapshots.remove(slot)
            takeovers.begin(slot, term: epoch, unanswered: others)
        }
        // Nobody to ask, nothing to send.
        if others.isEmpty { return start(begun, now: now, actions: &actions) }
        for slot in begun { moves.appendBeginning(slot) }
        startQueued(now: now, actions: &actions)
    }

    /// All that has its turn now.
    mutating func move(now: Moment, actions: inout [ShardAction]) {
        startQueued(now: now, actions: &actions)
        mirrorQueued(now: now, actions: &actions)
        for peer in 0..<peers.count { pump(peer, now: now, actions: &actions) }
    }

    /// As many as may have their turn now.
    private mutating func startQueued(now: Moment, actions: inout [ShardAction]) {
        var turn: [Int] = []
        while moves.left > 0, let slot = moves.popBeginning() {
            // A stale slot that has to begin is put in when it has been brought up to the epoch, not from here.
            if takeovers.isQueued(slot) { catchUp(slot, now: now, actions: &actions) }
            guard takeovers.isQueued(slot) else { continue }
            moves.spend()
            turn.append(slot)
        }
        start(turn, now: now, actions: &actions)
        if !moves.beginning.isEmpty { scheduleMoves(actions: &actions) }
    }

    private mutating func start(_ turn: [Int], now: Moment, actions: inout [ShardAction]) {
        if turn.isEmpty { return }
        for slot in turn { takeovers.ask(slot) }
        for peer in peers.others { ask(peer, about: turn.filter { takeovers.isUnanswered($0, by: peer) }, actions: &actions) }
        for slot in turn { decide(slot, now: now, actions: &actions) }
    }

    mutating func scheduleMoves(actions: inout [ShardAction]) {
        if moves.schedulePause() { actions.append(.moveSoon) }
    }

    /// The pause that ``ShardAction/moveSoon`` has asked for is over: slots that wait for their turn go on.
    public mutating func onMoves(now: Moment, actions: inout [ShardAction]) {
        moves.beginLot()
        move(now: now, actions: &actions)
        moves.endLot()
        processPending(now: now, actions: &actions)
    }

    /// One question lists many slots; all of one term.
    mutating func ask(_ peer: Int, about asked: [Int], actions: inout [ShardAction]) {
        guard peers.isLinked(peer) else { return }
        var byTerm: [UInt64: [UInt16]] = [:]
        for slot in asked { byTerm[takeovers[slot]?.term ?? epoch, default: []].append(UInt16(slot)) }
        for (term, slots) in byTerm.sorted(by: { $0.key < $1.key }) {
            for start in stride(from: 0, to: slots.count, by: limits.slots.slotsPerFrameMax) {
                let part = Array(slots[start..<min(start + limits.slots.slotsPerFrameMax, slots.count)])
                peers.send(.inquire(term: term, slots: part), to: peer, actions: &actions)
            }
        }
    }

    mutating func onHoldings(_ holdings: [SlotHolding], term: UInt64, from peer: Int, now: Moment, actions: inout [ShardAction]) {
        for holding in holdings {
            let slot = Int(holding.slot)
            if takeovers.answer(slot, term: term, by: peer, holding.content, now: now.monotonic) {
                decide(slot, now: now, actions: &actions)
            }
        }
    }

    /// Members that have left need not answer, and who has come is asked too.
    mutating func membersChanged(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        takeovers.forgetLeavers(slot, isMember: peers.isMember)
        if !has(.promoteWithoutAsking), let term = takeovers[slot]?.term {
            for peer in takeovers.addNewcomers(slot, among: peers.others) {
                peers.send(.inquire(SlotTerm(slot: UInt16(slot), term: term)), to: peer, actions: &actions)
            }
        }
        decide(slot, now: now, actions: &actions)
    }

    /// Whether nobody can have more than the best copy that was found, or the longest of those that certainly have all of it.
    ///
    /// - Parameters:
    ///   - own: this node's copy.
    ///   - best: the complete copy of the highest term, of these the longest, or own or another's.
    private func isCertain(_ takeover: SlotTakeover, own: SlotCopy, best: SlotCopy) -> Bool {
        // a. Who has accepted an owner's frame under its present boot, and has not been released, was in every set since.
        if own.state == .complete && own.isCurrent || takeover.found.contains(where: \.copy.isCurrent) { return true }
        // b. Whoever of its set came to hear of another one has said so.
        guard let known = best.evidence, !best.set.lineages.isEmpty else { return false }
        if let newest = [own.evidence, takeover.evidence].compactMap({ $0 }).max(), newest > known { return false }
        if has(.bestIsCertain) { return true }
        let answered = takeover.answered.map { peers.lineages[$0] }
        return best.set.lineages.allSatisfy { $0 == peers.lineage || answered.contains($0) }
    }

    /// Once each member has answered or left: of the complete copies that of the highest term, of these the longest, if that is certainly
    /// the best there is.
    private mutating func decide(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        guard let takeover = takeovers[slot], case .asking = takeover.phase, takeover.unanswered.isEmpty else { return }
        let slotIndex = slotIndex(slot)
        let own = log.copy(at: slotIndex)
        var best = takeover.best
        if own.state == .complete, best.map({ own.rank >= $0.copy.rank }) ?? true { best = (-1, own) }
        if let best, isCertain(takeover, own: own, best: best.copy) {
            takeovers.setFormer(slot, own.state == .complete && own.isCurrent)
            goOn(slot, from: best, now: now, actions: &actions)
        } else {
            let since = min(log.vacantSince(at: slotIndex) ?? now.monotonic, now.monotonic - takeover.vacantFor)
            log.setVacant(since: since, at: slotIndex)
            takeovers.setVacant(slot, since: since)
            vacancy.insert(slotIndex)
            considerVacant(slot, now: now, actions: &actions)
        }
    }

    /// - Parameter best: the copy to go on from; this node's own, if its peer is below 0.
    private mutating func goOn(_ slot: Int, from best: (peer: Int, copy: SlotCopy), now: Moment, actions: inout [ShardAction]) {
        guard let takeover = takeovers[slot] else { return }
        if log.unloaded.contains(slotIndex(slot)), best.peer < 0 || best.copy.position > 0 {
            takeovers.setLoading(slot, isBest: best.peer < 0)
            load(slot, isUrgent: takeover.isPulled, actions: &actions)
        } else if best.peer < 0 {
            become(slot, now: now, actions: &actions)
        } else if best.copy.position == 0 {
            // Nothing was ever written: there is nothing to fetch.
            log.replaceCopy(byEmpty: best.copy, at: slotIndex(slot))
            become(slot, now: now, actions: &actions)
        } else {
            takeovers.setSource(slot, best.peer)
            if takeover.isPulled {
                fetch(slot, actions: &actions)
            } else {
                copies.appendFetch(slot, from: best.peer)
                pump(best.peer, now: now, actions: &actions)
            }
        }
    }

    // MARK: The best copy

    mutating func fetch(_ slot: Int, actions: inout [ShardAction]) {
        guard let takeover = takeovers[slot], case .fetching(let peer, false) = takeover.phase, peers.isLinked(peer) else { return }
        takeovers.askForCopy(slot, peer)
        copies.beginFetch(slot, from: peer)
        peers.send(.fetch(term: takeover.term, slot: UInt16(slot)), to: peer, actions: &actions)
    }

    mutating func onChunk(_ chunk: SnapshotChunk?, of slot: Int, term: UInt64, from peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard takeovers.isAwaited(slot, term: term, from: peer) else { return }
        if let chunk {
            guard let chunks = takeovers.receive(chunk, of: slot) else { return }
            copies.endFetch(slot, from: peer)
            // Only now: the own copy, worse as it was, might have been all that was left.
            log.replaceCopy(by: chunks, term: chunk.base, isCurrent: false, at: slotIndex(slot), now: now.monotonic)
            become(slot, now: now, actions: &actions)
        } else {
            copies.endFetch(slot, from: peer)
            takeovers.forgetCopy(of: slot, on: peer)
            decide(slot, now: now, actions: &actions)
        }
        pump(peer, now: now, actions: &actions)
    }

    /// The own copy, on which it was decided, can't be read; or somebody has come with one.
    mutating func decideAnew(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        takeovers.startOver(slot)
        decide(slot, now: now, actions: &actions)
    }

    // MARK: Nobody has a copy

    /// Some at a time: after the whole cluster was lost, nobody has a copy of any slot.
    mutating func considerVacant(now: Moment, actions: inout [ShardAction]) {
        if vacancy.asksAgain(now: now.monotonic) { actions.append(.askRoster) }
        switch vacancy.pass(now: now.monotonic) {
        case .nothing: return
        case .needsRoster: return askRoster(now: now, actions: &actions)
        case .look: break
        }
        for _ in 0..<limits.slots.looksMax {
            guard let slotIndex = vacancy.next() else { return }
            considerVacant(layout.slot(at: slotIndex), now: now, actions: &actions)
        }
        scheduleEpochWork(actions: &actions)
    }

    private mutating func askRoster(now: Moment, actions: inout [ShardAction]) {
        if vacancy.asksRoster(now: now.monotonic) { actions.append(.askRoster) }
    }

    /// A member that can't be asked might still act as the owner: not before that is impossible does the slot begin anew.
    private mutating func considerVacant(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        catchUp(slot, now: now, actions: &actions)
        guard let takeover = takeovers[slot], case .vacant(let since) = takeover.phase, let document = peers.view?.document else { return }
        let isDue = vacancy.isDue(
            since: since, succession: takeover.lastSuccession, quietMilliseconds: Int64(document.vacancyMillisecondsMin),
            recoveryMilliseconds: Int64(document.recoveryMilliseconds), now: now.monotonic)
        guard let isDue else { return askRoster(now: now, actions: &actions) }
        guard isDue else { return }
        log.replaceCopy(byEmpty: SlotCopy(state: .complete, term: takeover.term, position: 0), at: slotIndex(slot))
        become(slot, now: now, actions: &actions)
    }

    /// What the roster says: for how long a slot of which nobody has a copy must be waited for.
    ///
    /// - Parameters:
    ///   - waitMilliseconds: 0, S + H or S + H + M; `nil` when the roster could not be read.
    ///   - askedAt: the epoch in which that was asked. In another epoch the answer counts for nothing, and the roster is asked anew: a boot
    ///     that seemed to be somebody who can't be asked may have become a member since, and a member may have gone.
    ///   - now: the present time.
    ///   - actions: gets what follows.
    public mutating func onRoster(
        waitMilliseconds: Int64?, askedAt epoch: UInt64, now: Moment, actions: inout [ShardAction]
    ) {
        guard let waitMilliseconds, epoch == self.epoch else { return }
        vacancy.setWait(milliseconds: waitMilliseconds)
        considerVacant(now: now, actions: &actions)
        processPending(now: now, actions: &actions)
    }

    // MARK: The owner

    /// The history is here: now it must be confirmed under this term by all who might go on from another copy.
    mutating func become(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        guard let takeover = takeovers.remove(slot) else { return }
        let slotIndex = slotIndex(slot)
        vacancy.remove(slotIndex)
        log.beginTerm(
            takeover.term, lineage: peers.lineage, found: takeover.found.map { ($0.peer, $0.copy, peers.lineages[$0.peer]) },
            isFormer: takeover.isFormer, at: slotIndex, now: now.monotonic)
        routes.set(.here, at: slotIndex)
        updateHolders(slot, now: now, actions: &actions)
        if takeover.isPulled { pull(slot, now: now, actions: &actions) }
        waitingAttaches.endWaitForSlot(takeover.attaches.count)
        for request in takeover.attaches { attachHere(request, now: now, actions: &actions) }
        publishes.slotIsReady(slot)
    }

    /// A request waits for a slot that is not ready: the slot goes before the queue, at once if the request is a publish.
    mutating func pull(_ slot: Int, isUrgent: Bool = true, now: Moment, actions: inout [ShardAction]) {
        catchUp(slot, now: now, actions: &actions)
        if let takeover = takeovers[slot] {
            takeovers.pull(slot)
            if case .loading = takeover.phase {
                load(slot, isUrgent: true, actions: &actions)
            } else if !takeover.isQueued {
                fetch(slot, actions: &actions)
            } else if isUrgent {
                start([slot], now: now, actions: &actions)
            } else if !takeover.isPulled {
                moves.prependBeginning(slot)
            }
            return
        }
        // This node was alone until now: the slot's turn to get a mirror may not have come.
        if log.isOwned(at: slotIndex(slot)), log.holders(at: slotIndex(slot)).isEmpty { updateHolders(slot, now: now, actions: &actions) }
        for (number, holder) in log.holders(at: slotIndex(slot)).enumerated() where holder.state == .waiting {
            sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
        }
    }
}
