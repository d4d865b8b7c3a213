// What a node's edge does: one session machine a socket, fed with what owners say.

import RingpostCore

/// A client's socket at the node that has accepted it, or a node's own attachment to a channel.
final class SimSocket {
    let key: Key
    /// Anything but `always` is a poll.
    let stay: AttachRequest.Stay
    /// `nil` of a node's own attachment.
    let connection: SimConnection?
    /// Of a channel.
    weak var hub: SimHub?
    /// As whom the client listens.
    let user: [UInt8]
    /// It wants to hear who else listens, and has been told who does.
    var isWatching = false
    var hasList = false
    var machine: SubscriptionMachine
    /// The current attachment's number in the node's table; 0 for none.
    var number: UInt64 = 0
    /// The owner may know the current number.
    var mayBeAttached = false
    /// All numbers that it ever had: what comes late for one of them still finds the machine, which has to know it for late.
    var numbers: [UInt64] = []

    init(key: Key, stay: AttachRequest.Stay, connection: SimConnection?, user: [UInt8], machine: SubscriptionMachine) {
        self.key = key
        self.user = user
        self.stay = stay
        self.connection = connection
        self.machine = machine
    }

    func closeWithResume() { connection?.close(from: .accepting) }

    func send(_ frame: SimFrame) { connection?.send(frame, from: .accepting) }
}

extension SimProcess {
    /// A poll is answered after so long, whether or not there is something.
    static let pollMilliseconds: Int64 = 1_500

    func subscribe(_ connection: SimConnection, _ key: Key, _ start: AttachStart, _ stay: AttachRequest.Stay, _ user: [UInt8]) {
        handshakes.removeAll { $0 === connection }
        guard !isLeaving, move == nil else { return connection.close(from: .accepting) }
        var machine = SubscriptionMachine(start: start, isShared: key.kind == .channel, now: now)
        machine.writesOldAttachments = simulation.settings.has(.writeOldAttachment)
        let socket = SimSocket(key: key, stay: stay, connection: connection, user: user, machine: machine)
        sockets.append(socket)
        if key.kind == .channel { listen(socket) }
        perform(socket.machine.ask(now: now), socket)
        if stay != .always { after(milliseconds: Self.pollMilliseconds) { self.endPoll(socket) } }
    }

    /// Answers a poll with what there is; without any word from the owner it fails.
    private func endPoll(_ socket: SimSocket) {
        guard sockets.contains(where: { $0 === socket }) else { return }
        let cursor = socket.machine.cursor
        drop(socket)
        if let cursor { socket.send(.polled(cursor)) }
        socket.closeWithResume()
    }

    // MARK: The owner's side

    func onAttached(_ attachment: UInt64, _ result: Result<AttachReply, Problem>) {
        guard let (socket, number) = attachments[attachment] else { return }
        guard case .success(let reply) = result else {
            if attachment == socket.number { socket.mayBeAttached = false }
            perform(socket.machine.onRefusal(attachment: number, now: now), socket)
            return
        }
        guard let reading = socket.machine.onReply(attachment: number, reply, now: now) else { return }
        socket.mayBeAttached = reply.isLive
        if let hub = socket.hub, hub.session === socket { return onReading(reading, reply.incarnation, hub) }
        if let cursor = reading.begins { socket.send(.begin(cursor)) }
        if let cursor = reading.gap {
            simulation.say(name, "gap for \(socket.key.text) at \(cursor.text)")
            socket.send(.gap(cursor))
        }
        for message in reading.messages { write(message, reply.incarnation, socket) }
        if socket.stay != .always {
            // A channel's poll that found nothing waits for the fan, where it has caught up with it.
            let goesOn = socket.hub == nil ? socket.machine.isLive : socket.stay == .ifEmpty
            if !goesOn || !reading.messages.isEmpty || reading.gap != nil { return endPoll(socket) }
            if socket.machine.isLive { return }
        }
        socket.hub?.beginWatching(socket)
        // The socket takes the piece, then the rest is asked for.
        if reading.asksAgain { after(milliseconds: random.draw(0...3)) { self.perform(socket.machine.ask(now: self.now), socket) } }
    }

    func onDeliver(_ attachment: UInt64, incarnation: UInt64, _ message: StoredMessage) {
        guard let (socket, number) = attachments[attachment] else { return }
        onDeliver(to: socket, number, incarnation: incarnation, message)
    }

    func onDeliver(to socket: SimSocket, _ number: UInt32, incarnation: UInt64, _ message: StoredMessage) {
        switch socket.machine.onDeliver(attachment: number, incarnation: incarnation, sequence: message.sequence) {
        case .write:
            if let hub = socket.hub, hub.session === socket { return fanOut(message, incarnation, hub) }
            write(message, incarnation, socket)
            if socket.stay != .always { endPoll(socket) }
        case .drop: break
        case .hole: perform(socket.machine.ask(now: now), socket)
        }
    }

    func onDetached(_ attachment: UInt64) {
        guard let (socket, number) = attachments[attachment] else { return }
        if attachment == socket.number { socket.mayBeAttached = false }
        perform(socket.machine.onDetached(attachment: number, now: now), socket)
    }

    func reattach(from old: MembershipView?, to new: MembershipView) {
        let changes = OwnerChanges(from: old, to: new)
        for socket in sockets {
            let hasChanged = changes.hasChanged(ofSlot: socket.key.slot)
            perform(hasChanged ? socket.machine.ownerHasChanged(now: now) : socket.machine.onEpoch(now: now), socket)
        }
    }

    private func write(_ message: StoredMessage, _ incarnation: UInt64, _ socket: SimSocket) {
        socket.send(.message(incarnation: incarnation, message))
    }

    // MARK: Performing

    func perform(_ action: SubscriptionMachine.Action, _ socket: SimSocket) {
        switch action {
        case .nothing: break
        case .ask(let start):
            release(socket)
            lastAttachment += 1
            let number = lastAttachment
            socket.number = number
            socket.numbers.append(number)
            let isShared = socket.hub.map { $0.session !== socket } ?? false
            socket.mayBeAttached = socket.stay != .never && !isShared
            attachments[number] = (socket, socket.machine.attachment)
            let address = ReturnAddress(connectionID: 0, id: number)
            let request = AttachRequest(
                key: socket.key, address: address, start: start, stay: isShared ? .never : socket.stay, askedAt: socket.machine.askedAt)
            if isShared, let hub = socket.hub { return ask(request, hub) }
            withLoop { $0.attach(request, epoch: self.view?.epoch ?? 0, fromLink: false, now: self.moment, actions: &$1) }
        case .close:
            simulation.say(name, "closes a socket of \(socket.key.text) with resume")
            if let hub = socket.hub, hub.session === socket { return end(hub) }
            drop(socket)
            socket.closeWithResume()
        }
    }

    private func release(_ socket: SimSocket) {
        socket.hub?.node.forget(ReturnAddress(connectionID: 0, id: socket.number))
        guard socket.number != 0, socket.mayBeAttached else { return }
        let address = ReturnAddress(connectionID: 0, id: socket.number)
        loop.detach(address, from: socket.key, now: moment)
        for link in links where link.attachments.remove(socket.number) != nil && link.isUp {
            link.connection?.send(.detach(attachment: socket.number, socket.key), from: .dialling)
        }
        socket.number = 0
        socket.mayBeAttached = false
    }

    /// The socket is gone.
    func drop(_ socket: SimSocket) {
        socket.machine.onClose()
        release(socket)
        for number in socket.numbers { attachments[number] = nil }
        sockets.removeAll { $0 === socket }
        socket.hub?.drop(socket, now: now)
    }
}
