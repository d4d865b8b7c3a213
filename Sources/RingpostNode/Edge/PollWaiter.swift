// One poll: asks the owners once, answers with what is there, or waits for the next message until its time is over.
import NIOCore
import RingpostCore
import RingpostWire

final class PollWaiter: EdgeSocket, @unchecked Sendable {
    private let loop: NodeLoop
    private var sessions: [EdgeSession] = []
    private var timer: Scheduled<Void>?
    private var resumePoint = ResumePoint()
    private var waits = false
    private var hasGap = false
    private var channelGaps: [Key] = []
    private var messages: [StoredMessage] = []
    /// Gets the answer; called once.
    private var answer: ((HTTPResponse) -> Void)?
    let remote: String
    var transport: Transport? { .poll }
    var isCrowded: Bool { true }
    private(set) var user: Key?
    private(set) var lingersUntil: Int64?
    let grant: ClientGrant?
    private var place: CensusPlace?

    /// - Parameters:
    ///   - place: of one that waits.
    init(
        loop: NodeLoop, remote: String, grant: ClientGrant?, place: CensusPlace?, answer: @escaping (HTTPResponse) -> Void
    ) {
        self.grant = grant
        self.place = place
        self.loop = loop
        self.remote = remote
        self.answer = answer
    }

    func start(_ wish: ClientWish, waitSeconds: Int) {
        loop.counters.sockets[Transport.poll.place] += 1
        loop.counters.opened[Transport.poll.place] += 1
        resumePoint = wish.resumePoint
        user = wish.user?.key
        if waitSeconds > 0 { lingersUntil = Moment.now().monotonic + 2_000 * Int64(waitSeconds) }
        waits = waitSeconds > 0
        let stay = waits ? AttachRequest.Stay.ifEmpty : .never
        let subscriptions = [wish.user].compactMap { $0 } + wish.channels
        sessions = subscriptions.map { EdgeSession(key: $0.key, start: $0.start, stay: stay, socket: self, loop: loop) }
        // A plain poll waits for nothing but the owners' answers.
        let patience = waits ? TimeAmount.seconds(Int64(waitSeconds)) : .milliseconds(SessionMachine.answerMillisecondsMax)
        timer = loop.eventLoop.scheduleTask(in: patience) { self.finish() }
        for session in sessions {
            // Where there is no room it has ended the poll itself.
            if !session.start() { return }
        }
    }

    /// The client is gone.
    func cancel() {
        answer = nil
        finish()
    }

    func begin(at cursor: Cursor, of session: EdgeSession) {}

    func gap(at cursor: Cursor, of session: EdgeSession) {
        if session.key.kind == .channel { channelGaps.append(session.key) } else { hasGap = true }
    }

    func write(_ message: StoredMessage, of session: EdgeSession, shared: SharedFrames?) { messages.append(message) }

    func tell(_ frames: SharedFrames) {}
    func take(_ news: PresenceNews) {}

    func endOfPiece() {
        // What there is goes at once, but only with a cursor for everything that was asked for.
        if sessions.allSatisfy({ $0.cursor != nil }), !waits || !messages.isEmpty || hasGap || !channelGaps.isEmpty { finish() }
    }

    func end(_ farewell: Farewell) {
        switch farewell.reason {
        case .goingAway: finish(farewell)
        case .ownerUnreachable: respond(.problem(.ownerUnreachable, farewell: farewell))
        case .revoked: respond(.problem(.unauthorized, Distrust.revoked.message))
        case .disconnected: respond(.problem(.forbidden, "an operator has disconnected this user"))
        default: respond(.problem(.overloaded, farewell: farewell))
        }
    }

    /// Answers with what there is.
    ///
    /// - Parameter farewell: when and where to ask next; made up while the node's clients go elsewhere.
    func finish(_ farewell: Farewell? = nil) {
        for session in sessions {
            guard let cursor = session.cursor else { continue }
            if session.key.kind == .channel { resumePoint[session.key] = cursor } else { resumePoint.user = cursor }
        }
        guard sessions.contains(where: { $0.cursor != nil }) else {
            respond(.problem(farewell == nil ? .ownerUnreachable : .stopping, farewell: farewell))
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
        if let expires = grant?.expires, let tokens = loop.shared.tokens, expires - Moment.now().wall / 1_000 <= tokens.warningSeconds {
            body.append(text: ",\"expiring\":")
            body.append(decimal: UInt64(max(0, expires * 1_000)))
        }
        (farewell ?? (loop.door.isMoving ? loop.door.farewell(.goingAway) : nil))?.appendMembers(to: &body)
        body.append(UInt8(ascii: "}"))
        var response = HTTPResponse.json(body)
        response.headers.append(("Cache-Control", "no-store"))
        respond(response)
    }

    private func respond(_ response: HTTPResponse) {
        guard !sessions.isEmpty else { return }
        let sessions = sessions
        self.sessions = []
        timer?.cancel()
        if let user, let lingersUntil, let since = sessions.first?.since { loop.remember(user, since: since, until: lingersUntil) }
        for session in sessions { session.stop() }
        place?.giveBack(in: loop)
        place = nil
        loop.counters.sockets[Transport.poll.place] -= 1
        let answer = answer
        self.answer = nil
        answer?(response)
    }
}

extension [UInt8] {
    /// Appends a JSON array.
    fileprivate mutating func append<Item>(_ elements: [Item], as write: (Item, inout [UInt8]) -> Void) {
        append(UInt8(ascii: "["))
        for (place, element) in elements.enumerated() {
            if place > 0 { append(UInt8(ascii: ",")) }
            write(element, &self)
        }
        append(UInt8(ascii: "]"))
    }
}
