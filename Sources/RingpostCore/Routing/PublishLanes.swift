// Where each publish goes from here: appended on this node, forwarded to the owner, parked until the ring is ready, or
// refused. Everything for one slot passes one lane of one event loop, so one producer's messages keep their order
// also while the ring changes: what is refused comes back in order and is sent again in order, before what came later.

/// Bounds of one event loop's lanes.
public struct LaneLimits: Sendable {
    /// Publishes that wait for a ring, a link or a refused predecessor; beyond it new ones are refused as overloaded.
    public var parkedMax = 16_384
    /// Bytes of payload that wait, likewise.
    public var parkedBytesMax = 32 * 1_024 * 1_024
    /// Publishes that were forwarded and are not answered yet.
    public var inFlightMax = 65_536
    /// Their payloads are kept until the answer, to be sent again.
    public var inFlightBytesMax = 64 * 1_024 * 1_024
    /// How long a refused lane waits before it tries again, unless a new ring comes earlier.
    public var retryMilliseconds: Int64 = 25

    /// The defaults.
    public init() {}
}

/// How a publish came to this loop.
public struct PublishContext: Hashable, Sendable {
    /// A publish makes at most two hops between nodes.
    public static let hopsMax: UInt8 = 2

    /// Where the answer goes.
    public let address: ReturnAddress
    /// Links it has crossed.
    public let hops: UInt8
    /// The sender's epoch; 0 where the publish entered here.
    public let epoch: UInt64
    /// The producer's connection or batch: a refusal on it also refuses what follows for that key, or for that slot where it
    /// is another node's link. 0 for single requests.
    public let stream: UInt64
    /// The producer begins again, in order, after a refusal; everything it sent for the key before has been answered.
    public let restarts: Bool

    /// A publish that entered here, unless more is said.
    public init(address: ReturnAddress, hops: UInt8 = 0, epoch: UInt64 = 0, stream: UInt64 = 0, restarts: Bool = false) {
        self.address = address
        self.hops = hops
        self.epoch = epoch
        self.stream = stream
        self.restarts = restarts
    }
}

/// The lanes of one event loop.
public struct PublishLanes {
    /// What the shell has to do.
    public enum Action: Equatable, Sendable {
        case append(Publish, PublishContext, arrival: UInt64)
        case send(peer: UInt32, request: UInt64, Publish, hops: UInt8, restarts: Bool)
        case answer(ReturnAddress, PublishResult)
    }

    /// Where a slot's owner is, seen from this node.
    public enum Route: Hashable, Sendable {
        case here
        /// A link that is up.
        case peer(UInt32)
        /// A member that no link reaches at the moment.
        case unreachable
        /// No member has weight.
        case nobody
    }

    /// A publish with the number of its arrival here: what comes back refused takes its place again by it.
    private struct Arrival {
        let publish: Publish
        let context: PublishContext
        let number: UInt64

        var slot: Int { publish.key.slot }
    }

    private struct Lane {
        /// Came back refused, in the order of arrival.
        var returned: [Arrival] = []
        /// Came while the lane was closed.
        var waiting: [Arrival] = []
        var notBefore: Int64 = 0
        var waitsForEpoch: UInt64 = 0
        /// Why it waits; the answer when a budget runs out here.
        var reason = Problem.retry

        var isEmpty: Bool { returned.isEmpty && waiting.isEmpty }

        mutating func wait(_ arrival: Arrival) {
            waiting.append(arrival)
            waitsForEpoch = max(waitsForEpoch, arrival.context.epoch)
        }

        /// Answers come in the order of arrival except when a budget ran out somewhere, so the search is short.
        mutating func takeBack(_ arrival: Arrival) {
            var place = returned.count
            while place > 0, returned[place - 1].number > arrival.number { place -= 1 }
            returned.insert(arrival, at: place)
        }
    }

    private struct Flight {
        let arrival: Arrival
        let peer: UInt32
    }

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

