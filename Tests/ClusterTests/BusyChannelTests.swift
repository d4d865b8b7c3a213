// A channel with ten thousand sockets on one event loop is served some at a time: whoever else wants something from that loop meanwhile
// does not wait for all of them.

import Foundation
import Synchronization
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct BusyChannel {
        private static let sockets = 10_000
        private static let rounds = 20

        @Test func aLargeChannelHoldsUpNobody() async throws {
            let node = try await NodeProcess.alone(options: ["--loops", "1", "--connect-rate", "100000", "--connect-burst", "100000"])
            let crowd = try ChildProcess(
                "/usr/bin/python3", arguments: ["-c", Self.script, "\(node.client)", "\(Self.sockets)"])
            try await eventually(within: 120, "\(Self.sockets) sockets listen") {
                try await node.metrics()["ringpost_channel_listeners"] == Double(Self.sockets)
            }
            // Sockets are served in the order in which they came.
            let last = try await RawWebSocket(node, user: "last")
            _ = try await last.frame()
            try await last.connection.send(RawWebSocket.masked(0x81, Array(#"{"subscribe":["square"]}"#.utf8)))
            #expect(try await last.frame().text.contains("attached"))
            let alone = try await RawWebSocket(node, user: "alone")
            _ = try await alone.frame()
            let producer = try RawConnection(port: node.api)
            var overtakes = 0
            for round in 1...Self.rounds {
                try await producer.send(Self.publish("M\(round)", to: "channels/square"))
                // Each is used by one task at a time.
                nonisolated(unsafe) let (one, other) = (last, alone)
                async let toLast = Self.arrival(of: "M\(round)", at: one)
                async let toAlone = Self.arrival(of: "U\(round)", at: other)
                // The channel's message has its receipt and is on its way to ten thousand before the node can read the other one.
                #expect(try await producer.answer().status == 200)
                try await producer.send(Self.publish("U\(round)", to: "users/alone"))
                #expect(try await producer.answer().status == 200)
                let (channel, user) = try await (toLast, toAlone)
                if user < channel { overtakes += 1 }
            }
            // Served in one go, or in slices between which the event loop doesn't look at its sockets, the last of the crowd would have its
            // message before the next publish is even read.
            #expect(overtakes >= Self.rounds / 2, "\(overtakes) of \(Self.rounds)")
            try await eventually(within: 60, "everybody has everything") {
                try await node.metrics()[#"ringpost_messages_written_total{transport="ws"}"#]
                    >= Double(Self.rounds * (Self.sockets + 2))
            }
            #expect(crowd.isRunning)
        }

        private static func publish(_ text: String, to path: String) -> [UInt8] {
            RawConnection.request("POST", "/v1/\(path)/messages", headers: ["Content-Type": "text/plain"], body: Array(text.utf8))
        }

        private static func arrival(of text: String, at socket: RawWebSocket) async throws -> ContinuousClock.Instant {
            while true {
                let frame = try await socket.frame(seconds: 60).text
                if frame.contains("\"data\":\"\(text)\"") { return .now }
            }
        }

        /// Opens so many sockets on one channel, and reads and forgets what comes.
        private static let script = """
            import select, socket, sys, time
            port, count = int(sys.argv[1]), int(sys.argv[2])
            head = b"GET /v1/ws?channels=square HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n" \\
                b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
            poll, sockets = select.epoll(), {}
            for number in range(count):
                one = socket.create_connection(("127.0.0.1", port))
                one.send(head)
                one.setblocking(False)
                sockets[one.fileno()] = one
                poll.register(one, select.EPOLLIN)
            while True:
                for descriptor, _ in poll.poll(0.1, 10000):
                    if not sockets[descriptor].recv(65536):
                        sys.exit("a socket has ended")
                time.sleep(0.05)
            """
    }
}
