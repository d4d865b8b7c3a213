// Members whose addresses are names that take long to look up.

import Dispatch
import Glibc
import HashRing
import Logging
import NIOCore
import NIOPosix
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite(.timeLimit(.minutes(3))) struct LinkNameTests {
    /// Ports of those who have connected, in order.
    private final class Accepted: Sendable {
        let ports = Mutex<[Int]>([])

        func listen(on threads: MultiThreadedEventLoopGroup) async throws -> any Channel {
            try await ServerBootstrap(group: threads).childChannelInitializer { child in
                self.ports.withLock { $0.append(child.remoteAddress?.port ?? 0) }
                return child.eventLoop.makeSucceededVoidFuture()
            }.bind(host: "127.0.0.1", port: 0).get()
        }
    }

    private static func member(_ id: String) -> Member {
        Member(id: id, boot: 1, weight: 1, protocolVersion: 1, client: "\(id).test:1", api: "\(id).test:2", link: "\(id).test:3")
    }

    private static func context(_ lookups: HostLookups) -> NodeContext {
        let context = NodeContext(
            configuration: NodeConfiguration(id: "n1"), shardCount: 1, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            lookups: lookups)
        context.setIdentity(member("n1").identity)
        return context
    }

    /// Longer than an attempt to dial may take, each time.
    @Test func aNameThatTakesLongerThanAnAttemptIsConnectedTo() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let accepted = Accepted()
        let server = try await accepted.listen(on: threads)
        let address = try #require(server.localAddress)
        let underWay = Atomic(0)
        let mostUnderWay = Atomic(0)
        let context = Self.context(
            HostLookups { _ in
                let count = underWay.add(1, ordering: .relaxed).newValue
                mostUnderWay.max(count, ordering: .relaxed)
                usleep(UInt32(LinkDialMachine.dialMillisecondsMax + 500) * 1_000)
                underWay.subtract(1, ordering: .relaxed)
                return [address]
            })
        let group = ShardGroup(context, eventLoops: [threads.next()])
        let seed = try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))
        let members = ["n1", "n2"].map(Self.member)
        let view = MembershipView(
            epoch: 5, members: members, document: ClusterDocument(seed: seed, generation: 9), own: members[0].identity)
        context.setView(view)
        group.onEachShard { shard in
            shard.start()
            shard.apply(view)
        }
        try await eventually(within: 60, "the member is connected to") { accepted.ports.withLock { !$0.isEmpty } }
        #expect(mostUnderWay.load(ordering: .relaxed) == 1)
        await group.ask { $0.stop() }
        await context.loops.close()
        try await threads.shutdownGracefully()
    }

    @Test func whoIsFoundTooLateIsNotConnectedTo() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = threads.next()
        let accepted = Accepted()
        let server = try await accepted.listen(on: threads)
        let address = try #require(server.localAddress)
        let release = DispatchSemaphore(value: 0)
        let context = Self.context(
            HostLookups { _ in
                release.wait()
                return [address]
            })
        let member = Self.member("n2")
        #expect(await LinkProbe.ask(member, from: context, on: eventLoop) == .silent)
        // Whoever asks behind the probe is answered behind it, too, and connects behind it.
        let target = try #require(ListenAddress(member.link))
        let found = eventLoop.makePromise(of: Void.self)
        eventLoop.execute { context.lookups.find(target, on: eventLoop, context.loops) { _ in found.succeed() } }
        release.signal()
        release.signal()
        try await found.futureResult.get()
        let mine = try await ClientBootstrap(group: threads).connect(to: address).get()
        try await eventually(within: 60, "somebody has connected") { accepted.ports.withLock { !$0.isEmpty } }
        #expect(accepted.ports.withLock(\.self) == [mine.localAddress?.port])
        await context.loops.close()
        try await threads.shutdownGracefully()
    }
}
