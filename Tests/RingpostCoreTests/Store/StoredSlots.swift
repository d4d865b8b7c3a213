// A store without a disk, for tests: what is put in lies in the order of its keys.
import HashRing
import RingpostCore

/// Records of both tables.
struct StoredSlots: StoreSink {
    private(set) var tables: [StoreTable: [[UInt8]: [UInt8]]] = [.contents: [:], .heads: [:]]

    mutating func put(_ key: [UInt8], _ value: [UInt8], in table: StoreTable) { tables[table]?[key] = value }
    mutating func remove(from first: [UInt8], upTo end: [UInt8], in table: StoreTable) {
        tables[table] = tables[table]?.filter { Self.comes($0.key, before: first) || !Self.comes($0.key, before: end) }
    }

    static func comes(_ one: [UInt8], before other: [UInt8]) -> Bool { one.lexicographicallyPrecedes(other) }

    func head(ofSlot slot: Int) -> SlotHead? {
        tables[.heads]?[StoreKey.head(ofSlot: slot)].flatMap { $0.withUnsafeBytes { SlotHead($0) } }
    }
    var clock: Int64? { tables[.heads]?[StoreKey.clock].flatMap(SlotEncoder.clock) }

    /// All contents.
    var source: StoredRecords { source(damaged: nil) }

    /// All contents, one of which can't be read.
    func source(damaged: Int?) -> StoredRecords {
        StoredRecords((tables[.contents] ?? [:]).sorted { Self.comes($0.key, before: $1.key) }.map { ($0.key, $0.value) }, damaged: damaged)
    }

    func load(_ slot: Int, hasher: KeyHasher, clock: StoreClock, limits: MailboxLimits = MailboxLimits()) throws -> [SnapshotItem] {
        var loader = SlotLoader(slot: slot, hasher: hasher, clock: clock, limits: StoredHistoryLimits(limits))
        var source = source
        try loader.read(from: &source)
        let head =
            head(ofSlot: slot) ?? SlotHead(kind: .copy, term: 0, position: 0, fence: 0, origin: 0, set: LineageSet(number: 0, lineages: []))
        return loader.chunks(of: head, bytesMax: 1_024).flatMap(\.items)
    }
}

/// A place among records.
struct StoredRecords: StoreSource {
    private let records: [([UInt8], [UInt8])]
    private var index = 0
    /// A record that can't be read, as a disk has them.
    private let damaged: Int?

    init(_ records: [([UInt8], [UInt8])], damaged: Int? = nil) {
        self.records = records
        self.damaged = damaged
    }

    var count: Int { records.count }
    var isValid: Bool { records.indices.contains(index) && index != damaged }
    var damage: String? { index == damaged ? "a record is damaged" : nil }
    mutating func seek(to key: [UInt8]) { index = records.firstIndex { !StoredSlots.comes($0.0, before: key) } ?? records.count }
    mutating func seek(backTo key: [UInt8]) { index = records.lastIndex { !StoredSlots.comes(key, before: $0.0) } ?? -1 }
    mutating func next() { index += 1 }
    mutating func previous() { index -= 1 }
    func withRecord<Value>(_ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Value) -> Value {
        records[index].0.withUnsafeBytes { key in records[index].1.withUnsafeBytes { body(key, $0) } }
    }
}
