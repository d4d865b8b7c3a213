// Who a client is, before anything is made for it: first whether there is room for anybody at all, which is cheap, then its token.
import NIOCore
import RingpostCore
import RingpostWire

extension ClientRoutes {
    /// Lets a client in that says who it is, or does not have to.
    func authenticate(_ visit: Visit, _ query: HTTPQuery, _ connection: HTTPConnection) throws(ProblemReport) {
        let request = visit.request
        if visit.path.isStream, let farewell = try knock(request, connection) { return try turnAway(visit, farewell, connection) }
        guard loop.shared.tokens != nil else { return try enter(visit, loop.shared.openGrant.grant, connection) }
        let credential = try ClientCredential.find(in: request.head, query: query, isWebSocket: visit.isWebSocket)
        guard let token = credential.token else {
            // It may say so in its first frame.
            if visit.isWebSocket { return try enter(visit, nil, connection) }
            loop.counters.count(.missing)
            throw ProblemReport(.unauthorized, Distrust.missing.message)
        }
        if case .subprotocol = credential, !request.head.subprotocols.contains(where: { $0 == ClientCredential.subprotocol }) {
            throw ProblemReport(.badRequest, "offer the subprotocol \(ClientCredential.subprotocol) beside the one that carries the token")
        }
        loop.check(token, from: visit.path.isStream ? nil : source(request, connection)) { [weak connection] result in
            guard let connection, connection.awaitsAnswer(request.number) else { return }
            do throws(ProblemReport) {
                switch result {
                case .success(let grant): try enter(visit, grant, connection)
                case .failure(let refusal):
                    if !visit.isWebSocket || credential.seesStatus { throw refusal.report }
                    let reason = refusal.closeReason
                    try turnAway(visit, reason == .tryLater ? loop.door.farewell(reason) : Farewell(reason), connection)
                }
            } catch {
                connection.respond(to: request.number, .problem(error.problem, error.message))
            }
        }
    }
}
