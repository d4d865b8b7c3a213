// Rings cost milliseconds to build and are a pure function of the member set, so all simulations of a process share them.

import HashRing
import Synchronization

/// Remembers rings by member set.
package final class RingCache: Sendable {
    /// A ring takes three eighths of a megabyte; beyond so many all are forgotten.
    static let ringsMax = 2_048

    /// What all simulations share.
    package static let shared = RingCache()

    private let rings = Mutex<[Set<RingMember>: HashRing]>([:])

    /// The ring of a member set, built if it isn't remembered.
    func ring(_ members: [RingMember]) -> HashRing {
        let key = Set(members)
        if let ring = rings.withLock({ $0[key] }) { return ring }
        let ring = HashRing(members: members)
        rings.withLock { rings in
            if rings.count >= Self.ringsMax { rings.removeAll() }
            rings[key] = ring
        }
        return ring
    }
}
