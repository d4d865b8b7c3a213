// A session without a past. ZooKeeper refuses a client that has seen a newer transaction than the server's last, for ever, and the client
// library says only that it is not connected. One that has seen nothing is let in by whoever serves.

import Dispatch
import Logging
import RingpostCore
import ServiceLifecycle
import ZooKeeperClient

/// What ZooKeeper has of a cluster and of one of its nodes.
enum NodeRecord: Sendable {
    /// Nobody has answered in time.
    case nobody
    /// ZooKeeper does not let this node in.
    case shutOut
    /// The ring's document, the roster's entry, and the number of the list of members; `nil` for what is not there.
    case read(ring: [UInt8]?, entry: [UInt8]?, list: UInt64?)
}

enum FreshSession {
    /// What it asks for as its time-out. It makes nothing that could go with it, and the library gives a connection up that is not answered
    /// within two thirds of it: a server that is just starting takes connections before it serves them.
    private static let timeoutMilliseconds = 1_000

    /// What ZooKeeper knows of a member. Cancelled, it gives up.
    ///
    /// - Parameter limitMilliseconds: how long to wait for a connection.
    static func ask(
        about member: Member, at path: String, _ servers: String, _ credentials: ZooKeeperCredentials?, limitMilliseconds: Int,
        logger: Logger
    ) async -> FreshAnswer {
        await ask(servers, credentials, limitMilliseconds, logger) { await look(for: member, at: path, in: $0) } ?? .nobody
    }

    /// Asks again and again until somebody answers.
    ///
    /// - Returns: `nil` when the node is told to end meanwhile.
    static func record(
        of id: String, _ paths: ClusterPaths, _ servers: ZooKeeperServers, _ credentials: ZooKeeperCredentials?, _ logger: Logger
    ) async -> NodeRecord? {
        await cancelWhenGracefulShutdown {
            var isTold = false
            while !Task.isCancelled {
                let record = await ask(servers.connectString, credentials, recordLimitMilliseconds, logger, whenShutOut: .shutOut) {
                    await read(id, paths, in: $0)
                }
                switch record {
                case nil, .nobody: break
                case .shutOut, .read: return record
                }
                if !isTold { logger.notice("waiting for ZooKeeper, which knows whether the data directory is up to date") }
                isTold = true
                try? await Task.sleep(for: .milliseconds(pauseMilliseconds))
            }
            return nil
        }
    }

    private static let recordLimitMilliseconds = 3_000
    private static let pauseMilliseconds = 500

    /// - Parameters:
    ///   - whenShutOut: the answer where ZooKeeper takes no session from this node.
    ///   - body: asks over the session.
    /// - Returns: `nil` when there is no session in time.
    private static func ask<Answer: Sendable>(
        _ servers: String, _ credentials: ZooKeeperCredentials?, _ limitMilliseconds: Int, _ logger: Logger, whenShutOut: Answer? = nil,
        _ body: (ZooKeeperSession) async -> Answer
    ) async -> Answer? {
        // A session says little before it is connected, and nothing that counts.
        let (events, inbox) = AsyncStream.makeStream(of: ZooKeeperSessionEvent.self, bufferingPolicy: .bufferingNewest(8))
        guard let session = await open(servers, credentials, logger: logger, inbox) else { return nil }
        let limit = Task {
            do { try await Task.sleep(for: .milliseconds(limitMilliseconds)) } catch { return }
            inbox.finish()
        }
        var answer: Answer?
        for await event in events {
            if case .authenticationFailed = event, let whenShutOut {
                answer = whenShutOut
                break
            }
            guard case .connected = event else { continue }
            answer = await body(session)
            break
        }
        limit.cancel()
        await session.close()
        return answer
    }

    /// On a thread of its own: looking up the servers' names can block for seconds.
    private static func open(
        _ servers: String, _ credentials: ZooKeeperCredentials?, logger: Logger, _ inbox: AsyncStream<ZooKeeperSessionEvent>.Continuation
    ) async -> ZooKeeperSession? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let session = try? ZooKeeperSession(
                    servers: servers, sessionTimeoutMilliseconds: timeoutMilliseconds, credentials: credentials, logger: logger
                ) { _ = inbox.yield($0) }
                continuation.resume(returning: session)
            }
        }
    }

    private static func read(_ id: String, _ paths: ClusterPaths, in session: ZooKeeperSession) async -> NodeRecord {
        do throws(ZooKeeperError) {
            try await session.sync(paths.cluster)
            return .read(
                ring: try await content(paths.ring, in: session)?.data, entry: try await content(paths.roster(id), in: session)?.data,
                list: try await content(paths.members, in: session).map { UInt64(bitPattern: $0.stat.pzxid) })
        } catch {
            switch error.kind {
            // Nobody has made the path.
            case .noNode: return .read(ring: nil, entry: nil, list: nil)
            case .noAuth: return .shutOut
            default: return .nobody
            }
        }
    }

    private static func content(
        _ path: String, in session: ZooKeeperSession
    ) async throws(ZooKeeperError) -> (data: [UInt8], stat: ZNodeStat)? {
        do throws(ZooKeeperError) { return try await session.get(path) } catch {
            if error.kind == .noNode { return nil }
            throw error
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
