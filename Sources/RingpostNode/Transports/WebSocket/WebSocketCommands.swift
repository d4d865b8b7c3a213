// The commands of a WebSocket's client: text frames that subscribe to channels and unsubscribe, publish, and bring a token.
import NIOCore
import RingpostCore
import RingpostWire

extension ClientConnection where T == WebSocketTransport {
    func handleCommand(_ text: ByteBuffer) {
        do throws(ProblemReport) {
            let view = try shard.currentView()
            let bytesMax = shard.context.configuration.limits.payloadBytesMax
            let command = try ClientCommand(text, hasher: view.hasher, payloadBytesMax: bytesMax)
            switch transport.machine.onCommand(isToken: command.isToken) {
            case .checkToken: if case .token(let token) = command { checkToken(Array(token.utf8)) }
            case .run: if let grant { try run(command, grant) }
            case .end:
                shard.counters.count(.missing)
                end(Disconnect(.unauthorized))
            }
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message))
        }
    }

    private func run(_ command: ClientCommand, _ grant: ClientGrant) throws(ProblemReport) {
        switch command {
        case .subscribe(let wanted):
            try checkCount(wanted.count)
            transport.names = wanted.reversed().map(WebSocketTransport.ChannelName.subscribe)
            handleSomeNames()
        case .unsubscribe(let channels):
            try checkCount(channels.count)
            transport.names = channels.reversed().map(WebSocketTransport.ChannelName.unsubscribe)
            handleSomeNames()
        case .publish(.success(let request), let reference):
            publisher().publish(request, reference: reference, grant: grant, source: source)
        case .publish(.failure(let report), let reference):
            writeText(ControlEvent.error(report.problem.code, report.message, reference: reference))
        case .token: break
        }
    }

    private func publisher() -> ClientPublisher {
        if let publisher = transport.publisher { return publisher }
        let publisher = ClientPublisher(shard: shard) { [weak self] in self?.writeText($0) }
        transport.publisher = publisher
        return publisher
    }

    // MARK: Channels

    /// Where many are named, in the URL or in a command, others have their turn in between.
    func handleSomeNames() {
        for _ in 0..<FairScheduler.channelsARequest {
            switch transport.names.popLast() {
            case .subscribe(let subscription): subscribe(subscription)
            case .unsubscribe(let name): unsubscribe(name)
            case .requested(let key, let start, let watches): if !isClosing { subscribe(key, start: start, watches: watches) }
            case nil: break
            }
        }
        // An idle connection keeps no empty array's memory.
        if transport.names.isEmpty { transport.names = [] }
    }

    /// Each name is answered, so there is a bound to what one command can ask for.
    private func checkCount(_ count: Int) throws(ProblemReport) {
        let most = shard.context.configuration.limits.socketChannelsMax
        if count > most { throw tooManyChannels("one command names at most \(most) channels") }
    }

    private func tooManyChannels(_ sentence: String) -> ProblemReport {
        shard.counters.channelsRefused += 1
        shard.counters.count(.socketChannels)
        return ProblemReport(.tooManyChannels, sentence)
    }

    /// Each channel gets an answer of its own: `attached`, once the owner has said where it begins, or an error.
    private func subscribe(_ wanted: ClientCommand.Subscription) {
        do throws(ProblemReport) {
            let key = try key(wanted.channel)
            let start = try SubscribeRequest.start(wanted.since.map { Array($0.utf8) })
            guard let grant else { throw ProblemReport(.unauthorized) }
            try shard.check(grant, listensTo: key, watches: wanted.presence, otherwise: "your token does not grant this")
            if let subscription = channel(key) { return subscribeAgain(subscription, start: start, watches: wanted.presence) }
            let most = shard.context.configuration.limits.socketChannelsMax
            if channels.count >= most { throw tooManyChannels("a socket listens to at most \(most) channels") }
            if let problem = shard.channels.objection(to: key) { throw shard.publisher.report(problem, key) }
            subscribe(key, start: start, watches: wanted.presence)
        } catch {
            writeText(ControlEvent.error(error.problem.code, error.message, channel: wanted.channel))
        }
    }

    /// The client has the channel already. With a `since` it is brought on from there; without, it is told where it stands, unless the
    /// answer to its first command has yet to say so.
    private func subscribeAgain(_ subscription: Subscription, start: AttachStart, watches: Bool) {
        if watches { subscription.watch() }
        if start != .now {
            subscription.restart(at: start)
        } else if let cursor = subscription.cursor {
            begin(at: cursor, of: subscription)
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

    // MARK: Tokens

    /// The first token says who the client is; any later one, that it still is.
    private func checkToken(_ token: [UInt8]) {
        shard.check(token, from: source, remote: shard.context.audit.map { _ in remoteText }) { [weak self] result in
            guard let self, isOpen else { return }
            apply(result)
            // What came behind the token has waited. Not from within `handleFrames`, which goes on by itself.
            shard.eventLoop.execute { [weak self] in
                guard let self, isOpen else { return }
                readOn()
            }
        }
        if transport.machine.waits.contains(.token) { setReading(false) }
    }

    private func apply(_ result: Result<ClientGrant, TokenRefusal>) {
        let isGood = if case .success = result { true } else { false }
        switch (transport.machine.onTokenChecked(isGood: isGood), result) {
        case (.begin, .success(let grant)): begin(grant)
        case (.renew, .success(let grant)): renew(grant)
        case (.end, .failure(let refusal)): end(Disconnect(refusal.closeReason))
        case (.complain, .failure(let refusal)): writeText(ControlEvent.error(refusal.report.problem.code, refusal.report.message))
        default: break
        }
    }

    private func begin(_ fresh: ClientGrant) {
        do throws(ProblemReport) {
            try authenticate(fresh)
            openSubscriptions()
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
}

extension ClientCommand {
    fileprivate var isToken: Bool { if case .token = self { true } else { false } }
}
