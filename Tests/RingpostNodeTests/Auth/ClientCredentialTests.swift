// Where a client's token stands in its request, and that there is one in one place.

import NIOCore
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct ClientCredentialTests {
    private static func find(_ headers: [String], query: String = "user=a", isWebSocket: Bool = true) throws -> ClientCredential {
        var parser = HTTPRequestParser()
        var input = ByteBuffer(string: (["GET /v1/ws?\(query) HTTP/1.1", "Host: x"] + headers).joined(separator: "\r\n") + "\r\n\r\n")
        guard case .head(let head) = try parser.next(&input) else { throw NodeError("no head") }
        let parsed = try #require(HTTPQuery(head.query ?? ByteBufferView()))
        return try ClientCredential.find(in: head, query: parsed, isWebSocket: isWebSocket)
    }

    private static func refusal(_ headers: [String], query: String = "user=a", isWebSocket: Bool = true) throws -> Problem? {
        do {
            _ = try find(headers, query: query, isWebSocket: isWebSocket)
            return nil
        } catch let report as ProblemReport {
            return report.problem
        }
    }

    private static let header = "Authorization: Bearer a.b.c"
    private static let offer = "Sec-WebSocket-Protocol: ringpost.v1, ringpost.token.a.b.c"
    private static let token = Array("a.b.c".utf8)

    @Test func eachPlace() throws {
        #expect(try Self.find([Self.header]) == .header(Self.token))
        #expect(try Self.find(["Authorization: bearer   a.b.c"]) == .header(Self.token))
        #expect(try Self.find([], query: "access_token=a.b.c&user=a") == .query(Self.token))
        #expect(try Self.find([], query: "access_token=a%2Eb.c") == .query(Self.token))
        #expect(try Self.find([Self.offer]) == .subprotocol(Self.token))
        #expect(try Self.find(["Sec-WebSocket-Protocol: ringpost.token.a.b.c ,\tringpost.v1"]) == .subprotocol(Self.token))
        #expect(
            try Self.find(["Sec-WebSocket-Protocol: ringpost.v1", "Sec-WebSocket-Protocol: ringpost.token.a.b.c"])
                == .subprotocol(Self.token))
        #expect(try Self.find([]) == .none)
        #expect(try Self.find(["Sec-WebSocket-Protocol: chat, ringpost.v1"]) == .none)
        #expect(try Self.find([Self.offer], isWebSocket: false) == .none, "a subprotocol is a WebSocket's")
    }

    @Test func onlyAProgramSeesAStatus() throws {
        #expect(try Self.find([Self.header]).seesStatus)
        #expect(try !Self.find([], query: "access_token=a.b.c").seesStatus)
        #expect(try !Self.find([Self.offer]).seesStatus)
        #expect(try !Self.find([]).seesStatus)
    }

    @Test func twoPlacesAreRefused() throws {
        #expect(try Self.refusal([Self.header], query: "access_token=a.b.c") == .unauthorized)
        #expect(try Self.refusal([Self.header, Self.offer]) == .unauthorized)
        #expect(try Self.refusal([Self.offer], query: "access_token=a.b.c") == .unauthorized)
        #expect(try Self.refusal([], query: "access_token=a.b.c&access_token=a.b.c") == .unauthorized)
        #expect(try Self.refusal(["Sec-WebSocket-Protocol: ringpost.token.a.b.c, ringpost.token.d.e.f"]) == .unauthorized)
        #expect(throws: HTTPRequestError.self) { try Self.find([Self.header, Self.header]) }
    }

    @Test(arguments: ["Basic YTpi", "Bearer", "Bearer ", "a.b.c", "Bearera.b.c", "Digest Bearer a.b.c"])
    func anotherKindOfCredentialIsRefused(value: String) throws {
        #expect(try Self.refusal(["Authorization: \(value)"]) == .unauthorized)
    }

    @Test func anEmptyOneIsOneAllTheSame() throws {
        #expect(try Self.find([], query: "access_token=") == .query([]), "and no token, so that it is refused")
    }
}
