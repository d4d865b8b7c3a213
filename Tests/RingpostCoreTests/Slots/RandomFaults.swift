// Random weather for four machines: views that come late or not at all, links that break, leases that end, nodes that die one
// at a time, and all the while producers and sockets. What it keeps of what was promised is held against what comes of it.
// Nobody here dies before what the last death took away is complete again, so nothing acknowledged may be lost.
import HashRing
import Testing

@testable import RingpostCore

final class RandomFaults {
    static let ids = ["a", "b", "c", "d"]

    /// One message of a producer.
    struct Message {
        let producer: Int
        let idempotency: UInt64?
        /// The last place that was acknowledged for its key when it was sent for the first time.
        let after: UInt64
        var sequence: UInt64?
        var isUnknown = false
    }

    /// Sends in order on one stream for one key; what was refused goes out again, in order, once all is answered.
    struct Producer {
        let at: String
        let key: Int
        let stream: UInt64
        var unsent: [UInt64] = []
        var refused: [UInt64] = []
        var restarts = false
        /// Attempts under way, and the messages that they carry.
        var underWay: [UInt64: UInt64] = [:]
    }

    /// A client's socket on an edge.
    struct Socket {
        let at: String
        let key: Int
        var seen: Cursor?
        /// The attachment that it has or has asked for.
        var attachment: UInt64?
        var isLive = false
    }

    let net: InMemoryCluster
    /// Always two members with weight, so that one can die at any moment. Otherwise one may be alone, and deaths come at rest.
    let isAlwaysMirrored: Bool
    /// How many members are to have a copy of each slot.
    let copies: Int
    let keys: [Key]
    var dice: SplitMix64
    var messages: [UInt64: Message] = [:]
    var producers: [Producer] = []
    var sockets: [Socket] = []
    var faults: [String] = []
    /// By key: what each place holds, from receipts and sockets.
    var sequences: [[UInt64: UInt64]]
    var acknowledged: [UInt64]
    var attempts: UInt64 = 0
    /// All epochs so far, and up to which each node has been told.
    var epochs: [[Member]] = []
    var told: [String: Int] = [:]
    /// Who may be killed, or has lost its session.
    var gone: String?
    var receiptCount = 0

