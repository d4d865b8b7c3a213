// The client port: WebSocket, event stream, poll, and where a user's owner is.
import Crypto
import FoundationEssentials
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct ClientRoutes: HTTPRoutes {
    let loop: NodeLoop
    let origins: OriginPolicy

    func bodyBytesMax(for head: HTTPRequestHead) -> Int { 1_024 }

    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] { origins.headers(for: head) }

    func handle(_ request: HTTPRequest, on connection: HTTPConnection) {
        let path = request.head.pathText
        guard ["/v1/ws", "/v1/sse", "/v1/poll", "/v1/locate"].contains(path) else {
            connection.respond(
                to: request.number,
                .problem(.notFound, "there is nothing at this path; clients use /v1/ws, /v1/sse, /v1/poll and /v1/locate"))
            return
        }
        if request.head.method == .options {
            connection.respond(to: request.number, origins.preflight(request.head))
            return
        }
        guard request.head.method == .get else {
            var response = HTTPResponse.problem(.methodNotAllowed)
            response.headers.append(("Allow", "GET, OPTIONS"))
            connection.respond(to: request.number, response)
            return
        }
        do throws(ProblemReport) {
            // A page of another origin can open a WebSocket without asking first; the browser only says where it is from.
            guard origins.allows(request.head) else { throw ProblemReport(.forbiddenOrigin) }
            let wish = try ClientWish(request.head, hasher: try hasher())
            switch path {
            case "/v1/ws": try openWebSocket(wish, request, connection)
            case "/v1/sse": try openEventStream(wish, request, connection)
            case "/v1/poll": poll(wish, request, connection)
            default: connection.respond(to: request.number, try locate(wish.key))
            }
        } catch {
            connection.respond(to: request.number, .problem(error.problem, error.message))
        }
    }

    private func hasher() throws(ProblemReport) -> KeyHasher {
        guard let view = loop.view else { throw ProblemReport(.noOwner, "this node is not in a ring yet") }
        return view.hasher
    }

    private func openWebSocket(_ wish: ClientWish, _ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) {
        switch request.head.webSocketUpgrade {
        case .valid: break
        case .notRequested: throw ProblemReport(.upgradeRequired, "this path is for WebSockets: ask for an upgrade")
        case .versionMismatch:
            var response = HTTPResponse.problem(.upgradeRequired)
            response.headers.append(("Sec-WebSocket-Version", "13"))
            connection.respond(to: request.number, response)
            return
        case .malformed(let sentence): throw ProblemReport(.badRequest, sentence)
        }
        try checkRoom(request, connection)
        // RFC 6455, 4.2.2: the key and this constant, hashed.
        let text = (request.head[.secWebSocketKey] ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        let accept = Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
        let socket = WebSocketConnection(key: wish.key, start: wish.start, loop: loop)
        let headers: [HTTPResponseWriter.Header] = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept),
        ]
        guard let leftover = connection.takeOver(with: socket, status: 101, headers: headers) else { return }
        socket.open(leftover: leftover)
    }

    private func openEventStream(_ wish: ClientWish, _ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) {
        try checkRoom(request, connection)
        let socket = EventStreamConnection(key: wish.key, start: wish.start, loop: loop)
        let headers: [HTTPResponseWriter.Header] = [
            ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store, no-transform"), ("X-Accel-Buffering", "no"),
            ("Connection", "close"),
        ]
        guard connection.takeOver(with: socket, status: 200, headers: headers) != nil else { return }
        socket.open()
    }

    private func checkRoom(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) {
        guard connection.mayBeTakenOver(by: request.number) else {
            throw ProblemReport(.badRequest, "a stream can't be opened behind requests that are not answered yet")
        }
        if loop.sessions.count >= loop.shared.configuration.limits.socketsMax {
            throw ProblemReport(.overloaded, "this node holds as many sockets as it may")
        }
    }

    private func poll(_ wish: ClientWish, _ request: HTTPRequest, _ connection: HTTPConnection) {
        let remote = connection.remoteText
        let waiter = PollWaiter(loop: loop, remote: remote) { [weak connection] result in
            switch result {
            case .success(let body):
                var response = HTTPResponse.json(body)
                response.headers.append(("Cache-Control", "no-store"))
                connection?.respond(to: request.number, response)
            case .failure(let problem): connection?.respond(to: request.number, .problem(problem))
            }
        }
        connection.hold(waiter, request.number)
        waiter.start(key: wish.key, start: wish.start, waitSeconds: wish.waitSeconds(max: loop.shared.configuration.limits.pollSecondsMax))
    }

    private func locate(_ key: Key) throws(ProblemReport) -> HTTPResponse {
        guard let view = loop.view, let owner = view.owner(ofSlot: key.slot) else { throw ProblemReport(.noOwner) }
        let answer = LocateAnswer(
            user: key.text, slot: key.slot, owner: .init(id: owner.id, client: owner.client, api: owner.api),
            isSelf: owner.id == loop.shared.configuration.id)
        return .json(JSONDocument.encode(answer))
    }
}

/// What a client asks for in its query.
struct ClientWish {
    let key: Key
    let start: AttachStart
    private let wait: Int?

    /// The wait when none is given.
    static let waitSecondsDefault = 25

    init(_ head: HTTPRequestHead, hasher: KeyHasher) throws(ProblemReport) {
        guard let query = HTTPQuery(head.query ?? ByteBufferView()) else {
            throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
        }
        guard let name = query.bytes("user") else { throw ProblemReport(.badName, "say for whom: ?user=…") }
        if query.count(of: "user") > 1 { throw ProblemReport(.badParameter, "user is given twice") }
        do throws(NameError) {
            key = try Key(.user, name: name, hasher: hasher)
        } catch {
            throw ProblemReport(.badName, error.message)
        }
        // What an EventSource brings when it reconnects is newer than what stands in its address.
        let lastSeen = head.withBytes(of: .lastEventID) { $0.map { Array($0) } }
        start = try Self.start(lastSeen.flatMap { $0.isEmpty ? nil : $0 } ?? query.bytes("since"))
        if let text = query["wait"] {
            guard let seconds = Int(text), seconds >= 0 else {
                throw ProblemReport(.badParameter, "wait takes a number of seconds")
            }
            wait = seconds
        } else {
            wait = nil
        }
    }

    func waitSeconds(max most: Int) -> Int { min(wait ?? Self.waitSecondsDefault, most) }

    private static func start(_ since: [UInt8]?) throws(ProblemReport) -> AttachStart {
        guard let since, !since.isEmpty else { return .now }
        if since.elementsEqual("earliest".utf8) { return .earliest }
        guard let cursor = Cursor(text: since) else { throw ProblemReport(.badCursor) }
        return .after(cursor)
    }
}

private struct LocateAnswer: Encodable {
    struct Owner: Encodable {
        let id: String
        let client: String
        let api: String
    }
    let user: String
    let slot: Int
    let owner: Owner
    let isSelf: Bool

    enum CodingKeys: String, CodingKey {
        case user, slot, owner
        case isSelf = "self"
    }
}
