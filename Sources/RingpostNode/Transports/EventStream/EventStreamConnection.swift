// A client's event stream after its request: one handler, no HTTP left; the end of the connection is the end of the
// response. A browser's EventSource reconnects by itself and resumes with Last-Event-ID, because `id:` says where each of its
// subscriptions stands.
import NIOCore
import RingpostCore
import RingpostWire

final class EventStreamConnection: StreamingConnection, @unchecked Sendable {
    /// What an EventSource waits before it reconnects; the client adds nothing to it, so each socket is told its own.
    static let retryMilliseconds = 500...1_500

    private var lastWrite = Moment.now().monotonic
    private var resumePoint: ResumePoint

    init(subscribeRequest: SubscribeRequest, grant: ClientGrant?, shard: Shard) {
        resumePoint = subscribeRequest.resumePoint
        super.init(.eventStream, subscribeRequest: subscribeRequest, grant: grant, shard: shard)
    }

    func open() {
        let retry = Self.retryMilliseconds.lowerBound + Int(shard.runtime.numbers.random() % UInt64(Self.retryMilliseconds.count))
        write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
        openSessions()
    }

    override func begin(at cursor: Cursor, of subscription: Subscription) { control(.attached, cursor, subscription) }
    override func gap(at cursor: Cursor, of subscription: Subscription) { control(.gap, cursor, subscription) }

    override func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?) {
        guard let incarnation = subscription.cursor?.incarnation else { return }
        move(subscription, to: Cursor(incarnation: incarnation, sequence: message.sequence))
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
    override func writeEnd(_ disconnect: Disconnect) {
        var disconnect = disconnect
        if let after = disconnect.afterMilliseconds {
            let retry = after + Self.retryMilliseconds.lowerBound
            disconnect = Disconnect(disconnect.reason, afterMilliseconds: retry, at: disconnect.at)
            write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
        }
        write { EventStreamEncoder.writeEvent(event: "close", id: nil, data: disconnect.json, into: &$0) }
    }

    /// A client has nothing more to say on this connection.
    override func onBytes() { input.clear() }

    /// A comment keeps proxies from closing a silent stream, and shows a dead client as a failed write.
    override func onDeadline(now: Int64) {
        super.onDeadline(now: now)
        guard now - lastWrite >= shard.shared.configuration.limits.pingMilliseconds else { return }
        lastWrite = now
        write { EventStreamEncoder.writeComment("", into: &$0) }
    }

    private func move(_ subscription: Subscription, to cursor: Cursor) {
        if subscription.key.kind == .channel { resumePoint[subscription.key] = cursor } else { resumePoint.user = cursor }
    }

    private func writeID() {
        var id: [UInt8] = []
        id.reserveCapacity(Cursor.textBytesMax)
        resumePoint.append(to: &id)
        write { EventStreamEncoder.writeID(id, into: &$0) }
    }

    private func control(_ event: ControlEvent, _ cursor: Cursor, _ subscription: Subscription) {
        move(subscription, to: cursor)
        writeID()
        write { EventStreamEncoder.writeEvent(event: event.name, id: nil, data: event.json(subscription.key, cursor), into: &$0) }
    }
}
