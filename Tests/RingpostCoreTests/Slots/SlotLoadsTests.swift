// Whose content is read next, and what waits for it.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct SlotLoadsTests {
    private let key = Key(.user, trusted: [1], hash: KeyHash(rawValue: 1))

    private func message(_ bytes: Int) -> SlotEntry {
        .message(key, incarnation: 1, StoredMessage(sequence: 1, envelope: Array(repeating: 0, count: bytes)), nil)
    }

    private func take(_ loads: inout SlotLoads, _ count: Int) -> [Int?] { (0..<count).map { _ in loads.next() } }
    private func holds(_ loads: inout SlotLoads, _ entry: SlotEntry, boot: UInt64 = 7) -> Bool { loads.hold(entry, boot: boot, of: 1) }

    @Test func whoIsWaitedForGoesFirstAndEachIsAskedOnce() {
        var loads = SlotLoads()
        for slot in 1...3 { loads.want(slot, isUrgent: false) }
        loads.want(3, isUrgent: true)
        #expect(take(&loads, 4) == [3, 1, 2, nil])
        loads.want(1, isUrgent: true)
        #expect(take(&loads, 1) == [nil], "it is being read")
        _ = loads.end(1)
        loads.want(1, isUrgent: false)
        #expect(take(&loads, 1) == [1])
    }

    @Test func soManyAtATime() {
        var loads = SlotLoads()
        for slot in 0...SlotLoads.underWayMax { loads.want(slot, isUrgent: false) }
        #expect(take(&loads, SlotLoads.underWayMax + 1).compactMap { $0 } == Array(0..<SlotLoads.underWayMax))
        _ = loads.end(5)
        #expect(take(&loads, 2) == [SlotLoads.underWayMax, nil])
    }

    @Test func stepsWaitInOrderAndAreBounded() {
        var loads = SlotLoads()
        #expect(!holds(&loads, .nothing), "nobody reads it")
        loads.want(1, isUrgent: true)
        #expect(holds(&loads, message(10)) && holds(&loads, .nothing, boot: 8) && loads.stepCount(1) == 2)
        loads.hold(fetch: (term: 1, connectionID: 2), of: 1)
        loads.hold(fetch: (term: 3, connectionID: 4), of: 1)
        let waiting = loads.end(1)
        #expect(waiting?.steps.map(\.boot) == [7, 8] && waiting?.fetch?.term == 3)
        loads.want(1, isUrgent: true)
        #expect(holds(&loads, message(10)))
        #expect(!holds(&loads, message(SlotLoads.bytesMax)) && loads.stepCount(1) == 0)
    }
}
