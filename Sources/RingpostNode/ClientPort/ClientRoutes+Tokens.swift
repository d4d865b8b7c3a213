// Who a client is, before anything is made for it: first whether there is room for anybody at all, which is cheap, then its token.
import NIOCore
import RingpostCore
import RingpostWire

extension ClientRoutes {
    /// Lets a client in that says who it is, or does not have to.
    func authenticate(_ clientRequest: ClientRequest, _ query: HTTPQuery, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let request = clientRequest.request
        if clientRequest.opensStream, let disconnect = try checkAdmission(request, exchange) {
            return try reject(clientRequest, disconnect, exchange)
        }
        guard shard.context.tokens != nil else { return try enter(clientRequest, shard.context.openGrant.grant, exchange) }
        let credential = try ClientCredential.find(in: request.head, query: query, isWebSocket: clientRequest.path.isWebSocket)
        guard let token = credential.token else {
            // It may say so in its first frame.
            if clientRequest.path.isWebSocket { return try enter(clientRequest, nil, exchange) }
            shard.counters.count(.missing)
            throw ProblemReport(.unauthorized, AuthError.missing.message)
        }
        if case .subprotocol = credential, !request.head.subprotocols.contains(where: { $0 == ClientCredential.subprotocol }) {
            throw ProblemReport(.badRequest, "offer the subprotocol \(ClientCredential.subprotocol) beside the one that carries the token")
        }
        let remote = shard.context.audit.map { _ in exchange.remoteText }
        shard.check(token, from: clientRequest.opensStream ? nil : source(request, exchange), remote: remote) { result in
            guard exchange.isAwaited else { return }
            do throws(ProblemReport) {
                // Keys may have been waited for, and other requests have come meanwhile.
                if clientRequest.opensStream { try requireSole(exchange) }
                switch result {
                case .success(let grant): try enter(clientRequest, grant, exchange)
                case .failure(let refusal):
                    if !clientRequest.path.isWebSocket || credential.seesStatus { throw refusal.report }
                    let reason = refusal.closeReason
                    try reject(clientRequest, reason == .tryLater ? shard.admission.disconnect(reason) : Disconnect(reason), exchange)
                }
            } catch {
                exchange.respond(self.refusal(error, of: request.head, request.match))
            }
        }
    }
}
