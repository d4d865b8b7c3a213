// What clients hear that a node does not take in now, and those that it asks to go elsewhere, on an event loop that a test
// turns by hand.

import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct AdmissionControllerTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"
    private static let stream = "GET /v1/sse?user=alice \(host)\r\n"
    private static let waitingPoll = "GET /v1/poll?user=alice&wait=25 \(host)\r\n"
    private static let poll = "GET /v1/poll?user=alice&wait=0 \(host)\r\n"
    private static let upgrade =
        "GET /v1/ws?user=alice \(host)Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

    /// A node that takes one client a second.
    private static func slowNode() throws -> EmbeddedNode {
        try EmbeddedNode {
            $0.limits.connectionsPerSecond = 1
            $0.limits.connectionsBurst = 1
        }
    }

    /// Takes the place that may be free, so that whoever comes next has to wait; the machine that runs this may be slow.
    private static func exhaust(_ node: EmbeddedNode) {
        var counters = ShardCounters()
        while node.shard.admission.onClient(hasRoom: true, now: Moment.now().monotonic, counters: &counters) == nil {}
    }

    private static func answer(_ node: EmbeddedNode, to request: String) throws -> String {
        let channel = try node.clientConnection()
        try channel.arrive(request)
        return try channel.leaving()
    }

    private static func admissions(_ node: EmbeddedNode) -> [UInt64] { node.shard.counters.admissions }

    private static func sockets(_ node: EmbeddedNode) -> [Int] { node.shard.counters.sockets }

    // MARK: Admission

    @Test func aWebSocketThatIsPutOffReadsWhy() throws {
        let node = try Self.slowNode()
        #expect(try Self.answer(node, to: Self.upgrade).contains("attached"))
        let channel = try node.clientConnection()
        Self.exhaust(node)
        try channel.arrive(Self.upgrade)
        let bytes = Array(try channel.writes().joined())
        let head = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("HTTP/1.1 101 "))
        let frame = Array(bytes[head.upperBound...])
        #expect(frame.prefix(4) == [0x88, UInt8(frame.count - 2), 0x0F, 0xAD], "a close of 4013 and nothing else")
        let reason = String(decoding: frame.dropFirst(4), as: UTF8.self)
        #expect(reason.hasPrefix("resume: try_later; after="))
        #expect((250...2_000).contains(Int(reason.split(separator: "=")[1]) ?? 0), "\(reason)")
        #expect(Self.sockets(node) == [1, 0, 0])
        #expect(node.shard.subscriptions.count == 1)
        #expect(node.shard.snapshot(countsSlots: false).attachments == 1)
        #expect(Self.admissions(node) == [1, 1, 0])
        _ = try channel.finish(acceptAlreadyClosed: true)
        node.eventLoop.run()
        #expect(Self.sockets(node) == [1, 0, 0], "one that was never in does not go out")
    }

    @Test func anEventStreamThatIsPutOffIsToldInItsOwnWords() throws {
        let node = try Self.slowNode()
        _ = try Self.answer(node, to: Self.stream)
        Self.exhaust(node)
        let answer = try Self.answer(node, to: Self.stream)
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "an EventSource would take another status for final")
        let words = answer.components(separatedBy: "\r\n\r\n").last?.split(separator: "\n").map(String.init) ?? []
        let retry = try #require(words.first?.hasPrefix("retry: ") == true ? Int(words[0].dropFirst(7)) : nil, "\(answer)")
        #expect((750...2_500).contains(retry))
        #expect(Array(words.dropFirst()) == ["event: close", #"data: {"code":"try_later","advice":"resume","after":\#(retry)}"#])
        #expect(Self.sockets(node) == [0, 1, 0])
    }

    @Test func aPollThatWaitsIsPutOffOnceAConnection() throws {
        let node = try Self.slowNode()
        let channel = try node.clientConnection()
        try channel.arrive(Self.waitingPoll)
        try node.publish("1", to: "alice")
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        // The same connection again is no new client.
        try channel.arrive(Self.waitingPoll)
        try node.publish("2", to: "alice")
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        Self.exhaust(node)
        let refused = try Self.answer(node, to: Self.waitingPoll)
        #expect(refused.hasPrefix("HTTP/1.1 503 "))
        #expect(refused.contains("Retry-After: 1\r\n") || refused.contains("Retry-After: 2\r\n"), "\(refused)")
        #expect(refused.contains(#"{"error":{"code":"overloaded","message":"#))
        #expect(refused.contains(#","retryAfterMilliseconds":"#))
        #expect(!refused.contains("onnection: close"), "it may come back on this connection")
        // One that does not wait holds nothing.
        #expect(try Self.answer(node, to: Self.poll).hasPrefix("HTTP/1.1 200 "))
        #expect(Self.admissions(node) == [1, 1, 0])
    }

    @Test func moreSocketsThanThereIsRoomForArePutOff() throws {
        let node = try EmbeddedNode { $0.limits.socketsMax = 1 }
        _ = try Self.answer(node, to: Self.stream)
        #expect(try Self.answer(node, to: Self.stream).contains(#""code":"try_later""#))
        #expect(try Self.answer(node, to: Self.upgrade).contains("resume: try_later; after="))
        let poll = try Self.answer(node, to: Self.poll)
        #expect(poll.hasPrefix("HTTP/1.1 503 "))
        #expect(poll.contains(#""code":"overloaded""#))
        #expect(Self.sockets(node) == [0, 1, 0])
    }

    // MARK: Moving

    @Test func socketsGoOneAfterTheOther() throws {
        let node = try EmbeddedNode()
        let channels = try (0..<4).map { _ in try node.clientConnection() }
        for channel in channels {
            try channel.arrive(Self.upgrade)
            _ = try channel.writes()
        }
        let began = Moment.now().monotonic
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1", "c:1"])
        // In what order is the loop's business.
        func closed() throws -> [String] {
            try channels.map { try $0.leaving() }.compactMap { $0.split(separator: " ").last.map(String.init) }.sorted()
        }
        node.shard.onMoveTick(now: began + 50)
        #expect(try closed() == ["at=b:1"])
        node.shard.onMoveTick(now: began + 40_100)
        #expect(try closed() == ["at=c:1"])
        node.shard.onMoveTick(now: began + 50_100)
        #expect(try closed() == ["at=b:1"])
        node.shard.onMoveTick(now: began + 74_900)
        #expect(try closed() == [])
        node.shard.onMoveTick(now: began + 75_100)
        #expect(try closed() == ["at=c:1"])
        #expect(node.shard.counters.closed[CloseReason.allCases.firstIndex(of: .goingAway) ?? 0] == 4)
    }

    @Test func newClientsAreSentElsewhereMeanwhile() throws {
        let node = try EmbeddedNode()
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1"])
        #expect(try Self.answer(node, to: Self.upgrade).contains("resume: going_away; after="))
        let stream = try Self.answer(node, to: Self.stream)
        #expect(stream.contains("retry: "))
        #expect(stream.contains(#"{"code":"going_away","advice":"resume","after":"#))
        #expect(stream.contains(#","at":"b:1"}"#))
        let poll = try Self.answer(node, to: Self.poll)
        #expect(poll.hasPrefix("HTTP/1.1 200 "), "it is served, and told")
        #expect(poll.contains("onnection: close"))
        #expect(poll.contains(#""messages":[],"retryAfterMilliseconds":"#))
        #expect(poll.hasSuffix(#","at":"b:1"}"#))
        #expect(Self.admissions(node) == [0, 0, 2])
        #expect(Self.sockets(node) == [0, 0, 0])
        try node.publish("still taken", to: "alice")
        node.shard.stopMovingSockets()
        #expect(try Self.answer(node, to: Self.upgrade).contains("attached"))
    }

    @Test func whatWasOrderedIsTakenBackByOrderOnly() throws {
        let node = try EmbeddedNode()
        node.shard.moveSockets(milliseconds: 5_000, elsewhere: ["b:1"])
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1"], isOrdered: true)
        node.shard.stopMovingSockets()
        #expect(node.shard.admission.isMoving)
        node.shard.stopMovingSockets(isOrdered: true)
        #expect(!node.shard.admission.isMoving)
    }

    @Test func aPollThatWaitsIsAnsweredWhenItsTurnComes() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive(Self.waitingPoll)
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1"])
        #expect(try channel.writes().isEmpty)
        node.shard.onMoveTick(now: Moment.now().monotonic)
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.contains("onnection: close"))
        #expect(answer.hasSuffix(#""messages":[],"retryAfterMilliseconds":100,"at":"b:1"}"#), "\(answer)")
        #expect(Self.sockets(node) == [0, 0, 0])
    }

    @Test func aProducersConnectionEndsWithItsNextAnswer() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let one = "POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx"
        try channel.arrive(one)
        _ = try channel.leaving()
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1"])
        node.shard.onMoveTick(now: Moment.now().monotonic)
        #expect(channel.isActive)
        try channel.arrive(one)
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.contains("onnection: close"))
    }

    @Test func aProducerThatComesMeanwhileMayNotStay() throws {
        let node = try EmbeddedNode()
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1"])
        let channel = try node.apiConnection()
        try channel.arrive("POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx")
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.contains("onnection: close"))
        #expect(!channel.isActive)
    }

    @Test func whoIsLeftIsToldAtTheEnd() throws {
        let node = try EmbeddedNode()
        let channels = try (0..<500).map { _ in try node.clientConnection() }
        for channel in channels {
            try channel.arrive(Self.stream)
            _ = try channel.writes()
        }
        node.shard.moveSockets(milliseconds: 100_000, elsewhere: ["b:1"])
        node.shard.shutDown()
        // As many are written to in a turn as leave others theirs.
        for _ in 0..<20 { node.eventLoop.advanceTime(by: FairScheduler.pause) }
        let waits = try channels.map { channel -> Int in
            let words = try channel.leaving().split(separator: "\n")
            #expect(words.last?.contains(#""at":"b:1""#) == true)
            return words.first.flatMap { Int($0.dropFirst("retry: ".count)) } ?? 0
        }
        // Over the time in which another node takes in so many.
        #expect(waits.sorted() == (0..<500).map { 600 + $0 / 5 })
    }
}
