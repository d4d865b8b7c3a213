// The part of a znode's metadata that Ringpost looks at. A zxid is ZooKeeper's transaction number: it grows with every write of the
// whole ensemble, which is what makes the `pzxid` of /members usable as an epoch.

import CZooKeeper

/// A znode's metadata at the moment it was read.
public struct ZNodeStat: Sendable, Equatable {
    /// The transaction that created the znode.
    public let czxid: Int64
    /// The transaction that last set its data.
    public let mzxid: Int64
    /// The transaction that last created or deleted one of its children; `czxid` while there was none. Setting a child's data leaves it.
    public let pzxid: Int64
    /// How often its data was set.
    public let version: Int32
    /// How often a child was created or deleted.
    public let childVersion: Int32
    /// The session that owns an ephemeral znode, 0 for a persistent one.
    public let ephemeralOwner: Int64
    /// The number of its children.
    public let childCount: Int32
    /// When it was created, in milliseconds since 1970 by the leader's clock.
    public let createdMilliseconds: Int64
    /// When its data was last set, in milliseconds since 1970 by the leader's clock.
    public let modifiedMilliseconds: Int64

    /// A stat put together by hand, for tests of what decides on it.
    public init(
        czxid: Int64, mzxid: Int64, pzxid: Int64, version: Int32 = 0, childVersion: Int32 = 0, ephemeralOwner: Int64 = 0,
        childCount: Int32 = 0, createdMilliseconds: Int64 = 0, modifiedMilliseconds: Int64 = 0
    ) {
        self.czxid = czxid
        self.mzxid = mzxid
        self.pzxid = pzxid
        self.version = version
        self.childVersion = childVersion
        self.ephemeralOwner = ephemeralOwner
        self.childCount = childCount
        self.createdMilliseconds = createdMilliseconds
        self.modifiedMilliseconds = modifiedMilliseconds
    }

    init(_ stat: Stat) {
        self.init(
            czxid: stat.czxid, mzxid: stat.mzxid, pzxid: stat.pzxid, version: stat.version, childVersion: stat.cversion,
            ephemeralOwner: stat.ephemeralOwner, childCount: stat.numChildren, createdMilliseconds: stat.ctime,
            modifiedMilliseconds: stat.mtime)
    }
}
