// When the keys that others publish are fetched: not for each token that a stranger makes up.

import Testing

@testable import RingpostCore

@Suite struct KeyRefreshMachineTests {
    /// Fetched at 0, for five minutes.
    private static func fetched(maxAgeSeconds: Int64? = nil) -> KeyRefreshMachine {
        var machine = KeyRefreshMachine()
        #expect(machine.onTick(now: 0) == true)
        #expect(machine.onTick(now: 1) == false)
        machine.onFetched(maxAgeSeconds: maxAgeSeconds, now: 2)
        return machine
    }

    @Test func keysAreFetchedAtOnceAndThenNowAndAgain() {
        var machine = Self.fetched()
        #expect(machine.onTick(now: 300_001) == false)
        #expect(machine.onTick(now: 300_002) == true)
        #expect(machine.onTick(now: 900_000) == false, "one at a time, however long it takes")
        machine.onFetched(maxAgeSeconds: nil, now: 900_001)
        #expect(machine.onTick(now: 1_200_000) == false)
        #expect(machine.onTick(now: 1_200_001) == true)
    }

    @Test func manyWaitForOneFetch() {
        var machine = Self.fetched()
        #expect(machine.onUnknownKey(now: 20_000) == .fetch)
        for _ in 0..<1_000 { #expect(machine.onUnknownKey(now: 20_001) == .wait) }
        #expect(machine.onTick(now: 400_000) == false)
        machine.onFetched(maxAgeSeconds: nil, now: 400_001)
        #expect(machine.onUnknownKey(now: 400_002) == .fetch, "the last one began long ago")
    }

    @Test func strangersDoNotCauseManyFetches() {
        var machine = Self.fetched()
        #expect(machine.onUnknownKey(now: 9_999) == .refuse, "the keys are as new as they get")
        #expect(machine.onUnknownKey(now: 10_000) == .fetch)
        machine.onFetched(maxAgeSeconds: nil, now: 10_100)
        #expect(machine.onUnknownKey(now: 10_101) == .refuse)
        #expect(machine.onUnknownKey(now: 19_999) == .refuse)
        #expect(machine.onUnknownKey(now: 20_000) == .fetch)
    }

    @Test func whatComesBeforeTheFirstAnswerWaitsForIt() {
        var machine = KeyRefreshMachine()
        #expect(machine.onUnknownKey(now: 0) == .fetch)
        #expect(machine.onUnknownKey(now: 1) == .wait)
        #expect(machine.onTick(now: 2) == false)
    }

    @Test func failuresBackOff() {
        var machine = Self.fetched()
        var now: Int64 = 300_002
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] as [Int64] {
            #expect(machine.onTick(now: now) == true)
            machine.onFailed(now: now)
            #expect(machine.onTick(now: now + pause - 1) == false, "\(pause)")
            now += pause
        }
        #expect(machine.onTick(now: now) == true)
        machine.onFetched(maxAgeSeconds: nil, now: now)
        #expect(machine.onTick(now: now + 300_000) == true)
        machine.onFailed(now: now + 300_000)
        #expect(machine.onTick(now: now + 300_999) == false)
        #expect(machine.onTick(now: now + 301_000) == true, "a success begins anew")
    }

    @Test func aFailureDoesNotLetStrangersHammer() {
        var machine = Self.fetched()
        #expect(machine.onUnknownKey(now: 20_000) == .fetch)
        machine.onFailed(now: 20_100)
        #expect(machine.onUnknownKey(now: 20_200) == .refuse)
        #expect(machine.onTick(now: 21_100) == true, "it is tried again all the same")
    }

    @Test func anOrderFetchesAtOnceOrRightAfterwards() {
        var machine = Self.fetched()
        #expect(machine.onOrder(now: 5) == true, "whatever strangers may")
        #expect(machine.onOrder(now: 6) == false, "one at a time")
        machine.onFetched(maxAgeSeconds: nil, now: 7)
        #expect(machine.onTick(now: 7) == true, "what was under way may have been asked before")
        machine.onFetched(maxAgeSeconds: nil, now: 8)
        #expect(machine.onTick(now: 300_007) == false)
        #expect(machine.onOrder(now: 300_007) == true)
        #expect(machine.onOrder(now: 300_007) == false)
        machine.onFailed(now: 300_008)
        #expect(machine.onTick(now: 300_008) == true)
    }

    @Test(
        arguments: [
            (0, 30_000), (-5, 30_000), (29, 30_000), (31, 31_000), (3_600, 3_600_000), (3_601, 3_600_000), (Int64.max, 3_600_000),
            (Int64.min, 30_000),
        ] as [(Int64, Int64)])
    func theServersWordCountsWithinBounds(maxAgeSeconds: Int64, pause: Int64) {
        var machine = Self.fetched(maxAgeSeconds: maxAgeSeconds)
        #expect(machine.onTick(now: 2 + pause - 1) == false)
        #expect(machine.onTick(now: 2 + pause) == true)
    }
}
