// The producer's side of the world: one event loop, one link at a time, the clock. It feeds the machine and performs
// what the machine asks for. Everything here happens on `loop`, except `hand over`, which is how messages come in.
import DequeModule
import Logging
import NIOCore
import NIOPosix
import RingpostCore
import RingpostWire
import Synchronization

/// Who waits for a message's answer.
typealias SendCompletion = @Sendable (Result<SendReceipt, ProducerError>) -> Void

/// `@unchecked Sendable`: all variables are touched on `loop` only (asserted at every entry), but for `inbox`, which has a lock.
final class ProducerShell: @unchecked Sendable {
    /// Looks at deadlines and held destinations this often while there are any.
    static let tickMilliseconds: Int64 = 25
    /// Looks at the link's silence this often otherwise.
    static let idleTickMilliseconds: Int64 = 1_000
    static let connectMillisecondsMax: Int64 = 2_500

    private enum State {
        /// Can transition to connecting, closed.
        case idle
        /// Asks for addresses or dials. Can transition to up, waiting, closed.
        case connecting
        /// Can transition to waiting, closed.
        case up(ProducerLink, node: String)
        /// Dials again after a pause. Can transition to connecting, closed.
        case waiting
        /// Final.
        case closed
    }

    private struct Inbox {
        var messages: Deque<(OutgoingMessage, SendCompletion)> = []
        var isScheduled = false
    }

    let loop: any EventLoop
    private let window: SendWindow
    private let directory: LinkDirectory
    private let trust: TrustRoots
    private let apiKey: String?
    private let logger: Logger
    private let inbox = Mutex(Inbox())
    private var machine = ProducerMachine<SendCompletion>(spread: .random(in: 0 ... .max))
    private var state = State.idle
    /// Addresses not tried since the last time the directory was asked.
    private var untried: Deque<LinkTarget> = []
    private var backoff = Backoff()
    private var upSince: NIODeadline = .now()
    private var tick: Scheduled<Void>?
    private var lastFailure = "no node has been tried yet"
    /// What the answers of one read have led to.
    private var actions: [ProducerMachine<SendCompletion>.Action] = []
    private var onFirstRound: [@Sendable (Result<String, ProducerError>) -> Void] = []

    init(directory: LinkDirectory, trust: TrustRoots, apiKey: String?, window: SendWindow, logger: Logger) {
        loop = MultiThreadedEventLoopGroup.singleton.next()
        self.directory = directory
        self.trust = trust
        self.apiKey = apiKey
        self.window = window
        self.logger = logger
    }

    // MARK: From any thread

    /// Hands a message over. Many in one tick make one hop and one write.
    func handOver(_ message: OutgoingMessage, _ completion: @escaping SendCompletion) {
        let isFirst = inbox.withLock { inbox in
            inbox.messages.append((message, completion))
            defer { inbox.isScheduled = true }
            return !inbox.isScheduled
        }
        if isFirst { loop.execute { self.takeIn() } }
    }

    /// Connects now; answers with the node's id, or with the reason when every address has been tried once.
    func connect(_ completion: @escaping @Sendable (Result<String, ProducerError>) -> Void) {
        loop.execute {
            switch self.state {
            case .up(_, let node): completion(.success(node))
            case .closed: completion(.failure(.closed))
            case .idle, .connecting, .waiting:
                self.onFirstRound.append(completion)
                if case .idle = self.state { self.dial() }
            }
        }
    }

    /// Ends the link. Whoever calls has waited for the answers.
    func close() {
        loop.execute {
            if case .up(let link, _) = self.state { link.close("the producer has been closed") }
            self.state = .closed
            self.tick?.cancel()
            self.endFirstRound(.failure(.closed))
        }
    }

    // MARK: On the loop

    private func takeIn() {
        loop.preconditionInEventLoop()
        let messages = inbox.withLock { inbox in
            inbox.isScheduled = false
            defer { inbox.messages = [] }
            return inbox.messages
        }
        for (message, completion) in messages { machine.submit(message, completion, actions: &actions) }
        perform()
        flush()
        if case .idle = state { dial() }
        scheduleTick()
    }

