// One run of a replay: a client for each user, a producer for each node, and a task for each user that sends what was
// said to it, one message after the receipt of the one before.
import FoundationEssentials
import HashRing
import RingpostClient

struct ReplayRun: Sendable {
    /// Every client must be attached after so long.
    static let attachSecondsMax = 30
    /// What is still under way after the last receipt gets so long to arrive.
    static let stragglerSecondsMax = 10
    /// A message that a node could not take, or of which nobody knows what came, is sent again with its key so many times.
    static let repeatsMax = 8

    private let plan: ReplayPlan
    private let log: Data
    private let board: ReplayBoard
    private let producers: [Producer]
    private let subscribers: [Subscriber]
    private let seed: UInt64

    init(plan: ReplayPlan, log: Data, nodes: [NodeReport], transports: [Subscriber.Transport], seed: UInt64) throws(ReplayError) {
        self.plan = plan
        self.log = log
        self.seed = seed
        board = ReplayBoard(plan: plan, transports: transports)
        let links = nodes.compactMap { try? Endpoint($0.link) }
        let clients = nodes.compactMap { try? Endpoint($0.client) }
        guard !nodes.isEmpty, links.count == nodes.count, clients.count == nodes.count else {
            throw ReplayError(description: "not every node names an address for links and for clients")
        }
        producers = links.indices.map { Producer(links: links.rotated(by: $0)) }
        // Every pairing of node and transport gets its part of the users, the most addressed ones spread too.
        var generator = SplitMix64(seed: seed)
        let places = Array(plan.users.indices).shuffled(using: &generator)
        subscribers = zip(plan.users, places).map { user, place in
            Subscriber(
                urls: clients.rotated(by: place / transports.count), user: user, transport: transports[place % transports.count])
        }
    }

    func perform() async throws(ReplayError) -> ReplayReport {
        let result = await withTaskGroup(of: Void.self, returning: Result<ReplayReport, ReplayError>.self) { group in
            for recipient in subscribers.indices { group.addTask { await listen(recipient) } }
            group.addTask { await showProgress() }
            defer { group.cancelAll() }
            guard await wait(secondsMax: Self.attachSecondsMax, until: { board.read { $0.attached == subscribers.count } }) else {
                let (attached, failures) = board.read { ($0.attached, $0.failures) }
                return .failure(
                    ReplayError(
                        description: (["only \(attached) of \(subscribers.count) clients attached in \(Self.attachSecondsMax) s"] + failures)
                            .joined(separator: "\n  ")))
            }
            let start = board.now
            await send()
            _ = await wait(secondsMax: Self.stragglerSecondsMax) { board.read { $0.ledger.missing == 0 } }
            return .success(ReplayReport(board, plan: plan, seed: seed, microseconds: board.now - start))
        }
        if Console.errorIsTerminal { Console.status("") }
        for producer in producers { await producer.close() }
        return try result.get()
    }

    // MARK: Receiving

    private func listen(_ recipient: Int) async {
        let subscriber = subscribers[recipient]
        var isFirst = true
        do throws(SubscriberError) {
            for try await event in subscriber {
                board.onEvent(event, recipient: recipient, transport: subscriber.transport, isFirst: isFirst)
                if case .attached = event { isFirst = false }
            }
        } catch {
            board.onSubscriberError(plan.users[recipient], error)
        }
    }

    // MARK: Sending

    private func send() async {
        var numbers = [[Int]](repeating: [], count: plan.users.count)
        for (number, message) in plan.messages.enumerated() { numbers[Int(message.recipient)].append(number) }
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for (recipient, numbers) in numbers.enumerated() where !numbers.isEmpty {
                group.addTask { await send(numbers, to: plan.users[recipient], start: start) }
            }
        }
    }

    private func send(_ numbers: [Int], to user: String, start: ContinuousClock.Instant) async {
        for number in numbers {
            let message = plan.messages[number]
            if message.dueMilliseconds > 0 { try? await Task.sleep(until: start + .milliseconds(message.dueMilliseconds)) }
            let payload = log.withUnsafeBytes { ReplayPayload.json($0, message.line, number: number) }
            board.onSend(number)
            await send(number, .json(payload), to: user)
        }
    }

    /// Repeats with the same key go to the same producer: it keeps the order that a refusal may have broken.
    private func send(_ number: Int, _ payload: Producer.Payload, to user: String) async {
        let producer = producers[number % producers.count]
        let key = "replay-\(board.runID)-\(number)"
        for attempt in 0... {
            do throws(ProducerError) {
                return board.onReceipt(number, try await producer.send(payload, to: .user(user), idempotency: .key(key)))
            } catch {
                guard error.isWorthARepeat, attempt < Self.repeatsMax else { return board.onFailure(number, error) }
                board.onRepeat()
                try? await Task.sleep(for: .milliseconds(100 << min(attempt, 5)))
            }
        }
    }

    // MARK: Waiting

    private func wait(secondsMax: Int, until condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        while !condition() {
            if ContinuousClock.now >= deadline { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    private func showProgress() async {
        let pause: Duration = Console.errorIsTerminal ? .milliseconds(250) : .seconds(2)
        while !Task.isCancelled {
            let line = board.read { state in
                let counts = state.ledger.counts
                return "attached \(state.attached)/\(subscribers.count)  sent \(counts.acknowledged)/\(counts.planned)  "
                    + "delivered \(counts.delivered)  under way \(state.ledger.missing)  reconnects \(state.reconnects)"
            }
            if Console.errorIsTerminal { Console.status(line) } else { Console.note(line) }
            try? await Task.sleep(for: pause)
        }
    }
}

extension Array {
    fileprivate func rotated(by places: Int) -> [Element] {
        let start = places % count
        return Array(self[start...] + self[..<start])
    }
}
