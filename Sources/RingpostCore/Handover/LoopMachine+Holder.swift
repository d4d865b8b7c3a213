// The holder's side of a slot: what owners ask and send, and what they are answered. And the owner's side of these answers.
import HashRing

extension LoopMachine {
    /// A frame of a peer that has dialled this node.
    ///
    /// - Parameters:
    ///   - frame: what it says.
    ///   - member: who it is, by the connection's handshake.
    ///   - channel: names the connection; the answer goes there.
    ///   - now: the present time.
    ///   - actions: gets the answer, now or once this node knows the frame's epoch.
    public mutating func onRequest(
        _ frame: SlotFrame, from member: MemberIdentity, channel: UInt32, now: Moment, actions: inout [LoopAction]
    ) {
        if frame.epoch > epoch {
            park(frame, from: member, channel: channel, actions: &actions)
            return
        }
        switch frame {
        case .inquire(_, let term, let asked): onInquire(asked, term: term, from: member, channel: channel, now: now, actions: &actions)
        case .fetch(_, let term, let slot), .adopt(_, let term, let slot, _, _), .fill(_, let term, let slot, _),
            .append(_, let term, let slot, _, _), .release(_, let term, let slot):
            if let minimum = objection(to: member, term: term, slot: Int(slot)) {
                // If it was a piece, those that follow must not make a copy with a hole in it.
                if fills[Int(slot)]?.channel == channel { fills[Int(slot)] = nil }
                actions.append(.reply(channel: channel, .refused(term: term, slot: slot, minimum: minimum)))
            } else {
                take(frame, slot: Int(slot), term: term, channel: channel, now: now, actions: &actions)
            }
        case .holdings, .piece, .acknowledge, .mismatch, .released, .refused: break
        }
        settle(now: now, actions: &actions)
    }

    /// The epoch at which the sender may try again; `nil` if it is the owner, in the highest term so far, which this also makes
    /// the fence. The own list, at least as new as the frame's epoch, has to name that very boot.
    private mutating func objection(to member: MemberIdentity, term: UInt64, slot: Int) -> UInt64? {
        if has(.ignoreTerm) { return nil }
        guard slot % loopCount == index, let view, let owner = view.ring.owner(ofSlot: slot), owner != view.selfPlace,
            known(peers[peersByPlace[owner]].identity) == known(member)
        else { return epoch }
        let place = place(slot)
        if term < slots[place].fence { return slots[place].fence }
        if term > slots[place].fence {
            slots[place].fence = term
            // The rest of an earlier owner's copy will not come any more.
            fills[slot] = nil
        }
        return nil
    }

    private mutating func onInquire(
        _ asked: [UInt16], term: UInt64, from member: MemberIdentity, channel: UInt32, now: Moment, actions: inout [LoopAction]
    ) {
        var holdings: [SlotHolding] = []
        for slot in asked {
            if let minimum = objection(to: member, term: term, slot: Int(slot)) {
                actions.append(.reply(channel: channel, .refused(term: term, slot: slot, minimum: minimum)))
            } else {
                holdings.append(SlotHolding(slot: slot, content: holding(Int(slot), now: now)))
            }
        }
        if !holdings.isEmpty { actions.append(.reply(channel: channel, .holdings(term: term, holdings))) }
    }

    private func holding(_ slot: Int, now: Moment) -> SlotHolding.Content {
        let place = place(slot)
        let copy = slots[place].copy
        if copy.state == .complete { return .copy(term: copy.term, position: copy.position) }
        return .none(
            vacant: slots[place].vacantSince.map { max(0, now.monotonic - $0) } ?? 0,
            quiet: succeededAt.map { max(0, now.monotonic - $0) } ?? .max)
    }

