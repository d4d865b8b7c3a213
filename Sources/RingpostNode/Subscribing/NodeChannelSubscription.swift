// A node's one attachment to a channel at the channel's owner, however many clients of the node subscribe to it. It lives on the shard of the
// channel's slot, and hands each message once to every shard that has such clients.
import RingpostCore

final class NodeChannelSubscription: SubscriptionSink {
    /// The attachment is kept for so long without a subscription: pollers come again, and so do clients that reconnect.
    static let lingerMilliseconds: Int64 = 5_000
    /// Subscriptions' questions that wait for the node's own attachment; beyond it they are refused, and asked again.
    static let questionsMax = 65_536

    let key: Key
    private unowned let subscriptions: ShardSubscriptions
    private var subscription: Subscription?
    private var shards: Set<Int> = []
    private var questions: [ReturnAddress: AttachRequest] = [:]
    private var emptySince: Int64 = .max
    /// It is among the idle channels of the ``ChannelTable``, once.
    var isKnownIdle = false
    private var presence = PresenceTally<Int>()
    /// Shards with clients that want to hear who comes and goes.
    private var watching: Set<Int> = []
    private var wantsList = false
    private var saysWatching = false
    /// The attachment under which the owner knows who listens here.
    private var reported: ReturnAddress?

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
        for request in questions.values { refuse(request) }
        questions = [:]
    }

    // MARK: The shards

    func addShard(_ shard: Int) {
        shards.insert(shard)
        emptySince = .max
    }

    func removeShard(_ shard: Int) {
        shards.remove(shard)
        watching.remove(shard)
        presence.remove(shard)
        channels.markDirty(self)
        if !shards.isEmpty { return }
        emptySince = Moment.now().monotonic
        channels.endWhenIdle(self)
    }

    var isEmpty: Bool { shards.isEmpty }
    func isOver(now: Int64) -> Bool { shards.isEmpty && now - emptySince >= Self.lingerMilliseconds }

    /// A subscription wants the messages that it has not seen.
    func ask(_ request: AttachRequest) {
        if subscription?.isWaitingForMore == true {
            let epoch = subscriptions.shell.view?.epoch ?? 0
            subscriptions.shell.decide { $0.attach(request, epoch: epoch, fromLink: false, now: $1, actions: &$2) }
        } else if questions.count < Self.questionsMax {
            questions[request.address] = request
        } else {
            refuse(request)
        }
    }

    func forget(_ address: ReturnAddress) { questions[address] = nil }

    private func refuse(_ request: AttachRequest) {
        subscriptions.runtime.post(.attached(request.address, .failure(.retry)), to: ConnectionAddress(request.address).shard)
    }

    // MARK: Presence

    func onReport(_ report: PresenceReport, from shard: Int) {
        guard shards.contains(shard), report.isWhole || presence.isKnown(shard) else { return }
        presence.apply(report, from: shard)
        if report.wantsNews { watching.insert(shard) } else { watching.remove(shard) }
        if report.wantsNews, report.wantsList { wantsList = true }
        channels.markDirty(self)
    }

    func onPresence(_ news: PresenceNews) {
        for target in watching { subscriptions.runtime.post(.presenceNews(key, news), to: target) }
    }

    /// Reports to the owner who listens here, where that has changed; to a new owner everything.
    ///
    /// - Returns: false when there is nothing to do in the next tick.
    func onPresenceTick() -> Bool {
        guard let attachment = subscription?.attachment else { return subscription != nil }
        let watches = !watching.isEmpty
        if attachment != reported {
            presence.beginAnew()
            wantsList = watches
        }
        if presence.hasNews || wantsList || watches != saysWatching {
            let report = presence.report(wantsNews: watches, wantsList: wantsList && watches)
            let (key, node) = (key, subscriptions.node.identity.id)
            subscriptions.shell.decide { $0.report(report, on: key, from: attachment, node: node, fromLink: false, now: $1, actions: &$2) }
        }
        reported = attachment
        wantsList = false
        saysWatching = watches
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
        if subscription?.attachment != reported { channels.markDirty(self) }
        guard subscription?.isWaitingForMore == true, !questions.isEmpty else { return }
        let waiting = questions.values
        questions = [:]
        for request in waiting { ask(request) }
    }

    /// The owner can't be reached, or there is no room: all who listen are better off elsewhere.
    func end(_ disconnect: Disconnect) {
        for target in shards { subscriptions.runtime.post(.channelLost(key, disconnect.reason), to: target) }
        channels.removeNodeChannel(key)
        stop()
    }

    private func fanOut(_ item: ChannelItem) {
        for target in shards { subscriptions.runtime.post(.fanOut(key, item), to: target) }
    }
}
