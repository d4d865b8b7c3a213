// Ties a node to its membership: what the membership decides reaches the loops, what links hear reaches the membership, and
// operators' orders reach the drain.
import Logging
import NIOCore
import RingpostCore
import RingpostWire
import ServiceLifecycle

struct NodeMembership {
    private let shared: NodeContext
    private let service: MembershipService
    private let drain: DrainService
    private let withdrawal: WithdrawalService

    init(shared: NodeContext, member: Member) {
        self.shared = shared
        let hooks = Self.hooks(shared)
        if let servers = shared.configuration.zookeeper {
            var configuration = MembershipConfiguration(servers: servers.connectString, cluster: shared.configuration.cluster, me: member)
            configuration.chroot = servers.chroot
            configuration.credentials = shared.configuration.zookeeperCredentials
            configuration.sessionTimeoutMilliseconds = shared.configuration.sessionTimeoutMilliseconds
            service = MembershipService(configuration: configuration, hooks: hooks, logger: shared.logger)
        } else {
            service = .embedded(me: member, hooks: hooks, logger: shared.logger)
        }
        // The first view says what the cluster's S is.
        let machine = DrainMachine(
            drainMilliseconds: shared.configuration.drainMilliseconds,
            sessionTimeoutMilliseconds: Int64(shared.configuration.sessionTimeoutMilliseconds),
            handOverMilliseconds: shared.configuration.limits.handOverMilliseconds)
        let drain = DrainService(membership: service, machine: machine, hooks: Self.drainHooks(shared), logger: shared.logger)
        self.drain = drain
        withdrawal = WithdrawalService(
            membership: service, hooks: Self.withdrawalHooks(shared) { await drain.isDraining }, logger: shared.logger)
    }

    /// Is a member until it has drained, by a graceful shutdown or by an operator's order.
    func run() async throws {
        setHooks()
        let (service, withdrawal) = (service, withdrawal)
        let ending: Result<Void, any Error>
        do {
            try await withGracefulShutdownHandler {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await service.run() }
                    group.addTask { await withdrawal.run() }
                    try await group.next()
                    group.cancelAll()
                }
            } onGracefulShutdown: { [shared] in
                shared.onSignal()
            }
            ending = .success(())
        } catch let failure as MembershipFailure {
            ending = .failure(NodeError(failure.message))
        } catch {
            ending = .failure(error)
        }
        // The event loops end after this: nobody may ask anything of them then.
        await drain.stop()
        try ending.get()
    }

    /// What peers and operators say.
    private func setHooks() {
        let (shared, service, drain, withdrawal) = (shared, service, drain, withdrawal)
        var hooks = NodeContext.Hooks()
        hooks.outageAnswer = { peer, query, standing in
            let sameEpoch = standing.epoch == shared.view?.epoch
            service.outageAnswer(from: peer, queryNumber: query, sameEpoch: sameEpoch, reachesZooKeeper: standing.reachesZooKeeper)
        }
        hooks.peerDiffers = { service.peerDiffers($0, epoch: $1.epoch, digest: $1.digest) }
        hooks.saidGoodbye = { service.saidGoodbye($0) }
        hooks.vacancyWait = { await service.vacancyWait() }
        hooks.unreachable = { withdrawal.onReport(from: $0, unreachable: $1) }
        hooks.offer = { service.offer(epoch: $0, members: $2, generation: $1) }
        hooks.order = { order in
            do throws(DrainRefusal) {
                switch order {
                case .drain: await drain.drain(.order)
                case .weight(let weight): try await drain.setWeight(weight)
                }
                return .accepted
            } catch { return .refused(error) }
        }
        hooks.revoke = { user, tokenID, until in
            // An issuer's clock may be ahead by the leeway, and what it has made by now says so.
            let now = Moment.now().wall / 1_000 + shared.configuration.trust.leewaySeconds
            do throws(RevocationFailure) {
                try await service.revoke(user: user, tokenID: tokenID, until: until, now: now)
            } catch { throw error.report }
        }
        hooks.revocationNotes = {
            do throws(RevocationFailure) { return try await service.revocationNotes() } catch { throw error.report }
        }
        hooks.signal = { Task { await drain.drain(.signal) } }
        shared.setHooks(hooks)
    }
}

