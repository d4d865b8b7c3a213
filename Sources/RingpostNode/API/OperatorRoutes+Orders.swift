// What operators tell nodes to do: `POST /v1/nodes/{id}/drain` and `/v1/nodes/{id}/weight`, on any node. It answers when the order
// has been taken, not when it is done: how far it is stands in `/v1/nodes`.
import FoundationEssentials
import NIOCore
import RingpostCore
import RingpostWire

extension OperatorRoutes {
    private struct WeightOrder: Decodable {
        let weight: UInt16
    }

    /// The node and the order's name. Ids need no percent-encoding.
    static func order(inPath path: String) -> (node: String, order: String)? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "v1", parts[2] == "nodes", ["drain", "weight"].contains(parts[4]) else {
            return nil
        }
        return (String(parts[3]), String(parts[4]))
    }

    func handle(_ name: String, to node: String, _ request: HTTPRequest, on connection: HTTPConnection) throws(ProblemReport) {
        guard request.head.method == .post else {
            var response = HTTPResponse.problem(.methodNotAllowed, "give orders with POST")
            response.headers.append(("Allow", "POST"))
            connection.respond(to: request.number, response)
            return
        }
        // A page that somebody happens to look at must not be able to stop a node.
        if request.head[.origin] != nil { throw ProblemReport(.forbiddenOrigin, "orders are not taken from web pages") }
        answer(request, on: connection, give(try Self.order(name, request), to: node))
    }

    /// Answers when the future does.
    func answer(_ request: HTTPRequest, on connection: HTTPConnection, _ response: EventLoopFuture<HTTPResponse>) {
        response.hop(to: shard.eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let response): connection.respond(to: request.number, response)
            case .failure(let report as ProblemReport):
                connection.respond(to: request.number, .problem(report.problem, report.message))
            case .failure(let error):
                shard.counters.handlerErrors += 1
                shard.logger.error(
                    "an operator's request failed", metadata: ["path": "\(LogText.escaped(request.head.pathText))", "error": "\(error)"])
                connection.respond(to: request.number, .problem(.internalError))
            }
        }
    }

    private static func order(_ name: String, _ request: HTTPRequest) throws(ProblemReport) -> OperatorOrder {
        if name == "drain" { return .drain }
        let order = try JSONDocument.decode(
            WeightOrder.self, from: request.body, usage: #"send {"weight":100}, a whole number from 0 to 65535"#)
        return .weight(order.weight)
    }

    private func give(_ order: OperatorOrder, to node: String) -> EventLoopFuture<HTTPResponse> {
        let shared = shard.shared
        if node == shared.configuration.id {
            let promise = shard.eventLoop.makePromise(of: HTTPResponse.self)
            promise.completeWithTask { Self.response(to: order, node, await shared.perform(order)) }
            return promise.futureResult
        }
        guard let view = shared.view else { return shard.eventLoop.makeSucceededFuture(Self.response(to: order, node, .notInARing)) }
        guard view.member(node) != nil else { return shard.eventLoop.makeSucceededFuture(Self.unknown(node, view)) }
        guard let link = view.member(node).flatMap({ shard.links.link(to: $0.identity) }) else {
            return shard.eventLoop.makeSucceededFuture(Self.silent(node))
        }
        return shard.group.ask(link, order.question, argument: order.argument, from: shard).map { json in
            guard let json, let answer = try? JSONDecoder().decode(OperatorAnswer.self, from: Data(json)) else { return Self.silent(node) }
            return Self.response(to: order, node, answer)
        }
    }

    private struct Accepted: Encodable {
        let node: String
        let weight: UInt16?
    }

    private static func response(to order: OperatorOrder, _ node: String, _ answer: OperatorAnswer) -> HTTPResponse {
        if let code = answer.code {
            let status = code == OperatorAnswer.notYet.code ? 503 : 409
            return .failure(status: status, code: code, message: "\(node): \(answer.message ?? code)")
        }
        let weight: UInt16? = if case .weight(let weight) = order { weight } else { nil }
        return .json(JSONDocument.encode(Accepted(node: node, weight: weight)), status: 202)
    }

    private static func unknown(_ node: String, _ view: MembershipView) -> HTTPResponse {
        let ids = view.members.map(\.id).sorted().joined(separator: ", ")
        return .failure(
            status: 404, code: "unknown_node", message: "no member is called \"\(LogText.escaped(node))\"; members: \(ids)")
    }

    /// It is a member, but this node has no link with it or it says nothing: another node may reach it.
    private static func silent(_ node: String) -> HTTPResponse {
        .failure(status: 503, code: "no_answer", message: "\(node) doesn't answer this node; ask another node, or that one itself")
    }
}
