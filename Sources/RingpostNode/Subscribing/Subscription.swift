// One client's subscription to one key: gives the owner's answers and deliveries to its machine, and writes the messages that the machine lets
// through. A channel's subscriptions ask the owner only for messages that they have missed; newer ones come from their shard's `LocalChannel`.
import RingpostCore

final class Subscription: StopsInTurn {
    let key: Key
    let since: Int64
    private let subscriptions: ShardSubscriptions
    /// Until the subscription is over: a weak reference would make every use of the sink slower.
    private var sink: (any SubscriptionSink)?
    private var machine: SubscriptionMachine
    /// The current attachment's number in the shard's table; a new one with every question, so that late answers find nobody.
    private var number: UInt64 = 0
    private let stay: AttachRequest.Stay
    /// The owner may know the current number.
    private var mayBeAttached = false
    private var asksWhenDrained = false
    /// A client's, to a channel: new messages come from the shard's `LocalChannel`.
    private let listens: Bool
    private var isListening = false
    private var isOver = false
    /// The client wants to hear who comes to the channel and who goes; the `LocalChannel` knows it; the client has been told who is there.
    private var watches: Bool
    private(set) var isWatching = false
    private var hasList = false

    /// What the owner knows it by, while it is attached.
    var attachment: ReturnAddress? {
        machine.isLive && number != 0 ? subscriptions.address(number) : nil
    }
    var user: Key? { sink?.user }
    var lingersUntil: Int64? { sink?.lingersUntil }
    var cursor: Cursor? { machine.cursor }
    /// Attached: the next message comes by itself.
    var isWaitingForMore: Bool { machine.isLive }
    var transportKind: TransportKind? { sink?.transportKind ?? nil }
    var remote: String { sink?.remote ?? "" }

    init(
        key: Key, start: AttachStart, stay: AttachRequest.Stay, watches: Bool = false, sink: any SubscriptionSink,
        in subscriptions: ShardSubscriptions
    ) {
        self.key = key
        self.watches = watches
        self.stay = stay
        self.sink = sink
        self.subscriptions = subscriptions
        since = Moment.now().monotonic
        listens = key.kind == .channel && sink.transportKind != nil
        machine = SubscriptionMachine(start: start, isShared: listens, now: since)
    }

    /// Asks the owner.
    ///
    /// - Returns: false when it is over already: this node holds as many subscriptions as it may, or the answer came at once and was all
    ///   that the sink wanted.
    func start() -> Bool {
        if listens {
            // First, because it may be over before this returns.
            isListening = true
            if !subscriptions.channels.listen(self) { end(subscriptions.admission.disconnect(.tryLater)) }
        }
        if !isOver { perform(machine.ask(now: since)) }
        return !isOver
    }

    /// The sink is gone, or has everything that it wanted.
    func stop() {
        isOver = true
        machine.onClose()
        release()
        if isListening { subscriptions.channels.stopListening(self) }
        isListening = false
        sink = nil
    }

    /// Nothing is written from now on. Its attachment and its place in the channel are given back when others have had their turns.
    func stopLater() {
        isOver = true
        machine.onClose()
        subscriptions.runtime.stopLater(self)
    }

    /// The client is better off elsewhere.
    func end(_ disconnect: Disconnect) { sink?.end(disconnect) }

    // MARK: The owner's side

    func onAttached(_ result: Result<AttachReply, Problem>) {
        let now = Moment.now().monotonic
        guard case .success(let reply) = result else {
            mayBeAttached = false
            perform(machine.onRefusal(attachment: machine.attachment, now: now))
            return
        }
        guard let sink, let reading = machine.onReply(attachment: machine.attachment, reply, now: now) else { return }
        mayBeAttached = reply.isLive
        // Nothing is sent to the number any more: the `LocalChannel` knows the subscription itself.
        if listens, machine.isLive { release() }
        updatePending()
        if let cursor = reading.begins { sink.begin(at: cursor, of: self) }
        if let cursor = reading.gap {
            subscriptions.runtime.counters.gaps += 1
            sink.gap(at: cursor, of: self)
        }
        for message in reading.messages { write(message, to: sink) }
        beginWatching()
        // A piece may be empty though there is more: all of it was past its time to live.
        let isAllExpired = stay == .ifEmpty && reading.messages.isEmpty && reading.gap == nil
        asksWhenDrained = reading.asksAgain && (stay == .always || listens || isAllExpired)
        sink.endOfPiece()
        // A poll counts as crowded, but there is nothing in its way if nothing was written.
        if !sink.isCrowded || reading.messages.isEmpty { onDrained() }
    }

