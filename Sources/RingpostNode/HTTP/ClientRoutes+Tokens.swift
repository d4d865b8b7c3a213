// Who a client is, before anything is made for it: first whether there is room for anybody at all, which is cheap, then its token.
import NIOCore
import RingpostCore
import RingpostWire

extension ClientRoutes {
    /// Lets a client in that says who it is, or does not have to.
    func authenticate(_ clientRequest: ClientRequest, _ query: HTTPQuery, _ connection: HTTPConnection) throws(ProblemReport) {
        let request = clientRequest.request
        if clientRequest.path.isStream, let disconnect = try checkAdmission(request, connection) {
            return try reject(clientRequest, disconnect, connection)
        }
        guard shard.shared.tokens != nil else { return try enter(clientRequest, shard.shared.openGrant.grant, connection) }
        let credential = try ClientCredential.find(in: request.head, query: query, isWebSocket: clientRequest.isWebSocket)
        guard let token = credential.token else {
            // It may say so in its first frame.
            if clientRequest.isWebSocket { return try enter(clientRequest, nil, connection) }
            shard.counters.count(.missing)
            throw ProblemReport(.unauthorized, AuthError.missing.message)
        }
        if case .subprotocol = credential, !request.head.subprotocols.contains(where: { $0 == ClientCredential.subprotocol }) {
            throw ProblemReport(.badRequest, "offer the subprotocol \(ClientCredential.subprotocol) beside the one that carries the token")
        }
        shard.check(token, from: clientRequest.path.isStream ? nil : source(request, connection)) { [weak connection] result in
            guard let connection, connection.awaitsAnswer(request.number) else { return }
            do throws(ProblemReport) {
                switch result {
                case .success(let grant): try enter(clientRequest, grant, connection)
                case .failure(let refusal):
                    if !clientRequest.isWebSocket || credential.seesStatus { throw refusal.report }
                    let reason = refusal.closeReason
                    try reject(clientRequest, reason == .tryLater ? shard.admission.disconnect(reason) : Disconnect(reason), connection)
                }
            } catch {
                connection.respond(to: request.number, response(to: request.head, refusing: error))
            }
        }
    }
}
