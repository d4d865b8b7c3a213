// A channel as one node listens to it: one attachment at the owner, however many sockets of the node want its messages. It lives on
// the loop of the channel's slot, and hands each message once to every loop that has such sockets.
import RingpostCore

/// What goes to all sockets of a channel.
enum FanItem: Sendable {
    case message(incarnation: UInt64, StoredMessage)
    /// The node has missed something: every socket has to ask for it itself.
    case gap
}

final class ChannelHub: EdgeSocket {
    /// A node that nobody of listens goes on for so long: pollers come again, and so do sockets that reconnect.
    static let lingerMilliseconds: Int64 = 5_000
    /// Questions that wait for the node's own attachment; beyond it they are refused, and asked again.
    static let questionsMax = 65_536

    let key: Key
    private unowned let loop: NodeLoop
    private var session: EdgeSession?
    private var loops: Set<Int> = []
    private var questions: [ReturnAddress: AttachRequest] = [:]
    private var emptySince: Int64 = .max
    /// It is in ``NodeLoop/idleHubs``, once.
    fileprivate var isKnownIdle = false
    private var presence = PresenceTally<Int>()
    /// Loops with sockets that want to hear who comes and goes.
    private var watching: Set<Int> = []
    private var wantsList = false
    private var saysWatching = false
    /// The attachment under which the owner knows who listens here.
    private var reported: ReturnAddress?

    var transport: Transport? { nil }
    var remote: String { "" }
    var isCrowded: Bool { false }
    var user: Key? { nil }
    var lingersUntil: Int64? { nil }

    init(_ key: Key, loop: NodeLoop) {
        self.key = key
        self.loop = loop
    }

    /// False when this node holds as many attachments as it may.
    func start() -> Bool {
        let session = EdgeSession(key: key, start: .now, stay: .always, socket: self, loop: loop)
        self.session = session
        return session.start()
    }

    func stop() {
        session?.stop()
        session = nil
        for request in questions.values { refuse(request) }
        questions = [:]
    }

    // MARK: The loops

    func tune(_ loop: Int) {
        loops.insert(loop)
        emptySince = .max
    }

    func untune(_ loop: Int) {
        loops.remove(loop)
        watching.remove(loop)
        presence.remove(loop)
        self.loop.restlessHubs.insert(key)
        if !loops.isEmpty { return }
        emptySince = Moment.now().monotonic
        self.loop.lookLater(at: self)
    }

    fileprivate var isEmpty: Bool { loops.isEmpty }
    fileprivate func isOver(now: Int64) -> Bool { loops.isEmpty && now - emptySince >= Self.lingerMilliseconds }

    /// A socket wants what it has not seen.
    func ask(_ request: AttachRequest) {
        if session?.isWaitingForMore == true {
            loop.ask(request)
        } else if questions.count < Self.questionsMax {
            questions[request.address] = request
        } else {
            refuse(request)
        }
    }

    func forget(_ address: ReturnAddress) { questions[address] = nil }

    private func refuse(_ request: AttachRequest) {
        loop.cross(.attached(request.address, .failure(.retry)), to: ChannelAddress(request.address).loop)
    }

    // MARK: Presence

    func take(_ report: PresenceReport, from loop: Int) {
        guard loops.contains(loop), report.isWhole || presence.isKnown(loop) else { return }
        presence.take(report, from: loop)
        if report.wantsNews { watching.insert(loop) } else { watching.remove(loop) }
        if report.wantsNews, report.wantsList { wantsList = true }
        self.loop.restlessHubs.insert(key)
    }

    func take(_ news: PresenceNews) {
        for target in watching { loop.cross(.presenceNews(key, news), to: target) }
    }

    /// Tells the owner who listens here, where that has changed; to a new owner everything. False when there is nothing more to do.
    func onPresenceTick() -> Bool {
        guard let attachment = session?.attachment else { return session != nil }
        let watches = !watching.isEmpty
        if attachment != reported {
            presence.beginAnew()
            wantsList = watches
        }
        if presence.hasNews || wantsList || watches != saysWatching {
            let report = presence.report(wantsNews: watches, wantsList: wantsList && watches)
            let (key, node) = (key, loop.shared.identity.id)
            loop.decide { $0.report(report, on: key, from: attachment, node: node, fromLink: false, now: $1, actions: &$2) }
        }
        reported = attachment
        wantsList = false
        saysWatching = watches
        return false
    }

    func tell(_ frames: SharedFrames) {}

    // MARK: The owner's side

    func begin(at cursor: Cursor, of session: EdgeSession) {}

    func gap(at cursor: Cursor, of session: EdgeSession) { fanOut(.gap) }

    func write(_ message: StoredMessage, of session: EdgeSession, shared: SharedFrames?) {
        guard let cursor = session.cursor else { return }
        fanOut(.message(incarnation: cursor.incarnation, message))
    }

    func endOfPiece() {
        // A new owner, or the same one anew: it has heard nothing of who listens.
        if session?.attachment != reported { loop.restlessHubs.insert(key) }
        guard session?.isWaitingForMore == true, !questions.isEmpty else { return }
        let waiting = questions.values
        questions = [:]
        for request in waiting { ask(request) }
    }

    /// The owner can't be reached, or there is no room: all who listen are better off elsewhere.
    func end(_ farewell: Farewell) {
        for target in loops { loop.cross(.channelLost(key, farewell.reason), to: target) }
        loop.hubs[key] = nil
        loop.restlessHubs.remove(key)
        stop()
    }

    private func fanOut(_ item: FanItem) {
        for target in loops { loop.cross(.fanOut(key, item), to: target) }
    }
}

extension NodeLoop {
    /// A loop has its first socket that listens to the channel.
    func tune(_ channel: Key, loop: Int) {
        if let hub = hubs[channel] { return hub.tune(loop) }
        let hub = ChannelHub(channel, loop: self)
        hub.tune(loop)
        hubs[channel] = hub
        // Where there is no room it has ended itself.
        _ = hub.start()
    }

    /// Nobody listens to it now; whether that is still so, is looked at when its time is over.
    fileprivate func lookLater(at hub: ChannelHub) {
        if hub.isKnownIdle { return }
        hub.isKnownIdle = true
        idleHubs.append((hub, Moment.now().monotonic + ChannelHub.lingerMilliseconds))
    }

    /// One of those whose time is over; false when there is none.
    func endIdleHub(now: Int64) -> Bool {
        guard let first = idleHubs.first, first.at <= now else { return false }
        idleHubs.removeFirst()
        let hub = first.hub
        hub.isKnownIdle = false
        // It may have been ended by something else, and another one may have its name.
        guard hubs[hub.key] === hub, hub.isEmpty else { return true }
        if hub.isOver(now: now) {
            hubs[hub.key] = nil
            hub.stop()
        } else {
            // Somebody was there meanwhile.
            lookLater(at: hub)
        }
        return true
    }

    func onHubTick(_ key: Key) {
        if hubs[key]?.onPresenceTick() != true { restlessHubs.remove(key) }
    }
}
