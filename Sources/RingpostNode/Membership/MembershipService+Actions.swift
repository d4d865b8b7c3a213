// What the membership machines want done, done. Requests run as tasks of their own and put their answers into the inbox.

import Dispatch
import Logging
import RingpostCore
import ZooKeeperClient

extension MembershipService {
    func apply(_ event: MembershipEvent, now: Int64) {
        for action in machine.handle(event, now: now) { perform(action, now: now) }
    }

    func perform(_ actions: [LeaseMachine.Action]?, now: Int64) {
        for action in actions ?? [] {
            switch action {
            case .sendSync(let sentAt): sendSync(sentAt: sentAt)
            case .askPeers(let number): hooks.askPeers(number, machine.view?.epoch ?? 0)
            case .closeSession: apply(.giveUpSession, now: now)
            }
        }
    }

    func perform(_ action: MembershipAction, now: Int64) {
        switch action {
        case .openSession(let number, let timeout): open(number: number, timeoutMilliseconds: timeout, now: now)
        case .closeSession: close()
        case .request(let ticket, let request): send(request, ticket: ticket)
        case .probeHolder(let ticket, let holder): probe(holder, ticket: ticket)
        case .linkWithMembers(let session, let limit): link(session: session, limitMilliseconds: limit)
        case .registered(let member, let hadPredecessor):
            isRegistered = true
            hooks.onRegistered(member.identity, hadPredecessor)
            makeLeaseMachine(now: now)
            perform(leaseMachine?.registered(now: now), now: now)
        case .unregistered:
            isRegistered = false
            leaseMachine?.sessionEnded(now: now)
        case .view(let view): announce(view, now: now)
        case .refusePeer(let peer): hooks.onPeerRefused(peer)
        case .say(let sentence): logger.notice("\(sentence)")
        case .alarm(let sentence):
            logger.critical("\(sentence)")
            hooks.onAlarm(sentence)
        case .fail(let sentence):
            logger.critical("\(sentence)")
            ending = .failed(MembershipFailure(message: sentence))
        case .left: ending = .left
        }
    }

    // MARK: - Sessions

    private func open(number: Int, timeoutMilliseconds: Int, now: Int64) {
        var random = SystemRandomNumberGenerator()
        apply(.sessionOpened(session: number, boot: random.next()), now: now)
        hooks.onIdentity(machine.me.identity)
        let (servers, credentials, logger, inbox) = (configuration.servers, configuration.credentials, logger, inbox)
        // On a thread of its own: looking up the servers' names can block for seconds.
        DispatchQueue.global().async {
            do throws(ZooKeeperError) {
                let session = try ZooKeeperSession(
                    servers: servers, sessionTimeoutMilliseconds: timeoutMilliseconds, credentials: credentials, logger: logger
                ) {
                    inbox.yield(.zooKeeper(number: number, $0))
                }
                inbox.yield(.sessionMade(number: number, session))
            } catch {
                inbox.yield(.membership(.sessionRefused(session: number, reason: "\(error)")))
            }
        }
    }

    func adopt(_ made: ZooKeeperSession, number: Int, now: Int64) {
        let early = earlyEvents.filter { $0.number == number }
        earlyEvents = earlyEvents.filter { $0.number > number }
        guard machine.isCurrent(number) else {
            finish(made)
            return
        }
        session = (number, MembershipStore(session: made, paths: paths, user: configuration.credentials?.user, logger: logger))
        for (_, event) in early { onZooKeeper(event, number: number, now: now) }
    }

    private func close() {
        guard let ended = session?.store.session else { return }
        session = nil
        revocations.onDisconnected()
        finish(ended)
    }

    private func finish(_ ended: ZooKeeperSession) {
        closing.append(Task { await ended.close() })
        // Only the last few can still be at it: closing takes 4.5 s at most, and sessions follow each other no faster than they end.
        if closing.count > 8 { closing.removeFirst() }
    }

