// HTTP connections and what becomes of them, on an event loop that a test turns by hand.

import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct HTTPConnectionTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"
    private static let upgrade =
        "GET /v1/ws?user=alice \(host)Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

    @Test func aRequestMayComeByteByByte() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let chunks = "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        let request = Array("POST /v1/users/alice/messages \(Self.host)Transfer-Encoding: chunked\r\n\r\n\(chunks)".utf8)
        for byte in request.dropLast() {
            try channel.arrive([byte])
            #expect(try channel.writes().isEmpty)
        }
        try channel.arrive([request[request.count - 1]])
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.contains(#""user":"alice","seq":1,"epoch":5,"owner":"n1","outcome":"stored""#))
    }

    @Test func answersKeepTheOrderOfTheirRequests() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive("GET /v1/poll?user=alice&wait=25 \(Self.host)\r\nGET /v1/locate?user=alice \(Self.host)\r\n")
        #expect(try channel.writes().isEmpty, "the second answer waits for the first")
        try node.publish("now", to: "alice")
        let answers = try channel.leaving().components(separatedBy: "HTTP/1.1 200 ")
        #expect(answers.count == 3)
        #expect(answers[1].contains(#""data":"now""#))
        #expect(answers[2].contains(#""owner":{"#))
    }

    @Test func pipelinedPublishesAreAnsweredInOneWrite() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let one = "POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx"
        let count = FairScheduler.sliceRequestsMax
        try channel.arrive(String(repeating: one, count: count))
        let writes = try channel.writes()
        #expect(writes.count == 1)
        let text = String(decoding: writes.joined(), as: UTF8.self)
        for sequence in 1...count { #expect(text.contains("\"seq\":\(sequence),")) }
    }

    @Test(arguments: ["HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "HTTP/1.0\r\n"])
    func whatFollowsTheLastRequestIsNotOne(head: String) throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let hidden = "POST /v1/users/bob/messages \(Self.host)Content-Length: 1\r\n\r\nx"
        try channel.arrive("POST /v1/users/alice/messages \(head)Content-Length: 1\r\n\r\nx\(hidden)")
        let answers = try channel.leaving().components(separatedBy: "HTTP/1.1 200 ")
        #expect(answers.count == 2)
        #expect(answers[1].contains(#""user":"alice","seq":1"#))
        try node.publish("x", to: "bob")
        let poll = try node.clientConnection()
        try poll.arrive("GET /v1/poll?user=bob&since=earliest&wait=0 \(Self.host)\r\n")
        #expect(try poll.leaving().components(separatedBy: #""seq":"#).count == 2, "the hidden one was appended")
    }

    @Test func whoPipelinesLeavesOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let (eager, other) = (try node.apiConnection(), try node.apiConnection())
        let one = "POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx"
        let slice = FairScheduler.sliceRequestsMax
        let count = 200
        try eager.arrive(String(repeating: one, count: count))
        let first = try eager.leaving().components(separatedBy: "HTTP/1.1 200 ").count - 1
        #expect(first == slice)
        try other.arrive(one)
        #expect(try other.leaving().contains("\"seq\":\(first + 1),"), "before the rest of the eager one's")
        var rest = ""
        for _ in 0..<count / FairScheduler.sliceRequestsMax {
            node.eventLoop.advanceTime(by: .milliseconds(1))
            rest += try eager.leaving()
        }
        #expect(rest.components(separatedBy: "HTTP/1.1 200 ").count - 1 == count - first)
        #expect(rest.contains("\"seq\":\(count + 1),"))
    }

    @Test func aTurnIsNoLongerForManyWhoPipeline() throws {
        let node = try EmbeddedNode()
        let one = "POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx"
        let connections = try (0..<8).map { _ in try node.apiConnection() }
        func answered() throws -> [Int] { try connections.map { try $0.leaving().components(separatedBy: "HTTP/1.1 200 ").count - 1 } }
        for connection in connections { try connection.arrive(one) }
        _ = try answered()
        // All in one turn of the loop.
        for connection in connections { try connection.writeInbound(ByteBuffer(string: String(repeating: one, count: 200))) }
        let first = try answered()
        #expect(first.reduce(0, +) == FairScheduler.requestsMax)
        #expect(first.allSatisfy { $0 == FairScheduler.sliceRequestsMax || $0 == 0 })
        // Half is theirs who have had nothing, half theirs who have had a slice.
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        let second = try answered()
        #expect(second.reduce(0, +) == FairScheduler.requestsMax)
        #expect(zip(first, second).reduce(0) { $0 + ($1.0 == 0 ? $1.1 : 0) } == FairScheduler.requestsMax / 2)
    }

    @Test func whileItWaitsForItsTurnLittleIsReadAhead() throws {
        let node = try EmbeddedNode()
        let eager = try node.apiConnection()
        let one = "POST /v1/users/alice/messages \(Self.host)Content-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1_000)
        try eager.arrive(String(repeating: one, count: 200))
        #expect(eager.reads == false)
        for _ in 0...200 / FairScheduler.sliceRequestsMax { node.eventLoop.advanceTime(by: .milliseconds(1)) }
        #expect(eager.reads == true)
        #expect(try eager.leaving().components(separatedBy: "HTTP/1.1 200 ").count == 201)
    }

    @Test func morePollsThanAConnectionMayHaveAreTakenLater() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        let most = HTTPConnection.largeMax
        try channel.arrive(String(repeating: "GET /v1/poll?user=alice&wait=25 \(Self.host)\r\n", count: most + 3))
        for _ in 0..<3 { node.eventLoop.advanceTime(by: .milliseconds(1)) }
        #expect(node.shard.counters.sockets[TransportKind.poll.counterIndex] == most)
        #expect(channel.reads == false)
        try node.publish("1", to: "alice")
        for _ in 0..<3 { node.eventLoop.advanceTime(by: .milliseconds(1)) }
        // The first ones have their answer, and the rest has come in.
        #expect(try channel.leaving().components(separatedBy: "HTTP/1.1 200 ").count == most + 1)
        #expect(node.shard.counters.sockets[TransportKind.poll.counterIndex] == 3)
        #expect(channel.reads == true)
    }

    @Test func whatIsReadyBehindAHeldPollIsBounded() throws {
        let node = try EmbeddedNode()
        try node.publish(String(repeating: "x", count: 60_000), to: "alice")
        let connection = node.clientHandler()
        let channel = try node.connect(connection)
        let count = 100
        let history = String(repeating: "GET /v1/poll?user=alice&since=earliest&wait=0 \(Self.host)\r\n", count: count)
        try channel.arrive("GET /v1/poll?user=bob&wait=60 \(Self.host)\r\n\(history)")
        for _ in 0..<2 * count { node.eventLoop.advanceTime(by: .milliseconds(1)) }
        let most = NodeLimits().socketBytesMax
        #expect((most...most + 2 * 60_000).contains(connection.machine.readyBytes), "\(connection.machine.readyBytes)")
        #expect(node.shard.runtime.readyBytes == connection.machine.readyBytes)
        #expect(channel.reads == false)
        try node.apiConnection().arrive("POST /v1/users/bob/messages \(Self.host)Content-Length: 1\r\n\r\n1")
        var answers = ""
        for _ in 0..<2 * count {
            node.eventLoop.advanceTime(by: .milliseconds(1))
            answers += try channel.leaving()
        }
        #expect(answers.components(separatedBy: "HTTP/1.1 200 ").count == count + 2)
        #expect(node.shard.runtime.readyBytes == 0 && channel.reads == true)
    }

    @Test func whereMuchIsReadyOnAShardNothingIsTakenBehindAPoll() throws {
        let node = try EmbeddedNode()
        let (poll, api) = (try node.clientConnection(), try node.apiConnection())
        node.shard.runtime.readyBytes = HTTPConnection.shardReadyBytesMax + 1
        try poll.arrive("GET /v1/poll?user=alice&wait=25 \(Self.host)\r\nGET /v1/poll?user=alice&wait=0 \(Self.host)\r\n")
        #expect(node.shard.counters.opened[TransportKind.poll.counterIndex] == 1)
        // Others notice nothing.
        try api.arrive(String(repeating: "POST /v1/users/bob/messages \(Self.host)Content-Length: 1\r\n\r\nx", count: 2))
        #expect(try api.leaving().contains("\"seq\":2,"))
        try node.publish("now", to: "alice")
        #expect(try poll.leaving().components(separatedBy: "HTTP/1.1 200 ").count == 3, "one after the other")
    }

    @Test func whatIsReadyGoesWithItsConnection() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive("GET /v1/poll?user=bob&wait=60 \(Self.host)\r\nGET /v1/locate?user=bob \(Self.host)\r\n")
        #expect(node.shard.runtime.readyBytes > 0)
        try channel.close().wait()
        node.eventLoop.run()
        #expect(node.shard.runtime.readyBytes == 0)
    }

    @Test func aPollEndsWithItsConnection() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive("GET /v1/poll?user=alice&wait=25 \(Self.host)\r\n")
        #expect(node.shard.counters.sockets[TransportKind.poll.counterIndex] == 1)
        #expect(node.shard.snapshot(countsSlots: false).attachments == 1)
        try channel.close().wait()
        node.eventLoop.run()
        #expect(node.shard.counters.sockets[TransportKind.poll.counterIndex] == 0)
        #expect(node.shard.snapshot(countsSlots: false).attachments == 0)
    }

    @Test func aNodeThatStopsEndsPollsWithAnAnswer() throws {
        let node = try EmbeddedNode()
        let waiting = try node.clientConnection()
        let idle = try node.clientConnection()
        try waiting.arrive("GET /v1/poll?user=alice&wait=25 \(Self.host)\r\n")
        node.shard.shutDown()
        let answer = try waiting.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.hasSuffix(#""messages":[],"retryAfterMilliseconds":100}"#))
        #expect(answer.contains("onnection: close"), "\(answer)")
        #expect(!waiting.isActive)
        #expect(!idle.isActive)
    }

    @Test func anAnswerThatIsWrittenWhenTheNodeStopsIsSent() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        // Without a turn of the loop: the answer has not been flushed.
        try channel.writeInbound(ByteBuffer(string: "POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx"))
        node.shard.shutDown()
        #expect(try channel.leaving().contains("\"seq\":1,"))
        #expect(!channel.isActive)
    }

    @Test func aRequestThatIsArrivingWhenTheNodeStopsIsAnswered() throws {
        let node = try EmbeddedNode()
        let channels = [try node.apiConnection(), try node.apiConnection()]
        try channels[0].arrive("POST /v1/users/alice/mess")
        try channels[1].arrive("POST /v1/users/alice/messages \(Self.host)Content-Length: 2\r\n\r\n1")
        node.shard.shutDown()
        #expect(channels.count { $0.isActive } == 2)
        try channels[0].arrive("ages \(Self.host)Content-Length: 2\r\n\r\n12")
        try channels[1].arrive("2")
        for channel in channels {
            let answer = try channel.leaving()
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.contains("onnection: close"), "\(answer)")
            #expect(!channel.isActive)
        }
    }

    @Test func aStreamIsNotOpenedBehindAnUnansweredRequest() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive("GET /v1/poll?user=alice&wait=25 \(Self.host)\r\nGET /v1/sse?user=alice \(Self.host)\r\n")
        try node.publish("now", to: "alice")
        let answers = try channel.leaving()
        #expect(answers.hasPrefix("HTTP/1.1 200 "))
        #expect(answers.contains("HTTP/1.1 400 "))
        #expect(node.shard.counters.sockets[TransportKind.eventStream.counterIndex] == 0)
    }

    @Test func aClientThatAsksBeforeItSendsIsToldToGoOn() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        try channel.arrive("POST /v1/users/a/messages \(Self.host)Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 100 "))
        try channel.arrive("x")
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        try channel.arrive("POST /v1/users/a/messages \(Self.host)Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 413 "))
    }

    @Test func anAnswerToHeadHasNoBody() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        try channel.arrive("HEAD /healthz \(Self.host)\r\n")
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.lowercased().contains("content-length: 3\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test func framesThatComeWithTheUpgradeAreNotLost() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        let ping: [UInt8] = [0x89, 0x82, 0, 0, 0, 0, 0x68, 0x69]
        try channel.arrive(Array(Self.upgrade.utf8) + ping)
        let bytes = Array(try channel.writes().joined())
        let head = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        #expect(String(decoding: bytes[..<head.upperBound], as: UTF8.self).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        let frames = bytes[head.upperBound...]
        #expect(frames.contains(0x81), "attached")
        #expect(frames.firstRange(of: [0x8A, 0x02, 0x68, 0x69]) != nil, "pong")
    }

    @Test func whatWaitsForASocketLeavesInOneWrite() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive(Self.upgrade)
        _ = try channel.writes()
        let producer = try node.apiConnection()
        let one = "POST /v1/users/alice/messages \(Self.host)Content-Length: 1\r\n\r\nx"
        try producer.arrive(String(repeating: one, count: 8))
        let writes = try channel.writes()
        #expect(writes.count == 1)
        let text = String(decoding: writes.joined(), as: UTF8.self)
        #expect(text.components(separatedBy: #""data":"x"}"#).count == 9)
    }

    @Test func aWebSocketIsGoneWithItsConnection() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive(Self.upgrade)
        #expect(node.shard.counters.sockets[TransportKind.webSocket.counterIndex] == 1)
        #expect(node.shard.snapshot(countsSlots: false).attachments == 1)
        try channel.close().wait()
        node.eventLoop.run()
        #expect(node.shard.counters.sockets[TransportKind.webSocket.counterIndex] == 0)
        #expect(node.shard.snapshot(countsSlots: false).attachments == 0)
        #expect(node.shard.subscriptions.count == 0)
    }
}
