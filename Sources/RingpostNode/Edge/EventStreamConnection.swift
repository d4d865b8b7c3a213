// A client's event stream after its request: one handler, no HTTP left; the end of the connection is the end of the
// response. A browser's EventSource reconnects by itself and resumes with Last-Event-ID, because `id:` says where each of its
// subscriptions stands.
import NIOCore
import RingpostCore
import RingpostWire

final class EventStreamConnection: StreamSocket, @unchecked Sendable {
    /// What an EventSource waits before it reconnects; the client adds nothing to it, so each socket is told its own.
    static let retryMilliseconds = 500...1_500

    private var lastWrite = Moment.now().monotonic
    private var resumePoint: ResumePoint

    init(wish: ClientWish, grant: ClientGrant?, loop: NodeLoop) {
        resumePoint = wish.resumePoint
        super.init(.eventStream, wish: wish, grant: grant, loop: loop)
    }

    func open() {
        let retry = Self.retryMilliseconds.lowerBound + Int(loop.freshRandom() % UInt64(Self.retryMilliseconds.count))
        write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
        openSessions()
    }

    override func begin(at cursor: Cursor, of session: EdgeSession) { control(.attached, cursor, session) }
    override func gap(at cursor: Cursor, of session: EdgeSession) { control(.gap, cursor, session) }

    override func write(_ message: StoredMessage, of session: EdgeSession, shared: SharedFrames?) {
        guard let incarnation = session.cursor?.incarnation else { return }
        move(session, to: Cursor(incarnation: incarnation, sequence: message.sequence))
        writeID()
        write {
            if let shared {
                $0.writeImmutableBuffer(shared.event)
            } else {
                EventStreamEncoder.writeEvent(event: nil, id: nil, data: message.envelope, into: &$0)
            }
        }
        lastWrite = Moment.now().monotonic
    }

    override func tell(_ frames: SharedFrames) {
        write { $0.writeImmutableBuffer(frames.event) }
        lastWrite = Moment.now().monotonic
    }

    override func tellExpiring(_ expires: Int64) {
        write { EventStreamEncoder.writeEvent(event: "expiring", id: nil, data: ControlEvent.expiring(expires), into: &$0) }
        lastWrite = Moment.now().monotonic
    }

    /// An EventSource reconnects by itself to the address that it has, which may well be this node's again: it is kept away
    /// a little longer than who can choose.
    override func writeEnd(_ farewell: Farewell) {
        var farewell = farewell
        if let after = farewell.afterMilliseconds {
            let retry = after + Self.retryMilliseconds.lowerBound
            farewell = Farewell(farewell.reason, afterMilliseconds: retry, at: farewell.at)
            write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
        }
        write { EventStreamEncoder.writeEvent(event: "close", id: nil, data: farewell.json, into: &$0) }
    }

    /// A client has nothing more to say on this connection.
    override func onBytes() { input.clear() }

    /// A comment keeps proxies from closing a silent stream, and shows a dead client as a failed write.
    override func onDeadline(now: Int64) {
        super.onDeadline(now: now)
        guard now - lastWrite >= loop.shared.configuration.limits.pingMilliseconds else { return }
        lastWrite = now
        write { EventStreamEncoder.writeComment("", into: &$0) }
    }

    private func move(_ session: EdgeSession, to cursor: Cursor) {
        if session.key.kind == .channel { resumePoint[session.key] = cursor } else { resumePoint.user = cursor }
    }

    private func writeID() {
        var id: [UInt8] = []
        id.reserveCapacity(Cursor.textBytesMax)
        resumePoint.append(to: &id)
        write { EventStreamEncoder.writeID(id, into: &$0) }
    }

    private func control(_ event: ControlEvent, _ cursor: Cursor, _ session: EdgeSession) {
        move(session, to: cursor)
        writeID()
        write { EventStreamEncoder.writeEvent(event: event.name, id: nil, data: event.json(session.key, cursor), into: &$0) }
    }
}
