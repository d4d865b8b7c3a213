// Where each publish goes from here: appended on this node, forwarded to the owner, parked until the ring is ready, or
// refused. Everything for one slot passes one lane of one event loop, so one producer's messages keep their order
// also while the ring changes: what is refused comes back in order and is sent again in order, before what came later.

/// The lanes of one event loop.
public struct PublishLanes {
    /// What the shell has to do.
    public enum Action: Equatable, Sendable {
        /// To this node's own mailboxes; answered by ``onAnswer(request:_:now:actions:)`` like one that was sent.
        case append(request: UInt64, Publish)
        case send(peer: UInt32, request: UInt64, Publish, hops: UInt8, restarts: Bool)
        case answer(ReturnAddress, PublishResult)
        /// A publish waits for the history of a slot that is to be this node's.
        case pull(Int)
    }

    /// Where a slot's owner is, seen from this node.
    public enum Route: Hashable, Sendable {
        case here
        /// This node, once it has the slot's history.
        case preparing
        /// A link that is up.
        case peer(UInt32)
        /// A member that no link reaches at the moment.
        case unreachable
        /// No member has weight.
        case nobody

        fileprivate func isReached(by peer: UInt32) -> Bool {
            if case .peer(peer) = self { return true }
            return self == .here && peer == PublishLanes.here
        }
    }

    /// Stands for this node among the peers.
    fileprivate static let here = UInt32.max

    private let limits: LaneLimits
    /// Slots that are closed: what arrives for them waits behind what waits already.
    private var lanes: [Int: Lane] = [:]
    private var flights: RequestTable<Flight>
    private var inFlightBySlot = [Int32](repeating: 0, count: 65_536)
    /// Where a slot's publishes in flight have gone: never to two peers at once.
    private var peerBySlot = [UInt32](repeating: 0, count: 65_536)
    /// No budget in flight runs out earlier, so that most ticks needn't look.
    private var flightsDueAt = Int64.max
    private var arrivalCount: UInt64 = 0
    private var parkedBytes = 0
    private var inFlightBytes = 0
    private var refused = RefusedStreams()
    /// Slots whose next forwarded message tells the peer that it begins again in order.
    private var restartNext: Set<Int> = []

    /// The epoch of the ring in force; 0 before the first.
    public private(set) var epoch: UInt64 = 0
    /// Until when this node may act as an owner, on its monotonic clock.
    public var mayActUntil: Int64 = .min
    /// Publishes that wait.
    public private(set) var parkedCount = 0
    /// Publishes sent to another node so far.
    public private(set) var forwardedCount: UInt64 = 0
    /// Publishes that left a lane for another try so far.
    public private(set) var retriedCount: UInt64 = 0

    /// Lanes without a ring yet: everything is answered with "no owner" or waits.
    public init(limits: LaneLimits = LaneLimits()) {
        self.limits = limits
        flights = RequestTable(countMax: limits.inFlightMax)
    }

    /// Publishes sent to another node, or waiting to be confirmed here, and not answered yet.
    public var inFlightCount: Int { flights.count }

    // MARK: Events

    /// A publish arrives, from a producer here or from another node.
    public mutating func submit(
        _ publish: Publish, _ context: PublishContext, now: Int64, route: (Int) -> Route, actions: inout [Action]
    ) {
        arrivalCount += 1
        let arrival = Arrival(publish: publish, context: context, number: arrivalCount)
        if context.stream != 0, !refused.isEmpty {
            if context.restarts { refused.restart(publish.key, context) }
            if isRefused(arrival) {
                actions.append(.answer(context.address, .failure(.retry)))
                return
            }
        }
        let slot = arrival.slot
        let waits = !lanes.isEmpty && lanes[slot] != nil
        // Who owns the slot may act as its owner, also for somebody who knows a later epoch and still sends here.
        if waits || context.epoch > epoch && route(slot) != .here {
            if waitsForItself(arrival) {
                refuse(arrival, .retry, actions: &actions)
                return
            }
            if !waits { lanes[slot] = Lane() }
            park(arrival, actions: &actions)
        } else {
            dispatch(arrival, now: now, route: route, actions: &actions)
        }
    }

