// Clients that break the WebSocket protocol, come from strange pages, or don't take what they are sent.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct BadSockets {
        private struct Abuse: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let bytes: [UInt8]
            /// The close codes that are right.
            let codes: [Int]

            init(_ what: String, _ bytes: [UInt8], _ codes: Int...) {
                testDescription = what
                self.bytes = bytes
                self.codes = codes
            }
        }

        private static let abuses = [
            Abuse("2^63 bytes", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1002, 1009),
            Abuse("2^63 - 1 bytes", [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], 1009),
            Abuse("too large a message", [0x81, 0xFF, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0], 1009),
            Abuse("unmasked", [0x81, 0x01, 0x61], 1002),
            Abuse("text that is no UTF-8", RawWebSocket.masked(0x81, [0xC3, 0x28]), 1007),
            Abuse("half a character", RawWebSocket.masked(0x81, [0x61, 0xC3]), 1007),
            Abuse("a reserved bit", RawWebSocket.masked(0xC1, [0x61]), 1002),
            Abuse("a reserved opcode", RawWebSocket.masked(0x83, []), 1002),
            Abuse("a fragmented ping", RawWebSocket.masked(0x09, []), 1002),
            Abuse("a long ping", RawWebSocket.masked(0x89, [UInt8](repeating: 0, count: 126)), 1002),
            Abuse("nothing to continue", RawWebSocket.masked(0x80, [0x61]), 1002),
            Abuse("a message within a message", RawWebSocket.masked(0x01, [0x61]) + RawWebSocket.masked(0x81, [0x61]), 1002),
            Abuse("a length in too long a form", [0x82, 0xFE, 0, 1, 0, 0, 0, 0, 0x61], 1002),
            Abuse("a close of one byte", RawWebSocket.masked(0x88, [3]), 1002),
            Abuse("a close code that nobody sends", RawWebSocket.masked(0x88, [0x03, 0xED]), 1002),
        ]

        @Test(arguments: abuses) private func itIsClosedWithAReason(abuse: Abuse) async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let socket = try await RawWebSocket(witness.node, user: "abuser")
            #expect(try await socket.frame().text.contains("attached"))
            try await socket.connection.send(abuse.bytes)
            let close = try await socket.close()
            #expect(abuse.codes.contains { close.hasPrefix("\($0) stop: ") }, "\(close)")
            _ = try await socket.connection.receiveToEnd(seconds: 20)
            let reason = close.hasPrefix("1009") ? "too_large" : "protocol_error"
            try await witness.waitForCount(#"ringpost_sockets_closed_total{reason="\#(reason)"}"#, since: before)
            try await witness.node.waitForSockets(0, of: "abuser")
            try await witness.stillReceives()
        }

        @Test func aPingIsAnsweredAndACloseIsReturned() async throws {
            let witness = try await Witness.atLoner()
            let socket = try await RawWebSocket(witness.node, user: "polite")
            _ = try await socket.frame()
            // Byte by byte, as a bad network would bring them.
            for byte in RawWebSocket.masked(0x89, Array("are you there?".utf8)) { try await socket.connection.send([byte]) }
            #expect(try await socket.frame() == RawFrame(opcode: 10, payload: Array("are you there?".utf8)))
            try await socket.connection.send(RawWebSocket.masked(0x88, [0x03, 0xE8]))
            #expect(try await socket.close().hasPrefix("1000"))
            _ = try await socket.connection.receiveToEnd(seconds: 20)
        }

        @Test func requestsThatAreNoUpgrade() async throws {
            let witness = try await Witness.atLoner()
            let path = "/v1/ws?user=alice"
            let plain = try await RawConnection.exchange(port: witness.node.client, "GET", path)
            #expect(plain.status == 426)
            #expect(plain.errorCode == "upgrade_required")
            func upgrade(_ changes: [String: String]) async throws -> HTTPAnswer {
                let headers = RawWebSocket.upgrade.merging(changes) { $1 }
                let connection = try RawConnection(port: witness.node.client)
                try await connection.send(RawConnection.request("GET", path, headers: headers))
                return try await connection.answer()
            }
            let old = try await upgrade(["Sec-WebSocket-Version": "8"])
            #expect(old.status == 426)
            #expect(old.headers["sec-websocket-version"] == "13")
            for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ"] {
                let bad = try await upgrade(["Sec-WebSocket-Key": key])
                #expect(bad.status == 400, "\(key)")
                #expect(bad.errorCode == "bad_request", "\(key)")
            }
            #expect(try await upgrade(["Connection": "keep-alive"]).status == 400)
            let twice = try await RawConnection.exchange(port: witness.node.client, "GET", "/v1/poll?user=a&user=b&wait=0")
            #expect(twice.errorCode == "bad_parameter")
            #expect(try await RawConnection.exchange(port: witness.node.client, "GET", "/v1/poll?user=a&wait=x").status == 400)
            let unknown = try await RawConnection.exchange(port: witness.node.client, "GET", "/")
            #expect(unknown.errorCode == "not_found")
            let post = try await RawConnection.exchange(port: witness.node.client, "POST", path, body: [])
            #expect(post.status == 405)
            #expect(post.headers["allow"] == "GET, HEAD, OPTIONS")
            try await witness.stillReceives()
        }

        @Test func pagesOfStrangeOriginsStayOutside() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let strangers = [
                "https://example.com", "null", "http://localhost.example.com", "http://127.0.0.1.example.com", "file://",
                "http://127.0.0.1@example.com",
            ]
            for origin in strangers {
                for path in ["ws", "sse", "poll"] {
                    let headers = (path == "ws" ? RawWebSocket.upgrade : ["Connection": "close"]).merging(["Origin": origin]) { $1 }
                    let connection = try RawConnection(port: witness.node.client)
                    try await connection.send(RawConnection.request("GET", "/v1/\(path)?user=alice&wait=0", headers: headers))
                    let answer = try await connection.answer()
                    #expect(answer.status == 403, "\(path) from \(origin)")
                    #expect(answer.errorCode == "forbidden_origin")
                    #expect(answer.headers["access-control-allow-origin"] == nil)
                }
                let preflight = try await RawConnection.exchange(
                    port: witness.node.client, "OPTIONS", "/v1/sse", headers: ["Origin": origin, "Access-Control-Request-Method": "GET"])
                #expect(preflight.status == 403)
            }
            try await witness.waitForCount(
                #"ringpost_http_errors_total{status="403"}"#, since: before, by: Double(strangers.count * 4))
            try await witness.stillReceives()
        }

        @Test(arguments: ["http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:80", "http://app.localhost"])
        func pagesOfLoopbackOriginsAreWelcome(origin: String) async throws {
            let node = try await Shared.loner()
            let poll = try await RawConnection.exchange(
                port: node.client, "GET", "/v1/poll?user=alice&wait=0", headers: ["Origin": origin])
            #expect(poll.status == 200)
            #expect(poll.headers["access-control-allow-origin"] == origin)
            #expect(poll.headers["vary"]?.lowercased() == "origin")
            let bad = try await RawConnection.exchange(port: node.client, "GET", "/v1/poll?user=", headers: ["Origin": origin])
            #expect(bad.headers["access-control-allow-origin"] == origin, "a page may read the reason")
            let preflight = try await RawConnection.exchange(
                port: node.client, "OPTIONS", "/v1/sse", headers: ["Origin": origin, "Access-Control-Request-Headers": "last-event-id"])
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-origin"] == origin)
            #expect(preflight.headers["access-control-allow-methods"]?.contains("GET") == true)
            #expect(preflight.headers["access-control-allow-headers"]?.lowercased().contains("last-event-id") == true)
            let connection = try RawConnection(port: node.client)
            try await connection.send(RawConnection.request("GET", "/v1/sse?user=alice", headers: ["Origin": origin]))
            #expect(try await connection.answer().headers["access-control-allow-origin"] == origin)
        }
    }
}
