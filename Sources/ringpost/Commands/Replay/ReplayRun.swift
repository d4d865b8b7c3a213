// One run of a replay: a client for each user, a producer for each node, and a task for each user that sends what was
// said to it, one message after the receipt of the one before.
import FoundationEssentials
import HashRing
import RingpostClient
import RingpostReplay

/// What a replay's clients and producers show to nodes.
struct ReplayAccess: Sendable {
    /// A replay that takes longer has its clients renew their tokens.
    private static let tokenSeconds: Int64 = 600

    let producers: Producer.Options
    let clientsSpeakTLS: Bool
    /// `nil` where nodes ask nobody for a token.
    var minter: TokenMinter?

    init(producers: Producer.Options, clientsSpeakTLS: Bool) {
        self.producers = producers
        self.clientsSpeakTLS = clientsSpeakTLS
    }

    func client(_ user: String) -> Subscriber.Options {
        var options = Subscriber.Options()
        options.trust = producers.trust
        guard let minter else { return options }
        options.token = TokenSource {
            let now = Int64(Date().timeIntervalSince1970)
            return try await minter.token(TokenClaims(sub: user, exp: now + Self.tokenSeconds, iat: now, subscribe: ["*"]))
        }
        return options
    }
}

struct ReplayRun: Sendable {
    /// Every client must be attached after so long.
    static let attachSecondsMax = 30
    /// What is still under way after the last receipt gets so long to arrive.
    static let stragglerSecondsMax = 10
    /// A message that a node could not take, or of which nobody knows what came, is sent again with its key so many times.
    static let repeatsMax = 8

    /// Channels of one event stream or poll.
    static let streamChannelsMax = 32

    private let plan: ReplayPlan
    private let log: Data
    private let board: ReplayBoard
    private let producers: [Producer]
    private let subscribers: [Subscriber]
    private let seed: UInt64
    /// Subscriptions to channels that will be told of.
    private let listening: Int

    init(
        plan: ReplayPlan, log: Data, nodes: [NodeReport], access: ReplayAccess, transports: [Subscriber.Transport], seed: UInt64
    ) throws(ReplayError) {
        self.plan = plan
        self.log = log
        self.seed = seed
        board = ReplayBoard(plan: plan, transports: transports)
        let links = nodes.compactMap { try? Endpoint($0.link) }
        let clients = nodes.compactMap { node in
            (try? Endpoint(node.client)).map { Endpoint(host: $0.host, port: $0.port, isTLS: access.clientsSpeakTLS) }
        }
        guard !nodes.isEmpty, links.count == nodes.count, clients.count == nodes.count else {
            throw ReplayError(description: "not every node names an address for links and for clients")
        }
        producers = nodes.indices.map { Producer(nodes: nodes.rotated(by: $0), options: access.producers) }
        // Every pairing of node and transport gets its part of the users, the most addressed ones spread too.
        var generator = SplitMix64(seed: seed)
        let indices = Array(plan.users.indices).shuffled(using: &generator)
        var channels = [[String]](repeating: [], count: plan.users.count)
        for (name, users) in zip(plan.channels, plan.subscribers) { for user in users { channels[Int(user)].append(name) } }
        subscribers = zip(plan.users.indices, indices).map { user, index in
            // Who was there on more days than an event stream or a poll can listen to has a WebSocket.
            let transport = channels[user].count > Self.streamChannelsMax ? .webSocket : transports[index % transports.count]
            return Subscriber(
                urls: clients.rotated(by: index / transports.count), user: plan.users[user], channels: channels[user], transport: transport,
                options: access.client(plan.users[user]))
        }
        // Polls say nothing of single subscriptions: they begin with all of them.
        listening = subscribers.filter { $0.transport == .webSocket || $0.transport == .eventStream }.reduce(0) { $0 + $1.channels.count }
    }

    func perform() async throws(ReplayError) -> ReplayReport {
        let result = await withTaskGroup(of: Void.self, returning: Result<ReplayReport, ReplayError>.self) { group in
            for recipient in subscribers.indices { group.addTask { await listen(recipient) } }
            group.addTask { await showProgress() }
            defer { group.cancelAll() }
            let isAttached = { board.read { $0.attached == subscribers.count && $0.listening >= listening } }
            guard await wait(secondsMax: Self.attachSecondsMax, until: isAttached) else {
                let (attached, failures) = board.read { ($0.attached, $0.failures) }
                return .failure(
                    ReplayError(
                        description: (["only \(attached) of \(subscribers.count) clients attached in \(Self.attachSecondsMax) s"] + failures)
                            .joined(separator: "\n  ")))
            }
            let start = board.now
            await send()
            _ = await wait(secondsMax: Self.stragglerSecondsMax) { board.read { $0.ledger.missing + $0.channelLedger.missing == 0 } }
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
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for (kind, messages, destinations) in [
                (ReplayBoard.Kind.message, plan.messages, plan.users.map(Producer.Destination.user)),
                (.call, plan.calls, plan.channels.map(Producer.Destination.channel)),
            ] {
                var numbers = [[Int]](repeating: [], count: destinations.count)
                for (number, message) in messages.enumerated() { numbers[Int(message.recipient)].append(number) }
                for (recipient, numbers) in numbers.enumerated() where !numbers.isEmpty {
                    group.addTask {
                        for number in numbers {
                            let payload = await payload(of: messages[number], number: number, start: start)
                            board.onSend(number, kind)
                            board.onEnd(number, kind, await send(number, payload, to: destinations[recipient]))
                        }
                    }
                }
            }
        }
    }

    /// Waits until the message is due.
    private func payload(of message: ReplayPlan.Message, number: Int, start: ContinuousClock.Instant) async -> Producer.Payload {
        if message.dueMilliseconds > 0 { try? await Task.sleep(until: start + .milliseconds(message.dueMilliseconds)) }
        return .json(log.withUnsafeBytes { ReplayPayload.json($0, message.line, number: number) })
    }

    /// Repeats with the same key go to the same producer: it keeps the order that a refusal may have broken.
    private func send(_ number: Int, _ payload: Producer.Payload, to destination: Producer.Destination) async
        -> Result<SendReceipt, ProducerError>
    {
        let producer = producers[number % producers.count]
        let key = "replay-\(board.runID)-\(number)"
        var attempt = 0
        while true {
            do throws(ProducerError) {
                return .success(try await producer.send(payload, to: destination, idempotency: .key(key)))
            } catch {
                guard error.isWorthARepeat, attempt < Self.repeatsMax else { return .failure(error) }
                board.onRepeat()
                try? await Task.sleep(for: .milliseconds(100 << min(attempt, 5)))
                attempt += 1
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
                let calls = state.channelLedger.counts
                let sent = counts.acknowledged + calls.acknowledged
                return "attached \(state.attached)/\(subscribers.count)  sent \(sent)/\(plan.messages.count + plan.calls.count)  "
                    + "delivered \(counts.delivered + calls.delivered)  under way \(state.ledger.missing + state.channelLedger.missing)  reconnects \(state.reconnects)"
            }
            if Console.errorIsTerminal { Console.status(line) } else { Console.note(line) }
            try? await Task.sleep(for: pause)
        }
    }
}

extension Array {
    fileprivate func rotated(by indices: Int) -> [Element] {
        let start = indices % count
        return Array(self[start...] + self[..<start])
    }
}
