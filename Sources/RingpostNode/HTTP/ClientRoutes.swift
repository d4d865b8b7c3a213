// The client port: WebSocket, event stream, poll, and where a user's owner is.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct ClientRoutes: HTTPRoutes {
    let shard: Shard
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
            if shard.shared.tokens == nil { try HostPolicy.check(request.head, known: &connection.knownHost, shard.shared.configuration) }
            guard let query = HTTPQuery(request.head.query ?? ByteBufferView()) else {
                throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
            }
            let subscribeRequest = try subscribeRequest(path, request.head, query)
            try authenticate(ClientRequest(path: path, request: request, subscribeRequest: subscribeRequest), query, connection)
        } catch {
            if error.problem == .tooManyChannels { shard.counters.count(path == .webSocket ? .socketChannels : .streamChannels) }
            connection.respond(to: request.number, response(to: request.head, refusing: error))
        }
    }

    /// An event stream that can be opened later is not refused but ended: an EventSource would not come again.
    func response(to head: HTTPRequestHead, refusing report: ProblemReport) -> HTTPResponse {
        guard report.problem.retryAfterSeconds != nil, head.method == .get, ClientPath(head) == .eventStream else {
            return .problem(report.problem, report.message)
        }
        return .eventStreamEnd(shard.admission.disconnect(report.problem), because: report)
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
    func enter(_ clientRequest: ClientRequest, _ grant: ClientGrant?, _ connection: HTTPConnection) throws(ProblemReport) {
        let subscribeRequest =
            if let grant { try clientRequest.subscribeRequest.granted(by: grant, shard: shard) } else { clientRequest.subscribeRequest }
        switch clientRequest.path {
        case .webSocket: try openWebSocket(subscribeRequest, grant, clientRequest.request, connection)
        case .eventStream: try openEventStream(subscribeRequest, grant, clientRequest.request, connection)
        case .poll: try poll(subscribeRequest, grant, clientRequest.request, connection)
        case .locate:
            guard let user = subscribeRequest.user else { throw ProblemReport(.badName, "say whom to locate: ?user=…") }
            connection.respond(to: clientRequest.request.number, try locate(user.key))
        }
    }

    private func hasher() throws(ProblemReport) -> KeyHasher {
        let view = try shard.currentView()
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
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        guard let answer = try upgrade(request, connection) else { return }
        let lease = try QuotaLease.acquire(
            user: grant == nil ? nil : subscribeRequest.user?.key.hash, address: source(request, connection), in: shard)
        let client = webSocket(subscribeRequest, grant)
        guard let leftover = connection.takeOver(with: client, answer.write) else { return lease.giveBack(in: shard) }
        client.open(lease, leftover: leftover)
    }

    private func webSocket(_ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?) -> ClientConnection<WebSocketTransport> {
        let transport = WebSocketTransport(isKnown: grant != nil, limits: shard.shared.configuration.limits)
        return ClientConnection(transport, subscribeRequest, grant: grant, shard: shard)
    }

    private func openEventStream(
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        let lease = try QuotaLease.acquire(user: subscribeRequest.user?.key.hash, address: source(request, connection), in: shard)
        let client = ClientConnection(EventStreamTransport(subscribeRequest), subscribeRequest, grant: grant, shard: shard)
        guard let leftover = connection.takeOver(with: client, EventStreamTransport.writeHead) else { return lease.giveBack(in: shard) }
        client.open(lease, leftover: leftover)
    }

    /// Opens the WebSocket or event stream, only to say why it ends. The upgrade is done although the client is rejected: a page can't see
    /// why an upgrade was refused, but it reads a close reason.
    func reject(_ clientRequest: ClientRequest, _ disconnect: Disconnect, _ connection: HTTPConnection) throws(ProblemReport) {
        if clientRequest.isWebSocket {
            guard let answer = try upgrade(clientRequest.request, connection) else { return }
            let client = webSocket(clientRequest.subscribeRequest, nil)
            if connection.takeOver(with: client, answer.write) != nil { client.reject(disconnect) }
        } else {
            let request = clientRequest.subscribeRequest
            let client = ClientConnection(EventStreamTransport(request), request, grant: nil, shard: shard)
            if connection.takeOver(with: client, EventStreamTransport.writeHead) != nil { client.reject(disconnect) }
        }
    }

    /// A socket or stream wants to be opened; `nil` lets it in, anything else is what it is told instead.
    func checkAdmission(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) -> Disconnect? {
        guard connection.mayBeTakenOver(by: request.number) else {
            throw ProblemReport(.badRequest, "a stream can't be opened behind requests that are not answered yet")
        }
        return try admit(request, connection)
    }

    /// Whom limits count the request for.
    func source(_ request: HTTPRequest, _ connection: HTTPConnection) -> SourceAddress? {
        let proxies = shard.shared.configuration.trust.trustedProxies
        return proxies.source(peer: connection.peerAddress, forwardedFor: request.head[.forwardedFor])
    }

    private var hasRoom: Bool { shard.clientSockets < shard.socketsMax }

    private func admit(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) -> Disconnect? {
        if connection.isAdmitted, !shard.admission.isMoving { return nil }
        let now = Moment.now().monotonic
        if !shard.shared.quotas.onHandshake(source(request, connection), now: now) {
            shard.counters.count(.connectRatePerAddress)
            throw ProblemReport(.tooFast, "too many clients come from this source address at once")
        }
        if !hasRoom { shard.counters.count(.sockets) }
        let disconnect = shard.admission.onClient(hasRoom: hasRoom, now: now, counters: &shard.counters)
        connection.isAdmitted = disconnect == nil
        return disconnect
    }

    /// A poll that does not wait is let in always: it holds nothing, and pollers come at their own pace, not in a crowd. One
    /// that waits counts as a client once a connection. While the clients go elsewhere nobody waits long for anything; the
    /// answer says where to go.
    private func poll(
        _ subscribeRequest: SubscribeRequest, _ grant: ClientGrant?, _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        var wait = subscribeRequest.waitSeconds(max: shard.shared.configuration.limits.pollSecondsMax)
        // A poll ends before its token.
        if let expires = grant?.expires { wait = min(wait, Int(clamping: max(0, expires - Moment.now().wall / 1_000))) }
        if shard.admission.isMoving {
            wait = min(wait, AdmissionController.pollSecondsWhileMoving)
        } else if wait > 0, let disconnect = try admit(request, connection) {
            let message = "this node takes in as many clients as it may; come back after \(disconnect.afterMilliseconds ?? 0) ms"
            connection.respond(to: request.number, .problem(.overloaded, message, disconnect: disconnect))
            return
        }
        if !hasRoom {
            shard.counters.count(.sockets)
            connection.respond(to: request.number, .problem(.overloaded, disconnect: shard.admission.disconnect(.tryLater)))
            return
        }
        let lease =
            wait > 0 ? try QuotaLease.acquire(user: subscribeRequest.user?.key.hash, address: source(request, connection), in: shard) : nil
        let number = request.number
        let waiter = PollWaiter(shard: shard, remote: connection.remoteText, grant: grant, lease: lease) { [weak connection] response in
            connection?.respond(to: number, response)
        }
        connection.hold(waiter, number)
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
