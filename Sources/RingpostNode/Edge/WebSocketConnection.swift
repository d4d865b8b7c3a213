// A client's WebSocket after the upgrade: one handler, no HTTP left. Messages leave as text frames; what comes in is
// pings, pongs and closes, and commands: text frames that say which channels to listen to, or publish.
import NIOCore
import RingpostCore
import RingpostWire

final class WebSocketConnection: StreamSocket, @unchecked Sendable {
    /// A command of a client.
    static let messageBytesMax = 128 * 1_024

    private var decoder = WebSocketDecoder(role: .server, messageBytesMax: WebSocketConnection.messageBytesMax)
    private var lastHeard = Moment.now().monotonic
    private var isPinged = false
    private lazy var publisher = ClientPublisher(loop: loop) { [weak self] in self?.writeText($0) }

    init(wish: ClientWish, loop: NodeLoop) { super.init(.webSocket, wish: wish, loop: loop) }

    func open(leftover: ByteBuffer) {
        openSessions()
        if leftover.readableBytes > 0 {
            input = leftover
            onBytes()
        }
    }

    override func begin(at cursor: Cursor, of session: EdgeSession) { writeText(ControlEvent.attached.json(session.key, cursor)) }
    override func gap(at cursor: Cursor, of session: EdgeSession) { writeText(ControlEvent.gap.json(session.key, cursor)) }
    override func write(_ message: StoredMessage, of session: EdgeSession, shared: SharedFrames?) {
        if let shared { write(shared.webSocket) } else { writeText(message.envelope) }
    }
    override func tell(_ frames: SharedFrames) { write(frames.webSocket) }
    override func writeEnd(_ farewell: Farewell) { writeClose(farewell.reason.webSocketCode, farewell.webSocketReason) }

    override func onBytes() {
        lastHeard = Moment.now().monotonic
        isPinged = false
        do throws(WebSocketError) {
            while !isClosing, let event = try decoder.next(&input) {
                switch event {
                case .ping(let payload): write { WebSocketEncoder.writePong(payload, into: &$0) }
                case .pong: break
                case .text(let text): onCommand(text)
                case .binary: writeText(ControlEvent.error("unsupported", "commands are JSON in text frames"))
                case .close(let code, _): finish { writeClose(code ?? 1_000, "") }
                }
                endOfPiece()
            }
        } catch {
            loop.counters.count(closed: error.closeCode == CloseReason.tooLarge.webSocketCode ? .tooLarge : .protocolError)
            finish { writeClose(error.closeCode, "stop: \(error.message)") }
        }
    }

    override func onDeadline(now: Int64) {
        let silence = now - lastHeard
        let pause = loop.shared.configuration.limits.pingMilliseconds
        if silence >= 2 * pause {
            end(Farewell(.idle))
        } else if silence >= pause, !isPinged {
            isPinged = true
            write { WebSocketEncoder.writePing(ByteBuffer(), into: &$0) }
        }
    }

    // MARK: Commands

    private func onCommand(_ text: ByteBuffer) {
        do throws(ProblemReport) {
            guard let view = loop.view else { throw ProblemReport(.noOwner, "this node is not in a ring yet") }
            let bytesMax = loop.shared.configuration.limits.payloadBytesMax
            switch try ClientCommand(text, hasher: view.hasher, payloadBytesMax: bytesMax) {
            case .subscribe(let wishes):
                try check(wishes.count)
                for wish in wishes { subscribe(wish) }
            case .unsubscribe(let names):
                try check(names.count)
                for name in names { unsubscribe(name) }
            case .publish(.success(let request), let reference): publisher.publish(request, reference: reference)
            case .publish(.failure(let report), let reference):
                writeText(ControlEvent.error(report.problem.code, report.message, reference: reference))
            case .token: writeText(ControlEvent.error("unsupported", "this node takes no tokens"))
            }
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message))
        }
    }

    /// Each name is answered, so there is a bound to what one command can ask for.
    private func check(_ count: Int) throws(ProblemReport) {
        let most = loop.shared.configuration.limits.socketChannelsMax
        if count > most { throw tooManyChannels("one command names at most \(most) channels, not \(count)") }
    }

    private func tooManyChannels(_ sentence: String) -> ProblemReport {
        loop.counters.channelsRefused += 1
        return ProblemReport(.tooManyChannels, sentence)
    }

    /// Each channel gets an answer of its own: `attached`, once the owner has said where it begins, or an error.
    private func subscribe(_ wish: ClientCommand.Subscription) {
        do throws(ProblemReport) {
            let key = try key(wish.channel)
            let start = try ClientWish.start(wish.since.map { Array($0.utf8) })
            if let session = channel(key) {
                // Asked for already: the answer to that comes, or has come.
                if let cursor = session.cursor { begin(at: cursor, of: session) }
                if wish.presence { session.watch() }
                return
            }
            let most = loop.shared.configuration.limits.socketChannelsMax
            if channels.count >= most { throw tooManyChannels("a socket listens to at most \(most) channels") }
            if let problem = loop.objection(to: key) { throw ProblemReport(problem) }
            subscribe(key, start: start, watches: wish.presence)
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message, channel: wish.channel))
        }
    }

    private func unsubscribe(_ name: String) {
        do throws(ProblemReport) {
            let key = try key(name)
            let session = channel(key)
            if let session { unsubscribe(session) }
            writeText(ControlEvent.unsubscribed.json(key, session?.cursor))
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message, channel: name))
        }
    }

    private func key(_ channel: String) throws(ProblemReport) -> Key {
        guard let view = loop.view else { throw ProblemReport(.noOwner, "this node is not in a ring yet") }
        do throws(NameError) { return try Key(.channel, name: Array(channel.utf8), hasher: view.hasher) } catch {
            throw ProblemReport(.badName, error.message)
        }
    }

    private func writeText(_ bytes: [UInt8]) { write { WebSocketEncoder.writeText(bytes, into: &$0) } }

    private func writeClose(_ code: UInt16, _ reason: String) {
        write { WebSocketEncoder.writeClose(code: code, reason: reason, into: &$0) }
    }
}
