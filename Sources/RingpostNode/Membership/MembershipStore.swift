// The membership's requests as ZooKeeper calls. Nothing is decided here: what an error means for the membership is said by
// which answer it becomes.

import Logging
import RingpostCore
import ZooKeeperClient

/// One session, seen as the cluster's documents.
struct MembershipStore: Sendable {
    /// So many znodes are read at a time.
    static let readsUnderWayMax = 64
    /// The roster has at most this many entries; beyond, somebody has to clear those of nodes that won't come back.
    static let rosterMax = 10_000

    let session: ZooKeeperSession
    let paths: ClusterPaths
    /// Whose credentials the session has; `nil` when it has none.
    let user: String?
    let logger: Logger

    func perform(_ request: MembershipRequest) async -> MembershipAnswer {
        do throws(ZooKeeperError) { return try await attempt(request) } catch {
            switch error.kind {
            case .nodeExists: return .exists
            case .noNode: return .missing
            case .badVersion: return .changed
            case .noAuth: return .forbidden(sentence(forbidden: error))
            default: return .failed("\(error)")
            }
        }
    }

    private func attempt(_ request: MembershipRequest) async throws(ZooKeeperError) -> MembershipAnswer {
        switch request {
        case .createPaths:
            try await createPaths()
            return .done
        case .found(let document):
            guard try await session.children(of: paths.roster).names.isEmpty else { return .exists }
            try await session.create(paths.ring, data: document.json())
            return .done
        case .putBack(let remains): return try await putBack(remains)
        case .sync:
            try await session.sync(paths.cluster)
            return .done
        case .readRing: return .ring(try await session.get(paths.ring).data)
        case .list(let unlessEpoch): return try await list(unlessEpoch: unlessEpoch)
        case .makeRosterEntry(let member, let life):
            return try await makeRosterEntry(RosterEntry(member, life))
        case .register(let member, let life, let version):
            try await session.multi([
                .set(path: paths.roster(member.id), data: RosterEntry(member, life).json(), version: version),
                .create(path: paths.member(member.id), data: member.json(), ephemeral: true),
            ])
            return .done
        case .changeWeight(let member):
            try await session.multi([
                .delete(path: paths.member(member.id)),
                .create(path: paths.member(member.id), data: member.json(), ephemeral: true),
            ])
            return .done
        case .sayGoodbye(let id, let clearingRoster):
            let roster = clearingRoster ? [ZooKeeperOperation.delete(path: paths.roster(id))] : []
            try await session.multi([.delete(path: paths.member(id))] + roster)
            return .done
        }
    }

    /// Says what an earlier life of this node, or a namesake, has left there.
    private func makeRosterEntry(_ entry: RosterEntry) async throws(ZooKeeperError) -> MembershipAnswer {
        let path = paths.roster(entry.member.id)
        do throws(ZooKeeperError) {
            try await session.create(path, data: entry.json())
            return .done
        } catch {
            guard error.kind == .nodeExists else { throw error }
        }
        guard let content = try await readOne(path).get() else { return .failed("\(path) went while it was read") }
        return .rosterEntry(content.data, version: content.stat.version)
    }

    private func list(unlessEpoch: UInt64?) async throws(ZooKeeperError) -> MembershipAnswer {
        let (names, stat) = try await session.children(of: paths.members, watch: true)
        let epoch = UInt64(bitPattern: stat.pzxid)
        if epoch == unlessEpoch { return .unchanged }
        // A list that is too long is refused by its length; its contents don't matter.
        guard names.count <= MembershipView.membersMax else {
            return .list(MemberList(epoch: epoch, entries: names.map { .init(name: $0, content: .gone) }))
        }
        let contents = try await read(names.map { paths.member($0) })
        let entries = zip(names, contents).map { name, content in
            MemberList.Entry(name: name, content: content.map { .data($0.data, createdBy: UInt64(bitPattern: $0.stat.czxid)) } ?? .gone)
        }
        return .list(MemberList(epoch: epoch, entries: entries))
    }

    /// What stands in the roster, without those that are given up.
    struct Roster {
        var entries: [Member] = []
        /// What is wrong with those that can't be read. Each is somebody's, and nobody may conclude from it that a copy is gone.
        var faults: [String] = []
    }

    /// - Throws: `ZooKeeperError`; `DocumentError` when there are too many entries.
    func roster() async throws -> Roster {
        try await session.sync(paths.cluster)
        let names = try await session.children(of: paths.roster).names.sorted()
        guard names.count <= Self.rosterMax else {
            throw DocumentError(znode: paths.roster, reason: "has \(names.count) entries, at most \(Self.rosterMax) are allowed")
        }
        var roster = Roster()
        for (name, content) in zip(names, try await read(names.map { paths.roster($0) })) {
            guard let content else { continue }
            do throws(DocumentError) {
                let entry = try RosterEntry(json: content.data, znode: paths.roster(name))
                if !entry.isGivenUp { roster.entries.append(entry.member) }
            } catch { roster.faults.append(error.message) }
        }
        return roster
    }

    // MARK: - The lock for withdrawing

    func takeWithdrawalLock(for me: MemberIdentity) async throws(ZooKeeperError) -> WithdrawalMachine.LockAnswer {
        do throws(ZooKeeperError) { try await session.create(paths.withdrawal, data: Array("\(me)".utf8), ephemeral: true) } catch {
            guard error.kind == .nodeExists else { throw error }
            // Made by this session, when the answer was lost?
            guard try await holdsWithdrawalLock(me) else { return .held }
        }
        try await session.sync(paths.members)
        guard let stat = try await session.exists(paths.members) else { return .failed }
        return .taken(epoch: UInt64(bitPattern: stat.pzxid))
    }

    func releaseWithdrawalLock(of me: MemberIdentity) async throws(ZooKeeperError) {
        guard try await holdsWithdrawalLock(me) else { return }
        try await session.delete(paths.withdrawal)
    }

    private func holdsWithdrawalLock(_ me: MemberIdentity) async throws(ZooKeeperError) -> Bool {
        try await readOne(paths.withdrawal).get()?.data == Array("\(me)".utf8)
    }

    // MARK: - Reading

    typealias Content = (data: [UInt8], stat: ZNodeStat)

    /// Reads znodes, some at a time, in the given order; `nil` for one that has gone.
    func read(_ paths: [String]) async throws(ZooKeeperError) -> [Content?] {
        var contents = [Content?](repeating: nil, count: paths.count)
        for start in stride(from: 0, to: paths.count, by: Self.readsUnderWayMax) {
            let indices = start..<min(start + Self.readsUnderWayMax, paths.count)
            let results = await withTaskGroup(of: (Int, Result<Content?, ZooKeeperError>).self) { group in
                for index in indices { group.addTask { (index, await readOne(paths[index])) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for (index, result) in results { contents[index] = try result.get() }
        }
        return contents
    }

    func readOne(_ path: String) async -> Result<Content?, ZooKeeperError> {
        do throws(ZooKeeperError) { return .success(try await session.get(path)) } catch {
            return error.kind == .noNode ? .success(nil) : .failure(error)
        }
    }
}
