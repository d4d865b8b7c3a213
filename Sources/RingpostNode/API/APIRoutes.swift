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
    let metrics: MetricsRoutes
    let health: HealthRoutes

    init(shard: Shard) {
        self.shard = shard
        producers = ProducerRoutes(shard: shard)
        operators = OperatorRoutes(shard: shard)
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

    func bodyBytesMax(_ match: RouteMatch) -> Int {
        (Self.table[match]?.body ?? .payload).bytesMax(shard.context.configuration.limits)
    }

    func handle(_ request: HTTPRequest, on exchange: any HTTPExchange) {
        do throws(ProblemReport) {
            guard let route = Self.table[request.match] else { return exchange.respond(try notFound(request, exchange)) }
            let grant = if case .anybody = route.scope { APIGrant.all } else { try exchange.apiGrant(request.head, shard: shard) }
            try check(route.scope, grant, request)
            try route.handler.answer(self, request, grant, exchange)
        } catch {
            if error.problem == .tooLarge { shard.counters.count(.payloadBytes) }
            shard.auditRefusal(error, request, exchange)
            exchange.respond(error)
        }
    }

    /// Who may ask nothing here is not told what there is.
    private func notFound(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> HTTPResponse {
        _ = try exchange.apiGrant(request.head, shard: shard)
        if case .wrongMethod(let allowed) = request.match { return .wrongMethod(allowed) }
        return .problem(.notFound, "there is nothing at this path; docs/guide/operating.md lists what the API port answers")
    }

    private func check(_ scope: RouteScope, _ grant: APIGrant, _ request: HTTPRequest) throws(ProblemReport) {
        switch scope {
        case .anybody, .client, .publish: break
        case .readName: try shard.require(grant.allowsReading(name(request)), "ask about this")
        case .readAll: try shard.require(grant.allowsReadingAll, "ask this")
        case .readNodes: try shard.require(grant.allowsReadingAll || grant.allowsPublishing, "ask this")
        case .order(let what):
            if grant.allowsSomeOrders { try shard.require(grant.allowsOrders, "give orders to nodes: it is limited to names") }
            try shard.require(grant.allowsOrders, what)
            try refusePages(request)
        case .orderAboutName(let what):
            try shard.require(grant.allowsOrders(about: name(request)), what)
            try refusePages(request)
        case .orderAboutBody: try refusePages(request)
        }
    }

    private func name(_ request: HTTPRequest) -> [UInt8] { HTTPTarget.decode(request.name) ?? request.name }

    /// A page that somebody happens to look at must not be able to stop a node.
    private func refusePages(_ request: HTTPRequest) throws(ProblemReport) {
        if request.head.method == .post, request.head.has(.origin) {
            throw ProblemReport(.forbiddenOrigin, "orders are not taken from web pages")
        }
    }
}
