// What tests with an in-memory cluster are about: names, what travels and is heard, those who publish and listen, and time.
import HashRing

@testable import RingpostCore

extension InMemoryCluster {
    struct Node {
        var machine: ShardMachine
        var identity: MemberIdentity
        /// Clocks are a node's own.
        let skew: Int64
        var rosterQuestions = 0
    }

    /// What travels on a connection.
    enum Packet {
        case slot(SlotFrame)
        case forward(request: UInt64, Publish, hops: UInt8, restarts: Bool, epoch: UInt64)
        case answer(request: UInt64, PublishResult)
        case attach(AttachRequest, epoch: UInt64)
        case attached(UInt64, Result<AttachReply, Problem>)
        case deliver(UInt64, incarnation: UInt64, StoredMessage)
        case detached(UInt64)
    }

    /// A connection that `from` has dialled. Its number is both `from`'s link and `to`'s channel.
    struct Connection {
        let number: UInt32
        let from: String
        let to: String
        let backWay: String
        var out: [Packet] = []
        var back: [Packet] = []

        /// Beyond those that tests give to producers.
        var stream: UInt64 { 1 << 32 | UInt64(number) }
    }

    /// What an edge hears of one attachment.
    enum Heard: Equatable {
        case attached(AttachReply)
        case refused(Problem)
        case message(incarnation: UInt64, StoredMessage)
        /// By the owner, or because the link is gone.
        case detached
    }
}

extension InMemoryCluster {
    /// All slots that the machines have.
    var slots: [Int] { stride(from: index, to: HashRing.slotCount, by: shardCount).map { $0 } }

    /// A key of the slot, or of another one that the machines have.
    func key(_ name: UInt8 = 1, slot: Int? = nil) -> Key {
        Key(.user, trusted: [name], hash: KeyHash(rawValue: UInt64(slot ?? self.slot) << 48 | UInt64(name)))
    }

    /// Opens both connections between two nodes (`ab`).
    func mend(_ names: String) {
        let names = names.map(String.init)
        dial(names[0], names[1])
        dial(names[1], names[0])
    }

    /// What waits this way, in words.
    func queued(_ way: String) -> [String] {
        let connection = connections["\(way.prefix(1))>\(way.suffix(1))"]
        return (way.contains(">") ? connection?.out : connection?.back)?.map(\.words) ?? []
    }

    /// Lets time pass in ticks.
    func pass(_ milliseconds: Int64, tick: Int64 = 25) {
        let end = time + milliseconds
        while time < end {
            time = min(end, time + tick)
            for id in nodes.keys.sorted() { tell(id) { $0.onTick(now: $1, actions: &$2) } }
            run()
        }
    }

    // MARK: Producers and edges

    /// The message's id is the number, unless another one or an idempotency key is given.
    func publish(
        _ number: UInt64, at id: String, _ key: Key? = nil, id message: UInt64? = nil, idempotency: UInt64? = nil, stream: UInt64 = 0,
        restarts: Bool = false, timeToLive: UInt32? = nil, budget: Int64 = 10_000, bytes: Int = 2, of principal: Principal = .unnamed,
        publishedAt: Int64 = 0
    ) {
        let publish = Publish(
            key: key ?? self.key(), id: MessageID(high: idempotency == nil ? 0 : 1, low: idempotency ?? message ?? number),
            principal: principal, isRepeatable: idempotency != nil, data: Array(repeating: 0x31, count: bytes),
            timeToLiveSeconds: timeToLive,
            deadline: now(id).monotonic + budget, publishedAt: publishedAt)
        let context = PublishContext(address: ReturnAddress(connectionID: 0, id: number), stream: stream, restarts: restarts)
        if isTold { note("\(id): \(number) is sent\(restarts ? " and restarts" : "")\(message.map { ", message \($0)" } ?? "")") }
        tell(id) { $0.submit(publish, context, now: $1, actions: &$2) }
    }

    func attach(
        _ number: UInt64, at id: String, _ key: Key? = nil, from start: AttachStart = .earliest, stay: AttachRequest.Stay = .always,
        countMax: UInt16 = .max, askedAgo: Int64 = 0
    ) {
        let request = AttachRequest(
            key: key ?? self.key(), address: ReturnAddress(connectionID: 0, id: number), start: start, stay: stay, countMax: countMax,
            askedAt: now(id).monotonic - askedAgo)
        tell(id) { $0.attach(request, epoch: $0.epoch, fromLink: false, now: $1, actions: &$2) }
    }

    func detach(_ number: UInt64, at id: String, _ key: Key? = nil) {
        tell(id) { machine, now, _ in machine.detach(ReturnAddress(connectionID: 0, id: number), from: key ?? self.key(), now: now) }
    }
}
