// Where each publish goes from here: appended on this node, forwarded to the owner, parked until the ring is ready, or
// refused. Everything for one slot passes one lane of one event loop, so one producer's messages keep their order
// also while the ring changes: what is refused comes back in order and is sent again in order, before what came later.

/// Bounds of one event loop's lanes.
public struct LaneLimits: Sendable {
    /// Publishes that wait for a ring, a link or a refused predecessor; beyond it new ones are refused as overloaded.
    public var parkedMax = 16_384
    public var parkedBytesMax = 32 * 1_024 * 1_024
    /// Publishes that were forwarded and are not answered yet.
    public var inFlightMax = 65_536
    /// How long a refused lane waits before it tries again, unless a new ring comes earlier.
    public var retryMilliseconds: Int64 = 25

    public init() {}
}

/// How a publish came to this loop.
public struct PublishContext: Sendable {
    /// A publish makes at most two hops between nodes.
    public static let hopsMax: UInt8 = 2

    public let address: ReturnAddress
    /// Links it has crossed.
    public let hops: UInt8
    /// The sender's epoch; 0 where the publish entered here.
    public let epoch: UInt64
    /// The producer's connection or batch: a refusal on it also refuses what follows for that slot. 0 for single requests.
    public let stream: UInt64
    /// The producer begins again, in order, after a refusal.
    public let restarts: Bool

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
    public enum Action: Sendable {
        case append(Publish, ReturnAddress)
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

    private struct Parked {
        let publish: Publish
        let context: PublishContext
    }

    private struct Lane {
        /// Came back refused, in their order.
        var returned: [Parked] = []
        /// Came while the lane was closed.
        var waiting: [Parked] = []
        var notBefore: Int64 = 0
        var waitsForEpoch: UInt64 = 0
        /// Why it waits; the answer when a budget runs out here.
        var reason = Problem.retry
    }

    private struct Flight {
        let publish: Publish
        let context: PublishContext
        let peer: UInt32
    }

    private let limits: LaneLimits
    private var lanes: [Int: Lane] = [:]
    private var flights: RequestTable<Flight>
    private var inFlightBySlot = [Int32](repeating: 0, count: 65_536)
    private var parkedBytes = 0
    /// By stream: slots whose messages are refused until the stream begins again in order.
    private var refusing: [UInt64: Set<Int>] = [:]
    /// Slots whose next forwarded message tells the peer that it begins again in order.
    private var restartNext: Set<Int> = []

    public private(set) var epoch: UInt64 = 0
    /// Until when this node may act as an owner, on its monotonic clock.
    public var mayActUntil: Int64 = .min
    public private(set) var parkedCount = 0
    public private(set) var forwardedCount: UInt64 = 0
    public private(set) var retriedCount: UInt64 = 0

    public init(limits: LaneLimits = LaneLimits()) {
        self.limits = limits
        flights = RequestTable(countMax: limits.inFlightMax)
    }

    public var inFlightCount: Int { flights.count }

    // MARK: Events

    /// A publish arrives, from a producer here or from another node.
    public mutating func submit(
        _ publish: Publish, _ context: PublishContext, now: Int64, route: (Int) -> Route, actions: inout [Action]
    ) {
        let slot = publish.key.slot
        if context.stream != 0, !refusing.isEmpty, refusing[context.stream]?.contains(slot) == true {
            guard context.restarts else {
                actions.append(.answer(context.address, .failure(.retry)))
                return
            }
            refusing[context.stream]?.remove(slot)
        }
        if !lanes.isEmpty, lanes[slot] != nil {
            park(Parked(publish: publish, context: context), actions: &actions)
        } else if context.epoch > epoch {
            lanes[slot] = Lane(waitsForEpoch: context.epoch)
            park(Parked(publish: publish, context: context), actions: &actions)
        } else {
            dispatch(publish, context, now: now, route: route, actions: &actions)
        }
    }

    /// A peer answers a forwarded publish.
    public mutating func onAnswer(request: UInt64, _ result: PublishResult, now: Int64, actions: inout [Action]) {
        guard let flight = flights.take(request) else { return }
        let slot = flight.publish.key.slot
        inFlightBySlot[slot] -= 1
        guard case .failure(let problem) = result else {
            actions.append(.answer(flight.context.address, result))
            return
        }
        restartNext.insert(slot)
        if problem.isWorthARetry, flight.context.hops == 0, flight.publish.deadline > now {
            var lane = lanes[slot] ?? Lane()
            lane.returned.append(Parked(publish: flight.publish, context: flight.context))
            lane.notBefore = now + limits.retryMilliseconds
            lane.reason = problem
            lanes[slot] = lane
            parkedCount += 1
            parkedBytes += flight.publish.data.count
        } else {
            refuse(flight.context, slot: slot, problem, actions: &actions)
        }
    }

    /// A link has closed: what was under way on it may or may not have been appended.
    public mutating func onPeerDown(_ peer: UInt32, actions: inout [Action]) {
        for (_, flight) in flights.takeAll(where: { $0.peer == peer }) {
            inFlightBySlot[flight.publish.key.slot] -= 1
            refuse(flight.context, slot: flight.publish.key.slot, .outcomeUnknown, actions: &actions)
        }
    }

    /// A producer's connection or batch has ended.
    public mutating func onStreamEnd(_ stream: UInt64) { refusing[stream] = nil }

