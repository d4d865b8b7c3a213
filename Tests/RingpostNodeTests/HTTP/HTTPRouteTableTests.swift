// What paths and methods come to, on both ports.
import NIOCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct HTTPRouteTableTests {
    private static func head(_ line: String) throws -> HTTPRequestHead {
        var parser = HTTPRequestParser()
        let length = line.hasPrefix("POST") ? "Content-Length: 0\r\n" : ""
        var bytes = ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: x\r\n\(length)\r\n")
        guard case .head(let head) = try parser.next(&bytes) else { throw NodeError("no head: \(line)") }
        return head
    }

    /// The row's path, and the name in the request's.
    private static func found<Handler>(_ line: String, in table: HTTPRouteTable<Handler>) throws -> String {
        let head = try head(line)
        let match = table.match(head)
        switch match {
        case .found(let routeIndex, _):
            let request = HTTPRequest(head: head, body: ByteBuffer(), match: match)
            return "\(table.routes[routeIndex].path) '\(String(decoding: request.name, as: UTF8.self))'"
        case .wrongMethod(let allowed): return "405 \(allowed.allow)"
        case .nothing: return "404"
        }
    }

    @Test(arguments: [
        ("POST /v1/users/alice/messages", "/v1/users/{user}/messages 'alice'"),
        ("POST /v1/channels/a%2Fb/messages?x=1", "/v1/channels/{channel}/messages 'a%2Fb'"),
        ("POST /v1/users//messages", "/v1/users/{user}/messages ''"),
        ("POST /v1/users/alice/messages/", "/v1/users/{user}/messages 'alice'"),
        ("POST /v1/messages", "/v1/messages ''"), ("POST /v1/messages/", "/v1/messages ''"),
        ("GET /v1/users/messages", "/v1/users/{user} 'messages'"), ("HEAD /v1/users/alice/", "/v1/users/{user} 'alice'"),
        ("GET /v1/users/", "404"), ("GET /v1/users", "404"), ("GET /v1/users/a/b", "404"), ("POST /v1/users/a/b/messages", "404"),
        ("GET /v1/users/a//", "404"), ("GET /", "404"), ("GET //", "404"), ("OPTIONS *", "404"), ("GET /healthz/", "/healthz ''"),
        ("GET /v1/users/alice/messages?limit=1", "/v1/users/{user}/messages 'alice'"),
        ("HEAD /v1/channels/room/messages", "/v1/channels/{channel}/messages 'room'"),
        ("DELETE /v1/users/alice/messages", "405 POST, GET, HEAD"), ("POST /v1/users/alice", "405 GET, HEAD"),
        ("DELETE /v1/revocations", "405 GET, HEAD, POST"),
        ("POST /healthz", "405 GET, HEAD"), ("POST /v1/nodes/n1/drain", "/v1/nodes/{node}/drain 'n1'"),
        ("POST /v1/nodes/n1/forget", "/v1/nodes/{node}/forget 'n1'"), ("GET /v1/nodes/n1/forget", "405 POST"),
        ("GET /v1/revocations", "/v1/revocations ''"), ("POST /v1/revocations", "/v1/revocations ''"),
    ])
    func ofTheAPIPort(line: String, expected: String) throws {
        #expect(try Self.found(line, in: APIRoutes.table) == expected)
    }

    @Test(arguments: [
        ("GET /v1/ws", "/v1/ws ''"), ("HEAD /v1/poll", "/v1/poll ''"), ("GET /v1/history?user=a", "/v1/history ''"),
        ("GET /v1/poll/?user=a", "/v1/poll ''"), ("GET /v1/pol", "404"),
        ("GET /v1/polls", "404"), ("HEAD /readyz", "/readyz ''"), ("OPTIONS /v1/poll", "405 GET, HEAD"), ("POST /v1/ws", "405 GET, HEAD"),
    ])
    func ofTheClientPort(line: String, expected: String) throws {
        #expect(try Self.found(line, in: ClientRoutes.table) == expected)
    }

    /// The first row would be hidden otherwise.
    @Test func noRowStandsTwice() {
        let rows = APIRoutes.table.routes.map { "\($0.method.name) \($0.path)" }
        #expect(Set(rows).count == rows.count)
    }

    /// One that is larger is boxed, with each message.
    @Test func anExchangeNeedsNoMemoryOfItsOwn() { #expect(MemoryLayout<HTTP1Exchange>.size <= 3 * MemoryLayout<Int>.size) }
}
