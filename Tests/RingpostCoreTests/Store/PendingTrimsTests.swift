// Which messages may go, and when.
import Testing

@testable import RingpostCore

@Suite struct PendingTrimsTests {
    private let first: [UInt8] = [1]
    private let second: [UInt8] = [2]

    private func due(_ trims: inout PendingTrims, _ now: Int64) -> [[UInt8]] { trims.takeDue(now: now).map(\.mailbox) }

    @Test func whatIsDueIsTakenOnce() {
        var trims = PendingTrims(milliseconds: 100)
        trims.add(first, slot: 1, through: 5, now: 0)
        trims.add(first, slot: 1, through: 9, now: 10)
        #expect(due(&trims, 99).isEmpty && trims.count == 1)
        #expect(trims.takeDue(now: 100).map(\.through) == [5])
        #expect(trims.takeDue(now: 109).isEmpty)
        #expect(trims.takeDue(now: 110).map(\.through) == [9])
        #expect(due(&trims, 1_000).isEmpty && trims.count == 0)
    }

    /// A name that is forgotten and comes back has a place that means nothing any more before its own.
    @Test func aPlaceThatIsStaleHoldsUpNobody() {
        for forgetsSlot in [true, false] {
            var trims = PendingTrims(milliseconds: 100)
            trims.add(first, slot: 1, through: 5, now: 0)
            if forgetsSlot { trims.removeAll(ofSlot: 1) } else { trims.remove(first, slot: 1) }
            trims.add(second, slot: 2, through: 6, now: 10)
            trims.add(first, slot: 1, through: 7, now: 90)
            #expect(due(&trims, 110) == [second])
            #expect(due(&trims, 189).isEmpty)
            #expect(due(&trims, 190) == [first] && trims.count == 0)
        }
    }
}
