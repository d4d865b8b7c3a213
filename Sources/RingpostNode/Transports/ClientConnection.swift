// A client that stays, whatever its transport: who it is, the quotas that it counts for, its subscription to the user's mailbox and one for
// each channel, and the end with its reason.
import NIOCore
import RingpostCore

final class ClientConnection<T: Transport>: Connection, SubscriptionSink, @unchecked Sendable {
    var transport: T
    /// To the user's mailbox.
    private(set) var subscription: Subscription?
    /// In the order in which they were asked for.
    private(set) var channels: [Subscription] = []
    /// What the client asked for, until its subscriptions are open: an idle connection keeps nothing that it doesn't need.
    private var request: PendingRequest?
    /// As whom the client listens.
    private(set) var user: Key?
    private var sharedGrant: SharedGrant?
    /// The quotas that it counts for; `nil` once they are given back, and for a client that is rejected.
    private var lease: QuotaLease?
    private var hasToldExpiry = false

    /// - Parameter grant: what the client may do; `nil` if it has yet to say who it is.
    init(_ transport: T, _ request: SubscribeRequest, grant: ClientGrant?, shard: Shard) {
        self.transport = transport
        self.request = PendingRequest(request)
        user = request.user?.key
        sharedGrant = grant.map { shard.context.tokens == nil ? shard.context.openGrant : SharedGrant($0) }
        super.init(runtime: shard.runtime)
    }

    /// What the client may do; `nil` while it has not said who it is.
    var grant: ClientGrant? { sharedGrant?.grant }
    /// The source address that limits count it for.
    var source: SourceAddress? { lease?.address }

    // MARK: Opening

    /// Called once the connection is in place and the answer to the request is on its way.
    ///
    /// - Parameters:
    ///   - lease: given back when the connection ends.
    ///   - leftover: bytes that arrived behind the request.
    func open(_ lease: QuotaLease, leftover: ByteBuffer) {
        self.lease = lease
        shard.counters.sockets[T.kind.counterIndex] += 1
        shard.counters.opened[T.kind.counterIndex] += 1
        if leftover.readableBytes > 0 { input = leftover }
        if grant != nil { openSubscriptions() }
        T.onBytes(self)
    }

    /// Called instead of ``open(_:leftover:)``: the client is told when and where to come back, and nothing is made for it.
    func reject(_ disconnect: Disconnect) { finish { transport.writeEnd(disconnect, to: self) } }

    /// The client has said who it is.
    ///
    /// - Throws: why it may not have what it asked for.
    func authenticate(_ grant: ClientGrant) throws(ProblemReport) {
        guard let granted = try request?.request.granted(by: grant, shard: shard) else { return }
        if let user = granted.user?.key.hash, lease?.user == nil, let refusal = lease?.add(user, in: runtime) { throw refusal }
        request = PendingRequest(granted)
        user = granted.user?.key
        sharedGrant = SharedGrant(grant)
    }

    /// A new token of the same user.
    ///
    /// - Returns: the channels that it does not grant any more, which have been unsubscribed.
    func replaceGrant(by grant: ClientGrant) -> [Key] {
        sharedGrant = SharedGrant(grant)
        hasToldExpiry = false
        let namespaces = shard.context.configuration.namespaces
        let lost = channels.filter {
            !grant.allowsSubscribe(to: $0.key, in: namespaces) || $0.isWatching && !grant.allowsPresence(of: $0.key, in: namespaces)
        }
        for subscription in lost { unsubscribe(subscription) }
        return lost.map(\.key)
    }

    /// Called once the client is known.
    func openSubscriptions() {
        guard let request = request?.request else { return }
        self.request = nil
        if let user = request.user {
            let subscription = Subscription(key: user.key, start: user.start, stay: .always, sink: self, in: shard.subscriptions)
            self.subscription = subscription
            // Where there is no room it has ended the connection itself.
            guard subscription.start() else { return }
        }
        T.subscribe(self, to: request.channels, watches: request.watches)
    }

    // MARK: Channels

    /// The subscription to a channel.
    func channel(_ key: Key) -> Subscription? { channels.first { $0.key == key } }

