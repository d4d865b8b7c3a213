// Requests that make no sense: each is answered with a reason, counted, and no other connection notices.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct BadRequests {
        private static let badNames = [
            "", String(repeating: "x", count: 257), "%00", "a%1Fb", "%7F", "a%0Ab", "%C2%85", "%FF", "%C3", "%ED%A0%80", "%F4%90%80%80",
        ]

        @Test func namesThatAreNoNames() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            for name in Self.badNames {
                let publish = try await RawConnection.exchange(
                    port: witness.node.api, "POST", "/v1/users/\(name)/messages", body: Array("x".utf8))
                #expect(publish.status == 400, "publish to \(name)")
                #expect(publish.errorCode == "bad_name", "publish to \(name)")
                for path in ["poll", "sse", "locate"] {
                    let answer = try await RawConnection.exchange(port: witness.node.client, "GET", "/v1/\(path)?user=\(name)&wait=0")
                    #expect(answer.status == 400, "\(path) for \(name)")
                    #expect(answer.errorCode == "bad_name", "\(path) for \(name)")
                }
                let socket = try await RawConnection.exchange(
                    port: witness.node.client, "GET", "/v1/ws?user=\(name)", headers: RawWebSocket.upgrade)
                #expect(socket.status == 400, "WebSocket for \(name)")
            }
            for name in ["%", "%4", "%zz", "a%"] {
                let publish = try await RawConnection.exchange(
                    port: witness.node.api, "POST", "/v1/users/\(name)/messages", body: Array("x".utf8))
                #expect(publish.status == 400)
                #expect(publish.errorCode == "bad_name")
                let poll = try await RawConnection.exchange(port: witness.node.client, "GET", "/v1/poll?user=\(name)&wait=0")
                #expect(poll.status == 400)
                #expect(!poll.errorCode.isEmpty)
            }
            let requests = Double(Self.badNames.count * 5 + 4 * 2)
            try await witness.waitForCount(#"ringpost_http_errors_total{status="400"}"#, since: before, by: requests)
            let most = String(repeating: "x", count: 256)
            #expect(try await witness.node.publish("x", to: most).user == most)
            try await witness.stillReceives()
        }

        /// What is wrong, the bytes sent to the API port, the status and code of the answer.
        private struct Abuse: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let bytes: [UInt8]
            let status: Int
            let code: String?
            var headers: [String: String] = [:]

            init(_ what: String, _ text: String, _ status: Int, _ code: String?, headers: [String: String] = [:]) {
                testDescription = what
                bytes = Array(text.utf8)
                self.status = status
                self.code = code
                self.headers = headers
            }
        }

        private static let host = "HTTP/1.1\r\nHost: x\r\n"
        private static let messages = "POST /v1/users/a/messages \(host)"

        private static let abuses = [
            Abuse("unknown path", "GET /v2 \(host)\r\n", 404, "not_found"),
            Abuse("unknown path below users", "GET /v1/users/a/b/c \(host)\r\n", 404, "not_found"),
            Abuse(
                "DELETE of messages", "DELETE /v1/users/a/messages \(host)\r\n", 405, "method_not_allowed",
                headers: ["allow": "POST, GET, HEAD"]),
            Abuse("DELETE of the ring", "DELETE /v1/ring \(host)\r\n", 405, "method_not_allowed", headers: ["allow": "GET, HEAD"]),
            Abuse("no length", "\(messages)\r\n", 411, "length_required"),
            Abuse("announced too large", "\(messages)Content-Length: 65537\r\n\r\n", 413, "too_large"),
            Abuse("announced far too large", "\(messages)Content-Length: 9999999999999\r\n\r\n", 413, "too_large"),
            Abuse("two lengths", "\(messages)Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, nil),
            Abuse("length and chunked", "\(messages)Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, nil),
            Abuse("no number as length", "\(messages)Content-Length: +1\r\n\r\nx", 400, nil),
            Abuse("no number as chunk", "\(messages)Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, nil),
            Abuse("not a language", "\u{16}\u{3}\u{1}\u{0}hello\r\n\r\n", 400, nil),
            Abuse("no host", "GET /healthz HTTP/1.1\r\n\r\n", 400, nil),
            Abuse("another version", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505, nil),
            Abuse("a folded header", "GET /healthz \(host)A: b\r\n c\r\n\r\n", 400, nil),
            Abuse("a long target", "GET /\(String(repeating: "x", count: 9_000)) \(host)\r\n", 414, nil),
            Abuse("a large header", "GET /healthz \(host)A: \(String(repeating: "x", count: 20_000))\r\n\r\n", 431, nil),
            Abuse("101 headers", "GET /healthz \(host)\(String(repeating: "A: b\r\n", count: 100))\r\n", 431, nil),
        ]

        @Test(arguments: abuses) private func itIsAnsweredWithAReason(abuse: Abuse) async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let connection = try RawConnection(port: witness.node.api)
            try await connection.send(abuse.bytes)
            let answer = try await connection.answer()
            #expect(answer.status == abuse.status, "\(answer.text)")
            #expect(!answer.errorCode.isEmpty, "\(answer.text)")
            if let code = abuse.code { #expect(answer.errorCode == code) }
            for (name, value) in abuse.headers { #expect(answer.headers[name] == value) }
            try await witness.waitForCount(#"ringpost_http_errors_total{status="\#(abuse.status)"}"#, since: before)
            try await witness.stillReceives()
        }

        @Test func aChunkedBodyThatGrowsTooLargeIsCutOff() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let connection = try RawConnection(port: witness.node.api)
            try await connection.send("\(Self.messages)Transfer-Encoding: chunked\r\n\r\n")
            let chunk = "1000\r\n" + String(repeating: "x", count: 4_096) + "\r\n"
            for _ in 0..<16 { try await connection.send(chunk) }
            connection.readAvailable()
            #expect(connection.received.isEmpty, "65,536 bytes are allowed")
            try await connection.send("1\r\nx\r\n")
            let answer = try await connection.answer()
            #expect(answer.status == 413)
            #expect(answer.errorCode == "too_large")
            _ = try await connection.receiveToEnd(seconds: 20)
            try await witness.waitForCount(#"ringpost_http_errors_total{status="413"}"#, since: before)
            try await witness.stillReceives()
        }

        @Test func aHundredThousandHeadersAreCutOff() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            for port in [witness.node.api, witness.node.client] {
                let connection = try RawConnection(port: port)
                let headers = (1...100_000).map { "X-\($0): \($0)\r\n" }.joined()
                try await connection.send("GET /healthz \(Self.host)\(headers)\r\n")
                let answer = try await connection.answer()
                #expect(answer.status == 431)
                _ = try await connection.receiveToEnd(seconds: 20)
            }
            try await witness.waitForCount(#"ringpost_http_errors_total{status="431"}"#, since: before, by: 2)
            try await witness.stillReceives()
        }

        @Test func silenceIsNotWaitedForForEver() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            // Side by side, because each takes its ten seconds.
            let halfHead = try RawConnection(port: witness.node.client)
            try await halfHead.send("GET /v1/poll?user=a HTTP/1.1\r\nHos")
            let shortBody = try RawConnection(port: witness.node.api)
            try await shortBody.send("\(Self.messages)Content-Length: 10\r\n\r\nfive!")
            let openChunk = try RawConnection(port: witness.node.api)
            try await openChunk.send("\(Self.messages)Transfer-Encoding: chunked\r\n\r\n5\r\nhe")
            let nothing = try RawConnection(port: witness.node.api)
            // The second request of a connection has no more time than the first.
            let secondRequest = try RawConnection(port: witness.node.api)
            try await secondRequest.send(RawConnection.request("GET", "/healthz"))
            #expect(try await secondRequest.answer().status == 200)
            try await secondRequest.send("GET /healthz HTT")
            // One that keeps sending a byte now and then has no more time either.
            let trickle = try RawConnection(port: witness.node.api)
            try await trickle.send("GET /healthz HTTP/1.1\r\nX: ")
            try await eventually(within: 30, "a trickle is cut off", pollMilliseconds: 300) {
                try await trickle.send("x")
                trickle.readAvailable()
                return trickle.hasEnded || !trickle.received.isEmpty
            }
            for connection in [halfHead, shortBody, openChunk, secondRequest] {
                let answer = try await connection.answer(seconds: 30)
                #expect(answer.status == 408)
                #expect(answer.errorCode == "request_timeout")
                _ = try await connection.receiveToEnd(seconds: 20)
            }
            #expect(try await nothing.receiveToEnd(seconds: 30).isEmpty)
            try await witness.waitForCount(#"ringpost_http_errors_total{status="408"}"#, since: before, by: 4)
            try await witness.stillReceives()
        }

        @Test func aBodyLongerThanAnnouncedIsTheNextRequest() async throws {
            let witness = try await Witness.atLoner()
            let connection = try RawConnection(port: witness.node.api)
            try await connection.send("\(Self.messages)Content-Length: 5\r\n\r\nhello, how are you\r\n\r\n")
            #expect(try await connection.answer().status == 200)
            let second = try await connection.answer()
            #expect(second.status == 400)
            #expect(!second.errorCode.isEmpty)
            _ = try await connection.receiveToEnd(seconds: 20)
            let poll = try await witness.node.poll("user=a&since=earliest&wait=0")
            #expect(poll.messages.last?.data == "hello")
            try await witness.stillReceives()
        }
    }
}
