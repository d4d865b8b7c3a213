// The quotas that one client counts for, by user and by source address, so that exactly these are given back.
import HashRing
import RingpostCore

struct QuotaLease {
    private(set) var user: KeyHash?
    let address: SourceAddress?

    /// Counts one more client.
    ///
    /// - Throws: the quota that is used up.
    static func acquire(user: KeyHash?, address: SourceAddress?, in shard: Shard) throws(ProblemReport) -> QuotaLease {
        if let refusal = shard.shared.quotas.open(user: user, address: address) { throw report(refusal, in: shard) }
        return QuotaLease(user: user, address: address)
    }

    /// A client that is counted already has said who it is.
    ///
    /// - Returns: a problem if that user has too many.
    mutating func add(_ user: KeyHash, in shard: Shard) -> ProblemReport? {
        if let refusal = shard.shared.quotas.open(user: user, address: nil) { return Self.report(refusal, in: shard) }
        self.user = user
        return nil
    }

    func giveBack(in shard: Shard) { shard.shared.quotas.close(user: user, address: address) }

    private static func report(_ refusal: ConnectionQuotas.Refusal, in shard: Shard) -> ProblemReport {
        let limits = shard.shared.configuration.limits
        switch refusal {
        case .user:
            shard.counters.count(.socketsPerUser)
            return ProblemReport(.tooManySockets, "this user has \(limits.socketsPerUserMax) sockets here already")
        case .address:
            shard.counters.count(.socketsPerAddress)
            return ProblemReport(.tooManySockets, "this source address has \(limits.socketsPerAddressMax) sockets here already")
        }
    }
}
