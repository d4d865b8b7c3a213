// Requests and answers of HTTP, and who makes the one of the other.
import NIOCore
import RingpostCore
import RingpostWire

/// A whole request, and the row of its port's table that it is for.
struct HTTPRequest {
    let head: HTTPRequestHead
    let body: ByteBuffer
    let match: RouteMatch
    /// What ``HTTPRoutes/authorize(_:_:_:remote:)`` has found.
    var grant: APIGrant?

    /// The name in the path, not decoded.
    var name: [UInt8] { match.name(in: head) }
}

extension HTTPRequestHead {
    /// The parameters of the request.
    ///
    /// - Throws: that they can't be read.
    func checkedQuery() throws(ProblemReport) -> HTTPQuery {
        guard let query = HTTPQuery(query ?? ByteBufferView()) else {
            throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
        }
        return query
    }
}

/// An answer.
struct HTTPResponse {
    var status = 200
    var headers: [HTTPResponseWriter.Header] = []
    var body: [UInt8] = []
    /// Answers HEAD at a path whose GET is a stream: there is no length that it could say.
    var isStreamHead = false

    static let jsonType: HTTPResponseWriter.Header = ("Content-Type", "application/json")

    static func json(_ body: [UInt8], status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: [jsonType], body: body)
    }

    static func text(_ text: String, status: Int = 200, type: String = "text/plain; charset=utf-8") -> HTTPResponse {
        HTTPResponse(status: status, headers: [("Content-Type", type)], body: Array(text.utf8))
    }

    /// - Parameter disconnect: when and where to come back, if that is known better than the table knows it.
    static func problem(_ problem: Problem, _ message: String? = nil, disconnect: Disconnect? = nil) -> HTTPResponse {
        var response = failure(status: problem.status, code: problem.code, message: message ?? problem.message, disconnect: disconnect)
        if let seconds = disconnect?.retryAfterSeconds ?? problem.retryAfterSeconds {
            response.headers.append(("Retry-After", "\(seconds)"))
        }
        // RFC 6750, 3: what kind of credential is expected.
        if problem == .unauthorized { response.headers.append(("WWW-Authenticate", "Bearer realm=\"ringpost\"")) }
        return response
    }

    /// There is something at the path, but not for this method.
    static func wrongMethod(_ allowed: [HTTPMethod]) -> HTTPResponse {
        var response = problem(.methodNotAllowed, "this path takes \(allowed.allow)")
        response.headers.append(("Allow", allowed.allow))
        return response
    }

    static func failure(status: Int, code: String, message: String, disconnect: Disconnect? = nil) -> HTTPResponse {
        var body = Array(#"{"error":{"code":"\#(code)","message":"#.utf8)
        JSONText.appendQuoted(message, to: &body)
        disconnect?.appendMembers(to: &body)
        body.append(contentsOf: "}}\n".utf8)
        return json(body, status: status)
    }
}

/// The routes of one port.
protocol HTTPRoutes {
    /// Which row of the port's table a request is for.
    func match(_ head: HTTPRequestHead) -> RouteMatch
    /// How large a body is taken.
    func body(_ match: RouteMatch) -> RouteBody
    /// Whether a request may be made, by its head, before anything of its body is taken; what its API key may do, on a port that asks for
    /// keys.
    ///
    /// - Throws: why it is refused.
    func authorize(
        _ head: HTTPRequestHead, _ match: RouteMatch, _ peer: HTTPPeer, remote: @autoclosure () -> String
    ) throws(ProblemReport) -> APIGrant?
    /// Answered whatever the node's state is.
    func isAlwaysAnswered(_ match: RouteMatch) -> Bool
    /// Answers a request that is authorized, now or later, once; or becomes a stream.
    func handle(_ request: HTTPRequest, on exchange: any HTTPExchange)
    /// The answer to a request that is refused.
    func refusal(_ report: ProblemReport, of head: HTTPRequestHead, _ match: RouteMatch) -> HTTPResponse
    /// Headers that every answer on this port carries.
    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header]
    /// Whoever comes here can be sent to another node; a producer stays as long as the node takes publishes.
    var isForClients: Bool { get }
}

extension HTTPRoutes {
    func refusal(_ report: ProblemReport, of head: HTTPRequestHead, _ match: RouteMatch) -> HTTPResponse {
        .problem(report.problem, report.message)
    }
}
