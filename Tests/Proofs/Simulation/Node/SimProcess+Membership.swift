// What a node's membership service does: it feeds the node machine and performs what it says, on a simulated ZooKeeper and its links.

import RingpostCore

extension SimProcess {
    // MARK: What goes in

    /// As by SIGTERM: gives the weight up, hands over, sends its clients elsewhere, leaves.
    func stop() { handle(.drain(.signal)) }

    /// As by an operator's order; a weight takes it back.
    func beginDrain() { handle(.drain(.order)) }

    /// As by an operator's order.
    func setWeight(_ weight: UInt16) {
        do throws(DrainRefusal) { perform(try machine.setWeight(weight, now: now)) } catch { simulation.say(name, error.message) }
    }

    func handle(_ event: NodeEvent) { perform(machine.handle(event, now: now)) }

    /// In order: what an action leads to at once comes after those that wait already.
    private func perform(_ actions: [NodeAction]) {
        nodeActions += actions
        if isPerformingNode { return }
        isPerformingNode = true
        var next = 0
        while next < nodeActions.count, !isDead {
            next += 1
            perform(nodeActions[next - 1])
        }
        nodeActions.removeAll(keepingCapacity: true)
        isPerformingNode = false
        setWake()
    }

    private func setWake() {
        let due = machine.nextWake(now: now)
        if wake?.at == due { return }
        wake = nil
        guard let due else { return }
        lastWake += 1
        let number = lastWake
        wake = (due, number)
        after(milliseconds: max(0, due - now)) {
            guard self.wake?.number == number else { return }
            self.wake = nil
            self.handle(.tick)
        }
    }

    func onZooKeeper(_ event: SimSessionEvent, session told: SimSession) {
        guard machine.isCurrent(told.number), session?.number == told.number else { return }
        switch event {
        case .connected:
            let timeout = simulation.document.sessionTimeoutMilliseconds
            handle(.membership(.connected(session: told.number, negotiatedTimeoutMilliseconds: timeout)))
        case .disconnected: handle(.membership(.disconnected(session: told.number)))
        case .expired: handle(.membership(.expired(session: told.number)))
        case .membersChanged: handle(.membership(.membersChanged(session: told.number)))
        }
    }

    // MARK: What comes out

    private func perform(_ action: NodeAction) {
        switch action {
        case .openSession(let number, _): openSession(number)
        case .closeSession:
            session?.store.session.close()
            session = nil
        case .request(let ticket, let request):
            session?.store.perform(request) { self.handle(.membership(.answered(ticket: ticket, $0))) }
        case .askAfresh(let session, let member, _): askAfresh(session, about: member)
        case .sendSync(let sentAt):
            session?.store.session.request(.sync) { result in
                if case .success = result { self.handle(.syncAnswered(sentAt: sentAt)) } else { self.handle(.syncFailed(sentAt: sentAt)) }
            }
        case .takeLock(let member):
            guard let store = session?.store else { return handle(.lockAnswered(member, .failed)) }
            store.takeLock(for: member) { self.handle(.lockAnswered(member, $0)) }
        case .releaseLock(let member):
            guard let store = session?.store else { return handle(.lockReleased(member, isDone: true)) }
            store.releaseLock(of: member) { self.handle(.lockReleased(member, isDone: $0)) }
        case .readRevocations(let ticket):
            session?.store.readRevocations {
                self.handle(.revocationsRead(ticket: ticket, $0, seconds: self.simulation.wall / 1_000))
            }
        // Nobody revokes anything.
        case .revocations, .deleteRevocations: break
        case .probeHolder(let ticket, let holder):
            probe(holder) { self.handle(.membership(.holderProbed(ticket: ticket, $0))) }
        case .probeMembers(let number, let members):
            probe(members) { results in
                let silent = results.filter { $0.result != .sameBoot }.map(\.member.id)
                self.handle(.membersProbed(number: number, silent: silent))
            }
        case .linkWithMembers(let session, let limit): waitForLinks(session: session, until: now + Int64(limit))
        case .askPeers(let number, _): for link in links { ping(link, query: number) }
        case .pingPeers: for link in links { ping(link, query: 0) }
        case .refusePeer(let peer): refuse(peer)
        case .look(let ticket, let countsHoldings):
            let holdings = NodeHoldings(copies: copies, lastCopies: loop.lastCopyCount, users: loop.keptCount, sockets: sockets.count)
            handle(.looked(ticket: ticket, peers, countsHoldings ? holdings : nil))
        default: performHere(action)
        }
    }

    /// What concerns the process itself.
    private func performHere(_ action: NodeAction) {
        switch action {
        case .identity(let identity, let lineage): begin(as: identity, lineage: lineage)
        case .registered(_, let hadPredecessor): if hadPredecessor { loop.succeed(now: moment) }
        case .lease(let lease):
            lastLease = lease
            withLoop {
                $0.setLease(until: lease.actUntil, reachesZooKeeper: lease.reachesZooKeeper, now: self.moment, actions: &$1)
            }
        case .view(let view):
            simulation.say(name, "takes \(view)")
            take(view)
        // For people.
        case .standing, .slotsWait: break
        case .progress(let progress): isDraining = progress != nil
        case .leaving:
            isLeaving = true
            simulation.say(name, "leaves with \(copies) copies")
        case .moveSockets(let number, let milliseconds, _): moveSockets(number, milliseconds: milliseconds)
        case .keepSockets: move = nil
        case .log(.alarm, let sentence): simulation.alarm(name, sentence)
        case .log(_, let sentence): simulation.say(name, sentence)
        case .end(let ending):
            if case .failed(let sentence) = ending { simulation.alarm(name, "fails: \(sentence)") }
            // The process ends by itself.
            after(milliseconds: 0) {
                self.store?.close()
                self.node.kill()
            }
        default: preconditionFailure("nobody performs \(action)")
        }
    }

