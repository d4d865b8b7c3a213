// How this node becomes the owner of a slot: it asks every member for its copy, which fences all lower terms there, takes
// the best, and has it confirmed under its own term before anything of it is shown.
import HashRing

extension ShardMachine {
    /// Begins a term in slots that this node is to own from now on, each as soon as its turn comes.
    mutating func begin(_ begun: [Int], now: Moment, actions: inout [ShardAction]) {
        if begun.isEmpty { return }
        let others = has(.promoteWithoutAsking) ? [] : peersByMember.filter { $0 >= 0 }
        takeovers.reserveCapacity(takeovers.count + begun.count)
        for slot in begun {
            slots[slotIndex(slot)].fence = epoch
            fills[slot] = nil
            takeovers[slot] = SlotTakeover(term: epoch, unanswered: others)
        }
        // Nobody to ask, nothing to send.
        if others.isEmpty { return start(begun, now: now, actions: &actions) }
        for slot in begun { queue.append(slot, slotsMax: slots.count) }
        startQueued(now: now, actions: &actions)
    }

    /// All that has its turn now.
    mutating func move(now: Moment, actions: inout [ShardAction]) {
        startQueued(now: now, actions: &actions)
        mirrorQueued(now: now, actions: &actions)
        for peer in peers.indices { pump(peer, now: now, actions: &actions) }
    }

    /// As many as may have their turn now.
    private mutating func startQueued(now: Moment, actions: inout [ShardAction]) {
        var turn: [Int] = []
        while movesLeft > 0, let slot = queue.popFirst() {
            // One that has to begin is put in when it has been looked at, not from here.
            if takeovers[slot]?.isQueued == true { catchUp(slot, now: now, actions: &actions) }
            guard takeovers[slot]?.isQueued == true else { continue }
            movesLeft -= 1
            turn.append(slot)
        }
        start(turn, now: now, actions: &actions)
        if !queue.isEmpty { moveSoon(actions: &actions) }
    }

    private mutating func start(_ turn: [Int], now: Moment, actions: inout [ShardAction]) {
        if turn.isEmpty { return }
        for slot in turn { takeovers[slot]?.phase = .asking }
        for peer in peersByMember where peer >= 0 {
            ask(peer, about: turn.filter { takeovers[$0]?.unanswered.contains(peer) == true }, actions: &actions)
        }
        for slot in turn { decide(slot, now: now, actions: &actions) }
    }

    mutating func moveSoon(actions: inout [ShardAction]) {
        if isMovingSoon { return }
        isMovingSoon = true
        actions.append(.moveSoon)
    }

    /// Nothing has waited for its turn lately: whatever comes now begins with a small lot.
    private mutating func restMoves() {
        moveLots = 0
        movesLeft = min(limits.slots.movesAtFirst, limits.slots.movesMax)
    }

    /// The pause that ``ShardAction/moveSoon`` has asked for is over: what waits for its turn goes on.
    public mutating func onMoves(now: Moment, actions: inout [ShardAction]) {
        isMovingSoon = false
        moveLots += 1
        movesLeft = min(limits.slots.movesAtFirst + moveLots / SlotLimits.movesGrowth, limits.slots.movesMax)
        move(now: now, actions: &actions)
        if !isMovingSoon { restMoves() }
        settle(now: now, actions: &actions)
    }

    /// One question lists many slots; all of one term.
    mutating func ask(_ peer: Int, about asked: [Int], actions: inout [ShardAction]) {
        guard peers[peer].link != nil else { return }
        var byTerm: [UInt64: [UInt16]] = [:]
        for slot in asked { byTerm[takeovers[slot]?.term ?? epoch, default: []].append(UInt16(slot)) }
        for (term, slots) in byTerm.sorted(by: { $0.key < $1.key }) {
            for start in stride(from: 0, to: slots.count, by: limits.slots.slotsPerFrameMax) {
                let part = Array(slots[start..<min(start + limits.slots.slotsPerFrameMax, slots.count)])
                send(.inquire(term: term, slots: part), to: peer, actions: &actions)
            }
        }
    }

    mutating func onHoldings(_ holdings: [SlotHolding], term: UInt64, from peer: Int, now: Moment, actions: inout [ShardAction]) {
        for holding in holdings {
            let slot = Int(holding.slot)
            guard let inheritance = takeovers[slot], inheritance.term == term,
                let found = inheritance.unanswered.firstIndex(of: peer)
            else { continue }
            takeovers[slot]?.unanswered.remove(at: found)
            switch holding.content {
            case .copy(let term, let position):
                takeovers[slot]?.found.append((peer, SlotCopy(state: .complete, term: term, position: position)))
            case .none(let vacant, let quiet):
                takeovers[slot]?.vacantFor = max(inheritance.vacantFor, vacant)
                if quiet < .max { takeovers[slot]?.lastSuccession = max(inheritance.lastSuccession, now.monotonic - quiet) }
            }
            decide(slot, now: now, actions: &actions)
        }
    }

