// A node's one attachment to a channel at the channel's owner, however many clients of the node subscribe to it. It lives on the shard of the
// channel's slot, and hands each message once to every shard that has such clients.
import RingpostCore

final class NodeChannelSubscription: SubscriptionSink {
    let key: Key
    private unowned let subscriptions: ShardSubscriptions
    private var subscription: Subscription?
    /// Which shards get what comes, who waits, and what the owner is told.
    private var machine = NodeChannelMachine()
    /// It is among the idle channels of the ``ChannelTable``, once.
    var isKnownIdle = false

    var transportKind: TransportKind? { nil }
    var remote: String { "" }
    var isCrowded: Bool { false }
    var user: Key? { nil }
    var lingersUntil: Int64? { nil }

    init(_ key: Key, in subscriptions: ShardSubscriptions) {
        self.key = key
        self.subscriptions = subscriptions
    }

    private var channels: ChannelTable { subscriptions.channels }

    /// False when this node holds as many attachments as it may.
    func start() -> Bool {
        let subscription = Subscription(key: key, start: .now, stay: .always, sink: self, in: subscriptions)
        self.subscription = subscription
        return subscription.start()
    }

    func stop() {
        subscription?.stop()
        subscription = nil
        for request in machine.takeQuestions() { refuse(request) }
    }

    // MARK: The shards

    func addShard(_ shard: Int) { machine.addShard(shard) }

    func removeShard(_ shard: Int) {
        machine.removeShard(shard, now: Moment.now().monotonic)
        channels.markDirty(self)
        if isEmpty { channels.endWhenIdle(self) }
    }

    var isEmpty: Bool { machine.shards.isEmpty }
    func isOver(now: Int64) -> Bool { machine.isOver(now: now) }

    /// A subscription wants the messages that it has not seen.
    func ask(_ request: AttachRequest) {
        switch machine.ask(request, isLive: subscription?.isWaitingForMore == true) {
        case .now:
            let epoch = subscriptions.shell.view?.epoch ?? 0
            subscriptions.shell.decide { $0.attach(request, epoch: epoch, fromLink: false, now: $1, actions: &$2) }
        case .later: break
        case .never: refuse(request)
        }
    }

    func forget(_ address: ReturnAddress) { machine.forget(address) }

    private func refuse(_ request: AttachRequest) {
        subscriptions.runtime.post(.attached(request.address, .failure(.retry)), to: ConnectionAddress(request.address).shard)
    }

    // MARK: Presence

    func onReport(_ report: PresenceReport, from shard: Int) {
        if machine.onReport(report, from: shard) { channels.markDirty(self) }
    }

    func onPresence(_ news: PresenceNews) {
        for target in machine.watching { subscriptions.runtime.post(.presenceNews(key, news), to: target) }
    }

    /// Reports to the owner who listens here, where that has changed; to a new owner everything.
    ///
    /// - Returns: false when there is nothing to do in the next tick.
    func onPresenceTick() -> Bool {
        guard let attachment = subscription?.attachment else { return subscription != nil }
        if let report = machine.report(under: attachment) {
            let (key, node) = (key, subscriptions.context.identity.id)
            subscriptions.shell.decide { $0.report(report, on: key, from: attachment, node: node, fromLink: false, now: $1, actions: &$2) }
        }
        return false
    }

    func writePresence(_ frames: SharedFrames) {}

    // MARK: The owner's side

    func begin(at cursor: Cursor, of subscription: Subscription) {}

    func gap(at cursor: Cursor, of subscription: Subscription) { fanOut(.gap) }

    func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?) {
        guard let cursor = subscription.cursor else { return }
        fanOut(.message(incarnation: cursor.incarnation, message))
    }

    func endOfPiece() {
        // A new owner, or the same one anew: it does not know who listens.
        if !machine.isReported(under: subscription?.attachment) { channels.markDirty(self) }
        guard subscription?.isWaitingForMore == true else { return }
        for request in machine.takeQuestions() { ask(request) }
    }

    /// The owner can't be reached, or there is no room: all who listen are better off elsewhere.
    func end(_ disconnect: Disconnect) {
        for target in machine.shards { subscriptions.runtime.post(.channelLost(key, disconnect.reason), to: target) }
        channels.removeNodeChannel(key)
        stop()
    }

    private func fanOut(_ item: ChannelItem) {
        for target in machine.shards { subscriptions.runtime.post(.fanOut(key, item), to: target) }
    }
}
