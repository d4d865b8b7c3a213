// One part of a multi-operation. All parts are done in one transaction with one zxid, or none is.

/// A write or a check inside `ZooKeeperSession.multi`.
public enum ZooKeeperOperation: Sendable, Equatable {
    /// Creates a znode that does not exist yet.
    case create(path: String, data: [UInt8], ephemeral: Bool = false)
    /// Deletes a znode without children; version -1 fits any.
    case delete(path: String, version: Int32 = -1)
    /// Sets a znode's data; version -1 fits any.
    case set(path: String, data: [UInt8], version: Int32 = -1)
    /// Fails the whole unless the znode exists with this version; -1 fits any.
    case check(path: String, version: Int32 = -1)

    /// The znode it is about.
    public var path: String {
        switch self {
        case .create(let path, _, _), .delete(let path, _), .set(let path, _, _), .check(let path, _): path
        }
    }

    var name: String {
        switch self {
        case .create: "create"
        case .delete: "delete"
        case .set: "set"
        case .check: "check"
        }
    }

    var data: [UInt8] {
        switch self {
        case .create(_, let data, _), .set(_, let data, _): data
        case .delete, .check: []
        }
    }
}
