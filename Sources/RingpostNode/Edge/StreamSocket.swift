// What a WebSocket and an event stream have in common: one session for as long as the socket lives, bounded bytes, and a
// last word that says why it ends. A subclass knows how its transport writes these.
import RingpostCore

class StreamSocket: LoopSocket, EdgeSocket, @unchecked Sendable {
    let transport: Transport
    private(set) var session: EdgeSession?
    private let key: Key
    private let start: AttachStart
    /// Counted as a socket of the loop; one that was turned away never is.
    private var isCounted = false

    init(_ transport: Transport, key: Key, start: AttachStart, loop: NodeLoop) {
        self.transport = transport
        self.key = key
        self.start = start
        super.init(loop: loop)
    }

    // MARK: For subclasses

    func begin(at cursor: Cursor) {}
    func gap(at cursor: Cursor) {}
    func write(_ message: StoredMessage) {}
    /// Writes the transport's last word.
    func writeEnd(_ farewell: Farewell) {}

    // MARK: Life

    /// Called once the handler is in place and the answer to the request is on its way.
    func openSession() {
        isCounted = true
        loop.counters.sockets[transport.place] += 1
        loop.counters.opened[transport.place] += 1
        let session = EdgeSession(key: key, start: start, stay: .always, socket: self, loop: loop)
        self.session = session
        // Where there is no room it has ended the socket itself.
        _ = session.start()
    }

    /// Called instead of ``openSession()``: the client is told when and where to come back, and nothing is made for it.
    func turnAway(_ farewell: Farewell) { finish { writeEnd(farewell) } }

    var remote: String { remoteText }
    var isCrowded: Bool { pendingBytes > loop.shared.configuration.limits.socketBytesMax / 4 }

    func endOfPiece() {
        if pendingBytes > loop.shared.configuration.limits.socketBytesMax { end(Farewell(.slowConsumer)) }
    }

    func end(_ farewell: Farewell) {
        guard isOpen, !isClosing else { return }
        loop.counters.count(closed: farewell.reason)
        // A slow socket gets the reason instead of what it did not take.
        if farewell.reason == .slowConsumer { dropPending() }
        finish { writeEnd(farewell) }
    }

    /// The last word, then nothing more.
    func finish(_ lastWord: () -> Void) {
        guard isOpen, !isClosing else { return }
        session?.stop()
        lastWord()
        closeWhenFlushed()
    }

    override func onDrained() { session?.onDrained() }

    override func onGone() {
        session?.stop()
        session = nil
        if isCounted { loop.counters.sockets[transport.place] -= 1 }
        isCounted = false
    }
}
