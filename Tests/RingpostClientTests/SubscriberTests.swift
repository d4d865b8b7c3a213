// The subscriber over real sockets, on each transport, against a stand-in for a node's client port.
import NIOWebSocket
import Testing

@testable import RingpostClient

@Suite(.timeLimit(.minutes(1))) struct SubscriberTests {
    private static func cursor(_ sequence: Int) -> String { "00000000000000aa-\(sequence)" }

    private static func message(_ sequence: Int) -> String {
        #"{"seq":\#(sequence),"cursor":"\#(cursor(sequence))","id":"x","at":1,"data":"m\#(sequence)"}"#
    }

    /// Events until the given number of messages has come; pauses and reasons left out, as they vary.
    private static func events(_ subscriber: Subscriber, messages: Int) async throws -> [String] {
        var events: [String] = []
        var left = messages
        for try await event in subscriber {
            switch event {
            case .attached(let cursor): events.append("attached \(cursor)")
            case .gap(let cursor): events.append("gap \(cursor)")
            case .message(let message):
                events.append(message.text ?? "?")
                left -= 1
            case .disconnected: events.append("disconnected")
            case .listening(let channel, let cursor): events.append("listening to \(channel) \(cursor)")
            case .channelGap(let channel, let cursor): events.append("gap in \(channel) \(cursor)")
            case .expiring(let end): events.append("expiring \(end)")
            case .notRenewed: events.append("not renewed")
            case .present, .joined, .left, .reconnecting: break
            }
            if left == 0 { break }
        }
        return events
    }

    @Test func webSocket() async throws {
        let server = try await StandInHTTP { number, _, _ in
            number == 1
                ? .webSocket(
                    [#"{"event":"attached","cursor":"\#(Self.cursor(0))"}"#, Self.message(1), Self.message(2)],
                    close: (.goingAway, "resume: going_away; after=5; at=nowhere:1"))
                : .webSocket([#"{"event":"gap","cursor":"\#(Self.cursor(6))"}"#, Self.message(7)], close: nil)
        }
        let events = try await Self.events(Subscriber(urls: [server.endpoint], user: "a b"), messages: 3)
        #expect(events == ["attached \(Self.cursor(0))", "m1", "m2", "disconnected", "gap \(Self.cursor(6))", "m7"])
        #expect(server.requests == ["/v1/ws?user=a%20b", "/v1/ws?user=a%20b&since=\(Self.cursor(2))"])
    }

    @Test func webSocketRefusals() async throws {
        let server = try await StandInHTTP { number, _, _ in
            number == 1
                ? .response(.serviceUnavailable, [("Retry-After", "0")], #"{"error":{"code":"stopping","message":"s"}}"#)
                : .response(.badRequest, [], #"{"error":{"code":"bad_cursor","message":"m"}}"#)
        }
        await #expect(throws: SubscriberError.refused(status: 400, code: "bad_cursor", message: "m")) {
            _ = try await Self.events(Subscriber(urls: [server.endpoint], user: "a", since: "x"), messages: 1)
        }
        #expect(server.requests.count == 2)
    }

    @Test func webSocketBackPressure() async throws {
        let count = 5_000
        let server = try await StandInHTTP { _, _, _ in
            .webSocket([#"{"event":"attached","cursor":"\#(Self.cursor(0))"}"#] + (1...count).map(Self.message), close: nil)
        }
        var expected: UInt64 = 0
        for try await event in Subscriber(urls: [server.endpoint], user: "a") {
            guard case .message(let message) = event else { continue }
            expected += 1
            #expect(message.sequence == expected)
            // Slow at first, so that the buffer fills and the socket has to wait.
            if expected <= 20 { try await Task.sleep(for: .milliseconds(5)) }
            if expected == count { break }
        }
        #expect(expected == UInt64(count))
    }

    @Test func eventStream() async throws {
        let server = try await StandInHTTP { number, _, headers in
            if number == 1 {
                return .stream(
                    "retry: 5\n\nevent: attached\nid: \(Self.cursor(0))\ndata: {\"cursor\":\"\(Self.cursor(0))\"}\n\n"
                        + "id: \(Self.cursor(1))\ndata: \(Self.message(1))\n\n: comment\n\n"
                        + "event: close\ndata: {\"code\":\"slow_consumer\",\"advice\":\"resume\"}\n\n", closes: false)
            }
            let last = headers.first(name: "Last-Event-ID") ?? "none"
            return .stream(
                "id: \(Self.cursor(2))\ndata: {\"seq\":2,\"cursor\":\"\(Self.cursor(2))\",\"id\":\"x\",\"data\":\"\(last)\"}\n\n",
                closes: false)
        }
        let events = try await Self.events(Subscriber(urls: [server.endpoint], user: "a", transport: .eventStream), messages: 2)
        #expect(events == ["attached \(Self.cursor(0))", "m1", "disconnected", Self.cursor(1)])
        #expect(server.requests == ["/v1/sse?user=a", "/v1/sse?user=a"])
    }

    @Test func eventStreamStops() async throws {
        let server = try await StandInHTTP { _, _, _ in
            .stream("event: close\ndata: {\"code\":\"protocol_error\",\"advice\":\"stop\"}\n\n", closes: true)
        }
        await #expect(throws: SubscriberError.stopped("protocol_error")) {
            _ = try await Self.events(Subscriber(urls: [server.endpoint], user: "a", transport: .eventStream), messages: 1)
        }
    }

    @Test(arguments: [(Subscriber.Transport.longPoll, 25), (.polling, 0)]) func polls(_ transport: Subscriber.Transport, _ wait: Int)
        async throws
    {
        let server = try await StandInHTTP { number, _, _ in
            switch number {
            case 1: .response(.ok, [], #"{"cursor":"\#(Self.cursor(0))","messages":[]}"#)
            case 2: .response(.ok, [], #"{"cursor":"\#(Self.cursor(2))","messages":[\#(Self.message(1)),\#(Self.message(2))]}"#)
            default: .response(.ok, [], #"{"cursor":"\#(Self.cursor(9))","messages":[\#(Self.message(9))],"gap":true}"#)
            }
        }
        var options = Subscriber.Options()
        options.pollMilliseconds = 5
        let subscriber = Subscriber(urls: [server.endpoint], user: "a", transport: transport, options: options)
        let events = try await Self.events(subscriber, messages: 3)
        #expect(events == ["attached \(Self.cursor(0))", "m1", "m2", "gap \(Self.cursor(8))", "m9"])
        #expect(
            server.requests == [
                "/v1/poll?user=a&wait=0", "/v1/poll?user=a&since=\(Self.cursor(0))&wait=\(wait)",
                "/v1/poll?user=a&since=\(Self.cursor(2))&wait=\(wait)",
            ])
    }

    @Test(arguments: Subscriber.Transport.allCases) func rotatesOverTheAddresses(_ transport: Subscriber.Transport) async throws {
        let dead = try await StandInHTTP { _, _, _ in .response(.notFound, [], "") }
        let deadEndpoint = dead.endpoint
        await dead.close()
        let server = try await StandInHTTP { _, target, _ in
            let attached = #"{"event":"attached","cursor":"\#(Self.cursor(0))"}"#
            if target.hasPrefix("/v1/ws") { return .webSocket([attached, Self.message(1)], close: nil) }
            if target.hasPrefix("/v1/sse") { return .stream("data: \(Self.message(1))\n\n", closes: false) }
            return .response(.ok, [], #"{"cursor":"\#(Self.cursor(1))","messages":[\#(Self.message(1))]}"#)
        }
        let events = try await Self.events(
            Subscriber(urls: [deadEndpoint, server.endpoint], user: "a", transport: transport), messages: 1)
        #expect(events.first == "disconnected")
        #expect(events.last == "m1")
    }

    @Test(arguments: Subscriber.Transport.allCases) func goesWhereALeavingNodeSendsIt(_ transport: Subscriber.Transport) async throws {
        let target = try await StandInHTTP { _, target, _ in
            let attached = #"{"event":"attached","cursor":"\#(Self.cursor(1))"}"#
            if target.hasPrefix("/v1/ws") { return .webSocket([attached, Self.message(2)], close: nil) }
            if target.hasPrefix("/v1/sse") { return .stream("data: \(Self.message(2))\n\n", closes: false) }
            return .response(.ok, [], #"{"cursor":"\#(Self.cursor(2))","messages":[\#(Self.message(2))]}"#)
        }
        let there = target.endpoint
        let leaving = try await StandInHTTP { _, target, _ in
            if target.hasPrefix("/v1/ws") {
                return .webSocket([Self.message(1)], close: (.goingAway, "resume: going_away; after=5; at=\(there)"))
            }
            if target.hasPrefix("/v1/sse") {
                let close = #"{"code":"going_away","advice":"resume","after":5,"at":"\#(there)"}"#
                return .stream("data: \(Self.message(1))\n\nretry: 5\n\nevent: close\ndata: \(close)\n\n", closes: true)
            }
            let body = #""messages":[\#(Self.message(1))],"retryAfterMilliseconds":5,"at":"\#(there)"}"#
            return .response(.ok, [("Connection", "close")], #"{"cursor":"\#(Self.cursor(1))",\#(body)"#)
        }
        // The second address would be next, but the third is the one that the node names.
        let second = try await StandInHTTP { _, _, _ in .response(.badRequest, [], "") }
        let subscriber = Subscriber(urls: [leaving.endpoint, second.endpoint, there], user: "a", transport: transport)
        let events = try await Self.events(subscriber, messages: 2)
        #expect(events.filter { !$0.hasPrefix("attached") } == ["m1", "disconnected", "m2"])
        #expect(second.requests.isEmpty)
        #expect(target.requests.count == 1)
    }

    @Test(arguments: [Subscriber.Transport.webSocket, .eventStream, .longPoll])
    func comesBackNoEarlierThanItWasAskedTo(_ transport: Subscriber.Transport) async throws {
        let wait = 300
        let server = try await StandInHTTP { number, target, _ in
            if number > 1 { return .response(.badRequest, [], "") }
            if target.hasPrefix("/v1/ws") { return .webSocket([], close: (.init(codeNumber: 4_013), "resume: try_later; after=\(wait)")) }
            if target.hasPrefix("/v1/sse") {
                let close = #"{"code":"try_later","advice":"resume","after":\#(wait)}"#
                return .stream("retry: \(wait)\n\nevent: close\ndata: \(close)\n\n", closes: true)
            }
            let body = #"{"error":{"code":"overloaded","message":"m","retryAfterMilliseconds":\#(wait)}}"#
            return .response(.serviceUnavailable, [("Retry-After", "1")], body)
        }
        let other = try await StandInHTTP { _, _, _ in .response(.badRequest, [], "") }
        let began = ContinuousClock.now
        await #expect(throws: SubscriberError.self) {
            _ = try await Self.events(Subscriber(urls: [server.endpoint, other.endpoint], user: "a", transport: transport), messages: 1)
        }
        #expect(ContinuousClock.now - began >= .milliseconds(wait))
        #expect(server.requests.count == 2)
        #expect(other.requests.isEmpty, "the appointment is with the node that gave it")
    }

    @Test(arguments: Subscriber.Transport.allCases) func endsWithItsTask(_ transport: Subscriber.Transport) async throws {
        let server = try await StandInHTTP { number, target, _ in
            if target.hasPrefix("/v1/ws") { return .webSocket([], close: nil) }
            if target.hasPrefix("/v1/sse") { return .stream(": hello\n\n", closes: false) }
            return number == 1 ? .response(.ok, [], #"{"cursor":"\#(Self.cursor(1))","messages":[]}"#) : .stream("", closes: false)
        }
        let listening = Task { try await Self.events(Subscriber(urls: [server.endpoint], user: "a", transport: transport), messages: 1) }
        #expect(await eventually { !server.requests.isEmpty })
        listening.cancel()
        _ = try await listening.value
    }
}

@Suite(.timeLimit(.minutes(1))) struct OperatorClientTests {
    @Test func asksTheNextNodeWhenOneCantAnswer() async throws {
        let stopping = try await StandInHTTP { _, _, _ in
            .response(.serviceUnavailable, [], #"{"error":{"code":"stopping","message":"s"}}"#)
        }
        let node = try await StandInHTTP { _, _, _ in
            .response(
                .ok, [],
                #"{"user":"a b","hash":"00ff","slot":0,"epoch":5,"owner":"n1","next":[],"cursor":null,"history":null,"sockets":[],"unanswered":[]}"#
            )
        }
        let report = try await OperatorClient(api: [stopping.endpoint, node.endpoint]).user("a b")
        #expect(report.owner == "n1")
        #expect(node.requests == ["/v1/users/a%20b"])
    }

    @Test func saysWhatIsWrong() async throws {
        let node = try await StandInHTTP { _, _, _ in .response(.badRequest, [], #"{"error":{"code":"bad_name","message":"m"}}"#) }
        await #expect(throws: OperatorError.refused(status: 400, code: "bad_name", message: "m")) {
            try await OperatorClient(api: [node.endpoint]).user("x")
        }
        let other = try await StandInHTTP { _, _, _ in .response(.ok, [], "<html>") }
        await #expect(throws: OperatorError.self) { try await OperatorClient(api: [other.endpoint]).ring() }
        let gone = try await StandInHTTP { _, _, _ in .response(.ok, [], "") }
        let endpoint = gone.endpoint
        await gone.close()
        let reason = "nothing answers at \(endpoint.url): is a node running there? (ringpost node)"
        await #expect(throws: OperatorError.unreachable([reason])) { try await OperatorClient(api: [endpoint]).ring() }
    }
}
