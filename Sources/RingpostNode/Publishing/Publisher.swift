// The one way in for whoever publishes: an HTTP request, a line of a batch, a producer on a link, a client on a WebSocket. It checks what the
// caller may do, gives the message its id and its deadline, and sends it to the shard of its key's slot, from where the answer comes back.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

/// Who publishes, by what it is allowed with.
enum PublishCaller {
    /// A producer over HTTP, with an API key or, where none is asked for, without one.
    case apiKey(APIGrant)
    /// A client on a WebSocket.
    case client(ClientGrant)
}

/// Costs nothing to make: it is the shard, as those who publish see it.
struct Publisher {
    private let shard: Shard

    init(on shard: Shard) { self.shard = shard }

    // MARK: Checks

    /// Checks that the caller may publish there, and now.
    ///
    /// - Throws: that it may not, or publishes too fast; counted.
    func admit(_ caller: PublishCaller, to key: Key) throws(ProblemReport) {
        switch caller {
        case .apiKey(let grant):
            guard let keys = shard.shared.apiKeys else { return }
            guard grant.allowsPublish(key.kind, key.name) else {
                shard.counters.count(.notGranted)
                throw ProblemReport(.forbidden, "this API key may not publish there")
            }
            guard let report = keys.objection(to: grant, now: .now()) else { return }
            if report.problem == .tooFast { shard.counters.count(.keyRate) }
            throw report
        case .client(let grant):
            if !grant.allowsPublish(to: key) { throw ProblemReport(.forbidden, "you may not publish this here") }
        }
    }

    /// A payload as JSON.
    ///
    /// - Throws: that it is too large, or not what it is said to be.
    func payload(_ body: ByteBuffer, kind: Payload.Kind) throws(ProblemReport) -> [UInt8] {
        try Payload.encode(body, kind: kind, bytesMax: shard.shared.configuration.limits.payloadBytesMax)
    }

    // MARK: The message

    /// The message with its id and deadline.
    ///
    /// - Throws: that its idempotency key is too long.
    func message(_ request: PublishRequest, hasher: KeyHasher) throws(ProblemReport) -> Publish {
        try Self.check(idempotencyKeyBytes: request.idempotencyKey.count)
        let id = request.idempotencyKey.withUnsafeBytes { MessageID(repeatableBy: $0, to: request.key, hasher: hasher) }
        return Publish(
            key: request.key, id: id ?? shard.runtime.numbers.messageID(), isRepeatable: id != nil, data: request.data,
            timeToLiveSeconds: request.timeToLive, deadline: Moment.now().monotonic + request.budgetMilliseconds,
            publishedAt: Moment.wallMicroseconds())
    }

    /// The message of a frame that a producer sends on a link.
    ///
    /// - Throws: that the producer may not publish there or publishes too fast, that the node is stopping or in no ring, or what is wrong with
    ///   the frame.
    func message(_ produce: LinkProduce, by pass: LinkPass) throws(ProblemReport) -> Publish {
        if let report = pass.objection(produce.kind, produce.name) { throw report }
        if shard.isLeaving { throw ProblemReport(.stopping) }
        let hasher = try shard.currentView().hasher
        let key = try Key(requested: produce.kind, name: produce.name, hasher: hasher)
        let data = try payload(produce.data, kind: produce.isJSON ? .json : .text)
        try Self.check(idempotencyKeyBytes: produce.idempotencyKey.readableBytes)
        let id = produce.idempotencyKey.withUnsafeReadableBytes { MessageID(repeatableBy: $0, to: key, hasher: hasher) }
        let budget = min(Int64(produce.budgetMilliseconds), Publish.budgetMillisecondsMax)
        return Publish(
            key: key, id: id ?? shard.runtime.numbers.messageID(), isRepeatable: id != nil,
            isForgettable: id != nil && produce.isForgettable, data: data, timeToLiveSeconds: produce.timeToLiveSeconds,
            deadline: Moment.now().monotonic + budget, publishedAt: Moment.wallMicroseconds(), mayBeRepeat: id != nil && produce.mayBeRepeat
        )
    }

    private static func check(idempotencyKeyBytes count: Int) throws(ProblemReport) {
        if count > PublishRequest.idempotencyKeyBytesMax {
            throw ProblemReport(.badParameter, "an idempotency key has at most \(PublishRequest.idempotencyKeyBytesMax) bytes")
        }
    }

    // MARK: On its way

    /// Sends a message off; the answer comes to `sink`, sometimes before this returns.
    ///
    /// - Parameters:
    ///   - stream: the producer's stream, 0 for a single request.
    ///   - restarts: the producer begins again, in order, after a refusal.
    func send(_ message: Publish, stream: UInt64 = 0, restarts: Bool = false, to sink: any PublishSink, tag: UInt64) {
        guard let number = shard.waiters.insert(sink, tag: tag) else {
            sink.onAnswer(tag: tag, .failure(.overloaded))
            return
        }
        let address = ReturnAddress(connectionID: ConnectionAddress(shard: shard.index).connectionID, id: number)
        send(message, PublishContext(address: address, stream: stream, restarts: restarts))
    }

    /// Sends a message off whose answer goes to an address of its own: a link's.
    func send(_ message: Publish, _ context: PublishContext) {
        shard.post(.submit(message, context), to: shard.shardIndex(message.key.slot))
    }
}

extension PublishRequest {
    /// The message with its id and deadline, as ``Publisher/message(_:hasher:)`` makes it.
    func publish(on shard: Shard, hasher: KeyHasher) throws(ProblemReport) -> Publish {
        try Publisher(on: shard).message(self, hasher: hasher)
    }
}

extension Shard {
    /// The answer to a publish that came in on this shard, from a producer, a client or a link.
    func onAnswer(_ address: ReturnAddress, _ result: PublishResult) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.answer(address.id, result)
            return
        }
        guard let waiter = waiters.remove(address.id) else { return }
        counters.count(result)
        waiter.sink.onAnswer(tag: waiter.tag, result)
    }
}

extension MessageID {
    /// An idempotency key's hash under the cluster's secret: the same on every node, and one user's keys never meet another's. `nil` for no
    /// key.
    init?(repeatableBy idempotencyKey: UnsafeRawBufferPointer, to key: Key, hasher: KeyHasher) {
        if idempotencyKey.isEmpty { return nil }
        let count = 1 + key.name.count + 1 + idempotencyKey.count
        self = withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { bytes in
            bytes[0] = key.kind.rawValue
            UnsafeMutableRawBufferPointer(rebasing: bytes[1...]).copyBytes(from: key.name)
            bytes[1 + key.name.count] = 0
            UnsafeMutableRawBufferPointer(rebasing: bytes[(2 + key.name.count)...]).copyMemory(from: idempotencyKey)
            let bytes = UnsafeRawBufferPointer(bytes)
            return MessageID(high: hasher.hash(.user, utf8: bytes).rawValue, low: hasher.hash(.channel, utf8: bytes).rawValue)
        }
    }
}
