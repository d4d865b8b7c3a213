// Ties a node to its membership: what the membership decides reaches the shards, what links hear and operators order reaches the
// membership.
import Logging
import NIOCore
import RingpostCore
import RingpostWire
import ServiceLifecycle

struct NodeMembership {
    private let context: NodeContext
    private let service: MembershipService

    /// - Parameters:
    ///   - keeper: keeps the member's lineage; `nil` where it ends with the process.
    ///   - ring: without ZooKeeper, the ring of an earlier process.
    ///   - whenServing: called once, when all shards serve clients.
    init(
        group: ShardGroup, member: Member, keeper: (any LineageKeeper)?, ring: LoneRing?, whenServing: @escaping @Sendable () -> Void
    ) {
        let context = group.context
        self.context = context
        let zooKeeper = context.configuration.zookeeper
        var configuration = MembershipConfiguration(
            servers: zooKeeper?.connectString, cluster: context.configuration.cluster, me: member)
        configuration.drainMilliseconds = context.configuration.drainMilliseconds
        configuration.handOverMilliseconds = context.configuration.limits.handOverMilliseconds
        configuration.revocationsFile = context.configuration.revocationsFile
        configuration.ring = ring
        if let zooKeeper {
            configuration.chroot = zooKeeper.chroot
            configuration.credentials = context.configuration.zookeeperCredentials
            configuration.sessionTimeoutMilliseconds = context.configuration.sessionTimeoutMilliseconds
            configuration.copies = context.configuration.copies
        }
        service = MembershipService(
            configuration: configuration, hooks: Self.hooks(group, whenServing), keeper: keeper, logger: context.logger)
    }

    /// Is a member until it has drained, by a graceful shutdown or by an operator's order.
    func run() async throws {
        setHooks()
        let service = service
        do {
            try await withGracefulShutdownHandler {
                try await service.run()
            } onGracefulShutdown: { [context] in
                context.onSignal()
            }
        } catch let failure as MembershipFailure {
            throw NodeError(failure.message)
        }
    }

    /// What peers and operators say.
    private func setHooks() {
        let (context, service) = (context, service)
        var hooks = NodeContext.Hooks()
        hooks.tell = { service.submit($0) }
        hooks.vacancyWait = { await service.vacancyWait(at: $0) }
        hooks.order = { order in
            do throws(DrainRefusal) {
                switch order {
                case .drain: await service.drain(.order)
                case .weight(let weight): try await service.setWeight(weight)
                }
                return .accepted
            } catch { return .refused(error) }
        }
        hooks.revoke = { tokens, until, maker in
            // An issuer's clock may be ahead by the leeway, and what it has made by now says so.
            let now = Moment.now().wall / 1_000 + context.configuration.auth.leewaySeconds
            do throws(RevocationFailure) {
                try await service.revoke(tokens, until: until, now: now, maker: maker)
            } catch { throw error.report }
        }
        hooks.revocationNotes = {
            do throws(RevocationFailure) { return try await service.revocationNotes() } catch { throw error.report }
        }
        hooks.fail = { service.fail(because: $0) }
        hooks.forget = { id in
            do throws(ForgetRefusal) {
                try await service.forget(id)
                return nil
            } catch { return error }
        }
        hooks.signal = { Task { await service.drain(.signal) } }
        context.setHooks(hooks)
        // It may have failed before anybody could be told.
        if let failure = context.store?.firstFailure { context.fail("\(failure)") }
    }
}

// MARK: - What the membership asks of the node

extension NodeMembership {
    private static func hooks(_ group: ShardGroup, _ whenServing: @escaping @Sendable () -> Void) -> MembershipHooks {
        let context = group.context
        var hooks = MembershipHooks()
        hooks.onIdentity = { identity, lineage in
            context.setIdentity(identity)
            group.onEachShard { $0.begin(as: identity, lineage: lineage) }
        }
        hooks.onRegistered = { _, hadPredecessor in if hadPredecessor { group.onEachShard { $0.succeed() } } }
        let afterShards: @Sendable () -> Void = {
            if context.hasServed { return }
            group.afterShards { if context.beginsServing() { whenServing() } }
        }
        hooks.onView = { view in
            group.apply(view)
            afterShards()
        }
        hooks.onLease = { group.apply($0) }
        hooks.onRevocations = { list in
            group.onEachShard { $0.applyRevocations(list) }
            afterShards()
        }
        hooks.onAlarm = { _ in context.countAlarm() }
        hooks.onStanding = { context.setStanding($0) }
        hooks.onSlotsWait = { context.setSlotsWait($0) }
        hooks.onProgress = { context.setDrain($0) }
        hooks.onLeaving = {
            context.setLeaving()
            group.onEachShard { $0.publisher.isLeaving = true }
        }
        addPeers(group, to: &hooks)
        hooks.holdings = { await group.holdings() }
        hooks.moveSockets = { await group.moveSockets(milliseconds: $0, elsewhere: $1) }
        hooks.keepSockets = { await group.stopMovingSockets() }
        return hooks
    }

    private static func addPeers(_ group: ShardGroup, to hooks: inout MembershipHooks) {
        let context = group.context
        hooks.onPeerRefused = { identity in
            context.refuse(identity)
            group.onEachShard { $0.links.refuse(identity) }
        }
        hooks.pingPeers = { group.onEachShard { $0.links.pingAll() } }
        // One loop asks for all of them: an answer is the node's.
        hooks.askPeers = { number, _ in
            guard let shard = group.shards.first else { return }
            context.loops.execute(on: shard.eventLoop) { shard.links.pingAll(query: number) }
        }
        hooks.peers = { context.peers }
        hooks.probe = { await group.probe($0) }
        hooks.link = { _ in
            // The membership waits five seconds at most.
            while !context.isLinkedWithAll(), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(10)) }
        }
    }
}

extension ShardGroup {
    fileprivate func apply(_ view: MembershipView) {
        context.setView(view)
        onEachShard { $0.apply(view) }
    }

    /// Does the work when every shard has done what it was given before.
    fileprivate func afterShards(_ work: @escaping @Sendable () -> Void) {
        guard let first = eventLoops.first else { return }
        EventLoopFuture.andAllSucceed(shards.map { $0.eventLoop.submit {} }, on: first).whenSuccess(work)
    }

    fileprivate func apply(_ lease: Lease) {
        context.setLease(lease)
        onEachShard { $0.setLease(until: lease.actUntil, reachesZooKeeper: lease.reachesZooKeeper) }
    }

    fileprivate func probe(_ member: Member) async -> ProbeResult {
        guard let eventLoop = eventLoops.first else { return .silent }
        return await LinkProbe.ask(member, from: context, on: eventLoop)
    }
}
