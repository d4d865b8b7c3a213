// The parts of a shard's machine by themselves: each bound, each order, and what is left afterwards.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct ParkedFramesTests {
    private func frame(_ connectionID: UInt32, slots: Int = 1) -> ParkedFrames.Parked {
        let frame = SlotFrame.inquire(term: 2, slots: Array(repeating: 7, count: slots))
        return .init(frame: frame, member: MemberIdentity(id: "b", boot: 1), connectionID: connectionID)
    }

    @Test func framesComeOutInOrderAndOnce() {
        var parked = ParkedFrames(framesMax: 3, bytesMax: 100)
        for connectionID: UInt32 in [1, 2, 1] { #expect(parked.park(frame(connectionID)) == true) }
        #expect(parked.count == 3 && parked.bytes == 6)
        #expect(parked.removeAll().map(\.connectionID) == [1, 2, 1])
        #expect(parked.count == 0 && parked.bytes == 0 && parked.removeAll().isEmpty)
    }

    @Test(arguments: [(3, 1_000), (100, 7)]) func theConnectionThatSendsTooMuchLosesItsFramesAlone(framesMax: Int, bytesMax: Int) {
        var parked = ParkedFrames(framesMax: framesMax, bytesMax: bytesMax)
        for connectionID: UInt32 in [1, 2, 1] { #expect(parked.park(frame(connectionID)) == true) }
        #expect(parked.park(frame(1)) == false)
        #expect(parked.count == 1 && parked.bytes == 2 && parked.removeAll().map(\.connectionID) == [2])
    }

    @Test func aConnectionThatEndsTakesItsFramesAlong() {
        var parked = ParkedFrames(framesMax: 9, bytesMax: 100)
        for connectionID: UInt32 in [1, 2] { #expect(parked.park(frame(connectionID, slots: 5)) == true) }
        parked.forget(connectionID: 1)
        #expect(parked.count == 1 && parked.bytes == 10)
    }
}

@Suite struct VacantSlotTests {
    private func vacancy(_ slots: Int...) -> Vacancy {
        var vacancy = Vacancy(slotCount: 128, rosterRetryMilliseconds: 50)
        for slotIndex in slots { vacancy.insert(slotIndex) }
        return vacancy
    }

    @Test func theRosterIsAskedInEachEpochAndAgainAfterAWhile() {
        var vacancy = vacancy(3)
        #expect(vacancy.pass(now: 0) == .needsRoster)
        #expect(vacancy.asksRoster(now: 0) && !vacancy.asksRoster(now: 49) && vacancy.asksRoster(now: 50))
        vacancy.onEpoch()
        #expect(vacancy.asksRoster(now: 51) == true)
        vacancy.setWait(milliseconds: 100)
        #expect(vacancy.pass(now: 51) == .look)
        vacancy.onEpoch()
        #expect(vacancy.pass(now: 51) == .needsRoster)
    }

    @Test func aPassGoesThroughAllSlotsAndTheNextOneComesInTime() {
        var vacancy = vacancy(3, 70, 100)
        #expect(
            vacancy.isDue(since: 0, succession: .min, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 0) == nil,
            "the roster has not been heard of")
        vacancy.setWait(milliseconds: 100)
        #expect(vacancy.pass(now: 10) == .look)
        for (slotIndex, since): (Int, Int64) in [(3, 5), (70, 0), (100, 8)] {
            #expect(vacancy.next() == slotIndex && vacancy.isInPass)
            #expect(vacancy.isDue(since: since, succession: .min, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 10) == false)
        }
        #expect(vacancy.next() == nil && !vacancy.isInPass)
        #expect(vacancy.pass(now: 99) == .nothing && vacancy.pass(now: 100) == .look, "when the first of them is due")
        #expect(vacancy.isDue(since: 0, succession: .min, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 100) == true)
    }

    /// Whoever is waited for could not register meanwhile.
    @Test func whileZooKeeperIsAwayTheWaitDoesNotRun() {
        func isDue(_ vacancy: inout Vacancy, at now: Int64) -> Bool? {
            vacancy.isDue(since: 0, succession: .min, quietMilliseconds: 9, recoveryMilliseconds: 50, now: now)
        }
        for (wait, dueAt) in [(Int64(40), Int64(340)), (50, 350), (320, 350), (900, 900)] {
            var vacancy = vacancy(3)
            vacancy.setReach(true, now: 0)
            vacancy.setWait(milliseconds: wait)
            vacancy.setReach(false, now: 10)
            _ = vacancy.pass(now: 11)
            #expect(isDue(&vacancy, at: 299) == false)
            _ = (vacancy.next(), vacancy.next())
            vacancy.setReach(true, now: 300)
            #expect(vacancy.pass(now: 300) == .look)
            #expect(isDue(&vacancy, at: dueAt - 1) == false && isDue(&vacancy, at: dueAt) == true, "a wait of \(wait)")
        }
    }

    @Test func anEarlierBootIsWaitedForAsLongAsItMayAct() {
        var vacancy = vacancy(3)
        vacancy.setWait(milliseconds: 0)
        #expect(vacancy.isDue(since: 0, succession: 20, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 28) == false)
        #expect(vacancy.isDue(since: 0, succession: 20, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 29) == true)
        vacancy.succeed(now: 40)
        #expect(vacancy.isDue(since: 0, succession: 20, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 48) == false)
        vacancy.beginBoot()
        #expect(vacancy.isDue(since: 0, succession: .min, quietMilliseconds: 9, recoveryMilliseconds: 50, now: 0) == true)
    }

    @Test func withoutSlotsThereIsNothingToDo() {
        var vacancy = vacancy(3)
        vacancy.remove(3)
        #expect(vacancy.isEmpty && vacancy.pass(now: 0) == .nothing)
    }
}

@Suite struct WaitingAttachesTests {
    private func early(_ id: UInt64, connectionID: UInt32 = 1) -> WaitingAttaches.Early {
        let address = ReturnAddress(connectionID: connectionID, id: id)
        let request = AttachRequest(key: LoneShard.key(), address: address, start: .now, stay: .always)
        return .init(request: request, epoch: 2, fromLink: false)
    }

    @Test func oneBoundHoldsForBothKinds() {
        var waiting = WaitingAttaches(countMax: 3)
        #expect(waiting.waitForEpoch(early(1)) && waiting.waitForEpoch(early(2)))
        waiting.beginWaitForSlot()
        #expect(!waiting.hasRoom && !waiting.waitForEpoch(early(3)) && waiting.count == 3)
        waiting.endWaitForSlot(1)
        #expect(waiting.waitForEpoch(early(3)) == true)
        #expect(waiting.removeEarly().map(\.request.address.id) == [1, 2, 3])
        #expect(waiting.count == 0 && waiting.removeEarly().isEmpty)
    }

    @Test func whoGivesUpIsForgotten() {
        var waiting = WaitingAttaches(countMax: 9)
        for id: UInt64 in 1...3 { #expect(waiting.waitForEpoch(early(id, connectionID: id == 3 ? 2 : 1)) == true) }
        waiting.forgetEarly(ReturnAddress(connectionID: 1, id: 2))
        waiting.forgetEarly(ReturnAddress(connectionID: 1, id: 9))
        #expect(waiting.count == 2)
        waiting.forgetEarly(connectionID: 1)
        #expect(waiting.removeEarly().map(\.request.address.id) == [3])
    }
}

@Suite struct IncomingSnapshotTests {
    private func chunk(_ position: UInt64, isFirst: Bool = false, isLast: Bool = false) -> SnapshotChunk {
        SnapshotChunk(isFirst: isFirst, isLast: isLast, base: 1, position: position, items: [])
    }

    @Test func aCopyIsCompleteWithItsLastChunk() {
        var snapshots = IncomingSnapshots()
        #expect(snapshots.receive(chunk(1, isLast: true), of: 5, term: 2, connectionID: 1) == nil, "its first chunk is missing")
        #expect(snapshots.receive(chunk(1, isFirst: true), of: 5, term: 2, connectionID: 1) == nil && snapshots.contains(5))
        #expect(snapshots.receive(chunk(2), of: 5, term: 2, connectionID: 9) == nil, "another connection")
        #expect(snapshots.receive(chunk(3), of: 5, term: 3, connectionID: 1) == nil, "another term")
        #expect(snapshots.receive(chunk(4, isLast: true), of: 5, term: 2, connectionID: 1)?.map(\.position) == [1, 4])
        #expect(snapshots.count == 0)
    }

    @Test func aNewAttemptReplacesTheOneBefore() {
        var snapshots = IncomingSnapshots()
        #expect(snapshots.receive(chunk(1, isFirst: true), of: 5, term: 2, connectionID: 1) == nil)
        #expect(snapshots.receive(chunk(2, isFirst: true), of: 5, term: 2, connectionID: 2) == nil)
        snapshots.remove(5, onConnection: 1)
        snapshots.removeAll(connectionID: 1)
        #expect(snapshots.receive(chunk(3, isLast: true), of: 5, term: 2, connectionID: 2)?.map(\.position) == [2, 3])
    }
}

@Suite struct MovePacerTests {
    @Test func lotsGrowWhileSlotsWaitAndBeginSmallAgain() {
        var limits = SlotLimits()
        (limits.movesAtFirst, limits.movesMax) = (1, 2)
        var moves = MovePacer(limits: limits, slotCount: 4)
        #expect(moves.left == 1)
        for lot in 1...2 * SlotLimits.movesGrowth {
            #expect(moves.schedulePause() && !moves.schedulePause())
            moves.beginLot()
            #expect(moves.lots == lot && moves.left == (lot < SlotLimits.movesGrowth ? 1 : 2))
            moves.spend()
        }
        #expect(moves.schedulePause() == true)
        moves.endLot()
        #expect(moves.lots == 2 * SlotLimits.movesGrowth, "something waits still")
        moves.beginLot()
        moves.endLot()
        #expect(moves.lots == 0 && moves.left == 1)
    }

    @Test func aQueueHoldsASlotTwiceAtMost() {
        var moves = MovePacer(limits: SlotLimits(), slotCount: 2)
        for _ in 0..<9 { for slot in 0..<2 { moves.appendUnmirrored(slot) } }
        #expect(moves.unmirrored.count <= 4 && moves.popUnmirrored() == 0)
        moves.appendBeginning(1)
        moves.prependBeginning(0)
        #expect(moves.popBeginning() == 0 && moves.popBeginning() == 1 && moves.popBeginning() == nil)
    }
}

@Suite struct LeaseGateTests {
    private func at(_ milliseconds: Int64) -> Moment { Moment(monotonic: milliseconds, wall: 0) }

    @Test func slotsWaitUntilTheNodeMayAct() {
        var lease = LeaseGate(isOff: false)
        #expect(!lease.mayAct(at(0)))
        for slot in [9, 3, 9] { lease.postponeCommit(of: slot) }
        for slot in [4, 2] { lease.postponeAcknowledgement(of: slot) }
        lease.forgetCommit(of: 3)
        lease.set(until: 10)
        #expect(lease.mayAct(at(9)) && !lease.mayAct(at(10)))
        let postponed = lease.removePostponed()
        #expect(postponed.commits == [9] && postponed.acknowledgements == [2, 4])
        #expect(lease.removePostponed().commits.isEmpty && lease.unacknowledged.isEmpty)
    }
}

@Suite struct StaleSlotsTests {
    @Test func fencedSlotsAreStaleInTheNextEpoch() {
        var stale = StaleSlots(slotCount: 70)
        stale.waitForNextEpoch(66)
        #expect(stale.isEmpty && stale.scheduleWork() && !stale.scheduleWork())
        stale.workBegins()
        #expect(stale.scheduleWork() == true)
        stale.onEpoch()
        stale.insert(3)
        #expect(stale.count == 2 && stale.popFirst() == 3 && stale.popFirst() == 66 && stale.popFirst() == nil)
        stale.onEpoch()
        #expect(stale.isEmpty, "once")
    }
}

@Suite struct LateCopyTests {
    /// It answers before this node's list says that it is a member, and is not asked once more then.
    @Test func whoComesWithACopyIsLookedAtThoughNobodyWasFoundToHaveOne() {
        var takeovers = Takeovers()
        takeovers.begin(3, term: 5, unanswered: [1])
        takeovers.ask(3)
        let copy = SlotHolding.Content.copy(term: 2, position: 4, set: LineageSet(number: 1, lineages: [7]), isCurrent: false)
        #expect(takeovers.addRetained(3, copy, by: 2) == false, "the others are still asked")
        let isTaken = takeovers.answer(3, term: 5, by: 1, .none(vacant: 0, quiet: .max, evidence: nil), now: 0)
        #expect(isTaken)
        takeovers.setVacant(3, since: 0)
        #expect(takeovers.addRetained(3, copy, by: 4) == true)
        #expect(takeovers.addRetained(3, copy, by: 4) == false, "that is known")
        #expect(takeovers[3]?.found.map(\.peer) == [2, 4])
    }
}
