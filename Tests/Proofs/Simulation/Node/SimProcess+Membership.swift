// What a node's membership service does: it feeds the two membership machines and performs what they say.

import RingpostCore

extension SimProcess {
    // MARK: What goes in

    func apply(_ event: MembershipEvent) {
        for action in membership.handle(event, now: now) { perform(action) }
    }

    func perform(_ actions: [LeaseMachine.Action]?) {
        for action in actions ?? [] {
            switch action {
            case .sendSync(let sentAt): sendSync(sentAt: sentAt)
            case .askPeers(let number): for link in links { ping(link, query: number) }
            case .closeSession: apply(.giveUpSession)
            }
        }
    }

    /// After every event: the lease as it is now, and the next alarm of the clock.
    func afterMembership() {
        publishLease()
        let due = [membership.nextWake, lease?.nextWake(now: now)].compactMap { $0 }.min()
        if wake?.at == due { return }
        wake = nil
        guard let due else { return }
        lastWake += 1
        let number = lastWake
        wake = (due, number)
        after(milliseconds: max(0, due - now)) {
            guard self.wake?.number == number else { return }
            self.wake = nil
            self.perform(self.lease?.tick(now: self.now))
            self.apply(.tick)
            self.afterMembership()
        }
    }

    func onZooKeeper(_ event: SimSessionEvent, session told: SimSession) {
        guard membership.isCurrent(told.number), session?.number == told.number else { return }
        switch event {
        case .connected:
            apply(.connected(session: told.number, negotiatedTimeoutMilliseconds: simulation.document.sessionTimeoutMilliseconds))
            perform(lease?.connected(now: now))
        case .disconnected:
            perform(lease?.disconnected(now: now))
            apply(.disconnected(session: told.number))
        case .expired: apply(.expired(session: told.number))
        case .membersChanged: apply(.membersChanged(session: told.number))
        }
        afterMembership()
    }

    // MARK: What comes out

    private func perform(_ action: MembershipAction) {
        switch action {
        case .openSession(let number, _): openSession(number)
        case .closeSession:
            session?.store.session.close()
            session = nil
        case .request(let ticket, let request):
            guard let store = session?.store else { return }
            store.perform(request) { answer in
                self.apply(.answered(ticket: ticket, answer))
                self.afterMembership()
            }
        case .probeHolder(let ticket, let holder):
            probe(holder) { result in
                self.apply(.holderProbed(ticket: ticket, result))
                self.afterMembership()
            }
        case .linkWithMembers(let session, let limit): waitForLinks(session: session, until: now + Int64(limit))
        case .registered(_, let hadPredecessor):
            isRegistered = true
            if hadPredecessor { loop.succeed(now: moment) }
            makeLeaseMachine()
            perform(lease?.registered(now: now))
        case .unregistered:
            isRegistered = false
            lease?.sessionEnded(now: now)
        case .view(let view): announce(view)
        case .refusePeer(let peer): refuse(peer)
        case .say(let sentence): simulation.say(name, sentence)
        case .alarm(let sentence): simulation.alarm(name, sentence)
        case .fail(let sentence):
            simulation.alarm(name, "fails: \(sentence)")
            end()
        case .left: end()
        }
    }

    /// The process ends by itself.
    private func end() { after(milliseconds: 0) { self.node.kill() } }

    private func openSession(_ number: Int) {
        apply(.sessionOpened(session: number, boot: random.next()))
        simulation.coverage.willLose(self)
        identity = membership.me.identity
        simulation.say(name, "is \(identity)")
        withLoop { $0.begin(as: self.identity, now: self.moment, actions: &$1) }
        simulation.coverage.hasLost()
        session = (number, SimStore(session: simulation.zooKeeper.open(for: self, number: number), paths: simulation.zooKeeper.paths))
        // Links say who this node is; those of another boot are no use any more.
        for end in accepted.values.sorted(by: { $0.channel < $1.channel }) {
            if case .node = end.kind { close(end) }
        }
        for link in links { redial(link) }
    }

    private func sendSync(sentAt: Int64) {
        session?.store.session.request(.sync) { result in
            if case .success = result {
                self.perform(self.lease?.syncAnswered(sentAt: sentAt, now: self.now))
            } else {
                self.perform(self.lease?.syncFailed(sentAt: sentAt, now: self.now))
            }
            self.afterMembership()
        }
    }