    /// Whether a publish for a slot of this node need not be numbered, wait or be looked after: nothing was refused on its stream, nothing for
    /// the slot is under way or waits.
    func letsThrough(_ slot: Int, _ context: PublishContext, now: Int64) -> Bool {
        (context.stream == 0 || refused.isEmpty) && (lanes.isEmpty || lanes[slot] == nil) && inFlightBySlot[slot] == 0 && now < mayActUntil
    }

    /// A publish that came over a link may be one of those that this node has under way for the slot, on its way round: behind
    /// them it would wait for itself. It goes back to where it entered, and waits there.
    private func waitsForItself(_ arrival: Arrival) -> Bool {
        let slot = arrival.slot
        return arrival.context.hops > 0 && inFlightBySlot[slot] > 0 && peerBySlot[slot] != Self.here
    }

    /// Whether a publish that was let through to be appended may still be: one before it in the same list of actions may
    /// have been refused by the mailboxes since.
    public func mayAppend(request: UInt64) -> Bool {
        guard !refused.isEmpty, let flight = flights[request] else { return true }
        return !isRefused(flight.arrival)
    }

    /// A peer answers a forwarded publish, or this node's mailboxes one that was to be appended.
    public mutating func onAnswer(request: UInt64, _ result: PublishResult, now: Int64, actions: inout [Action]) {
        guard let flight = flights.take(request) else { return }
        let arrival = flight.arrival
        land(arrival)
        guard case .failure(let problem) = result else {
            actions.append(.answer(arrival.context.address, result))
            if !lanes.isEmpty { openIfEmpty(arrival.slot) }
            return
        }
        let slot = arrival.slot
        restartNext.insert(slot)
        // Nothing may begin again while earlier ones are under way: the peer would take it and still refuse those.
        if inFlightBySlot[slot] > 0, lanes[slot] == nil { lanes[slot] = Lane() }
        requeueOrRefuse(arrival, problem, now: now, actions: &actions)
        openIfEmpty(slot)
    }

    /// Whoever let a publish in sends it again for as long as its budget lasts: if it may have been appended, so that the
    /// next owner looks for it first.
    private mutating func requeueOrRefuse(_ arrival: Arrival, _ problem: Problem, now: Int64, actions: inout [Action]) {
        let isUnknown = problem == .outcomeUnknown
        guard problem.isWorthARetry || isUnknown, arrival.context.hops == 0, arrival.publish.deadline > now, !isRefused(arrival) else {
            refuse(arrival, problem, actions: &actions)
            return
        }
        var lane = lanes.removeValue(forKey: arrival.slot) ?? Lane()
        lane.requeue(isUnknown ? arrival.asRepeat : arrival)
        lane.notBefore = now + limits.retryMilliseconds
        lane.reason = problem
        lanes[arrival.slot] = lane
        countParked(arrival, 1)
    }

    /// A link has closed: what was under way on it may or may not have been appended.
    public mutating func onPeerDown(_ peer: UInt32, now: Int64, actions: inout [Action]) {
        for (_, flight) in flights.takeAll(where: { $0.peer == peer }) {
            land(flight.arrival)
            restartNext.insert(flight.arrival.slot)
            requeueOrRefuse(flight.arrival, .outcomeUnknown, now: now, actions: &actions)
        }
    }

    /// A slot of this node is ready: what waits for it is appended now.
    public mutating func onReady(_ slot: Int, now: Int64, route: (Int) -> Route, actions: inout [Action]) {
        if lanes[slot] != nil { drain(slot, now: now, force: true, route: route, actions: &actions) }
    }

    /// A producer's connection or batch has ended.
    public mutating func onStreamEnd(_ stream: UInt64) {
        refused.end(stream, underWayUpTo: flights.count > 0 || !lanes.isEmpty ? arrivalCount : nil)
    }

    /// A new ring: lanes that waited try at once.
    public mutating func onEpoch(_ newEpoch: UInt64, now: Int64, route: (Int) -> Route, actions: inout [Action]) {
        epoch = newEpoch
        expire(now: now, actions: &actions)
        drain(now: now, force: true, route: route, actions: &actions)
    }

