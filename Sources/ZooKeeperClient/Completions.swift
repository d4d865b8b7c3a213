// The functions that the C library calls back. Thread: always its completion thread, one per session, never the caller's. Owner: what
// the pointers show belongs to the library and dies when the function returns, so everything is copied first. They must not block and
// must not close the session: closing joins this very thread.

import CZooKeeper

/// Names the completion functions and the watcher that are handed to the C library.
enum Completions {
    /// Answers a request without a value (delete, multi, set the access).
    static let void: void_completion_t = { code, data in
        PendingRequest<Void>.takeBack(data).complete(code: code, value: ())
    }

    /// Answers a request whose string is of no interest (create without sequence numbers, sync).
    static let string: string_completion_t = { code, _, data in
        PendingRequest<Void>.takeBack(data).complete(code: code, value: ())
    }

    /// Answers set and exists.
    static let stat: stat_completion_t = { code, stat, data in
        PendingRequest<ZNodeStat>.takeBack(data).complete(code: code, value: stat.map { ZNodeStat($0.pointee) })
    }

    /// Answers get. A znode without data has length -1.
    static let data: data_completion_t = { code, value, length, stat, data in
        PendingRequest<(data: [UInt8], stat: ZNodeStat)>.takeBack(data).complete(
            code: code,
            value: stat.map { stat in
                let bytes = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : max(0, Int(length)))
                return (data: [UInt8](bytes), stat: ZNodeStat(stat.pointee))
            })
    }

    /// Answers permissions.
    static let permissions: acl_completion_t = { code, list, stat, data in
        PendingRequest<[ZNodePermission]>.takeBack(data).complete(code: code, value: permissions(list?.pointee))
    }

    /// Answers children.
    static let children: strings_stat_completion_t = { code, strings, stat, data in
        PendingRequest<(names: [String], stat: ZNodeStat)>.takeBack(data).complete(
            code: code, value: stat.map { (names: names(strings?.pointee), stat: ZNodeStat($0.pointee)) })
    }

    /// The one watcher of a session, for its connection and for all znodes. Its context is the `SessionHandle`, whose reference the
    /// library holds until `zookeeper_close` has returned. Because all watches share it, none has a context that could leak.
    static let watcher: watcher_fn = { library, type, state, path, context in
        guard let library, let context else {
            preconditionFailure("The C library called the watcher without the handle or the context it was given.")
        }
        let session = Unmanaged<SessionHandle>.fromOpaque(context).takeUnretainedValue()
        if type == ZOO_SESSION_EVENT {
            session.onConnectionState(state, library: library)
        } else if let path, let event = ZooKeeperSessionEvent(watchType: type, path: String(cString: path)) {
            session.onWatch(event)
        }
    }

    private static func permissions(_ list: ACL_vector?) -> [ZNodePermission] {
        guard let list, let data = list.data else { return [] }
        return UnsafeBufferPointer(start: data, count: Int(list.count)).map { ZNodePermission($0) }
    }

    private static func names(_ strings: String_vector?) -> [String] {
        guard let strings, let data = strings.data else { return [] }
        return UnsafeBufferPointer(start: data, count: Int(strings.count)).compactMap { $0.map { String(cString: $0) } }
    }
}
