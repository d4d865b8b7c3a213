// A producer that behaves as the client library's does: several messages of a stream under way at once; what is refused is held back
// until all of that key is answered and then begins again in order; what may or may not have been appended is sent again if it has an
// idempotency key. It is connected to one node at a time and goes to another one when that is gone.

import HashRing
import RingpostCore

/// One producer.
final class SimProducer: SimEnd {
    private struct Entry {
        let message: SimMessage
        var mayBeAppended = false
        var refusals: Int64 = 0
    }

    private struct Held {
        var entries: [Entry] = []
        var underWay: Int
        var notBefore: Int64
    }

    static let underWayMax = 24
    /// A node's own answer at the deadline says more than ours, so it gets this head start.
    static let graceMilliseconds: Int64 = 500

    private unowned let simulation: Simulation
    private let number: Int
    private let isStreaming: Bool
    private var random: SplitMix64
    private var connection: SimConnection?
    private var node = 0
    /// The node that it wants next; any if `nil`.
    private var wanted: Int?
    private var connectedAt: Int64 = 0
    private var isConnecting = false
    private var flights: [UInt64: Entry] = [:]
    private var lastRequest: UInt64 = 0
    private var queue: [Entry] = []
    private var held: [Key: Held] = [:]
    var isOver = false

    init(number: Int, isStreaming: Bool, simulation: Simulation) {
        self.number = number
        self.isStreaming = isStreaming
        self.simulation = simulation
        random = simulation.random.split()
    }

    private var now: Int64 { simulation.milliseconds }

    func begin() {
        connect()
        tick()
        scheduleNext()
    }

    // MARK: Messages

    private func scheduleNext() {
        let pause = random.draw(1_000...simulation.settings.pauseMicroseconds * 2)
        simulation.after(pause) {
            if !self.isOver { self.publish() }
            self.scheduleNext()
        }
    }

    private func publish() {
        // A burst now and then, so that several of one key are under way at once.
        let count = random.percent(15) ? 4 : 1
        guard let key = random.pick(simulation.keys) else { return }
        for _ in 0..<count {
            guard flights.count + queue.count + held.values.reduce(0, { $0 + $1.entries.count }) < Self.underWayMax else { return }
            // Requests of their own have no order among themselves unless one waits for the other.
            if !isStreaming, flights.values.contains(where: { $0.message.key == key }) || held[key] != nil { return }
            submit(
                simulation.checker.begin(
                    key: key, producer: number, isRepeatable: random.percent(80), isStreamed: isStreaming,
                    deadline: now + random.draw(1_000...10_000)))
        }
    }

    /// A message that was answered long ago comes once more.
    func sendAgain(_ message: SimMessage) {
        submit(
            SimMessage(
                number: message.number, key: message.key, producer: message.producer, isRepeatable: message.isRepeatable,
                isStreamed: message.isStreamed, deadline: now + Publish.budgetMillisecondsMax))
    }

    private func submit(_ message: SimMessage) {
        let entry = Entry(message: message)
        if connection == nil {
            queue.append(entry)
        } else if held[message.key] != nil {
            held[message.key]?.entries.append(entry)
        } else {
            send(entry, restarts: false)
        }
    }

    private func send(_ entry: Entry, restarts: Bool) {
        lastRequest += 1
        flights[lastRequest] = entry
        simulation.say("p\(number)", "sends \(lastRequest) to n\(node + 1)\(restarts ? ", restarts" : ""): message \(entry.message.number)")
        let budget = max(1, min(entry.message.deadline - now, Publish.budgetMillisecondsMax))
        connection?.send(
            .produce(request: lastRequest, entry.message, restarts: restarts, budgetMilliseconds: budget), from: .dialling)
    }

    // MARK: Answers

