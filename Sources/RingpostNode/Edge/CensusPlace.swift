// A socket's place in the node's census: whom it is counted for, so that exactly that is given back.
import HashRing
import RingpostCore

struct CensusPlace {
    private(set) var user: KeyHash?
    let address: SourceAddress?

    /// Counts a socket.
    ///
    /// - Throws: what is too much.
    static func take(user: KeyHash?, address: SourceAddress?, in loop: NodeLoop) throws(ProblemReport) -> CensusPlace {
        if let refusal = loop.shared.census.open(user: user, address: address) { throw report(refusal, in: loop) }
        return CensusPlace(user: user, address: address)
    }

    /// The client of a socket that is counted already has said who it is; a problem if that user has too many.
    mutating func take(_ user: KeyHash, in loop: NodeLoop) -> ProblemReport? {
        if let refusal = loop.shared.census.open(user: user, address: nil) { return Self.report(refusal, in: loop) }
        self.user = user
        return nil
    }

    func giveBack(in loop: NodeLoop) { loop.shared.census.close(user: user, address: address) }

    private static func report(_ refusal: SocketCensus.Refusal, in loop: NodeLoop) -> ProblemReport {
        let limits = loop.shared.configuration.limits
        switch refusal {
        case .user:
            loop.counters.count(.socketsPerUser)
            return ProblemReport(.tooManySockets, "this user has \(limits.socketsPerUserMax) sockets here already")
        case .address:
            loop.counters.count(.socketsPerAddress)
            return ProblemReport(.tooManySockets, "this source address has \(limits.socketsPerAddressMax) sockets here already")
        }
    }
}