    init(seed: UInt64, faults: Set<GuardFault> = [], copies: Int = 2) {
        self.copies = copies
        dice = SplitMix64(seed: seed)
        isAlwaysMirrored = seed % 2 == 0
        var limits = ShardLimits()
        limits.slots.chunkBytesMax = 400
        limits.faults = faults
        // Several slots get in each other's way only where few copies may be under way.
        let slots = seed % 3 == 0 ? 4 : 1
        if slots > 1 {
            limits.slots.copiesUnderWayMax = 1
            limits.slots.movesMax = 1
            limits.slots.looksMax = 1
        }
        let net = InMemoryCluster("abcd", slots: slots, limits: limits, copies: copies)
        net.isTraced = false
        keys = (0..<max(2, slots)).map { net.key(UInt8($0 + 1), slot: net.slots[$0 % slots]) }
        sequences = Array(repeating: [:], count: keys.count)
        acknowledged = Array(repeating: 0, count: keys.count)
        self.net = net
        for at in Self.ids {
            for key in keys.indices { producers.append(Producer(at: at, key: key, stream: UInt64(producers.count + 1))) }
            sockets.append(Socket(at: at, key: Int.random(in: keys.indices, using: &dice)))
        }
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &dice) < percent }

    func pick<Element>(_ elements: [Element]) -> Element? { elements.randomElement(using: &dice) }

    func copies(of slot: Int) -> [String] { Self.ids.filter { net.state($0, of: slot).copy.state == .complete } }

    // MARK: Weather

    /// A new epoch; who is left out has died or lost its session.
    func changeRing(without left: String = "") {
        let heavy = pick((Self.rings[left] ?? []).filter { $0.count > 1 || !isAlwaysMirrored }) ?? ""
        epochs.append(net.list(heavy, without: Self.ids.filter { $0 != left && !heavy.contains($0) }.joined()))
    }

    /// Who has weight, by who is not there. Not all combinations, because a ring takes long without optimization.
    private static let rings = [
        "": ["abcd", "ab", "bc", "cd", "ad", "bd", "a", "c"], "a": ["bcd", "bc", "d"], "b": ["acd", "ad", "c"], "c": ["abd", "bd", "a"],
        "d": ["abc", "ac", "b"],
    ]

    /// Somebody hears of a later epoch, perhaps not of the next one.
    func spread(_ id: String, all: Bool = false) {
        guard net.nodes[id] != nil, epochs.count > told[id, default: 0] else { return }
        let epoch = all ? epochs.count : Int.random(in: told[id, default: 0] + 1...epochs.count, using: &dice)
        told[id] = epoch
        net.view(UInt64(epoch), epochs[epoch - 1], at: id)
    }

    func step() {
        switch Int.random(in: 0..<1_000, using: &dice) {
        case 0..<700: if let way = pick(net.ways) { net.step(way) }
        case 700..<790: produce(Int.random(in: producers.indices, using: &dice))
        case 790..<830: useSocket(Int.random(in: sockets.indices, using: &dice))
        case 830..<900: pick(Self.ids).map { spread($0) }
        case 900..<912: if gone == nil { changeRing() }
        case 912..<926: cutOrMend()
        case 926..<940:
            // One that has lost its session does not get its right back before it has another one.
            if let id = pick(Self.ids), id != gone { net.lease(id, until: chance(50) ? .max : net.time) }
        case 940..<946: comeBack()
        default:
            net.time += Int64.random(in: 0...20, using: &dice)
            pick(Self.ids).map { id in net.tell(id) { $0.onTick(now: $1, actions: &$2) } }
        }
        listen()
    }

    func cutOrMend() {
        let pair = Array(Self.ids.shuffled(using: &dice).prefix(2)).joined()
        if net.connections["\(pair.prefix(1))>\(pair.suffix(1))"] == nil {
            net.mend(pair)
        } else if chance(40) {
            net.cut(pair, outArrives: chance(30))
        }
    }

    /// Somebody dies, or is cut off until its session is over.
    func lose() {
        let owners = Self.ids.filter { id in net.slots.contains { net.state(id, of: $0).owner != nil } }
        guard net.slots.allSatisfy({ copies(of: $0).count >= 2 }), let victim = pick(chance(50) && !owners.isEmpty ? owners : Self.ids)
        else { return }
        gone = victim
        if chance(50) {
            net.kill(victim)
            for index in producers.indices where producers[index].at == victim { forget(index) }
            for index in sockets.indices where sockets[index].at == victim { sockets[index].attachment = nil }
        } else {
            net.lease(victim, until: net.time)
        }
        changeRing(without: victim)
        told[victim] = epochs.count
    }

    /// Whoever is gone comes back with a new boot, once the others know that it was gone.
    func comeBack() {
        guard let id = gone, Self.ids.allSatisfy({ $0 == id || told[$0] == epochs.count }) else { return }
        gone = nil
        if net.nodes[id] == nil {
            net.restart(id)
        } else {
            net.newSession(id)
            net.lease(id)
        }
        changeRing()
    }

    // MARK: Producers

    private func forget(_ index: Int) {
        for message in producers[index].underWay.values { messages[message]?.isUnknown = true }
        for message in producers[index].unsent + producers[index].refused { messages[message]?.isUnknown = true }
        producers[index] = Producer(at: producers[index].at, key: producers[index].key, stream: producers[index].stream + 1_000)
    }

    func produce(_ index: Int) {
        guard net.nodes[producers[index].at] != nil else { return }
        if chance(70), messages.count < 400 {
            let number = UInt64(messages.count + 1)
            messages[number] = Message(
                producer: index, idempotency: chance(50) ? number : nil, after: acknowledged[producers[index].key])
            producers[index].unsent.append(number)
        }
        if producers[index].restarts, !producers[index].underWay.isEmpty { return }
        let batch = producers[index].refused.sorted() + producers[index].unsent
        let restarts = producers[index].restarts && !batch.isEmpty
        producers[index].refused = []
        producers[index].unsent = []
        if restarts { producers[index].restarts = false }
        for (sequence, number) in batch.enumerated() { send(number, by: index, restarts: restarts && sequence == 0) }
        // Now and then a repeat, as of a producer that has not heard the answer.
        let keyed = messages.filter { $0.value.producer == index && $0.value.idempotency != nil && $0.value.sequence != nil }.keys.sorted()
        if chance(10), let number = pick(keyed) { send(number, by: index, restarts: false, stream: 0) }
    }

    private func send(_ number: UInt64, by index: Int, restarts: Bool, stream: UInt64? = nil) {
        attempts += 1
        let producer = producers[index]
        if stream == nil { producers[index].underWay[attempts] = number } else { repeats[attempts] = number }
        net.publish(
            attempts, at: producer.at, keys[producer.key], id: number, idempotency: messages[number]?.idempotency,
            stream: stream ?? producer.stream, restarts: restarts, budget: chance(10) ? 200 : 10_000)
    }

    private var repeats: [UInt64: UInt64] = [:]

    // MARK: Sockets

    func useSocket(_ index: Int) {
        let socket = sockets[index]
        guard net.nodes[socket.at] != nil else { return }
        if let attachment = socket.attachment {
            guard socket.isLive, chance(10) else { return }
            // A client that goes away and comes back.
            net.detach(attachment, at: socket.at, keys[socket.key])
            sockets[index].attachment = nil
        }
        attach(index)
    }

    private func attach(_ index: Int) {
        attempts += 1
        sockets[index].attachment = attempts
        sockets[index].isLive = false
        let start = sockets[index].seen.map { AttachStart.after($0) } ?? (chance(50) ? .earliest : .now)
        net.attach(attempts, at: sockets[index].at, keys[sockets[index].key], from: start)
    }

    // MARK: What comes of it

    func listen() {
        for index in producers.indices {
            for (attempt, number) in producers[index].underWay.sorted(by: { $0.key < $1.key }) {
                guard let result = net.takeResult(attempt) else { continue }
                producers[index].underWay[attempt] = nil
                hear(result, of: number, key: producers[index].key)
                guard case .failure(let problem) = result else { continue }
                producers[index].restarts = true
                // Without an idempotency key nobody repeats what may have been appended.
                if problem == .outcomeUnknown, messages[number]?.idempotency == nil {
                    messages[number]?.isUnknown = true
                } else {
                    producers[index].refused.append(number)
                }
            }
        }
        for (attempt, number) in repeats.sorted(by: { $0.key < $1.key }) {
            guard let result = net.takeResult(attempt) else { continue }
            repeats[attempt] = nil
            hear(result, of: number, key: producers[messages[number]?.producer ?? 0].key)
        }
        for index in sockets.indices {
            guard let attachment = sockets[index].attachment else { continue }
            for heard in net.takeHeard(attachment) { hear(heard, socket: index) }
        }
    }

    private func hear(_ result: PublishResult, of number: UInt64, key: Int) {
        guard case .success(let receipt) = result, let message = messages[number] else { return }
        receiptCount += 1
        if let sequence = message.sequence, sequence != receipt.sequence {
            fault("message \(number) was given \(sequence) and \(receipt.sequence)")
        }
        if message.sequence == nil, !message.isUnknown, receipt.sequence <= message.after {
            fault("message \(number) was given \(receipt.sequence) when \(message.after) had been acknowledged")
        }
        messages[number]?.sequence = receipt.sequence
        acknowledged[key] = max(acknowledged[key], receipt.sequence)
        note(number, at: receipt.sequence, key: key)
    }

    /// One place holds one message, whoever says so.
    private func note(_ number: UInt64, at sequence: UInt64, key: Int) {
        let before = sequences[key].updateValue(number, forKey: sequence)
        if let before, before != number { fault("place \(sequence) of key \(key) is message \(before)'s and \(number)'s") }
    }

    private func hear(_ heard: InMemoryCluster.Heard, socket index: Int) {
        switch heard {
        case .detached, .refused: sockets[index].attachment = nil
        case .attached(let reply):
            let seen = sockets[index].seen
            if seen != nil, reply.gap { fault("a gap after \(seen?.text ?? "")") }
            if let seen, reply.from != seen.sequence { fault("\(seen.text) is continued from \(reply.from)") }
            var last = reply.from
            for message in reply.messages {
                if message.sequence != last + 1 { fault("\(message.sequence) after \(last)") }
                last = message.sequence
                note(message.id.low, at: message.sequence, key: sockets[index].key)
            }
            if last != reply.through { fault("through \(reply.through), but the last is \(last)") }
            sockets[index].seen = Cursor(incarnation: reply.incarnation, sequence: reply.through)
            sockets[index].isLive = reply.isLive
            if !reply.isLive { attach(index) }
        case .message(let incarnation, let message):
            guard sockets[index].isLive, let seen = sockets[index].seen else { return fault("a message before the answer") }
            if incarnation != seen.incarnation || message.sequence != seen.sequence + 1 {
                fault("\(message.sequence) of \(incarnation.hexadecimal) after \(seen.text)")
            }
            note(message.id.low, at: message.sequence, key: sockets[index].key)
            sockets[index].seen = Cursor(incarnation: incarnation, sequence: message.sequence)
        }
    }

    func fault(_ words: String) { faults.append(words) }
}
