// Publishing by HTTP: one message, which is the hot way, or a batch.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct ProducerRoutes {
    let shard: Shard

    func publish(
        to kind: KeyKind, _ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange
    ) throws(ProblemReport) {
        let view = try shard.currentView()
        let key = try Key(kind, percentEncoded: request.name, hasher: view.hasher)
        let publisher = shard.publisher
        try publisher.admit(.apiKey(grant), to: key)
        guard let format = Payload.kind(of: request.head) else { throw ProblemReport(.unsupportedMediaType) }
        let data = try publisher.payload(request.body, kind: format)
        let idempotencyKey = request.head.withBytes(of: .idempotencyKey) { $0.map { Array($0) } }
        let timeToLive = try PublishRequest.timeToLive(request.head[.ringpostTTL])
        let message = try publisher.message(
            PublishRequest(key: key, data: data, idempotencyKey: idempotencyKey ?? [], timeToLive: timeToLive), by: .apiKey(grant),
            hasher: view.hasher)
        let receipt = exchange.awaitReceipt(for: key)
        publisher.send(message, to: receipt.sink, tag: receipt.tag)
    }

    func publishBatch(_ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        if let type = request.head[.contentType], Payload.kind(contentType: type) == nil,
            !type.lowercased().hasPrefix("application/x-ndjson")
        {
            throw ProblemReport(.unsupportedMediaType, "send NDJSON: one JSON object a line")
        }
        let batch = BatchPublish(request, grant: grant, hasher: view.hasher, shard: shard, exchange: exchange)
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
