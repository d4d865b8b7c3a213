// An event stream after its request: the end of the connection is the end of the response. A browser's EventSource reconnects by itself and
// resumes with Last-Event-ID, because `id:` says where each of its subscriptions stands.
import NIOCore
import RingpostCore
import RingpostWire

struct EventStreamTransport: Transport {
    static let kind = TransportKind.eventStream
    /// What an EventSource waits before it reconnects. The browser adds nothing to it, so each stream is told its own.
    static let retryMilliseconds = 500...1_500
    /// A client that is to stay away for good is told to reconnect in a day: an EventSource can't be told never, and a `setTimeout` of
    /// more than 24 days fires at once.
    static let stayAwayMilliseconds = 86_400_000
    /// Of every event stream's head.
    static let headers: [HTTPResponseWriter.Header] = [
        ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store, no-transform"), ("X-Accel-Buffering", "no"),
    ]
    /// The rest of it, which answers that are written whole have anyway.
    private static let streamHeaders: [HTTPResponseWriter.Header] = [("X-Content-Type-Options", "nosniff"), ("Connection", "close")]

    private var resumePoint: ResumePoint
    private var lastWrite = Moment.now().monotonic
    /// The first event carries it: some readers hand on a block without data as an empty message.
    private var owesRetry = true

    init(_ request: SubscribeRequest) { resumePoint = request.resumePoint }

    static func writeHead(_ headers: [HTTPResponseWriter.Header], into output: inout ByteBuffer) {
        HTTPResponseWriter.writeHead(status: 200, headers: Self.headers + streamHeaders + headers, into: &output)
    }

    // MARK: Out

    mutating func writeBegin(at cursor: Cursor, of key: Key, to connection: Connection) { write(.attached, cursor, key, to: connection) }
    mutating func writeGap(at cursor: Cursor, of key: Key, to connection: Connection) { write(.gap, cursor, key, to: connection) }

    mutating func write(_ message: StoredMessage, at cursor: Cursor, of key: Key, shared: SharedFrames?, to connection: Connection) {
        beginEvent(on: connection)
        writeID(cursor, key, to: connection)
        connection.write {
            if let shared {
                $0.writeImmutableBuffer(shared.event)
            } else {
                EventStreamEncoder.writeEvent(event: nil, id: nil, data: message.envelope, into: &$0)
            }
        }
    }

    mutating func writePresence(_ frames: SharedFrames, to connection: Connection) {
        beginEvent(on: connection)
        connection.write { $0.writeImmutableBuffer(frames.event) }
    }

    mutating func writeExpiring(_ expires: Int64, to connection: Connection) {
        beginEvent(on: connection)
        connection.write { EventStreamEncoder.writeEvent(event: "expiring", id: nil, data: ControlEvent.expiring(expires), into: &$0) }
    }

    mutating func writeEnd(_ disconnect: Disconnect, to connection: Connection) {
        connection.write { Self.writeClose(disconnect, because: nil, into: &$0) }
    }

    /// The `close` event with the time after which an EventSource reconnects. It does so by itself, to the address that it has, which may
    /// well be this node's again: it is kept away a little longer than a client that can choose.
    static func writeClose(_ disconnect: Disconnect, because report: ProblemReport?, into output: inout ByteBuffer) {
        var disconnect = disconnect
        if disconnect.reason.advice == .stop {
            EventStreamEncoder.writeRetry(milliseconds: stayAwayMilliseconds, into: &output)
        } else if let after = disconnect.afterMilliseconds {
            let retry = after + retryMilliseconds.lowerBound
            disconnect = Disconnect(disconnect.reason, afterMilliseconds: retry, at: disconnect.at)
            EventStreamEncoder.writeRetry(milliseconds: retry, into: &output)
        }
        EventStreamEncoder.writeEvent(event: "close", id: nil, data: ControlEvent.close(disconnect, because: report), into: &output)
    }

    func isCrowded(pendingBytes: Int, limits: NodeLimits) -> Bool { pendingBytes > limits.socketBytesMax / 4 }

    private mutating func write(_ event: ControlEvent, _ cursor: Cursor, _ key: Key, to connection: Connection) {
        beginEvent(on: connection)
        writeID(cursor, key, to: connection)
        connection.write { EventStreamEncoder.writeEvent(event: event.name, id: nil, data: event.json(key, cursor), into: &$0) }
    }

    private mutating func beginEvent(on connection: Connection) {
        lastWrite = Moment.now().monotonic
        guard owesRetry else { return }
        owesRetry = false
        let retry = Self.retryMilliseconds.lowerBound + Int(connection.runtime.numbers.random() % UInt64(Self.retryMilliseconds.count))
        connection.write { EventStreamEncoder.writeRetry(milliseconds: retry, into: &$0) }
    }

    private mutating func writeID(_ cursor: Cursor, _ key: Key, to connection: Connection) {
        if key.kind == .channel { resumePoint[key] = cursor } else { resumePoint.user = cursor }
        var id: [UInt8] = []
        id.reserveCapacity(Cursor.textBytesMax)
        resumePoint.append(to: &id)
        connection.write { EventStreamEncoder.writeID(id, into: &$0) }
    }

    // MARK: In

    static func subscribe(
        _ connection: ClientConnection<Self>, to channels: [(key: Key, start: AttachStart)], watches: Bool
    ) {
        for (channel, start) in channels where !connection.isClosing { connection.subscribe(channel, start: start, watches: watches) }
    }

    /// A client has nothing more to say on this connection.
    static func onBytes(_ connection: ClientConnection<Self>) { connection.input = ByteBuffer() }

    static func onTurn(_ connection: ClientConnection<Self>) {}

    /// A comment keeps proxies from closing a silent stream, and shows a dead client as a failed write.
    static func onDeadline(_ connection: ClientConnection<Self>, now: Int64) {
        let pause = connection.shard.context.configuration.limits.pingMilliseconds
        guard connection.transport.needsSignOfLife(now: now, pauseMilliseconds: pause) else { return }
        connection.write { EventStreamEncoder.writeComment("", into: &$0) }
    }

    private mutating func needsSignOfLife(now: Int64, pauseMilliseconds: Int64) -> Bool {
        guard now - lastWrite >= pauseMilliseconds else { return false }
        lastWrite = now
        return true
    }
}

extension HTTPResponse {
    /// For an event stream that can't be opened now. With 200, because an EventSource that is answered anything else gives up for good; the
    /// reason stands in the `close` event, for clients that look at it.
    static func eventStreamEnd(_ disconnect: Disconnect, because report: ProblemReport) -> HTTPResponse {
        var bytes = ByteBuffer()
        EventStreamTransport.writeClose(disconnect, because: report, into: &bytes)
        return HTTPResponse(status: 200, headers: EventStreamTransport.headers, body: Array(bytes.readableBytesView))
    }
}
