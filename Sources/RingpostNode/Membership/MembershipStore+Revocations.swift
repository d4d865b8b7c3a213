// The revocations as znodes: reading their names, making one, deleting those that have expired.

import RingpostCore
import ZooKeeperClient

extension MembershipStore {
    /// The names of all, with a watch.
    func readRevocations() async -> RevocationMachine.Answer {
        do throws(ZooKeeperError) {
            // A server that lags behind would not know of what another node has said to be in force.
            try await session.sync(paths.revocations)
            return .names(try await session.children(of: paths.revocations, watch: true).names)
        } catch {
            // Only a hand can have deleted it; the next reading finds it again.
            if error.kind == .noNode { try? await session.create(paths.revocations, data: []) }
            return .failed("\(error)")
        }
    }

    /// Makes it; that it is there already is success.
    func make(_ revocation: Revocation, _ note: RevocationNote) async throws(RevocationFailure) {
        do throws(ZooKeeperError) { try await session.create(paths.revocation(revocation), data: note.json()) } catch {
            if error.kind != .nodeExists { throw .unavailable("\(error)") }
        }
    }

    /// One after the other: nobody waits for it. What can't be deleted now is found again.
    func delete(_ revocations: [Revocation]) async {
        for revocation in revocations {
            do throws(ZooKeeperError) { try await session.delete(paths.revocation(revocation)) } catch {
                if error.kind != .noNode { return }
            }
        }
    }

    /// What they say to people. One that can't be read is left out.
    func revocationNotes(of revocations: [Revocation]) async throws(RevocationFailure) -> [RevocationNote] {
        let contents: [Content?]
        do throws(ZooKeeperError) { contents = try await read(revocations.map { paths.revocation($0) }) } catch {
            throw .unavailable("\(error)")
        }
        return zip(revocations, contents).compactMap { revocation, content in
            content.flatMap { try? RevocationNote(json: $0.data, znode: paths.revocation(revocation)) }
        }
    }
}
