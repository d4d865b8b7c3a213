// Publishes on their way through a loop: in from a connection, on to the loop of the key's slot, back with the answer.
import HashRing
import RingpostCore
import RingpostWire

extension Shard {
    /// Sends a publish off; the answer comes to `sink`, sometimes before this returns.
    ///
    /// - Parameters:
    ///   - stream: the producer's stream, 0 for a single request.
    ///   - restarts: the producer begins again, in order, after a refusal.
    func publish(_ publish: Publish, stream: UInt64 = 0, restarts: Bool = false, to sink: any PublishSink, tag: UInt64) {
        guard let number = waiters.insert(sink, tag: tag) else {
            sink.onAnswer(tag: tag, .failure(.overloaded))
            return
        }
        let address = ReturnAddress(connectionID: ConnectionAddress(shard: index).connectionID, id: number)
        let context = PublishContext(address: address, stream: stream, restarts: restarts)
        post(.submit(publish, context), to: shardIndex(publish.key.slot))
    }

    /// The answer to a publish that came in on this loop, from a producer or over a link.
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

extension PublishRequest {
    /// - Throws: that an idempotency key of so many bytes is too long.
    static func check(idempotencyKeyBytes count: Int) throws(ProblemReport) {
        if count > idempotencyKeyBytesMax {
            throw ProblemReport(.badParameter, "an idempotency key has at most \(idempotencyKeyBytesMax) bytes")
        }
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
