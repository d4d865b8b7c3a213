// The client port: WebSocket, event stream, poll, and where a user's owner is.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

/// What clients come to.
enum ClientPath {
    case webSocket
    case eventStream
    case poll
    case locate

    /// The client stays.
    var isStream: Bool { self == .webSocket || self == .eventStream }
}

struct ClientRoutes: HTTPRoutes {
    struct Handler: Sendable {
        let answer: @Sendable (ClientRoutes, HTTPRequest, any HTTPExchange) -> Void
    }

    static let table = HTTPRouteTable<Handler>([
        row(.get, "/v1/ws", .client) { $0.handle(.webSocket, $1, $2) },
        row(.get, "/v1/sse", .client) { $0.handle(.eventStream, $1, $2) },
        row(.get, "/v1/poll", .client) { $0.handle(.poll, $1, $2) },
        row(.get, "/v1/locate", .client) { $0.handle(.locate, $1, $2) },
        row(.get, "/healthz", .anybody, isAlwaysAnswered: true) { HealthRoutes(shard: $0.shard).health($1, $2) },
        row(.get, "/readyz", .anybody, isAlwaysAnswered: true) { HealthRoutes(shard: $0.shard).readiness($1, $2) },
    ])

    private static func row(
        _ method: HTTPMethod, _ path: StaticString, _ scope: RouteScope, isAlwaysAnswered: Bool = false,
        _ answer: @escaping @Sendable (ClientRoutes, HTTPRequest, any HTTPExchange) -> Void
    ) -> HTTPRoute<Handler> {
        HTTPRoute(method, path, scope, isAlwaysAnswered: isAlwaysAnswered, Handler(answer: answer))
    }

    let shard: Shard
    let origins: OriginPolicy

