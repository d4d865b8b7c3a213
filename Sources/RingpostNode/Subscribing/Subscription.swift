// The session of one socket with one key: feeds its machine with what the owner says, and writes what the machine lets through. A channel's
// sessions ask the owner only for what they have missed; what comes after that comes through their loop's fan.
import RingpostCore

/// A client's end: what a transport has to be able to do.
protocol SubscriptionSink: AnyObject {
    /// `nil` where it is not a client's: what it writes is not counted.
    var transport: Transport? { get }
    /// The client's address, for operators.
    var remote: String { get }
    /// As whom the client listens; `nil` for nobody.
    var user: Key? { get }
    /// Of a poll, until when the next one is waited for; `nil` where the end of the socket is the end.
    var lingersUntil: Int64? { get }
    /// More bytes wait than a replay may add to.
    var isCrowded: Bool { get }
    /// Where the client begins.
    func begin(at cursor: Cursor, of subscription: Subscription)
    /// The history did not reach back to the client's cursor.
    func gap(at cursor: Cursor, of subscription: Subscription)
    /// - Parameter shared: the message's forms, where others get the same.
    func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?)
    /// Writes who listens to a channel, comes to it, or goes.
    func tell(_ frames: SharedFrames)
    /// The owner says who listens: for a node's own attachment.
    func take(_ news: PresenceNews)
    /// What has been written since the last call is one piece.
    func endOfPiece()
    func end(_ disconnect: Disconnect)
}

final class Subscription: StopsInTurn {
    let key: Key
    let since: Int64
    private let shard: Shard
    /// Until the session is over: a weak reference would make every use of the socket slower.
    private var socket: (any SubscriptionSink)?
    private var machine: SubscriptionMachine
    /// The current attachment's number in the loop's table; a new one with every question, so that late answers find nobody.
    private var number: UInt64 = 0
    private let stay: AttachRequest.Stay
    /// The owner may know the current number.
    private var mayBeAttached = false
    private var asksWhenDrained = false
    /// A channel's, of a client: what comes for all comes to it through the fan.
    private let listens: Bool
    private var isListening = false
    private var isOver = false
    /// The client wants to hear who comes to the channel, and goes; the fan knows; and the client has been told who is there.
    private var watches: Bool
    private(set) var isWatching = false
    private var hasList = false

    /// What the owner knows it by, while it is attached.
    var attachment: ReturnAddress? {
        machine.isLive && number != 0 ? ReturnAddress(connectionID: ConnectionAddress(shard: shard.index).connectionID, id: number) : nil
    }
    var user: Key? { socket?.user }
    var lingersUntil: Int64? { socket?.lingersUntil }
    var cursor: Cursor? { machine.cursor }
    /// Attached: the next message comes by itself.
    var isWaitingForMore: Bool { machine.isLive }
    var transport: Transport? { socket?.transport ?? nil }
    var remote: String { socket?.remote ?? "" }

    init(
        key: Key, start: AttachStart, stay: AttachRequest.Stay, watches: Bool = false, socket: any SubscriptionSink, shard: Shard
    ) {
        self.key = key
        self.watches = watches
        self.stay = stay
        self.socket = socket
        self.shard = shard
        since = Moment.now().monotonic
        listens = key.kind == .channel && socket.transport != nil
        machine = SubscriptionMachine(start: start, isShared: listens, now: since)
    }

    /// Asks the owner; false when it is over already: this node holds as many sessions as it may, or the answer came at once and was all
    /// that the socket wanted.
    func start() -> Bool {
        if listens {
            // First, because it may be over before this returns.
            isListening = true
            if !shard.channels.listen(self) { end(shard.admission.disconnect(.tryLater)) }
        }
        if !isOver { perform(machine.ask(now: since)) }
        return !isOver
    }

    /// The socket is gone, or has what it wanted.
    func stop() {
        isOver = true
        machine.onClose()
        release()
        if isListening { shard.channels.stopListening(self) }
        isListening = false
        socket = nil
    }

    /// Nothing comes of it from now on; what it holds it gives back when others have had their turns.
    func stopLater() {
        isOver = true
        machine.onClose()
        shard.runtime.stopLater(self)
    }

    /// The socket is better off elsewhere.
    func end(_ disconnect: Disconnect) { socket?.end(disconnect) }

    // MARK: The owner's side

