// What operators do about users: end their sockets now, and take their tokens back. `POST /v1/users/{user}/disconnect` reaches every node
// over the links; a revocation stands in ZooKeeper, and every node hears of it there.
import FoundationEssentials
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

/// What a node says to the question of how many sockets of a user it has ended.
struct DisconnectAnswer: Codable, Sendable {
    let sockets: Int
}

extension OperatorRoutes {
    // MARK: Disconnecting

    private static func resumes(_ request: HTTPRequest) throws(ProblemReport) -> Bool {
        if request.body.readableBytes == 0 { return false }
        let order = try JSONDocument.decode(DisconnectOrder.self, from: request.body, usage: #"send nothing, or {"resume":true}"#)
        return order.resume ?? false
    }

    func disconnect(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        let key = try Key(.user, percentEncoded: request.name, hasher: view.hasher)
        let response = disconnect(key, resumes: try Self.resumes(request))
        respond(response, toOrder: "disconnect", on: key.text, request, grant, exchange)
    }

    private func disconnect(_ key: Key, resumes: Bool) -> EventLoopFuture<HTTPResponse> {
        let own = shard.group.disconnect(key, resumes: resumes, on: shard.eventLoop)
        let argument = [resumes ? 1 : 0, key.kind.rawValue] + key.name
        let others = shard.group.askOthers(.disconnect, argument: argument, from: shard)
        return own.and(others).map { own, others in
            let answers = others.mapValues { json in json.flatMap { try? JSONDecoder().decode(DisconnectAnswer.self, from: Data($0)) } }
            let sockets = own + answers.values.reduce(0) { $0 + ($1?.sockets ?? 0) }
            let unanswered = answers.filter { $0.value == nil }.keys.sorted()
            return .json(JSONDocument.encode(DisconnectReport(user: key.text, sockets: sockets, unanswered: unanswered)))
        }
    }

    // MARK: Revocations

    func revoke(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        let order = try JSONDocument.decode(RevocationOrder.self, from: request.body, usage: Self.revocationUsage)
        let tokens = try revoked(by: order, grant, view.hasher)
        let now = Moment.now().wall / 1_000
        // No token that is taken lasts longer.
        let last = now + context.configuration.auth.tokenSecondsMax
        let until = order.token == nil ? last : min(max(order.expires ?? last, now), last)
        let promise = shard.eventLoop.makePromise(of: HTTPResponse.self)
        let context = context
        context.loops.complete(promise) {
            try await context.revoke(tokens, until: until, maker: grant.names.isAll ? nil : grant.id)
            return .json(
                JSONDocument.encode(
                    RevocationReport(
                        user: order.user, token: order.token, key: order.key, issuedBefore: order.issuedBefore, until: until,
                        note: context.forgetsRevocations ? NodeContext.forgetsRevocationsNote : nil)))
        }
        respond(promise.futureResult, toOrder: "revoke", on: Self.text(order), request, grant, exchange)
    }

    /// Which tokens, for the audit log.
    private static func text(_ order: RevocationOrder) -> String {
        let key = order.key.map { " of key \($0)" } ?? ""
        let time = order.issuedBefore.map { " issued until \($0)" } ?? ""
        return order.user.map { user in order.token.map { "token \($0) of \(user)" } ?? user } ?? "all tokens\(key)\(time)"
    }

    private static let revocationUsage =
        #"send {"user":"alice"}, {"user":"alice","token":"<jti>","expires":<seconds since 1970>}, {"key":"<kid>"}, "#
        + #"{"issuedBefore":<seconds since 1970>}, or the last two in one"#

    /// What the order means, if the key may give it.
    private func revoked(by order: RevocationOrder, _ grant: APIGrant, _ hasher: KeyHasher) throws(ProblemReport) -> RevokedTokens {
        if let user = order.user, order.key == nil, order.issuedBefore == nil {
            let key = try Key(requested: .user, name: Array(user.utf8), hasher: hasher)
            try shard.require(grant.allowsOrders(about: key.name), "revoke this user's tokens")
            return RevokedTokens(of: key, tokenID: order.token)
        }
        guard order.user == nil, order.token == nil, order.expires == nil else { throw ProblemReport(.badJSON, Self.revocationUsage) }
        try shard.require(grant.allowsOrders, "revoke everybody's tokens")
        if let issuedBefore = order.issuedBefore {
            // Whoever revokes the future keeps everybody out.
            let last = Moment.now().wall / 1_000 + context.configuration.auth.leewaySeconds
            guard (0...last).contains(issuedBefore) else {
                throw ProblemReport(.badParameter, "\"issuedBefore\" is a time until now, in seconds since 1970")
            }
        }
        if let key = order.key { return .key(id: key, issuedBefore: order.issuedBefore) }
        guard let issuedBefore = order.issuedBefore else { throw ProblemReport(.badJSON, Self.revocationUsage) }
        return .everybody(issuedBefore: issuedBefore)
    }

    /// Who is limited to names sees what is about them.
    func revocations(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        try shard.require(grant.allowsSomeOrders, "see revocations")
        let promise = shard.eventLoop.makePromise(of: HTTPResponse.self)
        let context = context
        context.loops.complete(promise) {
            let notes = try await context.revocationNotes().filter { note in
                grant.allowsOrders || note.user.map { grant.allowsOrders(about: Array($0.utf8)) } == true
            }
            let all = notes.map {
                RevocationReport(user: $0.user, token: $0.token, key: $0.key, issuedBefore: $0.issuedBefore, until: $0.until)
            }
            return .json(JSONDocument.encode(RevocationsReport(revocations: all)))
        }
        exchange.respond(promise.futureResult, to: request.head, shard: shard)
    }
}

extension ShardGroup {
    /// Ends a user's sockets on all loops of this node.
    func disconnect(_ key: Key, resumes: Bool, on eventLoop: any EventLoop) -> EventLoopFuture<Int> {
        let parts = shards.map { shard in shard.eventLoop.submit { shard.disconnect(key, resumes: resumes) } }
        return EventLoopFuture.whenAllSucceed(parts, on: eventLoop).map { $0.reduce(0, +) }
    }
}

extension RevocationFailure {
    /// What an operator is answered.
    var report: ProblemReport {
        switch self {
        case .full, .keyFull: ProblemReport(.windowFull, message)
        case .unavailable, .notKept: ProblemReport(.unavailable, message)
        case .badTokenID, .badKeyID: ProblemReport(.badParameter, message)
        }
    }
}
