// Revocations as part of the membership: its sessions read them, its hooks tell them. Without ZooKeeper they live in memory.

import RingpostCore

extension MembershipService {
    /// Revokes all tokens that a user has by now, or one of them. When it returns, the list with it has been told here, and every other node
    /// that reaches ZooKeeper reads it at once. Again is the same as once.
    ///
    /// - Parameters:
    ///   - user: a user's key.
    ///   - tokenID: the token's claim `jti`; `nil` for all tokens that were issued in the second `now` or before, or don't say when.
    ///   - until: when the last of them has expired, in seconds since 1970.
    ///   - now: seconds since 1970.
    public func revoke(user: Key, tokenID: String?, until: Int64, now: Int64) async throws(RevocationFailure) {
        // What has expired takes no place.
        perform(machine.tidyRevocations(seconds: now))
        let revocation = try machine.revocation(user: user, tokenID: tokenID, until: until, seconds: now)
        let note = RevocationNote(user: user.text, token: tokenID, until: revocation.until)
        if isEmbedded {
            embeddedNotes[revocation] = note
        } else {
            guard let store = session?.store else { throw .unavailable("this node has no connection") }
            try await store.make(revocation, note)
        }
        handle(.revoked(revocation))
    }

    /// What is in force, for people; in no order.
    public func revocationNotes() async throws(RevocationFailure) -> [RevocationNote] {
        let revocations = machine.revocationList.revocations
        if isEmbedded { return revocations.compactMap { embeddedNotes[$0] } }
        guard let store = session?.store, machine.canReadRevocations else { throw .unavailable("this node has no connection") }
        return try await store.revocationNotes(of: Array(revocations))
    }

    private var isEmbedded: Bool { configuration.servers == nil }

    func readRevocations(ticket: UInt64) {
        guard let store = session?.store else { preconditionFailure("revocations are to be read without a session") }
        let inbox = inbox
        Task {
            let answer = await store.readRevocations()
            inbox.yield(.event(.revocationsRead(ticket: ticket, answer, seconds: Moment.now().wall / 1_000)))
        }
    }

    func tell(_ list: RevocationList) {
        if isEmbedded { embeddedNotes = embeddedNotes.filter { list.revocations.contains($0.key) } }
        hooks.onRevocations(list)
    }
}
