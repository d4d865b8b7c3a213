// Going in order, and withdrawing when links stay cut: what a node's drain and withdrawal services do.

import RingpostCore

extension SimProcess {
    /// As by SIGTERM: gives the weight up, hands over, sends its clients elsewhere, leaves.
    func stop() { perform(drain.drain(.signal, now: now)) }

    /// As by an operator's order; a weight takes it back.
    func beginDrain() { perform(drain.drain(.order, now: now)) }

    /// As by an operator's order.
    func setWeight(_ weight: UInt16) {
        do throws(DrainRefusal) { perform(try drain.setWeight(weight)) } catch { simulation.say(name, error.message) }
    }

    func tickOrders() {
        if drain.phase != .serving, now - lastLook >= DrainMachine.lookMilliseconds { look() }
        guard let view, now - lastWithdrawalTick >= WithdrawalMachine.tickMilliseconds else { return }
        lastWithdrawalTick = now
        if withdrawal == nil { withdrawal = WithdrawalMachine(document: view.document) }
        let surroundings = WithdrawalMachine.Surroundings(
            members: view.members, epoch: view.epoch, own: identity, unreachable: Set(unreachable),
            reachesZooKeeper: lastLease?.reachesZooKeeper ?? false, isDraining: drain.phase != .serving, copies: copies)
        perform(withdrawal?.onTick(now, surroundings))
    }

    private var copies: Int { loop.slotCounts.copies + loop.slotCounts.owned }

    // MARK: Draining

    private func look() {
        lastLook = now
        let others = simulation.nodes.filter { $0 !== node && $0.isOn }.map { "\($0.id):8080" }
        let heirs = view?.othersWithWeight ?? []
        let look = DrainMachine.Look(
            weight: view?.own?.weight, slots: loop.slotCounts.owned, copies: copies, users: loop.mailboxCount, sockets: sockets.count,
            othersHaveWeight: !heirs.isEmpty, reachesZooKeeper: lastLease?.reachesZooKeeper ?? false, elsewhere: others,
            heirs: Set(heirs.map(\.identity)), going: goingPeers)
        perform(drain.onLook(look, now: now))
    }

    private func perform(_ actions: [DrainMachine.Action]) {
        for action in actions {
            switch action {
            case .giveUpWeight:
                apply(.drain)
                for link in links { ping(link, query: 0) }
            case .takeWeight(let weight): apply(.setWeight(weight))
            case .look: look()
            case .moveSockets(let number, let milliseconds, _):
                moveSockets(milliseconds: milliseconds) { self.perform(self.drain.onMoved(number)) }
            case .keepSockets: isMovingSockets = false
            case .leave(let clearingRoster):
                isLeaving = true
                for link in links { ping(link, query: 0) }
                simulation.say(name, "leaves with \(copies) copies")
                apply(.leave(clearingRoster: clearingRoster))
            case .say(let sentence), .warn(let sentence): simulation.say(name, sentence)
            }
        }
        afterMembership()
    }

    /// Sends all clients elsewhere, one after the other.
    private func moveSockets(milliseconds: Int64, _ completion: @escaping () -> Void) {
        isMovingSockets = true
        let leaving = sockets.filter { $0.connection != nil }
        for (index, socket) in leaving.enumerated() {
            after(milliseconds: milliseconds * Int64(index) / Int64(leaving.count)) {
                guard self.isMovingSockets, self.sockets.contains(where: { $0 === socket }) else { return }
                self.drop(socket)
                socket.closeWithResume()
            }
        }
        after(milliseconds: milliseconds) { completion() }
    }

    // MARK: Withdrawing

    private func perform(_ actions: [WithdrawalMachine.Action]?) {
        for action in actions ?? [] {
            switch action {
            case .takeLock: takeLock()
            case .releaseLock: releaseLock(of: identity)
            case .drain: apply(.drain)
            case .endDrain: apply(.endDrain)
            case .withdraw: apply(.withdraw)
            case .comeBack: apply(.comeBack)
            case .probe(let number, let members):
                probeAlive(members) { silent in
                    self.perform(self.withdrawal?.onProbes(number, silent: silent, now: self.now))
                    self.afterMembership()
                }
            case .moveSockets(let milliseconds): moveSockets(milliseconds: milliseconds) {}
            case .keepSockets: isMovingSockets = false
            case .say(let sentence): simulation.say(name, sentence)
            case .alarm(let sentence): simulation.alarm(name, sentence)
            }
        }
        afterMembership()
    }

    private func takeLock() {
        guard isRegistered, let store = session?.store else {
            perform(withdrawal?.onLock(.failed, now: now))
            return
        }
        store.takeLock(for: identity) { answer in self.perform(self.withdrawal?.onLock(answer, now: self.now)) }
    }

    private func releaseLock(of me: MemberIdentity) {
        guard identity == me, let store = session?.store else { return }
        store.releaseLock(of: me) { isDone in
            if !isDone { self.after(milliseconds: 1_000) { self.releaseLock(of: me) } }
        }
    }

    private func probeAlive(_ members: [Member], silent: [String] = [], _ completion: @escaping ([String]) -> Void) {
        guard let first = members.first else { return completion(silent) }
        probe(first) { result in
            self.probeAlive(Array(members.dropFirst()), silent: result == .sameBoot ? silent : silent + [first.id], completion)
        }
    }
}
