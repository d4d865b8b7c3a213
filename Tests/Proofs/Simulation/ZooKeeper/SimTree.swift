// What ZooKeeper holds after a transaction: a value, so that a server that lags behind simply holds an older one.

/// A znode.
struct SimZnode {
    var data: [UInt8]
    let createdBy: UInt64
    /// The session that it goes with; `nil` when it stays.
    let owner: Int?
}

/// All znodes after one transaction.
struct SimTree {
    /// The number of the transaction.
    var transaction: UInt64 = 100
    private(set) var znodes: [String: SimZnode] = [:]
    /// By parent: the last transaction that made or removed a child.
    private(set) var childrenChanged: [String: UInt64] = [:]

    /// One change.
    enum Change {
        case create(path: String, data: [UInt8], owner: Int?)
        case set(path: String, data: [UInt8])
        case delete(path: String)
    }

    /// Names of a znode's children, sorted.
    func children(of path: String) -> [String] {
        let prefix = path + "/"
        return znodes.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
            .map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    /// All of them or none; the number of the transaction is taken all the same.
    mutating func apply(_ changes: [Change]) -> SimZooKeeperError? {
        transaction += 1
        var next = self
        for change in changes {
            if let error = next.apply(change) { return error }
        }
        self = next
        return nil
    }

    private mutating func apply(_ change: Change) -> SimZooKeeperError? {
        switch change {
        case .create(let path, let data, let owner):
            if znodes[path] != nil { return .nodeExists }
            let parent = Self.parent(of: path)
            if !parent.isEmpty, znodes[parent] == nil { return .noNode }
            znodes[path] = SimZnode(data: data, createdBy: transaction, owner: owner)
            childrenChanged[path] = transaction
            childrenChanged[parent] = transaction
        case .set(let path, let data):
            if znodes[path] == nil { return .noNode }
            znodes[path]?.data = data
        case .delete(let path):
            if znodes.removeValue(forKey: path) == nil { return .noNode }
            childrenChanged[Self.parent(of: path)] = transaction
        }
        return nil
    }

    /// What goes when a session ends.
    func owned(by session: Int) -> [String] { znodes.filter { $0.value.owner == session }.keys.sorted() }

    private static func parent(of path: String) -> String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
}

/// How a request fails.
enum SimZooKeeperError: Error {
    case nodeExists
    case noNode
    /// It may have been done or not.
    case connectionLoss
}