    func probe(_ holder: Member, _ completion: @escaping (ProbeResult) -> Void) {
        let target = simulation.nodes.first { $0.id == holder.id }
        let isReachable = target.map { !simulation.network.isCutEitherWay(self.node.index, $0.index) } ?? false
        guard isReachable, target?.process?.isPaused != true else { return after(milliseconds: 2_000) { completion(.silent) } }
        let boot = target?.process?.identity.boot
        after(milliseconds: random.draw(1...5)) {
            completion(boot == nil ? .refused : boot == holder.boot ? .sameBoot : .otherBoot)
        }
    }

    private func waitForLinks(session: Int, until limit: Int64) {
        let others = view?.members.map(\.identity).filter { $0 != identity } ?? []
        let isLinked = others.allSatisfy { other in links.contains { $0.isUp && $0.member.identity == other } }
        guard isLinked || now >= limit else { return after(milliseconds: 10) { self.waitForLinks(session: session, until: limit) } }
        apply(.linked(session: session))
        afterMembership()
    }

    /// Made as soon as the document says S, H and M.
    private func makeLeaseMachine() {
        if lease == nil, let document = membership.document { lease = LeaseMachine(document: document, now: now) }
    }

    private func announce(_ view: MembershipView) {
        simulation.say(name, "takes \(view)")
        makeLeaseMachine()
        let others = Set(view.othersWithWeight.map(\.identity))
        let idle = Set(view.members.map(\.identity)).subtracting(others)
        lease?.membersChanged(epoch: view.epoch, others: others, idle: idle, now: now)
        // The lease first: what was agreed at the old epoch must not be acted upon with the new ring. What the new one allows comes last.
        publishLease()
        take(view)
        perform(lease?.tick(now: now))
    }

    private func take(_ next: MembershipView) {
        let old = view
        view = next
        epochsTaken.insert(next.epoch)
        updateLinks(next)
        withLoop { $0.apply(next, now: self.moment, actions: &$1) }
        reattach(from: old, to: next)
    }

    func publishLease() {
        let frozen = Lease(state: .frozen(since: .min), actUntil: .min, reachesZooKeeper: false)
        let told = lease?.lease(now: now) ?? frozen
        // Between two sessions no syncs are sent, but a node that is connected must not tell peers that ZooKeeper is away.
        let reaches = told.reachesZooKeeper || (membership.isConnected && !isRegistered)
        let next = Lease(state: told.state, actUntil: told.actUntil, reachesZooKeeper: reaches)
        if next == lastLease { return }
        if lastLease?.state != next.state { simulation.say(name, "lease: \(next.state)") }
        lastLease = next
        withLoop { $0.setLease(until: next.actUntil, now: self.moment, actions: &$1) }
    }

    // MARK: The roster

    /// Who might still have a copy that nobody has answered for, and how long such a one could go on acting.
    func askRoster() {
        let epoch = loop.epoch
        guard let store = session?.store else { return answerRoster(nil, askedAt: epoch) }
        store.departed { departed in
            guard let strangers = departed?.filter({ !self.membership.wasEver($0.identity) }) else {
                return self.answerRoster(nil, askedAt: epoch)
            }
            if strangers.isEmpty { return self.answerRoster(0, askedAt: epoch) }
            self.probeAll(strangers) { silent in
                let document = self.simulation.document
                self.answerRoster(Int64(silent.isEmpty ? document.vacancyMillisecondsMin : document.vacancyMillisecondsMax), askedAt: epoch)
            }
        }
    }

    /// Asks one after the other; `completion` gets those who may still be there.
    private func probeAll(_ strangers: [Member], silent: [String] = [], _ completion: @escaping ([String]) -> Void) {
        guard let first = strangers.first else { return completion(silent) }
        probe(first) { result in
            let isGone = result == .refused || result == .otherBoot
            self.probeAll(Array(strangers.dropFirst()), silent: isGone ? silent : silent + [first.id], completion)
        }
    }

    private func answerRoster(_ wait: Int64?, askedAt epoch: UInt64) {
        simulation.say(name, "roster: \(wait.map { "wait \($0) ms" } ?? "unreadable")")
        withLoop { $0.onRoster(waitMilliseconds: wait, askedAt: epoch, now: self.moment, actions: &$1) }
    }
}
