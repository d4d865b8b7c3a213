// A client's WebSocket after the upgrade: one handler, no HTTP left. Messages leave as text frames; what comes in is
// pings, pongs and closes (and text that nobody asked for yet, which is answered with an error).
import NIOCore
import RingpostCore
import RingpostWire

final class WebSocketConnection: StreamSocket, @unchecked Sendable {
    /// A client has little to say yet.
    static let messageBytesMax = 16 * 1_024

    private var decoder = WebSocketDecoder(role: .server, messageBytesMax: WebSocketConnection.messageBytesMax)
    private var lastHeard = Moment.now().monotonic
    private var isPinged = false

    init(key: Key, start: AttachStart, loop: NodeLoop) { super.init(.webSocket, key: key, start: start, loop: loop) }

    func open(leftover: ByteBuffer) {
        openSession()
        if leftover.readableBytes > 0 {
            input = leftover
            onBytes()
        }
    }

    override func begin(at cursor: Cursor) { writeText(ControlEvent.attached(cursor)) }
    override func gap(at cursor: Cursor) { writeText(ControlEvent.gap(cursor)) }
    override func write(_ message: StoredMessage) { writeText(message.envelope) }
    override func writeEnd(_ farewell: Farewell) { writeClose(farewell.reason.webSocketCode, farewell.webSocketReason) }

    override func onBytes() {
        lastHeard = Moment.now().monotonic
        isPinged = false
        do throws(WebSocketError) {
            while !isClosing, let event = try decoder.next(&input) {
                switch event {
                case .ping(let payload): write { WebSocketEncoder.writePong(payload, into: &$0) }
                case .pong: break
                case .text, .binary: writeText(ControlEvent.unsupported)
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

    private func writeText(_ bytes: [UInt8]) { write { WebSocketEncoder.writeText(bytes, into: &$0) } }

    private func writeClose(_ code: UInt16, _ reason: String) {
        write { WebSocketEncoder.writeClose(code: code, reason: reason, into: &$0) }
    }
}
