// Revocations as part of the membership: its sessions read them, its hooks tell them. Without ZooKeeper they live in memory, and
// in a file if there is one.

import RingpostCore

extension MembershipService {
    /// Takes tokens back. When it returns, the list with it has been told here, and every other node that reaches ZooKeeper reads it at
    /// once. Again is the same as once.
    ///
    /// - Parameters:
    ///   - tokens: a user's are those that were issued in the second `now` or before, or don't say when.
    ///   - until: when the last of them has expired, in seconds since 1970.
    ///   - now: seconds since 1970.
    ///   - maker: the id of the API key, if that is limited to names.
    public func revoke(_ tokens: RevokedTokens, until: Int64, now: Int64, maker: String? = nil) async throws(RevocationFailure) {
        // What has expired takes no place.
        perform(machine.tidyRevocations(seconds: now))
        let revocation = try machine.revocation(of: tokens, until: until, seconds: now, maker: maker)
        if isEmbedded {
            try await keep(RevocationRecord(tokens, seconds: now, until: revocation.until, maker: maker), as: revocation)
        } else {
            guard let store = session?.store else { throw .unavailable("this node has no connection") }
            try await store.make(revocation, RevocationNote(tokens, until: revocation.until))
        }
        handle(.revoked(revocation))
    }

    /// On the disk first: what was promised must hold after a restart.
    private func keep(_ record: RevocationRecord, as revocation: Revocation) async throws(RevocationFailure) {
        if let path = configuration.revocationsFile {
            unwrittenRecords[revocation] = record
            let records = Array(embeddedRecords.merging(unwrittenRecords) { $1 }.values)
            let fault = await RevocationFile(path: path).fault(writing: records)
            unwrittenRecords[revocation] = nil
            if let fault { throw .notKept(fault.sentence) }
        }
        embeddedRecords[revocation] = record
    }

    /// What was revoked before a restart.
    ///
    /// - Throws: ``MembershipFailure`` when that can't be known.
    func restoreRevocations() throws(MembershipFailure) {
        guard isEmbedded, let path = configuration.revocationsFile, let hasher = machine.document?.hasher else { return }
        let now = Moment.now().wall / 1_000
        do throws(RevocationFile.Fault) {
            for record in try RevocationFile(path: path).read() {
                guard let revocation = record.revocation(hasher) else {
                    throw RevocationFile.Fault(sentence: "\(path) has a line that revokes nothing: mend or remove it (--revocations-file)")
                }
                if !RevocationList.isOver(revocation, now: now) { embeddedRecords[revocation] = record }
            }
            // Whether it can be written is found out now, and not when somebody has to be thrown out.
            try RevocationFile(path: path).write(embeddedRecords.values)
        } catch { throw MembershipFailure(message: error.sentence) }
        machine.restoreRevocations(Array(embeddedRecords.keys))
    }

    /// What is in force, for people; in no order.
    public func revocationNotes() async throws(RevocationFailure) -> [RevocationNote] {
        let revocations = machine.revocationList.revocations
        if isEmbedded {
            guard let hasher = machine.document?.hasher else { return [] }
            return revocations.compactMap { embeddedRecords[$0] }.compactMap { record in
                record.tokens(hasher).map { RevocationNote($0, until: record.until) }
            }
        }
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
        if isEmbedded { embeddedRecords = embeddedRecords.filter { list.revocations.contains($0.key) } }
        hooks.onRevocations(list)
    }
}
