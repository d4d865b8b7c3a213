// One of two nodes that have an event loop, a link and a ring of their own making, and no clients and no ZooKeeper: to measure what a link
// carries. All that a message meets is what it meets in every node; how much of it, says the way that it takes.
import HashRing
import Logging
import NIOCore
import NIOPosix
import RingpostCore
import RingpostNode
import RingpostWire

/// Used by whoever measures; what it does, it does on its event loop.
final class LinkTrial: Sendable {
    /// What a message goes through.
    enum Way: String, Sendable, CaseIterable {
        /// The link alone: encoded, sent, decoded, checked and answered with a receipt.
        case link
        /// The owner appends it to a mailbox before it answers.
        case owner
        /// It also goes through the lanes of the node that forwards it, as a producer's does.
        case nodes
    }

    /// What became of the messages of one run.
    struct Outcome: Sendable {
        let acknowledged: Int
        let refused: Int
        let microseconds: Int64
        /// System calls with which the sender has sent.
        let writes: Int
        /// Bytes of a message and of a receipt on the link, on average.
        let messageBytes: Double
        let receiptBytes: Int
    }

    private static let (senderID, ownerID) = ("n1", "n2")
    /// The owner is alone at first, so that nobody has to be asked for its slots.
    private static let (epochAlone, epoch): (UInt64, UInt64) = (1, 2)
    private static let millisecondsMax: Int64 = 10_000

    /// Where it listens for the other one.
    let port: Int
    private let way: Way
    private let isOwner: Bool
    private let group: MultiThreadedEventLoopGroup
    private let context: NodeContext
    private let shards: ShardGroup
    private let shard: Shard
    private let document: ClusterDocument
    private let traffic: TrialTraffic

    /// - Throws: ``NodeError``.
    init(_ way: Way, isOwner: Bool) async throws {
        self.way = way
        self.isOwner = isOwner
        let logger = Logger(label: "link trial") { StreamLogHandler.standardError(label: $0) }
        let configuration = NodeConfiguration(id: isOwner ? Self.ownerID : Self.senderID)
        // Both have to place keys alike.
        guard let seed = SipKey(bytes: [UInt8](repeating: 7, count: 16)) else { throw NodeError("no key") }
        document = ClusterDocument(seed: seed, generation: 9)
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let context = NodeContext(configuration: configuration, shardCount: 1, logger: logger)
        shards = ShardGroup(context, eventLoops: [group.next()])
        let shard = shards.shards[0]
        try await context.loadAuth()
        let listening = try await shards.openLinkPort(at: ListenAddress(host: "127.0.0.1", port: 0)) { nil }
        (self.context, self.shard, port) = (context, shard, listening.address.port)
        traffic = TrialTraffic(shard, answers: way == .link)
        shard.links.serve(traffic)
        var hooks = NodeContext.Hooks()
        // Nobody else has ever had a copy.
        hooks.vacancyWait = { _ in 0 }
        context.setHooks(hooks)
    }

    /// Joins the other one, which listens at a port.
    ///
    /// - Throws: ``NodeError`` when no link comes about.
    func join(otherPort: Int) async throws {
        let sender = Self.member(Self.senderID, boot: 1, weight: 0, port: isOwner ? otherPort : port)
        let owner = Self.member(Self.ownerID, boot: 2, weight: 1, port: isOwner ? port : otherPort)
        let me = isOwner ? owner : sender
        try await shard.eventLoop.submit { [self] in
            context.setIdentity(me.identity)
            context.setLease(.forever)
            shard.start()
            shard.begin(as: me.identity)
            shard.setLease(until: .max)
            if isOwner { apply(MembershipView(epoch: Self.epochAlone, members: [me], document: document, own: me.identity)) }
        }.get()
        try await wait { $0.machine.inheritingCount == 0 }
        try await shard.eventLoop.submit { [self] in
            apply(MembershipView(epoch: Self.epoch, members: [sender, owner], document: document, own: me.identity, previous: shard.view))
        }.get()
        try await wait { $0.links[0]?.isUp == true }
    }

