// Histories that reach back further than memory: what a request wants of them is read from the node's store, a part at a time, and answered as
// any other part of a history is. The request goes on from there, in the store or in memory.
import HashRing

extension ShardMachine {
    /// A request is about messages that only the store has.
    ///
    /// - Parameter isConfirmed: the set has confirmed a step since it was asked.
    mutating func read(_ load: HistoryLoad, for request: AttachRequest, isConfirmed: Bool, now: Moment, actions: inout [ShardAction]) {
        guard olderReads.add(request, load, isConfirmed: isConfirmed, now: now.monotonic) else {
            olderCounts.refused += 1
            actions.append(.attached(request.address, .failure(.retry)))
            return
        }
        pumpReads(actions: &actions)
    }

    private mutating func pumpReads(actions: inout [ShardAction]) {
        while let (number, load) = olderReads.next() { actions.append(.read(number: number, load)) }
    }

    /// The answer to ``ShardAction/read(number:_:)``.
    ///
    /// - Parameter result: `nil` where the store takes no more; it fails where it can't be read at all.
    public mutating func onRead(
        _ number: UInt64, _ result: Result<HistoryPart, StoreDamage>?, now: Moment, actions: inout [ShardAction]
    ) {
        let read = olderReads.end(number)
        pumpReads(actions: &actions)
        if let read { answer(read, result, now: now, actions: &actions) }
        processPending(now: now, actions: &actions)
    }

    private mutating func answer(
        _ read: OlderReads.Read, _ result: Result<HistoryPart, StoreDamage>?, now: Moment, actions: inout [ShardAction]
    ) {
        let request = read.request
        let slotIndex = slotIndex(request.key.slot)
        catchUp(request.key.slot, now: now, actions: &actions)
        guard case .success(let part) = result, log.isOwned(at: slotIndex), log.isServing(at: slotIndex) else {
            olderCounts.refused += 1
            return actions.append(.attached(request.address, .failure(.retry)))
        }
        guard lease.mayAct(now) else { return actions.append(.attached(request.address, .failure(.frozen))) }
        olderCounts.reads += 1
        if part.isDamaged { olderCounts.damagedReads += 1 }
        guard let mailboxIndex = log.mailboxes.mailboxIndex(of: request.key),
            log.mailboxes.incarnation(at: mailboxIndex) == read.load.incarnation
        else { return confirm(request, now: now, actions: &actions) }
        if log.mailboxes.loseTooOld(part.messages, of: read.load, at: mailboxIndex, now: now.monotonic) {
            return read.isConfirmed
                ? answerAttach(request, now: now, actions: &actions) : confirm(request, now: now, actions: &actions)
        }
        let reply = log.mailboxes.reply(to: request, with: part.messages, of: read.load, at: mailboxIndex, now: now.monotonic)
        guard read.isConfirmed || (!reply.messages.isEmpty && request.start.continues(withGap: reply.gap)) else {
            return confirm(request, now: now, actions: &actions)
        }
        give(reply, to: request, at: mailboxIndex, now: now, actions: &actions)
    }

    /// Who asks is told something that a stale owner must not say.
    private mutating func confirm(_ request: AttachRequest, now: Moment, actions: inout [ShardAction]) {
        append(.nothing, to: request.key.slot, waiter: .attach(request), now: now, actions: &actions)
    }

    /// In every tick: a disk that takes too long holds up nobody.
    mutating func refuseLateReads(now: Moment, actions: inout [ShardAction]) {
        if olderReads.isEmpty { return }
        for request in olderReads.removeLate(now: now.monotonic) {
            olderCounts.refused += 1
            // A page that is asked for again at once would wait for the same disk.
            actions.append(.attached(request.address, .failure(request.stay == .page ? .overloaded : .retry)))
        }
    }
}
