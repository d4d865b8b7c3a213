// How an HTTP connection becomes a WebSocket or an event stream, and when it does not, on an event loop that a test turns by hand.

import Foundation
import NIOCore
import NIOEmbedded
import RingpostCore
import TestSupport
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
            String(repeating: locate, count: FairScheduler.sliceRequestsMax) + "GET /v1/sse?user=alice \(Self.host)\r\n\(ahead)")
        #expect(channel.reads == false, "it waits for its turn, with more than is read ahead")
        // Others have used the turn up: behind its one request the connection would wait for the next one.
        let runtime = node.shard.runtime
        runtime.inNextTurn { runtime.spendTurn(requests: FairScheduler.requestsMax) }
        Self.turn(node)
        #expect(try channel.leaving().contains("Content-Type: text/event-stream\r\n"))
        #expect(channel.reads == true)
    }

    // MARK: While a token is checked

    /// A node that has just fetched the published keys: a token whose key it doesn't know waits for the next turn only. On one thread, as
    /// the event loop has to be.
    @MainActor private struct Waiting {
        let folder: TemporaryFolder
        let node: EmbeddedNode
        private let server: StandInKeyServer
        private let began = Moment.now().monotonic
        private let keys = [
            TestKey.secret("HS256", Data(repeating: 1, count: 32), name: "old"),
            TestKey.secret("HS256", Data(repeating: 2, count: 32), name: "new"),
        ]

        private init(_ server: StandInKeyServer) throws {
            let folder = try TemporaryFolder()
            self.folder = folder
            self.server = server
            node = try EmbeddedNode {
                $0.auth.tokenKeysPath = folder.path
                $0.auth.tokenKeysURL = server.url
            }
            node.shard.applyRevocations(RevocationList())
        }

        /// Where that took so long that the keys would be fetched again, it is done again.
        static func make() async throws -> Waiting {
            let server = try await StandInKeyServer.start(#"{"keys":[\#(try TestKey.elliptic().jwk())]}"#)
            for _ in 0..<10 {
                let waiting = try Waiting(server)
                try await waiting.learn("old")
                if Moment.now().monotonic - waiting.began < KeyRefreshMachine.Times().unknownKeyMilliseconds / 2 { return waiting }
            }
            throw NodeError("the machine is too slow")
        }

        func learn(_ name: String) async throws {
            for key in keys where key.id == name { try key.file.write(to: URL(fileURLWithPath: folder.file(key.fileName))) }
            try await node.shard.context.tokens?.load()
        }

        /// A stream whose token has to be waited for, and a poll behind it that is known at once.
        func requests() throws -> ByteBuffer {
            let tokens = try keys.map {
                String(decoding: try $0.token(#"{"sub":"alice","exp":\#(Moment.now().wall / 1_000 + 60)}"#, kid: $0.id), as: UTF8.self)
            }
            return ByteBuffer(
                string: "GET /v1/sse?access_token=\(tokens[1]) \(host)\r\nGET /v1/poll?wait=25&access_token=\(tokens[0]) \(host)\r\n")
        }

        func count(_ kind: TransportKind) -> Int { node.shard.counters.sockets[kind.counterIndex] }
    }

    @MainActor @Test func aStreamIsNotOpenedBesideWhatHasComeMeanwhile() async throws {
        let waiting = try await Waiting.make()
        let channel = try waiting.node.clientConnection()
        try channel.writeInbound(try waiting.requests())
        #expect(waiting.count(.poll) == 1)
        try await waiting.learn("new")
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("beside requests that are not answered"), "\(answer)")
        #expect(waiting.count(.eventStream) == 0 && waiting.count(.poll) == 1)
        try waiting.node.publish("for the poll", to: "alice")
        #expect(try channel.leaving().contains("for the poll"))
    }

    @MainActor @Test func whatAStreamLeavesUnansweredIsCancelled() async throws {
        let waiting = try await Waiting.make()
        let connection = waiting.node.clientHandler()
        let channel = try waiting.node.connect(connection)
        try channel.writeInbound(try waiting.requests())
        #expect(waiting.count(.poll) == 1)
        let stream = LinkServer(links: waiting.node.shard.links)
        #expect(connection.becomeStream(stream) { _, output in output.writeString("begins") } != nil)
        #expect(try channel.leaving() == "begins")
        #expect(waiting.count(.poll) == 0 && waiting.node.shard.snapshot(countsSlots: false).attachments == 0)
    }
}
