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

    var isForClients: Bool { true }

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
            let limits = loop.shared.configuration.limits
            let isWebSocket = path == "/v1/ws"
            let wish = try ClientWish(
                request.head, channelsMax: isWebSocket ? limits.socketChannelsMax : limits.streamChannelsMax, mayBeEmpty: isWebSocket,
                hasher: try hasher())
            switch path {
            case "/v1/ws": try openWebSocket(wish, request, connection)
            case "/v1/sse": try openEventStream(wish, request, connection)
            case "/v1/poll":
                if wish.watches {
                    throw ProblemReport(.badParameter, "a poll can't watch who comes and goes: use a WebSocket or an event stream")
                }
                poll(wish, request, connection)
            default:
                guard let user = wish.user else { throw ProblemReport(.badName, "say whom to locate: ?user=…") }
                connection.respond(to: request.number, try locate(user.key))
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
        let farewell = try knock(request, connection)
        // RFC 6455, 4.2.2: the key and this constant, hashed.
        let text = (request.head[.secWebSocketKey] ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        let accept = Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
        let socket = WebSocketConnection(wish: wish, loop: loop)
        let headers: [HTTPResponseWriter.Header] = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept),
        ]
        guard let leftover = connection.takeOver(with: socket, status: 101, headers: headers) else { return }
        // Upgraded even if it is turned away: a page can't see why an upgrade was refused, but it reads a close reason.
        if let farewell { socket.turnAway(farewell) } else { socket.open(leftover: leftover) }
    }

    private func openEventStream(_ wish: ClientWish, _ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) {
        let farewell = try knock(request, connection)
        let socket = EventStreamConnection(wish: wish, loop: loop)
        let headers: [HTTPResponseWriter.Header] = [
            ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store, no-transform"), ("X-Accel-Buffering", "no"),
            ("Connection", "close"),
        ]
        guard connection.takeOver(with: socket, status: 200, headers: headers) != nil else { return }
        // With 200 even if it is turned away: an EventSource that is answered 503 gives up for good.
        if let farewell { socket.turnAway(farewell) } else { socket.open() }
    }

    /// A socket or stream wants to be opened; `nil` lets it in, anything else is what it is told instead.
    private func knock(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) -> Farewell? {
        guard connection.mayBeTakenOver(by: request.number) else {
            throw ProblemReport(.badRequest, "a stream can't be opened behind requests that are not answered yet")
        }
        return admit(connection)
    }

    private var hasRoom: Bool { loop.clientSockets < loop.shared.configuration.limits.socketsMax }

    private func admit(_ connection: HTTPConnection) -> Farewell? {
        if connection.isAdmitted, !loop.door.isMoving { return nil }
        let farewell = loop.door.onClient(hasRoom: hasRoom, now: Moment.now().monotonic, counters: &loop.counters)
        connection.isAdmitted = farewell == nil
        return farewell
    }

    /// A poll that does not wait is let in always: it holds nothing, and pollers come at their own pace, not in a crowd. One
    /// that waits counts as a client once a connection. While the clients go elsewhere nobody waits long for anything; the
    /// answer says where to go.
    private func poll(_ wish: ClientWish, _ request: HTTPRequest, _ connection: HTTPConnection) {
        var wait = wish.waitSeconds(max: loop.shared.configuration.limits.pollSecondsMax)
        if loop.door.isMoving {
            wait = min(wait, ClientDoor.pollSecondsWhileMoving)
        } else if wait > 0, let farewell = admit(connection) {
            let message = "this node takes in as many clients as it may; come back after \(farewell.afterMilliseconds ?? 0) ms"
            connection.respond(to: request.number, .problem(.overloaded, message, farewell: farewell))
            return
        }
        if !hasRoom {
            connection.respond(to: request.number, .problem(.overloaded, farewell: loop.door.farewell(.tryLater)))
            return
        }
        let number = request.number
        let waiter = PollWaiter(loop: loop, remote: connection.remoteText) { [weak connection] response in
            connection?.respond(to: number, response)
        }
        connection.hold(waiter, number)
        waiter.start(wish, waitSeconds: wait)
    }

    private func locate(_ key: Key) throws(ProblemReport) -> HTTPResponse {
        guard let view = loop.view, let owner = view.owner(ofSlot: key.slot) else { throw ProblemReport(.noOwner) }
        let answer = LocateAnswer(
            user: key.text, slot: key.slot, owner: .init(id: owner.id, client: owner.client, api: owner.api),
            isSelf: owner.id == loop.shared.configuration.id)
        return .json(JSONDocument.encode(answer))
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
