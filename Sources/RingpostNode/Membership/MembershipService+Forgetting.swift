// An operator's order that a member which is gone for good is not waited for. Any node can carry it out: it is a write in ZooKeeper, and
// whoever waits for that member looks there again and again.

import RingpostCore

extension MembershipService {
    /// Gives a member up that is no member at present. Again is the same as once.
    public func forget(_ id: String) async throws(ForgetRefusal) {
        if configuration.servers == nil { throw .alone }
        // It becomes part of a path.
        do throws(NodeIDError) { try NodeID.check(id) } catch { throw .unknown(id) }
        guard let store = session?.store else { throw .unavailable("this node has no connection") }
        for _ in 0..<Forgetting.attemptsMax {
            guard let mark = try await store.mark(forgetting: id) else { return }
            // Whoever still answers may act, or come back in a moment with all that it has.
            if await hooks.probe(mark.entry.member) == .sameBoot { throw .isAlive(mark.entry.member) }
            if try await store.write(mark) {
                return logger.notice("nobody waits any more for \(mark.entry.member.identity): an operator has given it up")
            }
        }
        throw .changed(id)
    }
}
