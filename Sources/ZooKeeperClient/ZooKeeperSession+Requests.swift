// The requests, one C call each. All paths are absolute; data is bytes, and up to 1,000,000 of them with the path.

import CZooKeeper

extension ZooKeeperSession {
    /// Creates a znode.
    ///
    /// - Parameter access: who may use it; unless given, whoever has this session's credentials, or anybody when it has none.
    /// - Throws: `nodeExists`; `noNode` without the parent; `badArguments`; and what ends any request: `connectionLoss`,
    ///   `operationTimeout` (both: done or not), `sessionExpired`, `sessionMoved`, `closing`, `throttled`, `noAuth`, `authFailed`.
    public func create(
        _ path: String, data: [UInt8], ephemeral: Bool = false, access: ZNodeAccess? = nil
    ) async throws(ZooKeeperError) {
        try RequestCheck.check("create", path, dataBytes: data.count)
        let mode = ephemeral ? ZOO_EPHEMERAL : ZOO_PERSISTENT
        let list = (access ?? self.access).list
        try await handle.perform("create", path, answer: Void.self) { library, context in
            withCharacters(data) { zoo_acreate(library, path, $0, $1, list, mode, Completions.string, context) }
        }
    }

    /// Deletes a znode; version -1 fits any.
    ///
    /// - Throws: `noNode`, `badVersion`, `notEmpty`, `badArguments`, and what ends any request (see `create`).
    public func delete(_ path: String, version: Int32 = -1) async throws(ZooKeeperError) {
        try RequestCheck.check("delete", path)
        try await handle.perform("delete", path, answer: Void.self) { library, context in
            zoo_adelete(library, path, version, Completions.void, context)
        }
    }

    /// Sets a znode's data and returns its stat afterwards; version -1 fits any.
    ///
    /// - Throws: `noNode`, `badVersion`, `badArguments`, and what ends any request (see `create`).
    @discardableResult
    public func set(_ path: String, data: [UInt8], version: Int32 = -1) async throws(ZooKeeperError) -> ZNodeStat {
        try RequestCheck.check("set", path, dataBytes: data.count)
        return try await handle.perform("set", path, answer: ZNodeStat.self) { library, context in
            withCharacters(data) { zoo_aset(library, path, $0, $1, version, Completions.stat, context) }
        }
    }

    /// Reads a znode's data and stat, which belong together. A znode without data reads as empty.
    ///
    /// - Throws: `noNode`, `badArguments`, and what ends any request (see `create`).
    public func get(_ path: String) async throws(ZooKeeperError) -> (data: [UInt8], stat: ZNodeStat) {
        try RequestCheck.check("get", path)
        return try await handle.perform("get", path, answer: (data: [UInt8], stat: ZNodeStat).self) { library, context in
            zoo_aget(library, path, 0, Completions.data, context)
        }
    }

    /// Reads a znode's stat, `nil` if there is no such znode. A watch fires once, as `created`, `deleted` or `dataChanged`.
    ///
    /// - Throws: `badArguments`, and what ends any request (see `create`).
    public func exists(_ path: String, watch: Bool = false) async throws(ZooKeeperError) -> ZNodeStat? {
        try RequestCheck.check("exists", path)
        do throws(ZooKeeperError) {
            return try await handle.perform("exists", path, answer: ZNodeStat.self) { library, context in
                zoo_aexists(library, path, watch ? 1 : 0, Completions.stat, context)
            }
        } catch {
            if error.kind == .noNode { return nil }
            throw error
        }
    }

    /// Reads the names of a znode's children, in no order, with its stat, which belongs to that very list. A watch fires once, as
    /// `childrenChanged`, or `deleted` if the znode itself goes; it outlasts reconnections. It is set only if the call succeeds.
    ///
    /// - Throws: `noNode`, `badArguments`, and what ends any request (see `create`).
    public func children(of path: String, watch: Bool = false) async throws(ZooKeeperError) -> (names: [String], stat: ZNodeStat) {
        try RequestCheck.check("children", path)
        return try await handle.perform("children", path, answer: (names: [String], stat: ZNodeStat).self) { library, context in
            zoo_aget_children2(library, path, watch ? 1 : 0, Completions.children, context)
        }
    }

    /// Reads a znode's access control list.
    ///
    /// - Throws: `noNode`; `noAuth` for who may neither read nor administer it; `badArguments`, and what ends any request (see `create`).
    public func permissions(of path: String) async throws(ZooKeeperError) -> [ZNodePermission] {
        try RequestCheck.check("permissions", path)
        return try await handle.perform("permissions", path, answer: [ZNodePermission].self) { library, context in
            zoo_aget_acl(library, path, Completions.permissions, context)
        }
    }

    /// Sets a znode's access control list; its children keep theirs. `creator` needs a session with credentials.
    ///
    /// - Throws: `noNode`; `noAuth` for who may not administer it; `badArguments`, and what ends any request (see `create`).
    public func setAccess(_ path: String, _ access: ZNodeAccess) async throws(ZooKeeperError) {
        try RequestCheck.check("setAccess", path)
        try await handle.perform("setAccess", path, answer: Void.self) { library, context in
            zoo_aset_acl(library, path, -1, UnsafeMutablePointer(mutating: access.list), Completions.void, context)
        }
    }

    /// Does all operations in one transaction, with one zxid, or none. At most 1,000; none at all is a success without a call. What it
    /// creates may be used by whoever has this session's credentials, or by anybody when it has none.
    ///
    /// Needs a connection: without one it fails with `connectionLoss` at once, where other requests wait for it. (The library's encoder
    /// frees a pointer it has not set when a session dies between two parts; only a connected session cannot be dead yet.)
    ///
    /// - Throws: what the part that failed throws alone, with its operation and path; `badVersion` or `noNode` of a `check`.
    public func multi(_ operations: [ZooKeeperOperation]) async throws(ZooKeeperError) {
        guard let first = operations.first else { return }
        try RequestCheck.check(operations)
        let buffers = MultiBuffers(operations, access: access)
        try await handle.perform("multi", first.path, answer: Void.self, multi: buffers) { library, context in
            guard zoo_state(library) == ZOO_CONNECTED_STATE else { return ZCONNECTIONLOSS.rawValue }
            return zoo_amulti(
                library, Int32(buffers.parts.count), buffers.parts.baseAddress, buffers.results.baseAddress, Completions.void, context)
        }
    }

    /// Waits until the server this session is connected to has seen every write that the leader had committed; later reads here see them.
    ///
    /// - Throws: `badArguments`, and what ends any request (see `create`). The path need not exist.
    public func sync(_ path: String) async throws(ZooKeeperError) {
        try RequestCheck.check("sync", path)
        try await handle.perform("sync", path, answer: Void.self) { library, context in
            zoo_async(library, path, Completions.string, context)
        }
    }
}

/// The bytes as the C library wants them; it copies them during the call.
private func withCharacters(_ bytes: [UInt8], _ call: (UnsafePointer<CChar>?, Int32) -> Int32) -> Int32 {
    bytes.withUnsafeBytes { call($0.bindMemory(to: CChar.self).baseAddress, Int32($0.count)) }
}
