// Puts back what ZooKeeper has lost. Several nodes do it at once, and others join meanwhile: each write is made only where nobody was first.

import RingpostCore
import ZooKeeperClient

extension MembershipStore {
    /// The roster and the revocations first: whoever joins needs the ring document, and then looks at both.
    func putBack(_ remains: RingRemains) async throws(ZooKeeperError) -> MembershipAnswer {
        try await forEach(remains.members) { member throws(ZooKeeperError) in try await putBack(member) }
        // What they say to people is lost.
        try await forEach(remains.revocations) { name throws(ZooKeeperError) in
            try await createIfMissing("\(paths.revocations)/\(name)", data: [])
        }
        guard let replaced = remains.replaced else {
            try await session.create(paths.ring, data: remains.document.json())
            return .done
        }
        let (data, stat) = try await session.get(paths.ring)
        guard (try? ClusterDocument(json: data, znode: paths.ring)) == replaced else { return .exists }
        do throws(ZooKeeperError) {
            _ = try await session.set(paths.ring, data: remains.document.json(), version: stat.version)
        } catch {
            if error.kind == .badVersion { return .exists }
            throw error
        }
        return .done
    }

    /// Does it for all, some at a time: until the ring document is there, nobody is in a ring.
    private func forEach<Item: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async throws(ZooKeeperError) -> Void
    ) async throws(ZooKeeperError) {
        for start in stride(from: 0, to: items.count, by: Self.readsUnderWayMax) {
            let results = await withTaskGroup(of: Result<Void, ZooKeeperError>.self) { group in
                for item in items[start...].prefix(Self.readsUnderWayMax) {
                    group.addTask {
                        do throws(ZooKeeperError) { return .success(try await body(item)) } catch { return .failure(error) }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for result in results { try result.get() }
        }
    }

    /// See ``RingRemains/entry(for:named:present:)``.
    private func putBack(_ member: Member) async throws(ZooKeeperError) {
        let path = paths.roster(member.id)
        if try await createIfMissing(path, data: member.json()) { return }
        let contents = try await read([path, paths.member(member.id)])
        guard let entry = contents[0] else { return }
        let named = try? Member(json: entry.data, znode: path)
        let present = contents[1].flatMap { try? Member(json: $0.data, znode: paths.member(member.id)) }
        guard let restored = RingRemains.entry(for: member, named: named, present: present) else { return }
        do throws(ZooKeeperError) { _ = try await session.set(path, data: restored.json(), version: entry.stat.version) } catch {
            // Who was first has just registered, or has put back the same.
            if error.kind != .badVersion, error.kind != .noNode { throw error }
        }
    }

    /// - Returns: whether it was missing.
    @discardableResult
    private func createIfMissing(_ path: String, data: [UInt8]) async throws(ZooKeeperError) -> Bool {
        do throws(ZooKeeperError) {
            try await session.create(path, data: data)
            return true
        } catch {
            if error.kind == .nodeExists { return false }
            throw error
        }
    }
}
