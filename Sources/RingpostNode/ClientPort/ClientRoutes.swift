// The client port: WebSocket, event stream, poll, and where a user's owner is.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

/// What clients come to. A new one doesn't compile before all that is asked here has an answer.
enum ClientPath {
    case webSocket
    case eventStream
    case poll
    case locate

    /// The client stays.
    var isStream: Bool {
        switch self {
        case .webSocket, .eventStream: true
        case .poll, .locate: false
        }
    }

    /// It can bring its token as a subprotocol, or in its first frame, and say later what it listens to.
    var isWebSocket: Bool {
        switch self {
        case .webSocket: true
        case .eventStream, .poll, .locate: false
        }
    }

    /// So many of a request's channels cost as much as a request does. A WebSocket listens to them slice by slice, later.
    var channelsARequest: Int {
        switch self {
        case .webSocket: FairScheduler.namesARequest
        case .eventStream, .poll, .locate: FairScheduler.channelsARequest
        }
    }

    /// What bounds the channels of one client.
    var channelsLimit: Limit {
        switch self {
        case .webSocket: .socketChannels
        case .eventStream, .poll, .locate: .streamChannels
        }
    }
}

struct ClientRoutes: HTTPRoutes {
    enum Handler: Equatable {
        case client(ClientPath)
        case history
        case health
        case readiness
    }

    static let table = HTTPRouteTable<Handler>([
        HTTPRoute(.get, "/v1/ws", .client, .client(.webSocket)),
        HTTPRoute(.get, "/v1/sse", .client, .client(.eventStream)),
        HTTPRoute(.get, "/v1/poll", .client, .client(.poll)),
        HTTPRoute(.get, "/v1/locate", .client, .client(.locate)),
        HTTPRoute(.get, "/v1/history", .client, .history),
        HTTPRoute(.get, "/healthz", .anybody, isAlwaysAnswered: true, .health),
        HTTPRoute(.get, "/readyz", .anybody, isAlwaysAnswered: true, .readiness),
    ])

    let shard: Shard
    let origins: OriginPolicy

