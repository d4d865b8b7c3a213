// When a disk is slow, and when it is over.
import Testing

@testable import RingpostCore

@Suite struct DiskPaceTests {
    @Test func aTickThatWaitsForMoreThanASecondMakesADiskSlowOnce() {
        var pace = DiskPace()
        #expect(pace.onTick(waited: 0, now: 0) == nil)
        #expect(pace.onTick(waited: DiskPace.slowMilliseconds, now: 1_000) == nil)
        #expect(pace.onTick(waited: DiskPace.slowMilliseconds + 1, now: 1_001) == .isSlow)
        #expect(pace.onTick(waited: 5_000, now: 5_000) == nil, "it is said once")
    }

    @Test func itIsOverWhenNoTickHasWaitedForLong() {
        var pace = DiskPace()
        #expect(pace.onTick(waited: 2_000, now: 2_000) == .isSlow)
        #expect(pace.onTick(waited: 0, now: 2_050) == nil)
        // It stalls again.
        #expect(pace.onTick(waited: 1_500, now: 8_000) == nil)
        #expect(pace.onTick(waited: 10, now: 8_000 + DiskPace.calmMilliseconds - 1) == nil)
        #expect(pace.onTick(waited: 10, now: 8_000 + DiskPace.calmMilliseconds) == .isWell)
        #expect(pace.onTick(waited: 10, now: 30_000) == nil)
        #expect(pace.onTick(waited: 1_001, now: 31_000) == .isSlow)
    }
}
