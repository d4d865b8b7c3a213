// One poll: asks the owner once, answers with what is there, or waits for the next message until its time is over.
import NIOCore
import RingpostCore

final class PollWaiter: EdgeSocket, @unchecked Sendable {
    private let loop: NodeLoop
    private var session: EdgeSession?
    private var timer: Scheduled<Void>?
    private var cursor: Cursor?
    private var hasGap = false
    private var messages: [StoredMessage] = []
    /// Gets the answer; called once.
    private var answer: ((HTTPResponse) -> Void)?
    let remote: String
    var transport: Transport { .poll }
    var isCrowded: Bool { true }

    init(loop: NodeLoop, remote: String, answer: @escaping (HTTPResponse) -> Void) {
        self.loop = loop
        self.remote = remote
        self.answer = answer
    }

    func start(key: Key, start: AttachStart, waitSeconds: Int) {
        loop.counters.sockets[transport.place] += 1
        loop.counters.opened[transport.place] += 1
        let session = EdgeSession(key: key, start: start, stay: waitSeconds > 0 ? .ifEmpty : .never, socket: self, loop: loop)
        self.session = session
        // A plain poll waits for nothing but the owner's answer.
        let patience = waitSeconds > 0 ? TimeAmount.seconds(Int64(waitSeconds)) : .milliseconds(SessionMachine.answerMillisecondsMax)
        timer = loop.eventLoop.scheduleTask(in: patience) { self.finish() }
        // Where there is no room it has ended the poll itself.
        _ = session.start()
    }

    /// The client is gone.
    func cancel() {
        answer = nil
        finish()
    }

    func begin(at cursor: Cursor) { self.cursor = cursor }

    func gap(at cursor: Cursor) {
        self.cursor = cursor
        hasGap = true
    }

    func write(_ message: StoredMessage) { messages.append(message) }

    func endOfPiece() {
        cursor = session?.cursor ?? cursor
        let waits = session?.isWaitingForMore == true && messages.isEmpty && !hasGap
        if !waits { finish() }
    }

    func end(_ farewell: Farewell) {
        switch farewell.reason {
        case .goingAway: finish(farewell)
        case .ownerUnreachable: respond(.problem(.ownerUnreachable, farewell: farewell))
        default: respond(.problem(.overloaded, farewell: farewell))
        }
    }

    /// Answers with what there is.
    ///
    /// - Parameter farewell: when and where to ask next; made up while the node's clients go elsewhere.
    func finish(_ farewell: Farewell? = nil) {
        guard let cursor else {
            respond(.problem(farewell == nil ? .ownerUnreachable : .stopping, farewell: farewell))
            return
        }
        var body: [UInt8] = []
        body.reserveCapacity(96 + messages.reduce(0) { $0 + $1.envelope.count + 1 })
        body.append(text: "{\"cursor\":\"")
        cursor.append(to: &body)
        body.append(text: hasGap ? "\",\"gap\":true,\"messages\":[" : "\",\"messages\":[")
        for (place, message) in messages.enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            body.append(contentsOf: message.envelope)
        }
        body.append(UInt8(ascii: "]"))
        (farewell ?? (loop.door.isMoving ? loop.door.farewell(.goingAway) : nil))?.appendMembers(to: &body)
        body.append(UInt8(ascii: "}"))
        var response = HTTPResponse.json(body)
        response.headers.append(("Cache-Control", "no-store"))
        respond(response)
    }

    private func respond(_ response: HTTPResponse) {
        guard let session else { return }
        self.session = nil
        timer?.cancel()
        session.stop()
        loop.counters.sockets[transport.place] -= 1
        let answer = answer
        self.answer = nil
        answer?(response)
    }
}
