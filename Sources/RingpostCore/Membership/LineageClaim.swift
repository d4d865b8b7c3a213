// Whether what a store holds still counts under its lineage. The roster says who was registered last under the node's id, and with which store:
// others may have gone on without a store that it does not name.

/// What a store says of its lineage, held against the roster.
public struct LineageClaim: Sendable {
    /// Why the lineage is to be given up.
    public enum Objection: Hashable, Sendable {
        /// An operator has said that the node does not come back.
        case givenUp
        /// The roster does not name the node any more.
        case unnamed
        /// Another store has been registered as this node since, or somebody whose entry can't be read.
        case otherStore
        /// The same lineage has been registered with a boot that the store does not know: the store is an older copy of that one.
        case unknownBoot(MemberIdentity)
        /// The store has seen an epoch above the list's: ZooKeeper holds an older state. Whoever began at that may have gone on without this
        /// store, in epochs that can't be compared with the store's; and that the lineage was given up later is not known any more.
        case olderList(seen: UInt64, epoch: UInt64)
    }

    /// Nodes that run put back within this what ZooKeeper has lost, and the list is above all that was then: whoever starts and finds an older
    /// one looks again after it, before it gives anything up.
    public static let putBackMilliseconds = 3 * MembershipMachine.freshPauseMillisecondsMax

    private let lineage: UInt64
    private let boots: Set<UInt64>
    private let epoch: UInt64

    /// - Parameters:
    ///   - lineage: of the store.
    ///   - boots: under which processes with this store were registered, or were about to be. With none there is nothing to lose.
    ///   - epoch: the highest that the store has seen.
    public init(lineage: UInt64, boots: Set<UInt64>, epoch: UInt64 = 0) {
        self.lineage = lineage
        self.boots = boots
        self.epoch = epoch
    }

    /// - Parameters:
    ///   - json: the roster's entry of the node; `nil` where there is none.
    ///   - znode: where it stands.
    ///   - list: the epoch of the list of members; `nil` where that is not known.
    /// - Returns: `nil` where the lineage counts.
    public func objection(_ json: [UInt8]?, znode: String, list: UInt64? = nil) -> Objection? {
        if let list, epoch > list { return .olderList(seen: epoch, epoch: list) }
        let entry = json.flatMap { try? RosterEntry(json: $0, znode: znode) }
        if let entry, entry.member.lineage == lineage {
            if entry.isGivenUp { return .givenUp }
            return boots.contains(entry.member.boot) ? nil : .unknownBoot(entry.member.identity)
        }
        if boots.isEmpty { return nil }
        return json == nil ? .unnamed : entry?.isGivenUp == true ? .givenUp : .otherStore
    }
}
