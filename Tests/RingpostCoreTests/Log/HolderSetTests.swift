// The acknowledging set by itself: who counts, up to where, and who may go.
import Testing

@testable import RingpostCore

@Suite struct HolderSetTests {
    /// Two members with copies that were found, 1 the same as the owner's.
    private func found() -> HolderSet {
        HolderSet([Holder(peer: 1, isInSet: true, isSame: true), Holder(peer: 2, isInSet: true, isSame: false)])
    }

    @Test func theWholeSetHasToConfirm() {
        var holders = found()
        #expect(holders.acknowledge(5, by: 1, end: 9) == nil, "nothing was sent to it")
        for number in 0...1 { holders.markSent(number) }
        #expect(holders.acknowledge(5, by: 1, end: 9) == true)
        #expect(holders.confirmed(end: 9, copiesMin: 2) == nil)
        #expect(holders.acknowledge(7, by: 2, end: 9) == true && holders.acknowledge(8, by: 2, end: 9) == false)
        #expect(holders.confirmed(end: 9, copiesMin: 2).map { [Int($0.upTo), $0.copies] } == [5, 3])
        #expect(holders.confirmed(end: 9, copiesMin: 4) == nil, "too few copies")
        #expect(holders.acknowledge(.max, by: 1, end: 9) == false && holders.confirmed(end: 9, copiesMin: 1)?.upTo == 8)
    }

    @Test func aMirrorCountsFromTheMomentThatItsCopyIsSent() {
        var holders = HolderSet()
        #expect(holders.isHeld(atMostBy: SlotMirrors()) && holders.confirmed(end: 3, copiesMin: 1)?.upTo == 3)
        holders.update(mirrors: SlotMirrors(4), lineages: Array(repeating: 0, count: 5), isMember: Array(repeating: true, count: 5))
        holders.update(mirrors: SlotMirrors(4), lineages: Array(repeating: 0, count: 5), isMember: Array(repeating: true, count: 5))
        #expect(holders.all.map(\.peer) == [4] && holders.isHeld(atMostBy: SlotMirrors(4)) && !holders.isHeld(atMostBy: SlotMirrors(5)))
        #expect(holders.confirmed(end: 3, copiesMin: 1)?.upTo == 3)
        holders.markSent(0)
        #expect(holders.confirmed(end: 3, copiesMin: 1) == nil)
        #expect(holders.markMismatched(0) && !holders.markMismatched(0))
        #expect(holders.acknowledge(3, by: 4, end: 3) == nil, "it has to be sent again")
        holders.update(mirrors: SlotMirrors(), lineages: [], isMember: [true, true, true, true, false])
        #expect(holders.isEmpty)
    }

    @Test func othersAreReleasedWhenTheMirrorIsConfirmed() {
        var holders = found()
        for number in 0...1 { holders.markSent(number) }
        #expect(holders.release(allBut: SlotMirrors(1), isEarly: false).isEmpty)
        #expect(holders.acknowledge(0, by: 1, end: 0) == true)
        #expect(holders.release(allBut: SlotMirrors(1), isEarly: false) == [2])
        #expect(holders.release(allBut: SlotMirrors(1), isEarly: false).isEmpty, "each is told once")
        #expect(holders.confirmed(end: 0, copiesMin: 1) == nil, "it stays in the set until its copy is gone")
        #expect(!holders.removeReleased(0) && holders.removeReleased(1))
        #expect(holders.confirmed(end: 0, copiesMin: 1)?.copies == 2)
    }
}
