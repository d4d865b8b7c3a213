// Ties a node to its membership: what the membership decides reaches the shards, what links hear and operators order reaches the
// membership.
import Logging
import NIOCore
import RingpostCore
import RingpostWire
import ServiceLifecycle

struct NodeMembership {
    private let shared: NodeContext
    private let service: MembershipService

    init(shared: NodeContext, member: Member) {
        self.shared = shared
        let zooKeeper = shared.configuration.zookeeper
        var configuration = MembershipConfiguration(
            servers: zooKeeper?.connectString, cluster: shared.configuration.cluster, me: member)
        configuration.drainMilliseconds = shared.configuration.drainMilliseconds
        configuration.handOverMilliseconds = shared.configuration.limits.handOverMilliseconds
        if let zooKeeper {
            configuration.chroot = zooKeeper.chroot
            configuration.credentials = shared.configuration.zookeeperCredentials
            configuration.sessionTimeoutMilliseconds = shared.configuration.sessionTimeoutMilliseconds
        }
        service = MembershipService(configuration: configuration, hooks: Self.hooks(shared), logger: shared.logger)
    }

    /// Is a member until it has drained, by a graceful shutdown or by an operator's order.
    func run() async throws {
        setHooks()
        let service = service
        do {
            try await withGracefulShutdownHandler {
                try await service.run()
            } onGracefulShutdown: { [shared] in
                shared.onSignal()
            }
        } catch let failure as MembershipFailure {
            throw NodeError(failure.message)
        }
    }

    /// What peers and operators say.
    private func setHooks() {
        let (shared, service) = (shared, service)
        var hooks = NodeContext.Hooks()
        hooks.tell = { service.submit($0) }
        hooks.vacancyWait = { await service.vacancyWait() }
        hooks.order = { order in
            do throws(DrainRefusal) {
                switch order {
                case .drain: await service.drain(.order)
                case .weight(let weight): try await service.setWeight(weight)
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
        hooks.signal = { Task { await service.drain(.signal) } }
        shared.setHooks(hooks)
    }
}

// MARK: - What the membership asks of the node

extension NodeMembership {
    private static func hooks(_ shared: NodeContext) -> MembershipHooks {
        var hooks = MembershipHooks()
        hooks.onIdentity = { identity in
            shared.setIdentity(identity)
            shared.onEachShard { $0.begin(as: identity) }
        }
        hooks.onRegistered = { _, hadPredecessor in if hadPredecessor { shared.onEachShard { $0.succeed() } } }
        hooks.onView = { shared.take($0) }
        hooks.onLease = { shared.take($0) }
        hooks.onRevocations = { list in shared.onEachShard { $0.applyRevocations(list) } }
        hooks.onAlarm = { _ in shared.countAlarm() }
        hooks.onProgress = { shared.setDrain($0) }
        hooks.onLeaving = {
            shared.setLeaving()
            shared.onEachShard { $0.publisher.isLeaving = true }
        }
        addPeers(shared, to: &hooks)
        hooks.holdings = { await shared.holdings() }
        hooks.moveSockets = { await shared.moveSockets(milliseconds: $0, elsewhere: $1) }
        hooks.keepSockets = { await shared.stopMovingSockets() }
        return hooks
    }

    private static func addPeers(_ shared: NodeContext, to hooks: inout MembershipHooks) {
        hooks.onPeerRefused = { identity in
            shared.refuse(identity)
            shared.onEachShard { $0.refuse(identity) }
        }
        hooks.pingPeers = { shared.onEachShard { $0.pingAll() } }
        // One loop asks for all of them: an answer is the node's.
        hooks.askPeers = { number, _ in
            guard let shard = shared.shards.first else { return }
            shard.eventLoop.execute { shard.pingAll(query: number) }
        }
        hooks.peers = { shared.peers }
        hooks.probe = { await shared.probe($0) }
        hooks.link = { _ in
            // The membership waits five seconds at most.
            while !shared.isLinkedWithAll(), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(10)) }
        }
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
    fileprivate func holdings() async -> NodeHoldings {
        var holdings = NodeHoldings()
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
