// A channel at a node: one attachment of the node's own, the sockets among which it shares what comes, and who they are.

import RingpostCore

/// A channel that sockets of a process listen to.
final class SimHub {
    /// After the last socket it goes on for so long.
    static let lingerMilliseconds: Int64 = 5_000

    let key: Key
    /// The node's own attachment.
    let session: SimSocket
    var sockets: [SimSocket] = []
    /// Questions that wait until the node itself is attached.
    var questions: [AttachRequest] = []
    var fan = ShardPresence()
    var tally = PresenceTally<Int>()
    var board = PresenceBoard()
    /// The attachment under which the owner knows who listens here.
    var reported: UInt64 = 0
    var emptySince: Int64 = .max

    init(_ session: SimSocket) {
        key = session.key
        self.session = session
    }

    /// A socket that listens hears who else does.
    func show(to socket: SimSocket) {
        guard board.hasBegun, !socket.hasList, socket.stay == .always, socket.machine.cursor != nil else { return }
        socket.hasList = true
        socket.send(.present(board.everybody))
    }

    func drop(_ socket: SimSocket, now: Int64) {
        guard sockets.contains(where: { $0 === socket }) else { return }
        sockets.removeAll { $0 === socket }
        let isPoll = socket.stay == .ifEmpty
        fan.close(socket.user, lingersUntil: isPoll ? now + 2 * SimProcess.pollMilliseconds : nil, now: now)
        if sockets.isEmpty { emptySince = now }
    }
}

extension SimProcess {
    /// A socket listens from now on; it asks for what it has not seen after this.
    func listen(_ socket: SimSocket) {
        let hub = nodeChannels[socket.key] ?? open(socket.key)
        socket.hub = hub
        hub.sockets.append(socket)
        hub.emptySince = .max
        hub.fan.open(socket.user)
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

    func onReading(_ reading: SubscriptionMachine.Reading, _ incarnation: UInt64, _ hub: SimHub) {
        if reading.gap != nil { for socket in hub.sockets { perform(socket.machine.ask(now: now), socket) } }
        for message in reading.messages { fanOut(message, incarnation, hub) }
        if reading.asksAgain { perform(hub.session.machine.ask(now: now), hub.session) }
        guard hub.session.machine.isLive else { return }
        let waiting = hub.questions
        hub.questions = []
        for request in waiting where attachments[request.address.id] != nil {
            withLoop { $0.attach(request, epoch: self.view?.epoch ?? 0, fromLink: false, now: self.moment, actions: &$1) }
        }
    }

    func fanOut(_ message: StoredMessage, _ incarnation: UInt64, _ hub: SimHub) {
        for socket in hub.sockets { onDeliver(to: socket, socket.machine.attachment, incarnation: incarnation, message) }
    }

    // MARK: Presence

    func tickHubs() {
        for key in simulation.keys {
            guard let hub = nodeChannels[key] else { continue }
            hub.fan.expire(now: now)
            if hub.emptySince != .max, now - hub.emptySince >= SimHub.lingerMilliseconds, hub.fan.isEmpty {
                end(hub)
                continue
            }
            if hub.fan.hasNews { hub.tally.apply(hub.fan.report(), from: 0) }
            guard hub.session.machine.isLive, hub.session.number != 0 else { continue }
            let isNew = hub.session.number != hub.reported
            if isNew { hub.tally.beginAnew() }
            hub.reported = hub.session.number
            guard hub.tally.hasNews else { continue }
            let report = hub.tally.report(wantsNews: true, wantsList: isNew)
            let address = ReturnAddress(connectionID: 0, id: hub.session.number)
            withLoop {
                $0.report(report, on: key, from: address, node: self.node.id, fromLink: false, now: self.moment, actions: &$1)
            }
        }
    }

    func onNews(_ attachment: UInt64, _ news: PresenceNews) {
        guard let (socket, _) = attachments[attachment], let hub = socket.hub, hub.session === socket else { return }
        let (joined, left) = hub.board.apply(news)
        for socket in hub.sockets {
            guard socket.hasList else {
                hub.show(to: socket)
                continue
            }
            if !left.isEmpty { socket.send(.left(left)) }
            if !joined.isEmpty { socket.send(.joined(joined)) }
        }
    }
}