    /// Members that have left need not answer, and what they had is gone with them.
    mutating func forgetLeavers(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        takeovers[slot]?.unanswered.removeAll { !peers[$0].isMember }
        takeovers[slot]?.found.removeAll { !peers[$0.peer].isMember }
        if case .fetching(let from, _) = takeovers[slot]?.phase, !peers[from].isMember { startOver(slot) }
        decide(slot, now: now, actions: &actions)
    }

    /// The best copy could not be had: the next best will do, if there is one.
    private mutating func startOver(_ slot: Int) {
        takeovers[slot]?.phase = .asking
        takeovers[slot]?.pieces = []
    }

    /// Once each member has answered or left: of the complete copies that of the highest term, of these the longest.
    private mutating func decide(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        guard let inheritance = takeovers[slot], case .asking = inheritance.phase, inheritance.unanswered.isEmpty else { return }
        let own = slots[slotIndex(slot)].copy
        let best = inheritance.found.max { one, other in (one.copy.term, one.copy.position) < (other.copy.term, other.copy.position) }
        if own.state == .complete, best.map({ (own.term, own.position) >= ($0.copy.term, $0.copy.position) }) ?? true {
            become(slot, now: now, actions: &actions)
        } else if let best, best.copy.position == 0 {
            // Nothing was ever written: there is nothing to fetch.
            store.drop(slot: slot)
            slots[slotIndex(slot)].copy = best.copy
            become(slot, now: now, actions: &actions)
        } else if let best {
            takeovers[slot]?.phase = .fetching(from: best.peer, isAsked: false)
            if inheritance.isPulled {
                fetch(slot, actions: &actions)
            } else {
                peers[best.peer].fetches.append(slot)
                pump(best.peer, now: now, actions: &actions)
            }
        } else {
            let known = slots[slotIndex(slot)].vacantSince ?? now.monotonic
            let since = min(known, now.monotonic - inheritance.vacantFor)
            slots[slotIndex(slot)].vacantSince = since
            takeovers[slot]?.phase = .vacant(since: since)
            vacant.insert(slotIndex(slot))
            considerVacant(slot, now: now, actions: &actions)
        }
    }

    // MARK: The best copy

    mutating func fetch(_ slot: Int, actions: inout [ShardAction]) {
        guard let inheritance = takeovers[slot], case .fetching(let peer, false) = inheritance.phase, peers[peer].link != nil else {
            return
        }
        takeovers[slot]?.phase = .fetching(from: peer, isAsked: true)
        peers[peer].fetchesUnderWay.insert(slot)
        send(.fetch(term: inheritance.term, slot: UInt16(slot)), to: peer, actions: &actions)
    }

    mutating func onPiece(_ piece: SnapshotChunk?, of slot: Int, term: UInt64, from peer: Int, now: Moment, actions: inout [ShardAction]) {
        guard let inheritance = takeovers[slot], inheritance.term == term, case .fetching(peer, true) = inheritance.phase else {
            return
        }
        guard let piece else {
            peers[peer].fetchesUnderWay.remove(slot)
            takeovers[slot]?.found.removeAll { $0.peer == peer }
            startOver(slot)
            decide(slot, now: now, actions: &actions)
            pump(peer, now: now, actions: &actions)
            return
        }
        if piece.isFirst { takeovers[slot]?.pieces = [] } else if inheritance.pieces.isEmpty { return }
        takeovers[slot]?.pieces.append(piece)
        guard piece.isLast else { return }
        peers[peer].fetchesUnderWay.remove(slot)
        // Only now: the own copy, worse as it was, might have been all that was left.
        store.replace(slot: slot, with: takeovers[slot]?.pieces ?? [], now: now.monotonic)
        slots[slotIndex(slot)].copy = SlotCopy(state: .complete, term: piece.base, position: piece.position)
        become(slot, now: now, actions: &actions)
        pump(peer, now: now, actions: &actions)
    }

    // MARK: Nobody has a copy

