// Revocations as part of the membership: its sessions read them, its hooks tell them. Without ZooKeeper they live in memory.

import HashRing
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
        let hasher = isEmbedded ? view?.hasher : machine.document?.hasher
        guard let hasher else { throw .unavailable("this node has no ring yet") }
        let revocation: Revocation
        if let tokenID {
            guard (1...Revocation.tokenIDBytesMax).contains(tokenID.utf8.count) else { throw .badTokenID }
            revocation = Revocation(user: user.hash, token: Revocation.tokenHash(tokenID, hasher: hasher), until: until)
        } else {
            revocation = Revocation(user: user.hash, issuedBefore: now, until: until)
        }
        let note = RevocationNote(user: user.text, token: tokenID, until: revocation.until)
        // What has expired takes no place.
        if isEmbedded { perform(revocations.onTidied(seconds: now)) }
        guard revocations.hasRoom(for: revocation) else { throw .full }
        if isEmbedded {
            embeddedNotes[revocation] = note
        } else {
            guard revocations.isConnected, revocations.hasList, let store = session?.store else {
                throw .unavailable("this node has no connection")
            }
            try await store.make(revocation, note)
        }
        perform(revocations.onMade(revocation, now: MonotonicClock.nowMilliseconds()))
    }

    /// What is in force, for people; in no order.
    public func revocationNotes() async throws(RevocationFailure) -> [RevocationNote] {
        if isEmbedded { return revocations.list.revocations.compactMap { embeddedNotes[$0] } }
        guard let store = session?.store, revocations.isConnected else { throw .unavailable("this node has no connection") }
        return try await store.revocationNotes(of: Array(revocations.list.revocations))
    }

    func perform(_ actions: [RevocationMachine.Action]) {
        for action in actions {
            switch action {
            case .read(let ticket):
                guard let store = session?.store else { preconditionFailure("revocations are to be read without a session") }
                let inbox = inbox
                Task { inbox.yield(.revocations(ticket: ticket, await store.readRevocations())) }
            case .publish(let list):
                if isEmbedded { embeddedNotes = embeddedNotes.filter { list.revocations.contains($0.key) } }
                hooks.onRevocations(list)
            case .delete(let revocations):
                guard let store = session?.store else { continue }
                Task { await store.delete(revocations) }
            case .warn(let sentence): logger.warning("\(sentence)")
            }
        }
    }

    func onRevocations(_ ticket: UInt64, _ answer: RevocationMachine.Answer, now: Int64) {
        perform(revocations.onAnswer(ticket, answer, now: now, seconds: Moment.now().wall / 1_000))
    }
}