    private mutating func take(
        _ frame: SlotFrame, slot: Int, term: UInt64, channel: UInt32, now: Moment, actions: inout [LoopAction]
    ) {
        let place = place(slot)
        slots[place].channel = channel
        // Somebody has something to go on from: what was found before counts no more.
        slots[place].vacantSince = nil
        let copy = slots[place].copy
        switch frame {
        case .fetch: sendPieces(of: slot, term: term, channel: channel, now: now, actions: &actions)
        case .adopt(_, _, _, let base, let position):
            if copy.state == .complete, copy.term == term || (copy.term == base && copy.position == position) {
                slots[place].copy.term = term
                acknowledge(slot, now: now, actions: &actions)
            } else {
                actions.append(.reply(channel: channel, .mismatch(term: term, slot: UInt16(slot))))
            }
        case .fill(_, _, _, let piece): fill(slot, with: piece, term: term, channel: channel, now: now, actions: &actions)
        case .append(_, _, _, let position, let entry):
            let fits = copy.state == .complete && (copy.term == term || has(.ignoreTerm)) && position <= copy.position + 1
            guard fits else {
                // A fill that is on its way will bring it.
                if fills[slot] == nil { actions.append(.reply(channel: channel, .mismatch(term: term, slot: UInt16(slot)))) }
                return
            }
            if position == copy.position + 1 {
                store.apply(entry.since(now.monotonic), now: now.monotonic)
                slots[place].copy.position = position
            }
            acknowledge(slot, now: now, actions: &actions)
        case .release:
            slots[place].copy = SlotCopy()
            unacknowledged.remove(slot)
            fills[slot] = nil
            store.drop(slot: slot)
            actions.append(.reply(channel: channel, .released(term: term, slot: UInt16(slot))))
        default: break
        }
    }

    private func sendPieces(of slot: Int, term: UInt64, channel: UInt32, now: Moment, actions: inout [LoopAction]) {
        let copy = slots[place(slot)].copy
        guard copy.state == .complete else {
            actions.append(.reply(channel: channel, .piece(term: term, slot: UInt16(slot), nil)))
            return
        }
        let pieces = store.pieces(
            ofSlot: slot, base: copy.term, position: copy.position, now: now.monotonic, bytesMax: limits.slots.pieceBytesMax)
        for piece in pieces { actions.append(.reply(channel: channel, .piece(term: term, slot: UInt16(slot), piece))) }
    }

    /// What is here stays until the last piece has come: it might be all that is left if the owner dies before.
    private mutating func fill(
        _ slot: Int, with piece: SlotPiece, term: UInt64, channel: UInt32, now: Moment, actions: inout [LoopAction]
    ) {
        if piece.isFirst { fills[slot] = (term, channel, []) }
        guard fills[slot]?.term == term, fills[slot]?.channel == channel else { return }
        fills[slot]?.pieces.append(piece)
        guard piece.isLast, let pieces = fills.removeValue(forKey: slot)?.pieces else { return }
        store.replace(slot: slot, with: pieces, now: now.monotonic)
        slots[place(slot)].copy = SlotCopy(state: .complete, term: term, position: piece.position)
        acknowledge(slot, now: now, actions: &actions)
    }

    /// Says up to where the copy goes; the clock is read before.
    mutating func acknowledge(_ slot: Int, now: Moment, actions: inout [LoopAction]) {
        let place = place(slot)
        guard mayAct(now) else {
            unacknowledged.insert(slot)
            return
        }
        let copy = slots[place].copy
        guard copy.state == .complete, copy.term >= slots[place].fence || has(.ignoreTerm), slots[place].owner == nil else { return }
        actions.append(
            .reply(channel: slots[place].channel, .acknowledge(term: copy.term, slot: UInt16(slot), position: copy.position)))
    }

    // MARK: Answers to the owner

