// The API port: publishing, which is the hot way, and the operators' questions and orders, which are not.
import NIOCore
import RingpostCore
import RingpostWire

struct APIRoutes: HTTPRoutes {
    /// Not the function itself: as a parameter of a generic type it would be called through another one.
    struct Handler: Sendable {
        let answer: @Sendable (APIRoutes, HTTPRequest, APIGrant, any HTTPExchange) throws(ProblemReport) -> Void
    }

    static let table = HTTPRouteTable<Handler>([
        row(.post, "/v1/users/{user}/messages", .publish, body: .payload) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.producers.publish(to: .user, request, grant, exchange)
        },
        row(.post, "/v1/channels/{channel}/messages", .publish, body: .payload) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.producers.publish(to: .channel, request, grant, exchange)
        },
        row(.post, "/v1/messages", .publish, body: .batch) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.producers.publishBatch(request, grant, exchange)
        },
        row(.get, "/healthz", .anybody, isAlwaysAnswered: true) { routes, request, _, exchange in
            routes.health.health(request, exchange)
        },
        row(.get, "/readyz", .anybody, isAlwaysAnswered: true) { routes, request, _, exchange in
            routes.health.readiness(request, exchange)
        },
        row(.get, "/metrics", .readAll, isAlwaysAnswered: true) { routes, request, _, exchange in
            routes.metrics.metrics(request, exchange)
        },
        row(.get, "/v1/nodes", .readNodes) { routes, request, _, exchange throws(ProblemReport) in
            try routes.operators.nodes(request, exchange)
        },
        row(.get, "/v1/ring", .readAll) { routes, request, _, exchange throws(ProblemReport) in
            try routes.operators.ring(request, exchange)
        },
        row(.get, "/v1/users/{user}", .readName) { routes, request, _, exchange throws(ProblemReport) in
            try routes.operators.user(request, exchange)
        },
        row(.get, "/v1/channels/{channel}", .readName) { routes, request, _, exchange throws(ProblemReport) in
            try routes.operators.channel(request, exchange)
        },
        row(.get, "/v1/users/{user}/messages", .historyOfName) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.history.answer(.user, request, grant, exchange)
        },
        row(.get, "/v1/channels/{channel}/messages", .historyOfName) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.history.answer(.channel, request, grant, exchange)
        },
        row(.post, "/v1/users/{user}/disconnect", .orderAboutName("disconnect this user"), body: .payload) {
            routes, request, grant, exchange throws(ProblemReport) in
            try routes.operators.disconnect(request, grant, exchange)
        },
        row(.post, "/v1/nodes/{node}/drain", .order("give orders"), body: .payload) { routes, request, grant, exchange in
            routes.operators.drain(request, grant, exchange)
        },
        row(.post, "/v1/nodes/{node}/weight", .order("give orders"), body: .payload) {
            routes, request, grant, exchange throws(ProblemReport) in
            try routes.operators.setWeight(request, grant, exchange)
        },
        row(.post, "/v1/nodes/{node}/forget", .order("give orders"), body: .payload) { routes, request, grant, exchange in
            routes.operators.forget(request, grant, exchange)
        },
        row(.get, "/v1/revocations", .orderAboutBody) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.operators.revocations(request, grant, exchange)
        },
        row(.post, "/v1/revocations", .orderAboutBody, body: .payload) { routes, request, grant, exchange throws(ProblemReport) in
            try routes.operators.revoke(request, grant, exchange)
        },
    ])

    let shard: Shard
    let producers: ProducerRoutes
    let operators: OperatorRoutes
    let history: HistoryRoutes
    let metrics: MetricsRoutes
    let health: HealthRoutes

    init(shard: Shard) {
        self.shard = shard
        producers = ProducerRoutes(shard: shard)
        operators = OperatorRoutes(shard: shard)
        history = HistoryRoutes(shard: shard)
        metrics = MetricsRoutes(shard: shard)
        health = HealthRoutes(shard: shard)
    }

    private static func row(
        _ method: HTTPMethod, _ path: StaticString, _ scope: RouteScope, body: RouteBody = .small, isAlwaysAnswered: Bool = false,
        _ answer: @escaping @Sendable (APIRoutes, HTTPRequest, APIGrant, any HTTPExchange) throws(ProblemReport) -> Void
    ) -> HTTPRoute<Handler> {
        HTTPRoute(method, path, scope, body: body, isAlwaysAnswered: isAlwaysAnswered, Handler(answer: answer))
    }

    var isForClients: Bool { false }
    func match(_ head: HTTPRequestHead) -> RouteMatch { Self.table.match(head) }
    func isAlwaysAnswered(_ match: RouteMatch) -> Bool { Self.table[match]?.isAlwaysAnswered ?? false }
    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] { [] }

    func body(_ match: RouteMatch) -> RouteBody { Self.table[match]?.body ?? .payload }

    /// Who may ask nothing here is not told what there is.
    func authorize(
        _ head: HTTPRequestHead, _ match: RouteMatch, _ peer: HTTPPeer, remote: @autoclosure () -> String
    ) throws(ProblemReport) -> APIGrant? {
        let scope = Self.table[match]?.scope
        if case .anybody = scope { return .all }
        do throws(ProblemReport) {
            let grant = try peer.apiGrant(head, shard: shard)
            if let scope { try check(scope, grant, head, match) }
            return grant
        } catch {
            shard.auditRefusal(error, head, peer, from: remote())
            throw error
        }
    }

    func handle(_ request: HTTPRequest, on exchange: any HTTPExchange) {
        guard let route = Self.table[request.match] else { return exchange.respond(notFound(request.match)) }
        guard let granted = request.grant else { return exchange.respond(.problem(.unauthorized)) }
        var grant = granted
        do throws(ProblemReport) {
            // The body may have been long on its way: what counts is the key as it stands now.
            if exchange.peer.isAPIKeyStale(shard) {
                guard let current = try authorize(request.head, request.match, exchange.peer, remote: exchange.remoteText) else { return }
                grant = current
            }
        } catch { return exchange.respond(error) }
        do throws(ProblemReport) {
            try route.handler.answer(self, request, grant, exchange)
        } catch {
            if error.problem == .tooLarge { shard.counters.count(.payloadBytes) }
            shard.auditRefusal(error, request.head, exchange.peer, from: exchange.remoteText)
            exchange.respond(error)
        }
    }

    private func notFound(_ match: RouteMatch) -> HTTPResponse {
        if case .wrongMethod(let allowed) = match { return .wrongMethod(allowed) }
        return .problem(.notFound, "there is nothing at this path; docs/guide/operating.md lists what the API port answers")
    }

    private func check(_ scope: RouteScope, _ grant: APIGrant, _ head: HTTPRequestHead, _ match: RouteMatch) throws(ProblemReport) {
        switch scope {
        case .anybody, .client: break
        // Where to, is held against the key with each message.
        case .publish: try shard.require(grant.allowsPublishing, "publish")
        case .readName: try shard.require(grant.allowsReading(name(head, match)), "ask about this")
        case .historyOfName: try shard.require(grant.allowsHistory(name(head, match)), "page through these messages")
        case .readAll: try shard.require(grant.allowsReadingAll, "ask this")
        case .readNodes: try shard.require(grant.allowsReadingAll || grant.allowsPublishing, "ask this")
        case .order(let what):
            if grant.allowsSomeOrders { try shard.require(grant.allowsOrders, "give orders to nodes: it is limited to names") }
            try shard.require(grant.allowsOrders, what)
            try refusePages(head)
        case .orderAboutName(let what):
            try shard.require(grant.allowsOrders(about: name(head, match)), what)
            try refusePages(head)
        case .orderAboutBody:
            // About whom, is held against the key when the body is read.
            try shard.require(grant.allowsSomeOrders, "give orders")
            try refusePages(head)
        }
    }

    private func name(_ head: HTTPRequestHead, _ match: RouteMatch) -> [UInt8] {
        let name = match.name(in: head)
        return HTTPTarget.decode(name) ?? name
    }

    /// A page that somebody happens to look at must not be able to stop a node.
    private func refusePages(_ head: HTTPRequestHead) throws(ProblemReport) {
        if head.method == .post, head.has(.origin) {
            throw ProblemReport(.forbiddenOrigin, "orders are not taken from web pages")
        }
    }
}
