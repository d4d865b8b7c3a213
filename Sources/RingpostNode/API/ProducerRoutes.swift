// Publishing by HTTP: one message, which is the hot way, or a batch.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct ProducerRoutes {
    let shard: Shard
    private var limits: NodeLimits { shard.shared.configuration.limits }

    func publish(
        to kind: KeyKind, _ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        let view = try shard.currentView()
        let key = try Key(kind, percentEncoded: request.name, hasher: view.hasher)
        if let report = shard.objection(to: grant, publishingTo: key) { throw report }
        guard let format = Payload.kind(of: request.head) else { throw ProblemReport(.unsupportedMediaType) }
        let data = try Payload.encode(request.body, kind: format, bytesMax: limits.payloadBytesMax)
        let idempotencyKey = request.head.withBytes(of: .idempotencyKey) { $0.map { Array($0) } }
        let timeToLive = try PublishRequest.timeToLive(request.head[.ringpostTTL])
        let message = try PublishRequest(key: key, data: data, idempotencyKey: idempotencyKey ?? [], timeToLive: timeToLive)
            .publish(on: shard, hasher: view.hasher)
        let receipt = exchange.awaitReceipt(for: key)
        shard.publish(message, to: receipt.sink, tag: receipt.tag)
    }

    func publishBatch(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        if let type = request.head[.contentType], Payload.kind(contentType: type) == nil,
            !type.lowercased().hasPrefix("application/x-ndjson")
        {
            throw ProblemReport(.unsupportedMediaType, "send NDJSON: one JSON object a line")
        }
        let batch = BatchPublish(request.body, grant: grant, hasher: view.hasher, shard: shard, exchange: exchange)
        exchange.runInTurns { batch.readSlice() }
    }
}

extension Key {
    /// The key whose name stands in a path.
    ///
    /// - Throws: that the name is not valid, or its percent-encoding.
    init(_ kind: KeyKind, percentEncoded name: [UInt8], hasher: KeyHasher) throws(ProblemReport) {
        let decoded = name.contains(UInt8(ascii: "%")) ? HTTPTarget.decode(name) : name
        guard let decoded else { throw ProblemReport(.badName, "the name is not valid percent-encoding") }
        try self.init(requested: kind, name: decoded, hasher: hasher)
    }
}

extension PublishRequest {
    /// The publish with its id and deadline.
    func publish(on shard: Shard, hasher: KeyHasher) throws(ProblemReport) -> Publish {
        try Self.check(idempotencyKeyBytes: idempotencyKey.count)
        let id = idempotencyKey.withUnsafeBytes { MessageID(repeatableBy: $0, to: key, hasher: hasher) }
        return Publish(
            key: key, id: id ?? shard.freshMessageID(), isRepeatable: id != nil, data: data, timeToLiveSeconds: timeToLive,
            deadline: Moment.now().monotonic + budgetMilliseconds, publishedAt: Moment.wallMicroseconds())
    }
}
