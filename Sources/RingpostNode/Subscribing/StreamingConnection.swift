// What a WebSocket and an event stream have in common: a session with the user's mailbox and one with each channel, bounded bytes, and a
// last word that says why it ends. A subclass knows how its transport writes these.
import NIOCore
import RingpostCore

class StreamingConnection: Connection, SubscriptionSink, @unchecked Sendable {
    private(set) var subscription: Subscription?
    /// In the order in which they were asked for.
    private(set) var channels: [Subscription] = []
    /// Until the sessions are open; what an idle socket doesn't need takes no room in it.
    private var opening: Opening?
    /// As whom the client listens.
    private(set) var user: Key?
    private var granted: SharedGrant?
    /// Whom the census counts it for; `nil` once that is given back.
    private var lease: QuotaLease?
    private let streamTransport: Transport
    /// Counted as a socket of the loop; one that was turned away never is.
    private var isCounted = false
    private var saidExpiring = false

    /// - Parameter grant: what the client may do; `nil` if it has yet to say who it is.
    init(_ transport: Transport, subscribeRequest: SubscribeRequest, grant: ClientGrant?, shard: Shard) {
        streamTransport = transport
        opening = Opening(subscribeRequest)
        user = subscribeRequest.user?.key
        granted = grant.map { shard.shared.tokens == nil ? shard.shared.openGrant : SharedGrant($0) }
        super.init(runtime: shard.runtime)
    }

    var transport: Transport? { streamTransport }
    /// What the client may do; `nil` while it has not said who it is.
    var grant: ClientGrant? { granted?.grant }
    var lingersUntil: Int64? { nil }
    /// Whom limits count it for.
    var source: SourceAddress? { lease?.address }

    // MARK: For subclasses

    func begin(at cursor: Cursor, of subscription: Subscription) {}
    func gap(at cursor: Cursor, of subscription: Subscription) {}
    func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?) {}
    func tell(_ frames: SharedFrames) {}
    func take(_ news: PresenceNews) {}
    /// Writes that the client's token expires then, in milliseconds since 1970.
    func tellExpiring(_ expires: Int64) {}
    /// Writes the transport's last word.
    func writeEnd(_ disconnect: Disconnect) {}

    // MARK: Life

    /// From now on it counts as a socket, and gives its place back when it goes.
    func take(_ lease: QuotaLease) {
        self.lease = lease
        isCounted = true
        shard.counters.sockets[streamTransport.counterIndex] += 1
        shard.counters.opened[streamTransport.counterIndex] += 1
    }

    /// The client has said who it is.
    ///
    /// - Throws: why it may not have what it wishes.
    func accept(_ grant: ClientGrant) throws(ProblemReport) {
        guard let subscribeRequest = try opening?.subscribeRequest.granted(by: grant, shard: shard) else { return }
        if let user = subscribeRequest.user?.key.hash, lease?.user == nil {
            if let problem = lease?.take(user, in: shard) { throw problem }
        }
        opening = Opening(subscribeRequest)
        user = subscribeRequest.user?.key
        granted = SharedGrant(grant)
    }

    /// A new token of the same user: what it does not grant any more ends.
    func replaceGrant(by grant: ClientGrant) -> [Key] {
        granted = SharedGrant(grant)
        saidExpiring = false
        let lost = channels.filter { !grant.allowsSubscribe(to: $0.key) || $0.isWatching && !grant.presence.matches($0.key.name) }
        for subscription in lost { unsubscribe(subscription) }
        return lost.map(\.key)
    }

    /// Called once the handler is in place, the answer to the request is on its way, and the client is known.
    func openSessions() {
        guard let subscribeRequest = opening?.subscribeRequest else { return }
        opening = nil
        if let user = subscribeRequest.user {
            let subscription = Subscription(key: user.key, start: user.start, stay: .always, socket: self, shard: shard)
            self.subscription = subscription
            // Where there is no room it has ended the socket itself.
            guard subscription.start() else { return }
        }
        open(subscribeRequest.channels, watches: subscribeRequest.watches)
    }

    /// The channels that were asked for at the beginning.
    func open(_ channels: [(key: Key, start: AttachStart)], watches: Bool) {
        for (channel, start) in channels where !isClosing { subscribe(channel, start: start, watches: watches) }
    }

    /// The session with a channel.
    func channel(_ key: Key) -> Subscription? { channels.first { $0.key == key } }

    func subscribe(_ channel: Key, start: AttachStart, watches: Bool) {
        let subscription = Subscription(key: channel, start: start, stay: .always, watches: watches, socket: self, shard: shard)
        channels.append(subscription)
        _ = subscription.start()
    }

    func unsubscribe(_ subscription: Subscription) {
        subscription.stop()
        channels.removeAll { $0 === subscription }
    }

    /// Called instead of ``openSessions()``: the client is told when and where to come back, and nothing is made for it.
    func reject(_ disconnect: Disconnect) { finish { writeEnd(disconnect) } }

    var remote: String { remoteText }
    var isCrowded: Bool { pendingBytes > shard.shared.configuration.limits.socketBytesMax / 4 }

    func endOfPiece() {
        guard pendingBytes > shard.shared.configuration.limits.socketBytesMax, isOpen, !isClosing else { return }
        shard.counters.count(.socketBytes)
        end(Disconnect(.slowConsumer))
    }

    func end(_ disconnect: Disconnect) {
        guard isOpen, !isClosing else { return }
        shard.counters.count(closed: disconnect.reason)
        // A slow socket gets the reason instead of what it did not take.
        if disconnect.reason == .slowConsumer { dropPending() }
        finish { writeEnd(disconnect) }
    }

    /// The last word, then nothing more.
    func finish(_ lastWord: () -> Void) {
        guard isOpen, !isClosing else { return }
        stopSessions()
        lastWord()
        closeWhenFlushed()
    }

    /// Of many channels a few now, and the others as others have their turns.
    private func stopSessions() {
        subscription?.stop()
        subscription = nil
        for channel in channels.prefix(FairScheduler.channelsARequest) { channel.stop() }
        for channel in channels.dropFirst(FairScheduler.channelsARequest) { channel.stopLater() }
        channels = []
    }

    /// A token's time is looked at with all other times: no timer a socket.
    override func onDeadline(now: Int64) {
        guard let expires = grant?.expires, let tokens = shard.shared.tokens else { return }
        let nowSeconds = Moment.now().wall / 1_000
        if nowSeconds >= expires {
            end(Disconnect(.tokenExpired))
        } else if !saidExpiring, expires - nowSeconds <= tokens.warningSeconds {
            saidExpiring = true
            tellExpiring(expires * 1_000)
        }
    }

    override func onDrained() {
        subscription?.onDrained()
        for channel in channels { channel.onDrained() }
    }

    override func onGone() {
        stopSessions()
        if isCounted { shard.counters.sockets[streamTransport.counterIndex] -= 1 }
        isCounted = false
        lease?.giveBack(in: shard)
        lease = nil
    }
}

/// What a socket was asked for.
private final class Opening {
    let subscribeRequest: SubscribeRequest
    init(_ subscribeRequest: SubscribeRequest) { self.subscribeRequest = subscribeRequest }
}

/// Rights that many sockets may have in common.
final class SharedGrant: Sendable {
    let grant: ClientGrant
    init(_ grant: ClientGrant) { self.grant = grant }
}
