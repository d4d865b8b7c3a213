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
        catchUp(with: frame, now: now, actions: &actions)
        let sender = Sender(member: member, channel: channel)
        switch frame {
        case .inquire(let term, let asked): onInquire(asked, term: term, from: sender, now: now, actions: &actions)
        case .adopt(let adoptions): adopt(adoptions, from: sender, now: now, actions: &actions)
        case .fill(let fills): fill(fills, from: sender, now: now, actions: &actions)
        case .release(let released): release(released, from: sender, actions: &actions)
        case .fetch(let term, let slot):
            if accepts(Int(slot), term: term, from: sender, actions: &actions) {
                sendPieces(of: Int(slot), term: term, channel: channel, now: now, actions: &actions)
            }
        case .append(let term, let slot, let position, let entry):
            if accepts(Int(slot), term: term, from: sender, actions: &actions) {
                append(entry, at: position, to: Int(slot), term: term, channel: channel, now: now, actions: &actions)
            }
        case .holdings, .piece, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: break
        }
        settle(now: now, actions: &actions)
    }

    /// Who has dialled this node, and on which connection it is answered.
    private struct Sender {
        let member: MemberIdentity
        let channel: UInt32
    }

    /// Whether the sender may speak of the slot; refuses it otherwise.
    private mutating func accepts(_ slot: Int, term: UInt64, from sender: Sender, actions: inout [LoopAction]) -> Bool {
        if let minimum = objection(to: sender.member, term: term, slot: slot) {
            // If it was a piece, those that follow must not make a copy with a hole in it.
            if fills[slot]?.channel == sender.channel { fills[slot] = nil }
            actions.append(.reply(channel: sender.channel, .refused(term: term, slot: UInt16(slot), minimum: minimum)))
            return false
        }
        let place = place(slot)
        slots[place].channel = sender.channel
        // Somebody has something to go on from: what was found before counts no more.
        slots[place].vacantSince = nil
        return true
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
        _ asked: [UInt16], term: UInt64, from sender: Sender, now: Moment, actions: inout [LoopAction]
    ) {
        var holdings: [SlotHolding] = []
        for slot in asked {
            // Nothing but the fence changes: who asks has nothing yet that this node would acknowledge, or go on from.
            if let minimum = objection(to: sender.member, term: term, slot: Int(slot)) {
                actions.append(.reply(channel: sender.channel, .refused(term: term, slot: slot, minimum: minimum)))
            } else {
                holdings.append(SlotHolding(slot: slot, content: holding(Int(slot), now: now)))
            }
        }
        if !holdings.isEmpty { actions.append(.reply(channel: sender.channel, .holdings(term: term, holdings))) }
    }

    private func holding(_ slot: Int, now: Moment) -> SlotHolding.Content {
        let place = place(slot)
        let copy = slots[place].copy
        if copy.state == .complete { return .copy(term: copy.term, position: copy.position) }
        return .none(
            vacant: slots[place].vacantSince.map { max(0, now.monotonic - $0) } ?? 0,
            quiet: succeededAt.map { max(0, now.monotonic - $0) } ?? .max)
    }

    private mutating func adopt(_ adoptions: [SlotAdoption], from sender: Sender, now: Moment, actions: inout [LoopAction]) {
        var positions: [SlotPosition] = []
        for adoption in adoptions {
            let slot = Int(adoption.slot)
            guard accepts(slot, term: adoption.term, from: sender, actions: &actions) else { continue }
            let copy = slots[place(slot)].copy
            let isThat = copy.term == adoption.term || (copy.term == adoption.base && copy.position == adoption.position)
            if copy.state == .complete, isThat {
                slots[place(slot)].copy.term = adoption.term
                if let position = acknowledgement(slot, now: now) { positions.append(position) }
            } else {
                actions.append(.reply(channel: sender.channel, .mismatch(term: adoption.term, slot: adoption.slot)))
            }
        }
        if !positions.isEmpty { actions.append(.reply(channel: sender.channel, .acknowledgeCopies(positions))) }
    }

    /// What is here stays until the last piece has come: it might be all that is left if the owner dies before.
    private mutating func fill(_ pieces: [SlotFill], from sender: Sender, now: Moment, actions: inout [LoopAction]) {
        var positions: [SlotPosition] = []
        for fill in pieces {
            let (slot, piece) = (Int(fill.slot), fill.piece)
            guard accepts(slot, term: fill.term, from: sender, actions: &actions) else { continue }
            if piece.isFirst { fills[slot] = (fill.term, sender.channel, []) }
            guard fills[slot]?.term == fill.term, fills[slot]?.channel == sender.channel else { continue }
            fills[slot]?.pieces.append(piece)
            guard piece.isLast, let pieces = fills.removeValue(forKey: slot)?.pieces else { continue }
            store.replace(slot: slot, with: pieces, now: now.monotonic)
            slots[place(slot)].copy = SlotCopy(state: .complete, term: fill.term, position: piece.position)
            if let position = acknowledgement(slot, now: now) { positions.append(position) }
        }
        if !positions.isEmpty { actions.append(.reply(channel: sender.channel, .acknowledgeCopies(positions))) }
    }

    private mutating func release(_ released: [SlotTerm], from sender: Sender, actions: inout [LoopAction]) {
        var gone: [SlotTerm] = []
        for released in released {
            let slot = Int(released.slot)
            guard accepts(slot, term: released.term, from: sender, actions: &actions) else { continue }
            slots[place(slot)].copy = SlotCopy()
            unacknowledged.remove(slot)
            fills[slot] = nil
            store.drop(slot: slot)
            gone.append(released)
        }
        if !gone.isEmpty { actions.append(.reply(channel: sender.channel, .released(gone))) }
    }

    private mutating func append(
        _ entry: SlotEntry, at position: UInt64, to slot: Int, term: UInt64, channel: UInt32, now: Moment, actions: inout [LoopAction]
    ) {
        let copy = slots[place(slot)].copy
        let fits = copy.state == .complete && (copy.term == term || has(.ignoreTerm)) && position <= copy.position + 1
        guard fits else {
            // A fill that is on its way will bring it.
            if fills[slot] == nil { actions.append(.reply(channel: channel, .mismatch(term: term, slot: UInt16(slot)))) }
            return
        }
        if position == copy.position + 1 {
            store.apply(entry.since(now.monotonic), now: now.monotonic)
            slots[place(slot)].copy.position = position
        }
        acknowledge(slot, now: now, actions: &actions)
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

    /// Says up to where the copy goes.
    mutating func acknowledge(_ slot: Int, now: Moment, actions: inout [LoopAction]) {
        guard let at = acknowledgement(slot, now: now) else { return }
        actions.append(.reply(channel: slots[place(slot)].channel, .acknowledge(term: at.term, slot: at.slot, position: at.position)))
    }

    /// Up to where the copy goes, if that may be said; the clock is read before. Without the right to say it, it is said later.
    private mutating func acknowledgement(_ slot: Int, now: Moment) -> SlotPosition? {
        let place = place(slot)
        guard mayAct(now) else {
            unacknowledged.insert(slot)
            return nil
        }
        let copy = slots[place].copy
        guard copy.state == .complete, copy.term >= slots[place].fence || has(.ignoreTerm), !slots[place].isOwned else { return nil }
        return SlotPosition(slot: UInt16(slot), term: copy.term, position: copy.position)
    }

    // MARK: Answers to the owner

    /// What a peer that this node has dialled answers.
    public mutating func onReply(_ frame: SlotFrame, from link: UInt32, now: Moment, actions: inout [LoopAction]) {
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
        guard slot % loopCount == index, slots[place(slot)].owner?.term == term else { return nil }
        return slots[place(slot)].owner?.holders.firstIndex { $0.peer == peer }
    }

    private mutating func onAcknowledge(_ at: SlotPosition, peer: Int, now: Moment, actions: inout [LoopAction]) {
        let slot = Int(at.slot)
        guard slot % loopCount == index else { return }
        let place = place(slot)
        let end = slots[place].copy.position
        guard let isFirst = slots[place].owner?.acknowledge(at, by: peer, end: end) else { return }
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

    private mutating func onReleased(_ released: SlotTerm, peer: Int, now: Moment, actions: inout [LoopAction]) {
        let slot = Int(released.slot)
        guard let number = holder(peer, of: slot, term: released.term) else { return }
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
        routes[place] = computeRoute(slot)
        guard isOwner(slot) else { return }
        if epoch >= slots[place].fence, epoch > term {
            begin([slot], now: now, actions: &actions)
        } else {
            barred.insert(slot)
        }
    }
}
