// Each rule of a namespace at a node, from outside: what is answered, in which words, and how it is counted.

import Foundation
import NIOCore
import NIOEmbedded
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct NamespaceRulesTests {
    private static func node(_ rules: String, configure: (inout NodeConfiguration) -> Void = { _ in }) throws -> EmbeddedNode {
        let table = try NamespaceFile.read(Array(#"{"chat":\#(rules)}"#.utf8))
        return try EmbeddedNode {
            $0.namespaces = table
            configure(&$0)
        }
    }

    private static func refused(_ reason: NamespaceRefusal, _ node: EmbeddedNode) -> UInt64 {
        let counts = node.shard.snapshot(countsSlots: false).counters.namespaceRefused
        return counts[NamespaceRefusal.allCases.firstIndex(of: reason) ?? 0]
    }

    /// The answer to a publish to a channel.
    private static func post(_ node: EmbeddedNode, _ channel: String, _ text: String, headers: String = "") throws -> String {
        let producer = try node.apiConnection()
        try producer.arrive(
            "POST /v1/channels/\(channel)/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\(headers)"
                + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)")
        return try producer.leaving()
    }

    private static func poll(_ node: EmbeddedNode, _ query: String) throws -> String {
        let client = try node.clientConnection()
        try client.arrive("GET /v1/poll?\(query)&wait=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        return try client.leaving()
    }

    // MARK: Publishing

    @Test func payload() throws {
        let node = try Self.node(#"{"payload":10}"#)
        let (small, large) = (#""12345678""#, #""123456789""#)
        #expect(try Self.post(node, "chat:1", small).hasPrefix("HTTP/1.1 200 "))
        let answer = try Self.post(node, "chat:1", large)
        #expect(answer.hasPrefix("HTTP/1.1 413 ") && answer.contains(#"the namespace \"chat\" takes at most 10"#), "\(answer)")
        #expect(try Self.post(node, "room", large).hasPrefix("HTTP/1.1 200 ") && Self.post(node, "chat", large).hasPrefix("HTTP/1.1 200 "))
        // The other ways in.
        let batch = try node.apiConnection()
        let lines = #"{"channel":"chat:1","data":\#(large)}"# + "\n" + #"{"channel":"room","data":\#(large)}"#
        try batch.arrive("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: \(lines.utf8.count)\r\n\r\n\(lines)")
        let answers = try batch.leaving()
        #expect(answers.contains("too_large") && answers.contains("namespace") && answers.contains(#""channel":"room""#), "\(answers)")
        #expect(try Self.produce(node, "chat:1", large) == .failure(.tooLarge))
        #expect((try? Self.produce(node, "chat:1", small).get()) != nil)
        #expect(Self.refused(.payload, node) == 3)
    }

    private static func produce(_ node: EmbeddedNode, _ channel: String, _ text: String) throws -> PublishResult {
        let link = try node.linkConnection()
        var frames = ByteBuffer()
        LinkEncoder.write(
            .hello(LinkHello(role: .producer, cluster: "", generation: 0, from: "producer", boot: 0, to: "", toBoot: 0)), into: &frames)
        LinkEncoder.write(
            .produce(LinkProduce(request: 1, kind: .channel, name: Array(channel.utf8), isJSON: true, data: Array(text.utf8))),
            into: &frames)
        try link.arrive(Array(frames.readableBytesView))
        var decoder = LinkDecoder()
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        var input = ByteBuffer(bytes: try link.writes().joined())
        while let frame = try decoder.next(&input) { if case .answer(1, let result, _) = frame { return result } }
        return .failure(.internalError)
    }

    @Test func timeToLive() throws {
        let node = try Self.node(#"{"ttl":0}"#)
        #expect(try Self.post(node, "chat:1", "1").contains(#""outcome":"dropped""#), "over at once, unless somebody listens")
        #expect(try Self.post(node, "chat:1", "2", headers: "Ringpost-TTL: 60\r\n").contains(#""outcome":"stored""#))
        #expect(try Self.post(node, "room", "3").contains(#""outcome":"stored""#))
        #expect((try? Self.produce(node, "chat:1", "4").get().outcome) == .dropped)
        let answer = try Self.poll(node, "channels=chat:1&since=earliest")
        #expect(answer.contains(#""data":2"#) && !answer.contains(#""data":1"#) && !answer.contains(#""data":4"#), "\(answer)")
    }

    @Test func history() throws {
        let node = try Self.node(#"{"history":{"messages":2}}"#)
        for number in 1...4 { for channel in ["chat:1", "room"] { #expect(try Self.post(node, channel, "\(number)").contains("stored")) } }
        let kept = try Self.poll(node, "channels=chat:1&since=earliest")
        #expect(!kept.contains(#""data":2"#) && kept.contains(#""data":3"#) && kept.contains(#""data":4"#), "\(kept)")
        #expect(try Self.poll(node, "channels=room&since=earliest").contains(#""data":1"#))
    }

    @Test func rate() throws {
        let node = try Self.node(#"{"rate":1}"#)
        for _ in 0..<2 { #expect(try Self.post(node, "chat:1", "1").hasPrefix("HTTP/1.1 200 ")) }
        let answer = try (0..<3).map { _ in try Self.post(node, "chat:1", "1") }.last ?? ""
        #expect(
            answer.hasPrefix("HTTP/1.1 429 ") && answer.contains(#"the namespace \"chat\" takes at most 1 messages a second"#), "\(answer)")
        #expect(try Self.post(node, "chat:2", "1").hasPrefix("HTTP/1.1 200 "))
        #expect(Self.refused(.rate, node) >= 1)
    }

    @Test func channels() throws {
        let node = try Self.node(#"{"channels":2}"#)
        for name in ["chat:1", "chat:2", "room", "chat:1"] { #expect(try Self.post(node, name, "1").hasPrefix("HTTP/1.1 200 ")) }
        let answer = try Self.post(node, "chat:3", "1")
        #expect(
            answer.hasPrefix("HTTP/1.1 503 ") && answer.contains(#"the namespace \"chat\" has as many channels as it may"#), "\(answer)")
        #expect(Self.refused(.channels, node) == 1)
        #expect(try Self.post(node, "another", "1").hasPrefix("HTTP/1.1 200 "))
    }

    // MARK: Clients

    @Test func listening() throws {
        let node = try Self.node(#"{"subscribe":"nobody"}"#)
        let answer = try Self.poll(node, "channels=chat:1")
        #expect(answer.hasPrefix("HTTP/1.1 403 ") && answer.contains(#"the namespace \"chat\" lets only those listen"#), "\(answer)")
        #expect(try Self.poll(node, "channels=room,chat").hasPrefix("HTTP/1.1 200 "))
        let socket = try EmbeddedWebSocket(node, "user=ann")
        try socket.say(#"{"subscribe":["chat:1","room"]}"#)
        let texts = try socket.texts()
        #expect(texts.count == 2 && texts.contains { $0.contains("forbidden") && $0.contains("chat:1") }, "\(texts)")
        #expect(Self.refused(.subscribe, node) == 2)
        #expect(try Self.poll(Self.node(#"{"subscribe":"anybody"}"#), "channels=chat:1").hasPrefix("HTTP/1.1 200 "))
    }

    @Test func watching() throws {
        let node = try Self.node(#"{"presence":false}"#)
        let socket = try EmbeddedWebSocket(node, "user=ann")
        try socket.say(#"{"subscribe":[{"channel":"chat:1","presence":true},{"channel":"room","presence":true}]}"#)
        let texts = try socket.texts()
        #expect(texts.contains { $0.contains(#"the namespace \"chat\" shows nobody who is there"#) }, "\(texts)")
        #expect(texts.contains { $0.contains("attached") && $0.contains("room") }, "\(texts)")
        try socket.say(#"{"subscribe":["chat:1"]}"#)
        #expect(try socket.texts().contains { $0.contains("attached") && $0.contains("chat:1") }, "listening goes on")
        #expect(Self.refused(.presence, node) == 1)
    }

    @Test func publishing() throws {
        for (audience, isTaken) in [("anybody", true), ("tokens", false), ("nobody", false)] {
            let node = try Self.node(#"{"publish":"\#(audience)"}"#)
            let socket = try EmbeddedWebSocket(node, "user=ann")
            try socket.say(#"{"publish":{"channel":"chat:1","data":1},"ref":7}"#)
            let texts = try socket.texts()
            #expect(texts.contains { $0.contains(isTaken ? "receipt" : "publish whose token grants it") }, "\(audience): \(texts)")
            try socket.say(#"{"publish":{"channel":"room","data":1}}"#)
            #expect(try socket.texts().contains { $0.contains("you may not publish this here") })
            #expect(Self.refused(.publish, node) == (isTaken ? 0 : 1))
            #expect(try Self.post(node, "chat:1", "1").hasPrefix("HTTP/1.1 200 "), "producers are no clients")
        }
        // What is opened to all by an option is no grant.
        let opened = NamePatterns(["*"]) ?? .none
        let node = try Self.node(#"{"publish":"nobody"}"#) { $0.clientPublish = opened }
        let socket = try EmbeddedWebSocket(node, "user=ann")
        try socket.say(#"{"publish":{"channel":"chat:1","data":1}}"#)
        try socket.say(#"{"publish":{"channel":"room","data":1}}"#)
        let texts = try socket.texts()
        #expect(texts.count == 2 && texts.first?.contains("forbidden") == true && texts.last?.contains("receipt") == true, "\(texts)")
    }

    @Test func subscribers() throws {
        let node = try Self.node(#"{"subscribers":1}"#)
        let (first, second) = (try EmbeddedWebSocket(node, "user=ann"), try EmbeddedWebSocket(node, "user=ben"))
        for socket in [first, second] { try socket.say(#"{"subscribe":["chat:1","room"]}"#) }
        #expect(try first.texts().allSatisfy { $0.contains("attached") })
        let texts = try second.texts()
        #expect(texts.contains { $0.contains("channel_full") && $0.contains(#"the namespace \"chat\" lets"#) }, "\(texts)")
        #expect(texts.contains { $0.contains("attached") && $0.contains("room") }, "\(texts)")
        #expect(Self.refused(.subscribers, node) == 1)
    }

    // MARK: Operators

    @Test func theNodesReportShowsTheDigest() throws {
        let (node, other) = (try Self.node(#"{"rate":1}"#), try Self.node(#"{"rate":2}"#))
        func digest(_ node: EmbeddedNode) throws -> String? {
            let client = try node.apiConnection()
            try client.arrive("GET /v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n")
            node.eventLoop.advanceTime(by: .seconds(2))
            let parts = try client.leaving().components(separatedBy: #""namespaces":""#)
            return parts.dropFirst().first.map { String($0.prefix(16)) }
        }
        let table = node.shard.context.configuration.namespaces
        #expect(try digest(node) == table.digest.hexadecimal)
        #expect(try digest(other) != digest(node) && digest(EmbeddedNode()) == nil)
    }

    @Test func metricsCountRefusals() throws {
        let node = try Self.node(#"{"payload":1}"#)
        _ = try Self.post(node, "chat:1", "12")
        let text = MetricsText.render(node.shard.snapshot(countsSlots: false), node.shard.context)
        #expect(text.contains("ringpost_namespace_refused_total{reason=\"payload\"} 1\n"))
        #expect(text.contains("ringpost_namespace_refused_total{reason=\"presence\"} 0\n"))
    }
}
