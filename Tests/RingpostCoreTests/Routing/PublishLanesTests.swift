// Publishes on their way through one loop's lanes, as transcripts: each line is an event and what the lanes make of it.
// Messages are known by their number, which is also the number of their return address.
import HashRing
import Testing

@testable import RingpostCore

/// Lanes under a ring that the test changes at will.
private struct Loop {
    enum Step: Equatable {
        case append(UInt64, maybeAgain: Bool = false)
        case send(UInt64, to: UInt32, hops: UInt8 = 1, restarts: Bool = false, maybeAgain: Bool = false)
        case accept(UInt64)
        case refuse(UInt64, Problem)
        case pull(Int)
    }

    var lanes: PublishLanes
    var route = PublishLanes.Route.peer(1)
    var now: Int64 = 0
    private var requests: [UInt64: UInt64] = [:]

    init(limits: LaneLimits = LaneLimits()) {
        lanes = PublishLanes(limits: limits)
        lanes.mayActUntil = 1_000_000
    }

    static func key(_ name: UInt8 = 1, slot: UInt64 = 7) -> Key {
        Key(.user, trusted: [name], hash: KeyHash(rawValue: slot << 48 | UInt64(name)))
    }

    private mutating func steps(_ event: (inout PublishLanes, inout [PublishLanes.Action]) -> Void) -> [Step] {
        var actions: [PublishLanes.Action] = []
        event(&lanes, &actions)
        return actions.map { action in
            switch action {
            case .append(let request, let publish):
                requests[publish.id.low] = request
                return .append(publish.id.low, maybeAgain: publish.mayBeRepeat)
            case .send(let peer, let request, let publish, let hops, let restarts):
                requests[publish.id.low] = request
                return .send(publish.id.low, to: peer, hops: hops, restarts: restarts, maybeAgain: publish.mayBeRepeat)
            case .answer(let address, .success): return .accept(address.id)
            case .answer(let address, .failure(let problem)): return .refuse(address.id, problem)
            case .pull(let slot): return .pull(slot)
            }
        }
    }

    mutating func submit(
        _ number: UInt64, _ key: Key = key(), stream: UInt64 = 0, restarts: Bool = false, hops: UInt8 = 0, epoch: UInt64 = 0,
        budget: Int64 = 10_000, bytes: Int = 2
    ) -> [Step] {
        let publish = Publish(
            key: key, id: MessageID(high: 0, low: number), isRepeatable: false, data: Array(repeating: 0x31, count: bytes),
            deadline: now + budget)
        let address = ReturnAddress(connectionID: 0, id: number)
        let context = PublishContext(address: address, hops: hops, epoch: epoch, stream: stream, restarts: restarts)
        return steps { [now, route] in $0.submit(publish, context, now: now, route: { _ in route }, actions: &$1) }
    }

    mutating func accept(_ number: UInt64) -> [Step] {
        let receipt = Receipt(
            sequence: 1, epoch: 1, owner: "b", outcome: .stored, mirrored: false, id: MessageID(high: 0, low: number))
        return steps { [now, request = requests[number] ?? 0] in $0.onAnswer(request: request, .success(receipt), now: now, actions: &$1) }
    }

    mutating func refuse(_ number: UInt64, _ problem: Problem = .retry) -> [Step] {
        steps { [now, request = requests[number] ?? 0] in $0.onAnswer(request: request, .failure(problem), now: now, actions: &$1) }
    }

    mutating func peerDown(_ peer: UInt32) -> [Step] { steps { [now] in $0.onPeerDown(peer, now: now, actions: &$1) } }

    mutating func ready(_ slot: Int) -> [Step] {
        route = .here
        return steps { [now] in $0.onReady(slot, now: now, route: { _ in .here }, actions: &$1) }
    }

    mutating func tick(at time: Int64) -> [Step] {
        now = time
        return steps { [now, route] in $0.onTick(now: now, route: { _ in route }, actions: &$1) }
    }

    mutating func ring(_ epoch: UInt64, _ newRoute: PublishLanes.Route) -> [Step] {
        route = newRoute
        return steps { [now] in $0.onEpoch(epoch, now: now, route: { _ in newRoute }, actions: &$1) }
    }
}