    func subscribe(_ channel: Key, start: AttachStart, watches: Bool) {
        let subscription = Subscription(key: channel, start: start, stay: .always, watches: watches, sink: self, in: shard.subscriptions)
        channels.append(subscription)
        _ = subscription.start()
    }

    func unsubscribe(_ subscription: Subscription) {
        subscription.stop()
        channels.removeAll { $0 === subscription }
    }

    // MARK: What subscriptions write

    var transportKind: TransportKind? { T.kind }
    var remote: String { remoteText }
    var lingersUntil: Int64? { nil }
    var isCrowded: Bool { transport.isCrowded(pendingBytes: pendingBytes, limits: shard.context.configuration.limits) }

    func begin(at cursor: Cursor, of subscription: Subscription) { transport.writeBegin(at: cursor, of: subscription.key, to: self) }

    func gap(at cursor: Cursor, of subscription: Subscription) { transport.writeGap(at: cursor, of: subscription.key, to: self) }

    func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?) {
        guard let incarnation = subscription.cursor?.incarnation else { return }
        let cursor = Cursor(incarnation: incarnation, sequence: message.sequence)
        transport.write(message, at: cursor, of: subscription.key, shared: shared, to: self)
    }

    func writePresence(_ frames: SharedFrames) { transport.writePresence(frames, to: self) }

    /// A node's own attachment asks for it; a client is written it by its channel.
    func onPresence(_ news: PresenceNews) {}

    func endOfPiece() {
        guard pendingBytes > shard.context.configuration.limits.socketBytesMax, isOpen, !isClosing else { return }
        shard.counters.count(.socketBytes)
        end(Disconnect(.slowConsumer))
    }

    // MARK: The end

    func end(_ disconnect: Disconnect) {
        guard isOpen, !isClosing else { return }
        shard.counters.count(closed: disconnect.reason)
        // A slow client gets the reason instead of the bytes that it did not accept.
        if disconnect.reason == .slowConsumer { dropPending() }
        finish { transport.writeEnd(disconnect, to: self) }
    }

    /// Writes the last word; nothing is written after it.
    func finish(_ writeLastWord: () -> Void) {
        guard isOpen, !isClosing else { return }
        stopSubscriptions()
        writeLastWord()
        closeWhenFlushed()
    }

    /// Of many channels a few now, and the others as others have their turns.
    private func stopSubscriptions() {
        subscription?.stop()
        subscription = nil
        for channel in channels.prefix(FairScheduler.channelsARequest) { channel.stop() }
        for channel in channels.dropFirst(FairScheduler.channelsARequest) { channel.stopLater() }
        channels = []
    }

    // MARK: Connection

    override var kind: ConnectionKind { .client }
    override var byteOwner: ByteOwner? { user.map { .user($0) } ?? source.map { .address($0) } }
    override func shed() { end(Disconnect(.slowConsumer)) }

    override func move(_ disconnect: Disconnect) { end(disconnect) }

    override func endClients(_ disconnect: () -> Disconnect, where matches: (_ user: Key?, _ grant: ClientGrant?) -> Bool) -> Int {
        guard isOpen, !isClosing, matches(user, grant) else { return 0 }
        end(disconnect())
        return 1
    }

    override func onBytes() { T.onBytes(self) }
    override func onTurn() { T.onTurn(self) }

    override func onDrained() {
        subscription?.onDrained()
        for channel in channels { channel.onDrained() }
    }

    /// A token's expiry is checked together with all other deadlines: no timer for each connection.
    override func onDeadline(now: Int64) {
        if let expires = grant?.expires, let tokens = shard.context.tokens {
            let nowSeconds = Moment.now().wall / 1_000
            if nowSeconds >= expires { return end(Disconnect(.tokenExpired)) }
            if !hasToldExpiry, expires - nowSeconds <= tokens.warningSeconds {
                hasToldExpiry = true
                transport.writeExpiring(expires * 1_000, to: self)
            }
        }
        T.onDeadline(self, now: now)
    }

    override func onGone() {
        stopSubscriptions()
        guard let lease else { return }
        shard.counters.sockets[T.kind.counterIndex] -= 1
        lease.giveBack(in: runtime)
        self.lease = nil
    }
}

/// What a client asked for.
private final class PendingRequest {
    let request: SubscribeRequest
    init(_ request: SubscribeRequest) { self.request = request }
}
