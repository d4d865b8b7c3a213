// How many system calls messages take to leave a node: each write that goes out is one `send` at the least. Held against limits, because
// nothing else costs as much, and a write too many changes nothing that any other test looks at.

import NIOCore
import NIOEmbedded
import Testing

@testable import RingpostNode

@Suite struct WriteCountTests {
    /// Messages that come in one piece, as one read may bring them.
    private static let messages = 64
    /// Writes that they may take to a connection: what a turn has collected for it leaves in one, and these requests are looked at
    /// in five: a slice as they come, then whole turns.
    private static let pipelinedWritesMax = 5

    private static let upgrade =
        "GET /v1/ws?user=alice HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    private static let publish = "POST /v1/users/alice/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"

    /// Writes to each of the connections, until nothing more comes.
    private static func writes(_ node: EmbeddedNode, _ channels: [EmbeddedChannel]) throws -> [[[UInt8]]] {
        var writes = channels.map { _ in [[UInt8]]() }
        for _ in 0..<100 {
            for (number, channel) in channels.enumerated() { writes[number] += try channel.writes() }
            node.eventLoop.advanceTime(by: .microseconds(50))
        }
        return writes
    }

    private static func times(_ text: String, in writes: [[UInt8]]) -> Int {
        String(decoding: writes.joined(), as: UTF8.self).ranges(of: text).count
    }

    @Test func oneMessageIsTwoWrites() throws {
        let node = try EmbeddedNode()
        let (socket, api) = (try node.clientConnection(), try node.apiConnection())
        try socket.arrive(Self.upgrade)
        _ = try Self.writes(node, [socket, api])
        try api.arrive(Self.publish)
        let writes = try Self.writes(node, [socket, api])
        #expect(writes.map(\.count) == [1, 1], "the frame and the receipt")
        #expect(Self.times("\"data\":\"hello\"", in: writes[0]) == 1)
    }

    @Test func whatComesTogetherLeavesTogether() throws {
        let node = try EmbeddedNode()
        let (socket, api) = (try node.clientConnection(), try node.apiConnection())
        try socket.arrive(Self.upgrade)
        _ = try Self.writes(node, [socket, api])
        try api.arrive(String(repeating: Self.publish, count: Self.messages))
        let writes = try Self.writes(node, [socket, api])
        #expect(Self.times("\"data\":\"hello\"", in: writes[0]) == Self.messages)
        #expect(Self.times("HTTP/1.1 200", in: writes[1]) == Self.messages)
        for (name, count) in zip(["socket", "API connection"], writes.map(\.count)) {
            #expect(count <= Self.pipelinedWritesMax, "\(name): \(count) writes of \(Self.messages) messages")
        }
    }
}
