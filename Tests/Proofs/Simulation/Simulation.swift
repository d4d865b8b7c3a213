// A whole cluster in one thread: the clock, the network, ZooKeeper, the nodes with their machines, producers, clients, and the checker.
// All chance comes from the seed, all order from the event queue, so that a seed repeats a run exactly.

import HashRing
import RingpostCore

/// One run.
package final class Simulation {
    /// After the last fault everything has to work again within so many ticks of 50 ms: S + H + M for a slot that nobody has a copy of,
    /// the same again for a session that has to end first, and the pauses between a node's attempts to come back.
    package static let ticksToRecoverMax = 1_200
    /// The cluster is quiet so long at the beginning, for clients to find their places (microseconds).
    static let startMicroseconds: Int64 = 4_000_000

    let settings: SimulationSettings
    let document: ClusterDocument
    let loopLimits: ShardLimits
    var random: SplitMix64
    private var queue = EventQueue()
    /// Microseconds since the beginning.
    private(set) var time: Int64 = 0
    private(set) var events = 0
    private(set) var network: SimNetwork!
    private(set) var zooKeeper: SimZooKeeper!
    private(set) var checker: SimChecker!
    private(set) var coverage: SimCoverage!
    private(set) var nodes: [SimNode] = []
    private(set) var producers: [SimProducer] = []
    private(set) var clients: [SimClient] = []
    private(set) var keys: [Key] = []
    var processCount = 0
    /// A session was ended before its time: its node may act a little longer than others think.
    var wasExpiredEarly = false
    private var played: [String] = []
    private(set) var alarms: [String: Int] = [:]
    private var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325

    /// A run that has not begun.
    package init(_ settings: SimulationSettings) {
        self.settings = settings
        random = SplitMix64(seed: settings.seed)
        guard let secret = SipKey(bytes: [UInt8](repeating: 7, count: 16)) else { preconditionFailure("16 bytes are a key") }
        document = ClusterDocument(
            seed: secret, generation: random.next(), sessionTimeoutMilliseconds: 2_000, heartbeatTimeoutMilliseconds: 700,
            outageMaxMilliseconds: 20_000, recoveryWaitMilliseconds: 6_000, copies: settings.copies)
        var limits = ShardLimits()
        limits.faults = settings.faults
        limits.lanes.parkedMax = [8, 64, 512][random.below(3)]
        limits.lanes.inFlightMax = [48, 65_536][random.below(2)]
        limits.slots.uncommittedMax = [16, 4_096][random.below(2)]
        limits.slots.parkedFramesMax = [16, 4_096][random.below(2)]
        limits.slots.attachesMax = [4, 4_096][random.below(2)]
        limits.slots.chunkBytesMax = 2_048
        limits.slots.copiesUnderWayMax = 2
        limits.slots.movesMax = 1
        // With one, a new epoch is nearly always half taken over when something comes.
        limits.slots.looksMax = settings.seed % 2 == 0 ? 1 : 256
        limits.mailbox.replayBytesMax = 2_048
        limits.mailbox.memoryMessagesMax = settings.schedule.memoryMessagesMax
        // One of so many loops would have next to nothing.
        limits.mailbox.storedBytesMax = .max
        loopLimits = limits
        build()
    }

    private func build() {
        network = SimNetwork(simulation: self, hosts: settings.nodes, random: random.split())
        zooKeeper = SimZooKeeper(simulation: self, nodes: settings.nodes, random: random.split())
        coverage = SimCoverage(simulation: self)
        nodes = (0..<settings.nodes).map {
            SimNode(index: $0, weight: 100, disk: settings.disks.disk(of: $0), simulation: self)
        }
        makeKeys()
        for key in keys {
            for number in 1...SimulationSettings.clientsPerKey {
                let polls = number == SimulationSettings.clientsPerKey
                clients.append(SimClient(number: clients.count, key: key, polls: polls, simulation: self))
            }
        }
        checker = SimChecker(simulation: self, clients: clients.count)
        producers = (0..<4).map { SimProducer(number: $0, isStreaming: $0 < 3, simulation: self) }
    }

    private func makeKeys() {
        let hasher = document.hasher
        let names = settings.disks.isNone ? nil : DiskNames.names(ofLoop: settings.loopIndex, hasher: hasher)
        for slot in stride(from: settings.loopIndex, to: HashRing.slotCount, by: SimulationSettings.shardCount) {
            for number in 0..<SimulationSettings.keysPerSlot {
                let kind = number == SimulationSettings.keysPerSlot - 1 ? KeyKind.channel : .user
                if let name = names?[slot]?[number] {
                    keys.append(Key(kind, trusted: name, hash: name.withUnsafeBytes { hasher.hash(kind, utf8: $0) }))
                } else {
                    let hash = KeyHash(rawValue: UInt64(slot) << 48 | UInt64(number))
                    keys.append(Key(kind, trusted: Array("\(kind == .user ? "u" : "c")\(keys.count)".utf8), hash: hash))
                }
            }
        }
    }

    // MARK: Time

    var milliseconds: Int64 { time / 1_000 }
    /// Milliseconds since 1970.
    var wall: Int64 { 1_700_000_000_000 + milliseconds }

    func at(_ time: Int64, _ body: @escaping () -> Void) { queue.add(at: max(time, self.time), body) }

    func after(_ microseconds: Int64, _ body: @escaping () -> Void) { queue.add(at: time + max(0, microseconds), body) }

    /// Lets time pass until a condition holds; false when it does not by then.
    @discardableResult
    func run(until limit: Int64, unless condition: () -> Bool = { false }) -> Bool {
        while let (time, body) = queue.next(upTo: limit) {
            self.time = time
            events += 1
            body()
            if condition() { return true }
            if !checker.violations.isEmpty { return false }
        }
        time = max(time, limit)
        return condition()
    }

    // MARK: Words

    var isTraced: Bool { settings.trace != nil }

    func say(_ who: String, _ text: @autoclosure () -> String) {
        mark(UInt64(bitPattern: time))
        guard let trace = settings.trace else { return }
        let stamp = "\(milliseconds / 1_000).\(String(milliseconds % 1_000 + 1_000).dropFirst())"
        trace("\(stamp) \(who): \(text())")
    }

    func alarm(_ who: String, _ sentence: String) {
        alarms[String(sentence.prefix(60)), default: 0] += 1
        say(who, "ALARM \(sentence)")
    }

    /// Notes what was done to the cluster.
    func play(_ what: String) {
        played.append("\(milliseconds) ms: \(what)")
        say("SCHEDULE", what)
    }

    /// FNV-1a over the times of what happened.
    func mark(_ word: UInt64) { fingerprint = (fingerprint ^ word) &* 0x100_0000_01B3 }

    // MARK: What parts ask of the whole

    /// Lineages that have been on a disk.
    var diskLineages: Set<UInt64> = []

    func membersChanged() { coverage.membersChanged(zooKeeper.members) }

    // MARK: A run

    /// Plays the whole run and judges it.
    package func run() -> SimulationOutcome {
        // Its parts refer to it without keeping it.
        withExtendedLifetime(self) { playAndJudge() }
    }

    private func playAndJudge() -> SimulationOutcome {
        for producer in producers { producer.begin() }
        for client in clients { client.begin() }
        settings.schedule.play(on: self)
        let recovered = recover()
        // A run that was cut short has not shown everything to everybody.
        if checker.violations.isEmpty { checker.finish() }
        let outcome = outcome(ticksToRecover: recovered)
        forget()
        return outcome
    }

    /// Parts refer to each other in circles.
    private func forget() {
        queue = EventQueue()
        for node in nodes { node.forget() }
        network.forget()
        zooKeeper.forget()
    }

    /// All faults end; then everything has to work again. Returns the ticks that it took.
    private func recover() -> Int {
        guard checker.violations.isEmpty else { return 0 }
        play("all faults end")
        let start = time
        for node in nodes {
            node.ringFault.isOn = false
            node.disk?.heal()
        }
        network.healAll()
        zooKeeper.healAll()
        for node in nodes {
            node.resume()
            node.weight = 100
            // Whoever is told to stop can't be called back: it is started again when it has gone.
            if let process = node.process { process.setWeight(100) } else { node.start() }
        }
        let limit = start + Int64(Self.ticksToRecoverMax) * SimProcess.tickMilliseconds * 1_000
        var nextLook = start
        var works = run(until: limit) {
            guard self.time >= nextLook else { return false }
            nextLook = self.time + 50_000
            for node in self.nodes { node.start() }
            return self.checker.missing(since: start) == nil
        }
        for producer in producers { producer.isOver = true }
        // Who is under way may arrive: a budget is ten seconds at most.
        if works {
            let settled = time + 1_000_000
            works = run(until: max(limit, settled)) {
                guard self.time >= nextLook else { return false }
                nextLook = self.time + 50_000
                return self.time >= settled && self.checker.behind() == nil
            }
        }
        let ticks = Int((time - start) / (SimProcess.tickMilliseconds * 1_000))
        if !works, checker.violations.isEmpty {
            let what = checker.missing(since: start) ?? checker.behind() ?? "nothing"
            checker.fail("not recovered after \(ticks) ticks: \(what)")
        }
        return ticks
    }

    private func outcome(ticksToRecover: Int) -> SimulationOutcome {
        for record in checker.records { mark(record.receipt?.sequence ?? 0) }
        return SimulationOutcome(
            violations: checker.violations, played: played, messages: checker.records.count, receipts: checker.receipts,
            gaps: checker.gaps, lostMailboxes: coverage.lostKeys, ticksToRecover: ticksToRecover, milliseconds: milliseconds,
            events: events, most: checker.most, fingerprint: fingerprint, alarms: alarms)
    }
}
