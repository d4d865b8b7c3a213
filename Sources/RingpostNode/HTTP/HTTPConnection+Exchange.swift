// A request on an HTTP/1.1 connection, and how its answer gets its place among the others.
import NIOCore
import RingpostCore
import RingpostWire

/// Two words: `any HTTPExchange` holds it without an allocation.
struct HTTP1Exchange: HTTPExchange {
    let connection: HTTPConnection
    /// Of the request, in the order of all on the connection.
    let number: UInt64

    var peer: HTTPPeer { connection.peer }
    var peerAddress: SourceAddress? { connection.peer.proxied ?? connection.peerAddress }
    var remoteText: String { connection.remoteText }
    var isAwaited: Bool { connection.awaitsAnswer(number) }
    var clientHasFinished: Bool { connection.machine.clientHasFinished }

    func respond(_ response: HTTPResponse) { connection.respond(to: number, response) }

    func awaitReceipt(for key: Key) -> (sink: any PublishSink, tag: UInt64) {
        connection.wait(.receipt(key), number)
        return (connection, number)
    }

    func hold(_ request: any HeldRequest) { connection.wait(.held(request), number) }

    func runInTurns(_ work: @escaping () -> Bool) {
        connection.wait(.batch, number)
        connection.runInTurns(work)
    }

    var mayBecomeStream: Bool { connection.mayBecomeStream(number) }

    func becomeStream(_ stream: Connection, _ writeHead: ([HTTPResponseWriter.Header], inout ByteBuffer) -> Void) -> ByteBuffer? {
        connection.becomeStream(stream, writeHead)
    }
}

extension HTTPConnection {
    /// What an answer is written with, and what it waits for.
    struct Owed {
        enum Reason {
            case route
            /// A publish; its receipt names the key.
            case receipt(Key)
            /// A batch: a receipt a line.
            case batch
            case held(any HeldRequest)

            /// The answer may be far larger than the request; so few of them are under way at a time.
            var mayBeLarge: Bool {
                switch self {
                case .route, .held: true
                case .receipt, .batch: false
                }
            }
        }
        let headers: [HTTPResponseWriter.Header]
        let isHead: Bool
        /// A client of HTTP/1.0 has to be told that the connection goes on.
        let saysKeepAlive: Bool
        var reason = Reason.route

        var held: (any HeldRequest)? { if case .held(let request) = reason { request } else { nil } }
    }

    /// Answers a request; answers leave in the order of the requests.
    func respond(to number: UInt64, _ response: HTTPResponse) {
        guard isOpen, let persists = machine.persistence(of: number), let owed = machine.owed(number) else { return }
        let persistence: HTTPResponseWriter.Persistence = persists ? owed.saysKeepAlive ? .keepAlive : .implied : .close
        var bytes = ByteBuffer()
        if response.isStreamHead {
            HTTPResponseWriter.writeHeadOfStream(
                status: response.status, headers: response.headers + owed.headers, persistence: persistence, date: runtime.date(),
                into: &bytes)
        } else {
            HTTPResponseWriter.write(
                status: response.status, headers: response.headers + owed.headers, body: response.body, persistence: persistence,
                date: runtime.date(), isResponseToHead: owed.isHead, into: &bytes)
        }
        machine.onAnswer(number, bytes, bytes: bytes.readableBytes)
        if response.status >= 400 { runtime.counters.badRequests[response.status, default: 0] += 1 }
        release()
    }

    private func release() {
        while let next = machine.nextReady() {
            var bytes = next.ready
            write { $0.writeBuffer(&bytes) }
            if next.isLast {
                chargeReady()
                return endWhenFlushed()
            }
        }
        chargeReady()
        resume()
    }

    /// The answer to a publish, the hot way: next in the order, as nearly all of them are, it is written where it leaves from.
    func respond(to number: UInt64, _ receipt: Receipt) {
        guard isOpen, let owed = machine.owed(number), case .receipt(let key) = owed.reason else { return }
        runtime.scratch.removeAll(keepingCapacity: true)
        receipt.appendJSON(key: key, to: &runtime.scratch)
        runtime.scratch.append(UInt8(ascii: "\n"))
        guard owed.headers.isEmpty, !owed.saysKeepAlive, machine.passes(number) else { return respond(to: number, .json(runtime.scratch)) }
        let date = runtime.date()
        write { HTTPResponseWriter.writeJSON(runtime.scratch, date: date, into: &$0) }
        release()
    }

    func wait(_ reason: Owed.Reason, _ number: UInt64) {
        guard var owed = machine.owed(number) else { return }
        owed.reason = reason
        machine.setOwed(number, owed, mayBeLarge: reason.mayBeLarge)
    }

    /// The request has not been answered, and the connection stands.
    func awaitsAnswer(_ number: UInt64) -> Bool { isOpen && !isClosing && machine.owed(number) != nil }

    // MARK: Streams

    func mayBecomeStream(_ number: UInt64) -> Bool { machine.mayBecomeStream(number) }

    /// Puts another handler in this one's place, after a head that opens the new protocol; returns bytes that came early.
    func becomeStream(_ stream: Connection, _ writeHead: ([HTTPResponseWriter.Header], inout ByteBuffer) -> Void) -> ByteBuffer? {
        let owed = machine.end()
        chargeReady()
        let common = owed.first?.headers ?? []
        // There is nobody any more who could be answered.
        for other in owed.dropFirst() { other.held?.cancel() }
        // An earlier answer may wait for the end of the tick: it goes first.
        flush()
        guard let context, isDrained, let slot = context.handler as? ConnectionSlot else {
            closeNow()
            return nil
        }
        let leftover = input
        input = ByteBuffer()
        slot.replace(by: stream, context)
        // What this connection has paused nobody else would turn on again.
        if machine.isPaused { stream.setReading(true) }
        stream.write { writeHead(common, &$0) }
        return leftover
    }
}

extension HTTPConnection: PublishSink {
    /// The tag is the request's number.
    func onAnswer(tag: UInt64, _ result: PublishResult) {
        switch result {
        case .success(let receipt): respond(to: tag, receipt)
        case .failure(let problem):
            var report = ProblemReport(problem)
            if case .receipt(let key)? = machine.owed(tag)?.reason { report = runtime.limits.mailbox.namespaces.report(problem, key) }
            respond(to: tag, .problem(report.problem, report.message))
        }
    }
}