    func onDeliver(incarnation: UInt64, _ message: StoredMessage, shared: SharedFrames? = nil) {
        guard let sink else { return }
        switch machine.onDeliver(attachment: machine.attachment, incarnation: incarnation, sequence: message.sequence) {
        case .write:
            write(message, to: sink, shared: shared)
            if message.publishedAt > 0, sink.transportKind != nil {
                subscriptions.runtime.counters.latency.record(microseconds: Moment.wallMicroseconds() - message.publishedAt)
            }
            sink.endOfPiece()
        // One that asks gets the message with the answer.
        case .drop: if !listens { subscriptions.runtime.counters.staleDeliveries += 1 }
        case .hole:
            subscriptions.runtime.counters.staleDeliveries += 1
            subscriptions.runtime.counters.reattached += 1
            perform(machine.ask(now: Moment.now().monotonic))
        }
    }

    func onPresence(_ news: PresenceNews) { sink?.onPresence(news) }

    /// The client wants to hear who comes and goes, from now on.
    func watch() {
        watches = true
        beginWatching()
    }

    /// Once the client knows that it listens.
    private func beginWatching() {
        guard watches, !isWatching, isListening, cursor != nil else { return }
        isWatching = true
        subscriptions.channels.watch(self)
    }

    /// Who listens, comes or goes. A client that has not been told who is there can do nothing with who comes.
    func writePresence(_ frames: SharedFrames, isList: Bool) {
        guard isWatching, !isOver, let sink, isList != hasList else { return }
        hasList = true
        sink.writePresence(frames)
        sink.endOfPiece()
    }

    /// An event was lost on the way: the client is to be told anew who is there.
    func forgetList() { hasList = false }

    func onDetached() {
        mayBeAttached = false
        if machine.isLive { subscriptions.runtime.counters.reattached += 1 }
        perform(machine.onDetached(attachment: machine.attachment, now: Moment.now().monotonic))
        updatePending()
    }

    /// The node has missed messages, so this subscription may have missed them too.
    func askAgain() { perform(machine.ask(now: Moment.now().monotonic)) }

    /// The client wants the messages after another place, also those that it has been written already.
    func restart(at start: AttachStart) { perform(machine.restart(at: start, now: Moment.now().monotonic)) }

    /// Another member owns the key now.
    func ownerHasChanged(now: Int64) { perform(machine.ownerHasChanged(now: now)) }

    func onEpoch(now: Int64) { perform(machine.onEpoch(now: now)) }

    func onTick(now: Int64) { perform(machine.onTick(now: now)) }

    /// Everything has been written out: the rest of a replay can come.
    func onDrained() {
        guard asksWhenDrained else { return }
        asksWhenDrained = false
        perform(machine.ask(now: Moment.now().monotonic))
    }

    // MARK: Performing

    private func perform(_ action: SubscriptionMachine.Action) {
        switch action {
        case .nothing: updatePending()
        case .ask(let start):
            asksWhenDrained = false
            release()
            guard let fresh = subscriptions.insert(self) else {
                sink?.end(subscriptions.admission.disconnect(.tryLater))
                return
            }
            number = fresh
            mayBeAttached = true
            updatePending()
            subscriptions.ask(key, number: fresh, start: start, stay: listens ? .never : stay, askedAt: machine.askedAt)
        case .close(let reason):
            release()
            sink?.end(subscriptions.admission.disconnect(reason))
        }
    }

    /// Only subscriptions that wait for something are looked at in every tick.
    private func updatePending() {
        if number == 0 { return }
        subscriptions.setPending(number, !machine.isSettled)
    }

    private func release() {
        if number == 0 { return }
        subscriptions.remove(number)
        if mayBeAttached { subscriptions.detach(key, number: number) }
        number = 0
        mayBeAttached = false
    }

    private func write(_ message: StoredMessage, to sink: any SubscriptionSink, shared: SharedFrames? = nil) {
        if let transport = sink.transportKind { subscriptions.runtime.counters.written[transport.counterIndex] += 1 }
        sink.write(message, of: self, shared: shared)
    }
}
