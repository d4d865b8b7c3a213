// One open database, over Debian's librocksdb. All calls block the thread that makes them: none belongs on an event loop.
import CRocksDB

/// An open database. Safe to use from any thread.
public final class RocksDatabase: Sendable {
    let handle: RocksHandle

    /// Opens a database, and reads what its write-ahead log has.
    ///
    /// - Throws: when options are wrong, when the files are damaged as far as RocksDB's recovery mode looks, when somebody else has it open.
    public init(_ configuration: RocksConfiguration) throws(RocksError) {
        let path = configuration.path
        let database = try Self.options(configuration.options, path: path)
        defer { rocksdb_options_destroy(database) }
        rocksdb_options_set_create_if_missing(database, configuration.creates ? 1 : 0)
        rocksdb_options_set_create_missing_column_families(database, configuration.creates ? 1 : 0)
        var options: [OpaquePointer?] = []
        defer { for option in options { rocksdb_options_destroy(option) } }
        for table in configuration.tables { options.append(try Self.options(table.options, path: path)) }
        let names = configuration.tables.map { $0.name.utf8CString }
        var tables: [OpaquePointer?] = Array(repeating: nil, count: names.count)
        let opened = try RocksHandle.checked("open", path: path) { error in
            Self.withPointers(to: names) { names in
                rocksdb_open_column_families(database, path, Int32(names.count), names.baseAddress, options, &tables, error)
            }
        }
        guard let opened else { throw RocksError(.other, "it gave no database and no error", operation: "open", path: path) }
        handle = RocksHandle(RocksHandle.Library(database: opened, tables: tables), path: path)
    }

    /// Ends it, once nobody is in a call any more. What was written without being synced is handed to the disk only by ``flush()``.
    public func close() { handle.close() }

    private static func options(_ text: String, path: String) throws(RocksError) -> OpaquePointer? {
        let base = rocksdb_options_create()
        defer { rocksdb_options_destroy(base) }
        let made = rocksdb_options_create()
        do {
            try RocksHandle.checked("open", path: path) { rocksdb_get_options_from_string(base, text, made, $0) }
        } catch {
            rocksdb_options_destroy(made)
            throw error
        }
        return made
    }

    /// C strings side by side, for the length of one call.
    private static func withPointers<Value>(
        to names: [ContiguousArray<CChar>], from first: Int = 0, _ pointers: [UnsafePointer<CChar>?] = [],
        _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Value
    ) -> Value {
        if first == names.count { return pointers.withUnsafeBufferPointer(body) }
        return names[first].withUnsafeBufferPointer { name in
            withPointers(to: names, from: first + 1, pointers + [name.baseAddress], body)
        }
    }

    // MARK: Writing

    /// Writes a batch: all of it is there afterwards, or nothing.
    ///
    /// - Parameters:
    ///   - isSynced: returns only when the disk has it (`fdatasync`); else when the kernel has it.
    ///   - fill: puts together what is written. An error that it throws leaves everything as it was.
    /// - Returns: the number of the last change that the database has, which grows with each.
    @discardableResult
    public func write(isSynced: Bool, _ fill: (inout RocksBatch) throws(RocksError) -> Void) throws(RocksError) -> UInt64 {
        try handle.use("write") { library throws(RocksError) in
            var batch = RocksBatch(tables: library.tables)
            try fill(&batch)
            let options = rocksdb_writeoptions_create()
            defer { rocksdb_writeoptions_destroy(options) }
            rocksdb_writeoptions_set_sync(options, isSynced ? 1 : 0)
            try handle.checked("write") { batch.write(to: library.database, options, $0) }
            return rocksdb_get_latest_sequence_number(library.database)
        }
    }

    /// The number of the last change that the database has.
    public func lastSequence() throws(RocksError) -> UInt64 {
        try handle.use("read") { library throws(RocksError) in rocksdb_get_latest_sequence_number(library.database) }
    }

    /// Writes all that is in memory into table files, and waits until the disk has them.
    public func flush() throws(RocksError) {
        try handle.use("flush") { library throws(RocksError) in
            let options = rocksdb_flushoptions_create()
            defer { rocksdb_flushoptions_destroy(options) }
            rocksdb_flushoptions_set_wait(options, 1)
            for table in library.tables {
                try handle.checked("flush") { rocksdb_flush_cf(library.database, options, table, $0) }
            }
        }
    }

    /// Rewrites a whole table now. For measurements and tests; RocksDB does it by itself when it is worth it.
    public func compact(_ table: RocksTable) throws(RocksError) {
        try handle.use("compact") { library throws(RocksError) in
            rocksdb_compact_range_cf(library.database, library.tables[table.number], nil, 0, nil, 0)
        }
    }

    /// Bytes of a table's files, with what is in them and is not needed any more.
    public func fileBytes(of table: RocksTable) throws(RocksError) -> Int {
        try handle.use("look") { library throws(RocksError) in
            ["rocksdb.total-sst-files-size", "rocksdb.total-blob-file-size"].reduce(0) { sum, property in
                var bytes: UInt64 = 0
                let isKnown = rocksdb_property_int_cf(library.database, library.tables[table.number], property, &bytes) == 0
                return sum + (isKnown ? Int(clamping: bytes) : 0)
            }
        }
    }

    // MARK: Reading

    /// One value; `nil` if there is none.
    public func get(_ key: [UInt8], in table: RocksTable) throws(RocksError) -> [UInt8]? {
        try handle.use("read") { library throws(RocksError) in
            let options = rocksdb_readoptions_create()
            defer { rocksdb_readoptions_destroy(options) }
            var length = 0
            let value = try handle.checked("read") { error in
                key.withUnsafeBytes { key in
                    rocksdb_get_cf(
                        library.database, options, library.tables[table.number], key.baseAddress?.assumingMemoryBound(to: CChar.self),
                        key.count, &length, error)
                }
            }
            guard let value else { return nil }
            defer { rocksdb_free(value) }
            return Array(UnsafeRawBufferPointer(start: value, count: length))
        }
    }

    /// Reads all keys that begin so, in their order, until `body` returns false.
    ///
    /// - Parameter body: gets key and value, which are gone when it returns.
    public func scan(
        prefix: [UInt8], in table: RocksTable,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(RocksError) -> Bool
    ) throws(RocksError) {
        try withCursor(prefix: prefix, in: table) { cursor throws(RocksError) in
            cursor.seek(to: prefix)
            while cursor.isValid {
                guard try cursor.withEntry(body) else { return }
                cursor.next()
            }
            try cursor.check()
        }
    }

    /// Goes about freely among the keys that begin so.
    public func withCursor<Value>(
        prefix: [UInt8], in table: RocksTable,
        _ body: (inout RocksCursor) throws(RocksError) -> Value
    ) throws(RocksError) -> Value {
        try handle.use("scan") { library throws(RocksError) in
            var cursor = RocksCursor(library, table: library.tables[table.number], prefix: prefix, path: handle.path)
            return try body(&cursor)
        }
    }
}
