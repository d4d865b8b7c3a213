// What RocksDB makes of a write-ahead log that is damaged, in the recovery mode that a store uses: damage before the end stops it, an end that
// was not finished is cut. And what it does not notice, for which a store has a mark of its own.
import Foundation
import RocksStore
import TestSupport
import Testing

@Suite struct LogRecoveryTests {
    private let folder: TemporaryFolder
    private let table = RocksTable(number: 0)
    private static let tolerating = "wal_recovery_mode=kTolerateCorruptedTailRecords;paranoid_checks=true"
    private static let silent = "wal_recovery_mode=kPointInTimeRecovery;paranoid_checks=true"

    init() throws { folder = try TemporaryFolder("log") }

    private func open(_ path: String, _ options: String) throws -> RocksDatabase {
        try RocksDatabase(
            RocksConfiguration(path: path, options: options, tables: [.init(name: "default", options: "")], creates: true))
    }

    /// A database as a process leaves it that dies after 100 batches, and the log's file.
    private func died(_ number: Int) throws -> (path: String, log: String) {
        let living = folder.file("living-\(number)")
        let database = try open(living, Self.tolerating)
        for batch: UInt8 in 0..<100 {
            try database.write(isSynced: true) { $0.put([batch], [UInt8](repeating: batch, count: 1_000), in: table) }
        }
        let path = folder.file("dead-\(number)")
        try FileManager.default.copyItem(atPath: living, toPath: path)
        let log = try #require(try FileManager.default.contentsOfDirectory(atPath: path).first { $0.hasSuffix(".log") })
        return (path, path + "/" + log)
    }

    private func size(_ path: String) throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path)).count }

    private func flip(_ path: String, at offset: Int) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[offset] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    /// How many batches are there.
    private func count(_ path: String, _ options: String) throws -> Int {
        let database = try open(path, options)
        var count = 0
        try database.scan(prefix: [], in: table) { _, _ in
            count += 1
            return true
        }
        return count
    }

    @Test func aFlippedByteAnywhereBeforeTheEndStopsIt() throws {
        for (number, part) in [0.01, 0.2, 0.5, 0.8, 0.99].enumerated() {
            let (path, log) = try died(number)
            try flip(log, at: Int(Double(try size(log)) * part))
            do {
                let found = try count(path, Self.tolerating)
                Issue.record("a log with a flipped byte was opened, with \(found) of 100 batches")
            } catch { #expect((error as? RocksError)?.kind == .corruption) }
        }
    }

    /// The mode that RocksDB uses by default goes on with what was before the damage, and says nothing.
    @Test func anotherModeWouldLoseSilently() throws {
        let (path, log) = try died(0)
        try flip(log, at: try size(log) / 2)
        #expect((1..<100).contains(try count(path, Self.silent)))
    }

    @Test func anEndThatWasNotFinishedIsCut() throws {
        for (number, cut) in [1, 500, 1_000].enumerated() {
            let (path, log) = try died(number)
            #expect(truncate(log, try size(log) - cut) == 0)
            #expect(try count(path, Self.tolerating) == 99)
        }
    }

    /// Nobody can tell a log that was cut from one that was never longer: a store has to know by itself how far it was.
    @Test func aLogThatWasCutIsNotNoticed() throws {
        let (path, log) = try died(0)
        #expect(truncate(log, try size(log) / 2) == 0)
        #expect((1..<99).contains(try count(path, Self.tolerating)))
        let (other, missing) = try died(1)
        try FileManager.default.removeItem(atPath: missing)
        #expect(try count(other, Self.tolerating) == 0)
    }
}
