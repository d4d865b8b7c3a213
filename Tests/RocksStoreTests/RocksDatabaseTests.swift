// The wrapper against a real RocksDB.
import Foundation
import RocksStore
import TestSupport
import Testing

@Suite struct RocksDatabaseTests {
    private let folder: TemporaryFolder
    private let first = RocksTable(number: 0)
    private let second = RocksTable(number: 1)

    init() throws { folder = try TemporaryFolder("rocks") }

    private func open(_ options: String = "", creates: Bool = true) throws -> RocksDatabase {
        try RocksDatabase(
            RocksConfiguration(
                path: folder.file("db"), options: options,
                tables: [.init(name: "default", options: ""), .init(name: "second", options: "")],
                creates: creates))
    }

    @Test func whatWasWrittenIsThereAfterwards() throws {
        let database = try open()
        try database.write(isSynced: true) { batch in
            batch.put([1], [10], in: first)
            batch.put([1], [20], in: second)
            batch.put([2], [], in: first)
        }
        database.close()
        let again = try open(creates: false)
        #expect(try again.get([1], in: first) == [10])
        #expect(try again.get([1], in: second) == [20])
        #expect(try again.get([2], in: first) == [])
        #expect(try again.get([3], in: first) == nil)
    }

    @Test func numbersOfChangesGrowByOneAChange() throws {
        let database = try open()
        #expect(try database.lastSequence() == 0)
        #expect(try database.write(isSynced: false) { $0.put([1], [1], in: first) } == 1)
        let last = try database.write(isSynced: false) { batch in
            batch.put([1], [1], in: first)
            batch.remove(from: [1], upTo: [2], in: first)
        }
        #expect(last == 3)
    }

    @Test func aBatchThatIsNotFinishedLeavesNothing() throws {
        let database = try open()
        #expect(throws: RocksError.self) {
            try database.write(isSynced: false) { batch throws(RocksError) in
                batch.put([1], [1], in: first)
                throw RocksError("Aborted", operation: "write", path: "here")
            }
        }
        #expect(try database.get([1], in: first) == nil)
    }

    @Test func aScanStopsWhereKeysBeginOtherwise() throws {
        let database = try open()
        try database.write(isSynced: false) { batch in
            for key: [UInt8] in [[1], [1, 0], [1, .max], [1, .max, .max], [2]] { batch.put(key, key, in: first) }
        }
        var keys: [[UInt8]] = []
        try database.scan(prefix: [1], in: first) { key, value in
            keys.append(Array(key))
            #expect(Array(key) == Array(value))
            return keys.count < 3
        }
        #expect(keys == [[1], [1, 0], [1, .max]])
        #expect(RocksCursor.end(of: [1, .max]) == [2])
        #expect(RocksCursor.end(of: [.max, .max]) == [])
    }

    @Test func aCursorGoesBothWays() throws {
        let database = try open()
        try database.write(isSynced: false) { batch in
            for number: UInt8 in 1...5 { batch.put([7, number], [number], in: first) }
            batch.put([6], [6], in: first)
            batch.put([8], [8], in: first)
        }
        let found = try database.withCursor(prefix: [7], in: first) { cursor in
            var found: [UInt8] = []
            cursor.seek(backTo: [7, 4, 9])
            while cursor.isValid, found.count < 3 {
                found.append(cursor.withEntry { $1[0] })
                cursor.previous()
            }
            cursor.seek(to: [7, 5])
            found.append(cursor.withEntry { $1[0] })
            cursor.next()
            if cursor.isValid { found.append(0) }
            cursor.seek(to: [7, 1])
            cursor.previous()
            if cursor.isValid { found.append(0) }
            return found
        }
        #expect(found == [4, 3, 2, 5], "and nothing on either side")
    }

    @Test func aRangeGoesAtOnce() throws {
        let database = try open()
        try database.write(isSynced: false) { batch in
            for number: UInt8 in 1...5 { batch.put([number], [number], in: first) }
            batch.remove(from: [2], upTo: [4], in: first)
        }
        var keys: [UInt8] = []
        try database.scan(prefix: [], in: first) { key, _ in
            keys.append(key[0])
            return true
        }
        #expect(keys == [1, 4, 5])
    }

    @Test func whoUsesAClosedDatabaseIsToldSo() throws {
        let database = try open()
        try database.withCursor(prefix: [], in: first) { _ in
            database.close()
            // Somebody is still in: the files are given up with the last one.
            #expect(kind { _ = try open(creates: false) } == .locked)
        }
        #expect(kind { _ = try open(creates: false) } == nil)
        do {
            _ = try database.get([1], in: first)
            Issue.record("a closed database answered")
        } catch { #expect(error.kind == .closed) }
    }

    @Test func errorsSayWhatIsWrong() throws {
        #expect(kind { _ = try open(creates: false) } == .missing)
        #expect(kind { _ = try open("no_such_option=1") } == .badArguments)
        let database = try open()
        #expect(kind { _ = try open() } == .locked)
        database.close()
    }

    private func kind(_ body: () throws -> Void) -> RocksError.Kind? {
        do { try body() } catch { return (error as? RocksError)?.kind }
        return nil
    }
}
