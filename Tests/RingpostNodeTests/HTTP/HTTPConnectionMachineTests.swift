// One HTTP/1.1 connection as a transcript: what is owed and what is ready are words here.
import Testing

@testable import RingpostNode

@Suite struct HTTPConnectionMachineTests {
    private typealias Machine = HTTPConnectionMachine<String, String>

    private static let limits = Machine.Limits(
        pipelinedMax: 3, largeMax: 2, aheadBytesMax: 100, sliceRequestsMax: 2, headMilliseconds: 5, requestMilliseconds: 10,
        keepAliveMilliseconds: 75)

    private func machine() -> Machine { Machine(limits: Self.limits, now: 0) }

    /// A request arrives whole, in one piece.
    private func request(
        _ machine: inout Machine, _ name: String, mayBeLarge: Bool = false, persists: Bool = true, isMoving: Bool = false, now: Int64 = 1
    ) -> UInt64 {
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .parse)
        machine.beginParsing()
        machine.onHead(now: now)
        machine.letIn()
        let number = machine.onRequest(name, mayBeLarge: mayBeLarge, persists: persists, isMoving: isMoving, now: now)
        #expect(machine.onParsed(needsMore: true, hasBytes: false, now: now) == false)
        return number
    }

    /// An answer is given; returns what leaves.
    private func answer(_ machine: inout Machine, _ number: UInt64, _ text: String) -> [String] {
        guard let persists = machine.persistence(of: number) else { return ["nobody waits"] }
        machine.onAnswer(number, persists ? text : text + ", the last", bytes: text.utf8.count)
        var left: [String] = []
        while let next = machine.nextReady() { left.append(next.isLast ? next.ready + ", end" : next.ready) }
        return left
    }

    // MARK: Order

    @Test func answersKeepTheOrderOfTheRequests() {
        var machine = machine()
        #expect(machine.isNew)
        let numbers = ["a", "b", "c"].map { request(&machine, $0) }
        #expect(numbers == [0, 1, 2])
        #expect(machine.allOwed == ["a", "b", "c"])
        #expect(answer(&machine, 2, "C") == [])
        #expect(answer(&machine, 0, "A") == ["A"])
        #expect(machine.allOwed == ["b"])
        #expect(answer(&machine, 2, "C again") == ["nobody waits"])
        #expect(answer(&machine, 1, "B") == ["B", "C"])
        #expect(!machine.isNew)
    }

    @Test func anAnswerThatIsNextPasses() {
        var machine = machine()
        for name in ["a", "b"] { _ = request(&machine, name) }
        #expect(machine.passes(1) == false)
        #expect(machine.passes(0) == true)
        #expect(machine.passes(0) == false)
        #expect(machine.passes(1) == true)
        _ = request(&machine, "c", persists: false)
        #expect(machine.passes(2) == false, "it says that it is the last one")
    }

    @Test func nothingFollowsTheLastRequest() {
        var machine = machine()
        let number = request(&machine, "a", persists: false)
        #expect(machine.hasEnded)
        machine.beginParsing()
        #expect(!machine.parses(isCrowded: false))
        #expect(answer(&machine, number, "A") == ["A, the last, end"])
    }

    @Test func aRefusalIsTheLastAnswer() {
        var machine = machine()
        let first = request(&machine, "a")
        #expect(machine.refuse("bad") == 1)
        #expect(machine.refuse("worse") == nil)
        #expect(answer(&machine, 1, "400") == [])
        #expect(answer(&machine, first, "A") == ["A", "400, the last, end"])
    }

    // MARK: A client that has closed its side

    @Test func whoHasClosedItsSideGetsItsAnswers() {
        var machine = machine()
        let numbers = ["a", "b"].map { request(&machine, $0) }
        machine.onInputClosed()
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .parse)
        machine.beginParsing()
        #expect(machine.onParsed(needsMore: true, hasBytes: false, now: 2) == false)
        #expect(answer(&machine, numbers[0], "A") == ["A"])
        #expect(answer(&machine, numbers[1], "B") == ["B, the last, end"])
    }

    @Test func whatHasArrivedBeforeIsStillParsed() {
        var machine = machine()
        machine.onInputClosed()
        machine.beginParsing()
        machine.onHead(now: 1)
        let number = machine.onRequest("a", mayBeLarge: false, persists: true, isMoving: false, now: 1)
        // The others wait for their turn.
        #expect(machine.spendSlice(hasMore: true, turnIsOver: false) == false)
        #expect(machine.spendSlice(hasMore: true, turnIsOver: false) == true)
        #expect(machine.onParsed(needsMore: false, hasBytes: true, now: 1) == false)
        #expect(answer(&machine, number, "A") == ["A"])
        machine.onTurn()
        let last = request(&machine, "b")
        #expect(answer(&machine, last, "B") == ["B, the last, end"])
    }

    @Test func whoHasClosedItsSideAndIsOwedNothingEnds() {
        var machine = machine()
        machine.onInputClosed()
        machine.beginParsing()
        #expect(machine.onParsed(needsMore: true, hasBytes: true, now: 1) == true, "half a request is none")
    }

    // MARK: Turns

    @Test func aSliceEndsAndTheNextOneBeginsInItsTurn() {
        var machine = machine()
        machine.beginParsing()
        #expect(machine.spendSlice(hasMore: true, turnIsOver: false) == false)
        #expect(machine.spendSlice(hasMore: true, turnIsOver: false) == true)
        #expect(!machine.parses(isCrowded: false))
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .wait)
        machine.onTurn()
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .parse)
    }

    @Test func whoComesWhenTheTurnIsOverWaits() {
        var machine = machine()
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: true) == .rest(.newcomer))
        machine.onTurn()
        let number = request(&machine, "a")
        _ = answer(&machine, number, "A")
        #expect(machine.onBytes(turnIsOver: true, turnIsOverForNewcomers: true) == .rest(.fresh))
    }

    @Test func whoOnlyAsksHowTheNodeIsStaysNew() {
        var machine = machine()
        machine.beginParsing()
        machine.onHead(now: 1)
        let number = machine.onRequest("health", mayBeLarge: false, persists: true, isMoving: false, now: 1)
        #expect(machine.onParsed(needsMore: true, hasBytes: false, now: 1) == false)
        #expect(answer(&machine, number, "ok") == ["ok"])
        #expect(machine.isNew)
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: true) == .rest(.newcomer))
        machine.onTurn()
        _ = request(&machine, "a")
        #expect(!machine.isNew)
    }

    @Test func anAnswerThatIsGivenAtOnceDoesNotParseAgain() {
        var machine = machine()
        machine.beginParsing()
        let number = machine.onRequest("a", mayBeLarge: false, persists: true, isMoving: false, now: 1)
        #expect(answer(&machine, number, "A") == ["A"])
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .wait)
        #expect(machine.parses(isCrowded: false))
    }

    @Test func theNextRequestWaitsForTheWorkBeforeIt() {
        var machine = machine()
        machine.beginParsing()
        _ = machine.onRequest("batch", mayBeLarge: false, persists: true, isMoving: false, now: 1)
        #expect(machine.beginWork() == true)
        #expect(machine.isWorking && !machine.parses(isCrowded: false))
        #expect(machine.onParsed(needsMore: false, hasBytes: true, now: 1) == false)
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .wait)
        machine.endWork()
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: false) == .parse)
    }

    @Test func workBehindAWholeSliceAsksForNoSecondTurn() {
        var machine = machine()
        machine.beginParsing()
        #expect(machine.spendSlice(hasMore: true, turnIsOver: true) == true)
        #expect(machine.beginWork() == false)
        #expect(machine.isWorking)
    }

    // MARK: Reading

    @Test func readingPausesAndGoesOn() {
        var machine = machine()
        let first = request(&machine, "a")
        for name in ["b", "c"] { _ = request(&machine, name) }
        #expect(machine.onBuffered(bytes: 0, isCrowded: false) == .paused)
        #expect(machine.onBuffered(bytes: 0, isCrowded: false) == nil)
        _ = answer(&machine, first, "A")
        #expect(machine.onBuffered(bytes: 0, isCrowded: true) == nil)
        #expect(machine.onBuffered(bytes: 0, isCrowded: false) == .reading)
        #expect(machine.onBytes(turnIsOver: true, turnIsOverForNewcomers: true) == .rest(.fresh))
        #expect(machine.onBuffered(bytes: 99, isCrowded: false) == nil)
        #expect(machine.onBuffered(bytes: 100, isCrowded: false) == .paused)
    }

    @Test func aNewcomerThatWaitsIsNotReadAhead() {
        var machine = machine()
        #expect(machine.onBytes(turnIsOver: false, turnIsOverForNewcomers: true) == .rest(.newcomer))
        #expect(machine.onBuffered(bytes: 1, isCrowded: false) == .paused)
        machine.onTurn()
        #expect(machine.onBuffered(bytes: 1, isCrowded: false) == .reading)
    }

    @Test func answersThatWaitBehindAnEarlierOneAreCounted() {
        var machine = machine()
        let numbers = ["a", "b", "c"].map { request(&machine, $0) }
        #expect(answer(&machine, numbers[2], "12345") == [] && machine.readyBytes == 5 && machine.mayHoldMuch)
        #expect(answer(&machine, numbers[1], "123") == [] && machine.readyBytes == 8)
        #expect(answer(&machine, numbers[0], "1") == ["1", "123", "12345"] && machine.readyBytes == 0 && !machine.mayHoldMuch)
        let first = request(&machine, "d")
        let last = request(&machine, "e", persists: false)
        #expect(answer(&machine, last, "12") == [] && machine.readyBytes == 2)
        #expect(machine.end() == ["d"] && machine.readyBytes == 0)
        #expect(machine.owed(first) == nil)
    }

    @Test func fewAreUnderWayWhoseAnswersMayBeLarge() {
        var machine = machine()
        let numbers = ["a", "b"].map { request(&machine, $0, mayBeLarge: true) }
        #expect(machine.isFull(isCrowded: false))
        #expect(machine.onBuffered(bytes: 1, isCrowded: false) == .paused)
        machine.setOwed(numbers[0], "a small one", mayBeLarge: false)
        #expect(!machine.isFull(isCrowded: false) && machine.mayHoldMuch)
        machine.setOwed(numbers[0], "a large one", mayBeLarge: true)
        #expect(machine.isFull(isCrowded: false))
        #expect(answer(&machine, numbers[1], "B") == [] && !machine.isFull(isCrowded: false))
        #expect(answer(&machine, numbers[0], "A") == ["A", "B"] && !machine.mayHoldMuch)
        #expect(machine.onBuffered(bytes: 1, isCrowded: false) == .reading)
        let passing = request(&machine, "c", mayBeLarge: true)
        #expect(machine.passes(passing) && !machine.mayHoldMuch)
    }

    // MARK: Time

    @Test func whatWaitsForEarlierAnswersIsNotOverdue() {
        var machine = machine()
        let number = request(&machine, "a")
        machine.beginParsing()
        #expect(machine.onParsed(needsMore: true, hasBytes: true, now: 100) == false)
        #expect(machine.onDeadline(now: 105, hasBytes: true, isCrowded: true) == .nothing, "the rest may be here")
        #expect(machine.onDeadline(now: 105, hasBytes: true, isCrowded: false) == .refuse(hasHead: false))
        _ = answer(&machine, number, "A")
        #expect(machine.onDeadline(now: 105, hasBytes: true, isCrowded: true) == .refuse(hasHead: false), "the client does not read")
    }

    @Test func deadlines() {
        var machine = machine()
        #expect(machine.onDeadline(now: 4, hasBytes: false, isCrowded: false) == .nothing)
        #expect(machine.onDeadline(now: 5, hasBytes: false, isCrowded: false) == .close)
        machine.beginParsing()
        #expect(machine.onParsed(needsMore: true, hasBytes: true, now: 100) == false)
        #expect(machine.onDeadline(now: 104, hasBytes: true, isCrowded: false) == .nothing)
        #expect(machine.onDeadline(now: 105, hasBytes: true, isCrowded: false) == .refuse(hasHead: false))
        machine.onHead(now: 103)
        #expect(machine.onDeadline(now: 109, hasBytes: false, isCrowded: false) == .nothing)
        #expect(machine.onDeadline(now: 110, hasBytes: false, isCrowded: false) == .refuse(hasHead: true))
        let number = machine.onRequest("a", mayBeLarge: false, persists: true, isMoving: false, now: 109)
        #expect(machine.onDeadline(now: 1_000, hasBytes: false, isCrowded: false) == .nothing, "it waits for us")
        _ = answer(&machine, number, "A")
        #expect(machine.onDeadline(now: 183, hasBytes: false, isCrowded: false) == .nothing)
        #expect(machine.onDeadline(now: 184, hasBytes: false, isCrowded: false) == .close)
        #expect(machine.onDeadline(now: 184, hasBytes: true, isCrowded: false) == .nothing, "its request waits for its turn")
    }

    // MARK: Ends

    @Test func whoLeavesEndsWithTheNextAnswer() {
        var machine = machine()
        #expect(machine.leave() == true, "nothing is under way")
        let number = request(&machine, "a")
        #expect(machine.leave() == false)
        #expect(answer(&machine, number, "A") == ["A, the last, end"])
    }

    @Test func aRequestThatIsArrivingIsAnsweredFirst() {
        var machine = machine()
        let first = request(&machine, "a")
        machine.beginParsing()
        machine.onHead(now: 2)
        #expect(machine.onParsed(needsMore: true, hasBytes: false, now: 2) == false)
        #expect(machine.stop() == false)
        #expect(answer(&machine, first, "A") == ["A"])
        machine.beginParsing()
        let second = machine.onRequest("b", mayBeLarge: false, persists: true, isMoving: true, now: 3)
        #expect(answer(&machine, second, "B") == ["B, the last, end"])
    }

    @Test func aNodeThatStopsTakesNoOtherRequest() {
        var machine = machine()
        let number = request(&machine, "a")
        #expect(machine.stop() == false)
        #expect(machine.hasEnded)
        #expect(answer(&machine, number, "A") == ["A, the last, end"])
    }

    @Test func aConnectionForOneRequest() {
        var machine = machine()
        machine.beginSingle(until: 2)
        #expect(machine.onDeadline(now: 2, hasBytes: false, isCrowded: false) == .close)
        let number = request(&machine, "health")
        #expect(!machine.isSpent)
        #expect(answer(&machine, number, "ok") == ["ok, the last, end"])
        #expect(machine.isSpent)
    }

    @Test func nothingExtendsTheTimeOfAConnectionForOneRequest() {
        var machine = machine()
        machine.beginSingle(until: 2)
        func expectEnd() {
            #expect(machine.onDeadline(now: 1, hasBytes: true, isCrowded: false) == .nothing)
            #expect(machine.onDeadline(now: 2, hasBytes: true, isCrowded: false) == .close)
        }
        machine.beginParsing()
        #expect(machine.onParsed(needsMore: true, hasBytes: true, now: 1) == false)
        expectEnd()
        machine.onHead(now: 1)
        expectEnd()
        #expect(machine.leave() == false)
        let number = machine.onRequest("health", mayBeLarge: false, persists: true, isMoving: true, now: 1)
        expectEnd()
        _ = answer(&machine, number, "ok")
        expectEnd()
    }

    @Test func aStreamTakesTheConnection() {
        var machine = machine()
        let number = request(&machine, "a")
        let second = request(&machine, "b")
        #expect(!machine.mayBecomeStream(number) && !machine.mayBecomeStream(second))
        _ = answer(&machine, number, "A")
        #expect(machine.mayBecomeStream(second))
        #expect(machine.end() == ["b"])
        #expect(machine.hasEnded && machine.persistence(of: second) == nil)
    }
}
