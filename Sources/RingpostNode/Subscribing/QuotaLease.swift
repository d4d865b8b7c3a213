// The quotas that one client counts for, by user and by source address, so that exactly these are given back.
import HashRing
import RingpostCore

struct QuotaLease {
    private(set) var user: KeyHash?
    let address: SourceAddress?

    /// Counts one more client.
    ///
    /// - Throws: the quota that is used up.
    static func acquire(user: KeyHash?, address: SourceAddress?, in runtime: ShardRuntime) throws(ProblemReport) -> QuotaLease {
        if let refusal = runtime.quotas.open(user: user, address: address) { throw report(refusal, in: runtime) }
        return QuotaLease(user: user, address: address)
    }

    /// A client that is counted already has said who it is.
    ///
    /// - Returns: a problem if that user has too many.
    mutating func add(_ user: KeyHash, in runtime: ShardRuntime) -> ProblemReport? {
        if let refusal = runtime.quotas.open(user: user, address: nil) { return Self.report(refusal, in: runtime) }
        self.user = user
        return nil
    }

    func giveBack(in runtime: ShardRuntime) { runtime.quotas.close(user: user, address: address) }

    private static func report(_ refusal: ConnectionQuotas.Refusal, in runtime: ShardRuntime) -> ProblemReport {
        let limits = runtime.limits
        switch refusal {
        case .user:
            runtime.counters.count(.socketsPerUser)
            return ProblemReport(.tooManySockets, "this user has \(limits.socketsPerUserMax) sockets here already")
        case .address:
            runtime.counters.count(.socketsPerAddress)
            return ProblemReport(.tooManySockets, "this source address has \(limits.socketsPerAddressMax) sockets here already")
        }
    }
}
