// A channel at a node: one attachment of the node's own, the sockets among which it shares what comes, and who they are.

import RingpostCore

/// A channel that sockets of a process listen to, or have listened to lately.
final class SimHub {
    let key: Key
    /// The node's own attachment.
    let session: SimSocket
    var sockets: [SimSocket] = []
    var node = NodeChannelMachine()
    /// `nil` while nobody listens.
    var local: LocalChannelMachine?

    init(_ session: SimSocket) {
        key = session.key
        self.session = session
    }

    /// What the owner knows it by, while it is attached.
    var attachment: ReturnAddress? {
        session.machine.isLive && session.number != 0 ? ReturnAddress(connectionID: 0, id: session.number) : nil
    }

    func add(_ socket: SimSocket) {
        if local == nil {
            local = LocalChannelMachine()
            node.addShard(0)
        }
        sockets.append(socket)
        local?.open(socket.user)
    }

    func drop(_ socket: SimSocket, now: Int64) {
        guard sockets.contains(where: { $0 === socket }) else { return }
        sockets.removeAll { $0 === socket }
        let lingersUntil = socket.stay == .ifEmpty ? now + 2 * SimProcess.pollMilliseconds : nil
        local?.close(socket.user, lingersUntil: lingersUntil, isWatching: socket.isWatching, now: now)
    }

    /// A socket hears who else listens, once its client knows that it does.
    func beginWatching(_ socket: SimSocket) {
        guard socket.stay == .always, !socket.isWatching, socket.machine.cursor != nil else { return }
        socket.isWatching = true
        local?.watch()
    }

    /// One that has not been told who is there can't make anything of who comes.
    func tell(_ item: LocalChannelMachine.Item) {
        for socket in sockets where socket.isWatching {
            switch item {
            case .everybody where !socket.hasList:
                socket.hasList = true
                socket.send(.present(local?.board.everybody ?? []))
            case .left(let users) where socket.hasList: socket.send(.left(users))
            case .joined(let users) where socket.hasList: socket.send(.joined(users))
            case .everybody, .left, .joined: break
            }
        }
    }
}

extension SimProcess {
    /// A socket listens from now on; it asks for what it has not seen after this.
    func listen(_ socket: SimSocket) {
        let hub = nodeChannels[socket.key] ?? open(socket.key)
        socket.hub = hub
        hub.add(socket)
    }

    private func open(_ key: Key) -> SimHub {
        let machine = SubscriptionMachine(start: .now, now: now)
        let session = SimSocket(key: key, stay: .always, connection: nil, user: [], machine: machine)
        let hub = SimHub(session)
        session.hub = hub
        nodeChannels[key] = hub
        sockets.append(session)
        perform(session.machine.ask(now: now), session)
        return hub
    }

    /// The owner can't be reached, or nobody listens any more.
    func end(_ hub: SimHub) {
        nodeChannels[hub.key] = nil
        drop(hub.session)
        for socket in hub.sockets {
            drop(socket)
            socket.closeWithResume()
        }
    }

    // MARK: Messages

    /// Behind what the node's own attachment has brought.
    func ask(_ request: AttachRequest, _ hub: SimHub) {
        switch hub.node.ask(request, isLive: hub.session.machine.isLive) {
        case .now: withLoop { $0.attach(request, epoch: self.view?.epoch ?? 0, fromLink: false, now: self.moment, actions: &$1) }
        case .later: break
        case .never: onAttached(request.address.id, .failure(.retry))
        }
    }

    func onReading(_ reading: SubscriptionMachine.Reading, _ incarnation: UInt64, _ hub: SimHub) {
        if reading.gap != nil { for socket in hub.sockets { perform(socket.machine.ask(now: now), socket) } }
        for message in reading.messages { fanOut(message, incarnation, hub) }
        if reading.asksAgain { perform(hub.session.machine.ask(now: now), hub.session) }
        guard hub.session.machine.isLive else { return }
        for request in hub.node.takeQuestions() where attachments[request.address.id] != nil { ask(request, hub) }
    }

    func fanOut(_ message: StoredMessage, _ incarnation: UInt64, _ hub: SimHub) {
        for socket in hub.sockets { onDeliver(to: socket, socket.machine.attachment, incarnation: incarnation, message) }
    }

    // MARK: Presence

    func tickHubs() {
        for key in simulation.keys {
            guard let hub = nodeChannels[key] else { continue }
            if let (tellsEverybody, report) = hub.local?.onTick(now: now) {
                if tellsEverybody { hub.tell(.everybody) }
                if let report { _ = hub.node.onReport(report, from: 0) }
                if hub.sockets.isEmpty, hub.local?.isEmpty == true {
                    hub.local = nil
                    hub.node.removeShard(0, now: now)
                }
            }
            if hub.node.isOver(now: now) {
                end(hub)
                continue
            }
            guard let attachment = hub.attachment, let report = hub.node.report(under: attachment) else { continue }
            withLoop {
                $0.report(report, on: key, from: attachment, node: self.node.id, fromLink: false, now: self.moment, actions: &$1)
            }
        }
    }

    func onNews(_ attachment: UInt64, _ news: PresenceNews) {
        guard let (socket, _) = attachments[attachment], let hub = socket.hub, hub.session === socket else { return }
        guard hub.node.watching.contains(0) else { return }
        for item in hub.local?.onNews(news) ?? [] { hub.tell(item) }
    }
}
