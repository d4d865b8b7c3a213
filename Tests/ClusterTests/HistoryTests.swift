// Paging through what users and channels were sent: asked of any node, answered by the owner, by whoever may.

import Foundation
import RingpostClient
import Synchronization
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct History {
        private struct Page: Decodable {
            struct Item: Decodable {
                let seq: Int
                let cursor: String
            }
            let messages: [Item]
            let next: String
            let more: Bool
            let gap: Bool?

            var sequences: [Int] { messages.map(\.seq) }
        }

        private static func page(_ node: NodeProcess, _ path: String, headers: [String: String] = [:]) async throws -> Page {
            let answer = try await node.order("GET", path, headers: headers)
            guard answer.status == 200 else { throw HarnessError("\(path): \(answer.status) \(answer.text)") }
            return try answer.json()
        }

        /// All pages in one direction.
        private static func walk(_ node: NodeProcess, _ path: String, backwards: Bool, limit: Int) async throws -> [Int] {
            var (seen, place): ([Int], String?) = ([], backwards ? nil : "earliest")
            while true {
                let from = place.map { "\(backwards ? "before" : "since")=\($0)&" } ?? ""
                let page = try await page(node, "\(path)?\(from)limit=\(limit)")
                #expect(page.messages.count <= limit && page.gap == nil, "\(path) at \(place ?? "the end")")
                seen = backwards ? page.sequences + seen : seen + page.sequences
                place = page.next
                if !page.more { return seen }
            }
        }

        // MARK: Two nodes

        @Test func aThousandMessagesForwardsAndBackWhileMoreCome() async throws {
            let cluster = try await Cluster.start(weights: [100, 100]) { _ in ["--history-messages", "4000"] }
            let (n1, n2) = (try cluster["n1"], try cluster["n2"])
            let user = try await cluster.user("paged", ownedBy: "n1")
            try await n2.publish((1...1_000).map { "message \($0)" }, to: user)
            let isRead = Atomic<Bool>(false)
            let more = Task {
                var sent = 0
                while !isRead.load(ordering: .relaxed), sent < 2_000 {
                    try await n1.publish((0..<20).map { "later \(sent + $0)" }, to: user)
                    sent += 20
                }
                return sent
            }
            let path = "/v1/users/\(user)/messages"
            // The one that doesn't own asks the one that does.
            for (node, backwards, limit) in [(n2, false, 37), (n2, true, 41), (n1, false, 1_000), (n1, true, 100)] {
                let seen = try await Self.walk(node, path, backwards: backwards, limit: limit)
                #expect(seen == Array(1...max(1_000, seen.count)), "\(node.id), \(backwards ? "backwards" : "forwards") by \(limit)")
            }
            isRead.store(true, ordering: .relaxed)
            let sent = try await more.value
            #expect(sent > 0)
            let all = try await Self.walk(n2, path, backwards: true, limit: 1_000)
            #expect(all == Array(1...(1_000 + sent)))
            // Between two messages, both ends excluded.
            let some = try await Self.page(n2, "\(path)?since=earliest&limit=60")
            let (first, last) = (some.messages[9], some.messages[50])
            let between = try await Self.page(n2, "\(path)?since=\(first.cursor)&before=\(last.cursor)")
            #expect(between.sequences == Array(11...50) && !between.more)
            // Nobody was there.
            let report = try await n2.user(user)
            #expect(report.sockets.isEmpty && report.lastSeen == nil)
            try await Self.clientLibraryAndCommand(n2, user)
        }

        private static func clientLibraryAndCommand(_ node: NodeProcess, _ user: String) async throws {
            let client = OperatorClient(api: [try Endpoint(node.apiURL)])
            let newest = try await client.messages(ofUser: user, limit: 3)
            #expect(newest.messages.count == 3 && newest.hasMore && !newest.gap)
            let older = try await client.messages(ofUser: user, before: newest.next, limit: 2)
            #expect(older.messages.last.map { $0.sequence + 1 } == newest.messages.first?.sequence)
            let first = try await client.messages(ofUser: user, since: "earliest", limit: 2)
            #expect(first.messages.map(\.text) == ["message 1", "message 2"])
            let text = try await RingpostProgram.run(["history", "user", user, "--since", "earliest", "--limit", "2", "--api", node.apiURL])
            #expect(
                text.status == 0 && text.output.contains("#1  message 1\n") && text.output.contains("#2  message 2\n"), "\(text.output)")
            #expect(text.output.contains("there is more: --since \(first.next)"), "\(text.output)")
        }

        @Test func anOwnerThatIsSilentIsNotWaitedFor() async throws {
            let cluster = try await Cluster.start(weights: [100, 100])
            let user = try await cluster.user("silent", ownedBy: "n1")
            let n2 = try cluster["n2"]
            try await n2.publish("x", to: user)
            let owner = try cluster["n1"]
            try await owner.suspend()
            let answer = try await n2.order("GET", "/v1/users/\(user)/messages")
            owner.resume()
            #expect(answer.status == 503 && ["owner_unreachable", "retry"].contains(answer.errorCode), "\(answer.text)")
            #expect(answer.headers["retry-after"] != nil)
            try await cluster.settled()
            try await eventually(within: 30, "it is back") {
                try await n2.order("GET", "/v1/users/\(user)/messages").status == 200
            }
        }

        // MARK: Behind memory

        /// Memory has a thousand of them.
        @Test(.timeLimit(.minutes(5))) func whatMemoryDropsTheDiskStillHas() async throws {
            let folder = try TemporaryFolder("history")
            let node = try await NodeProcess.alone(
                options: ["--data", folder.file("data"), "--history-messages", "4000", "--history-bytes", "100000000"])
            for part in 0..<6 { try await node.publish((1...500).map { "message \(part * 500 + $0)" }, to: "alice") }
            let path = "/v1/users/alice/messages"
            for life in 1...2 {
                #expect(try await Self.walk(node, path, backwards: false, limit: 1_000) == Array(1...3_000), "life \(life)")
                #expect(try await Self.walk(node, path, backwards: true, limit: 300) == Array(1...3_000), "life \(life)")
                let socket = try await node.webSocket("alice", since: "earliest")
                #expect(try await socket.messages(3_000, seconds: 60).map(\.seq) == Array(1...3_000))
                #expect(try socket.events().gaps.isEmpty)
                let (metrics, report) = (try await node.metrics(), try await node.user("alice"))
                #expect(metrics["ringpost_history_reads_total{result=\"read\"}"] > 0)
                #expect(metrics["ringpost_history_reads_total{result=\"damaged\"}"] == 0)
                #expect(metrics["ringpost_history_older_bytes"] > 0 && report.history?.messages == 3_000)
                node.kill()
                try await node.start()
            }
            // What is too much goes, and whoever has not seen it is told.
            let first = try await Self.page(node, "\(path)?since=earliest&limit=1")
            let cursor = try #require(first.messages.first?.cursor)
            for part in 6..<9 { try await node.publish((1...500).map { "message \(part * 500 + $0)" }, to: "alice") }
            let later = try await Self.page(node, "\(path)?since=\(cursor)&limit=1000")
            #expect(later.gap == true && later.sequences == Array(501...1_500))
            #expect(try await node.ring()?.node("n1").olderBytes ?? 0 > 0)
            node.terminate()
            #expect(try await node.waitForExit(seconds: 60) == 0)
        }

        /// Their copies end at different messages: the shorter ones go on from what they have.
        @Test(.timeLimit(.minutes(5))) func aPowerCutKeepsWhatOnlyDisksHave() async throws {
            let folder = try TemporaryFolder("long")
            let cluster = try await Cluster.start(weights: [100, 100]) {
                ["--data", folder.file($0), "--history-messages", "5000", "--history-bytes", "100000000"]
            }
            let user = try await cluster.user("long", ownedBy: "n1")
            for part in 0..<4 { try await cluster.nodes[part % 2].publish((1...500).map { "message \(part * 500 + $0)" }, to: user) }
            for node in cluster.nodes { node.kill() }
            for node in cluster.nodes { try node.launch() }
            try await cluster.settled()
            try await cluster.nodes[1].publish("afterwards", to: user)
            for node in cluster.nodes {
                let seen = try await Self.walk(node, "/v1/users/\(user)/messages", backwards: false, limit: 1_000)
                #expect(seen == Array(1...2_001))
            }
        }

        // MARK: One node

        @Test func whatIsNotKeptIsSaid() async throws {
            let node = try await NodeProcess.alone(options: ["--history-messages", "10", "--limit", "history-bytes=4096"])
            let path = "/v1/channels/room/messages"
            let nobody = try await Self.page(node, path)
            #expect(nobody.messages.isEmpty && !nobody.more && nobody.gap == nil)
            for number in 1...30 { #expect(try await node.order("POST", path, "\(number)").status == 200) }
            let newest = try await Self.page(node, "\(path)?limit=4")
            #expect(newest.sequences.last == 30 && newest.more && newest.gap == nil)
            let oldest = try await Self.page(node, "\(path)?before=\(newest.next)")
            #expect(oldest.gap == true && !oldest.more && oldest.sequences.last == 26)
            #expect(newest.messages.count + oldest.messages.count == 10)
            let first = try #require(oldest.sequences.first)
            let incarnation = newest.next.prefix { $0 != "-" }
            let lost = try await Self.page(node, "\(path)?since=\(incarnation)-2")
            #expect(lost.gap == true && lost.sequences.first == first)
            #expect(try await Self.page(node, "\(path)?since=\(incarnation)-\(first - 1)").gap == nil)
            #expect(try await Self.page(node, "\(path)?since=earliest").gap == nil)
            let foreign = try await Self.page(node, "\(path)?before=0123456789abcdef-7")
            #expect(foreign.gap == true && foreign.messages.isEmpty && !foreign.more)
            let long = try await node.order("POST", path, String(repeating: "x", count: 5_000))
            #expect(long.status == 200)
            #expect(try await Self.page(node, path).sequences == [31], "one is kept however large it is")
        }

        @Test func oldMessagesGoByThemselves() async throws {
            let node = try await NodeProcess.alone(options: ["--history-seconds", "1"])
            try await node.publish("x", to: "alice")
            try await eventually(within: 20, "it is gone") {
                let page = try await Self.page(node, "/v1/users/alice/messages")
                return page.messages.isEmpty && page.gap == true
            }
        }

        @Test func whatIsNoQuestion() async throws {
            let node = try await Shared.loner()
            for (query, code) in [
                ("since=", "bad_cursor"), ("since=x", "bad_cursor"), ("before=earliest", "bad_cursor"), ("limit=0", "bad_parameter"),
                ("limit=1001", "bad_parameter"), ("limit=x", "bad_parameter"), ("limit=1&limit=2", "bad_parameter"),
                ("since=%F", "bad_parameter"),
            ] {
                for path in ["/v1/users/a/messages", "/v1/channels/a/messages"] {
                    let answer = try await node.order("GET", "\(path)?\(query)")
                    #expect(answer.status == 400 && answer.errorCode == code, "\(query): \(answer.text)")
                }
                let answer = try await node.ask("/v1/history?user=a&\(query)")
                #expect(answer.status == 400 && answer.errorCode == code, "\(query): \(answer.text)")
            }
            #expect(try await node.order("GET", "/v1/users/%FF/messages").errorCode == "bad_name")
            #expect(try await node.ask("/v1/history").errorCode == "bad_name")
            #expect(try await node.ask("/v1/history?user=a&channel=b").errorCode == "bad_parameter")
            #expect(try await node.ask("/v1/history?channel=b&channel=c").errorCode == "bad_parameter")
            #expect(
                try await node.ask("/v1/history?channel=b", headers: ["Origin": "https://evil.example"]).errorCode == "forbidden_origin")
            #expect(try await node.order("DELETE", "/v1/users/a/messages").status == 405)
            let head = try await RawConnection.exchange(port: node.api, "HEAD", "/v1/users/a/messages")
            #expect(head.status == 200 && head.body.isEmpty)
        }

        @Test func whoReadsTooMuchIsToldAndNobodyElseIs() async throws {
            let ring = try KeyRing([#""scopes":["history","publish-users"]"#, #""scopes":["history"]"#])
            defer { withExtendedLifetime(ring) {} }
            // The kernel deals connections out to event loops, and each loop counts for itself.
            let node = try await NodeProcess.alone(options: ring.options + ["--limit", "history-rate=16", "--loops", "1"])
            let path = "/v1/users/alice/messages"
            let text = String(repeating: "x", count: 40_000)
            for _ in 0..<3 { #expect(try await node.order("POST", path, headers: KeyRing.header("a"), text).status == 200) }
            var answers: [HTTPAnswer] = []
            for _ in 0..<8 { answers.append(try await node.order("GET", path, headers: KeyRing.header("a"))) }
            #expect(answers.first?.status == 200 && answers.last?.status == 429 && answers.last?.errorCode == "too_fast")
            #expect(answers.last?.headers["retry-after"] != nil)
            #expect(try await node.order("GET", path, headers: KeyRing.header("b")).status == 200)
            #expect(try await node.order("POST", path, headers: KeyRing.header("a"), text).status == 200)
        }

        @Test func theCommandShowsWhatIsHostileHarmlessly() async throws {
            let node = try await NodeProcess.alone()
            let escape = #"{"a":"\u001b[31mred","b":"\u202e\u0000"}"#
            let sent = try await RawConnection.exchange(
                port: node.api, "POST", "/v1/channels/room/messages", headers: ["Content-Type": "application/json"],
                body: Array(escape.utf8))
            #expect(sent.status == 200)
            _ = try await node.order("POST", "/v1/channels/room/messages", "plain \u{1B}[2J\u{9B}31m text")
            for options in [[], ["--json"]] {
                let shown = try await RingpostProgram.run(["history", "channel", "room", "--api", node.apiURL] + options)
                #expect(shown.status == 0 && shown.output.contains("plain"), "\(shown.output)")
                #expect(
                    !shown.output.unicodeScalars.contains {
                        $0.value < 0x20 && $0 != "\n" || (0x7F...0x9F).contains($0.value) || $0 == "\u{202E}"
                    },
                    "\(shown.output.debugDescription)")
            }
            let bad = try await RingpostProgram.run(["history", "user", "a", "--since", "x", "--api", node.apiURL])
            #expect(bad.status == 1 && bad.output.contains("bad_cursor"), "\(bad.output)")
            let many = try await RingpostProgram.run(["history", "user", "a", "--limit", "1001", "--api", node.apiURL])
            #expect(many.status == 64 && many.output.contains("--limit is a number from 1 to 1000"), "\(many.output)")
        }

        // MARK: Clients

        @Test func aClientPagesThroughWhatItsTokenGrants() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await NodeProcess.alone(options: issuer.options)
            for user in ["alice", "bob"] { try await node.publish("for \(user)", to: user) }
            for channel in ["acme:1", "other:1"] { _ = try await node.order("POST", "/v1/channels/\(channel)/messages", "in \(channel)") }
            let token = try issuer.token("alice", #""subscribe":["*"],"history":["acme:*"],"historyUsers":["{user}"]"#)
            func ask(_ query: String, _ token: String?) async throws -> HTTPAnswer {
                try await node.ask("/v1/history?\(query)", token: token)
            }
            for query in ["", "user=alice", "limit=5&since=earliest"] {
                let own = try await ask(query, token)
                #expect(
                    own.status == 200 && own.text.contains("for alice") && own.text.hasPrefix(#"{"user":"alice","#), "\(query): \(own.text)"
                )
                #expect(own.headers["cache-control"] == "no-store")
            }
            #expect(try await ask("channel=acme:1", token).text.contains("in acme:1"))
            for query in ["user=bob", "channel=other:1", "channel=acme", "channel=alice"] {
                let answer = try await ask(query, token)
                #expect(
                    answer.status == 403 && answer.errorCode == "forbidden" && !answer.text.contains("in other"), "\(query): \(answer.text)"
                )
            }
            // To listen is not to page back.
            let listener = try issuer.token("alice", #""subscribe":["*"]"#)
            for query in ["", "channel=acme:1"] { #expect(try await ask(query, listener).status == 403, "\(query)") }
            #expect(try await ask("", nil).status == 401)
            #expect(try await ask("", try Issuer().token("alice", #""historyUsers":["*"]"#)).status == 401)
            // The API port is not for tokens.
            #expect(try await node.distrusted("not_granted") >= 6)
        }

        @Test func clientsHaveTheirLimitsToo() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await NodeProcess.alone(options: issuer.options + ["--limit", "history-rate=16"])
            func token(_ user: String) throws -> String { try issuer.token(user, #""historyUsers":["{user}"]"#) }
            let (alice, bob) = (try token("alice"), try token("bob"))
            var last = 0
            for _ in 0..<40 {
                last = try await node.ask("/v1/history", token: alice).status
                if last != 200 { break }
            }
            #expect(last == 429)
            #expect(try await node.ask("/v1/history", token: bob).status == 200)
            #expect(try await node.limited("history-rate") > 0)
        }
    }
}
