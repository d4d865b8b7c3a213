// A socket that stops taking bytes is bounded and then closed with a word to resume; nobody else waits for it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct SlowClients {
        private static let textBytes = 60_000

        /// Publishes until the node has closed so many slow sockets.
        private static func flood(_ witness: Witness, user: String, since before: Metrics, sockets: Double) async throws -> Int {
            let text = String(repeating: "x", count: textBytes)
            let sample = #"ringpost_sockets_closed_total{reason="slow_consumer"}"#
            for round in 1...500 {
                try await witness.node.publish(text, to: user)
                if round % 10 == 0, try await witness.node.metrics()[sample] >= before[sample] + sockets { return round }
            }
            throw HarnessError("30 MB for a socket that takes nothing, and the node still keeps it")
        }

        @Test func aWebSocketThatIsNotReadIsClosed() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let slow = try await RawWebSocket(witness.node, user: "slow", receiveBufferBytes: 4_096)
            _ = try await slow.frame()
            let fast = try await witness.node.webSocket("slow")
            let sent = try await Self.flood(witness, user: "slow", since: before, sockets: 1)
            // A megabyte waits in the node; of what it can't send the kernel takes little.
            #expect(sent * Self.textBytes < 2_500_000)
            // It is told why, if it reads on in time; or it finds its connection cut.
            var reason: String?
            do { reason = try await slow.close() } catch is HarnessError {}
            #expect(reason == nil || reason == "4008 resume: slow_consumer")
            _ = try await slow.connection.receiveToEnd(seconds: 20)
            #expect(try await fast.messages(sent, seconds: 60).map(\.seq) == Array(1...sent))
            #expect(try fast.events().closes.isEmpty)
            try await witness.node.waitForSockets(1, of: "slow")
            try await witness.stillReceives()
        }

        @Test func aSlowClientThatReadsOnIsToldToResume() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let slow = try await RawWebSocket(witness.node, user: "dozing", receiveBufferBytes: 65_536)
            _ = try await slow.frame()
            _ = try await Self.flood(witness, user: "dozing", since: before, sockets: 1)
            #expect(try await slow.close() == "4008 resume: slow_consumer")
            try await witness.stillReceives()
        }

        @Test func anEventStreamThatIsNotReadIsClosed() async throws {
            let witness = try await Witness.atLoner()
            let before = try await witness.node.metrics()
            let slow = try RawConnection(port: witness.node.client, receiveBufferBytes: 4_096)
            try await slow.send(RawConnection.request("GET", "/v1/sse?user=slow-stream"))
            try await witness.node.waitForSockets(1, of: "slow-stream")
            _ = try await Self.flood(witness, user: "slow-stream", since: before, sockets: 1)
            _ = try await slow.receiveToEnd(seconds: 20)
            try await witness.node.waitForSockets(0, of: "slow-stream")
            try await witness.stillReceives()
        }

        @Test func aClientThatAsksAndNeverReadsIsNotListenedTo() async throws {
            let witness = try await Witness.atLoner()
            try await witness.node.publish((1...4).map { _ in String(repeating: "x", count: 60_000) }, to: "asker")
            let asker = try RawConnection(port: witness.node.client, receiveBufferBytes: 4_096)
            let request = RawConnection.request("GET", "/v1/poll?user=asker&since=earliest&wait=0")
            let before = try await witness.node.residentMegabytes()
            // Sent as long as the node takes them: each asks for 240 KB.
            let some = Array(repeatElement(request, count: 10_000).joined())
            await #expect(throws: DeadlineExceeded.self, "the node stops reading what it can't answer") {
                for _ in 0..<100 { try await asker.send(some, seconds: 2) }
            }
            asker.readAvailable()
            #expect(!asker.hasEnded)
            try await witness.stillReceives()
            #expect(try await witness.node.residentMegabytes() < before + 64)
        }
    }
}

extension NodeProcess {
    /// What the kernel says that the process has in memory.
    fileprivate func residentMegabytes() async throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid ?? 0)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw HarnessError("no VmRSS in \(status)")
        }
        return kilobytes / 1_024
    }
}
