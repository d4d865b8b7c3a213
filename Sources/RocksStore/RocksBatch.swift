// Changes that are written together.
import CRocksDB

/// Changes that are written together. Of two for the same key the later one counts.
public struct RocksBatch: ~Copyable {
    private let batch: OpaquePointer?
    private let tables: [OpaquePointer?]

    init(tables: [OpaquePointer?]) {
        batch = rocksdb_writebatch_create()
        self.tables = tables
    }

    deinit { rocksdb_writebatch_destroy(batch) }

    /// Sets a value.
    public mutating func put(_ key: [UInt8], _ value: [UInt8], in table: RocksTable) {
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                rocksdb_writebatch_put_cf(
                    batch, tables[table.number], Self.characters(key), key.count, Self.characters(value), value.count)
            }
        }
    }

    /// Removes all keys from `first` on that come before `end`.
    public mutating func remove(from first: [UInt8], upTo end: [UInt8], in table: RocksTable) {
        first.withUnsafeBytes { first in
            end.withUnsafeBytes { end in
                rocksdb_writebatch_delete_range_cf(
                    batch, tables[table.number], Self.characters(first), first.count, Self.characters(end), end.count)
            }
        }
    }

    func write(
        to database: OpaquePointer, _ options: OpaquePointer?, _ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    ) { rocksdb_write(database, options, batch, error) }

    private static func characters(_ bytes: UnsafeRawBufferPointer) -> UnsafePointer<CChar>? {
        // Of nothing too, RocksDB wants to know where it is.
        bytes.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) } ?? UnsafePointer(bitPattern: 1)
    }
}
