// Records of a simulated store, in the order of their keys, and a batch of changes to them.

import RingpostCore

/// What a store has.
struct SimRecords: StoreSink {
    struct Record {
        let key: [UInt8]
        var value: [UInt8]
    }

    private var tables: [[Record]] = StoreTable.allCases.map { _ in [] }

    func records(in table: StoreTable) -> [Record] { tables[table.rawValue] }

    /// The value of a key.
    func value(of key: [UInt8], in table: StoreTable) -> [UInt8]? {
        let index = tables[table.rawValue].index(notBefore: key)
        guard index < tables[table.rawValue].count, tables[table.rawValue][index].key == key else { return nil }
        return tables[table.rawValue][index].value
    }

    mutating func put(_ key: [UInt8], _ value: [UInt8], in table: StoreTable) {
        let index = tables[table.rawValue].index(notBefore: key)
        if index < tables[table.rawValue].count, tables[table.rawValue][index].key == key {
            tables[table.rawValue][index].value = value
        } else {
            tables[table.rawValue].insert(Record(key: key, value: value), at: index)
        }
    }

    mutating func remove(from first: [UInt8], upTo end: [UInt8], in table: StoreTable) {
        let (from, to) = (tables[table.rawValue].index(notBefore: first), tables[table.rawValue].index(notBefore: end))
        if from < to { tables[table.rawValue].removeSubrange(from..<to) }
    }
}

extension [SimRecords.Record] {
    /// Of the first record that does not come before a key.
    func index(notBefore key: [UInt8]) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].key.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Changes that are there together or not at all.
struct SimBatch: StoreSink {
    private enum Change {
        case put([UInt8], [UInt8], StoreTable)
        case remove([UInt8], [UInt8], StoreTable)
    }

    private var changes: [Change] = []

    mutating func put(_ key: [UInt8], _ value: [UInt8], in table: StoreTable) { changes.append(.put(key, value, table)) }
    mutating func remove(from first: [UInt8], upTo end: [UInt8], in table: StoreTable) { changes.append(.remove(first, end, table)) }

    func apply(to records: inout SimRecords) {
        for change in changes {
            switch change {
            case .put(let key, let value, let table): records.put(key, value, in: table)
            case .remove(let first, let end, let table): records.remove(from: first, upTo: end, in: table)
            }
        }
    }
}

/// A place among a store's contents.
struct SimCursor: StoreSource {
    private let records: [SimRecords.Record]
    private var index = 0
    /// Nothing can be read.
    private let isDamaged: Bool

    init(_ records: SimRecords, isDamaged: Bool) {
        self.records = records.records(in: .contents)
        self.isDamaged = isDamaged
    }

    var isValid: Bool { !isDamaged && records.indices.contains(index) }
    var damage: String? { isDamaged ? "a block is damaged" : nil }
    mutating func seek(to key: [UInt8]) { index = records.index(notBefore: key) }
    mutating func seek(backTo key: [UInt8]) {
        index = records.index(notBefore: key)
        if index == records.count || records[index].key != key { index -= 1 }
    }
    mutating func next() { index += 1 }
    mutating func previous() { index -= 1 }
    func withRecord<Value>(_ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Value) -> Value {
        records[index].key.withUnsafeBytes { key in records[index].value.withUnsafeBytes { body(key, $0) } }
    }
}
