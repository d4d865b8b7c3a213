// A client pages through messages: its own, or a channel's, as its token grants.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

extension ClientRoutes {
    func history(_ request: HTTPRequest, _ exchange: any HTTPExchange) {
        do throws(ProblemReport) {
            let query = try checkedQuery(request, exchange)
            let wish = HistoryWish(parameters: try HistoryParameters(query), name: try HistoryWish.name(query))
            guard shard.context.tokens != nil else { return try page(wish, shard.context.openGrant.grant, request, exchange) }
            let credential = try ClientCredential.find(in: request.head, query: query, isWebSocket: false)
            try check(credential.token, from: source(request, exchange), request, exchange) { result throws(ProblemReport) in
                switch result {
                case .success(let grant): try page(wish, grant, request, exchange)
                case .failure(let refusal): throw refusal.report
                }
            }
        } catch {
            exchange.respond(refusal(error, of: request.head, request.match))
        }
    }

    private func page(
        _ wish: HistoryWish, _ grant: ClientGrant, _ request: HTTPRequest, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        let view = try shard.currentView()
        let user = try grant.user.map { name throws(ProblemReport) in try Key(requested: .user, name: name, hasher: view.hasher) }
        let key: Key
        switch wish.name {
        case .own:
            guard let user else { throw ProblemReport(.badName, "say whose history: ?user=… or ?channel=…") }
            key = user
        case .named(let kind, let name): key = try Key(requested: kind, name: name, hasher: view.hasher)
        }
        guard grant.allowsHistory(of: key) else {
            shard.counters.count(AuthError.notGranted)
            throw ProblemReport(.forbidden, "the token does not grant to page through the messages of \(LogText.escaped(key.text))")
        }
        let owner = user.map(ByteOwner.user) ?? source(request, exchange).map(ByteOwner.address) ?? .nobody
        try HistoryExchange.answer(wish.parameters.query(of: key), for: owner, user: user, grant: grant, on: exchange, shard: shard)
    }
}

/// What a client wants to read.
private struct HistoryWish {
    enum Name {
        /// The token's user.
        case own
        case named(KeyKind, [UInt8])
    }

    let parameters: HistoryParameters
    let name: Name

    static func name(_ query: HTTPQuery) throws(ProblemReport) -> Name {
        let (users, channels) = (query.all("user"), query.all("channel"))
        guard users.count + channels.count <= 1 else { throw ProblemReport(.badParameter, "give one user or one channel") }
        if let user = users.first { return .named(.user, user) }
        if let channel = channels.first { return .named(.channel, channel) }
        return .own
    }
}
