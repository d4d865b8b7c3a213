// Access control lists: the two that Ringpost sets, and what it reads. A list holds for its znode alone, never for the children.

import CZooKeeper

/// Who may do what with a znode that is created or whose list is set.
public enum ZNodeAccess: Sendable, Equatable {
    /// Whoever has the credentials of the session that sets it, everything; others, nothing.
    case creator
    /// Anybody, everything.
    case anybody

    /// The library reads it during the call and never writes it.
    var list: UnsafePointer<ACL_vector>? {
        switch self {
        case .creator: ringpost_creator_acl()
        case .anybody: ringpost_open_acl()
        }
    }
}

/// One entry of a znode's access control list, as the server tells it.
public struct ZNodePermission: Sendable, Equatable {
    /// ZooKeeper's bits: read 1, write 2, create 4, delete 8, administer 16.
    public let permissions: Int32
    /// `world`, `digest`, `ip` and so on.
    public let scheme: String
    /// What the scheme calls somebody: `anyone`, or a user, a colon and a hash (which only those see who may administer).
    public let id: String

    /// An entry put together by hand, for tests of what decides on it.
    public init(permissions: Int32, scheme: String, id: String) {
        self.permissions = permissions
        self.scheme = scheme
        self.id = id
    }

    init(_ entry: ACL) {
        let scheme = entry.id.scheme.map { String(cString: $0) } ?? ""
        self.init(permissions: entry.perms, scheme: scheme, id: entry.id.id.map { String(cString: $0) } ?? "")
    }

    /// Means everybody who can reach the server.
    public var isForAnybody: Bool { scheme == "world" }
}
