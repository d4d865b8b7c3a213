// One poll: asks the owners once, answers with the messages that they have, or waits for the next message until its time is over.
import NIOCore
import RingpostCore
import RingpostWire

final class PollWaiter: SubscriptionSink, HeldRequest, @unchecked Sendable {
    private let shard: Shard
    private var subscriptions: [Subscription] = []
    private var timer: Scheduled<Void>?
    private var resumePoint = ResumePoint()
    private var waits = false
    private var hasGap = false
    private var channelGaps: [Key] = []
    private var messages: [StoredMessage] = []
    /// Gets the answer; called once.
    private var answer: ((HTTPResponse) -> Void)?
    let remote: String
    var transportKind: TransportKind? { .poll }
    var isCrowded: Bool { true }
    private(set) var user: Key?
    private(set) var lingersUntil: Int64?
    let grant: ClientGrant?
    private var lease: QuotaLease?

    /// - Parameters:
    ///   - lease: of a poll that waits.
    init(
        shard: Shard, remote: String, grant: ClientGrant?, lease: QuotaLease?, answer: @escaping (HTTPResponse) -> Void
    ) {
        self.grant = grant
        self.lease = lease
        self.shard = shard
        self.remote = remote
        self.answer = answer
    }

    func start(_ subscribeRequest: SubscribeRequest, waitSeconds: Int) {
        shard.counters.sockets[TransportKind.poll.counterIndex] += 1
        shard.counters.opened[TransportKind.poll.counterIndex] += 1
        resumePoint = subscribeRequest.resumePoint
        user = subscribeRequest.user?.key
        if waitSeconds > 0 { lingersUntil = Moment.now().monotonic + 2_000 * Int64(waitSeconds) }
        waits = waitSeconds > 0
        let stay = waits ? AttachRequest.Stay.ifEmpty : .never
        let wanted = [subscribeRequest.user].compactMap { $0 } + subscribeRequest.channels
        subscriptions = wanted.map { Subscription(key: $0.key, start: $0.start, stay: stay, sink: self, in: shard.subscriptions) }
        // A plain poll waits for nothing but the owners' answers.
        let patience = waits ? TimeAmount.seconds(Int64(waitSeconds)) : .milliseconds(SubscriptionMachine.answerMillisecondsMax)
        timer = shard.eventLoop.scheduleTask(in: patience) { self.finish(nil) }
        for subscription in subscriptions {
            // Where there is no room it has ended the poll itself.
            if !subscription.start() { return }
        }
    }

    /// Waits no longer than a poll that is told not to.
    func hasten() {
        guard waits, !subscriptions.isEmpty else { return }
        waits = false
        timer?.cancel()
        timer = shard.eventLoop.scheduleTask(in: .milliseconds(SubscriptionMachine.answerMillisecondsMax)) { self.finish(nil) }
        endOfPiece()
    }

    /// The client is gone.
    func cancel() {
        answer = nil
        finish(nil)
    }

    func begin(at cursor: Cursor, of subscription: Subscription) {}

    func gap(at cursor: Cursor, of subscription: Subscription) {
        if subscription.key.kind == .channel { channelGaps.append(subscription.key) } else { hasGap = true }
    }

    func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?) { messages.append(message) }

    func writePresence(_ frames: SharedFrames) {}
    func onPresence(_ news: PresenceNews) {}

    func endOfPiece() {
        // Messages leave at once, but only with a cursor for every subscription.
        if subscriptions.allSatisfy({ $0.cursor != nil }), !waits || !messages.isEmpty || hasGap || !channelGaps.isEmpty { finish(nil) }
    }

    func end(_ disconnect: Disconnect) {
        switch disconnect.reason {
        case .goingAway: finish(disconnect)
        case .ownerUnreachable: respond(.problem(.ownerUnreachable, disconnect: disconnect))
        case .revoked: respond(.problem(.unauthorized, AuthError.revoked.message))
        case .tokenExpired: respond(.problem(.unauthorized, AuthError.outdated.message))
        case .disconnected: respond(.problem(.forbidden, "an operator has disconnected this user"))
        default: respond(.problem(.overloaded, disconnect: disconnect))
        }
    }

    /// Answers with what there is; with a problem where that is less than a beginning of everything that was asked for.
    ///
    /// - Parameter disconnect: when and where to ask next; made up while the node's clients go elsewhere.
    func finish(_ disconnect: Disconnect?) {
        for subscription in subscriptions {
            guard let cursor = subscription.cursor else { continue }
            if subscription.key.kind == .channel { resumePoint[subscription.key] = cursor } else { resumePoint.user = cursor }
        }
        // A cursor without one of the subscriptions would let the next poll begin that one with the next message: what came meanwhile,
        // and what an "earliest" asked for, would be skipped without a word.
        guard subscriptions.contains(where: { $0.cursor != nil }), subscriptions.allSatisfy({ isKnown($0.key) }) else {
            respond(.problem(disconnect == nil ? .ownerUnreachable : .stopping, disconnect: disconnect))
            return
        }
        var body: [UInt8] = []
        body.reserveCapacity(128 + messages.reduce(0) { $0 + $1.envelope.count + 1 })
        body.append(text: "{\"cursor\":\"")
        resumePoint.append(to: &body)
        body.append(text: "\"")
        if hasGap { body.append(text: ",\"gap\":true") }
        if !channelGaps.isEmpty {
            body.append(text: ",\"gaps\":")
            body.append(channelGaps) { channel, body in channel.name.withUnsafeBytes { JSONText.appendQuoted($0, to: &body) } }
        }
        body.append(text: ",\"messages\":")
        body.append(messages) { $1.append(contentsOf: $0.envelope) }
        if let expires = grant?.expires, let tokens = shard.context.tokens, expires - Moment.now().wall / 1_000 <= tokens.warningSeconds {
            body.append(text: ",\"expiring\":")
            body.append(decimal: UInt64(max(0, expires * 1_000)))
        }
        (disconnect ?? (shard.admission.isMoving ? shard.admission.disconnect(.goingAway) : nil))?.appendMembers(to: &body)
        body.append(UInt8(ascii: "}"))
        var response = HTTPResponse.json(body)
        response.headers.append(("Cache-Control", "no-store"))
        respond(response)
    }

    /// Whether the answer's cursor says where this subscription goes on.
    private func isKnown(_ key: Key) -> Bool { (key.kind == .channel ? resumePoint[key] : resumePoint.user) != nil }

    private func respond(_ response: HTTPResponse) {
        guard !subscriptions.isEmpty else { return }
        let subscriptions = subscriptions
        self.subscriptions = []
        timer?.cancel()
        if let user, let lingersUntil, let since = subscriptions.first?.since {
            shard.subscriptions.pollers.remember(user, since: since, until: lingersUntil)
        }
        for subscription in subscriptions { subscription.stop() }
        lease?.giveBack(in: shard.runtime)
        lease = nil
        shard.counters.sockets[TransportKind.poll.counterIndex] -= 1
        let answer = answer
        self.answer = nil
        answer?(response)
    }
}

extension [UInt8] {
    /// Appends a JSON array.
    fileprivate mutating func append<Item>(_ elements: [Item], as write: (Item, inout [UInt8]) -> Void) {
        append(UInt8(ascii: "["))
        for (elementIndex, element) in elements.enumerated() {
            if elementIndex > 0 { append(UInt8(ascii: ",")) }
            write(element, &self)
        }
        append(UInt8(ascii: "]"))
    }
}
