// What a node takes before it says no: each limit met, answered as docs/guide/limits.md says, counted, and nobody else any the worse for it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Limits {
        private static func node(_ limits: String..., options: [String] = []) async throws -> NodeProcess {
            try await NodeProcess.alone(options: limits.flatMap { ["--limit", $0] } + options)
        }

        private static func from(_ address: String) -> [String: String] { ["X-Forwarded-For": address] }

        /// An event stream, and the answer that it began with; with the whole of it, if the stream was put off.
        private static func stream(
            _ node: NodeProcess, _ user: String, from address: String? = nil
        ) async throws -> (connection: RawConnection, answer: HTTPAnswer) {
            let connection = try RawConnection(port: node.client)
            let headers = address.map(Self.from) ?? [:]
            try await connection.send(RawConnection.request("GET", "/v1/sse?user=\(user)", headers: headers))
            return (connection, try await connection.answer())
        }

        // MARK: Sockets

        @Test func aUserHasSoManySockets() async throws {
            let node = try await Self.node("sockets-per-user=3")
            var held = [try await Self.stream(node, "alice"), try await Self.stream(node, "alice")]
            let poll = try RawConnection(port: node.client)
            try await poll.send(RawConnection.request("GET", "/v1/poll?user=alice&wait=50"))
            try await node.waitForSockets(3, of: "alice")
            for answer in [try await RawWebSocket.open(node, "user=alice").answer, try await node.ask("/v1/poll?user=alice&wait=1")] {
                #expect(answer.status == 429 && answer.errorCode == "too_many_sockets", "\(answer.text)")
                #expect(answer.headers["retry-after"] != nil)
            }
            #expect(try await Self.stream(node, "alice").answer.putOffCode == "too_many_sockets")
            #expect(try await node.limited("sockets-per-user") == 3)
            #expect(try await node.ask("/v1/poll?user=alice&wait=0").status == 200, "one that does not wait holds nothing")
            held.append(try await Self.stream(node, "bob"))
            #expect(held[2].answer.isEndless)
            #expect(try await node.metrics()["ringpost_users"] == 2)
            // Each place is given back, whatever held it.
            try await node.publish("wakes the poll", to: "alice")
            #expect(try await poll.answer().status == 200)
            let again = try await RawWebSocket.open(node, "user=alice")
            #expect(again.answer.status == 101)
            try await again.socket.connection.send(RawWebSocket.masked(0x88, [0x03, 0xE8]))
            _ = try await again.socket.close()
            try await eventually(within: 20, "room for another one") { try await Self.stream(node, "alice").answer.isEndless }
            held = []
            try await eventually(within: 20, "all have gone") { try await node.metrics()["ringpost_users"] == 0 }
            withExtendedLifetime((again, poll)) {}
        }

        @Test func anAddressHasSoManySocketsAndComesSoFast() async throws {
            let node = try await Self.node(
                "sockets-per-address=3", "connect-rate-per-address=2", options: ["--trusted-proxy", "127.0.0.1"])
            var held: [RawConnection] = []
            for number in 0..<3 {
                let (connection, answer) = try await Self.stream(node, "u\(number)", from: "203.0.113.1")
                #expect(answer.isEndless)
                held.append(connection)
            }
            for address in ["203.0.113.1", "198.51.100.9, 203.0.113.1", "127.0.0.1,203.0.113.1:4711"] {
                let answer = try await Self.stream(node, "u", from: address).answer
                #expect(answer.putOffCode == "too_many_sockets", "\(address): \(answer.text)")
            }
            #expect(try await node.limited("sockets-per-address") == 3)
            held.append(try await Self.stream(node, "u", from: "203.0.113.2").connection)
            #expect(try await node.metrics()["ringpost_source_addresses"] == 2)
            // One IPv6 host has a whole network of addresses.
            for number in 1...3 { held.append(try await Self.stream(node, "v\(number)", from: "2001:db8::\(number)").connection) }
            #expect(try await Self.stream(node, "v", from: "2001:db8::ffff").answer.putOffCode == "too_many_sockets")
            #expect(try await Self.stream(node, "v", from: "2001:db8:0:1::1").answer.isEndless)

            // Handshakes: eight at once, then two in a second.
            var turned: HTTPAnswer?
            for _ in 0..<60 where turned == nil {
                let answer = try await Self.stream(node, "w", from: "203.0.113.5").answer
                if answer.putOffCode == "too_fast" { turned = answer }
            }
            #expect(turned != nil, "it was never too fast")
            #expect(try await node.limited("connect-rate-per-address") >= 1)
            #expect(try await Self.stream(node, "w", from: "203.0.113.6").answer.isEndless, "others are not held up")
            #expect(try await Self.stream(node, "w").answer.isEndless, "nor the proxy, which is counted itself")
            held = []
            try await node.waitUntilDeserted()
        }

        @Test func aNodeHasSoManyConnections() async throws {
            // Nobody is closed because nothing is said: a place would be free that this test thinks taken.
            let node = try await Self.node("connections=16", "head-seconds=60")
            try await node.waitUntilDeserted()
            var held = try (0..<13).map { _ in try RawConnection(port: node.client) }
            // Event loops accept for themselves: that one has answered says nothing of what the others have not seen yet. The connection
            // that asks is the fourteenth, if the one that asked before it has been seen to go.
            try await eventually(within: 20, "all are there") { (try? await node.metrics())?["ringpost_connections"] == 14 }
            try await eventually(within: 20, "the clients' last place is free again") {
                let last = try RawConnection(port: node.client)
                try await last.send(RawConnection.request("GET", "/v1/locate?user=a"))
                guard (try? await last.answer())?.status == 200 else { return false }
                held.append(last)
                return true
            }
            let another = try RawConnection(port: node.client)
            #expect(try await another.receiveToEnd(seconds: 10).isEmpty)
            #expect(try await node.order("GET", "/v1/ring").status == 200, "two places are the API port's")
            var operators: [RawConnection] = []
            // One that comes while the last one that asked has not been seen to go is itself one too many, and goes.
            try await eventually(within: 20, "the API port is full as well") {
                operators.append(try RawConnection(port: node.api))
                return try await RawConnection.exchange(port: node.api, "GET", "/v1/ring").status == 503
            }
            held.removeFirst(4)
            try await eventually(within: 20, "there is room again") { (try? await node.limited("connections")) ?? 0 >= 2 }
            operators = []
            for connection in held {
                try await connection.send(RawConnection.request("GET", "/v1/locate?user=a"))
                #expect(try await connection.answer().status == 200, "whoever was inside stays")
            }
            held = []
            try await node.waitUntilDeserted()
        }

        // MARK: Requests

        @Test func aHeadHasItsBounds() async throws {
            let node = try await Self.node("head-bytes=1024", "headers=8", "head-seconds=1", "request-seconds=3")
            for port in [node.client, node.api] {
                let long = try await RawConnection.exchange(
                    port: port, "GET", "/v1/nothing", headers: ["X-Long": String(repeating: "x", count: 1_024)])
                #expect(long.status == 431)
                let many = Dictionary(uniqueKeysWithValues: (0..<8).map { ("X-\($0)", "x") })
                #expect(try await RawConnection.exchange(port: port, "GET", "/v1/nothing", headers: many).status == 431)
            }
            #expect(try await node.limited("head-bytes") == 2)
            #expect(try await node.limited("headers") == 2)
            // A byte now and then does not keep a place.
            let slow = try RawConnection(port: node.client)
            let slower = try RawConnection(port: node.api)
            try await slow.send("GET /v1/poll")
            try await slower.send("POST /v1/users/a/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
            let began = ContinuousClock.now
            #expect(try await slow.answer().status == 408)
            #expect(ContinuousClock.now - began < .seconds(4))
            #expect(try await node.limited("head-seconds") == 1)
            #expect(try await slower.answer().status == 408)
            #expect(ContinuousClock.now - began > .seconds(1.5), "a body has longer")
            #expect(try await node.limited("request-seconds") == 1)
            for connection in [slow, slower] { _ = try await connection.receiveToEnd(seconds: 10) }
            try await node.waitUntilDeserted()
        }

        @Test func soManyRequestsWaitForTheirAnswers() async throws {
            let node = try await Self.node("pipelined=4")
            let connection = try RawConnection(port: node.client)
            let polls = (0..<12).map { RawConnection.request("GET", "/v1/poll?user=p\($0)&wait=50") }
            try await connection.send(polls.flatMap { $0 })
            try await node.wait(for: #"ringpost_sockets{transport="poll"}"#, "4") { $0 == 4 }
            #expect(try await node.limited("pipelined") >= 1)
            #expect(try await node.user("p4").online == false, "it has not been read yet")
            for number in 0..<12 {
                try await node.waitForSockets(1, of: "p\(number)")
                try await node.publish("\(number)", to: "p\(number)")
                #expect(try await connection.answer().text.contains(#""data":"\#(number)""#))
            }
        }

        @Test func memoryHasAWatermark() async throws {
            let probe = try await Self.node()
            try await probe.wait(for: "ringpost_resident_bytes", "known") { $0 > 0 }
            let megabytes = Int(try await probe.metrics()["ringpost_resident_bytes"]) / 1_048_576 + 48
            probe.kill()
            let node = try await Self.node("memory-megabytes=\(megabytes)", "user-rate=1000")
            let socket = try await RawWebSocket.open(node, "user=old").socket
            try await socket.hear("attached")
            let producer = try RawConnection(port: node.api)
            func publish(_ text: String, to user: String) async throws -> Int {
                try await producer.send(RawConnection.request("POST", "/v1/users/\(user)/messages", body: Array(text.utf8)))
                return try await producer.answer().status
            }
            let text = String(repeating: "x", count: 60_000)
            var number = 0
            try await eventually(within: 60, "memory is full") {
                for _ in 0..<100 {
                    number += 1
                    guard try await publish(text, to: "fill-\(number)") == 200 else {
                        throw HarnessError("a producer that is there is refused")
                    }
                }
                return try await node.ask("/v1/poll?user=a&wait=0").status == 503
            }
            for answer in [
                try await node.ask("/v1/poll?user=a&wait=0"), try await RawWebSocket.open(node, "user=a").answer,
                try await node.order("POST", "/v1/users/a/messages", "x"), try await node.order("GET", "/v1/ring"),
            ] { #expect(answer.status == 503 && answer.errorCode == "overloaded", "\(answer.text)") }
            for path in ["/healthz", "/readyz", "/metrics"] { #expect(try await node.order("GET", path).status == 200, "\(path)") }
            #expect(try await node.limited("memory-megabytes") >= 4)
            #expect(try await publish("for an old one", to: "old") == 200)
            try await socket.hear("for an old one")
        }

        // MARK: What clients send

        @Test func whoSendsTooMuchIsSlowedAndNobodyElse() async throws {
            let node = try await Self.node("client-frames=50", "client-bytes=20000")
            let (flooder, talker, other) = (
                try await RawWebSocket.open(node, "user=flooder").socket, try await RawWebSocket.open(node, "user=talker").socket,
                try await RawWebSocket.open(node, "user=other").socket
            )
            // A hundred at once, then fifty a second: four seconds.
            let began = ContinuousClock.now
            for number in 0..<300 { try await flooder.say(#"{"unsubscribe":["c\#(number)"]}"#) }
            // 80,000 bytes at once, then 20,000 a second: three seconds.
            let filler = String(repeating: " ", count: 1_350)
            for number in 0..<100 { try await talker.say(#"{"unsubscribe":["c\#(number)"]\#(filler)}"#) }
            for number in 0..<20 {
                let asked = ContinuousClock.now
                try await other.say(#"{"unsubscribe":["d\#(number)"]}"#)
                try await other.hear("\"d\(number)\"")
                #expect(ContinuousClock.now - asked < .seconds(1), "another one waits")
            }
            for number in 0..<100 { try await talker.hear("\"c\(number)\"", seconds: 30) }
            #expect(ContinuousClock.now - began >= .seconds(2.5))
            for number in 0..<300 { try await flooder.hear("\"c\(number)\"", seconds: 30) }
            #expect(ContinuousClock.now - began >= .seconds(3.5))
            #expect(try await node.limited("client-frames") >= 1)
            #expect(try await node.limited("client-bytes") >= 1)
        }

        @Test func publishesHaveTheirRates() async throws {
            let ring = try KeyRing([#""scopes":["publish-users","read"]"#, #""scopes":["publish-users"],"rate":1"#])
            defer { withExtendedLifetime(ring) {} }
            let keyed = try await Self.node("key-rate=3", options: ring.options)
            for (letter, burst) in [("a", 6), ("b", 2)] as [(Character, Int)] {
                let producer = try RawConnection(port: keyed.api)
                let requests = (0..<40).map {
                    RawConnection.request("POST", "/v1/users/u\($0)/messages", headers: KeyRing.header(letter), body: [0x78])
                }
                try await producer.send(requests.flatMap { $0 })
                var answers: [HTTPAnswer] = []
                for _ in requests { answers.append(try await producer.answer()) }
                let refused = answers.filter { $0.status == 429 && $0.errorCode == "too_fast" }
                #expect(answers.prefix(burst).allSatisfy { $0.status == 200 })
                #expect(refused.count >= 20 && refused.count == answers.count { $0.status != 200 }, "\(letter): \(refused.count)")
                #expect(refused[0].headers["retry-after"] == "1")
            }
            let metrics = try Metrics(try await keyed.order("GET", "/metrics", headers: KeyRing.header("a")).text)
            #expect(metrics[#"ringpost_limited_total{limit="key-rate"}"#] >= 40)

            let open = try await Self.node("user-rate=2", "client-publishes=2", options: ["--client-publish", "talk"])
            let producer = try RawConnection(port: open.api)
            try await producer.send((0..<30).flatMap { _ in RawConnection.request("POST", "/v1/users/u/messages", body: [0x78]) })
            var statuses: [Int] = []
            for _ in 0..<30 { statuses.append(try await producer.answer().status) }
            #expect(statuses.prefix(4) == [200, 200, 200, 200] && statuses.count { $0 == 429 } >= 15, "\(statuses)")
            #expect(try await open.publish("other users have their own", to: "v").seq == 1)
            #expect(try await open.metrics()[#"ringpost_messages_total{outcome="too_fast"}"#] >= 15)
            let socket = try await RawWebSocket.open(open, "user=w").socket
            for number in 0..<20 { try await socket.say(#"{"publish":{"channel":"talk","data":\#(number)},"ref":\#(number)}"#) }
            var refused = 0
            for _ in 0..<20 where try await socket.hear(#""ref":"#).contains(#""code":"too_fast""#) { refused += 1 }
            #expect(refused >= 10)
            #expect(try await open.limited("client-publishes") == Double(refused))
        }
    }
}
