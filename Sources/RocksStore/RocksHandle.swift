// The C handles of one database, and how they end. They never leave this folder, and whoever uses them holds them: a database that is closed
// while a scan is under way goes when the scan has ended.
import CRocksDB
import Synchronization

final class RocksHandle: Sendable {
    /// Unchecked: RocksDB may be called from any thread.
    struct Library: @unchecked Sendable {
        let database: OpaquePointer
        let tables: [OpaquePointer?]
    }

    private enum Phase {
        /// In use by so many. Can transition to ending and closed.
        case open(Library, users: Int)
        /// Closed for everybody who comes, and still used by so many. Can transition to closed.
        case ending(Library, users: Int)
        /// Gone.
        case closed
    }

    let path: String
    private let phase: Mutex<Phase>

    init(_ library: Library, path: String) {
        self.path = path
        phase = Mutex(.open(library, users: 0))
    }

    deinit { close() }

    /// Calls into the library, which stays open meanwhile.
    func use<Value>(_ operation: String, _ body: (Library) throws(RocksError) -> Value) throws(RocksError) -> Value {
        let library = try enter(operation)
        defer { leave() }
        return try body(library)
    }

    /// One more uses the library, until it calls ``leave()``.
    private func enter(_ operation: String) throws(RocksError) -> Library {
        let entered = phase.withLock { phase -> Library? in
            guard case .open(let library, let users) = phase else { return nil }
            phase = .open(library, users: users + 1)
            return library
        }
        guard let entered else { throw RocksError(.closed, "it was closed", operation: operation, path: path) }
        return entered
    }

    private func leave() {
        let last = phase.withLock { phase -> Library? in
            switch phase {
            case .open(let library, let users): phase = .open(library, users: users - 1)
            case .ending(let library, let users) where users > 1: phase = .ending(library, users: users - 1)
            case .ending(let library, _):
                phase = .closed
                return library
            case .closed: break
            }
            return nil
        }
        if let last { Self.end(last) }
    }

    /// Nobody new comes in; the last one who is in ends the library. Without anybody in it has ended when this returns.
    func close() {
        let last = phase.withLock { phase -> Library? in
            guard case .open(let library, let users) = phase else { return nil }
            phase = users > 0 ? .ending(library, users: users) : .closed
            return users > 0 ? nil : library
        }
        if let last { Self.end(last) }
    }

    private static func end(_ library: Library) {
        for table in library.tables { rocksdb_column_family_handle_destroy(table) }
        rocksdb_close(library.database)
    }

    /// Calls a function of the C interface that says in its last argument what went wrong.
    func checked<Value>(
        _ operation: String, _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) throws(RocksError) -> Value { try Self.checked(operation, path: path, body) }

    static func checked<Value>(
        _ operation: String, path: String, _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) throws(RocksError) -> Value {
        var text: UnsafeMutablePointer<CChar>?
        let value = body(&text)
        if let text {
            defer { rocksdb_free(text) }
            throw RocksError(String(cString: text), operation: operation, path: path)
        }
        return value
    }
}
