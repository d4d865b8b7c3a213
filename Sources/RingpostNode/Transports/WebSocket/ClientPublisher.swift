// Publishes of one client's WebSocket: what it may, how often, and the receipts on their way back.
import RingpostCore
import RingpostWire

final class ClientPublisher: PublishSink {
    /// Publishes of one socket that are under way; beyond it they are answered "overloaded".
    static let inFlightMax = 64

    private let shard: Shard
    private let answer: ([UInt8]) -> Void
    private var bucket: TokenBucket
    /// What waits for its receipt, by tag: whom it was for, and how the client named it.
    private var waiting: [UInt64: (key: Key, reference: [UInt8]?)] = [:]
    private var lastTag: UInt64 = 0
    /// What the client's messages say of their sender, and as whom it was when that was made.
    private var sender: (user: [UInt8], from: [UInt8])?

    /// - Parameter answer: writes a text frame.
    init(shard: Shard, answer: @escaping ([UInt8]) -> Void) {
        self.shard = shard
        self.answer = answer
        let rate = Double(shard.context.configuration.limits.clientPublishesPerSecond)
        bucket = TokenBucket(ratePerSecond: rate, burst: 2 * rate)
    }

    /// - Parameters:
    ///   - reference: JSON that the answer repeats.
    ///   - grant: what the client may do now.
    ///   - source: where it comes from.
    func publish(_ request: PublishRequest, reference: [UInt8]?, grant: ClientGrant, source: SourceAddress?) {
        let client = PublishCaller.client(grant, source, from: from(grant.user))
        do throws(ProblemReport) {
            let limits = shard.context.configuration.limits
            let publisher = shard.publisher
            try publisher.admit(client, to: request.key)
            let view = try shard.currentView()
            guard bucket.take(now: Moment.now().monotonic) else {
                shard.counters.count(.clientPublishes)
                throw ProblemReport(.tooFast, "a client publishes at most \(limits.clientPublishesPerSecond) messages a second")
            }
            if waiting.count >= Self.inFlightMax { throw ProblemReport(.overloaded) }
            let message = try publisher.message(request, by: client, hasher: view.hasher)
            lastTag += 1
            waiting[lastTag] = (request.key, reference)
            publisher.send(message, to: self, tag: lastTag)
        } catch {
            shard.counters.count(.failure(error.problem))
            answer(ControlEvent.error(error.problem.code, error.message, reference: reference))
        }
    }

    private func from(_ user: [UInt8]?) -> [UInt8] {
        guard let user else { return SenderText.nobody }
        if let sender, sender.user == user { return sender.from }
        let from = SenderText.user(user)
        sender = (user, from)
        return from
    }

    func onAnswer(tag: UInt64, _ result: PublishResult) {
        guard let (key, reference) = waiting.removeValue(forKey: tag) else { return }
        switch result {
        case .success(let receipt): answer(ControlEvent.receipt(receipt, key: key, reference: reference))
        case .failure(let problem):
            answer(ControlEvent.error(problem.code, shard.publisher.report(problem, key).message, reference: reference))
        }
    }
}
