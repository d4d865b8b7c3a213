// A node alone, without ZooKeeper, and clients that are not ours on all four transports.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct SingleNode {
        @Test func curlSendsAndPolls() async throws {
            let node = try await Shared.loner()
            let user = "poll alice"
            let receipt: Receipt = try await Curl.json(["-d", "hello", node.messagesURL(user)])
            #expect(receipt.user == user)
            #expect(receipt.seq == 1)
            #expect(receipt.owner == "n1")
            #expect(receipt.outcome == "stored")
            #expect(!receipt.mirrored)
            #expect(receipt.repeated == nil)
            let first: Poll = try await Curl.json([node.pollURL(user) + "&since=earliest&wait=0"])
            #expect(first.messages.map(\.data) == ["hello"])
            #expect(first.messages.map(\.seq) == [1])
            #expect(first.messages[0].id == receipt.id)
            #expect(first.messages[0].cursor == first.cursor)
            #expect(first.gap == nil)
            let now: Poll = try await Curl.json([node.pollURL(user) + "&wait=0"])
            #expect(now.messages.isEmpty)
            #expect(now.cursor == first.cursor)
            let json: Receipt = try await Curl.json(
                ["-H", "Content-Type: application/json", "-d", #"{"n": 1.50, "big":12345678901234567890}"#, node.messagesURL(user)])
            #expect(json.seq == 2)
            let text = try await Curl.run([node.pollURL(user) + "&since=\(now.cursor)&wait=0"])
            #expect(text.contains(#""data":{"n": 1.50, "big":12345678901234567890}}"#), "\(text)")
        }

        /// Scripts wait for this line.
        @Test func whoReadsThatItListensIsServed() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            for options in [[], issuer.options] {
                let node = try NodeProcess("n1", options: options)
                try node.launch()
                try await node.waitForLog("listening", seconds: 30)
                let answer = try await node.ask("/v1/poll?user=alice&wait=0", token: options.isEmpty ? nil : try issuer.token("alice"))
                #expect(answer.status == 200, "\(answer.text)")
            }
        }

        @Test func aLongPollAnswersAsSoonAsThereIsSomething() async throws {
            let node = try await Shared.loner()
            let user = "long-poll"
            let waiting = try ChildProcess("curl", arguments: ["-sS", node.pollURL(user) + "&wait=25"])
            try await node.waitForSockets(1, of: user)
            let receipt = try await node.publish("at last", to: user)
            #expect(receipt.outcome == "delivered")
            // Long before its 25 seconds are over.
            #expect(try await waiting.waitForExit(deadlineSeconds: 15) == 0)
            #expect(waiting.output.contains(#""data":"at last""#))
            try await node.waitForSockets(0, of: user)
        }

        @Test func aPollWithoutNewsIsEmptyAfterItsWait() async throws {
            let node = try await Shared.loner()
            let began = ContinuousClock.now
            let poll: Poll = try await Curl.json([node.pollURL("nobody-writes") + "&wait=1"])
            #expect(poll.messages.isEmpty)
            #expect(ContinuousClock.now - began >= .milliseconds(990))
        }

        @Test func severalMessagesComeInOnePollOverOneConnection() async throws {
            let node = try await Shared.loner()
            let user = "many"
            try await node.publish((1...10).map { "\($0)" }, to: user)
            let connection = try RawConnection(port: node.client)
            var cursor = "earliest"
            for round in 0..<3 {
                try await connection.send(RawConnection.request("GET", "/v1/poll?user=\(user)&since=\(cursor)&wait=0"))
                let poll: Poll = try await connection.answer().json()
                #expect(poll.messages.count == (round == 0 ? 10 : round == 1 ? 0 : 1))
                cursor = poll.cursor
                if round == 1 { try await node.publish("11", to: user) }
            }
        }

        @Test func curlReceivesAnEventStream() async throws {
            let node = try await Shared.loner()
            let user = "stream"
            let curl = try CurlStream(node.eventStreamURL(user))
            try await curl.waitUntilAttached()
            let receipt: Receipt = try await Curl.json(["-d", "one", node.messagesURL(user)])
            #expect(receipt.outcome == "delivered")
            let text = "two\nlines, \u{1F600} and \u{2028}"
            try await node.publish(text, to: user)
            let messages = try await curl.messages(2)
            #expect(messages.map(\.data) == ["one", text])
            let head = curl.head()
            #expect(head.hasPrefix("http/1.1 200 "))
            #expect(head.contains("\r\ncontent-type: text/event-stream"))
            #expect(head.contains("\r\ncache-control: no-store"))
            #expect(head.contains("\r\nx-accel-buffering: no"))
            #expect(try /(^|\n)retry: [0-9]+\n/.firstMatch(in: curl.stream()) != nil)
        }

        @Test(arguments: [1, 200, 65_536]) func pythonReceivesFramesOfEveryLength(bytes: Int) async throws {
            let node = try await Shared.loner()
            let user = "frames-\(bytes)"
            let socket = try await node.webSocket(user)
            let text = String(repeating: "x", count: bytes)
            let receipt = try await node.publish(text, to: user)
            #expect(receipt.outcome == "delivered")
            #expect(try await socket.message(text).seq == 1)
            let cursors = try socket.events().cursors
            #expect(cursors.count == 1)
            #expect(cursors.first?.hasSuffix("-0") == true)
        }

        @Test func pythonPingsSendsFragmentsAndClosesInOrder() async throws {
            let node = try await Shared.loner()
            let script = """
                import asyncio, sys, websockets
                async def main():
                    async with websockets.connect(sys.argv[1]) as socket:
                        print("first", await socket.recv())
                        await asyncio.wait_for(await socket.ping(b"x" * 125), 20)
                        print("pong")
                        await socket.send(["a", "b" * 200, "c"])
                        print("answer", await socket.recv())
                        await socket.close(3001, "enough")
                        print("closed", socket.close_code, socket.close_reason)
                asyncio.run(main())
                """
            let python = try ChildProcess("/usr/bin/python3", arguments: ["-u", "-c", script, node.webSocketURL("pinger")])
            #expect(try await python.waitForExit(deadlineSeconds: 30) == 0, "\(python.output)")
            let lines = python.output.split(separator: "\n")
            #expect(lines.count == 4)
            #expect(lines[0].hasPrefix(#"first {"event":"attached""#))
            #expect(lines[1] == "pong")
            #expect(lines[2].contains(#""code":"bad_json""#))
            #expect(lines[3].hasPrefix("closed 3001"))
            try await node.waitForSockets(0, of: "pinger")
        }

        @Test func anEventSourceIsToldOfTheGapAfterARestart() async throws {
            let node = try await NodeProcess.alone()
            let user = "browser"
            let source = try NodeEventSources([node.eventStreamURL(user)]).sockets[0]
            try await source.waitUntilAttached()
            try await node.publish("before", to: user)
            _ = try await source.message("before")
            node.terminate()
            #expect(try await node.waitForExit(seconds: 30) == 0)
            #expect(try await source.wait("the goodbye") { !$0.closes.isEmpty }.closes.first?.contains("going_away") == true)
            // Another process knows nothing of the old one's messages, and has to say so to who resumes.
            try await node.start()
            let events = try await source.wait("a gap", seconds: 60) { !$0.gaps.isEmpty }
            #expect(events.messages.map(\.data) == ["before"])
            try await node.publish("after", to: user)
            _ = try await source.message("after")
            let all = try source.events()
            #expect(all.messages.map(\.data) == ["before", "after"])
            #expect(all.gaps.count == 1)
            #expect(all.cursors.count == 1, "attached is for who begins, not for who resumes")
            #expect(!all.contains { if case .other(let text) = $0 { text.hasPrefix("wrong id") } else { false } })
        }

        @Test func aNodeThatStopsSaysGoodbyeOnEveryTransport() async throws {
            let node = try await NodeProcess.alone()
            let socket = try await node.webSocket("alice")
            let curl = try CurlStream(node.eventStreamURL("alice"))
            try await curl.waitUntilAttached()
            let poll = try ChildProcess("curl", arguments: ["-sS", node.pollURL("alice") + "&wait=25"])
            try await node.waitForSockets(3, of: "alice")
            node.terminate()
            let close = try await socket.wait("a close frame") { !$0.closes.isEmpty }.closes
            #expect(close.count == 1 && close[0].hasPrefix("1001 resume: going_away; after="), "\(close)")
            let closes = try await curl.wait("a close event") { !$0.closes.isEmpty }.closes
            #expect(closes.count == 1 && closes[0].hasPrefix(#"{"code":"going_away","advice":"resume","after":"#), "\(closes)")
            #expect(try await curl.process.waitForExit(deadlineSeconds: 20) == 0)
            #expect(try await poll.waitForExit(deadlineSeconds: 20) == 0, "a poll is answered, not cut: \(poll.output)")
            #expect(try JSONDecoder().decode(Poll.self, from: Data(poll.output.utf8)).messages.isEmpty)
            #expect(try await node.waitForExit(seconds: 30) == 0)
        }
    }
}
