// A producer's link while the node leaves, on an event loop that a test turns by hand.

import NIOCore
import NIOEmbedded
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct LinkProducerTests {
    private static func bytes(_ frames: LinkFrame...) -> [UInt8] {
        var buffer = ByteBuffer()
        for frame in frames { LinkEncoder.write(frame, into: &buffer) }
        return Array(buffer.readableBytesView)
    }

    private static func produce(_ request: UInt64) -> LinkFrame {
        .produce(LinkProduce(request: request, kind: .user, name: Array("alice".utf8), isJSON: false, data: Array("x".utf8)))
    }

    private static let hello = LinkFrame.hello(
        LinkHello(role: .producer, cluster: "", generation: 0, from: "producer", boot: 0, to: "", toBoot: 0))

    /// The answers that have come since the last look.
    private static func answers(_ channel: EmbeddedChannel) throws -> [UInt64: PublishResult] {
        var decoder = LinkDecoder()
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        var input = ByteBuffer(bytes: try channel.writes().joined())
        var answers: [UInt64: PublishResult] = [:]
        while let frame = try decoder.next(&input) { if case .answer(let request, let result, _) = frame { answers[request] = result } }
        return answers
    }

    @Test func whileTheNodeLeavesProducersAreSentElsewhere() throws {
        let node = try EmbeddedNode()
        let channel = try node.linkConnection()
        try channel.arrive(Self.bytes(Self.hello, Self.produce(1)))
        let before = try Self.answers(channel)
        #expect((try? before[1]?.get().sequence) == 1)
        #expect(node.shard.openSockets == 1)
        node.shard.publisher.isLeaving = true
        try channel.arrive(Self.bytes(Self.produce(2)))
        #expect(try Self.answers(channel) == [2: .failure(.stopping)])
        #expect(channel.isActive, "the producer goes when it has all its answers")
        node.shard.shutDown()
        node.eventLoop.run()
        #expect(!channel.isActive)
        #expect(node.shard.openSockets == 0)
    }
}
