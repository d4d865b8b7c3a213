// What the node machine wants done, done. Requests run as tasks of their own and put their answers into the inbox.

import Dispatch
import Logging
import RingpostCore
import ZooKeeperClient

extension MembershipService {
    func perform(_ action: NodeAction) {
        switch action {
        case .openSession(let number, let timeout): open(number: number, timeoutMilliseconds: timeout)
        case .closeSession: close()
        case .request(let ticket, let request): send(request, ticket: ticket)
        case .askAfresh(let session, let member, let limit): askAfresh(session, about: member, limitMilliseconds: limit)
        case .sendSync(let sentAt): sendSync(sentAt: sentAt)
        case .takeLock(let member): answer { .lockAnswered(member, await $0.takeWithdrawalLock(as: member)) }
        case .releaseLock(let member): answer { .lockReleased(member, isDone: await $0.releaseWithdrawalLock(of: member)) }
        case .readRevocations(let ticket): readRevocations(ticket: ticket)
        case .deleteRevocations(let revocations):
            if let store = session?.store { Task { await store.delete(revocations) } }
        case .probeHolder(let ticket, let holder): probe(holder, ticket: ticket)
        case .probeMembers(let number, let members): probe(members, number: number)
        case .linkWithMembers(let session, let limit): link(session: session, limitMilliseconds: limit)
        case .askPeers(let number, let epoch): hooks.askPeers(number, epoch)
        case .pingPeers: hooks.pingPeers()
        case .refusePeer(let peer): hooks.onPeerRefused(peer)
        case .identity(let identity, let lineage):
            // Copies are on the disk under the old one, and ticks on their way there.
            if let keeper, keeper.lineage != lineage { return fail(keeper.givenUp) }
            hooks.onIdentity(identity, lineage)
        case .registered(let member, let hadPredecessor): hooks.onRegistered(member, hadPredecessor)
        case .lease(let lease): hooks.onLease(lease)
        case .view(let view):
            if session != nil { logger.notice("\(view)", metadata: ["slots": "\(view.slotsOwned)"]) }
            hooks.onView(view)
        case .revocations(let list): tell(list)
        case .progress(let progress): hooks.onProgress(progress)
        case .standing(let alarms): hooks.onStanding(alarms)
        case .slotsWait(let report): hooks.onSlotsWait(report)
        case .leaving: hooks.onLeaving()
        case .look(let ticket, let countsHoldings): look(ticket: ticket, countsHoldings: countsHoldings)
        case .moveSockets(let number, let milliseconds, let elsewhere): move(number, milliseconds, elsewhere)
        case .keepSockets: keepSockets()
        case .log(let severity, let sentence): log(severity, sentence)
        case .end(let ending): end(ending)
        }
    }

    private func log(_ severity: NodeAction.Severity, _ sentence: String) {
        switch severity {
        case .notice: logger.notice("\(sentence)")
        case .warning: logger.warning("\(sentence)")
        case .error: logger.error("\(sentence)")
        case .alarm:
            logger.critical("\(sentence)")
            hooks.onAlarm(sentence)
        }
    }

    private func answer(_ body: @escaping @Sendable (MembershipService) async -> NodeEvent) {
        Task { inbox.yield(.event(await body(self))) }
    }

    // MARK: - Sessions