    private func openSession(_ number: Int) {
        session = (number, SimStore(session: simulation.zooKeeper.open(for: self, number: number), paths: simulation.zooKeeper.paths))
        let boot = random.next()
        store?.disk.remember(boot: boot)
        handle(.membership(.sessionOpened(session: number, boot: boot)))
    }

    private func askAfresh(_ session: Int, about member: Member) {
        after(milliseconds: random.draw(5...100)) {
            guard let zooKeeper = self.simulation.zooKeeper else { return }
            var answer = FreshAnswer.nobody
            if zooKeeper.reaches(self), zooKeeper.pickServer() != nil {
                answer = zooKeeper.members.contains { $0.identity == member.identity } ? .known : .unknown
            }
            self.handle(.membership(.askedAfresh(session: session, answer)))
        }
    }

    private func begin(as identity: MemberIdentity, lineage: UInt64) {
        simulation.coverage.willLose(self)
        self.identity = identity
        simulation.say(name, "is \(identity), lineage \(lineage.hexadecimal)")
        // Whatever is asked from here on, nothing that is given up is said under another name.
        store?.begin(lineage: lineage)
        // Under the new name, too, the store knows the boot before others do.
        store?.disk.remember(boot: identity.boot)
        withLoop { $0.begin(as: identity, lineage: lineage, now: self.moment, actions: &$1) }
        simulation.coverage.hasLost()
        // Links say who this node is; those of another boot are no use any more.
        for end in accepted.values.sorted(by: { $0.channel < $1.channel }) {
            if case .node = end.kind { close(end) }
        }
        for link in links { onClosed(link) }
    }

    private func take(_ next: MembershipView) {
        let old = view
        view = next
        epochsTaken.insert(next.epoch)
        peers.apply(next, own: identity)
        updateLinks(next)
        withLoop { $0.apply(next, now: self.moment, actions: &$1) }
        reattach(from: old, to: next)
    }

    private var copies: Int { loop.slotCounts.copies + loop.slotCounts.owned }

    /// Sends all clients elsewhere, one after the other.
    private func moveSockets(_ number: Int, milliseconds: Int64) {
        lastMove += 1
        let move = lastMove
        self.move = move
        let leaving = sockets.filter { $0.connection != nil }
        for (index, socket) in leaving.enumerated() {
            after(milliseconds: milliseconds * Int64(index) / Int64(leaving.count)) {
                guard self.move == move, self.sockets.contains(where: { $0 === socket }) else { return }
                self.drop(socket)
                socket.closeWithResume()
            }
        }
        after(milliseconds: milliseconds) { if self.move == move { self.handle(.moved(number: number)) } }
    }

    // MARK: Asking

    private func probe(_ holder: Member, _ completion: @escaping (ProbeResult) -> Void) {
        let target = simulation.nodes.first { $0.id == holder.id }
        let isReachable = target.map { !simulation.network.isCutEitherWay(self.node.index, $0.index) } ?? false
        guard isReachable, target?.process?.isPaused != true else { return after(milliseconds: 2_000) { completion(.silent) } }
        let boot = target?.process?.identity.boot
        after(milliseconds: random.draw(1...5)) {
            completion(boot == nil ? .refused : boot == holder.boot ? .sameBoot : .otherBoot)
        }
    }

    /// One after the other; `completion` gets the results in the order of the members.
    private func probe(
        _ members: [Member], _ results: [(member: Member, result: ProbeResult)] = [],
        _ completion: @escaping ([(member: Member, result: ProbeResult)]) -> Void
    ) {
        if results.count == members.count { return completion(results) }
        let member = members[results.count]
        probe(member) { self.probe(members, results + [(member, $0)], completion) }
    }

    private func waitForLinks(session: Int, until limit: Int64) {
        guard peers.isLinkedWithAll(own: identity) || now >= limit else {
            return after(milliseconds: 10) { self.waitForLinks(session: session, until: limit) }
        }
        handle(.membership(.linked(session: session)))
    }

    /// Who might still have a copy that nobody has answered for, and how long such a one could go on acting.
    func askRoster() {
        let epoch = loop.epoch
        guard let store = session?.store else { return answerRoster(nil, askedAt: epoch) }
        store.roster { roster in
            guard self.machine.view?.epoch == epoch else { return self.answerRoster(nil, askedAt: epoch) }
            switch roster.flatMap({ self.machine.vacancy(roster: $0) }) {
            case nil: self.answerRoster(nil, askedAt: epoch)
            case .wait(let milliseconds): self.answerRoster(milliseconds, askedAt: epoch)
            case .ask(let strangers):
                self.probe(strangers) { results in
                    let wait = self.machine.vacancyWait(after: results).map { max($0, self.diskWait(strangers)) }
                    self.answerRoster(wait, askedAt: epoch)
                }
            }
        }
    }

    /// Who has its copies on a disk may come back with them.
    private func diskWait(_ strangers: [Member]) -> Int64 {
        let hasDisk = strangers.contains { stranger in
            self.node.disk?.lineage != stranger.lineage && simulation.diskLineages.contains(stranger.lineage)
        }
        return hasDisk ? Int64(simulation.document.recoveryMilliseconds) : 0
    }

    private func answerRoster(_ wait: Int64?, askedAt epoch: UInt64) {
        simulation.say(name, "roster: \(wait.map { "wait \($0) ms" } ?? "unreadable")")
        withLoop { $0.onRoster(waitMilliseconds: wait, askedAt: epoch, now: self.moment, actions: &$1) }
    }
}
