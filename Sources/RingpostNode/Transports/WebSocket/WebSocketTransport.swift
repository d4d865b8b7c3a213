// A WebSocket after the upgrade: messages leave as text frames. Commands that come in are run in WebSocketCommands.swift.
import NIOCore
import RingpostCore
import RingpostWire

struct WebSocketTransport: Transport {
    static let kind = TransportKind.webSocket
    /// A command of a client.
    static let messageBytesMax = 128 * 1_024

    /// A channel that the URL or a command names.
    enum ChannelName {
        case subscribe(ClientCommand.Subscription)
        case unsubscribe(String)
        /// The URL's: whether the client may has been checked already.
        case requested(Key, AttachStart, watches: Bool)
    }

    var decoder = WebSocketDecoder(role: .server, messageBytesMax: WebSocketTransport.messageBytesMax)
    var machine: WebSocketMachine
    /// Channels that have not been looked at, the last one first; frames that came behind them wait.
    var names: [ChannelName] = []
    /// `nil` until the client publishes.
    var publisher: ClientPublisher?

    /// - Parameter isKnown: the client has said who it is, or does not have to.
    init(isKnown: Bool, limits: NodeLimits) {
        machine = WebSocketMachine(isKnown: isKnown, tokenMilliseconds: limits.tokenMilliseconds, now: Moment.now().monotonic)
    }

    // MARK: Out

    mutating func writeBegin(at cursor: Cursor, of key: Key, to connection: Connection) {
        connection.writeText(ControlEvent.attached.json(key, cursor))
    }

    mutating func writeGap(at cursor: Cursor, of key: Key, to connection: Connection) {
        connection.writeText(ControlEvent.gap.json(key, cursor))
    }

    mutating func write(_ message: StoredMessage, at cursor: Cursor, of key: Key, shared: SharedFrames?, to connection: Connection) {
        if let shared { connection.write(shared.webSocket) } else { connection.writeText(message.envelope) }
    }

    mutating func writePresence(_ frames: SharedFrames, to connection: Connection) { connection.write(frames.webSocket) }

    mutating func writeExpiring(_ expires: Int64, to connection: Connection) { connection.writeText(ControlEvent.expiring(expires)) }

    mutating func writeEnd(_ disconnect: Disconnect, to connection: Connection) {
        writeClose(disconnect.reason.webSocketCode, disconnect.webSocketReason, to: connection)
    }

    mutating func writeClose(_ code: UInt16, _ reason: String, to connection: Connection) {
        machine.onEnd()
        names = []
        connection.write { WebSocketEncoder.writeClose(code: code, reason: reason, into: &$0) }
    }

    func isCrowded(pendingBytes: Int, limits: NodeLimits) -> Bool { pendingBytes > limits.socketBytesMax / 4 }

    // MARK: In

    static func subscribe(
        _ connection: ClientConnection<Self>, to channels: [(key: Key, start: AttachStart)], watches: Bool
    ) {
        connection.transport.names = channels.reversed().map { .requested($0.key, $0.start, watches: watches) }
        connection.handleSomeNames()
    }

    static func onBytes(_ connection: ClientConnection<Self>) {
        switch connection.transport.machine.onBytes(now: Moment.now().monotonic) {
        case .look: connection.handleFrames()
        case .readAhead: connection.setReading(connection.input.readableBytes < HTTPConnection.aheadBytesMax)
        case .wait: break
        }
    }

    static func onTurn(_ connection: ClientConnection<Self>) {
        guard connection.isOpen, connection.transport.machine.onTurn() else { return }
        connection.readOn()
    }

    static func onDeadline(_ connection: ClientConnection<Self>, now: Int64) {
        let pause = connection.shard.shared.configuration.limits.pingMilliseconds
        switch connection.transport.machine.onDeadline(now: now, pingMilliseconds: pause) {
        case .nothing: break
        case .ping: connection.write { WebSocketEncoder.writePing(ByteBuffer(), into: &$0) }
        case .end(let reason):
            if reason == .unauthorized { connection.shard.counters.count(.tokenSeconds) }
            connection.end(Disconnect(reason))
        }
    }
}

extension Connection {
    /// Writes a text frame.
    func writeText(_ bytes: [UInt8]) { write { WebSocketEncoder.writeText(bytes, into: &$0) } }
}

extension ClientConnection where T == WebSocketTransport {
    // MARK: Frames

    fileprivate func handleFrames() {
        let now = Moment.now().monotonic
        var frames = 0
        do throws(WebSocketError) {
            while transport.machine.looksAtFrames {
                if frames >= FairScheduler.sliceRequestsMax || frames > 0 && runtime.isTurnOver { return rest() }
                if !transport.names.isEmpty {
                    frames += 1
                    shard.onRequest()
                    handleSomeNames()
                    endOfPiece()
                    continue
                }
                let before = input.readableBytes
                let event = try transport.decoder.next(&input)
                let bytes = before - input.readableBytes
                spend(frames: event == nil ? 0 : 1, bytes: bytes, now: now)
                guard let event else { break }
                frames += 1
                shard.onRequest(bytes: bytes)
                handle(event)
                endOfPiece()
            }
        } catch {
            shard.counters.count(closed: error.closeCode == CloseReason.tooLarge.webSocketCode ? .tooLarge : .protocolError)
            finish { transport.writeClose(error.closeCode, "stop: \(error.message)", to: self) }
        }
    }

    private func handle(_ event: WebSocketEvent) {
        switch transport.machine.onFrame(event.frame) {
        case .nothing: break
        case .readCommand: if case .text(let text) = event { handleCommand(text) }
        case .pong: if case .ping(let payload) = event { write { WebSocketEncoder.writePong(payload, into: &$0) } }
        case .refuseBinary: writeText(ControlEvent.error("unsupported", "commands are JSON in text frames"))
        case .close(let code): finish { transport.writeClose(code, "", to: self) }
        }
    }

    /// Others have their turn before the frames that are left.
    private func rest() {
        if input.readableBytes == 0, transport.names.isEmpty { return }
        transport.machine.onSliceOver()
        runtime.enqueue(self, .resting)
    }

    /// What is too much waits: in the connection's buffer, in the kernel's, and then at the client.
    private func spend(frames: Int, bytes: Int, now: Int64) {
        let limits = shard.shared.configuration.limits
        let pause = transport.machine.spend(
            frames: frames, bytes: bytes, framesPerSecond: limits.clientFramesPerSecond, bytesPerSecond: limits.clientBytesPerSecond,
            now: now)
        guard let pause else { return }
        shard.counters.count(pause.limit)
        setReading(false)
        shard.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pause.milliseconds)) { [weak self] in
            guard let self, isOpen, transport.machine.onPaceOver() else { return }
            readOn()
        }
    }

    /// One reason to wait is gone.
    func readOn() {
        if transport.machine.looksAtFrames { setReading(true) }
        T.onBytes(self)
    }
}

extension WebSocketEvent {
    fileprivate var frame: WebSocketMachine.Frame {
        switch self {
        case .text: .text
        case .binary: .binary
        case .ping: .ping
        case .pong: .pong
        case .close(let code, _): .close(code: code)
        }
    }
}