// MARK: - What the membership asks of the node

extension NodeMembership {
    private static func hooks(_ shared: NodeContext) -> MembershipHooks {
        MembershipHooks(
            onIdentity: { identity in
                shared.setIdentity(identity)
                shared.onEachShard { $0.begin(as: identity) }
            },
            onRegistered: { _, hadPredecessor in if hadPredecessor { shared.onEachShard { $0.succeed() } } },
            onView: { shared.take($0) },
            onLease: { shared.take($0) },
            onRevocations: { list in shared.onEachShard { $0.applyRevocations(list) } },
            onAlarm: { _ in shared.countAlarm() },
            onPeerRefused: { identity in
                shared.refuse(identity)
                shared.onEachShard { $0.refuse(identity) }
            },
            // One loop asks for all of them: an answer is the node's.
            askPeers: { number, _ in
                guard let shard = shared.shards.first else { return }
                shard.eventLoop.execute { shard.pingAll(query: number) }
            },
            probe: { await shared.probe($0) },
            link: { _ in
                // The membership waits five seconds at most.
                while !shared.isLinkedWithAll(), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(10)) }
            })
    }

    private static func drainHooks(_ shared: NodeContext) -> DrainService.Hooks {
        DrainService.Hooks(
            holdings: { await shared.holdings() },
            going: { shared.goingPeers },
            elsewhere: { shared.elsewhere($0) },
            moveSockets: { await shared.moveSockets(milliseconds: $0, elsewhere: $1) },
            keepSockets: { await shared.stopMovingSockets() },
            // The next heartbeat might come too late: a node that is the last one goes at once.
            onProgress: { if shared.setDrain($0) { shared.onEachShard { $0.pingAll() } } },
            onLeaving: {
                shared.setLeaving()
                shared.onEachShard { shard in
                    shard.publisher.isLeaving = true
                    shard.pingAll()
                }
            })
    }

    private static func withdrawalHooks(
        _ shared: NodeContext, isDraining: @escaping @Sendable () async -> Bool
    ) -> WithdrawalService.Hooks {
        WithdrawalService.Hooks(
            unreachable: { _ in shared.unreachable },
            isDraining: isDraining,
            copiesHeld: { await shared.holdings().copies },
            probe: { await shared.probe($0) },
            moveSockets: { await shared.moveSockets(milliseconds: $0, elsewhere: $1) },
            keepSockets: { await shared.stopMovingSockets() },
            elsewhere: { shared.elsewhere($0) },
            onAlarm: { _ in shared.countAlarm() })
    }
}

extension NodeContext {
    fileprivate func take(_ view: MembershipView) {
        setView(view)
        onEachShard { $0.apply(view) }
    }

    fileprivate func take(_ lease: Lease) {
        setLease(lease)
        onEachShard { $0.setLease(until: lease.actUntil) }
    }

    fileprivate func probe(_ member: Member) async -> ProbeResult {
        await LinkProbe.ask(member, cluster: configuration.cluster, shard: shards.first)
    }

    /// What would have to go before the node can.
    fileprivate func holdings() async -> DrainService.Holdings {
        var holdings = DrainService.Holdings()
        for shard in shards {
            // A loop that has been shut down holds nothing.
            guard let part = try? await shard.eventLoop.submit({ shard.snapshot(countsSlots: true) }).get() else { continue }
            holdings.copies += part.copiesHeld
            holdings.users += part.mailboxes
            holdings.sockets += part.counters.sockets.reduce(0, +)
        }
        return holdings
    }
}

extension Shard {
    /// Tells every other member at once how this node stands.
    fileprivate func pingAll(query: UInt64 = 0) {
        let now = MonotonicClock.nowMilliseconds()
        for link in links.allDialled { link.ping(query: query, now: now) }
    }

    /// A member that computed another ring from the same epoch: no link with this boot of it.
    fileprivate func refuse(_ peer: MemberIdentity) {
        if let link = links.link(to: peer) {
            link.stop()
            linkIsDown(link.handle)
        }
        for server in Array(links.allAccepted) { server.closeIf(from: peer) }
    }
}
