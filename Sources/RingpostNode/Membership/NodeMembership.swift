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

    init(group: ShardGroup, member: Member) {
        let shared = group.shared
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
        service = MembershipService(configuration: configuration, hooks: Self.hooks(group), logger: shared.logger)
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
    private static func hooks(_ group: ShardGroup) -> MembershipHooks {
        let shared = group.shared
        var hooks = MembershipHooks()
        hooks.onIdentity = { identity in
            shared.setIdentity(identity)
            group.onEachShard { $0.begin(as: identity) }
        }
        hooks.onRegistered = { _, hadPredecessor in if hadPredecessor { group.onEachShard { $0.succeed() } } }
        hooks.onView = { group.apply($0) }
        hooks.onLease = { group.apply($0) }
        hooks.onRevocations = { list in group.onEachShard { $0.applyRevocations(list) } }
        hooks.onAlarm = { _ in shared.countAlarm() }
        hooks.onProgress = { shared.setDrain($0) }
        hooks.onLeaving = {
            shared.setLeaving()
            group.onEachShard { $0.publisher.isLeaving = true }
        }
        addPeers(group, to: &hooks)
        hooks.holdings = { await group.holdings() }
        hooks.moveSockets = { await group.moveSockets(milliseconds: $0, elsewhere: $1) }
        hooks.keepSockets = { await group.stopMovingSockets() }
        return hooks
    }

    private static func addPeers(_ group: ShardGroup, to hooks: inout MembershipHooks) {
        let shared = group.shared
        hooks.onPeerRefused = { identity in
            shared.refuse(identity)
            group.onEachShard { $0.links.refuse(identity) }
        }
        hooks.pingPeers = { group.onEachShard { $0.links.pingAll() } }
        // One loop asks for all of them: an answer is the node's.
        hooks.askPeers = { number, _ in
            guard let shard = group.shards.first else { return }
            shard.eventLoop.execute { shard.links.pingAll(query: number) }
        }
        hooks.peers = { shared.peers }
        hooks.probe = { await group.probe($0) }
        hooks.link = { _ in
            // The membership waits five seconds at most.
            while !shared.isLinkedWithAll(), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(10)) }
        }
    }
}

extension ShardGroup {
    fileprivate func apply(_ view: MembershipView) {
        shared.setView(view)
        onEachShard { $0.apply(view) }
    }

    fileprivate func apply(_ lease: Lease) {
        shared.setLease(lease)
        onEachShard { $0.setLease(until: lease.actUntil) }
    }

    fileprivate func probe(_ member: Member) async -> ProbeResult {
        guard let eventLoop = eventLoops.first else { return .silent }
        return await LinkProbe.ask(member, from: shared, on: eventLoop)
    }
}