    func onZooKeeper(_ event: ZooKeeperSessionEvent, number: Int, now: Int64) {
        guard machine.isCurrent(number) else { return }
        guard session?.number == number else {
            earlyEvents.append((number, event))
            return
        }
        switch event {
        case .connected(_, let negotiated):
            apply(.connected(session: number, negotiatedTimeoutMilliseconds: negotiated), now: now)
            perform(leaseMachine?.connected(now: now), now: now)
            // A session with another time-out than the cluster's has been closed by now.
            if session?.number == number { perform(revocations.onConnected(now: now)) }
        case .connecting:
            revocations.onDisconnected()
            perform(leaseMachine?.disconnected(now: now), now: now)
            apply(.disconnected(session: number), now: now)
        case .expired: apply(.expired(session: number), now: now)
        case .authenticationFailed: apply(.authenticationFailed(session: number), now: now)
        case .childrenChanged(paths.revocations), .deleted(paths.revocations): perform(revocations.onChange(now: now))
        case .childrenChanged, .deleted: apply(.membersChanged(session: number), now: now)
        case .created, .dataChanged: break
        }
    }

    // MARK: - Questions

    private func send(_ request: MembershipRequest, ticket: UInt64) {
        guard let store = session?.store else { preconditionFailure("\(request) without a session") }
        let inbox = inbox
        Task { inbox.yield(.membership(.answered(ticket: ticket, await store.perform(request)))) }
    }

    private func sendSync(sentAt: Int64) {
        guard let store = session?.store else { preconditionFailure("a sync without a session") }
        let inbox = inbox
        Task {
            do throws(ZooKeeperError) {
                try await store.session.sync(store.paths.members)
                inbox.yield(.syncAnswered(sentAt: sentAt))
            } catch { inbox.yield(.syncFailed(sentAt: sentAt)) }
        }
    }

    /// The first answer counts; the machine knows a late one by its ticket.
    private func probe(_ holder: Member, ticket: UInt64) {
        let (inbox, probe) = (inbox, hooks.probe)
        let task = Task { _ = inbox.yield(.membership(.holderProbed(ticket: ticket, await probe(holder)))) }
        limit(task, Self.probeLimitMilliseconds, .membership(.holderProbed(ticket: ticket, .silent)))
    }

    private func link(session: Int, limitMilliseconds: Int) {
        guard let view = machine.view else { preconditionFailure("links are asked for without a view") }
        let (inbox, link) = (inbox, hooks.link)
        let task = Task {
            await link(view)
            inbox.yield(.membership(.linked(session: session)))
        }
        limit(task, limitMilliseconds, .membership(.linked(session: session)))
    }

    /// Cancels what takes too long, and goes on without it even if it doesn't heed that.
    private func limit(_ task: Task<Void, Never>, _ milliseconds: Int, _ input: Input) {
        let inbox = inbox
        Task {
            do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch { return }
            task.cancel()
            inbox.yield(input)
        }
    }

    // MARK: - News

    /// The lease machine, made as soon as the document says S, H and M.
    private func makeLeaseMachine(now: Int64) {
        if leaseMachine == nil, let document = machine.document { leaseMachine = LeaseMachine(document: document, now: now) }
    }

    private func announce(_ view: MembershipView, now: Int64) {
        logger.notice("\(view)", metadata: ["slots": "\(view.slotsOwned)"])
        makeLeaseMachine(now: now)
        let others = Set(view.othersWithWeight.map(\.identity))
        let idle = Set(view.members.map(\.identity)).subtracting(others)
        leaseMachine?.membersChanged(epoch: view.epoch, others: others, idle: idle, now: now)
        // The lease first: what was agreed at the old epoch must not be acted upon with the new ring. What the new one allows, and the
        // questions, last: a copy must not be acknowledged to an owner that the new ring has replaced.
        publishLease(now: now)
        hooks.onView(view)
        perform(leaseMachine?.tick(now: now), now: now)
    }

    func logLease(_ lease: Lease, before: Lease, now: Int64) {
        switch (lease.state, before.state) {
        case (.leased, .outage): logger.notice("ZooKeeper confirms the session again; outage mode is over")
        case (.leased, .frozen(let since)): logger.notice("ZooKeeper confirms the session; frozen for \(now - since) ms before")
        case (.outage, _): logger.warning("outage mode: every other member with weight is without ZooKeeper too; going on")
        case (.frozen, .frozen): break
        case (.frozen, _) where isLeaving: break
        case (.frozen, _): logger.error("frozen: ZooKeeper does not confirm the session; neither owner nor mirror until it does")
        case (.leased, .leased): break
        }
    }
}
