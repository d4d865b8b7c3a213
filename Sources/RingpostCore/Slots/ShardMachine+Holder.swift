// The holder's side of a slot: the questions and frames of owners, and the answers to them. And the owner's side of these answers.
import HashRing

extension ShardMachine {
    /// A frame of a peer that has dialled this node.
    ///
    /// - Parameters:
    ///   - frame: what it says.
    ///   - member: who it is, by the connection's handshake.
    ///   - connectionID: names the connection; the answer goes there.
    ///   - now: the present time.
    ///   - actions: gets the answer, now or once this node knows the frame's epoch.
    public mutating func onRequest(
        _ frame: SlotFrame, from member: MemberIdentity, connectionID: UInt32, now: Moment, actions: inout [ShardAction]
    ) {
        if frame.epoch > epoch {
            park(frame, from: member, connectionID: connectionID, actions: &actions)
            return
        }
        catchUp(with: frame, now: now, actions: &actions)
        let sender = Sender(member: member, connectionID: connectionID)
        switch frame {
        case .inquire(let term, let asked): onInquire(asked, term: term, from: sender, now: now, actions: &actions)
        case .adopt(let adoptions): adopt(adoptions, from: sender, now: now, actions: &actions)
        case .snapshots(let transfers): receive(transfers, from: sender, now: now, actions: &actions)
        case .release(let released): release(released, from: sender, actions: &actions)
        case .keepers(let keepers): setKeepers(keepers, from: sender, actions: &actions)
        case .retained(_, let holdings): onRetained(holdings, from: sender.member, now: now, actions: &actions)
        case .fetch(let term, let slot):
            if accepts(Int(slot), term: term, from: sender, actions: &actions) {
                sendChunks(of: Int(slot), term: term, connectionID: connectionID, now: now, actions: &actions)
            }
        case .append(let term, let slot, let position, let entry):
            if accepts(Int(slot), term: term, from: sender, actions: &actions) {
                append(entry, at: position, to: Int(slot), term: term, from: sender, now: now, actions: &actions)
            }
        case .holdings, .chunk, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: break
        }
        processPending(now: now, actions: &actions)
    }

    /// Who has dialled this node, and on which connection it is answered.
    private struct Sender {
        let member: MemberIdentity
        let connectionID: UInt32
    }

    /// Whether the sender may speak of the slot; refuses it otherwise.
    private mutating func accepts(_ slot: Int, term: UInt64, from sender: Sender, actions: inout [ShardAction]) -> Bool {
        if let minimum = objection(to: sender.member, term: term, slot: slot) {
            snapshots.remove(slot, onConnection: sender.connectionID)
            actions.append(.reply(connectionID: sender.connectionID, .refused(term: term, slot: UInt16(slot), minimum: minimum)))
            return false
        }
        log.hearOwner(connectionID: sender.connectionID, at: slotIndex(slot))
        return true
    }

    /// The epoch at which the sender may try again; `nil` if it is the owner, in the highest term so far, which this also makes
    /// the fence. The own list, at least as new as the frame's epoch, has to name that very boot.
    private mutating func objection(to member: MemberIdentity, term: UInt64, slot: Int) -> UInt64? {
        if has(.ignoreTerm) { return nil }
        guard layout.contains(slot), let owner = peers.otherOwner(ofSlot: slot), peers.isPeer(owner, member) else { return epoch }
        let slotIndex = slotIndex(slot)
        let fence = log.fence(at: slotIndex)
        if term < fence { return fence }
        if term > fence {
            log.setFence(term, at: slotIndex)
            // The rest of an earlier owner's copy will not come any more, and its steps are void.
            snapshots.remove(slot)
            loads.forgetSteps(slot)
        }
        return nil
    }

