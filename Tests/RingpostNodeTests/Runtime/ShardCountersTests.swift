import Testing

@testable import RingpostNode

@Suite struct ShardCountersTests {
    /// A peer may send any time back.
    @Test func absurdTimesAddUpWithoutATrap() {
        var counters = ShardCounters()
        for _ in 0..<2 { counters.roundTrip.record(microseconds: .max) }
        var sum = ShardCounters()
        for _ in 0..<2 { sum += counters }
        #expect(sum.roundTrip.counts.last == 4)
    }
}
