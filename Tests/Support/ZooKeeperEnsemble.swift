// Several ZooKeeper servers that vote, for what only a majority can show: a leader that dies, a follower that is cut off.

import Foundation

/// Real ZooKeeper servers that form one ensemble.
public final class ZooKeeperEnsemble: Sendable {
    /// The servers, number 1 first.
    public let servers: [ZooKeeperServer]

    /// For a session: all servers, comma-separated.
    public var connectString: String { servers.map(\.connectString).joined(separator: ",") }

    /// Starts the servers and waits until all of them serve.
    ///
    /// - Parameters:
    ///   - count: an odd number, or a majority is no better than with one less.
    ///   - places: where each of them runs; on loopback if there are fewer than servers.
    ///   - syncLimitTicks: how long a follower may lag; `syncLimitTicks · tickTimeMilliseconds` must not exceed the session time-out.
    /// - Throws: `DeadlineExceeded` with a server's output if one does not serve within 30 s.
    public static func start(
        servers count: Int = 3, tickTimeMilliseconds: Int = 500, syncLimitTicks: Int = 4, namespaces: [ProcessNamespace] = []
    ) async throws -> ZooKeeperEnsemble {
        let ports = try FreePorts.take(3 * count)
        let namespaces = (0..<count).map { namespaces.indices.contains($0) ? namespaces[$0] : .loopback }
        let quorum = (0..<count).map { "server.\($0 + 1)=\(namespaces[$0].host):\(ports[3 * $0 + 1]):\(ports[3 * $0 + 2])" }
        let servers = try (0..<count).map {
            try ZooKeeperServer(
                namespaces[$0], port: ports[3 * $0], tickTimeMilliseconds: tickTimeMilliseconds, syncLimitTicks: syncLimitTicks,
                number: $0 + 1,
                quorum: quorum)
        }
        // All are launched before one is waited for: a server serves only once a majority runs.
        for server in servers { try server.launch() }
        for server in servers { try await server.waitUntilServing() }
        return ZooKeeperEnsemble(servers: servers)
    }

    private init(servers: [ZooKeeperServer]) {
        self.servers = servers
    }

    /// The server that leads, `nil` during an election.
    public var leader: ZooKeeperServer? { servers.first { $0.mode == "leader" } }

    /// The servers that follow the leader.
    public var followers: [ZooKeeperServer] { servers.filter { $0.mode == "follower" } }

    /// Ends all servers.
    public func stop() async {
        for server in servers { await server.stop() }
    }
}
