// Polls with several subscriptions of which one is not answered in time, on an event loop that a test turns by hand.

import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct PollTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"

    private let node: EmbeddedNode
    /// The node's attachment to the channel: until a test starts it, its owner has not answered.
    private let nodeChannel: NodeChannelSubscription

    init() throws {
        node = try EmbeddedNode()
        nodeChannel = NodeChannelSubscription(
            try Key(.channel, name: Array("room".utf8), hasher: node.view.hasher), in: node.shard.subscriptions)
        node.shard.subscriptions.channels.insert(nodeChannel)
    }

    private func poll(since: String, waitSeconds: Int) throws -> EmbeddedChannel {
        let connection = try node.clientConnection()
        try connection.arrive("GET /v1/poll?user=alice&channels=room&since=\(since)&wait=\(waitSeconds) \(Self.host)\r\n")
        return connection
    }

    /// The answer to a poll whose time is over.
    private func answer(since: String, waitSeconds: Int) throws -> String {
        let connection = try poll(since: since, waitSeconds: waitSeconds)
        #expect(try connection.leaving().isEmpty, "it waits for the channel")
        node.eventLoop.advanceTime(by: .seconds(Int64(max(waitSeconds, 3))))
        return try connection.leaving()
    }

    private func publishToChannel(_ text: String) throws {
        let connection = try node.apiConnection()
        try connection.arrive("POST /v1/channels/room/messages \(Self.host)Content-Length: \(text.utf8.count)\r\n\r\n\(text)")
        #expect(try connection.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    private static func cursor(_ answer: String) throws -> String {
        let parts = answer.components(separatedBy: #""cursor":""#)
        return String(try #require(parts.dropFirst().first?.split(separator: "\"").first))
    }

    /// What a poll's cursor lacks, the next poll would begin with the next message.
    @Test(arguments: [0, 5]) func aPollBeginsWithAllItsSubscriptionsOrWithNone(waitSeconds: Int) throws {
        try publishToChannel("kept")
        try node.publish("for alice", to: "alice")
        let early = try answer(since: "earliest", waitSeconds: waitSeconds)
        #expect(early.hasPrefix("HTTP/1.1 503 "))
        #expect(early.contains(#""code":"owner_unreachable""#))
        #expect(nodeChannel.start())
        let late = try poll(since: "earliest", waitSeconds: waitSeconds).leaving()
        #expect(late.hasPrefix("HTTP/1.1 200 "))
        #expect(late.contains(#""data":"kept""#))
        #expect(late.contains(#""data":"for alice""#))
    }

    @Test(arguments: [0, 5]) func aPollThatGoesOnBringsWhatThereIs(waitSeconds: Int) throws {
        #expect(nodeChannel.start())
        let cursor = try Self.cursor(poll(since: "earliest", waitSeconds: 0).leaving())
        nodeChannel.stop()
        try node.publish("for alice", to: "alice")
        try publishToChannel("kept")
        let early = try answer(since: cursor, waitSeconds: waitSeconds)
        #expect(early.hasPrefix("HTTP/1.1 200 "))
        #expect(early.contains(#""data":"for alice""#))
        #expect(!early.contains("kept"))
        #expect(nodeChannel.start())
        // Where the channel was, it goes on.
        let late = try poll(since: Self.cursor(early), waitSeconds: waitSeconds).leaving()
        #expect(late.contains(#""data":"kept""#))
        #expect(!late.contains("for alice"))
    }

    @Test func aNodeThatStopsSaysSoToAPollThatHasNotBegun() throws {
        let waiting = try poll(since: "", waitSeconds: 25)
        node.shard.shutDown()
        let answer = try waiting.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains(#""code":"stopping""#))
        #expect(answer.contains(#""retryAfterMilliseconds":"#))
    }
}
