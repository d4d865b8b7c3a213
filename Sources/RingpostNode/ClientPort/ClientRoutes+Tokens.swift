// Who a client is, before anything is made for it: where it comes from, then whether there is room for anybody at all, which is cheap, then its
// token.
import NIOCore
import RingpostCore
import RingpostWire

extension ClientRoutes {
    /// What comes before everything else: whether a page may ask here, and for this host.
    ///
    /// - Returns: the parameters of the request.
    func checkedQuery(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) -> HTTPQuery {
        // A page of another origin can open a WebSocket without asking first; the browser only says where it is from.
        guard origins.allows(request.head) else { throw ProblemReport(.forbiddenOrigin) }
        if shard.context.tokens == nil { try HostPolicy.check(request.head, exchange.peer, shard.context.configuration) }
        return try request.head.checkedQuery()
    }

    /// Goes on with what a token grants, at once or when keys have been fetched, unless the client has gone meanwhile. What is wrong then is
    /// answered.
    ///
    /// - Parameter source: whom a check is counted for; `nil` where that has been done.
    /// - Throws: that there is no token.
    func check(
        _ token: [UInt8]?, from source: SourceAddress?, _ request: HTTPRequest, _ exchange: any HTTPExchange,
        _ body: @escaping (Result<ClientGrant, TokenRefusal>) throws(ProblemReport) -> Void
    ) throws(ProblemReport) {
        guard let token else {
            shard.counters.count(.missing)
            throw ProblemReport(.unauthorized, AuthError.missing.message)
        }
        let remote = shard.context.audit.map { _ in exchange.remoteText }
        shard.check(token, from: source, remote: remote) { result in
            guard exchange.isAwaited else { return }
            do throws(ProblemReport) {
                try body(result)
            } catch {
                exchange.respond(refusal(error, of: request.head, request.match))
            }
        }
    }

    /// Lets a client in that says who it is, or does not have to.
    func authenticate(_ clientRequest: ClientRequest, _ query: HTTPQuery, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let request = clientRequest.request
        if clientRequest.opensStream, let disconnect = try checkAdmission(request, exchange) {
            return try reject(clientRequest, disconnect, exchange)
        }
        guard shard.context.tokens != nil else { return try enter(clientRequest, shard.context.openGrant.grant, exchange) }
        let credential = try ClientCredential.find(in: request.head, query: query, isWebSocket: clientRequest.path.isWebSocket)
        // It may say so in its first frame.
        if credential.token == nil, clientRequest.path.isWebSocket { return try enter(clientRequest, nil, exchange) }
        if case .subprotocol = credential, !request.head.subprotocols.contains(where: { $0 == ClientCredential.subprotocol }) {
            throw ProblemReport(.badRequest, "offer the subprotocol \(ClientCredential.subprotocol) beside the one that carries the token")
        }
        let source = clientRequest.opensStream ? nil : self.source(request, exchange)
        try check(credential.token, from: source, request, exchange) { result throws(ProblemReport) in
            // Keys may have been waited for, and other requests have come meanwhile.
            if clientRequest.opensStream { try requireSole(exchange) }
            switch result {
            case .success(let grant): try enter(clientRequest, grant, exchange)
            case .failure(let refusal):
                if !clientRequest.path.isWebSocket || credential.seesStatus { throw refusal.report }
                let reason = refusal.closeReason
                try reject(clientRequest, reason == .tryLater ? shard.admission.disconnect(reason) : Disconnect(reason), exchange)
            }
        }
    }
}
