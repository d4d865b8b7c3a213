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
    private struct DisconnectOrder: Decodable {
        var resume: Bool?
    }

    private struct Disconnected: Encodable {
        let user: String
        let sockets: Int
        /// Nodes that did not answer in time: sockets there may still be open.
        let unanswered: [String]
    }

    private struct RevocationOrder: Decodable {
        let user: String
        var token: String?
        var expires: Int64?
    }

    /// The undecoded name in `/v1/users/{user}/disconnect`.
    static func disconnected(inPath path: String) -> [UInt8]? {
        let (start, end) = ("/v1/users/", "/disconnect")
        guard path.hasPrefix(start), path.hasSuffix(end), path.utf8.count > start.utf8.count + end.utf8.count else { return nil }
        let name = path.utf8.dropFirst(start.utf8.count).dropLast(end.utf8.count)
        return name.contains(UInt8(ascii: "/")) ? nil : Array(name)
    }

    func handleAccess(
        _ path: String, _ request: HTTPRequest, _ grant: APIGrant, on connection: HTTPConnection
    ) throws(ProblemReport) {
        if path == "/v1/revocations", request.head.method == .get {
            try shard.require(grant.allowsOrders, "see revocations")
            return answer(request, on: connection, revocations())
        }
        guard request.head.method == .post else {
            var response = HTTPResponse.problem(.methodNotAllowed, "give orders with POST")
            response.headers.append(("Allow", path == "/v1/revocations" ? "GET, POST" : "POST"))
            return connection.respond(to: request.number, response)
        }
        if request.head[.origin] != nil { throw ProblemReport(.forbiddenOrigin, "orders are not taken from web pages") }
        let view = try shard.currentView()
        if let name = Self.disconnected(inPath: path) {
            let key = try ProducerRoutes.key(.user, percentEncoded: name, hasher: view.hasher)
            try shard.require(grant.allowsOrders(about: key.name), "disconnect this user")
            answer(request, on: connection, disconnect(key, resumes: try Self.resumes(request)))
        } else {
            try revoke(request, grant, view, on: connection)
        }
    }

    // MARK: Disconnecting

    private static func resumes(_ request: HTTPRequest) throws(ProblemReport) -> Bool {
        if request.body.readableBytes == 0 { return false }
        let order = try JSONDocument.decode(DisconnectOrder.self, from: request.body, usage: #"send nothing, or {"resume":true}"#)
        return order.resume ?? false
    }

    private func disconnect(_ key: Key, resumes: Bool) -> EventLoopFuture<HTTPResponse> {
        let own = shard.group.disconnect(key, resumes: resumes, on: shard.eventLoop)
        let argument = [resumes ? 1 : 0, key.kind.rawValue] + key.name
        let others = shard.group.askOthers(.disconnect, argument: argument, from: shard)
        return own.and(others).map { own, others in
            let answers = others.mapValues { json in json.flatMap { try? JSONDecoder().decode(DisconnectAnswer.self, from: Data($0)) } }
            let sockets = own + answers.values.reduce(0) { $0 + ($1?.sockets ?? 0) }
            let unanswered = answers.filter { $0.value == nil }.keys.sorted()
            return .json(JSONDocument.encode(Disconnected(user: key.text, sockets: sockets, unanswered: unanswered)))
        }
    }

    // MARK: Revocations

    private func revoke(
        _ request: HTTPRequest, _ grant: APIGrant, _ view: MembershipView, on connection: HTTPConnection
    ) throws(ProblemReport) {
        let order = try JSONDocument.decode(
            RevocationOrder.self, from: request.body,
            usage: #"send {"user":"alice"}, or {"user":"alice","token":"<jti>","expires":<seconds since 1970>}"#)
        let key = try Key(requested: .user, name: Array(order.user.utf8), hasher: view.hasher)
        try shard.require(grant.allowsOrders(about: key.name), "revoke this user's tokens")
        let now = Moment.now().wall / 1_000
        // No token that is taken lasts longer.
        let last = now + shared.configuration.trust.tokenSecondsMax
        let until = order.token == nil ? last : min(max(order.expires ?? last, now), last)
        let promise = shard.eventLoop.makePromise(of: HTTPResponse.self)
        let shared = shared
        promise.completeWithTask {
            try await shared.revoke(key, tokenID: order.token, until: until)
            return .json(JSONDocument.encode(RevocationNote(user: order.user, token: order.token, until: until)))
        }
        answer(request, on: connection, promise.futureResult)
    }

    private struct Revocations: Encodable {
        let revocations: [RevocationNote]
    }

    private func revocations() -> EventLoopFuture<HTTPResponse> {
        let promise = shard.eventLoop.makePromise(of: HTTPResponse.self)
        let shared = shared
        promise.completeWithTask { .json(JSONDocument.encode(Revocations(revocations: try await shared.revocationNotes()))) }
        return promise.futureResult
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
        case .full: ProblemReport(.windowFull, message)
        case .unavailable: ProblemReport(.overloaded, message)
        case .badTokenID: ProblemReport(.badParameter, message)
        }
    }
}
