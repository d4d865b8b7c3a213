// Parts of histories that are read from a disk, whole and damaged.
import Foundation
import RingpostCore
import Testing

@testable import RingpostStore

@Suite struct StoreHistoryTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    private func read(_ store: SlotStore, after: UInt64, through: UInt64 = 100, isBackwards: Bool = false) async throws -> HistoryPart {
        let request = HistoryLoad(
            key: try StoreFixture.key("alice"), incarnation: 7, after: after, through: through, isBackwards: isBackwards, messagesMax: 30,
            bytesMax: .max, now: 1_000)
        return try await withCheckedThrowingContinuation { continuation in
            if !store.read(request, then: { continuation.resume(with: $0) }) { continuation.resume(throwing: StoreFailure("no room")) }
        }
    }

    private func write(_ store: SlotStore, _ count: UInt64) async throws {
        for sequence in 1...count { #expect(await store.write(try StoreFixture.tick("alice", sequence)) == nil) }
    }

    @Test func aPartIsReadForwardsAndBack() async throws {
        let opened = try fixture.open()
        try await write(opened.store, 100)
        #expect(try await read(opened.store, after: 0).messages.map(\.sequence) == Array(1...30))
        #expect(try await read(opened.store, after: 90).messages.map(\.sequence) == Array(91...100))
        #expect(try await read(opened.store, after: 10, through: 15).messages.map(\.sequence) == Array(11...15))
        #expect(try await read(opened.store, after: 10, through: 95, isBackwards: true).messages.map(\.sequence) == Array(66...95))
        let message = try await read(opened.store, after: 41).messages[0]
        #expect(message.sequence == 42 && message.envelope.count == 600)
        #expect(opened.store.close() == nil)
        #expect(
            !opened.store.read(
                HistoryLoad(key: try StoreFixture.key("alice"), incarnation: 7, after: 0, messagesMax: 1, bytesMax: 1, now: 0)
            ) { _ in })
    }

    @Test func whatIsDamagedIsMissingAndCounted() async throws {
        let opened = try fixture.open(fresh: 77)
        try await write(opened.store, 100)
        #expect(opened.store.close() == nil)
        let file = try #require(try fixture.databaseFiles(".blob").first)
        try StoreFixture.flip(file, at: StoreFixture.size(file) / 2)
        let again = try fixture.open()
        var (seen, place, damaged): ([UInt64], UInt64, Int) = ([], 0, 0)
        while place < 100 {
            let part = try await read(again.store, after: place)
            if part.isDamaged { damaged += 1 }
            guard let last = part.messages.last else { break }
            seen += part.messages.map(\.sequence)
            place = last.sequence
        }
        #expect(seen.count == 99 && seen.last == 100 && Set(seen).count == 99)
        #expect(damaged >= 1 && again.store.counts.damagedReads == damaged)
        again.store.close()
    }

    @Test func theSizeOfItsFilesIsKnown() async throws {
        let opened = try fixture.open()
        try await write(opened.store, 100)
        #expect(opened.store.close() == nil)
        let again = try fixture.open()
        // It is looked at before the first write.
        #expect(await again.store.write(try StoreFixture.tick("bob", 1)) == nil)
        let bytes = try (fixture.databaseFiles(".blob") + fixture.databaseFiles(".sst")).reduce(0) { $0 + (try StoreFixture.size($1)) }
        #expect(again.store.counts.fileBytes == bytes && bytes > 100 * 600)
        again.store.close()
    }
}
