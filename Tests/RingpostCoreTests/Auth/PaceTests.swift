// A rate in one word: so many at once, then so many a second, also after the clock has jumped.

import Testing

@testable import RingpostCore

@Suite struct PaceTests {
    @Test func soManyAtOnceThenSoManyASecond() {
        var pace = Pace()
        for number in 0..<10 { #expect(pace.take(now: 5, ratePerSecond: 5, burst: 10) == true, "\(number)") }
        #expect(pace.take(now: 5, ratePerSecond: 5, burst: 10) == false)
        #expect(pace.take(now: 204, ratePerSecond: 5, burst: 10) == false)
        #expect(pace.take(now: 205, ratePerSecond: 5, burst: 10) == true)
        #expect(pace.take(now: 205, ratePerSecond: 5, burst: 10) == false)
        // Rest is saved up to the burst, and no further.
        for _ in 0..<10 { #expect(pace.take(now: 100_000, ratePerSecond: 5, burst: 10) == true) }
        #expect(pace.take(now: 100_000, ratePerSecond: 5, burst: 10) == false)
    }

    @Test func whatIsRefusedIsNotTaken() {
        var pace = Pace()
        #expect(pace.take(now: 0, ratePerSecond: 1, burst: 1) == true)
        for now in 1..<1_000 as Range<Int64> { #expect(pace.take(now: now, ratePerSecond: 1, burst: 1) == false) }
        #expect(pace.take(now: 1_000, ratePerSecond: 1, burst: 1) == true)
    }

    @Test func anotherClockBeginsAnew() {
        var pace = Pace()
        for _ in 0..<3 { _ = pace.take(now: 1_000_000_000, ratePerSecond: 1, burst: 1) }
        #expect(pace.take(now: 5, ratePerSecond: 1, burst: 1) == true, "of another node, whose clock began later")
        #expect(pace.take(now: 5, ratePerSecond: 1, burst: 1) == false)
    }

    @Test func whatHasBeenUsedIsPaidInTime() {
        var pace = Pace()
        #expect(pace.spend(100, now: 0, ratePerSecond: 50, burst: 100) == 0)
        #expect(pace.spend(1, now: 0, ratePerSecond: 50, burst: 100) == 20)
        #expect(pace.spend(1_000, now: 20, ratePerSecond: 50, burst: 100) == 20_000)
        #expect(pace.spend(0, now: 20_020, ratePerSecond: 50, burst: 100) == 0)
        #expect(pace.spend(1, now: 20_020, ratePerSecond: 50, burst: 100) == 20)
        #expect(pace.spend(100, now: 1_000_000, ratePerSecond: 50, burst: 100) == 0, "no more is saved than the burst")
        #expect(pace.spend(1, now: 1_000_000, ratePerSecond: 50, burst: 100) == 20)
    }
}