    /// Time passes: lanes try again, budgets run out.
    public mutating func onTick(now: Int64, route: (Int) -> Route, actions: inout [Action]) {
        refused.onTick(now: now)
        expire(now: now, actions: &actions)
        drain(now: now, force: false, route: route, actions: &actions)
    }

    // MARK: Decisions

    /// The cases: 1 nobody can own the key; 2 no link to the owner: the publish waits where it entered, and is refused
    /// elsewhere; 3 earlier ones for the slot are under way to somebody else, who may yet send them back: it waits for them
    /// where it entered; 4 this node owns it, and may act; 5 it has no right to act; 6 it is to own it, but has not got the history yet: the
    /// publish waits; 7 the publish has crossed enough links; 8 it is forwarded.
    private mutating func dispatch(_ arrival: Arrival, now: Int64, route: (Int) -> Route, actions: inout [Action]) {
        let slot = arrival.slot
        switch route(slot) {
        case .nobody:  // 1
            refuse(arrival, .noOwner, actions: &actions)
        case .unreachable where arrival.context.hops == 0:  // 2
            lanes[slot] = Lane(notBefore: now + limits.retryMilliseconds, reason: .ownerUnreachable)
            park(arrival, actions: &actions)
        case .unreachable:
            refuse(arrival, .ownerUnreachable, actions: &actions)
        case let target where inFlightBySlot[slot] > 0 && !target.isReached(by: peerBySlot[slot]):  // 3
            if waitsForItself(arrival) {
                refuse(arrival, .retry, actions: &actions)
            } else {
                lanes[slot] = Lane()
                park(arrival, actions: &actions)
            }
        case .here where now < mayActUntil:  // 4
            send(arrival, to: Self.here, actions: &actions)
        case .here:  // 5
            refuse(arrival, .frozen, actions: &actions)
        case .preparing:  // 6
            lanes[slot] = Lane(notBefore: now + limits.retryMilliseconds)
            park(arrival, actions: &actions)
            actions.append(.pull(slot))
        case .peer where arrival.context.hops >= PublishContext.hopsMax:  // 7
            refuse(arrival, .retry, actions: &actions)
        case .peer(let peer):  // 8
            send(arrival, to: peer, actions: &actions)
        }
    }

    /// Appended here or forwarded: either way it is under way until it is answered.
    private mutating func send(_ arrival: Arrival, to peer: UInt32, actions: inout [Action]) {
        let publish = arrival.publish
        guard inFlightBytes + publish.data.count <= limits.inFlightBytesMax,
            let request = flights.insert(Flight(arrival: arrival, peer: peer))
        else {
            refuse(arrival, .overloaded, actions: &actions)
            return
        }
        let slot = arrival.slot
        inFlightBySlot[slot] += 1
        peerBySlot[slot] = peer
        inFlightBytes += publish.data.count
        flightsDueAt = min(flightsDueAt, publish.deadline)
        if peer == Self.here {
            actions.append(.append(request: request, publish))
            return
        }
        forwardedCount += 1
        let restarts = !restartNext.isEmpty && restartNext.remove(slot) != nil
        // Over a second link: its router may have sent it again on another way meanwhile.
        let sent = arrival.context.hops > 0 ? arrival.asRepeat.publish : publish
        actions.append(.send(peer: peer, request: request, sent, hops: arrival.context.hops + 1, restarts: restarts))
    }

    /// What is no longer under way.
    private mutating func land(_ arrival: Arrival) {
        inFlightBySlot[arrival.slot] -= 1
        inFlightBytes -= arrival.publish.data.count
    }

    /// Puts a publish at the end of its slot's lane, which is there already.
    private mutating func park(_ arrival: Arrival, actions: inout [Action]) {
        let slot = arrival.slot
        if parkedCount >= limits.parkedMax || parkedBytes + arrival.publish.data.count > limits.parkedBytesMax {
            refuse(arrival, .overloaded, actions: &actions)
            openIfEmpty(slot)
            return
        }
        lanes[slot]?.wait(arrival)
        countParked(arrival, 1)
    }

