// What a ZooKeeper call can answer besides success: the C library's code is kept beside a kind that callers switch over, with the
// operation and the path it failed for. Retrying is the caller's decision, so nothing here says "try again" on its own.

import CZooKeeper

/// A failed call: which operation on which path, and why.
public struct ZooKeeperError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reasons that callers tell apart.
    public enum Kind: Sendable, Equatable {
        /// The znode, or the parent of one to be created, does not exist.
        case noNode
        /// The znode to be created exists already.
        case nodeExists
        /// The znode to be deleted has children.
        case notEmpty
        /// The znode has another version than the one asked for.
        case badVersion
        /// The connection went away before the answer came. A write may have been done or not.
        case connectionLoss
        /// The session is over and its ephemeral znodes are gone. Open another one.
        case sessionExpired
        /// The session is connected through another server by now; the request was ignored.
        case sessionMoved
        /// The session was closed by this process. A write that was under way may have been done or not.
        case closing
        /// The server did not answer in time; the connection was given up. A write may have been done or not.
        case operationTimeout
        /// The server refused the credentials; the session can't be used any more.
        case authFailed
        /// The session is in a state in which it takes no requests.
        case invalidState
        /// The access control list of the znode (of its parent, to create and delete) forbids the operation.
        case noAuth
        /// A path, a size or a server list that is wrong whatever the state; nothing was sent.
        case badArguments
        /// Too many requests are under way; nothing was done.
        case throttled
        /// Everything else: look at the code.
        case other
    }

    /// The C library's code, a negative number of `enum ZOO_ERRORS` in `zookeeper.h`.
    public let code: Int32
    /// What was attempted: `connect`, `create`, `delete`, `set`, `get`, `exists`, `children`, `multi`, `check`,
    /// `sync`, `permissions` or `setAccess`.
    public let operation: String
    /// The znode it was attempted on, or the server list for `connect`.
    public let path: String

    /// An error with the C library's code. Of a failed `multi`, operation and path are those of the part that failed.
    public init(code: Int32, operation: String, path: String) {
        self.code = code
        self.operation = operation
        self.path = path
    }

    init(_ error: ZOO_ERRORS, operation: String, path: String) {
        self.init(code: error.rawValue, operation: operation, path: path)
    }

    /// The reason, for a `switch`.
    public var kind: Kind {
        switch ZOO_ERRORS(rawValue: code) {
        case ZNONODE: .noNode
        case ZNODEEXISTS: .nodeExists
        case ZNOTEMPTY: .notEmpty
        case ZBADVERSION: .badVersion
        case ZCONNECTIONLOSS: .connectionLoss
        case ZSESSIONEXPIRED: .sessionExpired
        case ZSESSIONMOVED: .sessionMoved
        case ZCLOSING: .closing
        case ZOPERATIONTIMEOUT: .operationTimeout
        case ZAUTHFAILED: .authFailed
        case ZINVALIDSTATE: .invalidState
        case ZNOAUTH: .noAuth
        case ZBADARGUMENTS: .badArguments
        case ZTHROTTLEDOP: .throttled
        default: .other
        }
    }

    /// One sentence for a log or an operator.
    public var description: String {
        "ZooKeeper could not \(operation) \(path): \(String(cString: zerror(code))) (code \(code))."
    }
}