    func onAttached(_ result: Result<AttachReply, Problem>) {
        let now = Moment.now().monotonic
        guard case .success(let reply) = result else {
            mayBeAttached = false
            perform(machine.onRefusal(attachment: machine.attachment, now: now))
            return
        }
        guard let socket, let reading = machine.onReply(attachment: machine.attachment, reply, now: now) else { return }
        mayBeAttached = reply.isLive
        // Nothing comes to the number any more: the fan knows the session itself.
        if listens, machine.isLive { release() }
        settle()
        if let cursor = reading.begins { socket.begin(at: cursor, of: self) }
        if let cursor = reading.gap {
            shard.counters.gaps += 1
            socket.gap(at: cursor, of: self)
        }
        for message in reading.messages { write(message, to: socket) }
        beginWatching()
        asksWhenDrained = reading.asksAgain && (stay == .always || listens)
        socket.endOfPiece()
        // A poll counts as crowded, but there is nothing in its way if nothing was written.
        if !socket.isCrowded || reading.messages.isEmpty { onDrained() }
    }

    func onDeliver(incarnation: UInt64, _ message: StoredMessage, shared: SharedFrames? = nil) {
        guard let socket else { return }
        switch machine.onDeliver(attachment: machine.attachment, incarnation: incarnation, sequence: message.sequence) {
        case .write:
            write(message, to: socket, shared: shared)
            if message.publishedAt > 0, socket.transport != nil {
                shard.counters.latency.record(microseconds: Moment.wallMicroseconds() - message.publishedAt)
            }
            socket.endOfPiece()
        // One that asks gets it with the answer.
        case .drop: if !listens { shard.counters.staleDeliveries += 1 }
        case .hole:
            shard.counters.staleDeliveries += 1
            shard.counters.reattached += 1
            perform(machine.ask(now: Moment.now().monotonic))
        }
    }

    func onPresence(_ news: PresenceNews) { socket?.take(news) }

    /// The client wants to hear who comes and goes, from now on.
    func watch() {
        watches = true
        beginWatching()
    }

    /// Once the client knows that it listens.
    private func beginWatching() {
        guard watches, !isWatching, isListening, cursor != nil else { return }
        isWatching = true
        shard.channels.watch(self)
    }

    /// Who listens, comes or goes; one that has not been told who is there can't make anything of who comes.
    func tell(_ frames: SharedFrames, isList: Bool) {
        guard isWatching, !isOver, let socket, isList != hasList else { return }
        hasList = true
        socket.tell(frames)
        socket.endOfPiece()
    }

    /// Something was lost on the way: the client is told anew who is there.
    func forgetList() { hasList = false }

    func onDetached() {
        mayBeAttached = false
        if machine.isLive { shard.counters.reattached += 1 }
        perform(machine.onDetached(attachment: machine.attachment, now: Moment.now().monotonic))
        settle()
    }

    /// The node has missed what this session may have missed too.
    func askAgain() { perform(machine.ask(now: Moment.now().monotonic)) }

    /// Another member owns the key now.
    func ownerHasChanged(now: Int64) { perform(machine.ownerHasChanged(now: now)) }

    func onEpoch(now: Int64) { perform(machine.onEpoch(now: now)) }

    func onTick(now: Int64) { perform(machine.onTick(now: now)) }

    /// The socket has taken everything: the rest of a replay can come.
    func onDrained() {
        guard asksWhenDrained else { return }
        asksWhenDrained = false
        perform(machine.ask(now: Moment.now().monotonic))
    }

    // MARK: Performing

    private func perform(_ action: SubscriptionMachine.Action) {
        switch action {
        case .nothing: settle()
        case .ask(let start):
            asksWhenDrained = false
            release()
            guard let fresh = shard.subscriptions.insert(self) else {
                socket?.end(shard.admission.disconnect(.tryLater))
                return
            }
            number = fresh
            mayBeAttached = true
            settle()
            shard.ask(key, number: fresh, start: start, stay: listens ? .never : stay)
        case .close(let reason):
            release()
            socket?.end(shard.admission.disconnect(reason))
        }
    }

    /// Only sessions that wait for something are looked at in every tick.
    private func settle() {
        if number == 0 { return }
        shard.subscriptions.setPending(number, !machine.isSettled)
    }

    private func release() {
        if number == 0 { return }
        shard.subscriptions.remove(number)
        if mayBeAttached { shard.detach(key, number: number) }
        number = 0
        mayBeAttached = false
    }

    private func write(_ message: StoredMessage, to socket: any SubscriptionSink, shared: SharedFrames? = nil) {
        if let transport = socket.transport { shard.counters.written[transport.counterIndex] += 1 }
        socket.write(message, of: self, shared: shared)
    }
}
