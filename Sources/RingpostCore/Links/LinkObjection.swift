// Whether a node that has dialled this one is a peer of it.

/// Why this node does not link with another one.
public enum LinkObjection: Hashable, Sendable {
    /// This node is in no ring yet.
    case noRing
    /// It belongs to another cluster of the same name.
    case otherGeneration
    /// It has this node's id.
    case ownID
    /// It wants another node.
    case otherNode
    /// It wants an earlier or later boot of this node.
    case otherBoot
    /// It computes another ring from the same epoch.
    case ringsDiffer

    /// What stands against a link; `nil` for a peer.
    ///
    /// - Parameters:
    ///   - from: who has dialled.
    ///   - to: whom it wants.
    ///   - generation: of its cluster.
    ///   - ownGeneration: of this node's; `nil` while it is in no ring.
    ///   - me: this node.
    ///   - isRefused: as ``PeerTable/isRefused(_:)`` says of who has dialled.
    public static func find(
        from: MemberIdentity, to: MemberIdentity, generation: UInt64, ownGeneration: UInt64?, me: MemberIdentity, isRefused: Bool
    ) -> LinkObjection? {
        guard let ownGeneration else { return .noRing }
        if generation != ownGeneration { return .otherGeneration }
        if from.id == me.id { return .ownID }
        if to.id != me.id { return .otherNode }
        if to.boot != me.boot { return .otherBoot }
        return isRefused ? .ringsDiffer : nil
    }
}
