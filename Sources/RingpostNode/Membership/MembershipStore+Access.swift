// Who may touch the cluster's znodes. With credentials, everything below the cluster's path is made for those who have them, and what was
// open before is closed. `/ringpost` itself stays open, because clusters with other credentials share it.

import RingpostCore
import ZooKeeperClient

extension MembershipStore {
    /// Makes what must exist before anything else can; whoever comes first makes it.
    func createPaths() async throws(ZooKeeperError) {
        for path in paths.parents { try await make(path, access: paths.shared.contains(path) ? .anybody : nil) }
        if user != nil { try await close() }
    }

    private func make(_ path: String, access: ZNodeAccess?) async throws(ZooKeeperError) {
        do throws(ZooKeeperError) { try await session.create(path, data: [], access: access) } catch {
            if error.kind == .nodeExists { return }
            // Somebody may let nobody create anything in the parent; what is there already serves all the same.
            guard error.kind == .noAuth, try await session.exists(path) != nil else { throw error }
        }
    }

    /// Closes whatever is open. Every session looks at everything again, so that it does not matter who was interrupted at it.
    private func close() async throws(ZooKeeperError) {
        // Parents first: in a folder that is closed, nobody else can make anything more.
        let wasReadable = try await close([paths.cluster, paths.ring]) > 0
        _ = try await close(paths.folders + [paths.withdrawal])
        var closed = 0
        for folder in paths.folders {
            let names = try await session.children(of: folder).names
            closed += try await close(names.map { "\(folder)/\($0)" })
        }
        guard wasReadable else { return }
        logger.warning(
            """
            everybody could read and change \(paths.cluster) until now; it is closed now. Whoever has read the seed in \(paths.ring) can \
            choose user ids that all belong to one node. For a new seed, stop all nodes of the cluster, delete \(paths.cluster) with these \
            credentials, and start the nodes again
            """, metadata: ["znodesBelow": "\(closed)"])
    }

    /// - Returns: how many of them were open.
    private func close(_ paths: [String]) async throws(ZooKeeperError) -> Int {
        var closed = 0
        for start in stride(from: 0, to: paths.count, by: Self.readsUnderWayMax) {
            let results = await withTaskGroup(of: Result<Bool, ZooKeeperError>.self) { group in
                for path in paths[start...].prefix(Self.readsUnderWayMax) { group.addTask { await closeOne(path) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for result in results where try result.get() { closed += 1 }
        }
        return closed
    }

    /// Whether it was open. One that has gone meanwhile was not.
    private func closeOne(_ path: String) async -> Result<Bool, ZooKeeperError> {
        do throws(ZooKeeperError) {
            guard try await session.permissions(of: path).contains(where: \.isForAnybody) else { return .success(false) }
            try await session.setAccess(path, .creator)
            return .success(true)
        } catch { return error.kind == .noNode ? .success(false) : .failure(error) }
    }

    /// What to do about it, for an operator.
    func sentence(forbidden error: ZooKeeperError) -> String {
        let file = "--zookeeper-auth-file FILE, one line user:password"
        guard let user else {
            return "ZooKeeper does not let this node \(error.operation) \(error.path): the znodes of the cluster are closed, and this node "
                + "has no credentials; give it those that the cluster's other nodes have (\(file))"
        }
        return "ZooKeeper does not let this node \(error.operation) \(error.path): the znodes of the cluster were closed with other "
            + "credentials than this node's, which are those of the user \"\(user)\"; give it those that the cluster's other nodes have "
            + "(\(file))"
    }
}
