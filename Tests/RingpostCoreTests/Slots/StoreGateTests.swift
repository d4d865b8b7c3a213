// What leaves a node with a store, and when.
import Testing

@testable import RingpostCore

@Suite struct StoreGateTests {
    private static let step = SlotFrame.append(term: 1, slot: 0, position: 1, .nothing)
    private static let release = SlotFrame.release([])

    private func answer(_ number: UInt64, _ problem: Problem = .outcomeUnknown) -> ShardAction {
        .answer(ReturnAddress(connectionID: 0, id: number), .failure(problem))
    }

    /// - Returns: whether it is performed at once.
    private func admits(_ gate: inout StoreGate, _ action: ShardAction, changes: Bool) -> Bool {
        gate.admit(action, hasChanges: changes)
    }

    private func takeAll(_ gate: inout StoreGate) -> [ShardAction] {
        var actions: [ShardAction] = []
        while let action = gate.next() { actions.append(action) }
        return actions
    }

    @Test func whatFollowsFromNothingGoesAtOnce() {
        var gate = StoreGate()
        #expect(admits(&gate, answer(1), changes: false))
        gate.handOver(bytes: 10, now: 0)
        gate.onStored()
        #expect(admits(&gate, answer(2), changes: false) && gate.count == 0)
    }

    @Test func anAnswerWaitsForItsTick() {
        var gate = StoreGate()
        #expect(!admits(&gate, answer(1), changes: true))
        #expect(takeAll(&gate).isEmpty, "it has not even been handed over")
        gate.handOver(bytes: 10, now: 0)
        #expect(!admits(&gate, answer(2), changes: true), "of the tick after that")
        #expect(takeAll(&gate).isEmpty)
        gate.onStored()
        #expect(takeAll(&gate) == [answer(1)])
        gate.handOver(bytes: 10, now: 0)
        gate.onStored()
        #expect(takeAll(&gate) == [answer(2)])
    }

    /// A commit may follow from a tick that is still on its way, though nothing has changed with it.
    @Test func whatChangesNothingWaitsForTheTicksBefore() {
        var gate = StoreGate()
        gate.handOver(bytes: 10, now: 0)
        #expect(!admits(&gate, answer(1), changes: false))
        #expect(admits(&gate, .askRoster, changes: true), "nobody hears of the slots by it")
        gate.onStored()
        #expect(!admits(&gate, answer(2), changes: false), "not before what is held")
        #expect(takeAll(&gate) == [answer(1), answer(2)])
        #expect(admits(&gate, answer(3), changes: false))
    }

    @Test func stepsGoAheadButNotBeforeFramesToTheSamePeer() {
        var gate = StoreGate()
        #expect(admits(&gate, .send(peer: 1, Self.step), changes: true))
        #expect(!admits(&gate, .send(peer: 1, Self.release), changes: true))
        #expect(!admits(&gate, .send(peer: 1, Self.step), changes: true))
        #expect(admits(&gate, .send(peer: 2, Self.step), changes: true))
        gate.handOver(bytes: 10, now: 0)
        gate.onStored()
        #expect(takeAll(&gate) == [.send(peer: 1, Self.release), .send(peer: 1, Self.step)])
        #expect(admits(&gate, .send(peer: 1, Self.step), changes: true))
    }

    @Test func bytesAreCountedUntilTheyAreStored() {
        var gate = StoreGate()
        gate.handOver(bytes: StoreGate.bytesMax, now: 0)
        #expect(!gate.isFull)
        _ = admits(&gate, answer(1), changes: false)
        #expect(gate.isFull)
        gate.onStored()
        #expect(!gate.isFull && gate.count == 1)
        _ = takeAll(&gate)
        gate.handOver(bytes: StoreGate.bytesMax, now: 0)
        #expect(!gate.isFull, "what has gone counts no more")
    }

    @Test func whatWasNotAppendedIsSaidAtOnce() {
        var gate = StoreGate()
        gate.handOver(bytes: 10, now: 0)
        #expect(!admits(&gate, answer(1), changes: false))
        #expect(admits(&gate, answer(2, .overloaded), changes: true))
    }

    /// On the next link all is said again, and steps need not wait for what is gone.
    @Test func framesGoWithTheirLink() {
        var gate = StoreGate()
        for peer: UInt32 in [1, 2] { #expect(!admits(&gate, .send(peer: peer, Self.release), changes: true)) }
        gate.linkIsDown(1)
        #expect(admits(&gate, .send(peer: 1, Self.step), changes: true))
        gate.handOver(bytes: 10, now: 0)
        gate.onStored()
        #expect(takeAll(&gate) == [.send(peer: 2, Self.release)])
    }

    @Test func aTickThatWaitsForTooLongIsStuck() {
        var gate = StoreGate()
        #expect(!gate.isStuck(now: .max))
        for now: Int64 in [100, 5_000] { gate.handOver(bytes: 10, now: now) }
        let end = 100 + StoreGate.waitMillisecondsMax
        #expect(!gate.isStuck(now: end) && gate.isStuck(now: end + 1))
        gate.onStored()
        #expect(!gate.isStuck(now: end + 1), "the next one has come later")
    }

    @Test func ofAStoreThatHasFailedNothingIsHeldOrSaid() {
        var gate = StoreGate()
        #expect(!admits(&gate, answer(1), changes: true))
        gate.fail()
        gate.handOver(bytes: StoreGate.bytesMax, now: 0)
        gate.onStored()
        #expect(!admits(&gate, answer(2), changes: false) && admits(&gate, answer(3, .overloaded), changes: true))
        #expect(takeAll(&gate).isEmpty && gate.count == 0)
    }

    @Test func theOldestTickSaysForHowLongTheStoreIsWaitedFor() {
        var gate = StoreGate()
        #expect(gate.waitMilliseconds(now: 500) == 0)
        gate.handOver(bytes: 1, now: 100)
        gate.handOver(bytes: 1, now: 400)
        #expect(gate.waitMilliseconds(now: 500) == 400)
        gate.onStored()
        #expect(gate.waitMilliseconds(now: 500) == 100)
        #expect(!gate.isStuck(now: 400 + StoreGate.waitMillisecondsMax) && gate.isStuck(now: 401 + StoreGate.waitMillisecondsMax))
        gate.onStored()
        #expect(gate.waitMilliseconds(now: 500_000) == 0 && !gate.isStuck(now: 500_000))
    }

    @Test func timeInWhichTheProcessStoodStillIsNotTheStores() {
        var gate = StoreGate()
        gate.onTick(now: 0)
        gate.handOver(bytes: 1, now: 5)
        gate.onTick(now: 10)
        gate.onTick(now: 100_010)
        #expect(gate.waitMilliseconds(now: 100_010) == 5 && !gate.isStuck(now: 100_010))
        for now in stride(from: Int64(100_510), through: 101_010, by: 500) { gate.onTick(now: now) }
        #expect(gate.waitMilliseconds(now: 101_010) == 1_005, "the disk's time counts")
    }

    @Test func whatWasJustChangedIsInTheNextTick() {
        var gate = StoreGate()
        #expect(gate.hasStored(gate.tick(hasChanges: false)) && !gate.hasStored(gate.tick(hasChanges: true)))
        let changed = gate.tick(hasChanges: true)
        gate.handOver(bytes: 1, now: 0)
        #expect(gate.tick(hasChanges: false) == changed && !gate.hasStored(changed))
        gate.onStored()
        #expect(gate.hasStored(changed))
    }
}
