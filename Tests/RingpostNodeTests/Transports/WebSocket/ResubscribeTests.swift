// A channel that a WebSocket has already, asked for again: without `since` the client is told where it stands, with one it is brought on from
// there.

import NIOCore
import NIOEmbedded
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

/// A WebSocket at a node that is turned by hand.
struct EmbeddedWebSocket {
    let channel: EmbeddedChannel

    init(_ node: EmbeddedNode, _ query: String) throws {
        channel = try node.clientConnection()
        try channel.arrive(
            "GET /v1/ws?\(query) HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        let head = try channel.writes().joined()
        leftover = Array(head.drop { $0 != 0x81 && $0 != 0x88 })
    }

    private let leftover: [UInt8]

    func say(_ command: String) throws {
        precondition(command.utf8.count <= 125, "a longer text needs a longer header")
        try channel.arrive([0x81, 0x80 | UInt8(command.utf8.count), 0, 0, 0, 0] + Array(command.utf8))
    }

    /// The texts that have come since the last look; first of all what came with the upgrade.
    func texts(withOpening: Bool = false) throws -> [String] {
        var decoder = WebSocketDecoder(role: .client)
        var bytes = ByteBuffer(bytes: (withOpening ? leftover : []) + (try channel.writes().joined()))
        var texts: [String] = []
        while let event = try decoder.next(&bytes) { if case .text(let text) = event { texts.append(String(buffer: text)) } }
        return texts
    }
}

@Suite struct ResubscribeTests {
    private static func node(messages: Int) throws -> EmbeddedNode {
        let node = try EmbeddedNode()
        for number in 0..<messages { try say("\(number)", node) }
        return node
    }

    private static func say(_ text: String, _ node: EmbeddedNode) throws {
        let producer = try node.apiConnection()
        try producer.arrive(
            "POST /v1/channels/c/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
                + text)
        #expect(try producer.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    /// Sequence numbers of messages, and the names of events, in their order.
    private static func outline(_ texts: [String]) -> [String] {
        texts.map { text in
            for name in ["event", "seq"] {
                guard let start = text.range(of: "\"\(name)\":") else { continue }
                return String(text[start.upperBound...].prefix { $0 != "," && $0 != "}" }.filter { $0 != "\"" })
            }
            return text
        }
    }

    @Test(arguments: ["user=alice&channels=c", "user=alice"])
    func sinceBringsTheChannelOnFromThere(query: String) throws {
        let node = try Self.node(messages: 3)
        let socket = try EmbeddedWebSocket(node, query)
        if !query.contains("channels") { try socket.say(#"{"subscribe":["c"]}"#) }
        let opening = try socket.texts(withOpening: true)
        #expect(Self.outline(opening) == ["attached", "attached"])
        try socket.say(#"{"subscribe":[{"channel":"c","since":"earliest"}]}"#)
        let replay = try socket.texts()
        #expect(Self.outline(replay) == ["attached", "1", "2", "3"])
        try Self.say("7", node)
        #expect(Self.outline(try socket.texts()) == ["4"], "once, and by itself")
        let cursor = try #require(replay[1].split(separator: "\"cursor\":\"").last?.prefix { $0 != "\"" })
        try socket.say(#"{"subscribe":[{"channel":"c","since":"\#(cursor)"}]}"#)
        #expect(Self.outline(try socket.texts()) == ["attached", "2", "3", "4"])
        #expect(node.shard.subscriptions.count == 2, "the user's attachment and the node's own to the channel")
    }

    @Test func twiceInOneCommandTheLastOneCounts() throws {
        let node = try Self.node(messages: 3)
        let socket = try EmbeddedWebSocket(node, "user=alice")
        _ = try socket.texts()
        try socket.say(#"{"subscribe":["c",{"channel":"c","since":"earliest"}]}"#)
        #expect(Self.outline(try socket.texts()).suffix(4) == ["attached", "1", "2", "3"])
    }

    @Test func withoutSinceTheClientIsToldWhereItStands() throws {
        let node = try Self.node(messages: 3)
        let socket = try EmbeddedWebSocket(node, "user=alice&channels=c")
        _ = try socket.texts()
        try socket.say(#"{"subscribe":["c"]}"#)
        #expect(Self.outline(try socket.texts()) == ["attached"])
        try Self.say("7", node)
        #expect(Self.outline(try socket.texts()) == ["4"])
    }

    @Test func aCursorOfAnotherHistoryIsAGap() throws {
        let node = try Self.node(messages: 3)
        let socket = try EmbeddedWebSocket(node, "user=alice&channels=c")
        _ = try socket.texts()
        try socket.say(#"{"subscribe":[{"channel":"c","since":"00000000000000ab-2"}]}"#)
        #expect(Self.outline(try socket.texts()) == ["gap", "1", "2", "3"])
        try socket.say(#"{"subscribe":[{"channel":"c","since":"no cursor"}]}"#)
        #expect(try socket.texts().first?.contains("bad_cursor") == true)
    }
}