@Suite struct PublishLanesTests {
    @Test func eachRouteHasItsStep() {
        var loop = Loop()
        #expect(loop.submit(1) == [.send(1, to: 1)])
        #expect(loop.accept(1) == [.accept(1)])
        loop.route = .here
        #expect(loop.submit(2) == [.append(2)])
        #expect(loop.accept(2) == [.accept(2)])
        loop.route = .nobody
        #expect(loop.submit(3) == [.refuse(3, .noOwner)])
        loop.route = .peer(2)
        #expect(loop.submit(4, hops: 1) == [.send(4, to: 2, hops: 2, maybeAgain: true)], "its router may have found another way")
        #expect(loop.submit(5, hops: 2) == [.refuse(5, .retry)], "two hops are the most")
        loop.route = .unreachable
        #expect(loop.submit(6, Loop.key(slot: 9), hops: 1) == [.refuse(6, .ownerUnreachable)])
        #expect(loop.submit(7, Loop.key(slot: 9)) == [])
        loop.route = .preparing
        #expect(loop.submit(8, Loop.key(slot: 10), hops: 1) == [.pull(10)])
        #expect(loop.lanes.parkedCount == 2)
    }

    @Test func freezesExactlyAtTheEndOfItsLease() {
        var loop = Loop()
        loop.route = .here
        loop.lanes.mayActUntil = 500
        loop.now = 499
        #expect(loop.submit(1) == [.append(1)])
        loop.now = 500
        #expect(loop.submit(2) == [.refuse(2, .frozen)])
    }

    @Test func whoeverIsBehindParksUntilTheEpoch() {
        var loop = Loop()
        #expect(loop.ring(4, .peer(1)) == [])
        loop.route = .here
        #expect(loop.submit(9, Loop.key(slot: 9), hops: 1, epoch: 5) == [.append(9)], "the owner needn't know the epoch of who sends to it")
        loop.route = .peer(1)
        #expect(loop.submit(1, hops: 1, epoch: 5) == [])
        #expect(loop.submit(2, hops: 1, epoch: 6) == [])
        #expect(loop.submit(3) == [], "what comes later waits behind")
        #expect(loop.tick(at: 100) == [])
        #expect(loop.ring(5, .here) == [])
        #expect(loop.ring(6, .here) == [.append(1, maybeAgain: true), .append(2, maybeAgain: true), .append(3)])
        #expect(loop.lanes.parkedCount == 0)
    }

    @Test func anEpochThatNobodyNeedsAnyMoreKeepsNothingWaiting() {
        var loop = Loop()
        #expect(loop.submit(1, hops: 1, epoch: 99, budget: 50) == [])
        #expect(loop.submit(2) == [])
        #expect(loop.tick(at: 50) == [.refuse(1, .retry), .send(2, to: 1)])
        #expect(loop.submit(3, Loop.key(slot: 8), hops: 1, epoch: 99, budget: 50) == [])
        #expect(loop.tick(at: 100) == [.refuse(3, .retry)])
        #expect(loop.submit(4, Loop.key(slot: 8)) == [.send(4, to: 1)])
    }

    // MARK: Refused and sent again

