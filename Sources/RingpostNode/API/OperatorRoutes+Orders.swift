// What operators tell nodes to do: `POST /v1/nodes/{id}/drain` and `/v1/nodes/{id}/weight`, on any node. It answers when the order
// has been taken, not when it is done: how far it is stands in `/v1/nodes`. `/v1/nodes/{id}/forget` is about a node that is gone for good:
// the node that is asked carries it out itself.
import FoundationEssentials
import NIOCore
import RingpostCore
import RingpostWire

extension OperatorRoutes {
    func drain(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) { give(.drain, request, grant, exchange) }

    func setWeight(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let order = try JSONDocument.decode(
            WeightOrder.self, from: request.body, usage: #"send {"weight":100}, a whole number from 0 to 65535"#, or: .badParameter)
        give(.weight(order.weight), request, grant, exchange)
    }

    func forget(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) {
        let node = String(decoding: request.name, as: UTF8.self)
        let (context, promise) = (shard.context, shard.eventLoop.makePromise(of: HTTPResponse.self))
        context.loops.complete(promise) {
            guard let refusal = await context.forget(node) else { return .json(JSONDocument.encode(OrderReport(node: node))) }
            return .failure(status: refusal.status, code: refusal.code, message: refusal.message)
        }
        respond(promise.futureResult, toOrder: "forget", on: node, request, grant, exchange)
    }

    /// Ids need no percent-encoding.
    private func give(_ order: OperatorOrder, _ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) {
        let node = String(decoding: request.name, as: UTF8.self)
        respond(give(order, to: node), toOrder: order.text, on: node, request, grant, exchange)
    }

    private func give(_ order: OperatorOrder, to node: String) -> EventLoopFuture<HTTPResponse> {
        let context = shard.context
        if node == context.configuration.id {
            let promise = shard.eventLoop.makePromise(of: HTTPResponse.self)
            context.loops.complete(promise) { Self.response(to: order, node, await context.perform(order)) }
            return promise.futureResult
        }
        guard let view = context.view else { return shard.eventLoop.makeSucceededFuture(Self.response(to: order, node, .notInARing)) }
        guard view.member(node) != nil else { return shard.eventLoop.makeSucceededFuture(Self.unknown(node, view)) }
        guard let link = view.member(node).flatMap({ shard.links.link(to: $0.identity) }) else {
            return shard.eventLoop.makeSucceededFuture(Self.silent(node))
        }
        return shard.group.ask(link, order.question, argument: order.argument, from: shard).map { json in
            guard let json, let answer = try? JSONDecoder().decode(OperatorAnswer.self, from: Data(json)) else { return Self.silent(node) }
            return Self.response(to: order, node, answer)
        }
    }

    private static func response(to order: OperatorOrder, _ node: String, _ answer: OperatorAnswer) -> HTTPResponse {
        if let code = answer.code {
            let status = code == OperatorAnswer.notYet.code ? 503 : 409
            return .failure(status: status, code: code, message: "\(node): \(answer.message ?? code)")
        }
        let weight: UInt16? = if case .weight(let weight) = order { weight } else { nil }
        return .json(JSONDocument.encode(OrderReport(node: node, weight: weight)), status: 202)
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

extension ForgetRefusal {
    fileprivate var status: Int {
        switch self {
        case .unknown: 404
        case .isMember, .unreadable, .isAlive, .changed, .alone: 409
        case .unavailable: 503
        }
    }
}