    /// Performs what has been decided since the last time. Whoever is told something may hand over the next message at once: that one comes
    /// in by a tick of its own, together with all others of this moment.
    private func perform() {
        if actions.isEmpty { return }
        var batch: [ProducerMachine<SendCompletion>.Action] = []
        swap(&batch, &actions)
        let completing = batch.count { if case .complete = $0 { true } else { false } }
        if completing > 0 { window.free(completing: completing) }
        var leaves = false
        for action in batch {
            switch action {
            case .write(let request, let message, let restarts, let mayBeRepeat):
                // The machine writes only while its link is up; a link that has just gone down tells it in the same tick.
                guard case .up(let link, _) = state else { continue }
                let budget = UInt16(min(max(message.deadline - Self.now, 1), Publish.budgetMillisecondsMax))
                link.write {
                    message.frame.write(
                        request: request, restarts: restarts, mayBeRepeat: mayBeRepeat, budgetMilliseconds: budget, into: &$0)
                }
            case .complete(let completion, .success(let receipt)):
                let via = if case .up(_, let node) = state { node } else { "" }
                completion(.success(SendReceipt(receipt, via: via)))
            case .complete(let completion, .failure(.notSent)): completion(.failure(.notSent(lastFailure)))
            case .complete(let completion, .failure(let error)): completion(.failure(error))
            case .leave: leaves = true
            }
        }
        if completing > 0 { window.completed(completing) }
        batch.removeAll(keepingCapacity: true)
        if actions.isEmpty { swap(&batch, &actions) }
        if leaves, case .up(let link, let node) = state { link.close("\(node) is stopping") }
    }

    private func flush() { if case .up(let link, _) = state { link.flush() } }

    private func scheduleTick() {
        if tick != nil { return }
        if case .closed = state { return }
        let isBusy = !machine.isIdle
        tick = loop.scheduleTask(in: .milliseconds(isBusy ? Self.tickMilliseconds : Self.idleTickMilliseconds)) {
            self.tick = nil
            self.machine.onTick(now: Self.now, actions: &self.actions)
            self.perform()
            if case .up(let link, _) = self.state { link.onTick(now: .now()) }
            self.flush()
            self.scheduleTick()
        }
    }

    static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    // MARK: Connecting

    private func dial() {
        loop.preconditionInEventLoop()
        state = .connecting
        guard let target = untried.popFirst() else { return askDirectory() }
        let address = target.endpoint
        let link = NIOLoopBound(ProducerLink(delegate: self, address: address, apiKey: apiKey), eventLoop: loop)
        ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(Self.connectMillisecondsMax))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [trust] channel in
                channel.eventLoop.makeCompletedFuture {
                    if address.isTLS { try channel.pipeline.syncOperations.addHandler(trust.store.handler(for: target.name)) }
                    try channel.pipeline.syncOperations.addHandler(link.value)
                }
            }
            .connect(host: address.host, port: address.port)
            .whenFailure { error in
                let sentence = TLSFailure.sentence(error, at: address.url)
                self.onFailure(sentence ?? "nothing answers at \(address): is a node running there? (ringpost node)")
            }
    }

    private func askDirectory() {
        let directory = directory
        Task {
            let result = await directory.addresses()
            self.loop.execute {
                switch result {
                case .success(let addresses):
                    self.untried = Deque(addresses)
                    self.dial()
                case .failure(let error): self.onFailure("\(error)")
                }
            }
        }
    }

    /// An attempt has failed, or a link has ended. After the last untried address comes a pause.
    private func onFailure(_ reason: String) {
        if case .closed = state { return }
        lastFailure = reason
        logger.debug("no link", metadata: ["reason": "\(reason)"])
        state = .waiting
        if !untried.isEmpty { return dial() }
        endFirstRound(.failure(.notSent(reason)))
        var generator = SystemRandomNumberGenerator()
        loop.scheduleTask(in: .milliseconds(Int64(backoff.next(using: &generator)))) {
            if case .waiting = self.state { self.dial() }
        }
    }

    private func endFirstRound(_ result: Result<String, ProducerError>) {
        let waiting = onFirstRound
        onFirstRound = []
        for completion in waiting { completion(result) }
    }
}

extension ProducerShell: ProducerLinkDelegate {
    func linkIsUp(_ link: ProducerLink, _ welcome: LinkWelcome) {
        guard case .connecting = state else { return link.close("not needed any more") }
        logger.debug("linked", metadata: ["node": "\(welcome.node)"])
        state = .up(link, node: welcome.node)
        upSince = .now()
        endFirstRound(.success(welcome.node))
        machine.onUp(payloadBytesMax: Int(welcome.payloadBytesMax), actions: &actions)
        perform()
        scheduleTick()
    }

    func linkAnswered(_ link: ProducerLink, request: UInt64, _ result: PublishResult, message: String?, now: Int64) {
        machine.onAnswer(request: request, result, message: message, now: now, actions: &actions)
    }

    func linkHasRead(_ link: ProducerLink) {
        perform()
        flush()
    }

    func linkIsDown(_ link: ProducerLink, _ reason: String) {
        if case .up(let current, _) = state, current === link {
            if .now() - upSince >= .seconds(1) { backoff.reset() }
            state = .waiting
            machine.onDown(actions: &actions)
            perform()
        }
        onFailure(reason)
    }
}
