// What the lanes promise under any order of events: on one stream the messages of one key are accepted in the order in
// which they were sent, nothing is accepted twice, and every submit is answered once. Two model peers and a model of this
// node's own mailboxes refuse and accept at random, rings change, links break, budgets run out; an owner that is told "maybe
// again" looks whether it has the message. A failure names the seed that repeats it.
import HashRing
import RingpostCore
import Testing

/// A node at the other end of a link: sticky as the lanes are, slot by slot, and moody.
private struct ModelPeer {
    struct Frame {
        let publish: Publish
        let request: UInt64
        let restarts: Bool

        var message: Int { Int(publish.id.low) }
        var slot: Int { publish.key.slot }
    }

    /// Counts the links that there were: what belongs to an old one is heard no more.
    var link: UInt32 = 0
    var inbox: [Frame] = []
    var outbox: [(request: UInt64, result: PublishResult)] = []
    var refusing: Set<Int> = []
    /// By slot: what it has sent on and not heard of yet; until then nothing for the slot may go another way.
    var sentOn: [Int: Int] = [:]
    var restartNext: Set<Int> = []
}

/// One producer's messages for one key: what was refused goes out again, in order, once all is answered.
private struct Producer {
    var unsent: [Int] = []
    var refused: [Int] = []
    var underWay = 0
}

private struct Simulation {
    static let streams: [UInt64] = [1, 2, 3]
    static let keys = (0..<4).map { Key(.user, trusted: [UInt8($0)], hash: KeyHash(rawValue: UInt64($0 % 2) << 48 | UInt64($0))) }

    var dice: SplitMix64
    var now: Int64 = 0
    var epoch: UInt64 = 1
    var lanes: PublishLanes
    var routes: [PublishLanes.Route] = [.peer(0), .peer(1)]
    var peers = [ModelPeer(), ModelPeer()]
    var producers = Array(repeating: Producer(), count: streams.count * keys.count)
    /// By message: its producer.
    var messages: [Int] = []
    /// By attempt: its message; -1 once answered.
    var attempts: [Int] = []
    /// By producer: messages in the order in which they were accepted.
    var accepted: [[Int]] = Array(repeating: [], count: streams.count * keys.count)
    var unknown: Set<Int> = []
    /// Appended here and not confirmed, in order.
    var uncommitted: [(request: UInt64, message: Int, slot: Int, isRepeat: Bool)] = []
    var retriedUnknown = 0
    var wentRound = 0
    var slotOf: [ReturnAddress: Int] = [:]
    var faults: [String] = []