    func receive(_ frame: SimFrame, on connection: SimConnection) {
        guard connection === self.connection, case .produced(let request, let result) = frame else { return }
        guard var entry = flights.removeValue(forKey: request) else { return }
        let key = entry.message.key
        held[key]?.underWay -= 1
        simulation.say("p\(number)", "answer \(request): message \(entry.message.number) of \(key.text): \(result)")
        switch result {
        case .success(let receipt): simulation.checker.end(entry.message, receipt)
        case .failure(let problem):
            entry.mayBeAppended = entry.mayBeAppended || problem == .outcomeUnknown
            let isWorthARetry =
                problem.isWorthARetry || problem == .stopping || problem == .noOwner || problem == .frozen
                || (problem == .outcomeUnknown && entry.message.isRepeatable)
            if isWorthARetry {
                entry.refusals += 1
                hold(entry)
                if problem == .stopping { leave() }
            } else {
                simulation.checker.giveUp(entry.message, mayBeAppended: entry.mayBeAppended)
            }
        }
        release(key)
    }

    private func hold(_ entry: Entry) {
        let key = entry.message.key
        let wait = min(Int64(25) << min(entry.refusals - 1, 10), 1_000)
        if held[key] == nil {
            held[key] = Held(underWay: flights.values.count { $0.message.key == key }, notBefore: now + wait)
        }
        held[key]?.entries.append(entry)
    }

    private func release(_ key: Key) {
        guard connection != nil, let lane = held[key], lane.underWay == 0, lane.notBefore <= now else { return }
        held[key] = nil
        var restarts = true
        for entry in lane.entries.sorted(by: { $0.message.number < $1.message.number }) {
            send(entry, restarts: restarts)
            restarts = false
        }
    }

    private func tick() {
        for key in simulation.keys where held[key] != nil {
            let late = held[key]?.entries.filter { $0.message.deadline <= now } ?? []
            held[key]?.entries.removeAll { $0.message.deadline <= now }
            if held[key]?.entries.isEmpty == true { held[key] = nil }
            for entry in late { simulation.checker.giveUp(entry.message, mayBeAppended: entry.mayBeAppended) }
            release(key)
        }
        for entry in queue where entry.message.deadline <= now {
            simulation.checker.giveUp(entry.message, mayBeAppended: entry.mayBeAppended)
        }
        queue.removeAll { $0.message.deadline <= now }
        for (request, entry) in flights.sorted(by: { $0.key < $1.key })
        where entry.message.deadline + Self.graceMilliseconds <= now {
            flights[request] = nil
            held[entry.message.key]?.underWay -= 1
            simulation.checker.giveUp(entry.message, mayBeAppended: true)
        }
        // Now and then it goes elsewhere without a reason.
        if connection != nil, now - connectedAt > 8_000, random.percent(1) { leave() }
        simulation.after(25_000) { self.tick() }
    }

    // MARK: The connection

    private func connect() {
        guard connection == nil, !isConnecting else { return }
        isConnecting = true
        simulation.after(random.draw(200...20_000)) {
            self.isConnecting = false
            self.node = self.wanted ?? self.random.below(self.simulation.nodes.count)
            self.wanted = nil
            guard let process = self.simulation.nodes[self.node].process, process.view != nil, !process.isLeaving else {
                return self.simulation.after(self.random.draw(5_000...100_000)) { self.connect() }
            }
            let connection = self.simulation.network.connect(from: SimNetwork.outside, self, to: self.node, process)
            process.accept(connection)
            self.connection = connection
            self.connectedAt = self.now
            let waiting = self.queue
            self.queue = []
            for entry in waiting { self.send(entry, restarts: false) }
        }
    }

    /// Goes to another node by itself.
    func move(to target: Int) {
        wanted = target
        leave()
    }

    private func leave() {
        connection?.close(from: .dialling)
        onDown()
    }

    func ended(_ connection: SimConnection) {
        if connection === self.connection { onDown() }
    }

    /// What was under way may have been appended: it is sent again only if that can do no harm.
    private func onDown() {
        guard connection != nil else { return }
        connection = nil
        var waiting = queue + simulation.keys.flatMap { held[$0]?.entries ?? [] }
        held = [:]
        for (_, flight) in flights.sorted(by: { $0.key < $1.key }) {
            var entry = flight
            entry.mayBeAppended = true
            if entry.message.isRepeatable {
                waiting.append(entry)
            } else {
                simulation.checker.giveUp(entry.message, mayBeAppended: true)
            }
        }
        flights = [:]
        queue = waiting.sorted { $0.message.number < $1.message.number }
        connect()
    }
}