    /// A new ring: lanes that waited try at once.
    public mutating func onEpoch(_ newEpoch: UInt64, now: Int64, route: (Int) -> Route, actions: inout [Action]) {
        epoch = newEpoch
        drain(now: now, force: true, route: route, actions: &actions)
    }

    /// Time passes: lanes try again, budgets run out.
    public mutating func onTick(now: Int64, route: (Int) -> Route, actions: inout [Action]) {
        expire(now: now, actions: &actions)
        drain(now: now, force: false, route: route, actions: &actions)
    }

    // MARK: Decisions

    /// The cases: 1 nobody can own the key; 2 this node owns it, and may act; 3 it has no right to act; 4 the publish has
    /// crossed enough links; 5 it is forwarded; 6 no link to the owner: it waits where it entered, and is refused elsewhere.
    private mutating func dispatch(
        _ publish: Publish, _ context: PublishContext, now: Int64, route: (Int) -> Route, actions: inout [Action]
    ) {
        let slot = publish.key.slot
        switch route(slot) {
        case .nobody:  // 1
            refuse(context, slot: slot, .noOwner, actions: &actions)
        case .here where now < mayActUntil:  // 2
            actions.append(.append(publish, context.address))
        case .here:  // 3
            refuse(context, slot: slot, .frozen, actions: &actions)
        case .peer where context.hops >= PublishContext.hopsMax:  // 4
            refuse(context, slot: slot, .retry, actions: &actions)
        case .peer(let peer):  // 5
            forward(publish, context, to: peer, actions: &actions)
        case .unreachable where context.hops == 0:  // 6
            lanes[slot] = Lane(notBefore: now + limits.retryMilliseconds, reason: .ownerUnreachable)
            park(Parked(publish: publish, context: context), actions: &actions)
        case .unreachable:
            refuse(context, slot: slot, .ownerUnreachable, actions: &actions)
        }
    }

    private mutating func forward(_ publish: Publish, _ context: PublishContext, to peer: UInt32, actions: inout [Action]) {
        let slot = publish.key.slot
        guard let request = flights.insert(Flight(publish: publish, context: context, peer: peer)) else {
            refuse(context, slot: slot, .overloaded, actions: &actions)
            return
        }
        inFlightBySlot[slot] += 1
        forwardedCount += 1
        let restarts = !restartNext.isEmpty && restartNext.remove(slot) != nil
        actions.append(.send(peer: peer, request: request, publish, hops: context.hops + 1, restarts: restarts))
    }

    private mutating func park(_ parked: Parked, actions: inout [Action]) {
        let slot = parked.publish.key.slot
        let isFull = parkedCount >= limits.parkedMax || parkedBytes + parked.publish.data.count > limits.parkedBytesMax
        if isFull {
            refuse(parked.context, slot: slot, .overloaded, actions: &actions)
            if let lane = lanes[slot], lane.waiting.isEmpty, lane.returned.isEmpty { lanes[slot] = nil }
            return
        }
        let waitsForEpoch = max(lanes[slot]?.waitsForEpoch ?? 0, parked.context.epoch)
        lanes[slot]?.waitsForEpoch = waitsForEpoch
        lanes[slot]?.waiting.append(parked)
        parkedCount += 1
        parkedBytes += parked.publish.data.count
    }

    private mutating func refuse(_ context: PublishContext, slot: Int, _ problem: Problem, actions: inout [Action]) {
        if context.stream != 0 { refusing[context.stream, default: []].insert(slot) }
        actions.append(.answer(context.address, .failure(problem)))
    }

    private mutating func drain(now: Int64, force: Bool, route: (Int) -> Route, actions: inout [Action]) {
        guard !lanes.isEmpty else { return }
        let ready = lanes.filter { slot, lane in
            inFlightBySlot[slot] == 0 && lane.waitsForEpoch <= epoch && (force || lane.notBefore <= now)
        }
        for (slot, lane) in ready {
            lanes[slot] = nil
            for parked in lane.returned + lane.waiting {
                parkedCount -= 1
                parkedBytes -= parked.publish.data.count
                if lanes[slot] != nil {
                    park(parked, actions: &actions)
                } else {
                    retriedCount += 1
                    dispatch(parked.publish, parked.context, now: now, route: route, actions: &actions)
                }
            }
        }
    }

    private mutating func expire(now: Int64, actions: inout [Action]) {
        if flights.count > 0 {
            for (_, flight) in flights.takeAll(where: { $0.publish.deadline <= now }) {
                inFlightBySlot[flight.publish.key.slot] -= 1
                refuse(flight.context, slot: flight.publish.key.slot, .outcomeUnknown, actions: &actions)
            }
        }
        for (slot, lane) in lanes {
            let late = (lane.returned + lane.waiting).filter { $0.publish.deadline <= now }
            if late.isEmpty { continue }
            lanes[slot]?.returned.removeAll { $0.publish.deadline <= now }
            lanes[slot]?.waiting.removeAll { $0.publish.deadline <= now }
            if lane.returned.count + lane.waiting.count == late.count { lanes[slot] = nil }
            for parked in late {
                parkedCount -= 1
                parkedBytes -= parked.publish.data.count
                refuse(parked.context, slot: slot, lane.reason, actions: &actions)
            }
        }
    }
}
