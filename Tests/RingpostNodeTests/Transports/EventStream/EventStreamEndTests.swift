// How event streams begin and end for browsers: an EventSource gives up for good when it is answered anything but 200, and comes back by
// itself after an end. So what passes is answered 200 with a time to come back, and what is final with a very long time.

import Foundation
import NIOCore
import NIOEmbedded
import RingpostCore
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct EventStreamEndTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"

    private static func stream(_ query: String = "user=alice", headers: String = "") -> String {
        "GET /v1/sse?\(query) \(host)\(headers)\r\n"
    }

    private static func answer(_ node: EmbeddedNode, to request: String) throws -> String {
        let channel = try node.clientConnection()
        try channel.arrive(request)
        return try channel.leaving()
    }

    /// The body's blocks, each in its lines.
    private static func blocks(_ answer: String) -> [[String]] {
        let body = answer.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
        return body.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { $0.components(separatedBy: "\n") }
    }

    /// Nothing but the end: to come back after so many milliseconds, because of the problem.
    private static func expectPutOff(_ answer: String, _ problem: Problem, atLeast milliseconds: Int) throws {
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
        #expect(answer.contains("Content-Type: text/event-stream\r\n"))
        let blocks = blocks(answer)
        try #require(blocks.count == 1 && blocks[0].count == 3, "\(answer)")
        let retry = try #require(Int(blocks[0][0].dropFirst("retry: ".count)), "\(answer)")
        #expect(retry >= milliseconds && retry < milliseconds + 10_000)
        #expect(blocks[0][1] == "event: close")
        let words = #"data: {"code":"try_later","advice":"resume","after":\#(retry),"error":{"code":"\#(problem.code)","message":""#
        #expect(blocks[0][2].hasPrefix(words) && blocks[0][2].hasSuffix("\"}}"), "\(blocks[0][2])")
    }

    // MARK: Not now

    @Test func aUserWithTooManySockets() throws {
        let node = try EmbeddedNode { $0.limits.socketsPerUserMax = 1 }
        _ = try Self.answer(node, to: Self.stream())
        try Self.expectPutOff(try Self.answer(node, to: Self.stream()), .tooManySockets, atLeast: 10_000)
        #expect(node.shard.counters.sockets[TransportKind.eventStream.counterIndex] == 1)
    }

    @Test func anAddressWithTooManySocketsOrTooFast() throws {
        let node = try EmbeddedNode {
            $0.limits.socketsPerAddressMax = 1
            $0.limits.connectionsPerAddressPerSecond = 1
            $0.auth.trustedProxies = TrustedProxies(AddressRange.loopback)
        }
        let from = "X-Forwarded-For: 203.0.113.9\r\n"
        _ = try Self.answer(node, to: Self.stream("user=a", headers: from))
        try Self.expectPutOff(try Self.answer(node, to: Self.stream("user=b", headers: from)), .tooManySockets, atLeast: 10_000)
        var answer = ""
        for _ in 0..<10 where !answer.contains("too_fast") { answer = try Self.answer(node, to: Self.stream("user=b", headers: from)) }
        try Self.expectPutOff(answer, .tooFast, atLeast: 1_000)
    }

    @Test func aNodeInNoRing() throws {
        try Self.expectPutOff(try Self.answer(try EmbeddedNode(isInRing: false), to: Self.stream()), .noOwner, atLeast: 2_000)
    }

    @Test func aNodeWhoseMemoryIsFull() throws {
        let node = try EmbeddedNode {
            $0.limits.memoryBytesMax = 1
            $0.allowedOrigins = ["https://app.example"]
        }
        node.shard.context.quotas.checkMemory()
        let answer = try Self.answer(node, to: Self.stream(headers: "Origin: https://app.example\r\n"))
        try Self.expectPutOff(answer, .overloaded, atLeast: 2_000)
        #expect(answer.contains("Access-Control-Allow-Origin: https://app.example\r\n"), "without it a browser gives up as well")
    }

    // On one thread, as the event loop has to be.
    @MainActor @Test func aTokenThatCannotBeJudgedYet() async throws {
        let folder = try TemporaryFolder()
        let key = TestKey.secret("HS256", Data(repeating: 1, count: 32))
        try key.file.write(to: URL(fileURLWithPath: folder.file(key.fileName)))
        let node = try EmbeddedNode { $0.auth.tokenKeysPath = folder.path }
        try await node.shard.context.tokens?.load()
        let token = String(decoding: try key.token(#"{"sub":"alice","exp":\#(Moment.now().wall / 1_000 + 60)}"#), as: UTF8.self)
        let query = "user=alice&access_token=\(token)"
        // Which tokens have been revoked is not known yet.
        try Self.expectPutOff(try Self.answer(node, to: Self.stream(query)), .overloaded, atLeast: 2_000)
        let refused = try Self.answer(node, to: Self.stream(query + "x"))
        #expect(refused.hasPrefix("HTTP/1.1 401 "), "coming back does not help")
    }

    @Test(arguments: ["user=", "user=alice&since=x", "channels=" + String(repeating: "c", count: 500)])
    func aMistakeOfTheClientIsStillRefused(query: String) throws {
        #expect(try Self.answer(try EmbeddedNode(), to: Self.stream(query)).hasPrefix("HTTP/1.1 400 "))
    }

    @Test func othersSeeTheStatus() throws {
        let node = try EmbeddedNode(isInRing: false)
        for path in ["poll", "locate"] {
            #expect(try Self.answer(node, to: "GET /v1/\(path)?user=alice \(Self.host)\r\n").hasPrefix("HTTP/1.1 503 "))
        }
    }

    // MARK: Never

    @Test func whoIsToStayAwayStaysAway() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive(Self.stream())
        _ = try channel.leaving()
        let alice = try Key(requested: .user, name: Array("alice".utf8), hasher: node.view.hasher)
        #expect(node.shard.disconnect(alice, resumes: false) == 1)
        let end = try channel.leaving()
        #expect(end == "retry: 86400000\nevent: close\ndata: {\"code\":\"disconnected\",\"advice\":\"stop\"}\n\n")
    }

    @Test func whoIsToResumeComesBackSoon() throws {
        let node = try EmbeddedNode()
        let channel = try node.clientConnection()
        try channel.arrive(Self.stream())
        _ = try channel.leaving()
        let alice = try Key(requested: .user, name: Array("alice".utf8), hasher: node.view.hasher)
        #expect(node.shard.disconnect(alice, resumes: true) == 1)
        let lines = try channel.leaving().components(separatedBy: "\n")
        let retry = try #require(Int(lines[0].dropFirst("retry: ".count)))
        #expect((500...5_000).contains(retry))
    }

    // MARK: The beginning

    @Test func everyBlockHasData() throws {
        let answer = try Self.answer(try EmbeddedNode(), to: Self.stream("user=alice&channels=c"))
        let blocks = Self.blocks(answer)
        #expect(blocks.count == 2)
        for block in blocks { #expect(block.contains { $0.hasPrefix("data: ") }, "\(block)") }
        let retries = blocks.joined().filter { $0.hasPrefix("retry: ") }
        #expect(retries.count == 1 && retries[0] == blocks[0][0], "the first event says it, once")
        #expect((500...1_500).contains(Int(retries[0].dropFirst("retry: ".count)) ?? 0))
    }

    /// Event source polyfills, by their names for it.
    @Test(arguments: ["lastEventId", "Last-Event-ID", "last-event-id", "lastEventID", "evs_last_event_id"])
    func aPolyfillBringsTheLastIdInTheQuery(name: String) throws {
        let node = try EmbeddedNode()
        for number in 0..<3 { try node.publish("\(number)", to: "alice") }
        let all = try Self.answer(node, to: Self.stream("user=alice&since=earliest"))
        let ids = all.components(separatedBy: "\n").filter { $0.hasPrefix("id: ") }.map { $0.dropFirst(4) }
        try #require(ids.count == 4)
        func sequences(_ query: String, headers: String = "") throws -> [String] {
            try Self.answer(node, to: Self.stream("user=alice&\(query)", headers: headers)).components(separatedBy: "\n").compactMap {
                line in
                guard let start = line.range(of: "\"seq\":") else { return nil }
                return String(line[start.upperBound...].prefix { $0 != "," })
            }
        }
        #expect(try sequences("\(name)=\(ids[2])") == ["3"])
        #expect(try sequences("since=earliest&\(name)=\(ids[1])") == ["2", "3"], "newer than what stands in the address")
        #expect(try sequences("\(name)=\(ids[1])&\(name)=\(ids[2])") == ["3"], "one is added with each reconnection")
        #expect(try sequences("since=earliest&\(name)=") == ["1", "2", "3"], "nothing was heard yet")
        #expect(try sequences("\(name)=\(ids[1])", headers: "Last-Event-ID: \(ids[2])\r\n") == ["3"], "the header is newer still")
    }

    /// A stream that ends before anything of a channel has come knows no cursor of that channel; the address still says where it begins.
    @Test func whatTheLastIdLacksBeginsWhereTheAddressSays() throws {
        let node = try EmbeddedNode()
        func heard(_ query: String, headers: String = "") throws -> String {
            let channel = try node.clientConnection()
            try channel.arrive(Self.stream(query, headers: headers))
            node.eventLoop.advanceTime(by: .seconds(1))
            return try channel.leaving()
        }
        try node.publish("mail", to: "alice")
        try node.publish("paper", to: "news", .channel)
        let lines = try heard("user=alice&since=earliest").components(separatedBy: "\n")
        let id = try #require(lines.last { $0.hasPrefix("id: ") }?.dropFirst("id: ".count))
        let answer = try heard("user=alice&channels=news&since=earliest", headers: "Last-Event-ID: \(id)\r\n")
        #expect(answer.contains("paper") && !answer.contains("mail"), "\(answer)")
        #expect(!(try heard("user=alice&channels=news", headers: "Last-Event-ID: \(id)\r\n")).contains("paper"))
    }
}
