// A producer's frames: what it may publish is asked of each, and a refusal ends neither its link nor what else is under way.
import NIOCore
import RingpostCore
import RingpostWire

extension LinkServer {
    func handleProducer(_ frame: LinkFrame, stream: UInt64, _ pass: LinkPass) throws(LinkError) {
        switch frame {
        case .produce(let produce):
            do throws(ProblemReport) {
                if let objection = pass.objection(produce.kind, produce.name) { throw objection }
                try submit(produce, stream: stream)
            } catch {
                shard.counters.count(.failure(error.problem))
                send(.answer(request: produce.request, .failure(error.problem), message: error.message))
            }
        case .ping(let query, let sentAt, _): send(.pong(query: query, sentAt: sentAt, shard.shared.standing(shard)))
        case .pong: break
        default: throw LinkError("a frame that a producer doesn't send")
        }
    }

    private func submit(_ produce: LinkProduce, stream: UInt64) throws(ProblemReport) {
        if shard.isLeaving { throw ProblemReport(.stopping) }
        let view = try shard.currentView()
        let key = try Key(requested: produce.kind, name: produce.name, hasher: view.hasher)
        let data = try Payload.encode(
            produce.data, kind: produce.isJSON ? .json : .text, bytesMax: shard.shared.configuration.limits.payloadBytesMax)
        let budget = min(Int64(produce.budgetMilliseconds), Publish.budgetMillisecondsMax)
        try PublishRequest.check(idempotencyKeyBytes: produce.idempotencyKey.readableBytes)
        let id = produce.idempotencyKey.withUnsafeReadableBytes { MessageID(repeatableBy: $0, to: key, hasher: view.hasher) }
        let publish = Publish(
            key: key, id: id ?? shard.numbers.messageID(), isRepeatable: id != nil, isForgettable: id != nil && produce.isForgettable,
            data: data, timeToLiveSeconds: produce.timeToLiveSeconds, deadline: Moment.now().monotonic + budget,
            publishedAt: Moment.wallMicroseconds(), mayBeRepeat: id != nil && produce.mayBeRepeat)
        inFlight += 1
        if inFlight >= Self.producerInFlightMax, !isPaused {
            isPaused = true
            setReading(false)
        }
        let context = PublishContext(
            address: ReturnAddress(connectionID: connectionID, id: produce.request), stream: stream, restarts: produce.restarts)
        shard.post(.submit(publish, context), to: shard.shardIndex(key.slot))
    }
}
