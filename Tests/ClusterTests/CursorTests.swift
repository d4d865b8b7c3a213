// One cursor serves all transports and all nodes; what the history can't bring back is told, never skipped silently.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Cursors {
        /// One message a piece, so that each transport has something to resume at.
        @Test(arguments: ["n1", "n2", "n3"]) func aCursorTravelsBetweenTransportsAndNodes(owner: String) async throws {
            let cluster = try await Shared.cluster()
            let (first, second, third) = (try cluster["n1"], try cluster["n2"], try cluster["n3"])
            let user = try await cluster.user("traveller", ownedBy: owner)
            var seen: [Message] = []
            do {
                let socket = try await first.webSocket(user)
                try await second.publish(["1", "2"], to: user)
                seen += try await socket.messages(2)
            }
            try await third.publish("3", to: user)
            do {
                let cursor = try #require(seen.last?.cursor)
                let curl = try CurlStream(second.eventStreamURL(user), headers: ["Last-Event-ID: \(cursor)"])
                seen += try await curl.messages(1)
                try await first.publish("4", to: user)
                seen += try await curl.messages(2).suffix(1)
                #expect(try curl.events().prefix(1) == [.attached(cursor: cursor)])
                #expect(try curl.events().gaps.isEmpty)
            }
            do {
                let cursor = try #require(seen.last?.cursor)
                let poll = try ChildProcess("curl", arguments: ["-sS", third.pollURL(user) + "&since=\(cursor)&wait=25"])
                try await first.waitForPoll(of: user)
                try await first.publish("5", to: user)
                #expect(try await poll.waitForExit(deadlineSeconds: 20) == 0)
                let answer = try JSONDecoder().decode(Poll.self, from: Data(poll.output.utf8))
                #expect(answer.gap == nil)
                seen += answer.messages
            }
            try await second.publish("6", to: user)
            let plain: Poll = try await Curl.json([first.pollURL(user) + "&since=\(try #require(seen.last?.cursor))&wait=0"])
            #expect(plain.gap == nil)
            seen += plain.messages
            do {
                // What an address says is older than what an EventSource brings along.
                let old = try #require(seen.first?.cursor)
                let source = try CurlStream(first.eventStreamURL(user, since: old), headers: ["Last-Event-ID: \(plain.cursor)"])
                let socket = try await third.webSocket(user, since: plain.cursor)
                try await third.publish("7", to: user)
                seen += try await socket.messages(1)
                #expect(try await source.messages(1).map(\.data) == ["7"])
                #expect(try socket.events().gaps.isEmpty)
            }
            #expect(seen.map(\.data) == ["1", "2", "3", "4", "5", "6", "7"])
            #expect(seen.map(\.seq) == Array(1...7))
        }

        @Test func aGapIsToldWhereTheHistoryNoLongerReaches() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("long-history", ownedBy: "n2")
            let node = try cluster["n1"]
            let before = try await node.poll("user=\(user)&wait=0")
            try await Self.publishMany(1_100, to: user, through: cluster["n3"])
            let kept = Array(101...1_100)
            let socket = try PythonWebSockets([node.webSocketURL(user, since: before.cursor)]).sockets[0]
            let source = try NodeEventSources([node.eventStreamURL(user, since: before.cursor)]).sockets[0]
            for listener in [socket, source] {
                #expect(try await listener.messages(kept.count).map(\.seq) == kept)
                let events = try listener.events().filter { $0 != .open }
                guard case .gap(let cursor) = events.first else {
                    Issue.record("\(listener.name) was told no gap but \(events.prefix(3))")
                    continue
                }
                #expect(cursor.hasSuffix("-100"), "the cursor before the first message that is kept")
                #expect(events.gaps.count == 1)
            }
            let polled = try await Self.pollAll(node, user, since: before.cursor)
            #expect(polled.gap)
            #expect(polled.messages.map(\.seq) == kept)
            let picture = try await node.user(user)
            #expect(picture.history?.messages == 1_000)
        }

        @Test func earliestIsWhateverIsKeptAndNoGap() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("from-earliest", ownedBy: "n3")
            let node = try cluster["n1"]
            try await Self.publishMany(1_010, to: user, through: node)
            let polled = try await Self.pollAll(node, user, since: "earliest")
            #expect(polled.messages.map(\.seq) == Array(11...1_010))
            #expect(!polled.gap)
            let socket = try PythonWebSockets([node.webSocketURL(user, since: "earliest")]).sockets[0]
            #expect(try await socket.messages(1_000).map(\.seq) == Array(11...1_010))
            #expect(try socket.events().gaps.isEmpty)
        }

        @Test func aCursorThatNobodyKnowsIsAGap() async throws {
            let cluster = try await Shared.cluster()
            let user = "stranger's-cursor"
            let node = cluster.nodes[0]
            try await node.publish(["1", "2"], to: user)
            let now = try await node.poll("user=\(user.percentEncoded)&wait=0")
            let incarnation = now.cursor.prefix(16)
            for since in ["0123456789abcdef-1", "\(incarnation)-3", "\(incarnation)-18446744073709551615"] {
                let poll = try await node.poll("user=\(user.percentEncoded)&since=\(since)&wait=25")
                #expect(poll.gap == true, "\(since)")
                #expect(poll.cursor.hasPrefix(incarnation))
            }
            for since in ["1", "\(incarnation)", "\(incarnation)-", "\(incarnation)-x", "\(incarnation)-18446744073709551616", "latest"] {
                let answer = try await RawConnection.exchange(
                    port: node.client, "GET", "/v1/poll?user=\(user.percentEncoded)&since=\(since)&wait=0")
                #expect(answer.status == 400, "\(since)")
                #expect(answer.errorCode == "bad_cursor", "\(since)")
            }
        }

        @Test func messagesExpireWithoutAGap() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("expiry", ownedBy: "n2")
            let node = try cluster["n1"]
            let before = try await node.poll("user=\(user)&wait=0").cursor
            let socket = try await cluster["n3"].webSocket(user)
            // Worth something only to who is there.
            try await node.publish("now or never", to: user, headers: ["Ringpost-TTL": "0"])
            try await node.publish("a second", to: user, headers: ["Ringpost-TTL": "1"])
            try await node.publish("an hour", to: user, headers: ["Ringpost-TTL": "3600"])
            #expect(try await socket.messages(3).map(\.data) == ["now or never", "a second", "an hour"])
            try await eventually(within: 20, "one message has expired") {
                let poll = try await node.poll("user=\(user)&since=\(before)&wait=0")
                #expect(poll.gap == nil)
                #expect(!poll.messages.contains { $0.data == "now or never" })
                return poll.messages.map(\.data) == ["an hour"]
            }
            let late = try await node.poll("user=\(user)&since=earliest&wait=0")
            #expect(late.messages.map(\.seq) == [3])
            let bad = try await node.post("x", to: user, headers: ["Ringpost-TTL": "soon"])
            #expect(bad.status == 400)
            #expect(bad.errorCode == "bad_parameter")
        }

        /// In batches that a node takes.
        private static func publishMany(_ count: Int, to user: String, through node: NodeProcess) async throws {
            for start in stride(from: 1, through: count, by: 500) {
                try await node.publish((start...min(start + 499, count)).map { "\($0)" }, to: user)
            }
        }

        /// Polls until there is no more.
        private static func pollAll(
            _ node: NodeProcess, _ user: String, since: String
        ) async throws -> (messages: [Message], gap: Bool) {
            var (messages, gap, cursor): ([Message], Bool, String) = ([], false, since)
            while true {
                let poll = try await node.poll("user=\(user)&since=\(cursor)&wait=0")
                gap = gap || poll.gap == true
                if poll.messages.isEmpty { return (messages, gap) }
                messages += poll.messages
                cursor = poll.cursor
            }
        }
    }
}

extension NodeProcess {
    /// A long poll counts as a socket while it waits.
    fileprivate func waitForPoll(of user: String) async throws {
        try await eventually(within: 20, "a poll of \(user)") {
            try await self.user(user).sockets.contains { $0.transport == "poll" }
        }
    }
}
