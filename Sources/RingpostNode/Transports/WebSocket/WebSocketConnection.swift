// A client's WebSocket after the upgrade: one handler, no HTTP left. Messages leave as text frames; what comes in is
// pings, pongs and closes, and commands: text frames that say which channels to listen to, or publish.
import NIOCore
import RingpostCore
import RingpostWire

final class WebSocketConnection: StreamingConnection, @unchecked Sendable {
    /// A command of a client.
    static let messageBytesMax = 128 * 1_024

    private var decoder = WebSocketDecoder(role: .server, messageBytesMax: WebSocketConnection.messageBytesMax)
    private var lastHeard = Moment.now().monotonic
    private lazy var publisher = ClientPublisher(shard: shard) { [weak self] in self?.writeText($0) }

    private let openedAt = Moment.now().monotonic
    private var framePace = Pace()
    private var bytePace = Pace()
    /// Channels that the URL or a command names and that have not been looked at, the last one first; what comes behind them waits.
    private var names: [ChannelName] = []
    private var isPinged = false
    /// A token is being checked that needs keys from elsewhere; what comes behind it waits.
    private var isChecking = false
    /// It has sent more than it may: nothing is read for a while.
    private var isSlowed = false
    /// It has sent more than is looked at before others have their turn.
    private var isResting = false

    private enum ChannelName {
        case subscribe(ClientCommand.Subscription)
        case unsubscribe(String)
        /// The URL's: looked at already as to whether the client may.
        case wished(Key, AttachStart, watches: Bool)
    }

    init(subscribeRequest: SubscribeRequest, grant: ClientGrant?, shard: Shard) {
        super.init(.webSocket, subscribeRequest: subscribeRequest, grant: grant, shard: shard)
    }

    func open(leftover: ByteBuffer) {
        if leftover.readableBytes > 0 { input = leftover }
        if grant != nil { openSessions() }
        if !names.isEmpty || input.readableBytes > 0 { onBytes() }
    }

    override func open(_ channels: [(key: Key, start: AttachStart)], watches: Bool) {
        names = channels.reversed().map { .wished($0.key, $0.start, watches: watches) }
        parseSomeNames()
    }