    private func open(number: Int, timeoutMilliseconds: Int) {
        var random = SystemRandomNumberGenerator()
        handle(.membership(.sessionOpened(session: number, boot: random.next())))
        let (servers, credentials, logger, inbox) = (configuration.servers ?? "", configuration.credentials, logger, inbox)
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
                inbox.yield(.event(.membership(.sessionRefused(session: number, reason: "\(error)"))))
            }
        }
    }

    func adopt(_ made: ZooKeeperSession, number: Int) {
        let early = earlyEvents.filter { $0.number == number }
        earlyEvents = earlyEvents.filter { $0.number > number }
        guard machine.isCurrent(number) else {
            finish(made)
            return
        }
        session = (number, MembershipStore(session: made, paths: paths, user: configuration.credentials?.user, logger: logger))
        for (_, event) in early { onZooKeeper(event, number: number) }
    }

    private func close() {
        guard let ended = session?.store.session else { return }
        session = nil
        finish(ended)
    }

    private func finish(_ ended: ZooKeeperSession) {
        closing.append(Task { await ended.close() })
        // Only the last few can still be at it: closing takes 4.5 s at most, and sessions follow each other no faster than they end.
        if closing.count > 8 { closing.removeFirst() }
    }

    func onZooKeeper(_ event: ZooKeeperSessionEvent, number: Int) {
        guard machine.isCurrent(number) else { return }
        guard session?.number == number else {
            earlyEvents.append((number, event))
            return
        }
        switch event {
        case .connected(_, let negotiated):
            handle(.membership(.connected(session: number, negotiatedTimeoutMilliseconds: negotiated)))
        case .connecting: handle(.membership(.disconnected(session: number)))
        case .expired: handle(.membership(.expired(session: number)))
        case .authenticationFailed: handle(.membership(.authenticationFailed(session: number)))
        case .childrenChanged(paths.revocations), .deleted(paths.revocations): handle(.revocationsChanged(session: number))
        case .childrenChanged, .deleted: handle(.membership(.membersChanged(session: number)))
        case .created, .dataChanged: break
        }
    }

    // MARK: - Questions

    private func send(_ request: MembershipRequest, ticket: UInt64) {
        if ending != nil { return }
        guard let store = session?.store else { preconditionFailure("\(request) without a session") }
        let (inbox, keeper, generation) = (inbox, keeper, machine.document?.generation)
        Task {
            do throws(MembershipFailure) {
                try await keeper?.prepare(request, generation: generation)
                let answer = await store.perform(request)
                inbox.yield(.event(.membership(.answered(ticket: ticket, answer))))
            } catch { inbox.yield(.failed(error.message)) }
        }
    }

    private func askAfresh(_ session: Int, about member: Member, limitMilliseconds: Int) {
        let (inbox, configuration, path, logger) = (inbox, configuration, paths.member(member.id), logger)
        // Its answer would be nobody's.
        asking?.cancel()
        asking = Task {
            let answer = await FreshSession.ask(
                about: member, at: path, configuration.servers ?? "", configuration.credentials, limitMilliseconds: limitMilliseconds,
                logger: logger)
            inbox.yield(.event(.membership(.askedAfresh(session: session, answer))))
        }
    }

    private func sendSync(sentAt: Int64) {
        guard let store = session?.store else { preconditionFailure("a sync without a session") }
        answer { _ in
            do throws(ZooKeeperError) {
                try await store.session.sync(store.paths.members)
                return .syncAnswered(sentAt: sentAt)
            } catch { return .syncFailed(sentAt: sentAt) }
        }
    }

    /// The first answer counts; the machine knows a late one by its ticket.
    private func probe(_ holder: Member, ticket: UInt64) {
        let (inbox, probe) = (inbox, hooks.probe)
        let task = Task { _ = inbox.yield(.event(.membership(.holderProbed(ticket: ticket, await probe(holder))))) }
        limit(task, Self.probeLimitMilliseconds, .holderProbed(ticket: ticket, .silent))
    }

    private func link(session: Int, limitMilliseconds: Int) {
        guard let view = machine.view else { preconditionFailure("links are asked for without a view") }
        let (inbox, link) = (inbox, hooks.link)
        let task = Task {
            await link(view)
            inbox.yield(.event(.membership(.linked(session: session))))
        }
        limit(task, limitMilliseconds, .linked(session: session))
    }

    /// Cancels what takes too long, and goes on without it even if it doesn't heed that.
    private func limit(_ task: Task<Void, Never>, _ milliseconds: Int, _ event: MembershipEvent) {
        let inbox = inbox
        Task {
            do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch { return }
            task.cancel()
            inbox.yield(.event(.membership(event)))
        }
    }

    private func probe(_ members: [Member], number: Int) {
        let (inbox, probe) = (inbox, hooks.probe)
        probing = Task {
            let silent = await withTaskGroup(of: String?.self) { group in
                for member in members { group.addTask { await probe(member) == .sameBoot ? nil : member.id } }
                return await group.reduce(into: [String]()) { names, name in if let name { names.append(name) } }
            }
            inbox.yield(.event(.membersProbed(number: number, silent: silent.sorted())))
        }
    }

    // MARK: - The node

    private func look(ticket: UInt64, countsHoldings: Bool) {
        guard countsHoldings else { return handle(.looked(ticket: ticket, hooks.peers(), nil)) }
        let (inbox, hooks) = (inbox, hooks)
        looking = Task {
            let holdings = await hooks.holdings()
            inbox.yield(.event(.looked(ticket: ticket, hooks.peers(), holdings)))
        }
    }

    /// One order at a time: an order that was called back must have stopped before the next one begins.
    private func move(_ number: Int, _ milliseconds: Int64, _ elsewhere: [String]) {
        let (inbox, hooks) = (inbox, hooks)
        moveInTurn {
            await hooks.moveSockets(milliseconds, elsewhere)
            if !Task.isCancelled { inbox.yield(.event(.moved(number: number))) }
        }
    }

    private func keepSockets() {
        let hooks = hooks
        moveInTurn { await hooks.keepSockets() }
    }

    private func moveInTurn(_ body: @escaping @Sendable () async -> Void) {
        let previous = moving
        previous?.cancel()
        moving = Task {
            await previous?.value
            if !Task.isCancelled { await body() }
        }
    }
}
