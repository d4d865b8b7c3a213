// HEAD: no body whatever the answer is, and no stream.

import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct HTTPHeadTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"
    private static let origin = "Origin: https://app.example\r\n"
    private static let allowed = "Access-Control-Allow-Origin: https://app.example\r\n"

    private static func answer(_ node: EmbeddedNode, _ request: String) throws -> String {
        let channel = try node.clientConnection()
        try channel.arrive(request)
        return try channel.leaving()
    }

    /// The head of a stream, and nothing else.
    private static func expectHead(_ answer: String) {
        #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("Content-Type: text/event-stream\r\n"), "\(answer)")
        #expect(answer.hasSuffix("\r\n\r\n") && answer.components(separatedBy: "\r\n\r\n").count == 2, "\(answer)")
        #expect(!answer.lowercased().contains("content-length"), "a stream has no length")
    }

    // MARK: Event streams

    @Test func anEventStreamsHead() throws {
        let node = try EmbeddedNode()
        Self.expectHead(try Self.answer(node, "HEAD /v1/sse?user=a \(Self.host)\r\n"))
        #expect(node.shard.counters.sockets[TransportKind.eventStream.counterIndex] == 0)
    }

    @Test func theHeadOfAStreamOnANodeThatDrains() throws {
        let node = try EmbeddedNode()
        node.shard.moveSockets(milliseconds: 0, elsewhere: ["n2:1"])
        let answer = try Self.answer(node, "HEAD /v1/sse?user=a \(Self.host)\r\n")
        Self.expectHead(answer)
        #expect(answer.contains("Connection: close\r\n"))
        #expect(node.shard.counters.admissions.allSatisfy { $0 == 0 })
    }

    @Test func theHeadOfAStreamIsNoClient() throws {
        let node = try EmbeddedNode {
            $0.limits.connectionsPerSecond = 1
            $0.limits.connectionsBurst = 1
            $0.limits.connectionsPerAddressPerSecond = 1
        }
        for _ in 0..<10 { Self.expectHead(try Self.answer(node, "HEAD /v1/sse?user=a \(Self.host)\r\n")) }
        #expect(try Self.answer(node, "GET /v1/sse?user=a \(Self.host)\r\n").contains("event: attached"))
        Self.expectHead(try Self.answer(node, "HEAD /v1/sse?user=a \(Self.host)\r\n"))
    }

    // MARK: Refusals

    @Test func aRefusalHasNoBody() throws {
        let node = try EmbeddedNode {
            $0.limits.memoryBytesMax = 1
            $0.allowedOrigins = ["https://app.example"]
        }
        let large = try Self.answer(node, "HEAD /v1/poll?user=a \(Self.host)\(Self.origin)Content-Length: 5000\r\n\r\n")
        node.shard.context.quotas.checkMemory()
        let full = try Self.answer(node, "HEAD /v1/poll?user=a \(Self.host)\(Self.origin)\r\n")
        for (answer, status) in [(large, 413), (full, 503)] {
            #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.contains("Content-Length: "), "\(answer)")
            #expect(answer.hasSuffix("\r\n\r\n") && answer.contains(Self.allowed), "\(answer)")
        }
    }

    @Test(arguments: [("HEAD", 408), ("GET", 408), ("GET", 413)])
    func aPageMayReadWhyItsRequestIsRefused(method: String, status: Int) throws {
        let node = try EmbeddedNode { $0.allowedOrigins = ["https://app.example"] }
        let connection = node.clientHandler()
        let channel = try node.connect(connection)
        let length = status == 413 ? 5_000 : 5
        try channel.arrive("\(method) /v1/poll?user=a \(Self.host)\(Self.origin)Content-Length: \(length)\r\n\r\n")
        connection.onDeadline(now: Moment.now().monotonic + 20_000)
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.contains(Self.allowed), "\(answer)")
        #expect(answer.hasSuffix("\r\n\r\n") == (method == "HEAD"), "\(answer)")
    }
}
