// Producers and operators bring keys: each request of the API port with each scope, links, and files of keys that change.

import Foundation
import RingpostClient
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct APIKeys {
        private static let everything = #""scopes":["publish-users","publish-channels","read","history","administer"]"#
        /// Called a to g.
        private static let keys = [
            everything, #""scopes":["publish-users"],"names":["game:*"]"#, #""scopes":["publish-channels"]"#, #""scopes":["read"]"#,
            #""scopes":["read"],"names":["game:*"]"#, #""scopes":["administer"]"#,
            #""scopes":["history"],"names":["game:*"]"#,
        ]

        private static func node() async throws -> (node: NodeProcess, keys: KeyRing) {
            let ring = try KeyRing(keys)
            return (try await NodeProcess.alone(options: ring.options), ring)
        }

        private struct Request: Sendable {
            let line: String
            let body: String?
            /// The keys with which it is done; all others are forbidden it.
            let allowed: String
            let status: Int

            init(_ line: String, _ body: String? = nil, allowed: String, status: Int = 200) {
                self.line = line
                self.body = body
                self.allowed = allowed
                self.status = status
            }

            func ask(_ node: NodeProcess, _ headers: [String: String]) async throws -> HTTPAnswer {
                let words = line.split(separator: " ").map(String.init)
                return try await node.order(words[0], words[1], headers: headers, body)
            }
        }

        private static let requests = [
            Request("POST /v1/users/game%3A1/messages", "x", allowed: "ab"), Request("POST /v1/users/other/messages", "x", allowed: "a"),
            Request("POST /v1/channels/game%3A1/messages", "x", allowed: "ac"), Request("POST /v1/channels/x/messages", "x", allowed: "ac"),
            Request("GET /v1/users/game%3A1", allowed: "ade"), Request("GET /v1/users/other", allowed: "ad"),
            Request("GET /v1/channels/game%3A1", allowed: "ade"), Request("GET /v1/channels/other", allowed: "ad"),
            Request("GET /v1/users/game%3A1/messages", allowed: "ag"), Request("GET /v1/users/other/messages", allowed: "a"),
            Request("GET /v1/channels/game%3A1/messages?limit=1", allowed: "ag"), Request("GET /v1/channels/x/messages", allowed: "a"),
            Request("GET /v1/ring", allowed: "ad"), Request("GET /v1/nodes", allowed: "abcd"), Request("GET /metrics", allowed: "ad"),
            Request("GET /v1/revocations", allowed: "af"), Request("POST /v1/revocations", #"{"user":"nobody"}"#, allowed: "af"),
            Request("POST /v1/users/nobody/disconnect", "", allowed: "af"),
            Request("POST /v1/nodes/nobody/drain", "", allowed: "af", status: 404),
            Request("POST /v1/nodes/nobody/forget", "", allowed: "af", status: 409),
            Request("POST /v1/nodes/nobody/weight", #"{"weight":1}"#, allowed: "af", status: 404),
        ]

        @Test func eachRequestNeedsItsScope() async throws {
            let (node, ring) = try await Self.node()
            defer { withExtendedLifetime(ring) {} }
            for request in Self.requests {
                for letter in "abcdefg" {
                    let answer = try await request.ask(node, KeyRing.header(letter))
                    let status = request.allowed.contains(letter) ? request.status : 403
                    #expect(answer.status == status, "\(request.line) with \(letter): \(answer.text.prefix(200))")
                    if status == 403 { #expect(answer.errorCode == "forbidden") }
                }
                let strangers = [
                    [:], KeyRing.header("h"), ["Authorization": "Bearer x"], ["Authorization": "Basic eDp5"],
                    ["Authorization": "Bearer \(KeyRing.text("a").dropLast())x"],
                ]
                for headers in strangers {
                    let answer = try await request.ask(node, headers)
                    #expect(answer.status == 401 && answer.errorCode == "unauthorized", "\(request.line) \(headers): \(answer.status)")
                    #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                }
            }
            for path in ["/healthz", "/readyz"] { #expect(try await node.order("GET", path).status == 200) }
            let metrics = try Metrics(try await node.order("GET", "/metrics", headers: KeyRing.header("d")).text)
            let strangers = Double(Self.requests.count)
            #expect(metrics[#"ringpost_distrusted_total{reason="missing"}"#] == 2 * strangers, "none, and one of another kind")
            #expect(metrics[#"ringpost_distrusted_total{reason="wrong_key"}"#] == 3 * strangers)
            #expect(metrics[#"ringpost_distrusted_total{reason="not_granted"}"#] > 0)
        }

        @Test func eachLineOfABatchNeedsItsScope() async throws {
            let (node, ring) = try await Self.node()
            defer { withExtendedLifetime(ring) {} }
            let lines = [#"{"user":"game:1","data":1}"#, #"{"user":"other","data":1}"#, #"{"channel":"game:1","data":1}"#]
            for (letter, granted) in [("a", [true, true, true]), ("b", [true, false, false]), ("c", [false, false, true])]
                as [(Character, [Bool])]
            {
                let answer = try await node.order("POST", "/v1/messages", headers: KeyRing.header(letter), lines.joined(separator: "\n"))
                let results = answer.text.split(separator: "\n").map { !$0.contains(#""code":"forbidden""#) }
                #expect(answer.status == 200 && results == granted, "\(letter): \(answer.text)")
            }
            // Who may publish nowhere need not send it.
            let reader = try await node.order("POST", "/v1/messages", headers: KeyRing.header("d"), lines.joined(separator: "\n"))
            #expect(reader.status == 403 && reader.errorCode == "forbidden")
            #expect(try await node.order("POST", "/v1/messages", lines[0]).status == 401)
        }

        @Test func aFileThatChangesIsReadAnew() async throws {
            let (node, ring) = try await Self.node()
            let producer = try RawConnection(port: node.api)
            func publish() async throws -> Int {
                try await producer.send(
                    RawConnection.request("POST", "/v1/users/u/messages", headers: KeyRing.header("a"), body: Array("x".utf8)))
                return try await producer.answer().status
            }
            #expect(try await publish() == 200)
            // A faulty file changes nothing.
            try ring.write([#""scopes":["everything"]"#])
            node.hangUp()
            try await node.waitForLog("the earlier API keys stay in use", seconds: 10)
            #expect(node.log.contains("line 2 of"))
            #expect(try await publish() == 200)
            // The key is another one's now, and the connection on which it was good is no exception.
            try ring.write([#""scopes":["read"]"#])
            node.hangUp()
            try await eventually(within: 10, "the key's scopes have changed") { try await publish() == 403 }
            // Noticed without a signal too.
            try ring.write([])
            try await eventually(within: 10, "the key has gone") { try await publish() == 401 }
            try ring.write([Self.everything])
            try await eventually(within: 10, "the key is back") { try await publish() == 200 }
        }

        @Test func aKeyEnds() async throws {
            let ring = try KeyRing([#""scopes":["publish-users"],"expires":\#(Issuer.nowSeconds + 4)"#])
            defer { withExtendedLifetime(ring) {} }
            let node = try await NodeProcess.alone(options: ring.options)
            let producer = try RawConnection(port: node.api)
            var statuses: [Int] = []
            try await eventually(within: 20, "it has ended", pollMilliseconds: 200) {
                try await producer.send(
                    RawConnection.request("POST", "/v1/users/u/messages", headers: KeyRing.header("a"), body: Array("x".utf8)))
                statuses.append(try await producer.answer().status)
                return statuses.last == 401
            }
            #expect(statuses.dropLast().allSatisfy { $0 == 200 })
        }

        @Test func producersOnLinksBringTheirsToo() async throws {
            let (node, ring) = try await Self.node()
            defer { withExtendedLifetime(ring) {} }
            func send(_ key: String?, to destination: Producer.Destination) async throws -> String {
                var options = Producer.Options()
                options.apiKey = key
                options.budgetMilliseconds = 1_000
                let producer = Producer(links: [Endpoint(host: "127.0.0.1", port: node.link)], options: options)
                let word: String
                do throws(ProducerError) {
                    _ = try await producer.send(.text("x"), to: destination)
                    word = "sent"
                } catch {
                    word = if case .refused(let problem, _) = error { problem.code } else { "not sent" }
                }
                await producer.close()
                return word
            }
            #expect(try await send(KeyRing.text("b"), to: .user("game:1")) == "sent")
            #expect(try await send(KeyRing.text("b"), to: .user("other")) == "forbidden")
            #expect(try await send(KeyRing.text("b"), to: .channel("game:1")) == "forbidden")
            #expect(try await send(KeyRing.text("c"), to: .channel("any")) == "sent")
            #expect(try await send(KeyRing.text("d"), to: .user("game:1")) == "forbidden")
            for stranger in [nil, KeyRing.text("g"), "rp_x", "\(KeyRing.text("b").dropLast())x"] {
                #expect(try await send(stranger, to: .user("game:1")) != "sent", "\(stranger ?? "-")")
            }
            let poll = try await node.ask("/v1/poll?user=game%3A1&wait=0&since=earliest")
            #expect(poll.text.components(separatedBy: #""seq":"#).count == 2, "one message: \(poll.text)")
        }

        @Test func anOpenLinkHasTheRightsThatItsKeyHasNow() async throws {
            let ring = try KeyRing([#""scopes":["publish-users"]"#])
            let node = try await NodeProcess.alone(options: ring.options)
            var options = Producer.Options()
            options.apiKey = KeyRing.text("a")
            options.budgetMilliseconds = 1_000
            let producer = Producer(links: [Endpoint(host: "127.0.0.1", port: node.link)], options: options)
            func send(_ destination: Producer.Destination) async throws -> String {
                do throws(ProducerError) {
                    _ = try await producer.send(.text("x"), to: destination)
                    return "sent"
                } catch { return if case .refused(let problem, _) = error { problem.code } else { "\(error)" } }
            }
            #expect(try await send(.user("other")) == "sent")
            for (members, user, channel) in [
                (#""scopes":["publish-users"],"names":["game:*"]"#, "forbidden", "forbidden"),
                (#""scopes":["read"]"#, "forbidden", "forbidden"),
                (#""scopes":["publish-users","publish-channels"]"#, "sent", "sent"),
            ] {
                try ring.write([members])
                node.hangUp()
                try await eventually(within: 10, "\(members) counts on the link") {
                    let words = [try await send(.user("other")), try await send(.channel("game"))]
                    return words == [user, channel]
                }
            }
            try ring.write([])
            node.hangUp()
            try await eventually(within: 10, "the key is gone") { try await send(.user("other")) != "sent" }
            await producer.close()
        }

        @Test func whoIsLimitedToNamesOrdersNothingElse() async throws {
            let ring = try KeyRing([Self.everything, #""scopes":["administer"],"names":["tenantA:*"]"#])
            defer { withExtendedLifetime(ring) {} }
            let node = try await NodeProcess.alone(options: ring.options)
            func order(_ method: String, _ path: String, _ body: String? = nil, by key: Character = "b") async throws -> HTTPAnswer {
                try await node.order(method, path, headers: KeyRing.header(key), body)
            }
            for (path, body) in [
                ("/v1/nodes/n1/drain", ""), ("/v1/nodes/n1/forget", ""), ("/v1/nodes/n1/weight", #"{"weight":0}"#),
                ("/v1/users/tenantB%3Ax/disconnect", ""),
                ("/v1/revocations", #"{"user":"tenantB:x"}"#), ("/v1/revocations", #"{"key":"k"}"#),
                ("/v1/revocations", #"{"issuedBefore":1}"#),
            ] {
                let answer = try await order("POST", path, body)
                #expect(answer.status == 403 && answer.errorCode == "forbidden", "\(path) \(body): \(answer.text)")
            }
            #expect(try await order("POST", "/v1/nodes/n1/drain", "").text.contains("limited to names"))
            #expect(try await order("POST", "/v1/users/tenantA%3Ax/disconnect", "").status == 200)
            #expect(try await order("POST", "/v1/revocations", #"{"user":"tenantA:x"}"#).status == 200)
            #expect(try await order("POST", "/v1/revocations", #"{"user":"tenantB:x"}"#, by: "a").status == 200)
            #expect(try await order("POST", "/v1/revocations", #"{"key":"k"}"#, by: "a").status == 200)
            let (mine, all) = (try await order("GET", "/v1/revocations"), try await order("GET", "/v1/revocations", by: "a"))
            #expect(mine.text.contains("tenantA:x") && !mine.text.contains("tenantB") && !mine.text.contains(#""key""#), "\(mine.text)")
            #expect(all.text.contains("tenantA:x") && all.text.contains("tenantB:x") && all.text.contains(#""key":"k""#), "\(all.text)")
            #expect(try await node.order("GET", "/readyz").status == 200, "nobody has drained it")
        }

        // MARK: Nodes that others reach

        @Test(arguments: [
            ("--client", "the client port would take anybody in on 0.0.0.0", "--token-keys FILE"),
            ("--api", "the API port would take anybody in on 0.0.0.0", "ringpost key new"),
            ("--link", "the link port would take anybody in on 0.0.0.0", "--link-secret-file"),
        ])
        func aPortThatOthersReachNeedsKeys(option: String, sentence: String, remedy: String) async throws {
            let ports = try FreePorts.take(3)
            let options = zip(["--client", "--api", "--link"], ports).flatMap { [$0, ($0 == option ? "0.0.0.0" : "127.0.0.1") + ":\($1)"] }
            let ended = try await RingpostProgram.run(["node", "--id", "n1"] + options)
            #expect(ended.status == 1, "\(ended.output)")
            #expect(ended.output.contains(sentence) && ended.output.contains(remedy), "\(ended.output)")
            #expect(ended.output.contains("or listen on 127.0.0.1"))
        }

        @Test(
            arguments: [
                (["--auth", "tokens"], "--auth tokens needs keys", 64), (["--auth", "maybe"], #"auth "maybe" is neither"#, 64),
                (["--token-issuer", "x"], "--token-issuer and --token-audience need keys", 1),
                (["--token-keys", "/nowhere"], "there is no file or directory /nowhere", 1), (["--api-keys", "/nowhere"], "/nowhere", 1),
                (["--token-jwks", "http://keys.example/set"], "https only", 1),
                (["--trusted-proxy", "here"], #"trusted proxy "here""#, 64),
                (["--limit", "sockets"], "is not name=number", 64), (["--limit", "sockets=0"], "limit sockets takes a number from 1", 64),
                (["--token-leeway", "121"], "tokenLeeway in the option must be a whole number from 0 to 120, not 121", 64),
            ] as [([String], String, Int32)])
        func whatMakesNoSenseIsSaid(options: [String], sentence: String, status: Int32) async throws {
            let ports = try FreePorts.take(3)
            let indices = zip(["--client", "--api", "--link"], ports).flatMap { [$0, "127.0.0.1:\($1)"] }
            let ended = try await RingpostProgram.run(["node", "--id", "n1"] + indices + options)
            #expect(ended.status == status && ended.output.contains(sentence), "\(ended.status): \(ended.output)")
        }
    }
}
