// A link's dialling end as transcripts. H is 3 s.

import Testing

@testable import RingpostCore

@Suite struct LinkDialMachineTests {
    private func up(at now: Int64) -> LinkDialMachine {
        var machine = LinkDialMachine(heartbeatTimeoutMilliseconds: 3_000)
        #expect(machine.onTick(now: now, jitter: 0) == .dial(attempt: 1))
        #expect(machine.onWelcome(now: now) == true)
        return machine
    }

    @Test func itDialsAndFeelsThePulse() {
        var machine = up(at: 0)
        #expect(machine.isUp)
        #expect(machine.onTick(now: 999, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 1_000, jitter: 0) == .ping)
        #expect(machine.onTick(now: 1_001, jitter: 0) == .nothing)
        machine.onHeard(now: 1_002)
        #expect(machine.onTick(now: 3_000, jitter: 0) == .ping)
        machine.onPing(now: 3_500)
        #expect(machine.onTick(now: 4_001, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 4_002, jitter: 0) == .close(.silent, wasUp: true))
        #expect(!machine.isUp)
    }

    @Test func anAttemptTakesThreeSecondsAtMost() {
        var machine = LinkDialMachine(heartbeatTimeoutMilliseconds: 3_000)
        #expect(machine.onTick(now: 10, jitter: 0) == .dial(attempt: 1))
        #expect(machine.onTick(now: 3_009, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 3_010, jitter: 0) == .close(.late, wasUp: false))
        #expect(machine.onWelcome(now: 3_011) == false, "too late")
        #expect(!machine.isCurrent(1))
        #expect(machine.onTick(now: 3_059, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 3_060, jitter: 0) == .dial(attempt: 2))
        #expect(machine.isCurrent(2))
        #expect(!machine.isCurrent(1))
    }

    @Test func eachFailureDoublesThePauseUpToTwoSeconds() {
        var machine = LinkDialMachine(heartbeatTimeoutMilliseconds: 3_000)
        var now: Int64 = 0
        for pause: Int64 in [149, 249, 449, 849, 1_649, 2_049, 2_049] {
            guard case .dial = machine.onTick(now: now, jitter: 0) else {
                Issue.record("it does not dial at \(now)")
                return
            }
            // The largest remainder of 100, 200, … 2,000.
            let spread = UInt64(pause - 49)
            #expect(machine.onClosed(now: now, jitter: spread - 1) == false)
            #expect(machine.onTick(now: now + pause - 1, jitter: 0) == .nothing)
            now += pause
        }
    }

    @Test func aWelcomeForgetsTheFailures() {
        var machine = up(at: 0)
        #expect(machine.onClosed(now: 100, jitter: 99) == true)
        #expect(machine.onClosed(now: 101, jitter: 0) == false, "it is over already")
        #expect(machine.onTick(now: 248, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 249, jitter: 0) == .dial(attempt: 2))
        #expect(machine.onWelcome(now: 250) == true)
        #expect(machine.onClosed(now: 300, jitter: 99) == true)
        #expect(machine.onTick(now: 449, jitter: 0) == .dial(attempt: 3))
    }

    @Test func whoHasLeftIsNotDialled() {
        var machine = up(at: 0)
        #expect(machine.stop() == true)
        #expect(machine.isStopped)
        #expect(!machine.isCurrent(1))
        #expect(machine.onTick(now: 100_000, jitter: 0) == .nothing)
        #expect(machine.onWelcome(now: 100_001) == false)
        #expect(machine.stop() == false)
    }
}
