// What most tests here begin with: a session, connected, with its events written down.

import Logging
import Synchronization
import TestSupport
import Testing
import ZooKeeperClient

/// All tests with a real ZooKeeper, one after the other: several Javas at once on two cores are slow enough to need other deadlines.
@Suite(.serialized) struct ZooKeeperTests {}

/// The events of a session in the order in which they came.
final class EventRecorder: Sendable {
    private let recorded = Mutex<[ZooKeeperSessionEvent]>([])

    func record(_ event: ZooKeeperSessionEvent) { recorded.withLock { $0.append(event) } }

    var events: [ZooKeeperSessionEvent] { recorded.withLock { $0 } }

    var isConnected: Bool {
        events.contains {
            if case .connected = $0 { true } else { false }
        }
    }

    func clear() { recorded.withLock { $0 = [] } }

    func wait(for event: ZooKeeperSessionEvent, seconds: Double = 20) async throws {
        try await eventually(within: seconds, "\(event), had \(self.events)") { self.events.contains(event) }
    }

    func waitForConnection(seconds: Double = 20) async throws {
        try await eventually(within: seconds, "a connection, had \(self.events)") { self.isConnected }
    }
}

/// Opens a session that is not connected yet.
func beginSession(
    _ servers: String, timeoutMilliseconds: Int = 4_000, credentials: ZooKeeperCredentials? = nil, events: EventRecorder = EventRecorder()
) throws -> (session: ZooKeeperSession, events: EventRecorder) {
    let session = try ZooKeeperSession(
        servers: servers, sessionTimeoutMilliseconds: timeoutMilliseconds, credentials: credentials, logger: Logger(label: "test"),
        onEvent: events.record)
    return (session, events)
}

/// Opens a session and waits until it is connected.
func openSession(
    _ servers: String, timeoutMilliseconds: Int = 4_000, credentials: ZooKeeperCredentials? = nil
) async throws -> (session: ZooKeeperSession, events: EventRecorder) {
    let (session, events) = try beginSession(servers, timeoutMilliseconds: timeoutMilliseconds, credentials: credentials)
    try await events.waitForConnection()
    return (session, events)
}

/// The kind of the error that a request ended with, `nil` if it succeeded.
func failure(_ request: () async throws(ZooKeeperError) -> Void) async -> ZooKeeperError.Kind? {
    do throws(ZooKeeperError) {
        try await request()
        return nil
    } catch {
        return error.kind
    }
}
