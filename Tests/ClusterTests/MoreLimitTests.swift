// The limits that have an answer of their own since long: that they can be set by name, and are counted under it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct MoreLimits {
        private static func node(_ limits: String...) async throws -> NodeProcess {
            try await NodeProcess.alone(options: limits.flatMap { ["--limit", $0] })
        }

        @Test func messagesAndBatchesHaveTheirBounds() async throws {
            let node = try await Self.node("payload-bytes=100", "batch-bytes=2048", "batch-messages=2")
            let large = try await node.post(String(repeating: "x", count: 101), to: "a")
            #expect(large.status == 413 && large.errorCode == "too_large")
            #expect(try await node.limited("payload-bytes") == 1)
            let line = #"{"user":"a","data":1}"#
            let lines = try await node.order("POST", "/v1/messages", [line, line, line].joined(separator: "\n"))
            #expect(lines.status == 413 && lines.text.contains("at most 2 are taken"))
            #expect(try await node.limited("batch-messages") == 1)
            let bytes = try await node.order("POST", "/v1/messages", line + String(repeating: " ", count: 2_048))
            #expect(bytes.status == 413)
            #expect(try await node.limited("batch-bytes") == 1)
            let long = #"{"user":"a","data":"\#(String(repeating: "x", count: 101))"}"#
            let mixed = try await node.order("POST", "/v1/messages", "\(line)\n\(long)").text.split(separator: "\n")
            #expect(mixed.count == 2 && mixed[0].contains(#""seq":1"#) && mixed[1].contains("too_large"), "\(mixed)")
            #expect(try await node.limited("payload-bytes") == 2)
        }

        @Test func bodiesThatWaitHaveTheirBound() async throws {
            let node = try await Self.node("payload-bytes=60000", "batch-bytes=65536", "body-bytes=131072")
            // For each of two event loops two or more.
            let head = Array("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60001\r\n\r\n".utf8)
            let waiting = try (0..<16).map { _ in try RawConnection(port: node.api) }
            for connection in waiting { try await connection.send(head + [UInt8](repeating: 0x0A, count: 60_000)) }
            var refused: [RawConnection] = []
            try await eventually(within: 5, "twelve are refused") {
                for connection in waiting { connection.readAvailable() }
                refused = waiting.filter { !$0.received.isEmpty }
                let counted = try await node.limited("body-bytes")
                return refused.count >= 12 && counted == Double(refused.count)
            }
            let taken = waiting.filter(\.received.isEmpty)
            for connection in refused {
                let answer = try await connection.answer()
                #expect(answer.status == 503 && answer.errorCode == "overloaded" && answer.headers["retry-after"] == "2", "\(answer.text)")
            }
            try await node.publish("whole", to: "a")
            #expect(!taken.isEmpty)
            for connection in taken {
                try await connection.send([0x0A])
                #expect(try await connection.answer().status == 200)
            }
            let again = try RawConnection(port: node.api)
            try await again.send(head + [UInt8](repeating: 0x0A, count: 60_001))
            #expect(try await again.answer().status == 200, "all of it is given back")
        }

        @Test func channelsHaveTheirBounds() async throws {
            let node = try await Self.node(
                "socket-channels=2", "stream-channels=1", "channel-subscribers=1", "channel-rate=1", "user-rate=1")
            #expect(try await RawWebSocket.open(node, "channels=a,b,c").answer.errorCode == "too_many_channels")
            let socket = try await RawWebSocket.open(node, "user=a&channels=b,c").socket
            try await socket.say(#"{"subscribe":["d"]}"#)
            try await socket.hear("too_many_channels")
            #expect(try await node.limited("socket-channels") == 2)
            for transport in ["sse", "poll"] {
                #expect(try await node.ask("/v1/\(transport)?channels=a,b&wait=0").errorCode == "too_many_channels")
            }
            #expect(try await node.limited("stream-channels") == 2)
            // One for each of two event loops.
            var sockets: [RawWebSocket] = []
            var refused = 0
            for number in 0..<6 {
                let socket = try await RawWebSocket.open(node, "user=s\(number)").socket
                try await socket.say(#"{"subscribe":["full"]}"#)
                if try await socket.hear(#""channel":"full""#).contains("channel_full") { refused += 1 }
                sockets.append(socket)
            }
            #expect(refused >= 4)
            #expect(try await node.limited("channel-subscribers") == Double(refused))
            for (path, limit) in [("channels/fast", "channel-rate"), ("users/fast", "user-rate")] {
                let producer = try RawConnection(port: node.api)
                try await producer.send((0..<20).flatMap { _ in RawConnection.request("POST", "/v1/\(path)/messages", body: [0x78]) })
                var answers: [HTTPAnswer] = []
                for _ in 0..<20 { answers.append(try await producer.answer()) }
                let tooFast = answers.filter { $0.status == 429 && $0.errorCode == "too_fast" }
                #expect(answers.prefix(2).allSatisfy { $0.status == 200 } && tooFast.count >= 10, "\(answers.map(\.status))")
                #expect(try await node.limited(limit) == Double(tooFast.count))
            }
        }

        @Test func socketsHaveTheirBounds() async throws {
            let node = try await Self.node("sockets=2", "socket-bytes=65536", "user-rate=10000")
            let slow = try await RawWebSocket(node, user: "slow", receiveBufferBytes: 4_096)
            let text = String(repeating: "x", count: 60_000)
            try await eventually(within: 30, "it has been too slow") {
                for _ in 0..<20 { try await node.publish(text, to: "slow") }
                return try await node.limited("socket-bytes") == 1
            }
            try await node.waitForSockets(0, of: "slow")
            withExtendedLifetime(slow) {}
            var held: [RawConnection] = []
            for number in 0..<6 {
                let connection = try RawConnection(port: node.client)
                try await connection.send(RawConnection.request("GET", "/v1/sse?user=u\(number)"))
                #expect(try await connection.answer().status == 200)
                try await connection.receive("a word", seconds: 10) {
                    !$0.isEmpty && String(decoding: $0, as: UTF8.self).contains("event: ")
                }
                held.append(connection)
            }
            let turned = held.count { String(decoding: $0.received, as: UTF8.self).contains("try_later") }
            #expect(turned >= 4)
            #expect(try await node.limited("sockets") == Double(turned))
        }

        @Test func aCrowdIsCountedUnderItsRate() async throws {
            let node = try await Self.node("connect-rate=1", "connect-burst=1")
            var turned = 0
            for number in 0..<10 where try await RawWebSocket.open(node, "user=u\(number)").socket.frame().close != nil { turned += 1 }
            #expect(turned >= 4)
            #expect(try await node.limited("connect-rate") == Double(turned))
        }
    }
}