    var isForClients: Bool { true }
    func match(_ head: HTTPRequestHead) -> RouteMatch { Self.table.match(head) }
    func isAlwaysAnswered(_ match: RouteMatch) -> Bool { Self.table[match]?.isAlwaysAnswered ?? false }
    func body(_ match: RouteMatch) -> RouteBody { .small }
    /// Nothing of a body is kept here, and keys for a token may have to be waited for.
    func authorize(_ head: HTTPRequestHead, _ match: RouteMatch, _ peer: HTTPPeer, remote: @autoclosure () -> String) -> APIGrant? { nil }
    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] { origins.headers(for: head) }

    func handle(_ request: HTTPRequest, on exchange: any HTTPExchange) {
        switch Self.table[request.match]?.handler {
        case .client(let path): return handle(path, request, exchange)
        case .history: return history(request, exchange)
        case .health: return HealthRoutes(shard: shard).health(request, exchange)
        case .readiness: return HealthRoutes(shard: shard).readiness(request, exchange)
        case nil: break
        }
        guard case .wrongMethod(let allowed) = request.match else {
            return exchange.respond(
                .problem(.notFound, "there is nothing at this path; clients use /v1/ws, /v1/sse, /v1/poll, /v1/history and /v1/locate"))
        }
        exchange.respond(request.head.method == .options ? origins.preflight(request.head) : .wrongMethod(allowed + [.options]))
    }

    private func handle(_ path: ClientPath, _ request: HTTPRequest, _ exchange: any HTTPExchange) {
        do throws(ProblemReport) {
            let query = try checkedQuery(request, exchange)
            let subscribeRequest = try subscribeRequest(path, request.head, query)
            try authenticate(ClientRequest(path: path, request: request, subscribeRequest: subscribeRequest), query, exchange)
        } catch {
            if error.problem == .tooManyChannels { shard.counters.count(path.channelsLimit) }
            exchange.respond(refusal(error, of: request.head, request.match))
        }
    }

    /// An event stream that can be opened later is not refused but ended: an EventSource would not come again.
    func refusal(_ report: ProblemReport, of head: HTTPRequestHead, _ match: RouteMatch) -> HTTPResponse {
        switch Self.table[match]?.handler {
        case .client(.eventStream) where report.problem.retryAfterSeconds != nil && head.method == .get:
            .eventStreamEnd(shard.admission.disconnect(report.problem), because: report)
        case .client(.eventStream), .client(.webSocket), .client(.poll), .client(.locate), .history, .health, .readiness, nil:
            .problem(report.problem, report.message)
        }
    }

    /// What somebody has come for.
    struct ClientRequest {
        let path: ClientPath
        let request: HTTPRequest
        let subscribeRequest: SubscribeRequest

        /// HEAD only asks what would be answered: nobody stays.
        var opensStream: Bool { path.isStream && request.head.method != .head }
    }

    private func subscribeRequest(_ path: ClientPath, _ head: HTTPRequestHead, _ query: HTTPQuery) throws(ProblemReport) -> SubscribeRequest
    {
        let subscribeRequest = try SubscribeRequest(
            head, query, channelsMax: channelsMax(path),
            mayBeEmpty: path.isWebSocket || shard.context.tokens != nil, hasher: try hasher())
        switch path {
        case .poll where subscribeRequest.watches:
            throw ProblemReport(.badParameter, "a poll can't watch who comes and goes: use a WebSocket or an event stream")
        case .webSocket, .eventStream, .poll, .locate: break
        }
        shard.spendTurn(requests: subscribeRequest.channels.count / path.channelsARequest)
        return subscribeRequest
    }

    private func channelsMax(_ path: ClientPath) -> Int {
        let limits = shard.context.configuration.limits
        return switch path {
        case .webSocket: limits.socketChannelsMax
        case .eventStream, .poll, .locate: limits.streamChannelsMax
        }
    }

    /// The client is known, or none is asked for who it is.
    func enter(_ clientRequest: ClientRequest, _ grant: ClientGrant?, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let subscribeRequest =
            if let grant { try clientRequest.subscribeRequest.granted(by: grant, shard: shard) } else { clientRequest.subscribeRequest }
        switch clientRequest.path {
        case .webSocket: try openWebSocket(subscribeRequest, grant, clientRequest.request, exchange)
        case .eventStream where clientRequest.request.head.method == .head:
            exchange.respond(HTTPResponse(headers: EventStreamTransport.headers, isStreamHead: true))
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
        let lease = try QuotaLease.acquire(
            user: grant == nil ? nil : subscribeRequest.user?.key.hash, address: source(request, exchange), in: shard.runtime)
        let client = webSocket(subscribeRequest, grant)
        guard let leftover = exchange.becomeStream(client, answer.write) else { return lease.giveBack(in: shard.runtime) }
        client.open(lease, leftover: leftover)
    }

    private func webSocket(_ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?) -> ClientConnection<WebSocketTransport> {
        let transport = WebSocketTransport(isKnown: grant != nil, limits: shard.context.configuration.limits)
        return ClientConnection(transport, subscribeRequest, grant: grant, shard: shard)
    }

    private func openEventStream(
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        let lease = try QuotaLease.acquire(user: subscribeRequest.user?.key.hash, address: source(request, exchange), in: shard.runtime)
        let client = ClientConnection(EventStreamTransport(subscribeRequest), subscribeRequest, grant: grant, shard: shard)
        guard let leftover = exchange.becomeStream(client, writeEventStreamHead) else { return lease.giveBack(in: shard.runtime) }
        client.open(lease, leftover: leftover)
    }

    private func writeEventStreamHead(_ headers: [HTTPResponseWriter.Header], into output: inout ByteBuffer) {
        EventStreamTransport.writeHead([("Date", shard.runtime.date().text)] + headers, into: &output)
    }

    /// Opens the WebSocket or event stream, only to say why it ends. The upgrade is done although the client is rejected: a page can't see
    /// why an upgrade was refused, but it reads a close reason.
    func reject(_ clientRequest: ClientRequest, _ disconnect: Disconnect, _ exchange: any HTTPExchange) throws(ProblemReport) {
        switch clientRequest.path {
        case .webSocket:
            guard let answer = try upgrade(clientRequest.request, exchange) else { return }
            let client = webSocket(clientRequest.subscribeRequest, nil)
            if exchange.becomeStream(client, answer.write) != nil { client.reject(disconnect) }
        case .eventStream:
            let request = clientRequest.subscribeRequest
            let client = ClientConnection(EventStreamTransport(request), request, grant: nil, shard: shard)
            if exchange.becomeStream(client, writeEventStreamHead) != nil { client.reject(disconnect) }
        case .poll, .locate: exchange.respond(.problem(.overloaded, disconnect: disconnect))
        }
    }

    /// A socket or stream wants to be opened; `nil` lets it in, anything else is what it is told instead.
    func checkAdmission(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> Disconnect? {
        try requireSole(exchange)
        return try admit(request, exchange)
    }

    /// A stream takes the whole connection.
    func requireSole(_ exchange: any HTTPExchange) throws(ProblemReport) {
        if exchange.mayBecomeStream { return }
        throw ProblemReport(.badRequest, "a stream can't be opened beside requests that are not answered yet")
    }

    /// Whom limits count the request for.
    func source(_ request: HTTPRequest, _ exchange: any HTTPExchange) -> SourceAddress? {
        shard.context.configuration.auth.trustedProxies.source(peer: exchange.peerAddress, request.head)
    }

    private var hasRoom: Bool { shard.clientSockets < shard.socketsMax }

    private func admit(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> Disconnect? {
        if exchange.peer.isAdmitted, !shard.admission.isMoving { return nil }
        let now = Moment.now().monotonic
        if !shard.context.quotas.onHandshake(source(request, exchange), now: now) {
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
        var wait = subscribeRequest.waitSeconds(max: shard.context.configuration.limits.pollSecondsMax)
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
            wait > 0
            ? try QuotaLease.acquire(user: subscribeRequest.user?.key.hash, address: source(request, exchange), in: shard.runtime)
            : nil
        let waiter = PollWaiter(shard: shard, remote: exchange.remoteText, grant: grant, lease: lease) { exchange.respond($0) }
        exchange.hold(waiter)
        waiter.start(subscribeRequest, waitSeconds: wait)
    }

    private func locate(_ key: Key) throws(ProblemReport) -> HTTPResponse {
        guard let view = shard.view, let owner = view.owner(ofSlot: key.slot) else { throw ProblemReport(.noOwner) }
        let answer = LocateAnswer(
            user: key.text, slot: key.slot,
            owner: .init(id: owner.id, client: owner.client, api: shard.context.tokens == nil ? owner.api : nil),
            isSelf: owner.id == shard.context.configuration.id)
        return .json(JSONDocument.encode(answer))
    }
}
