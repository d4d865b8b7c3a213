// A client's WebSocket after the upgrade: one handler, no HTTP left. Messages leave as text frames; what comes in is
// pings, pongs and closes (and text that nobody asked for yet, which is answered with an error).
import NIOCore
import RingpostCore
import RingpostWire

final class WebSocketConnection: LoopSocket, EdgeSocket, @unchecked Sendable {
    /// A client has little to say yet.
    static let messageBytesMax = 16 * 1_024

    private var decoder = WebSocketDecoder(role: .server, messageBytesMax: WebSocketConnection.messageBytesMax)
    private var session: EdgeSession?
    private var lastHeard = Moment.now().monotonic
    private var isPinged = false
    private let key: Key
    private let start: AttachStart

    init(key: Key, start: AttachStart, loop: NodeLoop) {
        self.key = key
        self.start = start
        super.init(loop: loop)
    }

    var transport: Transport { .webSocket }
    var remote: String { remoteText }
    var isCrowded: Bool { pendingBytes > loop.shared.configuration.limits.socketBytesMax / 4 }

    /// Called once the handler is in place and the upgrade's answer is on its way.
    func open(leftover: ByteBuffer) {
        loop.counters.sockets[transport.place] += 1
        loop.counters.opened[transport.place] += 1
        let session = EdgeSession(key: key, start: start, stay: .always, socket: self, loop: loop)
        self.session = session
        if !session.start() { return }
        if leftover.readableBytes > 0 {
            input = leftover
            onBytes()
        }
    }

    // MARK: EdgeSocket

    func begin(at cursor: Cursor) { writeText(ControlEvent.attached(cursor)) }
    func gap(at cursor: Cursor) { writeText(ControlEvent.gap(cursor)) }
    func write(_ message: StoredMessage) { writeText(message.envelope) }

    func endOfPiece() {
        if pendingBytes > loop.shared.configuration.limits.socketBytesMax { end(.slowConsumer) }
    }

    func end(_ reason: CloseReason) {
        guard isOpen, !isClosing else { return }
        loop.counters.count(closed: reason)
        // A slow socket gets the reason instead of what it did not take.
        if reason == .slowConsumer { dropPending() }
        finish(code: reason.webSocketCode, text: reason.webSocketReason)
    }

    // MARK: LoopSocket

    override func onBytes() {
        lastHeard = Moment.now().monotonic
        isPinged = false
        do throws(WebSocketError) {
            while !isClosing, let event = try decoder.next(&input) {
                switch event {
                case .ping(let payload): write { WebSocketEncoder.writePong(payload, into: &$0) }
                case .pong: break
                case .text, .binary: writeText(ControlEvent.unsupported)
                case .close(let code, _): finish(code: code ?? 1_000, text: "")
                }
                endOfPiece()
            }
        } catch {
            loop.counters.count(closed: error.closeCode == CloseReason.tooLarge.webSocketCode ? .tooLarge : .protocolError)
            finish(code: error.closeCode, text: "stop: \(error.message)")
        }
    }

    override func onDrained() { session?.onDrained() }

    override func onGone() {
        session?.stop()
        session = nil
        loop.counters.sockets[transport.place] -= 1
    }

    override func onDeadline(now: Int64) {
        let silence = now - lastHeard
        let pause = loop.shared.configuration.limits.pingMilliseconds
        if silence >= 2 * pause {
            end(.idle)
        } else if silence >= pause, !isPinged {
            isPinged = true
            write { WebSocketEncoder.writePing(ByteBuffer(), into: &$0) }
        }
    }

    private func writeText(_ bytes: [UInt8]) { write { WebSocketEncoder.writeText(bytes, into: &$0) } }

    private func finish(code: UInt16, text: String) {
        guard isOpen, !isClosing else { return }
        session?.stop()
        write { WebSocketEncoder.writeClose(code: code, reason: text, into: &$0) }
        closeWhenFlushed()
    }
}
