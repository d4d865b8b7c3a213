// Requests and answers of HTTP, and who makes the one of the other.
import NIOCore
import RingpostCore
import RingpostWire

/// A whole request.
struct HTTPRequest {
    let head: HTTPRequestHead
    let body: ByteBuffer
    /// Where its answer goes.
    let number: UInt64
}

/// An answer.
struct HTTPResponse {
    var status = 200
    var headers: [HTTPResponseWriter.Header] = []
    var body: [UInt8] = []

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

    static func failure(status: Int, code: String, message: String, disconnect: Disconnect? = nil) -> HTTPResponse {
        var body = Array(#"{"error":{"code":"\#(code)","message":"#.utf8)
        JSONText.appendQuoted(message, to: &body)
        disconnect?.appendMembers(to: &body)
        body.append(contentsOf: "}}\n".utf8)
        return json(body, status: status)
    }
}

extension HTTPRoutes {
    func response(to head: HTTPRequestHead, refusing report: ProblemReport) -> HTTPResponse { .problem(report.problem, report.message) }
}

/// The routes of one port.
protocol HTTPRoutes {
    /// Answers now or later with ``HTTPConnection/respond(to:_:)``, once; or takes the connection over.
    func handle(_ request: HTTPRequest, on connection: HTTPConnection)
    /// The answer to a request that is refused.
    func response(to head: HTTPRequestHead, refusing report: ProblemReport) -> HTTPResponse
    /// Headers that every answer on this port carries.
    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header]
    /// The largest body that the path takes, in bytes.
    func bodyBytesMax(for head: HTTPRequestHead) -> Int
    /// Answered whatever the node's state is.
    func isAlwaysAnswered(_ head: HTTPRequestHead) -> Bool
    /// Whoever comes here can be sent to another node; a producer stays as long as the node takes publishes.
    var isForClients: Bool { get }
}
