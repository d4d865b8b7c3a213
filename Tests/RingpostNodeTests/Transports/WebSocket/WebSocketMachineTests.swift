// One WebSocket at its node, as transcripts: frames and commands, the token that it begins with or renews, what makes its frames wait, and
// the times after which it is pinged and ended.

import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct WebSocketMachineTests {
    private static func machine(isKnown: Bool = true) -> WebSocketMachine {
        WebSocketMachine(isKnown: isKnown, tokenMilliseconds: 5_000, now: 0)
    }

    @Test func framesOfAKnownClientAreHandled() {
        var machine = Self.machine()
        #expect(machine.state == .open)
        #expect(machine.onBytes(now: 1) == .look)
        #expect(machine.onFrame(.text) == .readCommand)
        #expect(machine.onFrame(.ping) == .pong)
        #expect(machine.onFrame(.pong) == .nothing)
        #expect(machine.onFrame(.binary) == .refuseBinary)
        #expect(machine.onFrame(.close(code: 4_321)) == .close(code: 4_321))
        #expect(machine.onFrame(.close(code: nil)) == .close(code: 1_000))
        #expect(machine.onCommand(isToken: false) == .run)
    }

    @Test func nothingIsReadAfterTheLastWord() {
        var machine = Self.machine()
        machine.onEnd()
        #expect(machine.state == .closing)
        #expect(!machine.looksAtFrames)
        #expect(machine.onBytes(now: 1) == .wait)
        #expect(machine.onFrame(.text) == .nothing)
        #expect(machine.onFrame(.close(code: nil)) == .nothing)
        #expect(machine.onDeadline(now: 1_000_000, pingMilliseconds: 1) == .nothing)
        #expect(machine.spend(frames: 1_000, bytes: 1, framesPerSecond: 1, bytesPerSecond: 1, now: 0) == nil)
        #expect(machine.onTokenChecked(isGood: true) == .nothing)
        #expect(machine.onPaceOver() == false)
    }

    @Test func aClientSaysFirstWhoItIs() {
        var machine = Self.machine(isKnown: false)
        #expect(machine.state == .awaitingToken(until: 5_000))
        #expect(machine.onCommand(isToken: false) == .end)
        #expect(machine.onCommand(isToken: true) == .checkToken)
        #expect(machine.onBytes(now: 1) == .wait, "what comes behind the token waits for it")
        #expect(machine.onTokenChecked(isGood: true) == .begin)
        #expect(machine.state == .open)
        #expect(machine.onBytes(now: 2) == .look)
        #expect(machine.onDeadline(now: 5_000, pingMilliseconds: 60_000) == .nothing)
    }

    @Test func aBadFirstTokenIsTheEnd() {
        var machine = Self.machine(isKnown: false)
        #expect(machine.onCommand(isToken: true) == .checkToken)
        #expect(machine.onTokenChecked(isGood: false) == .end)
    }

    @Test func aBadLaterTokenTakesNothingAway() {
        var machine = Self.machine()
        #expect(machine.onCommand(isToken: true) == .checkToken)
        #expect(machine.onTokenChecked(isGood: false) == .complain)
        #expect(machine.onCommand(isToken: true) == .checkToken)
        #expect(machine.onTokenChecked(isGood: true) == .renew)
        #expect(machine.state == .open)
    }

    @Test func aTokenThatNeverComesIsTheEnd() {
        var machine = Self.machine(isKnown: false)
        #expect(machine.onDeadline(now: 4_999, pingMilliseconds: 60_000) == .nothing)
        #expect(machine.onDeadline(now: 5_000, pingMilliseconds: 60_000) == .end(.unauthorized))
    }

    @Test func aSilentClientIsPingedOnceThenEnded() {
        var machine = Self.machine()
        #expect(machine.onDeadline(now: 999, pingMilliseconds: 1_000) == .nothing)
        #expect(machine.onDeadline(now: 1_000, pingMilliseconds: 1_000) == .ping)
        #expect(machine.liveness == .pinged(heardAt: 0))
        #expect(machine.onDeadline(now: 1_500, pingMilliseconds: 1_000) == .nothing)
        #expect(machine.onBytes(now: 1_600) == .look)
        #expect(machine.liveness == .heard(at: 1_600))
        #expect(machine.onDeadline(now: 2_600, pingMilliseconds: 1_000) == .ping)
        #expect(machine.onDeadline(now: 3_599, pingMilliseconds: 1_000) == .nothing)
        #expect(machine.onDeadline(now: 3_600, pingMilliseconds: 1_000) == .end(.idle))
    }

    @Test func tooMuchWaits() {
        var machine = Self.machine()
        func spend(frames: Int, bytes: Int) -> WebSocketMachine.Pause? {
            machine.spend(frames: frames, bytes: bytes, framesPerSecond: 10, bytesPerSecond: 1_000, now: 0)
        }
        #expect(spend(frames: 20, bytes: 4_000) == nil, "two and four seconds' worth at once")
        #expect(spend(frames: 1, bytes: 0) == .init(milliseconds: 100, limit: .clientFrames))
        #expect(spend(frames: 1, bytes: 0) == nil, "it waits already")
        #expect(machine.onBytes(now: 1) == .wait)
        #expect(machine.onPaceOver() == true)
        #expect(machine.onBytes(now: 100) == .look)
        #expect(spend(frames: 0, bytes: 500)?.limit == .clientFrames, "the frames of before are not paid yet")
        var other = Self.machine()
        #expect(
            other.spend(frames: 1, bytes: 4_500, framesPerSecond: 10, bytesPerSecond: 1_000, now: 0)
                == .init(milliseconds: 500, limit: .clientBytes))
    }

    @Test func betweenSlicesItOnlyReadsAhead() {
        var machine = Self.machine()
        #expect(machine.onTurn() == false, "nobody has waited for it")
        machine.onSliceOver()
        #expect(machine.looksAtFrames, "the client itself may go on")
        #expect(machine.onBytes(now: 1) == .readAhead)
        #expect(machine.onTurn() == true)
        #expect(machine.onBytes(now: 2) == .look)
        machine.onSliceOver()
        #expect(machine.onCommand(isToken: true) == .checkToken)
        #expect(machine.onTurn() == true)
        #expect(machine.onBytes(now: 3) == .wait, "a turn does not end the wait for a token")
    }
}
