// A client's event stream after its request: one handler, no HTTP left; the end of the connection is the end of the
// response. A browser's EventSource reconnects by itself and resumes with Last-Event-ID, because `id:` is the cursor.
import NIOCore
import RingpostCore
import RingpostWire

final class EventStreamConnection: StreamSocket, @unchecked Sendable {
    /// What an EventSource waits before it reconnects; the client adds nothing to it, so each socket is told its own.
    static let retryMilliseconds = 500...1_500

    private var lastWrite = Moment.now().monotonic

    init(key: Key, start: AttachStart, loop: NodeLoop) { super.init(.eventStream, key: key, start: start, loop: loop) }

    func open() {
        let retry = Self.retryMilliseconds.lowerBound + Int(loop.freshRandom() % UInt64(Self.retryMilliseconds.count))
        write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
        openSession()
    }

    override func begin(at cursor: Cursor) { control("attached", cursor, ControlEvent.attached(cursor)) }
    override func gap(at cursor: Cursor) { control("gap", cursor, ControlEvent.gap(cursor)) }

    override func write(_ message: StoredMessage) {
        guard let incarnation = session?.cursor?.incarnation else { return }
        var id: [UInt8] = []
        id.reserveCapacity(Cursor.textBytesMax)
        Cursor(incarnation: incarnation, sequence: message.sequence).append(to: &id)
        write { EventStreamEncoder.writeEvent(event: nil, id: id, data: message.envelope, into: &$0) }
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
