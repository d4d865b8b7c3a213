// Going through keys in their order. A cursor shows what the database was when it was made.
import CRocksDB

/// A place among the keys that begin alike.
public struct RocksCursor: ~Copyable {
    private let iterator: OpaquePointer?
    private let options: OpaquePointer?
    /// RocksDB keeps the pointers to the bounds, not copies. Without a lower one, a step back from the first key would read a value of somebody
    /// else's, and fail with that.
    private let bounds: UnsafeMutableRawBufferPointer
    private let path: String

    init(_ library: RocksHandle.Library, table: OpaquePointer?, prefix: [UInt8], path: String) {
        self.path = path
        options = rocksdb_readoptions_create()
        let end = Self.end(of: prefix)
        bounds = UnsafeMutableRawBufferPointer.allocate(byteCount: prefix.count + end.count, alignment: 1)
        bounds.copyBytes(from: prefix + end)
        let first = bounds.baseAddress?.assumingMemoryBound(to: CChar.self)
        if !prefix.isEmpty { rocksdb_readoptions_set_iterate_lower_bound(options, first, prefix.count) }
        if !end.isEmpty { rocksdb_readoptions_set_iterate_upper_bound(options, first?.advanced(by: prefix.count), end.count) }
        iterator = rocksdb_create_iterator_cf(library.database, options, table)
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(options)
        bounds.deallocate()
    }

    /// The first key that no longer begins so; empty when there is none.
    public static func end(of prefix: [UInt8]) -> [UInt8] {
        var end = prefix
        while let last = end.popLast() {
            if last < .max { return end + [last + 1] }
        }
        return []
    }

    /// Whether it stands at a key. If not, the keys are at their end, or ``check()`` says what is wrong.
    public var isValid: Bool { rocksdb_iter_valid(iterator) != 0 }

    /// Goes to this key, or to the first one after it.
    public mutating func seek(to key: [UInt8]) {
        key.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count) }
    }

    /// Goes to this key, or to the last one before it.
    public mutating func seek(backTo key: [UInt8]) {
        key.withUnsafeBytes { rocksdb_iter_seek_for_prev(iterator, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count) }
    }

    /// To the next key.
    public mutating func next() { rocksdb_iter_next(iterator) }
    /// To the key before.
    public mutating func previous() { rocksdb_iter_prev(iterator) }

    /// The key and the value at which it stands, which are gone when `body` returns.
    public func withEntry<Value, Failure: Error>(
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        var (keyCount, valueCount) = (0, 0)
        let key = rocksdb_iter_key(iterator, &keyCount)
        let value = rocksdb_iter_value(iterator, &valueCount)
        return try body(UnsafeRawBufferPointer(start: key, count: keyCount), UnsafeRawBufferPointer(start: value, count: valueCount))
    }

    /// Throws if it did not end because the keys do. The next seek forgets that.
    public func check() throws(RocksError) { try RocksHandle.checked("scan", path: path) { rocksdb_iter_get_error(iterator, $0) } }
}
