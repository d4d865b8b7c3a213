// The producer library: messages in, receipts out, over one link to one node at a time. Any node will do; it forwards
// what it doesn't own. Messages are pipelined, many of one moment leave in one write, and a lost link is replaced.
import Logging
import RingpostCore
import RingpostWire
import Synchronization

/// Sends messages to users and channels.
///
/// Every message has an idempotency key, by default one of the producer's own, so that messages that were under way when
/// a link broke are sent again without being delivered twice. Messages to one destination keep the order in which they were sent.
public final class Producer: Sendable {
    /// What a message says.
    public enum Payload: Sendable {
        /// Becomes a JSON string on the way.
        case text(String)
        /// Any JSON value, as bytes; the node checks it.
        case json([UInt8])
    }

    /// Who gets a message.
    public enum Destination: Sendable, Hashable {
        /// The sockets of a user.
        case user(String)
        /// All who listen to a channel.
        case channel(String)

        var isChannel: Bool { if case .channel = self { true } else { false } }

        var name: String {
            switch self {
            case .user(let name), .channel(let name): name
            }
        }
    }

    /// How a message is safe to repeat.
    public enum Idempotency: Sendable, Hashable {
        /// The producer gives it a key of its own.
        case automatic
        /// 1 to 255 bytes; a second message to the same destination with the same key gets the first one's receipt.
        case key(String)
        /// None: if a link breaks with the message under way, ``ProducerError/outcomeUnknown`` is the answer.
        case none
    }

    /// What a producer waits for and how much it holds.
    public struct Options: Sendable {
        /// Unanswered messages; beyond it ``Producer/send(_:to:idempotency:timeToLiveSeconds:)`` waits.
        public var inFlightMax = 1_024
        /// Callers that wait for a place; beyond it they get ``ProducerError/tooManyWaiting``.
        public var waitingMax = 65_536
        /// How long one message may take, from hand-over to answer; 10 s at most.
        public var budgetMilliseconds = Publish.budgetMillisecondsMax
        /// Says what the producer may do; `nil` where nodes ask nobody.
        public var apiKey: String?
        /// Whom to believe to be a node, where TLS is spoken.
        public var trust = TrustRoots.system
        /// Whether the links that an API names speak TLS; `nil`: if the API does. Links that are given themselves say it with
        /// `https://`. A node that an API names has to show a certificate for its id or its address there, any other one for its host.
        public var linkTLS: Bool?
        /// Where to report lost links; says nothing by default.
        public var logger = Logger(label: "ringpost.producer", factory: { _ in SwiftLogNoOpLogHandler() })

        /// The defaults.
        public init() {}
    }

    private let shell: ProducerShell
    private let options: Options
    /// Random, so that the keys of two producers never meet; a counter makes each message's key from it.
    private let keyPrefix: (UInt64, UInt64)
    private let nextKey = Atomic<UInt64>(0)
    private let window: SendWindow

    /// A producer that asks a node's API where the links are.
    ///
    /// - Parameter api: API addresses ("http://127.0.0.1:8081"); the first that answers is believed.
    public convenience init(api: [Endpoint], options: Options = Options()) {
        self.init(.api(OperatorClient(api: api, apiKey: options.apiKey, trust: options.trust), isTLS: options.linkTLS), options)
    }

    /// A producer for known link addresses, tried in this order.
    public convenience init(links: [Endpoint], options: Options = Options()) {
        self.init(.fixed(links.map(LinkTarget.init)), options)
    }

    /// A producer for members as an API has named them, tried in this order.
    public convenience init(nodes: [NodeReport], options: Options = Options()) {
        self.init(.fixed(nodes.compactMap { LinkTarget($0, isTLS: options.linkTLS ?? false) }), options)
    }

    private init(_ directory: LinkDirectory, _ options: Options) {
        self.options = options
        window = SendWindow(windowMax: options.inFlightMax, waitingMax: options.waitingMax)
        shell = ProducerShell(
            directory: directory, trust: options.trust, apiKey: options.apiKey, window: window, logger: options.logger)
        keyPrefix = (.random(in: 0 ... .max), .random(in: 0 ... .max))
    }

    /// Connects now, and says which node it is; not needed before sending, but it tells early when nobody is there.
    @discardableResult
    public func connect() async throws(ProducerError) -> String {
        try await withCheckedContinuation { continuation in shell.connect { continuation.resume(returning: $0) } }.get()
    }

