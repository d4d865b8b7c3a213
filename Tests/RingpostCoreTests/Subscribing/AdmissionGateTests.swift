// How a crowd of clients is let in: who waits, how long, and that those who come when they were asked to find room.
import Testing

@testable import RingpostCore

@Suite struct AdmissionGateTests {
    private static func wait(_ decision: AdmissionGate.Decision) -> Int {
        if case .comeBack(let milliseconds) = decision { milliseconds } else { -1 }
    }

    @Test func takesABurstAndThenARate() {
        var gate = AdmissionGate(ratePerSecond: 10, burst: 3)
        for _ in 1...3 { #expect(gate.onConnection(now: 1_000) == .admit) }
        #expect(gate.onConnection(now: 1_000) == .comeBack(afterMilliseconds: 250), "no less than the shortest wait")
        #expect(gate.onConnection(now: 1_099) != .admit)
        #expect(gate.onConnection(now: 1_100) == .admit)
        #expect(gate.onConnection(now: 1_100) != .admit)
        #expect(gate.onConnection(now: 1_200) == .admit)
        // An hour later the burst is back, and no more than that.
        for _ in 1...3 { #expect(gate.onConnection(now: 3_600_000) == .admit) }
        #expect(gate.onConnection(now: 3_600_000) != .admit)
    }

    @Test func appointmentsAreSpreadOverTheQueueInFront() {
        var gate = AdmissionGate(ratePerSecond: 10, burst: 1)
        #expect(gate.onConnection(now: 0) == .admit)
        #expect((1...7).map { _ in Self.wait(gate.onConnection(now: 0)) } == [250, 250, 300, 400, 500, 600, 700])
        // Time passes, and the queue with it.
        #expect(Self.wait(gate.onConnection(now: 50)) == 750)
    }

    @Test func whoComesAtTheTimeGivenFindsRoom() {
        var gate = AdmissionGate(ratePerSecond: 500, burst: 1_000)
        let due = (0..<6_000).map { _ in Self.wait(gate.onConnection(now: 0)) }.filter { $0 > 0 }.sorted()
        #expect(due.count == 5_000)
        #expect(due.last == 10_000)
        // Nowhere more than the rate allows, beyond those whom the shortest wait puts together.
        for (first, last) in zip(due.dropFirst(500), due.dropFirst(1_000)) { #expect(last - first >= 990) }
        #expect(due.allSatisfy { gate.onConnection(now: Int64($0)) == .admit })
    }

    @Test func newcomersPutOffNoMoreThanTheirNumber() {
        var gate = AdmissionGate(ratePerSecond: 500, burst: 1_000)
        var due: [Int64] = []
        // A crowd that takes a tenth of a second: 50 of its end slip in before those who have an appointment.
        for client in 0..<6_000 {
            let now = Int64(client / 60)
            if case .comeBack(let milliseconds) = gate.onConnection(now: now) { due.append(now + Int64(milliseconds)) }
        }
        #expect((4_950...5_000).contains(due.count))
        let again = due.sorted().count { gate.onConnection(now: $0) != .admit }
        #expect(again <= 50, "\(again)")
    }

    @Test func whoComesALittleLateFindsRoomToo() {
        var gate = AdmissionGate(ratePerSecond: 100, burst: 200)
        var due: [Int64] = []
        for _ in 0..<1_000 {
            if case .comeBack(let milliseconds) = gate.onConnection(now: 0) { due.append(Int64(milliseconds)) }
        }
        // Up to a second late, in no order.
        let late = due.enumerated().map { $1 + Int64(EvenSpread.index(UInt64($0), of: 1_000)) }.sorted()
        #expect(late.allSatisfy { gate.onConnection(now: $0) == .admit })
    }

    @Test func nobodyIsSentAwayForLongerThanClientsObey() {
        var gate = AdmissionGate(ratePerSecond: 1, burst: 1)
        #expect(gate.onConnection(now: 0) == .admit)
        let waits = (0..<10_000).map { _ in Self.wait(gate.onConnection(now: 0)) }
        #expect(Array(waits.prefix(60)) == (1...60).map { $0 * 1_000 })
        let overflow = waits.dropFirst(60)
        #expect(overflow.allSatisfy { (30_000..<60_000).contains($0) })
        // Evenly: each second of the thirty gets its share.
        for second in 30..<60 {
            let count = overflow.count { $0 / 1_000 == second }
            #expect((326...336).contains(count), "second \(second): \(count)")
        }
        // The queue is bounded: once the longest wait is over, there is room again.
        #expect(gate.onConnection(now: 61_000) == .admit)
        #expect(Self.wait(gate.onConnection(now: 61_000)) == 1_000)
    }

    @Test func loopsShareTheRate() {
        var share = AdmissionGate(ratePerSecond: 10, burst: 5, share: 2)
        #expect((1...3).map { _ in share.onConnection(now: 0) == .admit } == [true, true, false])
        #expect(share.onConnection(now: 100) == .admit, "half a token was left")
        #expect(share.onConnection(now: 299) != .admit)
        #expect(share.onConnection(now: 300) == .admit)
        var small = AdmissionGate(ratePerSecond: 1, burst: 1, share: 8)
        #expect(small.onConnection(now: 0) == .admit, "a bucket of less than one token would never let anybody in")
        #expect(Self.wait(small.onConnection(now: 0)) == 8_000)
    }

    @Test func aClockThatStandsOrStepsBackOpensNothing() {
        var gate = AdmissionGate(ratePerSecond: 10, burst: 1)
        #expect(gate.onConnection(now: 1_000) == .admit)
        #expect(gate.onConnection(now: 500) != .admit)
        #expect(gate.onConnection(now: 1_000) != .admit)
        #expect(gate.onConnection(now: 1_100) == .admit)
    }
}

@Suite struct EvenSpreadTests {
    @Test(arguments: [1, 7, 100, 2_000]) func fillsTheRangeEvenly(_ range: Int) {
        #expect((0..<1_000).allSatisfy { (0..<range).contains(EvenSpread.index($0, of: range)) })
        // However many there are, no tenth of the range has much more than its tenth.
        for count in [20, 100, 1_000] where range >= 100 {
            let tenths = Dictionary(grouping: (1...UInt64(count)).map { EvenSpread.index($0, of: range) * 10 / range }, by: { $0 })
            #expect(tenths.values.allSatisfy { $0.count <= count / 10 + 2 }, "\(count)")
        }
    }

    @Test func anEmptyRangeHasOnePlace() { #expect(EvenSpread.index(5, of: 0) == 0) }
}
