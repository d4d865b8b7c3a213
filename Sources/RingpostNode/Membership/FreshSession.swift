// A session without a past. ZooKeeper refuses a client that has seen a newer transaction than the server's last, for ever, and the client
// library says only that it is not connected. One that has seen nothing is let in by whoever serves.

import Dispatch
import Logging
import RingpostCore
import ZooKeeperClient

enum FreshSession {
    /// What it asks for as its time-out. It makes nothing that could go with it, and the library gives a connection up that is not answered
    /// within two thirds of it: a server that is just starting takes connections before it serves them.
    private static let timeoutMilliseconds = 1_000

    /// What ZooKeeper knows of a member. Cancelled, it gives up.
    ///
    /// - Parameter limitMilliseconds: how long to wait for a connection.
    static func ask(
        about member: Member, at path: String, _ configuration: MembershipConfiguration, limitMilliseconds: Int, logger: Logger
    ) async -> FreshAnswer {
        // A session says little before it is connected, and nothing that counts.
        let (events, inbox) = AsyncStream.makeStream(of: ZooKeeperSessionEvent.self, bufferingPolicy: .bufferingNewest(8))
        guard let session = await open(configuration, logger: logger, inbox) else { return .nobody }
        let limit = Task {
            do { try await Task.sleep(for: .milliseconds(limitMilliseconds)) } catch { return }
            inbox.finish()
        }
        var answer = FreshAnswer.nobody
        for await event in events {
            guard case .connected = event else { continue }
            answer = await look(for: member, at: path, in: session)
            break
        }
        limit.cancel()
        await session.close()
        return answer
    }

    /// On a thread of its own: looking up the servers' names can block for seconds.
    private static func open(
        _ configuration: MembershipConfiguration, logger: Logger, _ inbox: AsyncStream<ZooKeeperSessionEvent>.Continuation
    ) async -> ZooKeeperSession? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let session = try? ZooKeeperSession(
                    servers: configuration.servers ?? "", sessionTimeoutMilliseconds: timeoutMilliseconds,
                    credentials: configuration.credentials, logger: logger
                ) { _ = inbox.yield($0) }
                continuation.resume(returning: session)
            }
        }
    }

    private static func look(for member: Member, at path: String, in session: ZooKeeperSession) async -> FreshAnswer {
        do throws(ZooKeeperError) {
            // What a server that lags behind doesn't know of is not gone.
            try await session.sync(path)
            let found = try? Member(json: try await session.get(path).data, znode: path)
            return found?.identity == member.identity ? .known : .unknown
        } catch { return error.kind == .noNode ? .unknown : .nobody }
    }
}
