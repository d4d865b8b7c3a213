// What a WebSocket and an event stream have in common: a session with the user's mailbox and one with each channel, bounded bytes, and a
// last word that says why it ends. A subclass knows how its transport writes these.
import NIOCore
import RingpostCore

class StreamSocket: LoopSocket, EdgeSocket, @unchecked Sendable {
    private(set) var session: EdgeSession?
    /// In the order in which they were asked for.
    private(set) var channels: [EdgeSession] = []
    /// Until the sessions are open; what an idle socket doesn't need takes no room in it.
    private var opening: Opening?
    /// As whom the client listens.
    private(set) var user: Key?
    private var granted: SharedGrant?
    /// Whom the census counts it for; `nil` once that is given back.
    private var place: CensusPlace?
    private let streamTransport: Transport
    /// Counted as a socket of the loop; one that was turned away never is.
    private var isCounted = false
    private var saidExpiring = false

    /// - Parameter grant: what the client may do; `nil` if it has yet to say who it is.
    init(_ transport: Transport, wish: ClientWish, grant: ClientGrant?, loop: NodeLoop) {
        streamTransport = transport
        opening = Opening(wish)
        user = wish.user?.key
        granted = grant.map { loop.shared.tokens == nil ? loop.shared.openGrant : SharedGrant($0) }
        super.init(loop: loop)
    }

    var transport: Transport? { streamTransport }
    /// What the client may do; `nil` while it has not said who it is.
    var grant: ClientGrant? { granted?.grant }
    var lingersUntil: Int64? { nil }
    /// Whom limits count it for.
    var source: SourceAddress? { place?.address }

    // MARK: For subclasses

    func begin(at cursor: Cursor, of session: EdgeSession) {}
    func gap(at cursor: Cursor, of session: EdgeSession) {}
    func write(_ message: StoredMessage, of session: EdgeSession, shared: SharedFrames?) {}
    func tell(_ frames: SharedFrames) {}
    func take(_ news: PresenceNews) {}
    /// Writes that the client's token expires then, in milliseconds since 1970.
    func tellExpiring(_ expires: Int64) {}
    /// Writes the transport's last word.
    func writeEnd(_ farewell: Farewell) {}

    // MARK: Life

    /// From now on it counts as a socket, and gives its place back when it goes.
    func take(_ place: CensusPlace) {
        self.place = place
        isCounted = true
        loop.counters.sockets[streamTransport.place] += 1
        loop.counters.opened[streamTransport.place] += 1
    }

    /// The client has said who it is.
    ///
    /// - Throws: why it may not have what it wishes.
    func accept(_ grant: ClientGrant) throws(ProblemReport) {
        guard let wish = try opening?.wish.granted(by: grant, loop: loop) else { return }
        if let user = wish.user?.key.hash, place?.user == nil {
            if let problem = place?.take(user, in: loop) { throw problem }
        }
        opening = Opening(wish)
        user = wish.user?.key
        granted = SharedGrant(grant)
    }

    /// A new token of the same user: what it does not grant any more ends.
    func replaceGrant(by grant: ClientGrant) -> [Key] {
        granted = SharedGrant(grant)
        saidExpiring = false
        let lost = channels.filter { !grant.allowsSubscribe(to: $0.key) || $0.isWatching && !grant.presence.matches($0.key.name) }
        for session in lost { unsubscribe(session) }
        return lost.map(\.key)
    }

    /// Called once the handler is in place, the answer to the request is on its way, and the client is known.
    func openSessions() {
        guard let wish = opening?.wish else { return }
        opening = nil
        if let user = wish.user {
            let session = EdgeSession(key: user.key, start: user.start, stay: .always, socket: self, loop: loop)
            self.session = session
            // Where there is no room it has ended the socket itself.
            guard session.start() else { return }
        }
        open(wish.channels, watches: wish.watches)
    }

    /// The channels that were asked for at the beginning.
    func open(_ channels: [(key: Key, start: AttachStart)], watches: Bool) {
        for (channel, start) in channels where !isClosing { subscribe(channel, start: start, watches: watches) }
    }

    /// The session with a channel.
    func channel(_ key: Key) -> EdgeSession? { channels.first { $0.key == key } }

    func subscribe(_ channel: Key, start: AttachStart, watches: Bool) {
        let session = EdgeSession(key: channel, start: start, stay: .always, watches: watches, socket: self, loop: loop)
        channels.append(session)
        _ = session.start()
    }

    func unsubscribe(_ session: EdgeSession) {
        session.stop()
        channels.removeAll { $0 === session }
    }

    /// Called instead of ``openSessions()``: the client is told when and where to come back, and nothing is made for it.
    func turnAway(_ farewell: Farewell) { finish { writeEnd(farewell) } }

    var remote: String { remoteText }
    var isCrowded: Bool { pendingBytes > loop.shared.configuration.limits.socketBytesMax / 4 }

    func endOfPiece() {
        guard pendingBytes > loop.shared.configuration.limits.socketBytesMax, isOpen, !isClosing else { return }
        loop.counters.count(.socketBytes)
        end(Farewell(.slowConsumer))
    }

    func end(_ farewell: Farewell) {
        guard isOpen, !isClosing else { return }
        loop.counters.count(closed: farewell.reason)
        // A slow socket gets the reason instead of what it did not take.
        if farewell.reason == .slowConsumer { dropPending() }
        finish { writeEnd(farewell) }
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
        session?.stop()
        session = nil
        for channel in channels.prefix(RequestTurns.channelsARequest) { channel.stop() }
        for channel in channels.dropFirst(RequestTurns.channelsARequest) { channel.stopLater() }
        channels = []
    }

    /// A token's time is looked at with all other times: no timer a socket.
    override func onDeadline(now: Int64) {
        guard let expires = grant?.expires, let tokens = loop.shared.tokens else { return }
        let nowSeconds = Moment.now().wall / 1_000
        if nowSeconds >= expires {
            end(Farewell(.tokenExpired))
        } else if !saidExpiring, expires - nowSeconds <= tokens.warningSeconds {
            saidExpiring = true
            tellExpiring(expires * 1_000)
        }
    }

    override func onDrained() {
        session?.onDrained()
        for channel in channels { channel.onDrained() }
    }

    override func onGone() {
        stopSessions()
        if isCounted { loop.counters.sockets[streamTransport.place] -= 1 }
        isCounted = false
        place?.giveBack(in: loop)
        place = nil
    }
}

/// What a socket was asked for.
private final class Opening {
    let wish: ClientWish
    init(_ wish: ClientWish) { self.wish = wish }
}

/// Rights that many sockets may have in common.
final class SharedGrant: Sendable {
    let grant: ClientGrant
    init(_ grant: ClientGrant) { self.grant = grant }
}
