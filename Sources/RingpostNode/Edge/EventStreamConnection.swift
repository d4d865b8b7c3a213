// A client's event stream after its request: one handler, no HTTP left; the end of the connection is the end of the
// response. A browser's EventSource reconnects by itself and resumes with Last-Event-ID, because `id:` is the cursor.
import NIOCore
import RingpostCore
import RingpostWire

final class EventStreamConnection: LoopSocket, EdgeSocket, @unchecked Sendable {
    /// What an EventSource waits before it reconnects; the client adds nothing to it, so each socket is told its own.
    static let retryMilliseconds = 500...1_500

    private var session: EdgeSession?
    private var lastWrite = Moment.now().monotonic
    private let key: Key
    private let start: AttachStart

    init(key: Key, start: AttachStart, loop: NodeLoop) {
        self.key = key
        self.start = start
        super.init(loop: loop)
    }

    var transport: Transport { .eventStream }
    var remote: String { remoteText }
    var isCrowded: Bool { pendingBytes > loop.shared.configuration.limits.socketBytesMax / 4 }

    func open() {
        loop.counters.sockets[transport.place] += 1
        loop.counters.opened[transport.place] += 1
        let retry = Self.retryMilliseconds.lowerBound + Int(loop.freshRandom() % UInt64(Self.retryMilliseconds.count))
        write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
        let session = EdgeSession(key: key, start: start, stay: .always, socket: self, loop: loop)
        self.session = session
        _ = session.start()
    }

    // MARK: EdgeSocket

    func begin(at cursor: Cursor) { control("attached", cursor, ControlEvent.attached(cursor)) }
    func gap(at cursor: Cursor) { control("gap", cursor, ControlEvent.gap(cursor)) }

    func write(_ message: StoredMessage) {
        guard let incarnation = session?.cursor?.incarnation else { return }
        var id: [UInt8] = []
        id.reserveCapacity(Cursor.textBytesMax)
        Cursor(incarnation: incarnation, sequence: message.sequence).append(to: &id)
        write { EventStreamEncoder.writeEvent(event: nil, id: id, data: message.envelope, into: &$0) }
        lastWrite = Moment.now().monotonic
    }

    func endOfPiece() {
        if pendingBytes > loop.shared.configuration.limits.socketBytesMax { end(.slowConsumer) }
    }

    func end(_ reason: CloseReason) {
        guard isOpen, !isClosing else { return }
        loop.counters.count(closed: reason)
        session?.stop()
        if reason == .slowConsumer { dropPending() }
        let data = Array(#"{"code":"\#(reason.code)","advice":"\#(reason.advice.rawValue)"}"#.utf8)
        write { EventStreamEncoder.writeEvent(event: "close", id: nil, data: data, into: &$0) }
        closeWhenFlushed()
    }

    // MARK: LoopSocket

    /// A client has nothing more to say on this connection.
    override func onBytes() { input.clear() }

    override func onDrained() { session?.onDrained() }

    override func onGone() {
        session?.stop()
        session = nil
        loop.counters.sockets[transport.place] -= 1
    }

    /// A comment keeps proxies from closing a silent stream, and shows a dead client as a failed write.
    override func onDeadline(now: Int64) {
        guard now - lastWrite >= loop.shared.configuration.limits.pingMilliseconds else { return }
        lastWrite = now
        write { EventStreamEncoder.writeComment("", into: &$0) }
    }

    private func control(_ name: String, _ cursor: Cursor, _ data: [UInt8]) {
        var id: [UInt8] = []
        cursor.append(to: &id)
        write { EventStreamEncoder.writeEvent(event: name, id: id, data: data, into: &$0) }
    }
}