    /// What a peer that this node has dialled answers.
    public mutating func onReply(_ frame: SlotFrame, from link: UInt32, now: Moment, actions: inout [LoopAction]) {
        guard let peer = peersByLink[link], peers[peer].link == link else { return }
        switch frame {
        case .holdings(let term, let holdings): onHoldings(holdings, term: term, from: peer, now: now, actions: &actions)
        case .piece(let term, let slot, let piece):
            onPiece(piece, of: Int(slot), term: term, from: peer, now: now, actions: &actions)
        case .acknowledge(let term, let slot, let position):
            guard let number = holder(peer, of: Int(slot), term: term) else { return }
            onAcknowledge(Int(slot), position: position, holder: number, peer: peer, now: now, actions: &actions)
        case .mismatch(let term, let slot):
            guard let number = holder(peer, of: Int(slot), term: term) else { return }
            onMismatch(Int(slot), holder: number, peer: peer, now: now, actions: &actions)
        case .released(let term, let slot):
            guard let number = holder(peer, of: Int(slot), term: term) else { return }
            onReleased(Int(slot), holder: number, peer: peer, now: now, actions: &actions)
        case .refused(let term, let slot, let minimum):
            onRefused(Int(slot), term: term, minimum: minimum, now: now, actions: &actions)
        case .inquire, .fetch, .adopt, .fill, .append, .release: break
        }
        settle(now: now, actions: &actions)
    }

    private func holder(_ peer: Int, of slot: Int, term: UInt64) -> Int? {
        guard slot % loopCount == index, slots[place(slot)].owner?.term == term else { return nil }
        return slots[place(slot)].owner?.holders.firstIndex { $0.peer == peer }
    }

    private mutating func onAcknowledge(
        _ slot: Int, position: UInt64, holder number: Int, peer: Int, now: Moment, actions: inout [LoopAction]
    ) {
        let place = place(slot)
        guard slots[place].owner?.holders[number].state == .sent else { return }
        let isFirst = slots[place].owner?.holders[number].isConfirmed == false
        slots[place].owner?.holders[number].isConfirmed = true
        let before = slots[place].owner?.holders[number].acknowledged ?? 0
        // Nobody can have what was not written yet.
        let reached = min(max(before, position), slots[place].copy.position)
        slots[place].owner?.holders[number].acknowledged = reached
        advance(slot, now: now, actions: &actions)
        if isFirst {
            peers[peer].underWay.remove(slot)
            pump(peer, now: now, actions: &actions)
        }
    }

    private mutating func onMismatch(_ slot: Int, holder number: Int, peer: Int, now: Moment, actions: inout [LoopAction]) {
        let place = place(slot)
        guard slots[place].owner?.holders[number].state == .sent else { return }
        slots[place].owner?.holders[number].state = .waiting
        slots[place].owner?.holders[number].isConfirmed = false
        slots[place].owner?.holders[number].isSame = false
        peers[peer].underWay.remove(slot)
        peers[peer].queue.prepend(slot)
        pump(peer, now: now, actions: &actions)
        if slots[place].owner?.waiting.isEmpty == false { pull(slot, now: now, actions: &actions) }
    }

    private mutating func onReleased(_ slot: Int, holder number: Int, peer: Int, now: Moment, actions: inout [LoopAction]) {
        let place = place(slot)
        guard slots[place].owner?.holders[number].state == .releasing else { return }
        slots[place].owner?.holders.remove(at: number)
        // It may have become the mirror again since.
        updateHolders(slot, now: now, actions: &actions)
    }

    /// Somebody has heard of a later term, or of another owner: this one begins anew at an epoch above that, or waits for one.
    private mutating func onRefused(_ slot: Int, term: UInt64, minimum: UInt64, now: Moment, actions: inout [LoopAction]) {
        guard slot % loopCount == index, slots[place(slot)].owner?.term ?? inheritances[slot]?.term == term else { return }
        let place = place(slot)
        slots[place].fence = max(slots[place].fence, minimum)
        stepDown(slot, now: now, actions: &actions)
        if isOwner(slot), epoch >= slots[place].fence, epoch > term { begin([slot], now: now, actions: &actions) }
    }
}
