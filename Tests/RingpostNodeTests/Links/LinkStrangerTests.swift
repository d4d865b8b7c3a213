// The link port of a node with a secret, on an event loop that a test turns by hand: who is let in, and how soon all others are gone.

import HashRing
import NIOCore
import NIOEmbedded
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct LinkStrangerTests {
    private static let secrets = LinkSecrets([Array(repeating: 7, count: 32)], code: LinkSecretFile.code)

    private static func bytes(_ frames: LinkFrame...) -> [UInt8] {
        var buffer = ByteBuffer()
        for frame in frames { LinkEncoder.write(frame, into: &buffer) }
        return Array(buffer.readableBytesView)
    }

    private static func frames(_ channel: EmbeddedChannel) throws -> [LinkFrame] {
        var input = ByteBuffer(bytes: try channel.writes().joined())
        var frames: [LinkFrame] = []
        while let frame = try LinkDecoder().next(&input) { frames.append(frame) }
        return frames
    }

    private static func hello(_ role: LinkHello.Role = .node, credential: String = "") -> LinkHello {
        LinkHello(
            role: role, cluster: role == .node ? "ringpost" : "", generation: 9, from: "n2", boot: 2, to: "n1", toBoot: 1, dial: 1,
            nonce: .fresh(), credential: credential)
    }

    private static func node() throws -> EmbeddedNode {
        let node = try EmbeddedNode()
        node.shard.context.auth.setLinkSecrets(secrets)
        return node
    }

    private static func isRefused(_ frames: [LinkFrame]) -> Bool { if case .refuse = frames.last { true } else { false } }

    @Test func aMemberProvesTheSecretAndStays() throws {
        let node = try Self.node()
        let channel = try node.linkConnection()
        let hello = Self.hello()
        try channel.arrive(Self.bytes(.hello(hello)))
        guard case .challenge(let nonce, let proof) = try Self.frames(channel).first else {
            Issue.record("no challenge")
            return
        }
        #expect(Self.secrets.accepts(proof, .accepting, hello, nonce))
        try channel.arrive(Self.bytes(.proof(Self.secrets.proof(.dialling, hello, nonce))))
        guard case .welcome = try Self.frames(channel).first else {
            Issue.record("no welcome")
            return
        }
        #expect(node.shard.links.strangers == 0)
        node.eventLoop.advanceTime(by: .seconds(2))
        #expect(channel.isActive)
        #expect(node.shard.counters.badLinks == 0)
    }

    @Test func noFrameIsTakenBeforeTheProof() throws {
        let node = try Self.node()
        let channel = try node.linkConnection()
        try channel.arrive(Self.bytes(.hello(Self.hello()), .ask(request: 1, .status, argument: [])))
        let frames = try Self.frames(channel)
        guard case .challenge = frames.first else {
            Issue.record("\(frames)")
            return
        }
        #expect(Self.isRefused(frames))
        #expect(node.shard.counters.badLinks == 1)
    }

    /// Silence, half a frame, bytes one by one, a hello without its proof: each is gone a second after it came, and counted once.
    @Test func strangersAreGoneWithinASecond() throws {
        let node = try Self.node()
        let hello = Self.bytes(.hello(Self.hello()))
        var channels: [EmbeddedChannel] = []
        for beginning in [
            [], Array(hello.prefix(3)), Array(hello.prefix(20)), hello,
            Self.bytes(.proof(Self.secrets.proof(.dialling, Self.hello(), .none))), [9, 9, 9, 9, 9],
        ] {
            let channel = try node.linkConnection()
            if !beginning.isEmpty { try channel.arrive(beginning) }
            channels.append(channel)
        }
        let slow = try node.linkConnection()
        channels.append(slow)
        for byte in hello.prefix(9) {
            node.eventLoop.advanceTime(by: .milliseconds(100))
            try slow.arrive([byte])
        }
        #expect(channels.first?.isActive == true)
        node.eventLoop.advanceTime(by: .milliseconds(100))
        #expect(channels.allSatisfy { !$0.isActive })
        #expect(node.shard.counters.badLinks == UInt64(channels.count))
        #expect(node.shard.links.strangers == 0)
    }

    /// Who takes no notice of a refusal is not waited for.
    @Test func aRefusedOneGoesWithinASecondToo() throws {
        let node = try Self.node()
        let channel = try node.linkConnection()
        try channel.arrive(Self.bytes(.hello(Self.hello())))
        try channel.arrive(Self.bytes(.proof(Self.secrets.proof(.accepting, Self.hello(), .none))))
        #expect(Self.isRefused(try Self.frames(channel)))
        node.eventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        #expect(node.shard.counters.badLinks == 1)
    }

    @Test func soManyStrangersAtOnceAndNoMore() throws {
        let node = try Self.node()
        let channels = try (0..<ShardLinks.strangersMax).map { _ in try node.linkConnection() }
        #expect(node.shard.links.strangers == ShardLinks.strangersMax)
        let more = try node.linkConnection()
        node.eventLoop.run()
        #expect(!more.isActive)
        #expect(node.shard.counters.badLinks == 1)
        #expect(channels.allSatisfy { $0.isActive })
        node.eventLoop.advanceTime(by: .seconds(1))
        #expect(node.shard.links.strangers == 0)
        #expect(try node.linkConnection().isActive)
    }

    @Test func oneAddressDoesNotKeepOthersOut() throws {
        let node = try Self.node()
        let channels = try (0..<2 * ShardLinks.strangersPerAddressMax).map { _ in try node.linkConnection(from: "203.0.113.7") }
        #expect(channels.count { $0.isActive } == ShardLinks.strangersPerAddressMax)
        #expect(node.shard.counters.badLinks == UInt64(ShardLinks.strangersPerAddressMax))
        #expect(try node.linkConnection(from: "203.0.113.8").isActive)
        for number in 0..<3 * ShardLinks.strangersPerAddressMax {
            _ = try node.linkConnection(from: "2001:db8:1:\(String(number, radix: 16))::1")
        }
        #expect(node.shard.links.strangers == 3 * ShardLinks.strangersPerAddressMax + 1, "a site has twice as many")
        // Whoever has introduced itself is none any more.
        let hello = Self.hello()
        let member = try node.linkConnection(from: "203.0.113.8")
        try member.arrive(Self.bytes(.hello(hello)))
        guard case .challenge(let nonce, _) = try Self.frames(member).first else {
            Issue.record("no challenge")
            return
        }
        try member.arrive(Self.bytes(.proof(Self.secrets.proof(.dialling, hello, nonce))))
        #expect(node.shard.links.strangers == 3 * ShardLinks.strangersPerAddressMax + 1)
        node.eventLoop.advanceTime(by: .seconds(1))
        #expect(node.shard.links.strangers == 0)
        #expect(try node.linkConnection(from: "203.0.113.7").isActive)
    }

    // MARK: Producers

    @Test func aProducerWithoutAKeyLearnsNothing() throws {
        let node = try Self.node()
        node.shard.context.auth.setLinkAdmission(.nobody("no producers here"))
        for cluster in ["", "ringpost", "guess"] {
            let channel = try node.linkConnection()
            let hello = LinkHello(
                role: .producer, cluster: cluster, generation: 0, from: "n2", boot: 0, to: "", toBoot: 0, credential: "rp_any")
            try channel.arrive(Self.bytes(.hello(hello)))
            #expect(try Self.frames(channel) == [.refuse("no producers here")], "the same for all")
        }
        #expect(node.shard.counters.badLinks == 3)
    }

    @Test func producersNeedAKeyThatMayPublish() throws {
        let node = try Self.node()
        var admission = LinkAdmission()
        admission.pass = { credential in
            guard credential == "rp_good" else { return nil }
            return LinkPass { APIGrant(APIKeyRecord(id: "a", hash: "", scopes: [.publishUsers], names: ["alice"])) }
        }
        node.shard.context.auth.setLinkAdmission(admission)
        let stranger = try node.linkConnection()
        try stranger.arrive(Self.bytes(.hello(Self.hello(.producer, credential: "rp_bad"))))
        #expect(Self.isRefused(try Self.frames(stranger)))
        #expect(node.shard.counters.badLinks == 1)

        let channel = try node.linkConnection()
        let produces = [(1, "alice"), (2, "bob"), (3, "alice")].map { request, name in
            LinkFrame.produce(LinkProduce(request: request, kind: .user, name: Array(name.utf8), isJSON: false, data: Array("x".utf8)))
        }
        try channel.arrive(Self.bytes(.hello(Self.hello(.producer, credential: "rp_good"))))
        for produce in produces { try channel.arrive(Self.bytes(produce)) }
        var answers: [UInt64: PublishResult] = [:]
        for case .answer(let request, let result, _) in try Self.frames(channel) { answers[request] = result }
        #expect((try? answers[1]?.get().sequence) == 1)
        #expect(answers[2] == .failure(.forbidden))
        #expect((try? answers[3]?.get().sequence) == 2, "only the one is refused")
    }
}
