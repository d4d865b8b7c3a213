// A node whose memory runs short: those who hold most go, with a word where there is room for one, and others stay.
import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct MemoryShortTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"
    private static let poll = "GET /v1/poll?user=bob&wait=60 \(host)\r\n"

    private static func limited(_ node: EmbeddedNode) -> UInt64 {
        node.shard.counters.limited[Limit.allCases.firstIndex(of: .memoryMegabytes) ?? 0]
    }

    /// Memory is looked at, as it is once a second.
    private static func look(_ node: EmbeddedNode, now: Int64 = Moment.now().monotonic) {
        node.shard.context.quotas.checkMemory()
        #expect(node.shard.context.quotas.isMemoryShort)
        node.shard.shedMemory(now: now)
        node.eventLoop.run()
    }

    @Test func theConnectionThatHoldsMostGoes() throws {
        let node = try EmbeddedNode { $0.limits.memoryBytesMax = 1 }
        try node.publish(String(repeating: "x", count: 60_000), to: "alice")
        let (heavy, light) = (try node.clientConnection(), try node.clientConnection())
        try light.arrive(Self.poll)
        let history = "GET /v1/poll?user=alice&since=earliest&wait=0 \(Self.host)\r\n"
        try heavy.arrive(Self.poll + String(repeating: history, count: 20))
        for _ in 0..<40 { node.eventLoop.advanceTime(by: .milliseconds(1)) }
        #expect(node.shard.runtime.readyBytes >= NodeLimits().socketBytesMax)
        Self.look(node)
        #expect(!heavy.isActive && light.isActive && Self.limited(node) == 1)
        #expect(node.shard.runtime.readyBytes == 0)
        Self.look(node)
        #expect(light.isActive && Self.limited(node) == 1)
        #expect(node.shard.counters.sockets[TransportKind.poll.counterIndex] == 1, "the light one still waits")
    }

    @Test func aLargeBodyIsToldThatItGoes() throws {
        let node = try EmbeddedNode { $0.limits.memoryBytesMax = 1 }
        let (heavy, light) = (try node.apiConnection(), try node.apiConnection())
        for (channel, count) in [(heavy, 300_000), (light, 30_000)] {
            let head = "POST /v1/messages \(Self.host)Content-Length: \(count + 1)\r\n\r\n"
            try channel.arrive(head + String(repeating: "\n", count: count))
        }
        Self.look(node)
        let answer = try heavy.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains(#""code":"overloaded""#), "\(answer)")
        try light.arrive("\n")
        for _ in 0..<20 { node.eventLoop.advanceTime(by: FairScheduler.pause) }
        #expect(try light.leaving().hasPrefix("HTTP/1.1 200 "))
        #expect(node.shard.runtime.bodies.bytes == 0 && Self.limited(node) == 1)
    }

    @Test func aSocketIsToldToComeBack() throws {
        let node = try EmbeddedNode { $0.limits.memoryBytesMax = 1 }
        let request = "GET /v1/sse?user=alice \(Self.host)\r\n"
        let heavy = try node.clientConnection()
        try heavy.arrive(request)
        let stream = try #require(node.shard.runtime.allConnections.first { $0.kind == .client })
        let light = try node.clientConnection()
        try light.arrive(request)
        _ = try (heavy.leaving(), light.leaving())
        // It is not flushed before memory is looked at.
        stream.write { $0.writeRepeatingByte(UInt8(ascii: "\n"), count: 300_000) }
        node.shard.context.quotas.checkMemory()
        node.shard.shedMemory(now: Moment.now().monotonic)
        node.eventLoop.run()
        let text = try heavy.leaving()
        #expect(text.contains("slow_consumer") && text.count < 1_000, "\(text.prefix(300))")
        #expect(try light.leaving().isEmpty && light.isActive)
        #expect(node.shard.counters.closed[CloseReason.allCases.firstIndex(of: .slowConsumer) ?? 0] == 1 && Self.limited(node) == 1)
    }

    @Test func thenTheLargestHistoriesAndLittleOnesStay() throws {
        let node = try EmbeddedNode { $0.limits.memoryBytesMax = 1 }
        for _ in 0..<15 { try node.publish(String(repeating: "x", count: 60_000), to: "large") }
        try node.publish(String(repeating: "x", count: 60_000), to: "small")
        for second in 0..<10 { Self.look(node, now: Int64(second) * 1_000) }
        func summary(_ name: String) throws -> MailboxSummary? {
            node.shard.machine.summary(of: try Key(requested: .user, name: Array(name.utf8), hasher: node.view.hasher))
        }
        #expect(try summary("large")?.historyMessages == 1 && summary("large")?.cursor.sequence == 15)
        #expect(try summary("small")?.historyMessages == 1)
    }
}