    init(seed: UInt64) {
        dice = SplitMix64(seed: seed)
        var limits = LaneLimits()
        limits.parkedMax = 12
        limits.inFlightMax = 12
        lanes = PublishLanes(limits: limits)
        lanes.mayActUntil = .max
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &dice) < percent }

    mutating func perform(_ event: (inout PublishLanes, inout [PublishLanes.Action]) -> Void) {
        var actions: [PublishLanes.Action] = []
        event(&lanes, &actions)
        for action in actions {
            switch action {
            case .append(let request, let publish): append(request, publish)
            case .send(let peer, let request, let publish, _, let restarts):
                peers[Int(peer)].inbox.append(
                    ModelPeer.Frame(publish: publish, request: request, restarts: restarts))
            case .answer(let address, let result) where address.connectionID > 0: handBack(address, result)
            case .answer(let address, .success): answer(address, nil)
            case .answer(let address, .failure(let problem)): answer(address, problem)
            case .pull: break
            }
        }
    }

    mutating func accept(_ message: Int, mayBeRepeat: Bool) {
        if mayBeRepeat { retriedUnknown += 1 }
        if mayBeRepeat, accepted[messages[message]].contains(message) { return }
        accepted[messages[message]].append(message)
    }

    mutating func append(_ request: UInt64, _ publish: Publish) {
        let message = Int(publish.id.low)
        if !lanes.mayAppend(request: request) {
            perform { [now] in $0.onAnswer(request: request, .failure(.retry), now: now, actions: &$1) }
        } else if publish.mayBeRepeat,
            accepted[messages[message]].contains(message) || uncommitted.contains(where: { $0.message == message })
        {
            uncommitted.append((request, message, publish.key.slot, isRepeat: true))
        } else if chance(5) {
            perform { [now] in $0.onAnswer(request: request, .failure(.overloaded), now: now, actions: &$1) }
        } else {
            uncommitted.append((request, message, publish.key.slot, isRepeat: false))
        }
    }

    /// The oldest that waits is confirmed.
    mutating func commit() {
        guard !uncommitted.isEmpty else { return }
        let (request, message, _, isRepeat) = uncommitted.removeFirst()
        accept(message, mayBeRepeat: isRepeat)
        perform { [now] in $0.onAnswer(request: request, Self.success, now: now, actions: &$1) }
    }

    /// A slot goes to somebody else, who has got the first few of what was not confirmed.
    mutating func stepDown(_ slot: Int) {
        let left = uncommitted.filter { $0.slot == slot }
        uncommitted.removeAll { $0.slot == slot }
        let carried = Int.random(in: 0...left.count, using: &dice)
        for (_, message, _, isRepeat) in left.prefix(carried) { accept(message, mayBeRepeat: isRepeat) }
        for (request, _, _, _) in left {
            perform { [now] in $0.onAnswer(request: request, .failure(.outcomeUnknown), now: now, actions: &$1) }
        }
    }

    static let success = PublishResult.success(
        Receipt(sequence: 1, epoch: 1, owner: "p", outcome: .stored, mirrored: false, id: MessageID(high: 0, low: 0)))

    mutating func answer(_ address: ReturnAddress, _ problem: Problem?) {
        let message = attempts[Int(address.id)]
        if message < 0 {
            faults.append("attempt \(address.id) was answered twice")
            return
        }
        attempts[Int(address.id)] = -1
        let producer = messages[message]
        producers[producer].underWay -= 1
        if problem == .outcomeUnknown { unknown.insert(message) }
        // Without an idempotency key nobody repeats what may have been appended; but the stream begins again after it.
        if problem != nil { producers[producer].refused.append(problem == .outcomeUnknown ? -1 : message) }
    }

    mutating func produce(_ index: Int) {
        if chance(60) {
            messages.append(index)
            producers[index].unsent.append(messages.count - 1)
        }
        let restarts = !producers[index].refused.isEmpty
        if restarts, producers[index].underWay > 0 { return }
        let batch = producers[index].refused.filter { $0 >= 0 }.sorted() + producers[index].unsent
        producers[index].refused = []
        producers[index].unsent = []
        for (index, message) in batch.enumerated() { submit(message, restarts: restarts && index == 0) }
        if batch.isEmpty, restarts { producers[index].refused = [-1] }
    }

    mutating func submit(_ message: Int, restarts: Bool) {
        let index = messages[message]
        attempts.append(message)
        producers[index].underWay += 1
        let publish = Publish(
            key: Self.keys[index % Self.keys.count], id: MessageID(high: 0, low: UInt64(message)), isRepeatable: false, data: [0x31],
            deadline: now + (chance(20) ? Int64.random(in: 5...120, using: &dice) : 10_000))
        let context = PublishContext(
            address: ReturnAddress(connectionID: 0, id: UInt64(attempts.count - 1)), epoch: chance(3) ? epoch + 1 : 0,
            stream: Self.streams[index / Self.keys.count], restarts: restarts)
        perform { [now, routes] in $0.submit(publish, context, now: now, route: { routes[$0] }, actions: &$1) }
    }

    mutating func work(_ peer: Int) {
        guard !peers[peer].inbox.isEmpty else { return }
        let frame = peers[peer].inbox.removeFirst()
        if frame.restarts { peers[peer].refusing.remove(frame.slot) }
        let hasSentOn = peers[peer].sentOn[frame.slot, default: 0] > 0
        if routes[frame.slot] == .here, !peers[peer].refusing.contains(frame.slot), hasSentOn || chance(50) {
            goRound(frame, by: peer)
            return
        }
        var problem: Problem? = hasSentOn ? .retry : nil
        if peers[peer].refusing.contains(frame.slot) {
            problem = .retry
        } else if problem == nil, chance(15) {
            problem = [.retry, .retry, .ownerUnreachable, .frozen, .overloaded].randomElement(using: &dice)
        }
        if let problem {
            peers[peer].refusing.insert(frame.slot)
            peers[peer].outbox.append((frame.request, .failure(problem)))
            return
        }
        accept(frame.message, mayBeRepeat: frame.publish.mayBeRepeat)
        peers[peer].outbox.append((frame.request, Self.success))
    }

    /// The peer has heard already that this node is the owner now, and sends there what it was sent.
    mutating func goRound(_ frame: ModelPeer.Frame, by peer: Int) {
        var publish = frame.publish
        publish.mayBeRepeat = true
        let address = ReturnAddress(connectionID: UInt32(peer + 1) << 16 | peers[peer].link, id: frame.request)
        let restarts = peers[peer].restartNext.remove(frame.slot) != nil
        let context = PublishContext(address: address, hops: 2, epoch: epoch, stream: UInt64(address.connectionID), restarts: restarts)
        wentRound += 1
        peers[peer].sentOn[frame.slot, default: 0] += 1
        slotOf[address] = frame.slot
        perform { [now, routes] in $0.submit(publish, context, now: now, route: { routes[$0] }, actions: &$1) }
    }

    mutating func handBack(_ address: ReturnAddress, _ result: PublishResult) {
        let peer = Int(address.connectionID >> 16) - 1
        guard address.connectionID & 0xFFFF == peers[peer].link, let slot = slotOf.removeValue(forKey: address) else { return }
        peers[peer].sentOn[slot, default: 0] -= 1
        if case .failure = result {
            peers[peer].refusing.insert(slot)
            peers[peer].restartNext.insert(slot)
        }
        peers[peer].outbox.append((address.id, result))
    }

    mutating func hear(_ peer: Int) {
        guard !peers[peer].outbox.isEmpty else { return }
        let (request, result) = peers[peer].outbox.removeFirst()
        perform { [now] in $0.onAnswer(request: request, result, now: now, actions: &$1) }
    }

    mutating func step() {
        let peer = Int.random(in: 0...1, using: &dice)
        switch Int.random(in: 0..<100, using: &dice) {
        case 0..<24: produce(Int.random(in: producers.indices, using: &dice))
        case 24..<40: commit()
        case 40..<63: work(peer)
        case 63..<86: hear(peer)
        case 86..<94:
            now += Int64.random(in: 0...20, using: &dice)
            perform { [now, routes] in $0.onTick(now: now, route: { routes[$0] }, actions: &$1) }
        case 94..<97: changeRing([.peer(0), .peer(1), .here, .here, .preparing, .unreachable, .nobody])
        case 97: becomeReady()
        case 98: lanes.mayActUntil = chance(50) ? .max : .min
        default:
            // A link breaks: some of what is on it has still arrived.
            while chance(50), !peers[peer].inbox.isEmpty { work(peer) }
            peers[peer] = ModelPeer(link: peers[peer].link + 1)
            perform { [now] in $0.onPeerDown(UInt32(peer), now: now, actions: &$1) }
        }
    }

    mutating func becomeReady() {
        guard let slot = routes.firstIndex(of: .preparing) else { return }
        routes[slot] = .here
        perform { [now, routes] in $0.onReady(slot, now: now, route: { routes[$0] }, actions: &$1) }
    }

    mutating func changeRing(_ choice: [PublishLanes.Route]) {
        epoch += 1
        let before = routes
        for slot in routes.indices { routes[slot] = choice.randomElement(using: &dice) ?? .here }
        for slot in routes.indices where before[slot] == .here && routes[slot] != .here { stepDown(slot) }
        perform { [now, epoch, routes] in $0.onEpoch(epoch, now: now, route: { routes[$0] }, actions: &$1) }
    }

    /// Lets everything come to rest, then says what is wrong.
    mutating func finish() -> [String] {
        for _ in 0..<10 {
            for peer in peers.indices {
                while !peers[peer].inbox.isEmpty { work(peer) }
                while !uncommitted.isEmpty { commit() }
                while !peers[peer].outbox.isEmpty { hear(peer) }
            }
        }
        lanes.mayActUntil = .max
        changeRing([.here])
        for _ in 0..<20 {
            while !uncommitted.isEmpty { commit() }
            now += 25
            perform { [now, routes] in $0.onTick(now: now, route: { routes[$0] }, actions: &$1) }
        }
        if lanes.parkedCount != 0 { faults.append("\(lanes.parkedCount) are still parked") }
        if lanes.inFlightCount != 0 { faults.append("\(lanes.inFlightCount) are still in flight") }
        if !attempts.allSatisfy({ $0 < 0 }) { faults.append("submits without an answer") }
        for messages in accepted {
            if Set(messages).count != messages.count { faults.append("accepted twice: \(messages)") }
            let known = messages.filter { !unknown.contains($0) }
            if known != known.sorted() { faults.append("out of order: \(known)") }
        }
        return faults
    }
}

@Suite struct PublishLanesPropertyTests {
    @Test(arguments: 1...24) func streamsKeepTheirOrder(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        for _ in 0..<8_000 { simulation.step() }
        let faults = simulation.finish()
        #expect(faults == [], "seed \(seed)")
        #expect(simulation.accepted.reduce(0) { $0 + $1.count } > 300, "seed \(seed): too little happened")
        #expect(simulation.retriedUnknown > 10 && simulation.wentRound > 0, "seed \(seed): too little was sent again")
    }
}
