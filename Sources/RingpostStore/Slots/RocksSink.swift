// The core's words for what is written and read, on a database.
import RingpostCore
import RocksStore

extension RocksBatch: StoreSink {
    /// Sets a value.
    public mutating func put(_ key: [UInt8], _ value: [UInt8], in table: StoreTable) { put(key, value, in: table.rocks) }
    /// Removes the keys from `first` on that come before `end`.
    public mutating func remove(from first: [UInt8], upTo end: [UInt8], in table: StoreTable) {
        remove(from: first, upTo: end, in: table.rocks)
    }
}

extension RocksCursor: StoreSource {
    /// Why a record could not be read.
    public var damage: String? {
        do throws(RocksError) { try check() } catch { return error.text }
        return nil
    }

    /// The record at which it stands.
    public func withRecord<Value>(_ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Value) -> Value {
        withEntry(body)
    }
}
