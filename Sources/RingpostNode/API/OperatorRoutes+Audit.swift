// What the API port tells the audit log: each order with what came of it, and who was refused.
import NIOCore
import RingpostCore
import RingpostWire

extension OperatorRoutes {
    /// Answers an order, and has it written down with its result.
    ///
    /// - Parameter target: on whom.
    func respond(
        _ response: EventLoopFuture<HTTPResponse>, toOrder order: String, on target: String, _ request: HTTPRequest, _ grant: APIGrant,
        _ exchange: any HTTPExchange
    ) {
        if let audit = context.audit {
            let entry = AuditEntry(order: order, on: target, key: grant.id, from: exchange.remoteText)
            response.whenComplete { audit.record(entry.with(result: Self.word($0))) }
        }
        exchange.respond(response, to: request.head, shard: shard)
    }

    private static func word(_ result: Result<HTTPResponse, any Error>) -> String {
        switch result {
        case .success(let response) where response.status == 202: "accepted"
        case .success(let response) where response.status < 300: "done"
        case .success(let response): "HTTP \(response.status)"
        case .failure(let report as ProblemReport): report.problem.code
        case .failure: Problem.internalError.code
        }
    }
}

extension Shard {
    /// Somebody has asked without a good key, or for what the key is not for.
    func auditRefusal(_ report: ProblemReport, _ head: HTTPRequestHead, _ peer: HTTPPeer, from remote: @autoclosure () -> String) {
        guard let audit = context.audit else { return }
        switch report.problem {
        case .unauthorized, .forbidden, .forbiddenOrigin: break
        default: return
        }
        let isStranger = report.problem == .unauthorized
        let what = "\(head.methodText) \(head.pathText)"
        audit.recordRefusal(
            AuditEntry(
                refused: LogText.escaped(what), result: report.problem.code, key: isStranger ? nil : peer.apiKey?.grant.id,
                claimedKey: isStranger ? head.bearerToken.flatMap(APIKeyText.init)?.id : nil, from: remote()))
    }
}