    /// Some at a time: a cluster that was wiped out has nobody's copy of any slot.
    mutating func considerVacant(now: Moment, actions: inout [ShardAction]) {
        if vacant.isEmpty {
            vacantFrom = 0
            return
        }
        if ruling == nil { return askRoster(now: now, actions: &actions) }
        guard vacantFrom > 0 || now.monotonic >= vacantDueAt else { return }
        if vacantFrom == 0 { vacantDueAt = .max }
        for _ in 0..<limits.slots.looksMax {
            guard let slotIndex = vacant.first(from: vacantFrom) else {
                vacantFrom = 0
                return
            }
            vacantFrom = slotIndex + 1
            considerVacant(slot(at: slotIndex), now: now, actions: &actions)
        }
        scheduleEpochWork(actions: &actions)
    }

    private mutating func askRoster(now: Moment, actions: inout [ShardAction]) {
        if let askedAt = rosterAskedAt, now.monotonic - askedAt < limits.slots.rosterRetryMilliseconds { return }
        rosterAskedAt = now.monotonic
        actions.append(.askRoster)
    }

    /// Somebody who can't be asked might still act as the owner: not before that is impossible does the slot begin anew.
    private mutating func considerVacant(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        catchUp(slot, now: now, actions: &actions)
        guard let inheritance = takeovers[slot], case .vacant(let since) = inheritance.phase, let view else { return }
        guard let ruling else { return askRoster(now: now, actions: &actions) }
        let document = view.document
        let quiet = Int64(document.sessionTimeoutMilliseconds + document.heartbeatTimeoutMilliseconds)
        let succession = max(inheritance.lastSuccession, succeededAt ?? .min)
        let dueAt = max(since + ruling, succession == .min ? .min : succession + quiet)
        guard now.monotonic >= dueAt else {
            vacantDueAt = min(vacantDueAt, dueAt)
            return
        }
        store.drop(slot: slot)
        slots[slotIndex(slot)].copy = SlotCopy(state: .complete, term: inheritance.term, position: 0)
        become(slot, now: now, actions: &actions)
    }

    /// What the roster says: for how long a slot of which nobody has a copy must be waited for.
    ///
    /// - Parameters:
    ///   - waitMilliseconds: 0, S + H or S + H + M; `nil` when the roster could not be read.
    ///   - askedAt: the epoch in which that was asked. What was so then may not be so now: who was no member yet, and seemed to be somebody who
    ///     can't be asked, may be one, and a member may have gone. It is asked anew.
    ///   - now: the present time.
    ///   - actions: gets what follows.
    public mutating func onRoster(
        waitMilliseconds: Int64?, askedAt epoch: UInt64, now: Moment, actions: inout [ShardAction]
    ) {
        guard let waitMilliseconds, epoch == self.epoch else { return }
        ruling = waitMilliseconds
        (vacantDueAt, vacantFrom) = (.min, 0)
        considerVacant(now: now, actions: &actions)
        settle(now: now, actions: &actions)
    }

    // MARK: The owner

    /// The history is here: now it must be confirmed under this term by all who might go on from another copy.
    private mutating func become(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        guard let inheritance = takeovers.removeValue(forKey: slot) else { return }
        let slotIndex = slotIndex(slot)
        vacant.remove(slotIndex)
        let best = slots[slotIndex].copy
        slots[slotIndex].copy.term = inheritance.term
        slots[slotIndex].vacantSince = nil
        store.showAll(slot: slot)
        var owner = Ownership(term: inheritance.term, base: best.position, baseTerm: best.term)
        owner.holders = inheritance.found.map { peer, copy in
            Holder(peer: peer, isInSet: true, isSame: copy.term == best.term && copy.position == best.position)
        }
        slots[slotIndex].owner = owner
        routes[slotIndex] = .here
        updateHolders(slot, now: now, actions: &actions)
        if inheritance.isPulled { pull(slot, now: now, actions: &actions) }
        waitingAttaches -= inheritance.attaches.count
        for request in inheritance.attaches { attachHere(request, now: now, actions: &actions) }
        ready.append(slot)
    }

    /// Somebody wants something of a slot that is not ready: it goes before the queue, at once if that is a publish.
    mutating func pull(_ slot: Int, isUrgent: Bool = true, now: Moment, actions: inout [ShardAction]) {
        catchUp(slot, now: now, actions: &actions)
        if let inheritance = takeovers[slot] {
            takeovers[slot]?.isPulled = true
            if !inheritance.isQueued {
                fetch(slot, actions: &actions)
            } else if isUrgent {
                start([slot], now: now, actions: &actions)
            } else if !inheritance.isPulled {
                queue.prepend(slot)
            }
            return
        }
        guard let holders = slots[slotIndex(slot)].owner?.holders else { return }
        for number in holders.indices where holders[number].state == .waiting {
            sendCopy(of: slot, toHolder: number, now: now, actions: &actions)
        }
    }
}