    private func wait(_ condition: @escaping @Sendable (Shard) -> Bool) async throws {
        let until = Moment.now().monotonic + Self.millisecondsMax
        while try await !shard.eventLoop.submit({ [shard] in condition(shard) }).get() {
            if Moment.now().monotonic > until { throw NodeError("no link, or no slots, after \(Self.millisecondsMax) ms") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func apply(_ view: MembershipView) {
        context.setView(view)
        shard.apply(view)
    }

    private static func member(_ id: String, boot: UInt64, weight: UInt16, port: Int) -> Member {
        Member(id: id, boot: boot, weight: weight, protocolVersion: 1, client: "\(id):1", api: "\(id):2", link: "127.0.0.1:\(port)")
    }

    /// Sends messages to users u0, u1, … and waits for the last answer.
    ///
    /// - Parameters:
    ///   - size: bytes of the payload.
    ///   - window: unanswered ones at once, at most.
    func send(_ messages: Int, size: Int, users: Int, window: Int) async throws -> Outcome {
        let keys = try (0..<users).map { try Key(.user, name: Array("u\($0)".utf8), hasher: document.hasher) }
        let done = shard.eventLoop.makePromise(of: Outcome.self)
        shard.eventLoop.execute { [self] in
            TrialSender(shard, way == .nodes ? nil : traffic, keys: keys, size: size, messages: messages, done: done).begin(window: window)
        }
        return try await done.futureResult.get()
    }

    /// - Throws: what the event loop says about it.
    func end() async throws {
        try await shard.eventLoop.submit { [shard] in shard.stop() }.get()
        try await group.shutdownGracefully()
    }
}

/// Makes messages, and the next one for each answer. Used on its loop only.
private final class TrialSender: PublishSink, @unchecked Sendable {
    private static let messagesPerLook = 64

    private let shard: Shard
    private let traffic: TrialTraffic?
    private let client: LinkClient?
    private let keys: [Key]
    private let data: [UInt8]
    private let messages: Int
    private let done: EventLoopPromise<LinkTrial.Outcome>
    private let stream: UInt64
    private let began = Moment.monotonicMicroseconds()
    private let writesBefore: UInt64
    private var sent = 0
    private var acknowledged = 0
    private var refused = 0
    private var random: UInt64 = 42
    private var deadline: Int64 = 0
    private var publishedAt: Int64 = 0
    private var messageBytes = 0.0
    private var receiptBytes = 0

    /// - Parameter traffic: nil for messages that go through lanes.
    init(_ shard: Shard, _ traffic: TrialTraffic?, keys: [Key], size: Int, messages: Int, done: EventLoopPromise<LinkTrial.Outcome>) {
        self.shard = shard
        self.keys = keys
        self.messages = messages
        self.done = done
        self.traffic = traffic
        client = traffic == nil ? nil : shard.links[0]
        data = Array("\"".utf8) + Array(repeating: UInt8(ascii: "x"), count: max(0, size - 2)) + Array("\"".utf8)
        stream = shard.runtime.numbers.stream()
        writesBefore = shard.runtime.counters.writes
        traffic?.sender = self
    }

    func begin(window: Int) {
        let before = shard.links[0]?.pendingBytes ?? 0
        for _ in 0..<min(window, messages) { sendNext() }
        messageBytes = Double((shard.links[0]?.pendingBytes ?? 0) - before) / Double(sent)
    }

    private func sendNext() {
        sent += 1
        // Knuth's MMIX generator: the users take turns in no order, the same one in every run.
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Making messages is no part of a link: one look at the clocks is enough for some of them.
        if sent % Self.messagesPerLook == 1 {
            deadline = Moment.now().monotonic + Publish.budgetMillisecondsMax
            publishedAt = Moment.wallMicroseconds()
        }
        let publish = Publish(
            key: keys[Int(random >> 33) % keys.count], id: shard.runtime.numbers.messageID(), isRepeatable: false, data: data,
            deadline: deadline,
            publishedAt: publishedAt)
        if let client {
            client.forward(UInt64(sent), publish, hops: 1, restarts: false, epoch: shard.machine.epoch)
        } else {
            shard.publisher.send(publish, stream: stream, to: self, tag: UInt64(sent))
        }
    }

    func onAnswer(tag: UInt64, _ result: PublishResult) {
        if case .success = result { acknowledged += 1 } else { refused += 1 }
        if sent < messages { sendNext() }
        guard acknowledged + refused == messages else { return }
        var receipt = ByteBuffer()
        LinkEncoder.write(answer: tag, result, into: &receipt)
        receiptBytes = receipt.readableBytes
        traffic?.sender = nil
        done.succeed(
            LinkTrial.Outcome(
                acknowledged: acknowledged, refused: refused, microseconds: Moment.monotonicMicroseconds() - began,
                writes: Int(shard.runtime.counters.writes - writesBefore), messageBytes: messageBytes,
                receiptBytes: receiptBytes))
    }
}

/// What comes over the links: handed on to the shard, but for what only the trial knows of. Used on its loop only.
private final class TrialTraffic: LinkDelegate, @unchecked Sendable {
    private let shard: Shard
    /// Acknowledges publishes that have been read and checked, and keeps nothing.
    private let answers: Bool
    private var sequence: UInt64 = 0
    /// Gets the answers to messages that no lane knows of.
    var sender: TrialSender?

    init(_ shard: Shard, answers: Bool) {
        self.shard = shard
        self.answers = answers
    }

    func onForward(_ publish: Publish, _ context: PublishContext) {
        if !answers { return shard.onForward(publish, context) }
        sequence += 1
        let receipt = Receipt(
            sequence: sequence, epoch: context.epoch, owner: shard.context.configuration.id, outcome: .stored, mirrored: false,
            id: publish.id)
        shard.post(.answer(context.address, .success(receipt)), to: shard.index)
    }

    func onForwardAnswer(_ request: UInt64, _ result: PublishResult) {
        if let sender { sender.onAnswer(tag: request, result) } else { shard.onForwardAnswer(request, result) }
    }

    func onQuestion(_ question: LinkQuestion, _ argument: [UInt8], _ answer: @escaping @Sendable ([UInt8]) -> Void) {}
    func onLinkChange(isUp: Bool) { shard.onLinkChange(isUp: isUp) }
}