    override func begin(at cursor: Cursor, of subscription: Subscription) {
        writeText(ControlEvent.attached.json(subscription.key, cursor))
    }
    override func gap(at cursor: Cursor, of subscription: Subscription) { writeText(ControlEvent.gap.json(subscription.key, cursor)) }
    override func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?) {
        if let shared { write(shared.webSocket) } else { writeText(message.envelope) }
    }
    override func tell(_ frames: SharedFrames) { write(frames.webSocket) }
    override func tellExpiring(_ expires: Int64) { writeText(ControlEvent.expiring(expires)) }
    override func writeEnd(_ disconnect: Disconnect) { writeClose(disconnect.reason.webSocketCode, disconnect.webSocketReason) }

    override func onBytes() {
        let now = Moment.now().monotonic
        lastHeard = now
        isPinged = false
        if isSlowed || isChecking { return }
        if isResting { return setReading(input.readableBytes < HTTPConnection.aheadBytesMax) }
        var frames = 0
        do throws(WebSocketError) {
            while !isClosing, !isSlowed, !isChecking {
                if frames >= FairScheduler.sliceRequestsMax || frames > 0 && runtime.isTurnOver { return rest() }
                if !names.isEmpty {
                    frames += 1
                    shard.onRequest()
                    parseSomeNames()
                    endOfPiece()
                    continue
                }
                let before = input.readableBytes
                let event = try decoder.next(&input)
                spend(bytes: before - input.readableBytes, frames: event == nil ? 0 : 1, now: now)
                guard let event else { break }
                frames += 1
                shard.onRequest(bytes: before - input.readableBytes)
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
            shard.counters.count(closed: error.closeCode == CloseReason.tooLarge.webSocketCode ? .tooLarge : .protocolError)
            finish { writeClose(error.closeCode, "stop: \(error.message)") }
        }
    }

    private func rest() {
        if input.readableBytes == 0, names.isEmpty { return }
        isResting = true
        runtime.enqueue(self, .resting)
    }

    override func goOn() {
        guard isResting, isOpen, !isClosing else { return }
        isResting = false
        if !isSlowed, !isChecking { setReading(true) }
        onBytes()
    }

    private func spend(bytes: Int, frames: Int, now: Int64) {
        let limits = shard.shared.configuration.limits
        let frameRate = limits.clientFramesPerSecond
        let byteRate = limits.clientBytesPerSecond
        slowDown(framePace.spend(frames, now: now, ratePerSecond: frameRate, burst: 2 * frameRate), .clientFrames)
        slowDown(bytePace.spend(bytes, now: now, ratePerSecond: byteRate, burst: 4 * byteRate), .clientBytes)
    }

    /// What is too much waits: in the socket's buffer, in the kernel's, and then at the client.
    private func slowDown(_ milliseconds: Int64, _ limit: Limit) {
        guard milliseconds > 0, !isSlowed else { return }
        isSlowed = true
        shard.counters.count(limit)
        setReading(false)
        shard.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { [weak self] in self?.speedUp() }
    }

    private func speedUp() {
        guard isOpen, !isClosing else { return }
        isSlowed = false
        if !isChecking { setReading(true) }
        onBytes()
    }

    override func onDeadline(now: Int64) {
        super.onDeadline(now: now)
        if isClosing { return }
        if grant == nil, now - openedAt >= shard.shared.configuration.limits.tokenMilliseconds {
            shard.counters.count(.tokenSeconds)
            return end(Disconnect(.unauthorized))
        }
        let silence = now - lastHeard
        let pause = shard.shared.configuration.limits.pingMilliseconds
        if silence >= 2 * pause {
            end(Disconnect(.idle))
        } else if silence >= pause, !isPinged {
            isPinged = true
            write { WebSocketEncoder.writePing(ByteBuffer(), into: &$0) }
        }
    }

    // MARK: Commands

    private func onCommand(_ text: ByteBuffer) {
        do throws(ProblemReport) {
            let view = try shard.currentView()
            let bytesMax = shard.shared.configuration.limits.payloadBytesMax
            let command = try ClientCommand(text, hasher: view.hasher, payloadBytesMax: bytesMax)
            if case .token(let token) = command { return check(Array(token.utf8)) }
            guard let grant else {
                shard.counters.count(.missing)
                return end(Disconnect(.unauthorized))
            }
            switch command {
            case .subscribe(let wishes):
                try check(wishes.count)
                names = wishes.reversed().map(ChannelName.subscribe)
                parseSomeNames()
            case .unsubscribe(let channels):
                try check(channels.count)
                names = channels.reversed().map(ChannelName.unsubscribe)
                parseSomeNames()
            case .publish(.success(let request), let reference): publisher.publish(request, reference: reference, grant: grant)
            case .publish(.failure(let report), let reference):
                writeText(ControlEvent.error(report.problem.code, report.message, reference: reference))
            case .token: break
            }
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message))
        }
    }

    /// Where many are named, in the URL or in a command, others have their turn in between.
    private func parseSomeNames() {
        for _ in 0..<FairScheduler.channelsARequest {
            switch names.popLast() {
            case .subscribe(let subscribeRequest): subscribe(subscribeRequest)
            case .unsubscribe(let name): unsubscribe(name)
            case .wished(let key, let start, let watches): if !isClosing { subscribe(key, start: start, watches: watches) }
            case nil: break
            }
        }
        if names.isEmpty { names = [] }
    }

    /// The first token says who the client is; any later one, that it still is.
    private func check(_ token: [UInt8]) {
        isChecking = true
        shard.check(token, from: source) { [weak self] result in
            guard let self else { return }
            isChecking = false
            if !isOpen || isClosing { return }
            if !isSlowed { setReading(true) }
            switch result {
            case .success(let fresh): if grant == nil { begin(fresh) } else { renew(fresh) }
            case .failure(let refusal) where grant == nil: end(Disconnect(refusal.closeReason))
            case .failure(let refusal): writeText(ControlEvent.error(refusal.report.problem.code, refusal.report.message))
            }
            // What came behind the token has waited. Not from within `onBytes`, which goes on by itself.
            shard.eventLoop.execute { [weak self] in self?.onBytes() }
        }
        if isChecking { setReading(false) }
    }

    private func begin(_ fresh: ClientGrant) {
        do throws(ProblemReport) {
            try accept(fresh)
            openSessions()
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message))
            end(Disconnect(.unauthorized))
        }
    }

    private func renew(_ fresh: ClientGrant) {
        guard fresh.user == grant?.user else {
            shard.counters.count(.wrongUser)
            return writeText(ControlEvent.error(Problem.unauthorized.code, AuthError.wrongUser.message))
        }
        let lost = replaceGrant(by: fresh)
        writeText(ControlEvent.renewed((fresh.expires ?? 0) * 1_000))
        for channel in lost {
            writeText(ControlEvent.error(Problem.forbidden.code, "the new token does not grant this channel", channel: channel.text))
        }
    }

    /// Each name is answered, so there is a bound to what one command can ask for.
    private func check(_ count: Int) throws(ProblemReport) {
        let most = shard.shared.configuration.limits.socketChannelsMax
        if count > most { throw tooManyChannels("one command names at most \(most) channels") }
    }

    private func tooManyChannels(_ sentence: String) -> ProblemReport {
        shard.counters.channelsRefused += 1
        shard.counters.count(.socketChannels)
        return ProblemReport(.tooManyChannels, sentence)
    }

    /// Each channel gets an answer of its own: `attached`, once the owner has said where it begins, or an error.
    private func subscribe(_ subscribeRequest: ClientCommand.Subscription) {
        do throws(ProblemReport) {
            let key = try key(subscribeRequest.channel)
            let start = try SubscribeRequest.start(subscribeRequest.since.map { Array($0.utf8) })
            guard let grant, grant.allowsSubscribe(to: key), !subscribeRequest.presence || grant.presence.matches(key.name) else {
                shard.counters.count(.notGranted)
                throw ProblemReport(.forbidden, "your token does not grant this")
            }
            if let subscription = channel(key) {
                // Asked for already: the answer to that comes, or has come.
                if let cursor = subscription.cursor { begin(at: cursor, of: subscription) }
                if subscribeRequest.presence { subscription.watch() }
                return
            }
            let most = shard.shared.configuration.limits.socketChannelsMax
            if channels.count >= most { throw tooManyChannels("a socket listens to at most \(most) channels") }
            if let problem = shard.channels.objection(to: key) { throw ProblemReport(problem) }
            subscribe(key, start: start, watches: subscribeRequest.presence)
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message, channel: subscribeRequest.channel))
        }
    }

    private func unsubscribe(_ name: String) {
        do throws(ProblemReport) {
            let key = try key(name)
            let subscription = channel(key)
            if let subscription { unsubscribe(subscription) }
            writeText(ControlEvent.unsubscribed.json(key, subscription?.cursor))
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message, channel: name))
        }
    }

    private func key(_ channel: String) throws(ProblemReport) -> Key {
        try Key(requested: .channel, name: Array(channel.utf8), hasher: shard.currentView().hasher)
    }

    private func writeText(_ bytes: [UInt8]) { write { WebSocketEncoder.writeText(bytes, into: &$0) } }

    private func writeClose(_ code: UInt16, _ reason: String) {
        write { WebSocketEncoder.writeClose(code: code, reason: reason, into: &$0) }
    }
}
