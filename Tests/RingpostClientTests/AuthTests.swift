// Tokens, keys and TLS over real sockets, against stand-ins for a node's ports.
import NIOWebSocket
import Synchronization
import Testing

@testable import RingpostClient

/// Gives "t1", "t2", …; the last one again and again.
private final class Tokens: Sendable {
    private let given = Mutex(0)
    private let count: Int

    init(_ count: Int) { self.count = count }

    var asked: Int { given.withLock { $0 } }

    var source: TokenSource {
        TokenSource {
            self.given.withLock { given in
                given += 1
                return "t\(min(given, self.count))"
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct SubscriberTokenTests {
    private static let cursor = "00000000000000aa-1"
    private static let message = #"{"seq":2,"cursor":"00000000000000aa-2","id":"x","at":1,"data":"m"}"#
    private static let attached = #"{"event":"attached","cursor":"\#(cursor)"}"#
    private static let unauthorized = StandInHTTP.Reply.response(
        .unauthorized, [("WWW-Authenticate", "Bearer")], #"{"error":{"code":"unauthorized","message":"m"}}"#)

    private static func subscriber(
        _ server: StandInHTTP, _ transport: Subscriber.Transport, _ token: TokenSource?, trust: TrustRoots = .system
    ) -> Subscriber {
        var options = Subscriber.Options()
        options.pollMilliseconds = 5
        options.token = token
        options.trust = trust
        return Subscriber(urls: [server.endpoint], user: "a", transport: transport, options: options)
    }

    /// What comes until a message does; cursors and reasons left out.
    private static func events(_ subscriber: Subscriber) async throws -> [String] {
        var events: [String] = []
        for try await event in subscriber {
            switch event {
            case .message:
                events.append("message")
                return events
            case .attached: events.append("attached")
            case .expiring(let end): events.append("expiring \(end)")
            case .notRenewed(let reason): events.append("not renewed: \(reason)")
            case .disconnected(let reason): events.append("disconnected: \(reason)")
            default: break
            }
        }
        return events
    }

    private static func service(_ target: String) -> StandInHTTP.Reply {
        if target.hasPrefix("/v1/ws") { return .webSocket([attached, message], close: nil) }
        if target.hasPrefix("/v1/sse") { return .stream("data: \(message)\n\n", closes: false) }
        return .response(.ok, [], #"{"cursor":"00000000000000aa-2","messages":[\#(message)]}"#)
    }

    @Test(arguments: Subscriber.Transport.allCases) func theTokenIsShown(_ transport: Subscriber.Transport) async throws {
        let server = try await StandInHTTP { _, target, _ in Self.service(target) }
        _ = try await Self.events(Self.subscriber(server, transport, .fixed("abc")))
        #expect(server.credentials == ["Bearer abc"])
        _ = try await Self.events(Self.subscriber(server, transport, nil))
        #expect(server.credentials.last == "none")
        #expect(!server.requests.contains { $0.contains("abc") }, "a query stands in logs")
    }

    @Test(arguments: Subscriber.Transport.allCases) func aRefusalIsAnsweredOnce(_ transport: Subscriber.Transport) async throws {
        let server = try await StandInHTTP { number, target, _ in number == 1 ? Self.unauthorized : Self.service(target) }
        let tokens = Tokens(2)
        let events = try await Self.events(Self.subscriber(server, transport, tokens.source))
        #expect(events.first == "disconnected: unauthorized: m" && events.last == "message")
        #expect(server.credentials == ["Bearer t1", "Bearer t2"])
        // Not for ever, whatever the source gives.
        let closed = try await StandInHTTP { _, _, _ in Self.unauthorized }
        await #expect(throws: SubscriberError.refused(status: 401, code: "unauthorized", message: "m")) {
            _ = try await Self.events(Self.subscriber(closed, transport, Tokens(100).source))
        }
        #expect(closed.requests.count == 2)
        // And not with the same token.
        let strict = try await StandInHTTP { _, _, _ in Self.unauthorized }
        await #expect(throws: SubscriberError.refused(status: 401, code: "unauthorized", message: "m")) {
            _ = try await Self.events(Self.subscriber(strict, transport, .fixed("t")))
        }
        #expect(strict.requests.count == 1)
    }

    @Test func aSocketIsGivenTheNewToken() async throws {
        let server = try await StandInHTTP { _, _, _ in
            .webSocket(
                [Self.attached, #"{"event":"expiring","expires":5000}"#, #"{"event":"news","of":{"a":1}}"#], close: nil)
        }
        let subscriber = Self.subscriber(server, .webSocket, Tokens(2).source)
        let listening = Task { try await Self.events(subscriber) }
        #expect(await eventually { server.texts == [#"{"token":"t2"}"#] })
        listening.cancel()
        #expect(try await listening.value == ["attached", "expiring 5000"])
        #expect(server.requests.count == 1, "on the same socket")
    }

    @Test func aTokenThatIsNotReplacedIsSaid() async throws {
        let expiring = #"{"event":"expiring","expires":5000}"#
        let server = try await StandInHTTP { _, _, _ in .webSocket([expiring, Self.message], close: nil) }
        #expect(
            try await Self.events(Self.subscriber(server, .webSocket, .fixed("t")))
                == ["expiring 5000", "not renewed: the token source gives the same token again", "message"])
        #expect(server.texts.isEmpty)
        let refusal = #"{"event":"error","error":{"code":"unauthorized","message":"m"}}"#
        let strict = try await StandInHTTP { _, _, _ in .webSocket([expiring, refusal, Self.message], close: nil) }
        #expect(
            try await Self.events(Self.subscriber(strict, .webSocket, Tokens(2).source))
                == ["expiring 5000", "not renewed: unauthorized: m", "message"], "the old one still holds")
    }

    @Test(arguments: [Subscriber.Transport.longPoll, .polling])
    func theNextPollBringsTheNewToken(_ transport: Subscriber.Transport) async throws {
        let server = try await StandInHTTP { number, target, _ in
            // Said in every answer, as a node does; the source is asked once.
            number < 3
                ? .response(.ok, [], #"{"cursor":"\#(Self.cursor)","messages":[],"expiring":5000}"#) : Self.service(target)
        }
        let tokens = Tokens(100)
        let events = try await Self.events(Self.subscriber(server, transport, tokens.source))
        #expect(events == ["attached", "expiring 5000", "message"])
        #expect(server.credentials == ["Bearer t1", "Bearer t2", "Bearer t2"])
        #expect(tokens.asked == 2)
    }

    @Test(arguments: [Subscriber.Transport.webSocket, .eventStream])
    func anExpiredTokenIsReplacedAtTheLastCursor(_ transport: Subscriber.Transport) async throws {
        @Sendable func end(_ target: String) -> StandInHTTP.Reply {
            if target.hasPrefix("/v1/ws") {
                return .webSocket([Self.attached], close: (.init(codeNumber: 4_002), "renew: token_expired"))
            }
            let attached = "event: attached\nid: \(Self.cursor)\ndata: {\"cursor\":\"\(Self.cursor)\"}\n\n"
            return .stream(attached + "event: close\ndata: {\"code\":\"token_expired\",\"advice\":\"renew\"}\n\n", closes: true)
        }
        let server = try await StandInHTTP { number, target, headers in
            if number == 1 { return end(target) }
            guard target.contains("since=\(Self.cursor)") || headers.first(name: "Last-Event-ID") == Self.cursor else {
                return .response(.badRequest, [], "")
            }
            return Self.service(target)
        }
        let events = try await Self.events(Self.subscriber(server, transport, Tokens(2).source))
        #expect(events.last == "message")
        #expect(server.credentials == ["Bearer t1", "Bearer t2"])
        // With nothing new to show, it ends instead of coming back for ever.
        let again = try await StandInHTTP { _, target, _ in end(target) }
        let name = transport == .webSocket ? "token_expired (4002)" : "token_expired"
        await #expect(throws: SubscriberError.stopped("\(name), and the token source gives the same token again")) {
            _ = try await Self.events(Self.subscriber(again, transport, .fixed("t")))
        }
        #expect(again.requests.count == 1)
        await #expect(throws: SubscriberError.stopped(name)) {
            _ = try await Self.events(Self.subscriber(again, transport, nil))
        }
    }

    @Test func aSourceThatFailsIsAskedAgain() async throws {
        struct Closed: Error {}
        let server = try await StandInHTTP { _, target, _ in Self.service(target) }
        let asked = Mutex(0)
        let source = TokenSource {
            let number = asked.withLock { asked in
                asked += 1
                return asked
            }
            if number == 1 { throw Closed() }
            return "t"
        }
        let events = try await Self.events(Self.subscriber(server, .webSocket, source))
        #expect(events == ["disconnected: no token: Closed()", "attached", "message"])
    }

    @Test(arguments: ["", "a b", "a\r\nX-Evil: 1", "ü", String(repeating: "a", count: 8_193)])
    func whatIsNoTokenIsNotShown(_ text: String) async throws {
        let server = try await StandInHTTP { _, target, _ in Self.service(target) }
        await #expect(throws: SubscriberError.self) {
            _ = try await Self.events(Self.subscriber(server, .webSocket, .fixed(text)))
        }
        #expect(server.requests.isEmpty)
    }
}

@Suite(.timeLimit(.minutes(1))) struct ClientTLSTests {
    private static let message = #"{"seq":2,"cursor":"00000000000000aa-2","id":"x","at":1,"data":"m"}"#

    private static func node(_ certificate: TestCertificate?) async throws -> StandInHTTP {
        try await StandInHTTP(certificate: certificate) { _, target, _ in
            if target.hasPrefix("/v1/ws") { return .webSocket([Self.message], close: nil) }
            if target.hasPrefix("/v1/sse") { return .stream("data: \(Self.message)\n\n", closes: false) }
            return .response(.ok, [], #"{"cursor":"00000000000000aa-2","messages":[\#(Self.message)],"revocations":[]}"#)
        }
    }

    /// The first message, or why the first connection ended.
    private static func first(_ endpoint: Endpoint, _ transport: Subscriber.Transport, trust: TrustRoots) async throws -> String {
        var options = Subscriber.Options()
        options.trust = trust
        for try await event in Subscriber(urls: [endpoint], user: "a", transport: transport, options: options) {
            switch event {
            case .message(let message): return message.text ?? "?"
            case .disconnected(let reason): return reason
            default: break
            }
        }
        return "nothing"
    }

    @Test(arguments: Subscriber.Transport.allCases) func subscribers(_ transport: Subscriber.Transport) async throws {
        let here = try await Self.node(.here)
        let trust = try TestCertificate.roots()
        #expect(try await Self.first(here.endpoint, transport, trust: trust) == "m")
        let named = Endpoint(host: "localhost", port: here.endpoint.port, isTLS: true)
        #expect(try await Self.first(named, transport, trust: trust) == "m")
        let before = here.requests.count
        let stranger = try await Self.first(here.endpoint, transport, trust: .system)
        #expect(stranger.contains("is not signed by an authority that is trusted here"), "\(stranger)")
        #expect(here.requests.count == before)
        let elsewhere = try await Self.node(.elsewhere)
        let other = try await Self.first(elsewhere.endpoint, transport, trust: trust)
        #expect(other.contains("is for another name"), "\(other)")
        #expect(elsewhere.requests.isEmpty)
    }

    @Test func operators() async throws {
        let here = try await Self.node(.here)
        let client = OperatorClient(api: [here.endpoint], apiKey: "rp_key", trust: try TestCertificate.roots())
        #expect(try await client.revocations() == [])
        #expect(here.credentials == ["Bearer rp_key"])
        let stranger = OperatorClient(api: [here.endpoint], apiKey: "rp_key")
        await #expect(throws: OperatorError.self) { try await stranger.revocations() }
        await #expect(throws: OperatorError.self) {
            try await OperatorClient(api: [here.endpoint], apiKey: "a\r\nb", trust: try TestCertificate.roots()).revocations()
        }
        #expect(here.requests.count == 1, "the key is shown to nobody else")
    }

    @Test func wrongAuthorities() {
        #expect(throws: TrustRootsError(file: "/nowhere.pem", isReadable: false)) { try TrustRoots(systemAnd: "/nowhere.pem") }
        #expect(throws: TrustRootsError(file: #filePath, isReadable: true)) { try TrustRoots(systemAnd: #filePath) }
    }

    @Test func producersFindTheirLinksByNodeIDs() async throws {
        let node = try await StandInNode(certificate: .elsewhere) { _, _, _ in .answer(.success(StandInNode.receipt)) }
        let port = node.endpoint.port
        // Both say that they are at the same place; whoever answers there shows that it is "elsewhere".
        @Sendable func directory(_ id: String) -> String {
            #"{"nodes":[{"id":"\#(id)","client":"h:1","api":"h:2","link":"127.0.0.1:\#(port)","weight":1,"answered":true}]}"#
        }
        var options = Producer.Options()
        options.apiKey = "rp_key"
        options.trust = try TestCertificate.roots()
        let api = try await StandInHTTP(certificate: .here) { _, _, _ in .response(.ok, [], directory("elsewhere")) }
        let producer = Producer(api: [api.endpoint], options: options)
        _ = try await producer.send(.text("m"), to: .user("a"))
        #expect(node.credentials.withLock { $0 } == ["rp_key"])
        #expect(api.credentials == ["Bearer rp_key"])
        await producer.close()
        let wrong = try await StandInHTTP(certificate: .here) { _, _, _ in .response(.ok, [], directory("n1")) }
        let cheated = Producer(api: [wrong.endpoint], options: options)
        let error = await #expect(throws: ProducerError.self) { try await cheated.connect() }
        #expect("\(error.map { "\($0)" } ?? "")".contains("is for another name"))
        await cheated.close()
        #expect(node.credentials.withLock { $0.count } == 1)
    }

    @Test func givenLinksAreCheckedByTheirHosts() async throws {
        let node = try await StandInNode(certificate: .here) { _, _, _ in .answer(.success(StandInNode.receipt)) }
        var options = Producer.Options()
        options.trust = try TestCertificate.roots()
        let producer = Producer(links: [node.endpoint], options: options)
        #expect(try await producer.connect() == "n1")
        await producer.close()
        let stranger = Producer(links: [node.endpoint])
        await #expect(throws: ProducerError.self) { try await stranger.connect() }
        await stranger.close()
        #expect(node.credentials.withLock { $0 } == [""])
    }
}

@Suite(.timeLimit(.minutes(1))) struct OperatorTrustTests {
    @Test func ordersAboutUsers() async throws {
        let node = try await StandInHTTP { _, target, _ in
            if target.hasSuffix("/disconnect") {
                return .response(.ok, [], #"{"user":"a b","sockets":3,"unanswered":["n2"]}"#)
            }
            return .response(.ok, [], #"{"user":"a b","token":"t1","until":1795230219,"revocations":[{"user":"a","until":7}]}"#)
        }
        let client = OperatorClient(api: [node.endpoint])
        #expect(try await client.disconnect(user: "a b") == DisconnectReport(user: "a b", sockets: 3, unanswered: ["n2"]))
        #expect(
            try await client.revoke(user: "a b", token: "t1", expires: 7) == Revocation(user: "a b", token: "t1", until: 1_795_230_219))
        #expect(try await client.revocations() == [Revocation(user: "a", token: nil, until: 7)])
        #expect(node.requests == ["/v1/users/a%20b/disconnect", "/v1/revocations", "/v1/revocations"])
    }
}
