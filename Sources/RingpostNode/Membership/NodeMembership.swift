// Ties a node to its membership: what the membership decides reaches the loops, what links hear reaches the membership.
import Logging
import NIOCore
import RingpostCore
import RingpostWire
import ServiceLifecycle

struct NodeMembership {
    private let shared: NodeShared
    private let service: MembershipService

    init(shared: NodeShared, member: Member) {
        self.shared = shared
        let hooks = Self.hooks(shared)
        guard let servers = shared.configuration.zookeeper else {
            service = .embedded(me: member, hooks: hooks, logger: shared.logger)
            return
        }
        var configuration = MembershipConfiguration(servers: servers, cluster: shared.configuration.cluster, me: member)
        configuration.sessionTimeoutMilliseconds = shared.configuration.sessionTimeoutMilliseconds
        service = MembershipService(configuration: configuration, hooks: hooks, logger: shared.logger)
    }

    /// Is a member until a graceful shutdown, then leaves in order.
    func run() async throws {
        let service = service
        shared.setHooks(
            NodeShared.Hooks(
                outageAnswer: { [shared] peer, query, standing in
                    let sameEpoch = standing.epoch == shared.view?.epoch
                    service.outageAnswer(
                        from: peer, queryNumber: query, sameEpoch: sameEpoch, reachesZooKeeper: standing.reachesZooKeeper)
                },
                peerDiffers: { service.peerDiffers($0, epoch: $1.epoch, digest: $1.digest) },
                saidGoodbye: { service.saidGoodbye($0) }))
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                group.addTask { [shared] in
                    // Ends by cancellation when the membership has failed by itself.
                    guard (try? await gracefulShutdown()) != nil else { return }
                    shared.logger.info("leaving the ring")
                    shared.setLeaving()
                    await service.leave(clearingRoster: true)
                }
                try await group.next()
                group.cancelAll()
            }
        } catch let failure as MembershipFailure {
            throw NodeError(failure.message)
        }
    }

    private static func hooks(_ shared: NodeShared) -> MembershipHooks {
        MembershipHooks(
            onIdentity: { shared.setIdentity($0) },
            onView: { shared.take($0) },
            onLease: { shared.take($0) },
            onAlarm: { _ in shared.countAlarm() },
            onPeerRefused: { identity in shared.onEachLoop { $0.refuse(identity) } },
            // One loop asks for all of them: an answer is the node's.
            askPeers: { number, _ in
                guard let loop = shared.loops.first else { return }
                loop.eventLoop.execute { loop.queryPeers(number) }
            },
            probe: { await LinkProbe.ask($0, cluster: shared.configuration.cluster, loop: shared.loops.first) },
            link: { _ in
                // The membership waits five seconds at most.
                while !shared.isLinkedWithAll(), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(10)) }
            })
    }
}

extension NodeShared {
    fileprivate func take(_ view: MembershipView) {
        setView(view)
        onEachLoop { $0.apply(view) }
    }

    fileprivate func take(_ lease: Lease) {
        setLease(lease)
        onEachLoop { $0.setLease(until: lease.actUntil) }
    }
}

extension NodeLoop {
    fileprivate func queryPeers(_ number: UInt64) {
        let now = MonotonicClock.nowMilliseconds()
        for link in links { link?.ping(query: number, now: now) }
    }

    /// A member that computed another ring from the same epoch: no link with this boot of it.
    fileprivate func refuse(_ peer: MemberIdentity) {
        for link in links where link?.member == peer {
            link?.stop()
            if let handle = link?.handle { linkIsDown(handle) }
        }
        for server in Array(accepted.values) { server.closeIf(from: peer) }
    }
}