    private mutating func onInquire(
        _ asked: [UInt16], term: UInt64, from sender: Sender, now: Moment, actions: inout [ShardAction]
    ) {
        var holdings: [SlotHolding] = []
        for slot in asked {
            // Nothing but the fence changes: the asking owner has no copy yet that this node could acknowledge.
            if let minimum = objection(to: sender.member, term: term, slot: Int(slot)) {
                actions.append(.reply(connectionID: sender.connectionID, .refused(term: term, slot: slot, minimum: minimum)))
            } else {
                holdings.append(SlotHolding(slot: slot, content: holding(Int(slot), now: now)))
            }
        }
        if !holdings.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .holdings(term: term, holdings))) }
    }

    private func holding(_ slot: Int, now: Moment) -> SlotHolding.Content {
        let slotIndex = slotIndex(slot)
        let copy = log.copy(at: slotIndex)
        if copy.state == .complete {
            return .copy(term: copy.term, position: copy.position, set: copy.set, isCurrent: copy.isCurrent)
        }
        return .none(
            vacant: log.vacantSince(at: slotIndex).map { max(0, now.monotonic - $0) } ?? 0,
            quiet: vacancy.succeededAt.map { max(0, now.monotonic - $0) } ?? .max, evidence: copy.evidence)
    }

    private mutating func adopt(_ adoptions: [SlotAdoption], from sender: Sender, now: Moment, actions: inout [ShardAction]) {
        var positions: [SlotPosition] = []
        for adoption in adoptions {
            let slot = Int(adoption.slot)
            guard accepts(slot, term: adoption.term, from: sender, actions: &actions) else { continue }
            let copy = log.copy(at: slotIndex(slot))
            let isThat =
                copy.term == adoption.term && copy.isCurrent || (copy.term == adoption.base && copy.position == adoption.position)
            if copy.state == .complete, isThat {
                log.adopt(term: adoption.term, set: adoption.set, at: slotIndex(slot))
                if log.unloaded.contains(slotIndex(slot)) { load(slot, isUrgent: true, actions: &actions) }
                if let position = acknowledgement(slot, now: now) { positions.append(position) }
            } else {
                actions.append(.reply(connectionID: sender.connectionID, .mismatch(term: adoption.term, slot: adoption.slot)))
            }
        }
        if !positions.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .acknowledgeCopies(positions))) }
    }

    private mutating func receive(_ transfers: [SnapshotTransfer], from sender: Sender, now: Moment, actions: inout [ShardAction]) {
        var positions: [SlotPosition] = []
        for transfer in transfers {
            let (slot, chunk) = (Int(transfer.slot), transfer.chunk)
            guard accepts(slot, term: transfer.term, from: sender, actions: &actions),
                let chunks = snapshots.receive(chunk, of: slot, term: transfer.term, connectionID: sender.connectionID)
            else { continue }
            if log.unloaded.contains(slotIndex(slot)) {
                load(slot, isUrgent: true, actions: &actions)
                loads.hold(copy: chunks, term: transfer.term, of: slot)
                continue
            }
            log.replaceCopy(by: chunks, term: transfer.term, isCurrent: true, at: slotIndex(slot), now: now.monotonic)
            if let position = acknowledgement(slot, now: now) { positions.append(position) }
        }
        if !positions.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .acknowledgeCopies(positions))) }
    }

    private mutating func release(_ released: [SlotRelease], from sender: Sender, actions: inout [ShardAction]) {
        var gone: [SlotTerm] = []
        for released in released {
            let (slot, evidence) = (Int(released.slot), released.evidence)
            guard accepts(slot, term: evidence.term, from: sender, actions: &actions) else { continue }
            // That there is, or was, a newer copy must be known as long as the copy itself would have been.
            log.replaceCopy(byEmpty: has(.releaseWithoutTrace) ? SlotCopy() : SlotCopy(knownFrom: evidence), at: slotIndex(slot))
            lease.forgetAcknowledgement(of: slot)
            snapshots.remove(slot)
            gone.append(released.asTerm)
        }
        if !gone.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .released(gone))) }
    }

    private mutating func setKeepers(_ keepers: [SlotKeepers], from sender: Sender, actions: inout [ShardAction]) {
        for keepers in keepers {
            let slot = Int(keepers.slot)
            guard accepts(slot, term: keepers.term, from: sender, actions: &actions) else { continue }
            let copy = log.copy(at: slotIndex(slot))
            if copy.state == .complete, copy.isCurrent, copy.term == keepers.term { log.setKeepers(keepers.set, at: slotIndex(slot)) }
        }
    }

    /// Tells owners of copies that are left from an earlier session: they take them or release them.
    ///
    /// - Parameter only: the owner that is told; every one if `nil`.
    mutating func tellRetained(to only: Int?, now: Moment, actions: inout [ShardAction]) {
        var next = log.retained.first(from: 0)
        while let slotIndex = next {
            next = log.retained.first(from: slotIndex + 1)
            let slot = layout.slot(at: slotIndex)
            guard let owner = peers.otherOwner(ofSlot: slot), only == nil || only == owner else { continue }
            let holding = SlotHolding(slot: UInt16(slot), content: holding(slot, now: now))
            peers.send(.retained(epoch: epoch, holding), to: owner, actions: &actions)
        }
    }

    /// A member has copies of an earlier session. What it has of slots that are owned here is not gone on from.
    private mutating func onRetained(_ holdings: [SlotHolding], from member: MemberIdentity, now: Moment, actions: inout [ShardAction]) {
        guard let peer = peers.member(member) else { return }
        for holding in holdings {
            let slot = Int(holding.slot)
            guard layout.contains(slot) else { continue }
            if log.isOwned(at: slotIndex(slot)) {
                if log.addRetained(peer, lineage: peers.lineages[peer], at: slotIndex(slot)) {
                    advance(slot, now: now, actions: &actions)
                }
            } else {
                if takeovers.addRetained(slot, holding.content, by: peer) { decideAnew(slot, now: now, actions: &actions) }
            }
        }
    }

    private mutating func append(
        _ entry: SlotEntry, at position: UInt64, to slot: Int, term: UInt64, from sender: Sender, now: Moment,
        actions: inout [ShardAction]
    ) {
        func refuse() {
            // A snapshot that is on its way will bring the step.
            if snapshots.contains(slot) { return }
            actions.append(.reply(connectionID: sender.connectionID, .mismatch(term: term, slot: UInt16(slot))))
        }
        // Of a slot that is being read, what waits for that counts.
        let waiting = log.unloaded.contains(slotIndex(slot)) ? loads.copyEnd(slot, term: term).map { (term: term, position: $0) } : nil
        guard let copy = waiting ?? log.currentEnd(at: slotIndex(slot)), copy.term == term || has(.ignoreTerm) else { return refuse() }
        let end = copy.position + UInt64(log.unloaded.contains(slotIndex(slot)) ? loads.stepCount(slot) : 0)
        guard position <= end + 1 else { return refuse() }
        if position == end + 1 {
            let entry = entry.since(now.monotonic)
            if log.unloaded.contains(slotIndex(slot)) {
                if !loads.hold(entry, boot: sender.member.boot, of: slot) { refuse() }
                return
            }
            log.apply(entry, position: position, at: slotIndex(slot), boot: sender.member.boot, now: now.monotonic)
        }
        acknowledge(slot, now: now, actions: &actions)
    }

    mutating func sendChunks(of slot: Int, term: UInt64, connectionID: UInt32, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        if log.unloaded.contains(slotIndex) {
            load(slot, isUrgent: true, actions: &actions)
            return loads.hold(fetch: (term, connectionID), of: slot)
        }
        let copy = log.copy(at: slotIndex)
        guard copy.state == .complete else {
            actions.append(.reply(connectionID: connectionID, .chunk(term: term, slot: UInt16(slot), nil)))
            return
        }
        let chunks = log.snapshot(base: copy.term, at: slotIndex, now: now.monotonic, bytesMax: limits.slots.chunkBytesMax)
        for chunk in chunks { actions.append(.reply(connectionID: connectionID, .chunk(term: term, slot: UInt16(slot), chunk))) }
    }

    /// Tells the owner up to where the copy goes.
    mutating func acknowledge(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        guard let at = acknowledgement(slot, now: now) else { return }
        let connectionID = log.connectionID(at: slotIndex(slot))
        actions.append(.reply(connectionID: connectionID, .acknowledge(term: at.term, slot: at.slot, position: at.position)))
    }

    /// Up to where the copy goes, if this node may act: the clock was read before. Otherwise the acknowledgement is postponed.
    private mutating func acknowledgement(_ slot: Int, now: Moment) -> SlotPosition? {
        guard lease.mayAct(now) else {
            lease.postponeAcknowledgement(of: slot)
            return nil
        }
        let slotIndex = slotIndex(slot)
        guard let copy = log.currentEnd(at: slotIndex), copy.term >= log.fence(at: slotIndex) || has(.ignoreTerm),
            !log.isOwned(at: slotIndex), !log.unloaded.contains(slotIndex)
        else { return nil }
        return SlotPosition(slot: UInt16(slot), term: copy.term, position: copy.position)
    }

    // MARK: Answers to the owner

    /// What a peer that this node has dialled answers.
    public mutating func onReply(_ frame: SlotFrame, from link: UInt32, now: Moment, actions: inout [ShardAction]) {
        guard let peer = peers.peer(onLink: link) else { return }
        catchUp(with: frame, now: now, actions: &actions)
        switch frame {
        case .holdings(let term, let holdings): onHoldings(holdings, term: term, from: peer, now: now, actions: &actions)
        case .chunk(let term, let slot, let chunk):
            onChunk(chunk, of: Int(slot), term: term, from: peer, now: now, actions: &actions)
        case .acknowledge(let term, let slot, let position):
            let at = SlotPosition(slot: slot, term: term, position: position)
            onAcknowledge(at, peer: peer, now: now, actions: &actions)
        case .acknowledgeCopies(let positions):
            for at in positions { onAcknowledge(at, peer: peer, now: now, actions: &actions) }
        case .mismatch(let term, let slot):
            if let number = holder(peer, of: Int(slot), term: term) {
                onMismatch(Int(slot), holder: number, peer: peer, now: now, actions: &actions)
            }
        case .released(let slots): for slot in slots { onReleased(slot, peer: peer, now: now, actions: &actions) }
        case .refused(let term, let slot, let minimum):
            onRefused(Int(slot), term: term, minimum: minimum, now: now, actions: &actions)
        case .inquire, .fetch, .adopt, .snapshots, .append, .release, .keepers, .retained: break
        }
        processPending(now: now, actions: &actions)
    }

    private func holder(_ peer: Int, of slot: Int, term: UInt64) -> Int? {
        guard layout.contains(slot), log.term(at: slotIndex(slot)) == term else { return nil }
        return log.holderNumber(of: peer, at: slotIndex(slot))
    }

    private mutating func onAcknowledge(_ at: SlotPosition, peer: Int, now: Moment, actions: inout [ShardAction]) {
        let slot = Int(at.slot)
        guard layout.contains(slot),
            let isFirst = log.acknowledge(at.position, term: at.term, by: peer, at: slotIndex(slot))
        else { return }
        if log.count(confirmedBy: peer, at: slotIndex(slot)) {
            // Now others may be brought in.
            updateHolders(slot, now: now, actions: &actions)
        } else {
            advance(slot, now: now, actions: &actions)
        }
        if isFirst {
            copies.end(slot, to: peer)
            pump(peer, now: now, actions: &actions)
        }
    }

    private mutating func onMismatch(_ slot: Int, holder number: Int, peer: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        guard log.markMismatched(holder: number, at: slotIndex) else { return }
        copies.end(slot, to: peer)
        copies.prepend(slot, to: peer)
        pump(peer, now: now, actions: &actions)
        if log.isWaitedFor(at: slotIndex) { pull(slot, now: now, actions: &actions) }
    }

    private mutating func onReleased(_ released: SlotTerm, peer: Int, now: Moment, actions: inout [ShardAction]) {
        let slot = Int(released.slot)
        guard let number = holder(peer, of: slot, term: released.term), log.removeReleased(holder: number, at: slotIndex(slot)) else {
            return
        }
        // It may have become the mirror again since.
        updateHolders(slot, now: now, actions: &actions)
    }

    /// A holder has heard of a later term, or of another owner: this owner begins anew at an epoch above that, or waits for one.
    private mutating func onRefused(_ slot: Int, term: UInt64, minimum: UInt64, now: Moment, actions: inout [ShardAction]) {
        guard layout.contains(slot), log.term(at: slotIndex(slot)) ?? takeovers[slot]?.term == term else { return }
        let slotIndex = slotIndex(slot)
        let fence = max(log.fence(at: slotIndex), minimum)
        log.setFence(fence, at: slotIndex)
        stepDown(slot, now: now, actions: &actions)
        routes.set(computeRoute(slot), at: slotIndex)
        guard peers.isOwner(slot) else { return }
        if epoch >= fence, epoch > term {
            begin([slot], now: now, actions: &actions)
        } else {
            staleSlots.waitForNextEpoch(slotIndex)
        }
    }
}
