// The holder's side of a slot: what owners ask and send, and what they are answered. And the owner's side of these answers.
import HashRing

extension ShardMachine {
    /// A frame of a peer that has dialled this node.
    ///
    /// - Parameters:
    ///   - frame: what it says.
    ///   - member: who it is, by the connection's handshake.
    ///   - channel: names the connection; the answer goes there.
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
        case .fill(let fills): fill(fills, from: sender, now: now, actions: &actions)
        case .release(let released): release(released, from: sender, actions: &actions)
        case .fetch(let term, let slot):
            if accepts(Int(slot), term: term, from: sender, actions: &actions) {
                sendPieces(of: Int(slot), term: term, connectionID: connectionID, now: now, actions: &actions)
            }
        case .append(let term, let slot, let position, let entry):
            if accepts(Int(slot), term: term, from: sender, actions: &actions) {
                append(entry, at: position, to: Int(slot), term: term, connectionID: connectionID, now: now, actions: &actions)
            }
        case .holdings, .piece, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: break
        }
        settle(now: now, actions: &actions)
    }

    /// Who has dialled this node, and on which connection it is answered.
    private struct Sender {
        let member: MemberIdentity
        let connectionID: UInt32
    }

    /// Whether the sender may speak of the slot; refuses it otherwise.
    private mutating func accepts(_ slot: Int, term: UInt64, from sender: Sender, actions: inout [ShardAction]) -> Bool {
        if let minimum = objection(to: sender.member, term: term, slot: slot) {
            // If it was a piece, those that follow must not make a copy with a hole in it.
            if fills[slot]?.connectionID == sender.connectionID { fills[slot] = nil }
            actions.append(.reply(connectionID: sender.connectionID, .refused(term: term, slot: UInt16(slot), minimum: minimum)))
            return false
        }
        let slotIndex = slotIndex(slot)
        slots[slotIndex].connectionID = sender.connectionID
        // Somebody has something to go on from: what was found before counts no more.
        slots[slotIndex].vacantSince = nil
        return true
    }

    /// The epoch at which the sender may try again; `nil` if it is the owner, in the highest term so far, which this also makes
    /// the fence. The own list, at least as new as the frame's epoch, has to name that very boot.
    private mutating func objection(to member: MemberIdentity, term: UInt64, slot: Int) -> UInt64? {
        if has(.ignoreTerm) { return nil }
        guard slot % shardCount == index, let view, let owner = view.ring.owner(ofSlot: slot), owner != view.selfIndex,
            known(peers[peersByMember[owner]].identity) == known(member)
        else { return epoch }
        let slotIndex = slotIndex(slot)
        if term < slots[slotIndex].fence { return slots[slotIndex].fence }
        if term > slots[slotIndex].fence {
            slots[slotIndex].fence = term
            // The rest of an earlier owner's copy will not come any more.
            fills[slot] = nil
        }
        return nil
    }

    private mutating func onInquire(
        _ asked: [UInt16], term: UInt64, from sender: Sender, now: Moment, actions: inout [ShardAction]
    ) {
        var holdings: [SlotHolding] = []
        for slot in asked {
            // Nothing but the fence changes: who asks has nothing yet that this node would acknowledge, or go on from.
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
        let copy = slots[slotIndex].copy
        if copy.state == .complete { return .copy(term: copy.term, position: copy.position) }
        return .none(
            vacant: slots[slotIndex].vacantSince.map { max(0, now.monotonic - $0) } ?? 0,
            quiet: succeededAt.map { max(0, now.monotonic - $0) } ?? .max)
    }

    private mutating func adopt(_ adoptions: [SlotAdoption], from sender: Sender, now: Moment, actions: inout [ShardAction]) {
        var positions: [SlotPosition] = []
        for adoption in adoptions {
            let slot = Int(adoption.slot)
            guard accepts(slot, term: adoption.term, from: sender, actions: &actions) else { continue }
            let copy = slots[slotIndex(slot)].copy
            let isThat = copy.term == adoption.term || (copy.term == adoption.base && copy.position == adoption.position)
            if copy.state == .complete, isThat {
                slots[slotIndex(slot)].copy.term = adoption.term
                if let position = acknowledgement(slot, now: now) { positions.append(position) }
            } else {
                actions.append(.reply(connectionID: sender.connectionID, .mismatch(term: adoption.term, slot: adoption.slot)))
            }
        }
        if !positions.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .acknowledgeCopies(positions))) }
    }

    /// What is here stays until the last piece has come: it might be all that is left if the owner dies before.
    private mutating func fill(_ pieces: [SnapshotTransfer], from sender: Sender, now: Moment, actions: inout [ShardAction]) {
        var positions: [SlotPosition] = []
        for fill in pieces {
            let (slot, piece) = (Int(fill.slot), fill.piece)
            guard accepts(slot, term: fill.term, from: sender, actions: &actions) else { continue }
            if piece.isFirst { fills[slot] = (fill.term, sender.connectionID, []) }
            guard fills[slot]?.term == fill.term, fills[slot]?.connectionID == sender.connectionID else { continue }
            fills[slot]?.pieces.append(piece)
            guard piece.isLast, let pieces = fills.removeValue(forKey: slot)?.pieces else { continue }
            store.replace(slot: slot, with: pieces, now: now.monotonic)
            slots[slotIndex(slot)].copy = SlotCopy(state: .complete, term: fill.term, position: piece.position)
            if let position = acknowledgement(slot, now: now) { positions.append(position) }
        }
        if !positions.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .acknowledgeCopies(positions))) }
    }

    private mutating func release(_ released: [SlotTerm], from sender: Sender, actions: inout [ShardAction]) {
        var gone: [SlotTerm] = []
        for released in released {
            let slot = Int(released.slot)
            guard accepts(slot, term: released.term, from: sender, actions: &actions) else { continue }
            slots[slotIndex(slot)].copy = SlotCopy()
            unacknowledged.remove(slot)
            fills[slot] = nil
            store.drop(slot: slot)
            gone.append(released)
        }
        if !gone.isEmpty { actions.append(.reply(connectionID: sender.connectionID, .released(gone))) }
    }

    private mutating func append(
        _ entry: SlotEntry, at position: UInt64, to slot: Int, term: UInt64, connectionID: UInt32, now: Moment, actions: inout [ShardAction]
    ) {
        let copy = slots[slotIndex(slot)].copy
        let fits = copy.state == .complete && (copy.term == term || has(.ignoreTerm)) && position <= copy.position + 1
        guard fits else {
            // A fill that is on its way will bring it.
            if fills[slot] == nil { actions.append(.reply(connectionID: connectionID, .mismatch(term: term, slot: UInt16(slot)))) }
            return
        }
        if position == copy.position + 1 {
            store.apply(entry.since(now.monotonic), now: now.monotonic)
            slots[slotIndex(slot)].copy.position = position
        }
        acknowledge(slot, now: now, actions: &actions)
    }

    private func sendPieces(of slot: Int, term: UInt64, connectionID: UInt32, now: Moment, actions: inout [ShardAction]) {
        let copy = slots[slotIndex(slot)].copy
        guard copy.state == .complete else {
            actions.append(.reply(connectionID: connectionID, .piece(term: term, slot: UInt16(slot), nil)))
            return
        }
        let pieces = store.pieces(
            ofSlot: slot, base: copy.term, position: copy.position, now: now.monotonic, bytesMax: limits.slots.pieceBytesMax)
        for piece in pieces { actions.append(.reply(connectionID: connectionID, .piece(term: term, slot: UInt16(slot), piece))) }
    }

    /// Says up to where the copy goes.
    mutating func acknowledge(_ slot: Int, now: Moment, actions: inout [ShardAction]) {
        guard let at = acknowledgement(slot, now: now) else { return }
        actions.append(
            .reply(connectionID: slots[slotIndex(slot)].connectionID, .acknowledge(term: at.term, slot: at.slot, position: at.position)))
    }

    /// Up to where the copy goes, if that may be said; the clock is read before. Without the right to say it, it is said later.
    private mutating func acknowledgement(_ slot: Int, now: Moment) -> SlotPosition? {
        let slotIndex = slotIndex(slot)
        guard mayAct(now) else {
            unacknowledged.insert(slot)
            return nil
        }
        let copy = slots[slotIndex].copy
        guard copy.state == .complete, copy.term >= slots[slotIndex].fence || has(.ignoreTerm), !slots[slotIndex].isOwned else {
            return nil
        }
        return SlotPosition(slot: UInt16(slot), term: copy.term, position: copy.position)
    }

    // MARK: Answers to the owner

    /// What a peer that this node has dialled answers.
    public mutating func onReply(_ frame: SlotFrame, from link: UInt32, now: Moment, actions: inout [ShardAction]) {
        guard let peer = peersByLink[link], peers[peer].link == link else { return }
        catchUp(with: frame, now: now, actions: &actions)
        switch frame {
        case .holdings(let term, let holdings): onHoldings(holdings, term: term, from: peer, now: now, actions: &actions)
        case .piece(let term, let slot, let piece):
            onPiece(piece, of: Int(slot), term: term, from: peer, now: now, actions: &actions)
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
        case .inquire, .fetch, .adopt, .fill, .append, .release: break
        }
        settle(now: now, actions: &actions)
    }

    private func holder(_ peer: Int, of slot: Int, term: UInt64) -> Int? {
        guard slot % shardCount == index, slots[slotIndex(slot)].owner?.term == term else { return nil }
        return slots[slotIndex(slot)].owner?.holders.firstIndex { $0.peer == peer }
    }

    private mutating func onAcknowledge(_ at: SlotPosition, peer: Int, now: Moment, actions: inout [ShardAction]) {
        let slot = Int(at.slot)
        guard slot % shardCount == index else { return }
        let slotIndex = slotIndex(slot)
        let end = slots[slotIndex].copy.position
        guard let isFirst = slots[slotIndex].owner?.acknowledge(at, by: peer, end: end) else { return }
        advance(slot, now: now, actions: &actions)
        if isFirst {
            peers[peer].underWay.remove(slot)
            pump(peer, now: now, actions: &actions)
        }
    }

    private mutating func onMismatch(_ slot: Int, holder number: Int, peer: Int, now: Moment, actions: inout [ShardAction]) {
        let slotIndex = slotIndex(slot)
        guard slots[slotIndex].owner?.holders[number].state == .sent else { return }
        slots[slotIndex].owner?.holders[number].state = .waiting
        slots[slotIndex].owner?.holders[number].isConfirmed = false
        slots[slotIndex].owner?.holders[number].isSame = false
        peers[peer].underWay.remove(slot)
        peers[peer].queue.prepend(slot)
        pump(peer, now: now, actions: &actions)
        if slots[slotIndex].owner?.waiting.isEmpty == false { pull(slot, now: now, actions: &actions) }
    }

    private mutating func onReleased(_ released: SlotTerm, peer: Int, now: Moment, actions: inout [ShardAction]) {
        let slot = Int(released.slot)
        guard let number = holder(peer, of: slot, term: released.term) else { return }
        let slotIndex = slotIndex(slot)
        guard slots[slotIndex].owner?.holders[number].state == .releasing else { return }
        slots[slotIndex].owner?.holders.remove(at: number)
        // It may have become the mirror again since.
        updateHolders(slot, now: now, actions: &actions)
    }

    /// Somebody has heard of a later term, or of another owner: this one begins anew at an epoch above that, or waits for one.
    private mutating func onRefused(_ slot: Int, term: UInt64, minimum: UInt64, now: Moment, actions: inout [ShardAction]) {
        guard slot % shardCount == index, slots[slotIndex(slot)].owner?.term ?? takeovers[slot]?.term == term else { return }
        let slotIndex = slotIndex(slot)
        slots[slotIndex].fence = max(slots[slotIndex].fence, minimum)
        stepDown(slot, now: now, actions: &actions)
        routes[slotIndex] = computeRoute(slot)
        guard isOwner(slot) else { return }
        if epoch >= slots[slotIndex].fence, epoch > term {
            begin([slot], now: now, actions: &actions)
        } else {
            barred.insert(slot)
        }
    }
}
