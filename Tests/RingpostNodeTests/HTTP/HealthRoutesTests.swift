// How a node says whether it is ready: from what its shards have noted, without asking them.

import HashRing
import Logging
import NIOCore
import NIOEmbedded
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct HealthRoutesTests {
    /// Keeps the answer.
    private final class Exchange: HTTPExchange {
        var response: HTTPResponse?
        let peer = HTTPPeer()
        var peerAddress: SourceAddress? { nil }
        var remoteText: String { "" }
        var isAwaited: Bool { response == nil }
        var clientHasFinished: Bool { false }
        var mayBecomeStream: Bool { false }
        func respond(_ response: HTTPResponse) { self.response = response }
        func awaitReceipt(for key: Key) -> (sink: any PublishSink, tag: UInt64) { fatalError("no publish") }
        func hold(_ request: any HeldRequest) {}
        func runInTurns(_ work: @escaping () -> Bool) {}
        func becomeStream(_ stream: Connection, _ writeHead: ([HTTPResponseWriter.Header], inout ByteBuffer) -> Void) -> ByteBuffer? { nil }
    }

    /// The status, at once: no event loop turns.
    private static func readiness(_ shard: Shard) throws -> Int? {
        var parser = HTTPRequestParser()
        var bytes = ByteBuffer(string: "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        guard case .head(let head) = try parser.next(&bytes) else { return nil }
        let exchange = Exchange()
        let request = HTTPRequest(head: head, body: ByteBuffer(), match: .nothing)
        HealthRoutes(shard: shard).readiness(request, exchange)
        return exchange.response?.status
    }

    @Test func aNodeIsReadyWhenAllItsShardsKnowTheRing() throws {
        let context = NodeContext(
            configuration: NodeConfiguration(id: "n1"), shardCount: 2, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let loops = [EmbeddedEventLoop(), EmbeddedEventLoop()]
        let group = ShardGroup(context, eventLoops: loops)
        let seed = try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))
        let me = Member(id: "n1", boot: 1, weight: 1, protocolVersion: 1, client: "n1:1", api: "n1:2", link: "n1:3")
        context.setIdentity(me.identity)
        context.setLease(.forever)
        func view(epoch: UInt64) -> MembershipView {
            MembershipView(epoch: epoch, members: [me], document: ClusterDocument(seed: seed, generation: 9), own: me.identity)
        }
        #expect(try Self.readiness(group.shards[0]) == 503)
        context.setView(view(epoch: 5))
        for epoch in [5, 6] as [UInt64] { group.shards[0].apply(view(epoch: epoch)) }
        #expect(try Self.readiness(group.shards[0]) == 503, "the other one refuses what comes")
        #expect(!context.beginsServing())
        group.shards[1].apply(view(epoch: 6))
        for shard in group.shards { #expect(try Self.readiness(shard) == 200) }
        #expect(context.beginsServing())
        #expect(!context.beginsServing(), "it is said once")
        // Slots have nobody; for long, that is no place to send clients to.
        func waits(isLong: Bool) -> SlotWatch.Report { SlotWatch.Report(slots: 3, since: 0, names: ["n2"], until: nil, isLong: isLong) }
        context.setSlotsWait(waits(isLong: false))
        #expect(try Self.readiness(group.shards[0]) == 200)
        context.setSlotsWait(waits(isLong: true))
        #expect(try Self.readiness(group.shards[0]) == 503)
        context.setSlotsWait(nil)
        #expect(try Self.readiness(group.shards[0]) == 200)
    }

    @Test func aNodeThatTakesNoTokensYetIsNotReady() throws {
        var configuration = NodeConfiguration(id: "n1")
        configuration.auth.tokenKeysPath = "keys"
        let context = NodeContext(
            configuration: configuration, shardCount: 1, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let group = ShardGroup(context, eventLoops: [EmbeddedEventLoop()])
        defer { withExtendedLifetime(group) {} }
        let shard = group.shards[0]
        let me = Member(id: "n1", boot: 1, weight: 1, protocolVersion: 1, client: "n1:1", api: "n1:2", link: "n1:3")
        let seed = try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))
        context.setIdentity(me.identity)
        context.setLease(.forever)
        let view = MembershipView(epoch: 5, members: [me], document: ClusterDocument(seed: seed, generation: 9), own: me.identity)
        context.setView(view)
        shard.apply(view)
        #expect(try Self.readiness(shard) == 503)
        #expect(!context.beginsServing())
        for _ in 0..<2 { shard.applyRevocations(RevocationList()) }
        #expect(try Self.readiness(shard) == 200)
        #expect(context.beginsServing())
    }
}
