// What a membership asks of a store of copies that outlives the process: to know each boot before anybody else does, so that an old copy of the
// store can be told from the store.
import RingpostCore

/// Keeps a lineage for longer than a process lives. Every failure is a sentence with which the node ends.
public protocol LineageKeeper: Sendable {
    /// Whose copies are kept.
    var lineage: UInt64 { get }
    /// The boots under which processes before this one may have registered it.
    var boots: Set<UInt64> { get }
    /// The highest epoch that these have seen.
    var epoch: UInt64 { get }
    /// This node is about to found a cluster. Throws if what is kept is of another one.
    func willFound(generation: UInt64) async throws(MembershipFailure)
    /// This boot is about to stand in ZooKeeper. Returns when it is kept.
    func willRegister(boot: UInt64, generation: UInt64) async throws(MembershipFailure)
}

extension LineageKeeper {
    /// Before a request is sent.
    ///
    /// - Parameter generation: the cluster's, if it is known.
    func prepare(_ request: MembershipRequest, generation: UInt64?) async throws(MembershipFailure) {
        switch request {
        case .found(let document): try await willFound(generation: document.generation)
        case .makeRosterEntry(let member, _), .register(let member, _, _):
            guard let generation else { throw MembershipFailure(message: "a member of no cluster can't be registered") }
            try await willRegister(boot: member.boot, generation: generation)
        default: break
        }
    }

    /// Why a node ends of which the membership has given the lineage up while it ran.
    var givenUp: String {
        "another store has been registered under this node's id while it ran, or its entry was taken out of the roster, or ZooKeeper holds an "
            + "older state than its data directory has seen: what that holds counts no more. Start it again; it goes on as a new store then"
    }
}
