// What has to go on while others misbehave: a well-behaved WebSocket that must still receive, and counters that must have moved.

import Foundation
import Synchronization
import TestSupport
import Testing

final class Witness: Sendable {
    let node: NodeProcess
    private let socket: any Listener
    private let sent = Mutex(0)
    private static let user = "witness"

    private static let shared = Mutex<Task<Witness, any Error>?>(nil)

    /// One for all tests at the node alone: it sees every one of them.
    static func atLoner() async throws -> Witness {
        try await shared.withLock { task in
            let running = task ?? Task { try await Witness(node: try await Shared.loner()) }
            task = running
            return running
        }.value
    }

    /// At the end of the process.
    static func forget() { shared.withLock { $0 = nil } }

    private init(node: NodeProcess) async throws {
        self.node = node
        socket = try await node.webSocket(Self.user)
    }

    /// A message to the witness arrives, as all before it have, on the same connection.
    func stillReceives() async throws {
        let number = sent.withLock {
            $0 += 1
            return $0
        }
        try await node.publish("\(number)", to: Self.user)
        let messages = try await socket.messages(number)
        #expect(messages.map(\.data) == (1...number).map { "\($0)" })
        #expect(try socket.events().closes.isEmpty)
    }

    /// Waits until a counter has grown by so many since the earlier look at it.
    func waitForCount(_ sample: String, since before: Metrics, by count: Double = 1) async throws {
        try await eventually(within: 20, "\(sample) grows by \(count) from \(before[sample])") {
            try await self.node.metrics()[sample] >= before[sample] + count
        }
    }
}
