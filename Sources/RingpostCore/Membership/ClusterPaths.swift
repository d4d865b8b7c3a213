// Where a cluster's documents stand in ZooKeeper.

/// The paths of one cluster's znodes.
public struct ClusterPaths: Hashable, Sendable {
    /// The parent of all clusters.
    public static let root = "/ringpost"

    /// The parent of all that belongs to the cluster.
    public let cluster: String

    /// Znodes that others may use as well: the path below which all is kept, and the parent of all clusters.
    public let shared: [String]

    /// - Parameters:
    ///   - cluster: the cluster's name, valid by the rules for node ids.
    ///   - chroot: a path below which all is kept, as `/app/push`; empty for ZooKeeper's own root.
    public init(cluster: String, chroot: String = "") {
        let names = chroot.split(separator: "/")
        let above = names.indices.map { "/" + names[...$0].joined(separator: "/") }
        shared = above + [chroot + Self.root]
        self.cluster = "\(chroot)\(Self.root)/\(cluster)"
    }

    /// The ``ClusterDocument``.
    public var ring: String { "\(cluster)/ring" }
    /// The parent of the ephemeral members; its `pzxid` is the epoch.
    public var members: String { "\(cluster)/members" }
    /// The parent of each member's last boot, which outlives the member.
    public var roster: String { "\(cluster)/roster" }
    /// The parent of the revocations of tokens; all that they say stands in their names.
    public var revocations: String { "\(cluster)/revocations" }
    /// Held by the member that withdraws because of cut links; ephemeral.
    public var withdrawal: String { "\(cluster)/withdrawal" }

    /// A member's znode.
    public func member(_ id: String) -> String { "\(members)/\(id)" }
    /// A member's entry in the roster.
    public func roster(_ id: String) -> String { "\(roster)/\(id)" }

    /// What must exist before anything else can, parents first.
    public var parents: [String] { shared + [cluster, members, roster, revocations] }
    /// Those of the cluster's own znodes that have children.
    public var folders: [String] { [members, roster, revocations] }
}
