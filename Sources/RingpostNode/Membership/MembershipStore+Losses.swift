// Puts back what ZooKeeper has lost. Several nodes do it at once, and others join meanwhile: each write is made only where nobody was first.

import RingpostCore
import ZooKeeperClient

extension MembershipStore {
    /// The roster and the revocations first: whoever joins needs the ring document, and then looks at both.
    func putBack(_ remains: RingRemains) async throws(ZooKeeperError) -> MembershipAnswer {
        for member in remains.members { try await putBack(member) }
        // What they say to people is lost.
        for name in remains.revocations { try await createIfMissing("\(paths.revocations)/\(name)", data: []) }
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

    /// Names the boot that may still act, and its lineage, unless a newer one is a member by now. Who stood there instead stays named as one
    /// that had the id; its store counts no more, because the last epoch knew another one.
    private func putBack(_ member: Member) async throws(ZooKeeperError) {
        let path = paths.roster(member.id)
        if try await createIfMissing(path, data: member.json()) { return }
        let contents = try await read([path, paths.member(member.id)])
        guard let entry = contents[0] else { return }
        let named = try? Member(json: entry.data, znode: path)
        let present = contents[1].flatMap { try? Member(json: $0.data, znode: paths.member(member.id)) }
        if let named, named.identity == member.identity || named.identity == present?.identity { return }
        let restored = named.map(member.replacing) ?? member
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