    var isForClients: Bool { true }
    func match(_ head: HTTPRequestHead) -> RouteMatch { Self.table.match(head) }
    func isAlwaysAnswered(_ match: RouteMatch) -> Bool { Self.table[match]?.isAlwaysAnswered ?? false }
    func bodyBytesMax(_ match: RouteMatch) -> Int { RouteBody.small.bytesMax(shard.shared.configuration.limits) }
    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] { origins.headers(for: head) }

    func handle(_ request: HTTPRequest, on exchange: any HTTPExchange) {
        if let route = Self.table[request.match] {
            do throws(ProblemReport) {
                if case .client = route.scope { try checkPage(request, exchange) }
            } catch {
                return exchange.respond(error)
            }
            return route.handler.answer(self, request, exchange)
        }
        guard case .wrongMethod(let allowed) = request.match else {
            return exchange.respond(
                .problem(.notFound, "there is nothing at this path; clients use /v1/ws, /v1/sse, /v1/poll and /v1/locate"))
        }
        exchange.respond(request.head.method == .options ? origins.preflight(request.head) : .wrongMethod(allowed + [.options]))
    }

    private func checkPage(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) {
        // A page of another origin can open a WebSocket without asking first; the browser only says where it is from.
        guard origins.allows(request.head) else { throw ProblemReport(.forbiddenOrigin) }
        if shard.shared.tokens == nil { try HostPolicy.check(request.head, exchange.peer, shard.shared.configuration) }
    }

    private func handle(_ path: ClientPath, _ request: HTTPRequest, _ exchange: any HTTPExchange) {
        do throws(ProblemReport) {
            guard let query = HTTPQuery(request.head.query ?? ByteBufferView()) else {
                throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
            }
            let subscribeRequest = try subscribeRequest(path, request.head, query)
            try authenticate(ClientRequest(path: path, request: request, subscribeRequest: subscribeRequest), query, exchange)
        } catch {
            if error.problem == .tooManyChannels { shard.counters.count(path == .webSocket ? .socketChannels : .streamChannels) }
            exchange.respond(error)
        }
    }

    /// What somebody has come for.
    struct ClientRequest {
        let path: ClientPath
        let request: HTTPRequest
        let subscribeRequest: SubscribeRequest

        var isWebSocket: Bool { path == .webSocket }
    }

    private func subscribeRequest(_ path: ClientPath, _ head: HTTPRequestHead, _ query: HTTPQuery) throws(ProblemReport) -> SubscribeRequest
    {
        let limits = shard.shared.configuration.limits
        let isWebSocket = path == .webSocket
        let subscribeRequest = try SubscribeRequest(
            head, query, channelsMax: isWebSocket ? limits.socketChannelsMax : limits.streamChannelsMax,
            mayBeEmpty: isWebSocket || shard.shared.tokens != nil, hasher: try hasher())
        if path == .poll, subscribeRequest.watches {
            throw ProblemReport(.badParameter, "a poll can't watch who comes and goes: use a WebSocket or an event stream")
        }
        // A WebSocket listens to its channels slice by slice, later.
        shard.spendTurn(
            requests: subscribeRequest.channels.count / (isWebSocket ? FairScheduler.namesARequest : FairScheduler.channelsARequest))
        return subscribeRequest
    }

    /// The client is known, or none is asked for who it is.
    func enter(_ clientRequest: ClientRequest, _ grant: ClientGrant?, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let subscribeRequest =
            if let grant { try clientRequest.subscribeRequest.granted(by: grant, shard: shard) } else { clientRequest.subscribeRequest }
        switch clientRequest.path {
        case .webSocket: try openWebSocket(subscribeRequest, grant, clientRequest.request, exchange)
        case .eventStream where clientRequest.request.head.method == .head:
            exchange.respond(HTTPResponse(headers: Self.eventStreamHeaders))
        case .eventStream: try openEventStream(subscribeRequest, grant, clientRequest.request, exchange)
        case .poll: try poll(subscribeRequest, grant, clientRequest.request, exchange)
        case .locate:
            guard let user = subscribeRequest.user else { throw ProblemReport(.badName, "say whom to locate: ?user=…") }
            exchange.respond(try locate(user.key))
        }
    }

    private func hasher() throws(ProblemReport) -> KeyHasher {
        let view = try shard.currentView()
        return view.hasher
    }

    /// A WebSocket in the right form; answers what is none.
    ///
    /// - Returns: `nil` where it has been answered.
    private func upgrade(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> WebSocketAnswer? {
        switch request.head.webSocketUpgrade {
        case .valid: return WebSocketAnswer(to: request.head)
        case .notRequested: throw ProblemReport(.upgradeRequired, "this path is for WebSockets: ask for an upgrade")
        case .versionMismatch:
            var response = HTTPResponse.problem(.upgradeRequired)
            response.headers.append(("Sec-WebSocket-Version", "13"))
            exchange.respond(response)
            return nil
        case .malformed(let sentence): throw ProblemReport(.badRequest, sentence)
        }
    }

    private func openWebSocket(
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        guard let answer = try upgrade(request, exchange) else { return }
        let lease = try QuotaLease.take(
            user: grant == nil ? nil : subscribeRequest.user?.key.hash, address: source(request, exchange), in: shard)
        let socket = WebSocketConnection(subscribeRequest: subscribeRequest, grant: grant, shard: shard)
        guard let leftover = exchange.becomeStream(socket, answer.write) else { return lease.giveBack(in: shard) }
        socket.take(lease)
        socket.open(leftover: leftover)
    }

    private func openEventStream(
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        let lease = try QuotaLease.take(user: subscribeRequest.user?.key.hash, address: source(request, exchange), in: shard)
        let socket = EventStreamConnection(subscribeRequest: subscribeRequest, grant: grant, shard: shard)
        guard exchange.becomeStream(socket, Self.writeEventStreamHead) != nil else {
            return lease.giveBack(in: shard)
        }
        socket.take(lease)
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
    func reject(_ clientRequest: ClientRequest, _ disconnect: Disconnect, _ exchange: any HTTPExchange) throws(ProblemReport) {
        if clientRequest.isWebSocket {
            guard let answer = try upgrade(clientRequest.request, exchange) else { return }
            let socket = WebSocketConnection(subscribeRequest: clientRequest.subscribeRequest, grant: nil, shard: shard)
            if exchange.becomeStream(socket, answer.write) != nil { socket.reject(disconnect) }
        } else {
            let socket = EventStreamConnection(subscribeRequest: clientRequest.subscribeRequest, grant: nil, shard: shard)
            if exchange.becomeStream(socket, Self.writeEventStreamHead) != nil { socket.reject(disconnect) }
        }
    }

    /// A socket or stream wants to be opened; `nil` lets it in, anything else is what it is told instead.
    func checkAdmission(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> Disconnect? {
        guard exchange.mayBecomeStream else {
            throw ProblemReport(.badRequest, "a stream can't be opened behind requests that are not answered yet")
        }
        return try admit(request, exchange)
    }

    /// Whom limits count the request for.
    func source(_ request: HTTPRequest, _ exchange: any HTTPExchange) -> SourceAddress? {
        let proxies = shard.shared.configuration.trust.trustedProxies
        return proxies.source(peer: exchange.peerAddress, forwardedFor: request.head[.forwardedFor])
    }

    private var hasRoom: Bool { shard.clientSockets < shard.socketsMax }

    private func admit(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> Disconnect? {
        if exchange.peer.isAdmitted, !shard.admission.isMoving { return nil }
        let now = Moment.now().monotonic
        if !shard.shared.quotas.onHandshake(source(request, exchange), now: now) {
            shard.counters.count(.connectRatePerAddress)
            throw ProblemReport(.tooFast, "too many clients come from this source address at once")
        }
        if !hasRoom { shard.counters.count(.sockets) }
        let disconnect = shard.admission.onClient(hasRoom: hasRoom, now: now, counters: &shard.counters)
        exchange.peer.isAdmitted = disconnect == nil
        return disconnect
    }

    /// A poll that does not wait is let in always: it holds nothing, and pollers come at their own pace, not in a crowd. One
    /// that waits counts as a client once a connection. While the clients go elsewhere nobody waits long for anything; the
    /// answer says where to go.
    private func poll(
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        var wait = subscribeRequest.waitSeconds(max: shard.shared.configuration.limits.pollSecondsMax)
        if exchange.clientHasFinished { wait = 0 }
        // A poll ends before its token.
        if let expires = grant?.expires { wait = min(wait, Int(clamping: max(0, expires - Moment.now().wall / 1_000))) }
        if shard.admission.isMoving {
            wait = min(wait, AdmissionController.pollSecondsWhileMoving)
        } else if wait > 0, let disconnect = try admit(request, exchange) {
            let message = "this node takes in as many clients as it may; come back after \(disconnect.afterMilliseconds ?? 0) ms"
            exchange.respond(.problem(.overloaded, message, disconnect: disconnect))
            return
        }
        if !hasRoom {
            shard.counters.count(.sockets)
            exchange.respond(.problem(.overloaded, disconnect: shard.admission.disconnect(.tryLater)))
            return
        }
        let lease =
            wait > 0 ? try QuotaLease.take(user: subscribeRequest.user?.key.hash, address: source(request, exchange), in: shard) : nil
        let waiter = PollWaiter(shard: shard, remote: exchange.remoteText, grant: grant, lease: lease) { exchange.respond($0) }
        exchange.hold(waiter)
        waiter.start(subscribeRequest, waitSeconds: wait)
    }

    private func locate(_ key: Key) throws(ProblemReport) -> HTTPResponse {
        guard let view = shard.view, let owner = view.owner(ofSlot: key.slot) else { throw ProblemReport(.noOwner) }
        let answer = LocateAnswer(
            user: key.text, slot: key.slot, owner: .init(id: owner.id, client: owner.client, api: owner.api),
            isSelf: owner.id == shard.shared.configuration.id)
        return .json(JSONDocument.encode(answer))
    }
}
