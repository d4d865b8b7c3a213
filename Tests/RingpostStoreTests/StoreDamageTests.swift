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

    // MARK: Heads

    /// Writes so many slots that their heads fill several blocks of one file, and damages a block in the middle.
    ///
    /// - Returns: the names, in the order of their slots.
    private func writeAndDamageAHead() async throws -> [String] {
        let bySlot = try (0..<600).map { "user-\($0)" }.reduce(into: [Int: String]()) { $0[try StoreFixture.key($1).slot] = $1 }
        let names = bySlot.sorted { $0.key < $1.key }.map(\.value)
        let opened = try fixture.open(fresh: 77)
        let slots = try names.enumerated().flatMap { try StoreFixture.tick($1, UInt64($0 + 1_000)).slots }
        #expect(await opened.store.write(StoreTick(now: 1_000, slots: slots)) == nil)
        #expect(opened.store.close() == nil)
        // The value of this head is nowhere else.
        var head: [UInt8] = []
        StoreFixture.head(UInt64(names.count / 2 + 1_000)).append(to: &head)
        let places = try fixture.databaseFiles(".sst").compactMap { path in
            try Data(contentsOf: URL(fileURLWithPath: path)).range(of: Data(head)).map { (path, $0.lowerBound) }
        }
        try #require(places.count == 1)
        try StoreFixture.flip(places[0].0, at: places[0].1 + 3)
        return names
    }

    @Test func damageInAHeadEndsTheLineage() async throws {
        let names = try await writeAndDamageAHead()
        let opened = try fixture.open(fresh: 88)
        #expect(opened.loss?.contains("heads") == true && opened.lineage == 88)
        // All that come before the damage.
        #expect(opened.heads.count > 100 && opened.heads.count <= names.count / 2)
        #expect(opened.heads.values.allSatisfy { $0.kind == .hearsay })
        opened.store.close()
        let again = try fixture.open(fresh: 99)
        #expect(again.loss == nil && again.lineage == 88 && again.heads == opened.heads, "it is lost once")
        again.store.close()
    }

    /// What lies in a slot of which nothing is known any more must not come back with the copy that is fetched for it.
    @Test func contentsWithoutAHeadGoWithTheLineage() async throws {
        let names = try await writeAndDamageAHead()
        let opened = try fixture.open(fresh: 88)
        let (kept, gone) = (names[0], names[names.count / 2])
        let (keptHead, goneHead) = (StoreFixture.head(1_000), StoreFixture.head(UInt64(names.count / 2 + 1_000)))
        #expect(try opened.heads[StoreFixture.key(kept).slot] != nil && opened.heads[StoreFixture.key(gone).slot] == nil)
        #expect(try await opened.store.load(kept, head: keptHead).count == 2)
        let key = try StoreFixture.key(gone)
        let items: [SnapshotItem] = [
            .mailbox(MailboxHead(key: key, incarnation: 9, appended: 1, resumableFrom: 0, lostAgo: .max)),
            .message(StoredMessage(sequence: 1, envelope: [0x7B, 0x7D])),
        ]
        let copy = SnapshotChunk(isFirst: true, isLast: true, base: 3, position: 1, items: items)
        let write = SlotWrite(slot: key.slot, head: StoreFixture.head(1), changes: [.copy([copy])])
        #expect(await opened.store.write(StoreTick(now: 1_000, slots: [write])) == nil)
        #expect(try await opened.store.load(gone, head: goneHead) == items)
        opened.store.close()
    }

    /// Without a clock nothing says how old anything is, nor until when a receipt is remembered.
    @Test func aStoreWithoutItsClockKeepsNoHearsay() async throws {
        for damages in [true, false] {
            let fixture = try StoreFixture()
            let first = try fixture.open(fresh: 77, now: 5_000)
            #expect(await first.store.write(try StoreFixture.tick("alice", 1, now: 5_000, until: 45_000)) == nil)
            first.store.close()
            try fixture.withDatabase { database in
                try database.write(isSynced: true) { batch in
                    batch.remove(from: StoreKey.clock, upTo: StoreKey.clock + [0], in: StoreTable.heads)
                    if damages { batch.put(StoreKey.clock, [0x80], in: StoreTable.heads) }
                }
            }
            let opened = try fixture.open(fresh: 88)
            #expect(opened.loss?.contains("clock") == true && opened.lineage == 88 && opened.heads.isEmpty)
            #expect(try await opened.store.load("alice", head: StoreFixture.head(1)).isEmpty)
            opened.store.close()
            // It has one again, before anything else was written.
            try fixture.withDatabase { database in
                let clock = try database.get(StoreKey.clock, in: StoreTable.heads.rocks)
                #expect(clock == [0])
            }
        }
    }

    // MARK: The log

    private func openProof(fresh: UInt64 = 88) throws -> OpenedStore { try fixture.open(cluster: "proof", fresh: fresh) }

    private func log() throws -> String { try #require(try fixture.databaseFiles(".log").last) }

    @Test func damageBeforeTheEndOfTheLogIsRefused() async throws {
        try await fixture.writeAndDie()
        let log = try log()
        try StoreFixture.flip(log, at: StoreFixture.size(log) / 2)
        let refusal = fixture.refusal { try openProof() }
        #expect(refusal?.kind == .damaged && refusal?.sentence.contains("Move it away") == true)
        #expect(try StoreFixture.size(log) > 0, "nothing was deleted")
    }

    @Test func onlyAnUnfinishedEndIsCut() async throws {
        try await fixture.writeAndDie()
        let log = try log()
        // As if the process had died while it wrote its last batch: that was not acknowledged.
        let acknowledged = try #require(try fixture.mark())
        _ = try AcknowledgedMark(fixture.path + "/acknowledged", acknowledged / 2, in: fixture.path)
        #expect(truncate(log, try StoreFixture.size(log) - 3) == 0)
        let opened = try openProof()
        #expect(opened.loss == nil && opened.lineage != 88)
        opened.store.close()
    }

    /// RocksDB takes a log that was cut for one that was not finished.
    @Test func anAcknowledgedEndThatIsMissingEndsTheLineage() async throws {
        try await fixture.writeAndDie()
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
        try await fixture.writeAndDie()
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

    @Test func aMarkOfAnotherLengthIsDamagedOnce() throws {
        try fixture.open().store.close()
        let mark = URL(fileURLWithPath: fixture.path + "/acknowledged")
        try (try Data(contentsOf: mark) + [0]).write(to: mark)
        let opened = try fixture.open(fresh: 88)
        #expect(opened.loss?.contains("acknowledged") == true)
        opened.store.close()
        let again = try fixture.open(fresh: 99)
        #expect(again.loss == nil && again.lineage == 88)
        again.store.close()
    }

    // MARK: What can't be looked at

    /// A process without a free descriptor, a file system that is away for a moment: that proves no loss.
    @Test func aMarkThatCanNotBeReadIsNotOneThatIsLost() throws {
        try fixture.open(fresh: 77).store.close()
        let (mark, away) = (fixture.path + "/acknowledged", fixture.folder.file("away"))
        try FileManager.default.moveItem(atPath: mark, toPath: away)
        try FileManager.default.createDirectory(atPath: mark, withIntermediateDirectories: false)
        let before = try Data(contentsOf: URL(fileURLWithPath: fixture.path + "/identity"))
        let refusal = fixture.refusal { try fixture.open(fresh: 88) }
        #expect(refusal?.kind == .io && refusal?.sentence.contains("acknowledged") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.path + "/identity")) == before)
        try FileManager.default.removeItem(atPath: mark)
        try FileManager.default.moveItem(atPath: away, toPath: mark)
        let opened = try fixture.open(fresh: 88)
        #expect(opened.loss == nil && opened.lineage == 77)
        opened.store.close()
    }

    @Test func headsThatCanNotBeReadAreNotOnesThatAreLost() async throws {
        try await writeAndClose()
        let directory = try StoreDirectory(
            fixture.path, for: StoreOwner(cluster: "c", node: "n1"), durability: .fsync, lineage: 88)
        try fixture.withDatabase { database in
            let broken = try fixture.breakOpenFiles(".sst")
            defer { broken.mend() }
            do {
                let found = try StoreOpening.findLoss(in: database, directory)
                Issue.record("\(found)")
            } catch { #expect((error as? StoreRefusal)?.kind == .io, "\(error)") }
        }
    }

    @Test func aWrittenStoreHasLostItsEndWhenTheMachineHasGoneDown() async throws {
        for durability in StoreDurability.allCases {
            let fixture = try StoreFixture()
            try await fixture.writeAndDie(durability)
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
