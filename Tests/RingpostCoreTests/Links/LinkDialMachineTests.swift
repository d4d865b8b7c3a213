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

    /// Looks as often as a shard does, until something else than a ping is to be done, or the time is over.
    private func look(_ machine: inout LinkDialMachine, _ times: ClosedRange<Int64>, isHeldUp: Bool = false) -> [Int64: LinkDialMachine
        .Action]
    {
        var actions: [Int64: LinkDialMachine.Action] = [:]
        for now in stride(from: times.lowerBound, through: times.upperBound, by: 50) {
            let action = machine.onTick(now: now, isHeldUp: isHeldUp, jitter: 0)
            if action != .nothing { actions[now] = action }
            if case .close = action { break }
        }
        return actions
    }

    @Test func itDialsAndFeelsThePulse() {
        var machine = up(at: 0)
        #expect(machine.isUp)
        #expect(look(&machine, 50...1_000) == [1_000: .ping])
        machine.onHeard(now: 1_002)
        machine.onPong()
        #expect(look(&machine, 1_050...2_000) == [2_000: .ping])
        #expect(look(&machine, 2_050...4_000) == [3_000: .ping, 3_500: .close(.silent, wasUp: true)], "1.5 s after the question")
        #expect(!machine.isUp)
    }

    /// What is sent asks for a sign of life, unless there is one anyway.
    @Test func whoeverWaitsForSomethingLooksSooner() {
        var machine = up(at: 0)
        #expect(look(&machine, 50...300).isEmpty)
        machine.onSent()
        #expect(look(&machine, 350...1_900) == [350: .ping, 1_350: .ping, 1_850: .close(.silent, wasUp: true)])

        machine = up(at: 0)
        for now in stride(from: Int64(50), through: 900, by: 50) {
            machine.onSent()
            #expect(machine.onTick(now: now, jitter: 0) == .nothing, "it answers all the time")
            machine.onHeard(now: now)
        }
    }

    /// On a slow network an answer comes behind much: then it is waited for until H.
    @Test func whoTakesBytesSlowlyHasLonger() {
        var machine = up(at: 0)
        machine.onSent()
        #expect(
            look(&machine, 50...5_000, isHeldUp: true) == [
                250: .ping, 1_250: .ping, 2_250: .ping, 3_000: .close(.silent, wasUp: true),
            ])
    }

    /// Bytes come, but no answer to what is asked: nothing arrives there.
    @Test func whoHearsNothingIsCutThoughItSpeaks() {
        var machine = up(at: 0)
        var end: Int64?
        for now in stride(from: Int64(50), through: 10_000, by: 50) where end == nil {
            machine.onHeard(now: now)
            if case .close = machine.onTick(now: now, jitter: 0) { end = now }
        }
        #expect(end == 7_000, "twice H after the first question")
    }

    /// This process was held, and has not read what came meanwhile.
    @Test func timeInWhichNobodyHasLookedIsNotTheMembers() {
        var machine = up(at: 0)
        machine.onSent()
        #expect(look(&machine, 50...400) == [250: .ping])
        #expect(machine.onTick(now: 30_000, jitter: 0) == .ping)
        #expect(look(&machine, 30_050...32_000) == [31_000: .ping, 31_350: .close(.silent, wasUp: true)], "1.5 s while it looked")
    }

    @Test func anAttemptTakesTwoSecondsAtMost() {
        var machine = LinkDialMachine(heartbeatTimeoutMilliseconds: 3_000)
        #expect(machine.onTick(now: 10, jitter: 0) == .dial(attempt: 1))
        #expect(machine.onTick(now: 2_009, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 2_010, jitter: 0) == .close(.late, wasUp: false))
        #expect(machine.onWelcome(now: 2_011) == false, "too late")
        #expect(!machine.isCurrent(1))
        #expect(machine.onTick(now: 2_059, jitter: 0) == .nothing)
        #expect(machine.onTick(now: 2_060, jitter: 0) == .dial(attempt: 2))
        #expect(machine.isCurrent(2))
        #expect(!machine.isCurrent(1))
    }

    @Test func eachFailureDoublesThePauseUpToASecond() {
        var machine = LinkDialMachine(heartbeatTimeoutMilliseconds: 3_000)
        var now: Int64 = 0
        for pause: Int64 in [149, 249, 449, 849, 1_049, 1_049] {
            guard case .dial = machine.onTick(now: now, jitter: 0) else {
                Issue.record("it does not dial at \(now)")
                return
            }
            // The largest remainder of 100, 200, … 1,000.
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