    private mutating func countParked(_ arrival: Arrival, _ sign: Int) {
        parkedCount += sign
        parkedBytes += sign * arrival.publish.data.count
    }

    private func isRefused(_ arrival: Arrival) -> Bool {
        refused.refuses(arrival.publish.key, arrival.context, arrival: arrival.number)
    }

    /// Refuses a publish; what is parked behind it on its stream is refused when its lane is looked at next. Once it may have
    /// been appended, no later refusal makes that certain again.
    private mutating func refuse(_ arrival: Arrival, _ problem: Problem, actions: inout [Action]) {
        let problem = arrival.publish.mayBeRepeat && arrival.context.hops == 0 ? .outcomeUnknown : problem
        actions.append(.answer(arrival.context.address, .failure(problem)))
        refused.add(arrival.publish.key, arrival.context, arrival: arrival.number)
    }

    /// An empty lane goes on only while what is in flight has to be answered before anything restarts.
    private mutating func openIfEmpty(_ slot: Int) {
        guard let lane = lanes[slot], lane.isEmpty else { return }
        lanes[slot] = inFlightBySlot[slot] > 0 ? Lane() : nil
    }

    private mutating func drain(now: Int64, force: Bool, route: (Int) -> Route, actions: inout [Action]) {
        // In the order of slots, so that a simulation repeats exactly.
        for slot in lanes.keys.sorted() { drain(slot, now: now, force: force, route: route, actions: &actions) }
    }

    private mutating func drain(_ slot: Int, now: Int64, force: Bool, route: (Int) -> Route, actions: inout [Action]) {
        guard let lane = lanes[slot], inFlightBySlot[slot] == 0, lane.waitsForEpoch <= epoch, force || lane.notBefore <= now
        else { return }
        lanes[slot] = nil
        for arrival in lane.returned + lane.waiting {
            countParked(arrival, -1)
            if isRefused(arrival) {
                actions.append(.answer(arrival.context.address, .failure(arrival.refusalBehindAnother)))
            } else if lanes[slot] != nil {
                park(arrival, actions: &actions)
            } else {
                retriedCount += 1
                // While it waited here, its router may have sent it again.
                dispatch(arrival.context.hops > 0 ? arrival.asRepeat : arrival, now: now, route: route, actions: &actions)
            }
        }
    }

    private mutating func expire(now: Int64, actions: inout [Action]) {
        if flightsDueAt <= now {
            var dueAt = Int64.max
            let late = flights.takeAll { flight in
                let deadline = flight.arrival.publish.deadline
                if deadline > now { dueAt = min(dueAt, deadline) }
                return deadline <= now
            }
            flightsDueAt = dueAt
            for (_, flight) in late {
                land(flight.arrival)
                refuse(flight.arrival, .outcomeUnknown, actions: &actions)
            }
        }
        for slot in lanes.keys.sorted() { sweep(slot, now: now, actions: &actions) }
    }

    /// Takes out of a lane whose budget has run out and who may not overtake what was refused.
    private mutating func sweep(_ slot: Int, now: Int64, actions: inout [Action]) {
        guard var lane = lanes[slot] else { return }
        let reason = lane.reason
        lane.returned = lane.returned.filter { stays($0, now: now, reason: reason, actions: &actions) }
        lane.waiting = lane.waiting.filter { stays($0, now: now, reason: reason, actions: &actions) }
        // Only those that are left count, or a lane could wait for an epoch that nobody needs any more.
        lane.waitsForEpoch = max(
            lane.returned.reduce(0) { max($0, $1.context.epoch) }, lane.waiting.reduce(0) { max($0, $1.context.epoch) })
        lanes[slot] = lane
        openIfEmpty(slot)
    }

    private mutating func stays(_ arrival: Arrival, now: Int64, reason: Problem, actions: inout [Action]) -> Bool {
        let isLate = arrival.publish.deadline <= now
        if !isLate, !isRefused(arrival) { return true }
        countParked(arrival, -1)
        refuse(arrival, isLate ? reason : .retry, actions: &actions)
        return false
    }
}