    @Test func refusedLanesGoOutAgainInOrder() {
        var loop = Loop()
        for number: UInt64 in 1...3 { #expect(loop.submit(number) == [.send(number, to: 1)]) }
        for number: UInt64 in 1...3 { #expect(loop.refuse(number) == []) }
        #expect(loop.submit(4) == [])
        #expect(loop.ring(2, .peer(2)) == [.send(1, to: 2, restarts: true), .send(2, to: 2), .send(3, to: 2), .send(4, to: 2)])
        #expect(loop.lanes.retriedCount == 4)
        for number: UInt64 in 1...4 { #expect(loop.accept(number) == [.accept(number)]) }
    }

    @Test func nothingIsSentAgainBeforeEverythingIsAnswered() {
        var loop = Loop()
        for number: UInt64 in 1...3 { _ = loop.submit(number) }
        #expect(loop.refuse(1) == [])
        #expect(loop.ring(2, .peer(2)) == [])
        #expect(loop.tick(at: 1_000) == [])
        #expect(loop.refuse(2) == [])
        #expect(loop.tick(at: 2_000) == [])
        #expect(loop.refuse(3) == [])
        #expect(loop.tick(at: 2_024) == [], "the pause begins with the last refusal")
        #expect(loop.tick(at: 2_025) == [.send(1, to: 2, restarts: true), .send(2, to: 2), .send(3, to: 2)])
    }

    @Test func answersOutOfOrderDoNotChangeTheOrder() {
        var loop = Loop()
        for number: UInt64 in 1...3 { _ = loop.submit(number) }
        for number: UInt64 in [2, 3, 1] { #expect(loop.refuse(number) == []) }
        #expect(loop.tick(at: 25) == [.send(1, to: 1, restarts: true), .send(2, to: 1), .send(3, to: 1)])
    }

    @Test func nothingBeginsAgainWhileEarlierOnesAreUnderWay() {
        var loop = Loop()
        _ = loop.submit(1)
        _ = loop.submit(2)
        #expect(loop.refuse(1, .frozen) == [.refuse(1, .frozen)])
        // Sent now, with "restarts", it would be taken by a peer that has refused 2 already.
        #expect(loop.submit(3) == [])
        #expect(loop.refuse(2) == [])
        #expect(loop.tick(at: 25) == [.send(2, to: 1, restarts: true), .send(3, to: 1)])
    }

    @Test func aNewOwnerWaitsForWhatIsUnderWayToTheOldOne() {
        var loop = Loop()
        #expect(loop.submit(1) == [.send(1, to: 1)])
        #expect(loop.ring(2, .here) == [])
        // The old owner may have refused 1: appended here at once, 2 would overtake it.
        #expect(loop.submit(2) == [])
        #expect(loop.refuse(1) == [])
        #expect(loop.tick(at: 25) == [.append(1), .append(2)])
        for number: UInt64 in 1...2 { #expect(loop.accept(number) == [.accept(number)]) }
        loop.route = .peer(1)
        #expect(loop.submit(3) == [.send(3, to: 1, restarts: true)])
        loop.route = .peer(2)
        #expect(loop.submit(4) == [])
        #expect(loop.accept(3) == [.accept(3)])
        #expect(loop.tick(at: 50) == [.send(4, to: 2)])
    }

    /// A publish that this node has sent to the old owner can be handed back to it as the new one. If it waited here for
    /// those under way, it would wait for itself until its budget is over.
    @Test func whatComesBackInARoundIsNotKeptWaiting() {
        var loop = Loop()
        #expect(loop.submit(1) == [.send(1, to: 1)])
        #expect(loop.ring(2, .here) == [])
        #expect(loop.submit(101, stream: 6, hops: 2, epoch: 2) == [.refuse(101, .retry)])
        #expect(loop.refuse(1) == [])
        #expect(loop.tick(at: 25) == [.append(1)])
        var behind = Loop()
        #expect(behind.submit(1) == [.send(1, to: 1)])
        #expect(behind.submit(101, stream: 6, hops: 2, epoch: 2) == [.refuse(101, .retry)], "nor for the epoch")
        #expect(behind.ring(2, .preparing) == [])
        #expect(behind.lanes.parkedCount == 0)
        #expect(behind.submit(2) == [])
        #expect(behind.submit(102, stream: 6, hops: 1, epoch: 2) == [.refuse(102, .retry)], "nor behind what waits already")
    }

    @Test func onlyTheEntrySendsAgain() {
        var loop = Loop()
        _ = loop.submit(1, hops: 1)
        #expect(loop.refuse(1) == [.refuse(1, .retry)])
        _ = loop.submit(2)
        #expect(loop.refuse(2, .overloaded) == [.refuse(2, .overloaded)], "only what is worth a retry")
    }

    @Test func anUnreachableOwnerIsTriedAgain() {
        var loop = Loop()
        loop.route = .unreachable
        #expect(loop.submit(1, budget: 60) == [])
        #expect(loop.tick(at: 25) == [])
        loop.route = .peer(1)
        #expect(loop.tick(at: 49) == [])
        #expect(loop.tick(at: 50) == [.send(1, to: 1)])
        loop.route = .unreachable
        _ = loop.submit(2, Loop.key(slot: 8), budget: 60)
        #expect(loop.tick(at: 110) == [.refuse(1, .outcomeUnknown), .refuse(2, .ownerUnreachable)])
    }

    // MARK: This node as the owner

    @Test func whatIsAppendedIsUnderWayUntilItIsAnswered() {
        var loop = Loop()
        loop.route = .here
        #expect(loop.submit(1, budget: 100) == [.append(1)])
        #expect(loop.submit(2) == [.append(2)])
        #expect(loop.lanes.inFlightCount == 2)
        #expect(loop.accept(2) == [.accept(2)])
        #expect(loop.tick(at: 100) == [.refuse(1, .outcomeUnknown)])
        #expect(loop.accept(1) == [], "committed too late")
        #expect(loop.lanes.inFlightCount == 0 && loop.lanes.forwardedCount == 0)
    }

    @Test func aSlotWithoutItsHistoryWaits() {
        var loop = Loop()
        loop.route = .preparing
        #expect(loop.submit(1) == [.pull(7)])
        #expect(loop.submit(2, hops: 1) == [])
        #expect(loop.submit(3, budget: 60) == [])
        #expect(loop.tick(at: 50) == [.pull(7)], "it is asked for again")
        #expect(loop.tick(at: 60) == [.refuse(3, .retry)])
        #expect(loop.ready(8) == [], "another slot")
        #expect(loop.ready(7) == [.append(1), .append(2, maybeAgain: true)])
        #expect(loop.ready(7) == [])
        #expect(loop.submit(4) == [.append(4)])
    }

    @Test func whatWasNotConfirmedGoesToTheNextOwner() {
        var loop = Loop()
        loop.route = .here
        for number: UInt64 in 1...3 { #expect(loop.submit(number, hops: number == 2 ? 1 : 0) == [.append(number)]) }
        #expect(loop.ring(2, .peer(1)) == [])
        #expect(loop.refuse(1, .outcomeUnknown) == [])
        #expect(loop.refuse(2, .outcomeUnknown) == [.refuse(2, .outcomeUnknown)], "its router will send it again")
        #expect(loop.submit(4) == [])
        #expect(loop.refuse(3, .outcomeUnknown) == [])
        #expect(
            loop.tick(at: 25) == [
                .send(1, to: 1, restarts: true, maybeAgain: true), .send(3, to: 1, maybeAgain: true), .send(4, to: 1),
            ])
    }

    // MARK: Streams

    @Test func aRefusalOnAStreamRefusesWhatFollows() {
        var loop = Loop()
        loop.route = .nobody
        #expect(loop.submit(1, stream: 5) == [.refuse(1, .noOwner)])
        loop.route = .here
        #expect(loop.submit(2, stream: 5) == [.refuse(2, .retry)])
        #expect(loop.submit(3, stream: 6) == [.append(3)], "another stream")
        #expect(loop.submit(4) == [.append(4)], "no stream")
        #expect(loop.submit(5, Loop.key(slot: 9), stream: 5) == [.append(5)], "another slot")
        #expect(loop.submit(6, stream: 5, restarts: true) == [.append(6)])
        #expect(loop.submit(7, stream: 5) == [.append(7)])
        loop.route = .nobody
        #expect(loop.submit(8, stream: 5) == [.refuse(8, .noOwner)])
        loop.lanes.onStreamEnd(5)
        loop.route = .here
        #expect(loop.submit(9, stream: 5) == [.append(9)])
    }

    @Test func producersBeginAgainKeyByKeyAndNodesSlotBySlot() {
        var loop = Loop()
        let (one, other) = (Loop.key(1), Loop.key(2))
        loop.route = .nobody
        #expect(loop.submit(1, one, stream: 5) == [.refuse(1, .noOwner)])
        #expect(loop.submit(2, other, stream: 5) == [.refuse(2, .noOwner)])
        #expect(loop.submit(3, one, stream: 6, hops: 1) == [.refuse(3, .noOwner)])
        loop.route = .here
        #expect(loop.submit(4, one, stream: 5, restarts: true) == [.append(4)])
        #expect(loop.submit(5, other, stream: 5) == [.refuse(5, .retry)], "a producer can't know that the two share a slot")
        #expect(loop.submit(6, other, stream: 6, hops: 1) == [.refuse(6, .retry)])
        #expect(loop.submit(7, other, stream: 6, restarts: true, hops: 1) == [.append(7)])
        #expect(loop.submit(8, one, stream: 6, hops: 1) == [.append(8)])
    }

    @Test func whatComesBackBehindARefusalIsRefusedToo() {
        var loop = Loop()
        for number: UInt64 in 1...3 { _ = loop.submit(number, stream: number == 3 ? 6 : 5) }
        #expect(loop.refuse(1, .windowFull) == [.refuse(1, .windowFull)])
        #expect(loop.refuse(2) == [.refuse(2, .retry)])
        #expect(loop.refuse(3) == [], "another stream's is sent again")
        #expect(loop.tick(at: 25) == [.send(3, to: 1, restarts: true)])
    }

    @Test func whatIsParkedBehindARefusalIsRefusedToo() {
        var loop = Loop()
        loop.route = .unreachable
        _ = loop.submit(1, stream: 5)
        _ = loop.submit(2, stream: 5, budget: 40)
        _ = loop.submit(3, stream: 5)
        _ = loop.submit(4, stream: 6)
        loop.route = .peer(1)
        #expect(loop.tick(at: 40) == [.refuse(2, .ownerUnreachable), .refuse(3, .retry), .send(1, to: 1), .send(4, to: 1)])
    }

    @Test func nothingOvertakesWhatIsRefusedWhenItsLaneOpens() {
        var limits = LaneLimits()
        limits.inFlightBytesMax = 10
        var loop = Loop(limits: limits)
        _ = loop.submit(1, Loop.key(slot: 9), bytes: 5)
        loop.route = .unreachable
        _ = loop.submit(2, stream: 5, bytes: 8)
        _ = loop.submit(3, stream: 5, bytes: 1)
        _ = loop.submit(4, stream: 6, bytes: 1)
        #expect(loop.ring(2, .peer(1)) == [.refuse(2, .overloaded), .refuse(3, .retry), .send(4, to: 1)])
    }

    @Test func aStreamThatHasEndedLeavesNothingBehind() {
        var loop = Loop()
        _ = loop.submit(1, stream: 5)
        loop.lanes.onStreamEnd(5)
        #expect(loop.refuse(1, .frozen) == [.refuse(1, .frozen)])
        #expect(loop.submit(2, stream: 5) == [.send(2, to: 1, restarts: true)])
    }

    @Test func whatComesBackToAStreamThatHasEndedIsNotTriedAgain() {
        var loop = Loop()
        _ = loop.submit(1, stream: 5)
        _ = loop.submit(2, stream: 5)
        loop.lanes.onStreamEnd(5)
        #expect(loop.refuse(1, .retry) == [.refuse(1, .retry)], "its producer has sent it again elsewhere")
        #expect(loop.refuse(2, .retry) == [.refuse(2, .retry)], "or it could overtake the one before")
        #expect(loop.tick(at: 100) == [])
    }

    // MARK: Lost peers, budgets, bounds

    @Test func whatWasUnderWayToALostPeerIsSentAgain() {
        var loop = Loop()
        _ = loop.submit(1)
        _ = loop.submit(2, stream: 5)
        loop.route = .peer(2)
        _ = loop.submit(3, Loop.key(slot: 8))
        #expect(loop.peerDown(1) == [])
        #expect(loop.submit(4, stream: 5) == [], "behind it")
        #expect(loop.accept(1) == [], "a late answer")
        #expect(loop.accept(3) == [.accept(3)])
        #expect(loop.lanes.inFlightCount == 0)
        #expect(
            loop.tick(at: 25) == [.send(1, to: 2, restarts: true, maybeAgain: true), .send(2, to: 2, maybeAgain: true), .send(4, to: 2)])
        for number: UInt64 in [1, 2, 4] { #expect(loop.accept(number) == [.accept(number)]) }
    }

    @Test func onlyTheEntrySendsAgainWhatMayHaveArrived() {
        var loop = Loop()
        _ = loop.submit(1, stream: 5, hops: 1)
        #expect(loop.peerDown(1) == [.refuse(1, .outcomeUnknown)])
        #expect(loop.submit(2, stream: 5, hops: 1) == [.refuse(2, .retry)])
        _ = loop.submit(3)
        #expect(loop.refuse(3, .outcomeUnknown) == [], "the owner does not know either")
        #expect(loop.tick(at: 25) == [.send(3, to: 1, restarts: true, maybeAgain: true)])
    }

    @Test func whatMayHaveArrivedStaysUnknown() {
        var loop = Loop()
        for number: UInt64 in 1...3 { _ = loop.submit(number, Loop.key(slot: 10 + number), budget: number == 3 ? 40 : 10_000) }
        #expect(loop.peerDown(1) == [])
        loop.route = .unreachable
        #expect(loop.tick(at: 40) == [.refuse(3, .outcomeUnknown)])
        #expect(loop.ring(2, .nobody) == [.refuse(1, .outcomeUnknown), .refuse(2, .outcomeUnknown)], "no later refusal makes it certain")
        var streams = Loop()
        for number: UInt64 in 1...2 { _ = streams.submit(number, stream: 5) }
        #expect(streams.peerDown(1) == [])
        #expect(streams.submit(3, stream: 5) == [])
        #expect(
            streams.ring(2, .nobody) == [.refuse(1, .outcomeUnknown), .refuse(2, .outcomeUnknown), .refuse(3, .retry)],
            "and what was refused behind it may have arrived too")
    }

    @Test func budgetsRunOutInFlightAndParked() {
        var loop = Loop()
        _ = loop.submit(1, budget: 100)
        _ = loop.submit(2, budget: 200)
        #expect(loop.tick(at: 99) == [])
        #expect(loop.tick(at: 100) == [.refuse(1, .outcomeUnknown)])
        #expect(loop.accept(1) == [], "a late answer")
        #expect(loop.refuse(2) == [])
        #expect(loop.tick(at: 124) == [])
        loop.route = .unreachable
        #expect(loop.tick(at: 125) == [])
        #expect(loop.tick(at: 200) == [.refuse(2, .ownerUnreachable)])
        #expect(loop.lanes.parkedCount == 0)
        _ = loop.submit(4, Loop.key(slot: 8), budget: 10)
        loop.now = 210
        #expect(loop.ring(10, .here) == [.refuse(4, .ownerUnreachable)], "also when the ring comes first")
    }

    @Test func parkingIsBounded() {
        var limits = LaneLimits()
        limits.parkedMax = 2
        limits.parkedBytesMax = 10
        var loop = Loop(limits: limits)
        loop.route = .unreachable
        #expect(loop.submit(1, bytes: 11) == [.refuse(1, .overloaded)])
        #expect(loop.submit(2, bytes: 10) == [])
        #expect(loop.submit(3, bytes: 1) == [.refuse(3, .overloaded)])
        #expect(loop.ring(2, .peer(1)) == [.send(2, to: 1)])
        loop.route = .unreachable
        #expect(loop.submit(4, Loop.key(slot: 8)) == [])
        #expect(loop.submit(5, Loop.key(slot: 9)) == [])
        #expect(loop.submit(6, Loop.key(slot: 10)) == [.refuse(6, .overloaded)])
        loop.route = .peer(1)
        #expect(loop.submit(7, Loop.key(slot: 10)) == [.send(7, to: 1)], "a refused one closes no lane")
    }

    @Test func flightsAreBounded() {
        var limits = LaneLimits()
        limits.inFlightMax = 2
        limits.inFlightBytesMax = 10
        var loop = Loop(limits: limits)
        #expect(loop.submit(1, bytes: 8) == [.send(1, to: 1)])
        #expect(loop.submit(2, bytes: 3) == [.refuse(2, .overloaded)])
        #expect(loop.submit(3, bytes: 1) == [.send(3, to: 1)])
        #expect(loop.submit(4, bytes: 1) == [.refuse(4, .overloaded)])
        #expect(loop.accept(1) == [.accept(1)])
        #expect(loop.submit(5, bytes: 9) == [.send(5, to: 1)])
        #expect(loop.lanes.forwardedCount == 3)
        loop.route = .here
        #expect(loop.submit(6, Loop.key(slot: 8), bytes: 1) == [.refuse(6, .overloaded)], "appended or forwarded")
    }
}

@Suite struct RefusedStreamsTests {
    private func key(_ number: Int) -> Key { Key(.user, trusted: [1], hash: KeyHash(rawValue: UInt64(number))) }

    private func context(restarts: Bool = false) -> PublishContext {
        PublishContext(address: ReturnAddress(connectionID: 0, id: 0), stream: 5, restarts: restarts)
    }

    @Test func aStreamWithTooManyRefusedKeysIsRefusedUnlessItRestarts() {
        var refused = RefusedStreams()
        for number in 0..<RefusedStreams.unitsMax { refused.add(key(number), context(), arrival: 1) }
        #expect(!refused.refuses(key(.max), context(), arrival: 2))
        refused.add(key(.max), context(), arrival: 3)
        #expect(refused.refuses(key(.max), context(), arrival: 4))
        #expect(refused.refuses(key(.max - 1), context(), arrival: 4), "nobody knows any more")
        #expect(!refused.refuses(key(.max), context(restarts: true), arrival: 4))
        refused.end(5, underWayUpTo: nil)
        #expect(refused.isEmpty)
    }

    @Test func theLastRestartLeavesNothingBehind() {
        var refused = RefusedStreams()
        refused.add(key(1), context(), arrival: 1)
        refused.restart(key(1), context(restarts: true))
        #expect(refused.isEmpty)
    }
}