    /// Sends one message and waits for its receipt; waits for a place first when too many are unanswered.
    ///
    /// - Parameter timeToLiveSeconds: `nil`: as long as the history keeps it. 0: only for sockets attached right now.
    public func send(
        _ payload: Payload, to destination: Destination, idempotency: Idempotency = .automatic, timeToLiveSeconds: UInt32? = nil
    ) async throws(ProducerError) -> SendReceipt {
        let message = try outgoing(payload, destination, idempotency, timeToLiveSeconds)
        if try !window.take() {
            guard await window.wait() else { throw .closed }
        }
        return try await withCheckedContinuation { (continuation: CheckedContinuation<Result<SendReceipt, ProducerError>, Never>) in
            shell.handOver(message) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Hands one message over without waiting: the way to pipeline from a loop.
    ///
    /// - Parameter completion: called once, on an event loop; it must not block. The message's place is free by then: a completion that
    ///   hands the next one over keeps as many under way as there were, and those of one moment leave in one write.
    /// - Returns: `false` when too many are unanswered: the message was not taken and the completion is never called.
    /// - Throws: what is wrong with the message itself, or ``ProducerError/closed``.
    public func enqueue(
        _ payload: Payload, to destination: Destination, idempotency: Idempotency = .automatic, timeToLiveSeconds: UInt32? = nil,
        completion: @escaping @Sendable (Result<SendReceipt, ProducerError>) -> Void
    ) throws(ProducerError) -> Bool {
        let message = try outgoing(payload, destination, idempotency, timeToLiveSeconds)
        guard try window.take() else { return false }
        shell.handOver(message, completion)
        return true
    }

    /// Hands one message over and returns without its receipt; waits for a place first when too many are unanswered.
    ///
    /// - Parameter completion: called once, on an event loop; it must not block.
    public func enqueueWaiting(
        _ payload: Payload, to destination: Destination, idempotency: Idempotency = .automatic, timeToLiveSeconds: UInt32? = nil,
        completion: @escaping @Sendable (Result<SendReceipt, ProducerError>) -> Void
    ) async throws(ProducerError) {
        let message = try outgoing(payload, destination, idempotency, timeToLiveSeconds)
        if try !window.take() {
            guard await window.wait() else { throw .closed }
        }
        shell.handOver(message, completion)
    }

    /// Takes no more messages, waits until all that were taken are answered (at most a budget), and closes the link.
    public func close() async {
        window.close()
        await window.drained()
        shell.close()
    }

    // MARK: Messages

    private func outgoing(
        _ payload: Payload, _ destination: Destination, _ idempotency: Idempotency, _ timeToLiveSeconds: UInt32?
    ) throws(ProducerError) -> OutgoingMessage {
        let nameBytes = destination.name.utf8.count
        let (what, bytesMost) = destination.isChannel ? ("a channel name", Key.channelBytesMax) : ("a user id", Key.userBytesMax)
        guard (1...bytesMost).contains(nameBytes) else { throw .badRequest("\(what) has 1 to \(bytesMost) bytes, not \(nameBytes)") }
        if case .key(let text) = idempotency, !(1...255).contains(text.utf8.count) {
            throw .badRequest("an idempotency key has 1 to 255 bytes, not \(text.utf8.count)")
        }
        // Beyond this the frame itself would be refused; the node's own, lower bound is applied once its welcome is here.
        let bytesMax = LinkProtocol.frameBytesMax - LinkProtocol.handshakeBytesMax
        guard payload.bytes <= bytesMax else { throw .tooLarge(bytes: payload.bytes, bytesMax: bytesMax) }
        let frame = payload.withBytes { isJSON, data in
            withKey(idempotency) { key in
                var name = destination.name
                return name.withUTF8 { name in
                    ProduceFrame(
                        isChannel: destination.isChannel, name: UnsafeRawBufferPointer(name), idempotencyKey: key,
                        isForgettable: idempotency == .automatic, timeToLiveSeconds: timeToLiveSeconds, isJSON: isJSON, data: data)
                }
            }
        }
        return OutgoingMessage(
            destination: destination, frame: frame, isRepeatable: idempotency != .none, isOwnKey: idempotency == .automatic,
            deadline: ProducerShell.now + min(options.budgetMilliseconds, Publish.budgetMillisecondsMax))
    }

    private func withKey<Result>(_ idempotency: Idempotency, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch idempotency {
        case .none: return body(UnsafeRawBufferPointer(start: nil, count: 0))
        case .key(var text): return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        case .automatic:
            let number = nextKey.wrappingAdd(1, ordering: .relaxed).newValue
            return withUnsafeBytes(of: (keyPrefix.0, keyPrefix.1, number.littleEndian), body)
        }
    }
}

extension Producer.Payload {
    fileprivate var bytes: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .json(let bytes): bytes.count
        }
    }

    fileprivate func withBytes<Result>(_ body: (_ isJSON: Bool, UnsafeRawBufferPointer) -> Result) -> Result {
        switch self {
        case .text(var text): text.withUTF8 { body(false, UnsafeRawBufferPointer($0)) }
        case .json(let bytes): bytes.withUnsafeBytes { body(true, $0) }
        }
    }
}
