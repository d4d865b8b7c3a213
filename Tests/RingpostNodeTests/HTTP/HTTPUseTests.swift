// HTTP as other programs speak it: clients that close their side, HTTP/1.0, balancers, pages, large batches.
import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct HTTPUseTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"
    private static func post(_ user: String) -> String { "POST /v1/users/\(user)/messages \(host)Content-Length: 1\r\n\r\nx" }

    /// The other side sends no more.
    private func close(_ channel: EmbeddedChannel) {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.run()
    }

    private func turn(_ node: EmbeddedNode, _ channel: EmbeddedChannel, times: Int) throws -> String {
        var text = ""
        for _ in 0..<times {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            text += try channel.leaving()
        }
        return text
    }

    // MARK: Half-closed connections

    @Test func whoClosesItsSideGetsAllItsAnswers() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let count = 5 * FairScheduler.sliceRequestsMax
        try channel.writeInbound(ByteBuffer(string: String(repeating: Self.post("alice"), count: count)))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        var answers = try channel.leaving()
        answers += try turn(node, channel, times: count)
        #expect(answers.components(separatedBy: "HTTP/1.1 200 ").count == count + 1)
        #expect(!channel.isActive)
    }

    @Test func aPollOfWhoHasClosedItsSideIsAnsweredWithWhatIsThere() throws {
        let node = try EmbeddedNode()
        try node.publish("there", to: "alice")
        for query in ["user=alice&since=earliest&wait=0", "user=alice&since=earliest", "user=bob"] {
            let channel = try node.clientConnection()
            try channel.writeInbound(ByteBuffer(string: "GET /v1/poll?\(query) \(Self.host)\r\n"))
            close(channel)
            let answer = try channel.leaving()
            #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(query): \(answer)")
            #expect(answer.contains(#""data":"there""#) == query.contains("alice"))
            #expect(!channel.isActive)
        }
        #expect(node.shard.counters.sockets[TransportKind.poll.counterIndex] == 0)
        #expect(node.shard.snapshot(countsSlots: false).attachments == 0)
    }

    @Test func whoClosesItsSideAndIsOwedNothingEnds() throws {
        let node = try EmbeddedNode()
        for begin in ["", "GET /heal", "POST /v1/users/a/messages \(Self.host)Content-Length: 5\r\n\r\nx"] {
            let channel = try node.apiConnection()
            if !begin.isEmpty { try channel.arrive(begin) }
            close(channel)
            #expect(!channel.isActive, "\(begin)")
        }
    }

    // MARK: HTTP/1.0, dates

    @Test func oldClientsAreToldThatTheConnectionStays() throws {
        let node = try EmbeddedNode()
        let old = "HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive\r\n"
        let api = try node.apiConnection()
        let requests = [
            "GET /healthz \(old)\r\n", "GET /nothing \(old)\r\n", "POST /v1/users/a/messages \(old)Content-Length: 1\r\n\r\nx",
        ]
        for request in requests {
            try api.arrive(request)
            #expect(try api.leaving().contains("\r\nConnection: keep-alive\r\n"), "\(request)")
            #expect(api.isActive)
        }
        try api.arrive(Self.post("a"))
        #expect(try !api.leaving().contains("Connection:"), "HTTP/1.1 takes it for granted")
        try api.arrive("GET /healthz HTTP/1.0\r\n\r\n")
        #expect(try api.leaving().contains("\r\nConnection: close\r\n"))
    }

    @Test func answersHaveADate() throws {
        let node = try EmbeddedNode()
        let (api, client) = (try node.apiConnection(), try node.clientConnection())
        for (channel, request) in [
            (api, Self.post("a")), (api, "GET /healthz \(Self.host)\r\n"), (client, "GET /v1/poll?user=a&wait=0 \(Self.host)\r\n"),
            (client, "GET /v1/sse?user=a \(Self.host)\r\n"),
        ] {
            try channel.arrive(request)
            let answer = try channel.leaving()
            #expect(answer.contains(/\r\nDate: [MTWFS][a-z]{2}, \d\d [JFMASOND][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/), "\(answer)")
        }
    }

    // MARK: Balancers and pages

    @Test func aFullNodeSaysHowItIs() throws {
        let node = try EmbeddedNode { $0.limits.connectionsMax = 1 }
        _ = try node.clientConnection()
        for connect in [node.clientConnection, node.apiConnection] {
            for path in ["/healthz", "/readyz"] {
                let channel = try connect("127.0.0.1")
                try channel.arrive("GET \(path) \(Self.host)\r\n")
                let answer = try channel.leaving()
                #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("\r\nConnection: close\r\n"), "\(answer)")
                #expect(!channel.isActive)
            }
        }
        let client = try node.clientConnection()
        try client.arrive("GET /v1/poll?user=a&wait=0 \(Self.host)\r\n")
        #expect(try client.leaving().hasPrefix("HTTP/1.1 503 "))
        #expect(!client.isActive)
        // These are bounded as well.
        let crowd = try (0..<2 * ConnectionRoom.singlesMax).map { _ in try node.apiConnection() }
        #expect(crowd.count { $0.isActive } == ConnectionRoom.singlesMax)
        for channel in crowd { _ = try? channel.finish(acceptAlreadyClosed: true) }
        node.eventLoop.run()
        #expect(node.shard.context.quotas.connectionCount == 1)
    }

    @Test func whoIsBeyondTheBoundOfConnectionsStaysNoLonger() throws {
        let node = try EmbeddedNode { $0.limits.connectionsMax = 1 }
        _ = try node.clientConnection()
        let slow = node.clientHandler()
        let channel = try node.connect(slow)
        try channel.arrive("GET /heal")
        #expect(slow.onRound(now: Moment.now().monotonic) == false)
        #expect(slow.onRound(now: Moment.now().monotonic + HTTPConnection.singleMilliseconds) == true)
        #expect(!channel.isActive)
        // Its client is not waited for either.
        let other = try node.clientConnection()
        let closes = CloseRecorder()
        try other.pipeline.syncOperations.addHandler(closes, position: .first)
        try other.arrive("GET /healthz \(Self.host)\r\n")
        #expect(try other.leaving().hasPrefix("HTTP/1.1 200 "))
        #expect(closes.modes == [.all] && !other.isActive)
    }

    @Test(arguments: ["/v1/poll?user=a&wait=0", "/v1/sse?user=a", "/nothing"])
    func whoHasAskedHowAFullNodeIsIsNotLetInForThat(path: String) throws {
        let node = try EmbeddedNode { $0.limits.memoryBytesMax = 1 }
        let known = try node.clientConnection()
        try known.arrive("GET /v1/poll?user=a&wait=0 \(Self.host)\r\n")
        #expect(try known.leaving().hasPrefix("HTTP/1.1 200 "))
        node.shard.context.quotas.checkMemory()
        let channel = try node.clientConnection()
        for _ in 0..<2 {
            try channel.arrive("GET /healthz \(Self.host)\r\n")
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        }
        try channel.arrive("GET \(path) \(Self.host)\r\n")
        let answer = try channel.leaving()
        #expect(answer.contains("this node's memory is full"), "\(answer)")
        #expect(!channel.isActive)
        try known.arrive("GET /v1/poll?user=a&wait=0 \(Self.host)\r\n")
        #expect(try known.leaving().hasPrefix("HTTP/1.1 200 "), "it was there before")
    }

    @Test func aNameThatIsSetIsTaken() throws {
        let ask = { (node: EmbeddedNode, name: String) throws -> String in
            let channel = try node.clientConnection()
            try channel.arrive("GET /v1/poll?user=a&wait=0 HTTP/1.1\r\nHost: \(name)\r\n\r\n")
            return try channel.leaving()
        }
        let refusal = try ask(try EmbeddedNode(), "app.example.com:8443")
        #expect(refusal.hasPrefix("HTTP/1.1 403 ") && refusal.contains("--host app.example.com "), "\(refusal)")
        let node = try EmbeddedNode { $0.hostNames = ["App.example.com"] }
        #expect(try ask(node, "app.example.com").hasPrefix("HTTP/1.1 200 "))
        #expect(try ask(node, "app.example.com:8443").hasPrefix("HTTP/1.1 200 "))
        #expect(try ask(node, "evil.example").hasPrefix("HTTP/1.1 403 "))
    }

    @Test func pagesMaySendWhatTheirLibrariesSend() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive("OPTIONS /v1/poll \(Self.host)Origin: http://localhost:3000\r\nAccess-Control-Request-Method: GET\r\n\r\n")
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 204 "))
        let line = answer.split(separator: "\r\n").first { $0.hasPrefix("Access-Control-Allow-Headers: ") } ?? ""
        for name in ["Authorization", "Content-Type", "Last-Event-ID", "Idempotency-Key", "X-Requested-With", "traceparent"] {
            #expect(line.contains(name), "\(name)")
        }
    }

    // MARK: Batches

    @Test func aBatchLeavesOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let (eager, other) = (try node.apiConnection(), try node.apiConnection())
        try other.arrive(Self.post("known"))
        _ = try other.leaving()
        let count = 10 * BatchPublish.sliceLinesMax
        let lines = (1...count).map { "{\"user\":\"alice\",\"data\":\($0)}\n" }.joined()
        let batch = "POST /v1/messages \(Self.host)Content-Length: \(lines.utf8.count)\r\n\r\n\(lines)"
        // What comes behind it waits for it.
        try eager.writeInbound(ByteBuffer(string: batch + Self.post("alice")))
        try other.writeInbound(ByteBuffer(string: Self.post("alice")))
        var own = ""
        for _ in 0..<4 where own.isEmpty {
            own += try other.leaving()
            node.eventLoop.advanceTime(by: FairScheduler.pause)
        }
        let sequence = try #require(own.firstMatch(of: /"seq":(\d+),/).flatMap { Int($0.1) })
        #expect(sequence <= 4 * BatchPublish.sliceLinesMax + 1, "between slices of the batch")
        var answers = try eager.leaving()
        #expect(answers.isEmpty)
        answers += try turn(node, eager, times: count)
        let sequences = answers.matches(of: /"seq":(\d+),/).compactMap { Int($0.1) }
        #expect(sequences.count == count + 1 && sequences == sequences.sorted() && sequences.last == count + 2)
        #expect(answers.components(separatedBy: "HTTP/1.1 200 ").count == 3)
    }

    @Test func emptyLinesLeaveOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let (eager, other) = (try node.apiConnection(), try node.apiConnection())
        try other.arrive(Self.post("known"))
        _ = try other.leaving()
        let count = 20 * BatchPublish.sliceBytesMax
        let batch = "POST /v1/messages \(Self.host)Content-Length: \(count)\r\n\r\n" + String(repeating: "\n", count: count)
        try eager.writeInbound(ByteBuffer(string: batch))
        try other.writeInbound(ByteBuffer(string: Self.post("alice")))
        #expect(try turn(node, other, times: 4).hasPrefix("HTTP/1.1 200 "))
        #expect(try eager.leaving().isEmpty)
        #expect(try turn(node, eager, times: 30).hasPrefix("HTTP/1.1 200 "))
    }

    @Test func aBatchIsPublishedWholeAlsoWhenItsProducerIsGone() throws {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let count = 5 * BatchPublish.sliceLinesMax
        let lines = String(repeating: "{\"user\":\"alice\",\"data\":1}\n", count: count)
        try channel.writeInbound(ByteBuffer(string: "POST /v1/messages \(Self.host)Content-Length: \(lines.utf8.count)\r\n\r\n\(lines)"))
        try channel.close().wait()
        for _ in 0..<count { node.eventLoop.advanceTime(by: FairScheduler.pause) }
        let producer = try node.apiConnection()
        try producer.arrive(Self.post("alice"))
        #expect(try producer.leaving().contains("\"seq\":\(count + 1),"))
    }

    @Test func aBatchOfTooManyLinesIsRefusedWhole() throws {
        let node = try EmbeddedNode { $0.limits.batchMessagesMax = 100 }
        let channel = try node.apiConnection()
        for (count, status) in [(101, "413"), (100, "200")] {
            let lines = String(repeating: "{\"user\":\"alice\",\"data\":1}\n\n", count: count)
            try channel.arrive("POST /v1/messages \(Self.host)Content-Length: \(lines.utf8.count)\r\n\r\n\(lines)")
            var answer = try channel.leaving()
            answer += try turn(node, channel, times: 20)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer.prefix(200))")
        }
        try channel.arrive(Self.post("alice"))
        #expect(try channel.leaving().contains("\"seq\":101,"))
    }
}

/// How a connection is closed.
private final class CloseRecorder: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var modes: [CloseMode] = []

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        modes.append(mode)
        context.close(mode: mode, promise: promise)
    }
}
