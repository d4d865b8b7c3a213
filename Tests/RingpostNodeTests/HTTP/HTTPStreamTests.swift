// How an HTTP connection becomes a WebSocket or an event stream, and when it does not, on an event loop that a test turns by hand.

import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct HTTPStreamTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"

    private static func turn(_ node: EmbeddedNode) { node.eventLoop.advanceTime(by: FairScheduler.pause) }

    @Test func aStreamReadsAlsoWhereItsConnectionHadPaused() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        let locate = "GET /v1/locate?user=alice \(Self.host)\r\n"
        let ahead = String(repeating: "x", count: 2 * HTTPConnection.aheadBytesMax)
        try channel.arrive(
            String(repeating: locate, count: FairScheduler.sliceRequestsMax + 1) + "GET /v1/sse?user=alice \(Self.host)\r\n\(ahead)")
        #expect(channel.reads == false, "it waits for its turn, with more than is read ahead")
        Self.turn(node)
        #expect(try channel.leaving().contains("Content-Type: text/event-stream\r\n"))
        #expect(channel.reads == true)
    }
}
