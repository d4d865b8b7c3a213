// The order that a member which is gone for good is not waited for, as a write that is made only over what was read.

import RingpostCore
import ZooKeeperClient

extension MembershipStore {
    /// What is to be written over the id's entry, and over which version of it; `nil` where it is given up already.
    typealias Mark = (entry: RosterEntry, version: Int32)

    /// Reads the entry before the member: whoever registers after that has changed the entry by the time of the write.
    func mark(forgetting id: String) async throws(ForgetRefusal) -> Mark? {
        let (entry, member): (Content?, Content?)
        do throws(ZooKeeperError) {
            try await session.sync(paths.cluster)
            entry = try await readOne(paths.roster(id)).get()
            member = try await readOne(paths.member(id)).get()
        } catch { throw .unavailable("\(error)") }
        let mark = try Forgetting.mark(id, entry: entry?.data, member: member?.data, paths: paths)
        return mark.map { ($0, entry?.stat.version ?? 0) }
    }

    /// - Returns: false when somebody else has written there since.
    func write(_ mark: Mark) async throws(ForgetRefusal) -> Bool {
        do throws(ZooKeeperError) {
            _ = try await session.set(paths.roster(mark.entry.member.id), data: mark.entry.json(), version: mark.version)
            return true
        } catch {
            if error.kind == .badVersion || error.kind == .noNode { return false }
            throw .unavailable("\(error)")
        }
    }
}
