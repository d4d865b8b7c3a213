import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct IsolationWatchTests {
    private static let wait = SubscriptionMachine.unreachableMillisecondsMax

    @Test func clientsAreMovedOnceAfterTheWaitAndKeptWhenItIsOver() {
        var watch = IsolationWatch()
        #expect(watch.onTick(isCutOff: false, isMoving: false, now: 0) == .nothing)
        #expect(watch.onTick(isCutOff: true, isMoving: false, now: 100) == .nothing)
        #expect(watch.onTick(isCutOff: true, isMoving: false, now: 99 + Self.wait) == .nothing)
        #expect(watch.onTick(isCutOff: true, isMoving: false, now: 100 + Self.wait) == .moveClients)
        #expect(watch.onTick(isCutOff: true, isMoving: true, now: 200 + Self.wait) == .nothing)
        #expect(watch.onTick(isCutOff: false, isMoving: true, now: 300 + Self.wait) == .keepClients)
        #expect(watch.onTick(isCutOff: false, isMoving: false, now: 400 + Self.wait) == .nothing)
    }

    @Test func theWaitBeginsAnewWithEveryOutage() {
        var watch = IsolationWatch()
        _ = watch.onTick(isCutOff: true, isMoving: false, now: 0)
        #expect(watch.onTick(isCutOff: false, isMoving: false, now: Self.wait - 1) == .nothing)
        #expect(watch.onTick(isCutOff: true, isMoving: false, now: Self.wait) == .nothing)
        #expect(watch.onTick(isCutOff: true, isMoving: false, now: 2 * Self.wait - 1) == .nothing)
        #expect(watch.onTick(isCutOff: true, isMoving: false, now: 2 * Self.wait) == .moveClients)
    }

    @Test func clientsThatMoveForAnotherReasonAreLeftAlone() {
        var watch = IsolationWatch()
        _ = watch.onTick(isCutOff: true, isMoving: true, now: 0)
        #expect(watch.onTick(isCutOff: true, isMoving: true, now: Self.wait) == .nothing)
        #expect(watch.onTick(isCutOff: false, isMoving: true, now: Self.wait + 1) == .nothing)
    }
}
