// What is brought to a node in confidence stands in nothing that it says or writes, and what strangers send can't write its log; and which
// pages may do what.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Secrecy {
        private static let scopes = #""scopes":["publish-users","publish-channels","read","administer"]"#

        @Test func noSecretShows() async throws {
            let issuer = try Issuer()
            let ring = try KeyRing([Self.scopes])
            defer { withExtendedLifetime((issuer, ring)) {} }
            let node = try await NodeProcess.alone(options: issuer.options + ring.options + ["--log-level", "trace"])
            let good = try issuer.token("alice", #""subscribe":["room"]"#)
            let tokens = [good, try Issuer().token("alice"), try issuer.token("alice", seconds: -5), "\(good).x", "x.\(good)"]
            let key = KeyRing.header("a")
            var said = ""
            let socket = try await RawWebSocket.open(node, token: good)
            for token in tokens {
                for path in ["/v1/poll?wait=0", "/v1/locate?user=alice", "/v1/poll?user=bob", "/v1/nothing", "/v1/sse?user=bob"] {
                    let answers = [
                        try await node.ask(path, token: token),
                        try await node.ask("\(path)\(path.contains("?") ? "&" : "?")access_token=\(token)"),
                    ]
                    said += answers.map { "\($0.headers) \($0.text)" }.joined()
                }
                let offer = ["Sec-WebSocket-Protocol": "ringpost.v1, ringpost.token.\(token)"]
                let (page, answer) = try await RawWebSocket.open(node, "", headers: offer)
                said += "\(answer.headers) \(try await page.frame().text)"
                try await socket.say(#"{"token":"\#(token)"}"#)
                said += try await socket.hear(#""event""#)
                said += try await node.order("GET", "/v1/ring", headers: ["Authorization": "Bearer \(token)"]).text
                said += try await node.order("POST", "/v1/users/alice/messages", headers: ["Authorization": token], "x").text
            }
            for text in [KeyRing.text("a"), KeyRing.text("b"), "\(KeyRing.text("a"))x"] {
                said += try await node.ask("/v1/poll?wait=0", token: text).text
                for path in ["/metrics", "/v1/users/alice", "/v1/nothing", "/v1/nodes"] {
                    said += try await node.order("GET", path, headers: ["Authorization": "Bearer \(text)"]).text
                }
            }
            said += try await node.order("POST", "/v1/revocations", headers: key, #"{"user":"bob"}"#).text
            said += try await node.order("GET", "/v1/revocations", headers: key).text
            said += try await node.order("GET", "/metrics", headers: key).text
            said += try await node.order("GET", "/v1/users/alice", headers: key).text
            node.terminate()
            #expect(try await node.waitForExit(seconds: 30) == 0)
            #expect(said.contains("ringpost_distrusted_total") && said.contains(#""sockets":[{"#))
            #expect(node.log.contains(" debug ") || node.log.contains(" trace "), "a log that says all it can")
            let secrets =
                tokens.flatMap { $0.split(separator: ".").filter { $0.count > 1 } + [Substring($0)] } + [
                    KeyRing.text("a").suffix(43), KeyRing.text("b").suffix(43),
                ]
            for secret in secrets where !secret.hasPrefix("eyJhbGciOi") {
                #expect(!said.contains(secret), "an answer says \(secret)")
                #expect(!node.log.contains(secret), "the log says \(secret)")
            }
        }

        @Test func nobodyWritesTheLogButTheNode() async throws {
            let issuer = try Issuer()
            let node = try await NodeProcess.alone(options: issuer.options + ["--log-level", "trace"])
            defer { withExtendedLifetime(issuer) {} }
            let evil = "%0A2026-01-01T00:00:00Z%20info%20forged%1B%5B2J"
            let raw = "x\u{1B}[2J\u{7F}\u{85}forged"
            let token = try issuer.token("alice", #""jti":"a\nforged\u001b","subscribe":["*"]"#)
            for path in ["poll?user=\(evil)", "sse?channels=\(evil)", "\(evil)", "poll?since=\(evil)&user=alice", "locate?user=\(evil)"] {
                _ = try await node.ask("/v1/\(path)", token: token)
            }
            for path in [
                "/v1/users/\(evil)", "/v1/nodes/\(evil)/drain", "/v1/channels/\(evil)/messages", "/v1/users/\(evil)/disconnect", "/\(evil)",
            ] {
                for method in ["GET", "POST"] {
                    let answer = try await node.order(method, path, "x")
                    #expect(answer.status >= 400 && !answer.text.contains("\u{1B}"), "\(path)")
                }
            }
            for name in ["Authorization", "X-Forwarded-For", "Origin", "Idempotency-Key", "User-Agent", "Sec-WebSocket-Protocol"] {
                _ = try await node.ask("/v1/poll?wait=0", headers: [name: raw])
                let connection = try RawConnection(port: node.api)
                try await connection.send("POST /v1/users/a/messages HTTP/1.1\r\nHost: x\r\n\(name): \(raw)\r\nContent-Length: 1\r\n\r\nx")
                _ = try await connection.answer()
            }
            let socket = try await RawWebSocket.open(node, token: token)
            for command in [#"{"subscribe":["a\nforged"]}"#, #"{"token":"a\nforged\u001b.b.c"}"#, "\u{1B}[2J\nforged"] {
                try await socket.say(command)
            }
            try await socket.hear("bad_json")
            let order = #"{"user":"alice","token":"a\nforged\u001b[2J","expires":\#(Issuer.nowSeconds + 60)}"#
            _ = try await node.order("POST", "/v1/revocations", order)
            node.terminate()
            #expect(try await node.waitForExit(seconds: 30) == 0)
            let lines = node.log.split(separator: "\n")
            #expect(lines.count > 3)
            for line in lines {
                #expect(line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }, "\(line.debugDescription)")
                #expect(line.firstMatch(of: #/^\d{4}-\d\d-\d\dT/#) != nil, "what begins a line is the node's: \(line)")
            }
        }

        // MARK: Pages

        @Test func pagesThatAreAllowedMayReadAndNoOthers() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let app = "https://app.example"
            let node = try await NodeProcess.alone(options: issuer.options + ["--allow-origin", app])
            let token = try issuer.token("alice")
            var answers: [HTTPAnswer] = []
            func ask(_ origin: String, _ path: String, token: String? = nil) async throws -> HTTPAnswer {
                let answer = try await node.ask(path, token: token, headers: ["Origin": origin])
                answers.append(answer)
                return answer
            }
            let good = try await ask(app, "/v1/poll?wait=0", token: token)
            #expect(good.status == 200 && good.headers["access-control-allow-origin"] == app)
            let bad = try await ask(app, "/v1/poll?wait=0")
            #expect(bad.status == 401 && bad.headers["access-control-allow-origin"] == app, "a page may read why")
            for origin in ["https://evil.example", "null", "https://app.example.evil", "http://app.example"] {
                let answer = try await ask(origin, "/v1/poll?wait=0", token: token)
                #expect(answer.status == 403 && answer.headers["access-control-allow-origin"] == nil, "\(origin)")
                let headers = ["Origin": origin, "Authorization": "Bearer \(token)"]
                #expect(try await RawWebSocket.open(node, "", headers: headers).answer.status == 403, "a page needs no CORS for that")
            }
            let socket = try await RawWebSocket.open(node, "access_token=\(token)", headers: ["Origin": app])
            answers.append(socket.answer)
            #expect(socket.answer.status == 101)
            for (origin, status) in [(app, 204), ("https://evil.example", 403)] {
                let asks = ["Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"]
                let preflight = try await RawConnection.exchange(port: node.client, "OPTIONS", "/v1/poll", headers: asks)
                answers.append(preflight)
                #expect(preflight.status == status)
                if status == 204 {
                    #expect(preflight.headers["access-control-allow-origin"] == app)
                    #expect(preflight.headers["access-control-allow-headers"]?.lowercased().contains("authorization") == true)
                }
            }
            #expect(answers.allSatisfy { $0.headers["access-control-allow-credentials"] == nil })
        }

        @Test func pagesDoNotPublish() async throws {
            let open = try await Shared.loner()
            let ring = try KeyRing([Self.scopes])
            defer { withExtendedLifetime(ring) {} }
            let closed = try await NodeProcess.alone(options: ring.options)
            let posts = [
                ("/v1/users/page/messages", "x"), ("/v1/channels/page/messages", "x"), ("/v1/messages", #"{"user":"page","data":1}"#),
            ]
            for (path, body) in posts {
                for origin in ["https://evil.example", "http://localhost:3000", "null"] {
                    let page = ["Origin": origin]
                    let answer = try await open.order("POST", path, headers: page, body)
                    #expect(answer.status == 403 && answer.errorCode == "forbidden_origin", "\(path) from \(origin): \(answer.text)")
                    #expect(answer.headers["access-control-allow-origin"] == nil)
                    #expect(try await closed.order("POST", path, headers: page, body).status == 401)
                    // Who has a key is no page that somebody just looks at.
                    #expect(try await closed.order("POST", path, headers: page.merging(KeyRing.header("a")) { $1 }, body).status == 200)
                }
            }
            for path in ["/v1/users/page/disconnect", "/v1/revocations", "/v1/nodes/nobody/drain", "/v1/nodes/nobody/weight"] {
                let headers = ["Origin": "http://localhost"]
                #expect(try await open.order("POST", path, headers: headers, #"{"user":"x","weight":1}"#).status == 403, "\(path)")
                let withKey = headers.merging(KeyRing.header("a")) { $1 }
                #expect(try await closed.order("POST", path, headers: withKey, #"{"user":"x","weight":1}"#).status == 403, "\(path)")
            }
            #expect(try await (open.user("page").history?.messages ?? 0) == 0)
        }
    }
}
