// Publishes on their way through a loop: in from a connection, on to the loop of the key's slot, back with the answer.
import RingpostCore

extension NodeLoop {
    /// Sends a publish off; the answer comes to `sink`, sometimes before this returns.
    ///
    /// - Parameters:
    ///   - stream: the producer's stream, 0 for a single request.
    ///   - restarts: the producer begins again, in order, after a refusal.
    func publish(_ publish: Publish, stream: UInt64 = 0, restarts: Bool = false, to sink: any PublishSink, tag: UInt64) {
        guard let number = waiters.insert(Waiter(sink: sink, tag: tag)) else {
            sink.onAnswer(tag: tag, .failure(.overloaded))
            return
        }
        let address = ReturnAddress(channel: ChannelAddress(loop: index).channel, id: number)
        let context = PublishContext(address: address, stream: stream, restarts: restarts)
        cross(.submit(publish, context), to: slotLoop(publish.key.slot))
    }

    /// The answer to a publish that came in on this loop, from a producer or over a link.
    func onAnswer(_ address: ReturnAddress, _ result: PublishResult) {
        let channel = ChannelAddress(address)
        if channel.connection != 0 {
            accepted[channel.connection]?.answer(address.id, result)
            return
        }
        guard let waiter = waiters.take(address.id) else { return }
        counters.count(result)
        waiter.sink.onAnswer(tag: waiter.tag, result)
    }
}