    /// Publishes sent to another node and not answered yet.
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
        if !lanes.isEmpty, lanes[slot] != nil {
            park(arrival, actions: &actions)
        } else if context.epoch > epoch {
            lanes[slot] = Lane()
            park(arrival, actions: &actions)
        } else {
            dispatch(arrival, now: now, route: route, actions: &actions)
        }
    }

    /// Whether a publish that was let through to be appended may still be: one before it in the same list of actions may
    /// have been refused by the mailboxes since.
    public func mayAppend(_ publish: Publish, _ context: PublishContext, arrival: UInt64) -> Bool {
        refused.isEmpty || !refused.refuses(publish.key, context, arrival: arrival)
    }

    /// The mailboxes, which answered it themselves, refused a publish: what follows on its stream is refused too.
    public mutating func onAppendRefused(_ publish: Publish, _ context: PublishContext, arrival: UInt64) {
        refused.add(publish.key, context, arrival: arrival)
    }

    /// A peer answers a forwarded publish.
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
        if problem.isWorthARetry, arrival.context.hops == 0, arrival.publish.deadline > now, !isRefused(arrival) {
            var lane = lanes.removeValue(forKey: slot) ?? Lane()
            lane.takeBack(arrival)
            lane.notBefore = now + limits.retryMilliseconds
            lane.reason = problem
            lanes[slot] = lane
            countParked(arrival, 1)
        } else {
            refuse(arrival, problem, actions: &actions)
            openIfEmpty(slot)
        }
    }

    /// A link has closed: what was under way on it may or may not have been appended.
    public mutating func onPeerDown(_ peer: UInt32, actions: inout [Action]) {
        for (_, flight) in flights.takeAll(where: { $0.peer == peer }) {
            land(flight.arrival)
            refuse(flight.arrival, .outcomeUnknown, actions: &actions)
        }
    }

    /// A producer's connection or batch has ended.
    public mutating func onStreamEnd(_ stream: UInt64) {
        refused.end(stream, hasMoreUnderWay: flights.count > 0 || !lanes.isEmpty)
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
    /// elsewhere; 3 earlier ones for the slot are under way to somebody else, who may yet send them back: it waits for them;
    /// 4 this node owns it, and may act; 5 it has no right to act; 6 the publish has crossed enough links; 7 it is forwarded.
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
        case let target where inFlightBySlot[slot] > 0 && target != .peer(peerBySlot[slot]):  // 3
            lanes[slot] = Lane()
            park(arrival, actions: &actions)
        case .here where now < mayActUntil:  // 4
            actions.append(.append(arrival.publish, arrival.context, arrival: arrival.number))
        case .here:  // 5
            refuse(arrival, .frozen, actions: &actions)
        case .peer where arrival.context.hops >= PublishContext.hopsMax:  // 6
            refuse(arrival, .retry, actions: &actions)
        case .peer(let peer):  // 7
            forward(arrival, to: peer, actions: &actions)
        }
    }

    private mutating func forward(_ arrival: Arrival, to peer: UInt32, actions: inout [Action]) {
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
        forwardedCount += 1
        let restarts = !restartNext.isEmpty && restartNext.remove(slot) != nil
        actions.append(.send(peer: peer, request: request, publish, hops: arrival.context.hops + 1, restarts: restarts))
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

    /// Refuses a publish; what is parked behind it on its stream is refused when its lane is looked at next.
    private mutating func refuse(_ arrival: Arrival, _ problem: Problem, actions: inout [Action]) {
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
        for slot in lanes.keys.sorted() {
            guard let lane = lanes[slot], inFlightBySlot[slot] == 0, lane.waitsForEpoch <= epoch, force || lane.notBefore <= now
            else { continue }
            lanes[slot] = nil
            for arrival in lane.returned + lane.waiting {
                countParked(arrival, -1)
                if isRefused(arrival) {
                    actions.append(.answer(arrival.context.address, .failure(.retry)))
                } else if lanes[slot] != nil {
                    park(arrival, actions: &actions)
                } else {
                    retriedCount += 1
                    dispatch(arrival, now: now, route: route, actions: &actions)
                }
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
