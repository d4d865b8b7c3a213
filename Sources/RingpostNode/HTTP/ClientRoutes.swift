// The client port: WebSocket, event stream, poll, and where a user's owner is.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct ClientRoutes: HTTPRoutes {
    let loop: NodeLoop
    let origins: OriginPolicy

    var isForClients: Bool { true }
    func isAlwaysAnswered(_ head: HTTPRequestHead) -> Bool { false }

    func bodyBytesMax(for head: HTTPRequestHead) -> Int { 1_024 }

    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] { origins.headers(for: head) }

    func handle(_ request: HTTPRequest, on connection: HTTPConnection) {
        guard let path = ClientPath(request.head) else {
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
            if loop.shared.tokens == nil { try HostPolicy.check(request.head, known: &connection.knownHost, loop.shared.configuration) }
            guard let query = HTTPQuery(request.head.query ?? ByteBufferView()) else {
                throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
            }
            let wish = try wish(path, request.head, query)
            try authenticate(Visit(path: path, request: request, wish: wish), query, connection)
        } catch {
            if error.problem == .tooManyChannels { loop.counters.count(path == .webSocket ? .socketChannels : .streamChannels) }
            connection.respond(to: request.number, .problem(error.problem, error.message))
        }
    }

    /// What somebody has come for.
    struct Visit {
        let path: ClientPath
        let request: HTTPRequest
        let wish: ClientWish

        var isWebSocket: Bool { path == .webSocket }
    }

    private func wish(_ path: ClientPath, _ head: HTTPRequestHead, _ query: HTTPQuery) throws(ProblemReport) -> ClientWish {
        let limits = loop.shared.configuration.limits
        let isWebSocket = path == .webSocket
        let wish = try ClientWish(
            head, query, channelsMax: isWebSocket ? limits.socketChannelsMax : limits.streamChannelsMax,
            mayBeEmpty: isWebSocket || loop.shared.tokens != nil, hasher: try hasher())
        if path == .poll, wish.watches {
            throw ProblemReport(.badParameter, "a poll can't watch who comes and goes: use a WebSocket or an event stream")
        }
        // A WebSocket listens to its channels slice by slice, later.
        loop.spendTurn(requests: wish.channels.count / (isWebSocket ? RequestTurns.namesARequest : RequestTurns.channelsARequest))
        return wish
    }

    /// The client is known, or none is asked for who it is.
    func enter(_ visit: Visit, _ grant: ClientGrant?, _ connection: HTTPConnection) throws(ProblemReport) {
        let wish = if let grant { try visit.wish.granted(by: grant, loop: loop) } else { visit.wish }
        switch visit.path {
        case .webSocket: try openWebSocket(wish, grant, visit.request, connection)
        case .eventStream: try openEventStream(wish, grant, visit.request, connection)
        case .poll: try poll(wish, grant, visit.request, connection)
        case .locate:
            guard let user = wish.user else { throw ProblemReport(.badName, "say whom to locate: ?user=…") }
            connection.respond(to: visit.request.number, try locate(user.key))
        }
    }

    private func hasher() throws(ProblemReport) -> KeyHasher {
        guard let view = loop.view else { throw ProblemReport(.noOwner, "this node is not in a ring yet") }
        return view.hasher
    }

    /// A WebSocket in the right form; answers what is none.
    ///
    /// - Returns: `nil` where it has been answered.
    private func upgrade(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) -> WebSocketAnswer? {
        switch request.head.webSocketUpgrade {
        case .valid: return WebSocketAnswer(to: request.head)
        case .notRequested: throw ProblemReport(.upgradeRequired, "this path is for WebSockets: ask for an upgrade")
        case .versionMismatch:
            var response = HTTPResponse.problem(.upgradeRequired)
            response.headers.append(("Sec-WebSocket-Version", "13"))
            connection.respond(to: request.number, response)
            return nil
        case .malformed(let sentence): throw ProblemReport(.badRequest, sentence)
        }
    }

    private func openWebSocket(
        _ wish: ClientWish, _ grant: ClientGrant?, _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        guard let answer = try upgrade(request, connection) else { return }
        let place = try CensusPlace.take(user: grant == nil ? nil : wish.user?.key.hash, address: source(request, connection), in: loop)
        let socket = WebSocketConnection(wish: wish, grant: grant, loop: loop)
        guard let leftover = connection.takeOver(with: socket, answer.write) else { return place.giveBack(in: loop) }
        socket.take(place)
        socket.open(leftover: leftover)
    }

    private func openEventStream(
        _ wish: ClientWish, _ grant: ClientGrant?, _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        let place = try CensusPlace.take(user: wish.user?.key.hash, address: source(request, connection), in: loop)
        let socket = EventStreamConnection(wish: wish, grant: grant, loop: loop)
        guard connection.takeOver(with: socket, Self.writeEventStreamHead) != nil else {
            return place.giveBack(in: loop)
        }
        socket.take(place)
        socket.open()
    }

    private static let eventStreamHeaders: [HTTPResponseWriter.Header] = [
        ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store, no-transform"), ("X-Accel-Buffering", "no"),
        ("Connection", "close"),
    ]

    private static func writeEventStreamHead(_ headers: [HTTPResponseWriter.Header], into output: inout ByteBuffer) {
        HTTPResponseWriter.writeHead(status: 200, headers: eventStreamHeaders + headers, into: &output)
    }

    /// Opens what was asked for, only to say why it ends. Upgraded even though it is turned away: a page can't see why an upgrade was
    /// refused, but it reads a close reason. With 200: an EventSource that is answered 503 gives up for good.
    func turnAway(_ visit: Visit, _ farewell: Farewell, _ connection: HTTPConnection) throws(ProblemReport) {
        if visit.isWebSocket {
            guard let answer = try upgrade(visit.request, connection) else { return }
            let socket = WebSocketConnection(wish: visit.wish, grant: nil, loop: loop)
            if connection.takeOver(with: socket, answer.write) != nil { socket.turnAway(farewell) }
        } else {
            let socket = EventStreamConnection(wish: visit.wish, grant: nil, loop: loop)
            if connection.takeOver(with: socket, Self.writeEventStreamHead) != nil { socket.turnAway(farewell) }
        }
    }

    /// A socket or stream wants to be opened; `nil` lets it in, anything else is what it is told instead.
    func knock(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) -> Farewell? {
        guard connection.mayBeTakenOver(by: request.number) else {
            throw ProblemReport(.badRequest, "a stream can't be opened behind requests that are not answered yet")
        }
        return try admit(request, connection)
    }

    /// Whom limits count the request for.
    func source(_ request: HTTPRequest, _ connection: HTTPConnection) -> SourceAddress? {
        let proxies = loop.shared.configuration.trust.trustedProxies
        return proxies.source(peer: connection.peerAddress, forwardedFor: request.head[.forwardedFor])
    }

    private var hasRoom: Bool { loop.clientSockets < loop.socketsMax }

    private func admit(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) -> Farewell? {
        if connection.isAdmitted, !loop.door.isMoving { return nil }
        let now = Moment.now().monotonic
        if !loop.shared.census.onHandshake(source(request, connection), now: now) {
            loop.counters.count(.connectRatePerAddress)
            throw ProblemReport(.tooFast, "too many clients come from this source address at once")
        }
        if !hasRoom { loop.counters.count(.sockets) }
        let farewell = loop.door.onClient(hasRoom: hasRoom, now: now, counters: &loop.counters)
        connection.isAdmitted = farewell == nil
        return farewell
    }

    /// A poll that does not wait is let in always: it holds nothing, and pollers come at their own pace, not in a crowd. One
    /// that waits counts as a client once a connection. While the clients go elsewhere nobody waits long for anything; the
    /// answer says where to go.
    private func poll(
        _ wish: ClientWish, _ grant: ClientGrant?, _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        var wait = wish.waitSeconds(max: loop.shared.configuration.limits.pollSecondsMax)
        // A poll ends before its token.
        if let expires = grant?.expires { wait = min(wait, Int(clamping: max(0, expires - Moment.now().wall / 1_000))) }
        if loop.door.isMoving {
            wait = min(wait, ClientDoor.pollSecondsWhileMoving)
        } else if wait > 0, let farewell = try admit(request, connection) {
            let message = "this node takes in as many clients as it may; come back after \(farewell.afterMilliseconds ?? 0) ms"
            connection.respond(to: request.number, .problem(.overloaded, message, farewell: farewell))
            return
        }
        if !hasRoom {
            loop.counters.count(.sockets)
            connection.respond(to: request.number, .problem(.overloaded, farewell: loop.door.farewell(.tryLater)))
            return
        }
        let place = wait > 0 ? try CensusPlace.take(user: wish.user?.key.hash, address: source(request, connection), in: loop) : nil
        let number = request.number
        let waiter = PollWaiter(loop: loop, remote: connection.remoteText, grant: grant, place: place) { [weak connection] response in
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
