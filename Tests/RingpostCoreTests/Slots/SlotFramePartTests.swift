// A frame about many slots on its way to the event loops that have them.
import Testing

@testable import RingpostCore

@Suite struct SlotFramePartTests {
    private static let empty = SnapshotChunk(isFirst: true, isLast: true, base: 0, position: 0, items: [])

    private func parts(_ frame: SlotFrame, loops: Int) -> [SlotFrame] {
        let parts = frame.parts { $0 % loops }
        #expect(parts.map(\.loop) == parts.map(\.loop).sorted())
        return parts.map(\.frame)
    }

    @Test func eachLoopGetsItsSlots() {
        #expect(
            parts(.inquire(term: 2, slots: [1, 2, 3]), loops: 2) == [
                .inquire(term: 2, slots: [2]), .inquire(term: 2, slots: [1, 3]),
            ])
        let terms = [SlotTerm(slot: 5, term: 1), SlotTerm(slot: 4, term: 2), SlotTerm(slot: 7, term: 3)]
        #expect(parts(.released(terms), loops: 2) == [])
        let releases = terms.map { SlotRelease(slot: $0.slot, evidence: SlotEvidence(term: $0.term, position: 0, set: LineageSet())) }
        #expect(parts(.release(releases), loops: 2) == [.release([releases[1]]), .release([releases[0], releases[2]])])
        let adoptions = (0..<2).map { SlotAdoption(slot: $0, term: 1, base: 0, position: 9) }
        #expect(parts(.adopt(adoptions), loops: 2) == adoptions.map { .adopt([$0]) })
        let fills = (0..<2).map { SnapshotTransfer(slot: $0, term: 1, chunk: Self.empty) }
        #expect(parts(.snapshots(fills), loops: 2) == fills.map { .snapshots([$0]) })
    }

    @Test func oneLoopGetsTheFrameAsItIs() {
        let frame = SlotFrame.inquire(term: 2, slots: [9, 1, 5])
        #expect(parts(frame, loops: 4) == [frame])
        #expect(parts(.release([]), loops: 4).isEmpty)
    }

    @Test func aBatchHoldsOneKindAndNoMoreThanOneFrameMay() {
        var limits = SlotLimits()
        limits.slotsPerFrameMax = 2
        limits.chunkBytesMax = 1
        var batch = SlotBatch()
        #expect(batch.removeAll() == nil)
        let release = SlotRelease(slot: 1, evidence: SlotEvidence(term: 4, position: 5, set: LineageSet(number: 1, lineages: [6])))
        let adoption = SlotAdoption(slot: 1, term: 5, base: 0, position: 0)
        let fill = SnapshotTransfer(slot: 1, term: 6, chunk: Self.empty)
        batch.append(.release(release))
        #expect(batch.hasRoom(for: .release(release), limits: limits))
        #expect(
            !batch.hasRoom(for: .adopt(adoption), limits: limits) && !batch.hasRoom(for: .snapshot(fill), limits: limits),
            "its order would be lost")
        let second = SlotRelease(slot: 2, evidence: release.evidence)
        batch.append(.release(second))
        #expect(!batch.hasRoom(for: .release(release), limits: limits), "two are the most")
        #expect(batch.removeAll() == .release([release, second]) && batch.isEmpty)
        #expect(batch.hasRoom(for: .snapshot(fill), limits: limits), "one chunk always fits")
        batch.append(.snapshot(fill))
        #expect(!batch.hasRoom(for: .snapshot(fill), limits: limits), "but not two that are too many bytes")
        #expect(batch.removeAll() == .snapshots([fill]))
        batch.append(.adopt(adoption))
        #expect(batch.removeAll() == .adopt([adoption]) && batch.removeAll() == nil)
    }
}
