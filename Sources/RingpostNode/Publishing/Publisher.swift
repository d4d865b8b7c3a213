// The one way in for whoever publishes: an HTTP request, a line of a batch, a producer on a link, a client on a WebSocket. It checks what the
// caller may do, gives the message its id and its deadline, and sends it to the shard of its key's slot, from where the answer comes back.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

/// Used on its shard's event loop only.
package final class Publisher {
    private let runtime: ShardRuntime
    private let apiKeys: APIKeys?
    private let payloadBytesMax: Int
    private let namespaces: NamespaceTable
    private var waiters = PublishWaiters()
    /// The cluster's; `nil` while the node is in no ring.
    private var hasher: KeyHasher?
    /// Of the API key that published last: most messages come with the same one.
    private var lastKey: (id: String, principal: Principal)?
    /// The node shuts down: producers on links are sent to other nodes.
    var isLeaving = false

    /// - Parameter apiKeys: `nil` where producers are asked for none.
    init(runtime: ShardRuntime, apiKeys: APIKeys?, payloadBytesMax: Int) {
        self.runtime = runtime
        self.apiKeys = apiKeys
        self.payloadBytesMax = payloadBytesMax
        namespaces = runtime.limits.mailbox.namespaces
    }

    func setHasher(_ hasher: KeyHasher) {
        self.hasher = hasher
        lastKey = nil
    }

    // MARK: Checks

    /// Checks that the caller may publish there, and now.
    ///
    /// - Throws: that it may not, or publishes too fast; counted.
    func admit(_ caller: PublishCaller, to key: Key) throws(ProblemReport) {
        switch caller {
        case .apiKey(let grant): try admit(grant, to: key.kind, key.name)
        case .client(let grant, _, _):
            guard grant.allowsPublish(to: key, in: namespaces) else {
                guard let namespace = namespaces[key], namespace.publish != nil else {
                    throw ProblemReport(.forbidden, "you may not publish this here")
                }
                runtime.counters.count(NamespaceRefusal.publish)
                throw ProblemReport(.forbidden, namespace.sentence(.publish))
            }
        }
    }

    /// - Parameter name: before it is known to be valid.
    private func admit(_ grant: APIGrant, to kind: KeyKind, _ name: [UInt8]) throws(ProblemReport) {
        guard grant.allowsPublish(kind, name) else {
            runtime.counters.count(.notGranted)
            throw ProblemReport(.forbidden, "this API key may not publish there")
        }
        guard let report = apiKeys?.objection(to: grant, now: .now()) else { return }
        if report.problem == .tooFast { runtime.counters.count(.keyRate) }
        throw report
    }

    /// A payload as JSON.
    ///
    /// - Throws: that it is too large, or not what it is said to be.
    func payload(_ body: ByteBuffer, kind: Payload.Kind) throws(ProblemReport) -> [UInt8] {
        try Payload.encode(body, kind: kind, bytesMax: payloadBytesMax)
    }

    // MARK: The message

    private func principal(of caller: PublishCaller, _ hasher: KeyHasher) -> Principal {
        guard case .apiKey(let grant) = caller, let id = grant.id else { return caller.principal(hasher: hasher) }
        if let lastKey, lastKey.id == id { return lastKey.principal }
        let principal = caller.principal(hasher: hasher)
        lastKey = (id, principal)
        return principal
    }

    /// The message with its id and deadline.
    ///
    /// - Throws: that its idempotency key is too long.
    func message(_ request: PublishRequest, by caller: PublishCaller, hasher: KeyHasher) throws(ProblemReport) -> Publish {
        try Self.check(idempotencyKeyBytes: request.idempotencyKey.count)
        let timeToLive = try timeToLive(request.timeToLive, of: request.key, payloadBytes: request.data.count)
        let principal = principal(of: caller, hasher)
        let id = request.idempotencyKey.withUnsafeBytes {
            MessageID(repeatableBy: $0, of: caller.scope(of: principal, hasher: hasher), to: request.key, hasher: hasher)
        }
        return Publish(
            key: request.key, id: id ?? runtime.numbers.messageID(), principal: principal, from: caller.from, isRepeatable: id != nil,
            data: request.data, timeToLiveSeconds: timeToLive, deadline: Moment.now().monotonic + request.budgetMilliseconds,
            publishedAt: Moment.wallMicroseconds())
    }

    /// The message of a frame that a producer sends on a link.
    ///
    /// - Throws: that the producer may not publish there or publishes too fast, that the node is stopping or in no ring, or what is wrong with
    ///   the frame.
    func message(_ produce: LinkProduce, by pass: LinkPass) throws(ProblemReport) -> Publish {
        guard let grant = pass.grant() else {
            runtime.counters.count(.wrongKey)
            throw ProblemReport(.unauthorized, AuthError.wrongKey.message)
        }
        try admit(grant, to: produce.kind, produce.name)
        if isLeaving { throw ProblemReport(.stopping) }
        guard let hasher else { throw .notInARing }
        let key = try Key(requested: produce.kind, name: produce.name, hasher: hasher)
        let data = try payload(produce.data, kind: produce.isJSON ? .json : .text)
        try Self.check(idempotencyKeyBytes: produce.idempotencyKey.readableBytes)
        let timeToLive = try timeToLive(produce.timeToLiveSeconds, of: key, payloadBytes: data.count)
        let principal = principal(of: .apiKey(grant), hasher)
        let id = produce.idempotencyKey.withUnsafeReadableBytes {
            MessageID(repeatableBy: $0, of: principal, to: key, hasher: hasher)
        }
        let budget = min(Int64(produce.budgetMilliseconds), Publish.budgetMillisecondsMax)
        return Publish(
            key: key, id: id ?? runtime.numbers.messageID(), principal: principal, from: grant.from, isRepeatable: id != nil,
            isForgettable: id != nil && produce.isForgettable, data: data, timeToLiveSeconds: timeToLive,
            deadline: Moment.now().monotonic + budget, publishedAt: Moment.wallMicroseconds(), mayBeRepeat: id != nil && produce.mayBeRepeat
        )
    }

    /// The time to live that the message's namespace gives to those that say none.
    ///
    /// - Throws: that the namespace takes no payload of this size.
    private func timeToLive(_ said: UInt32?, of key: Key, payloadBytes: Int) throws(ProblemReport) -> UInt32? {
        if namespaces.isEmpty { return said }
        guard let namespace = namespaces[key] else { return said }
        if let most = namespace.payloadBytes, payloadBytes > most {
            runtime.counters.count(NamespaceRefusal.payload)
            throw ProblemReport(
                .tooLarge, "as JSON the payload has \(payloadBytes) bytes; the namespace \"\(namespace.text)\" takes at most \(most)")
        }
        return said ?? namespace.timeToLiveSeconds
    }

    /// A problem that came back, in words that fit the key's namespace.
    func report(_ problem: Problem, _ key: Key) -> ProblemReport {
        namespaces.isEmpty ? ProblemReport(problem) : namespaces.report(problem, key)
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
    package func send(_ message: Publish, stream: UInt64 = 0, restarts: Bool = false, to sink: any PublishSink, tag: UInt64) {
        guard let number = waiters.insert(sink, tag: tag) else {
            sink.onAnswer(tag: tag, .failure(.overloaded))
            return
        }
        let address = ReturnAddress(connectionID: ConnectionAddress(shard: runtime.index).connectionID, id: number)
        send(message, PublishContext(address: address, stream: stream, restarts: restarts))
    }

    /// Sends a message off whose answer goes to an address of its own: a link's.
    func send(_ message: Publish, _ context: PublishContext) {
        runtime.post(.submit(message, context), to: runtime.shardIndex(message.key.slot))
    }

    /// The answer to a message that was sent off with a sink.
    func onAnswer(_ number: UInt64, _ result: PublishResult) {
        guard let waiter = waiters.remove(number) else { return }
        runtime.counters.count(result)
        waiter.sink.onAnswer(tag: waiter.tag, result)
    }
}
