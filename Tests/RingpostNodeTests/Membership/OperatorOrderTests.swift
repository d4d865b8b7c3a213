// Orders on the API port and on links: what is none, and what is refused before it reaches a node. What comes of those that are
// taken is tested with the drain.
import NIOEmbedded
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct OperatorOrderTests {
    @Test(arguments: [OperatorOrder.drain, .weight(0), .weight(100), .weight(65_535)]) func thereAndBack(order: OperatorOrder) {
        #expect(OperatorOrder(order.question, order.argument) == order)
    }

    @Test func whatIsNoOrder() {
        #expect(OperatorOrder(.status, []) == nil)
        #expect(OperatorOrder(.drain, [1]) == nil)
        for argument: [UInt8] in [[], [1], [1, 2, 3]] { #expect(OperatorOrder(.weight, argument) == nil) }
    }

    private func answer(_ line: String, headers: String = "", body: String = "") throws -> String {
        let node = try EmbeddedNode()
        let channel = try node.apiConnection()
        let length = "Content-Length: \(body.utf8.count)\r\n"
        try channel.arrive("\(line) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(headers)\(length)\r\n\(body)")
        return try channel.leaving()
    }

    @Test func ordersAreGivenWithPost() throws {
        let answer = try answer("GET /v1/nodes/n1/drain")
        #expect(answer.hasPrefix("HTTP/1.1 405 ") && answer.contains("Allow: POST\r\n"), "\(answer)")
    }

    @Test func noPageGivesOrders() throws {
        for origin in ["http://localhost:3000", "https://evil.example", "null"] {
            let answer = try answer("POST /v1/nodes/n1/drain", headers: "Origin: \(origin)\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 403 ") && answer.contains(#""code":"forbidden_origin""#), "\(answer)")
        }
    }

    @Test(arguments: ["", "{}", "100", #"{"weight":-1}"#, #"{"weight":65536}"#, #"{"weight":1.5}"#, #"{"weight":"1"}"#])
    func badWeights(body: String) throws {
        let answer = try answer("POST /v1/nodes/n1/weight", body: body)
        #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains(#""code":"bad_parameter""#), "\(answer)")
    }

    @Test func anUnknownNode() throws {
        let answer = try answer("POST /v1/nodes/n9/drain")
        #expect(answer.hasPrefix("HTTP/1.1 404 ") && answer.contains(#""code":"unknown_node""#), "\(answer)")
        #expect(answer.contains(#"no member is called \"n9\"; members: n1"#), "\(answer)")
    }

    @Test(arguments: ["/v1/nodes/n1", "/v1/nodes/n1/stop", "/v1/nodes/n1/drain/now", "/v1/nodes//drain/x"]) func noSuchPath(path: String)
        throws
    {
        let answer = try answer("POST \(path)")
        #expect(answer.hasPrefix("HTTP/1.1 404 ") && answer.contains(#""code":"not_found""#), "\(answer)")
    }
}
