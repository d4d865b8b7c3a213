// Who pages through histories is counted, and nobody else notices.
import Testing

@testable import RingpostCore

@Suite struct HistoryGateTests {
    private static let alice = ByteOwner.key("alice")
    private static let bob = ByteOwner.key("bob")

    @Test func soManyPagesOfOneAskerAtATime() {
        var gate = HistoryGate(kilobytesPerSecond: 1_000_000)
        for _ in 0..<HistoryGate.pagesPerOwnerMax { #expect(gate.open(Self.alice, now: 0) == nil) }
        #expect(gate.open(Self.alice, now: 0) == .tooFast)
        #expect(gate.open(Self.bob, now: 0) == nil)
        gate.close(Self.alice, bytes: 0, now: 0)
        #expect(gate.open(Self.alice, now: 0) == nil)
        #expect(gate.pages == HistoryGate.pagesPerOwnerMax + 1)
    }

    @Test func soManyOfAll() {
        var gate = HistoryGate(kilobytesPerSecond: 1_000_000)
        for number in 0..<HistoryGate.pagesMax { #expect(gate.open(.key("\(number)"), now: 0) == nil) }
        #expect(gate.open(Self.alice, now: 0) == .overloaded)
        gate.close(.key("0"), bytes: 0, now: 0)
        #expect(gate.open(Self.alice, now: 0) == nil)
    }

    @Test func soManyBytesOfOneAskerInASecond() {
        var gate = HistoryGate(kilobytesPerSecond: 100)
        #expect(gate.open(Self.alice, now: 0) == nil)
        // Four seconds' worth at once, and then some: the page was read already.
        gate.close(Self.alice, bytes: 500 * 1_024, now: 0)
        #expect(gate.open(Self.alice, now: 900) == .tooFast)
        #expect(gate.open(Self.bob, now: 900) == nil)
        #expect(gate.open(Self.alice, now: 1_000) == nil)
    }

    @Test func anEmptyPageCostsSomethingToo() {
        var gate = HistoryGate(kilobytesPerSecond: 100)
        let pages = 100 * HistoryGate.burstSeconds / HistoryGate.pageKilobytesMin
        var taken = 0
        while gate.open(Self.alice, now: 0) == nil {
            gate.close(Self.alice, bytes: 10, now: 0)
            taken += 1
            if taken > 2 * pages { break }
        }
        #expect((pages...pages + 1).contains(taken))
    }

    @Test func whoHasBeenQuietIsForgotten() {
        var gate = HistoryGate(kilobytesPerSecond: 100)
        for number in 0..<HistoryGate.ownersMax {
            #expect(gate.open(.key("\(number)"), now: 0) == nil)
            gate.close(.key("\(number)"), bytes: 0, now: 0)
        }
        #expect(gate.ownerCount == HistoryGate.ownersMax)
        #expect(gate.open(Self.alice, now: 10) == .overloaded, "all have been here just now")
        #expect(gate.open(Self.alice, now: 2_000) == nil)
        #expect(gate.ownerCount == 1)
    }
}
