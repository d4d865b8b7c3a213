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
    }

    private let lineage: UInt64
    private let boots: Set<UInt64>

    /// - Parameters:
    ///   - lineage: of the store.
    ///   - boots: under which processes with this store were registered, or were about to be. With none there is nothing to lose.
    public init(lineage: UInt64, boots: Set<UInt64>) {
        self.lineage = lineage
        self.boots = boots
    }

    /// - Parameters:
    ///   - json: the roster's entry of the node; `nil` where there is none.
    ///   - znode: where it stands.
    /// - Returns: `nil` where the lineage counts.
    public func objection(_ json: [UInt8]?, znode: String) -> Objection? {
        let entry = json.flatMap { try? RosterEntry(json: $0, znode: znode) }
        if let entry, entry.member.lineage == lineage {
            if entry.isGivenUp { return .givenUp }
            return boots.contains(entry.member.boot) ? nil : .unknownBoot(entry.member.identity)
        }
        if boots.isEmpty { return nil }
        return json == nil ? .unnamed : entry?.isGivenUp == true ? .givenUp : .otherStore
    }
}
