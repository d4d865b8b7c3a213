// What is made of files that are not as they were written: damage in a head, in contents, in the log, and an end that is missing.
import Foundation
import RingpostCore
import RocksStore
import TestSupport
import Testing

@testable import RingpostStore

@Suite struct StoreDamageTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    /// Two slots in files of their own, and everything closed.
    private func writeAndClose() async throws {
        let opened = try fixture.open(fresh: 77)
        for sequence in 1...40 as ClosedRange<UInt64> {
            #expect(await opened.store.write(try StoreFixture.tick("alice", sequence)) == nil)
        }
        #expect(opened.store.close() == nil)
        let again = try fixture.open()
        for sequence in 1...40 as ClosedRange<UInt64> {
            #expect(await again.store.write(try StoreFixture.tick("bob", sequence)) == nil)
        }
        #expect(again.store.close() == nil)
    }

    // MARK: Files of the tables

    @Test func damageInContentIsToldFromDamageInAHead() async throws {
        try await writeAndClose()
        let messages = try fixture.databaseFiles(".blob")
        try #require(messages.count == 2)
        try StoreFixture.flip(messages[0], at: StoreFixture.size(messages[0]) / 2)
        let opened = try fixture.open()
        // The heads are whole: they count as evidence, and the lineage goes on.
        #expect(opened.loss == nil && opened.lineage == 77 && opened.heads.count == 2)
        await #expect(throws: StoreDamage.self) { try await opened.store.load("alice", head: StoreFixture.head(40)).count }
        #expect(try await opened.store.load("bob", head: StoreFixture.head(40)).count == 41)
        #expect(opened.store.counts.reads == 2 && opened.store.counts.damagedReads == 1)
        // Fetched elsewhere, the copy is whole again.
        let slot = try StoreFixture.key("alice").slot
        let copy = SnapshotChunk(isFirst: true, isLast: true, base: 3, position: 40, items: [])
        let write = SlotWrite(slot: slot, head: StoreFixture.head(40), changes: [.copy([copy])])
        #expect(await opened.store.write(StoreTick(now: 1_000, slots: [write])) == nil)
        #expect(try await opened.store.load("alice", head: StoreFixture.head(40)).isEmpty)
        opened.store.close()
    }

    @Test func aMissingFileOfMessagesIsDamageInContent() async throws {
        try await writeAndClose()
        try FileManager.default.removeItem(atPath: try fixture.databaseFiles(".blob")[1])
        let opened = try fixture.open()
        #expect(opened.loss == nil && opened.heads.count == 2)
        await #expect(throws: StoreDamage.self) { try await opened.store.load("bob", head: StoreFixture.head(40)).count }
        #expect(try await opened.store.load("alice", head: StoreFixture.head(40)).count == 41)
        opened.store.close()
    }

    @Test func damageInAHeadEndsTheLineage() async throws {
        try await writeAndClose()
        // The heads' value is nowhere else.
        var head: [UInt8] = []
        StoreFixture.head(40).append(to: &head)
        let file = try #require(
            try fixture.databaseFiles(".sst").first { path in
                try Data(contentsOf: URL(fileURLWithPath: path)).range(of: Data(head)) != nil
            })
        let offset = try #require(try Data(contentsOf: URL(fileURLWithPath: file)).range(of: Data(head))?.lowerBound)
        try StoreFixture.flip(file, at: offset + 3)
        let opened = try fixture.open(fresh: 88)
        #expect(opened.loss?.contains("heads") == true && opened.lineage == 88)
        #expect(opened.heads.values.allSatisfy { $0.kind == .hearsay })
        opened.store.close()
    }

    // MARK: The log

    /// Writes with another process, which is killed: what it wrote last is in the log only.
    private func writeAndDie(_ durability: StoreDurability = .fsync) async throws -> ChildProcess {
        let child = try ChildProcess(
            StoreProgram.path, arguments: ["write", fixture.path, "--durability", durability.rawValue],
            outputFile: fixture.folder.file("said"))
        try await eventually(within: 30, "it has acknowledged something") { child.output.utf8.count > 20_000 }
        child.kill()
        try await child.waitForExit(deadlineSeconds: 10)
        return child
    }

    private func openProof(fresh: UInt64 = 88) throws -> OpenedStore { try fixture.open(cluster: "proof", fresh: fresh) }

    private func log() throws -> String { try #require(try fixture.databaseFiles(".log").last) }

    @Test func damageBeforeTheEndOfTheLogIsRefused() async throws {
        _ = try await writeAndDie()
        let log = try log()
        try StoreFixture.flip(log, at: StoreFixture.size(log) / 2)
        let refusal = fixture.refusal { try openProof() }
        #expect(refusal?.kind == .damaged && refusal?.sentence.contains("Move it away") == true)
        #expect(try StoreFixture.size(log) > 0, "nothing was deleted")
    }

    @Test func onlyAnUnfinishedEndIsCut() async throws {
        _ = try await writeAndDie()
        let log = try log()
        // As if the process had died while it wrote its last batch: that was not acknowledged.
        let acknowledged = try #require(AcknowledgedMark.read(fixture.path + "/acknowledged"))
        _ = try AcknowledgedMark(fixture.path + "/acknowledged", acknowledged / 2, in: fixture.path)
        #expect(truncate(log, try StoreFixture.size(log) - 3) == 0)
        let opened = try openProof()
        #expect(opened.loss == nil && opened.lineage != 88)
        opened.store.close()
    }

    /// RocksDB takes a log that was cut for one that was not finished.
    @Test func anAcknowledgedEndThatIsMissingEndsTheLineage() async throws {
        _ = try await writeAndDie()
        let log = try log()
        #expect(truncate(log, try StoreFixture.size(log) / 2) == 0)
        let opened = try openProof()
        #expect(opened.loss?.contains("the end of its log is missing") == true && opened.lineage == 88)
        #expect(!opened.heads.isEmpty && opened.heads.values.allSatisfy { $0.kind == .hearsay })
        opened.store.close()
        let again = try openProof(fresh: 99)
        #expect(again.loss == nil && again.lineage == 88 && again.heads == opened.heads, "it is lost once")
        again.store.close()
    }

    @Test func aMissingLogEndsTheLineage() async throws {
        _ = try await writeAndDie()
        try FileManager.default.removeItem(atPath: try log())
        let opened = try openProof()
        #expect(opened.loss != nil && opened.lineage == 88)
        opened.store.close()
    }

    @Test func aMissingOrDamagedMarkEndsTheLineage() async throws {
        for damages in [true, false] {
            let fixture = try StoreFixture()
            try fixture.open().store.close()
            let mark = fixture.path + "/acknowledged"
            if damages { try StoreFixture.flip(mark, at: 3) } else { try FileManager.default.removeItem(atPath: mark) }
            let opened = try fixture.open(fresh: 88)
            #expect(opened.loss?.contains("acknowledged") == true && opened.lineage == 88)
            opened.store.close()
        }
    }

    @Test func aWrittenStoreHasLostItsEndWhenTheMachineHasGoneDown() async throws {
        for durability in StoreDurability.allCases {
            let fixture = try StoreFixture()
            let child = try ChildProcess(
                StoreProgram.path, arguments: ["write", fixture.path, "--durability", durability.rawValue],
                outputFile: fixture.folder.file("said"))
            try await eventually(within: 30, "it has acknowledged something") { child.output.utf8.count > 20_000 }
            child.kill()
            try await child.waitForExit(deadlineSeconds: 10)
            let name = fixture.path + "/identity"
            var identity = try StoreIdentity(Array(try Data(contentsOf: URL(fileURLWithPath: name))), in: fixture.path)
            identity.kernelBoot = "another boot"
            try Data(try identity.encoded()).write(to: URL(fileURLWithPath: name))
            let opened = try fixture.open(cluster: "proof", fresh: 88)
            #expect((opened.loss != nil) == (durability == .written))
            #expect((opened.lineage == 88) == (durability == .written))
            opened.store.close()
        }
    }
}
