// The subscriptions of one shard to one channel. A message is put into each transport's form once, and the same bytes are written to all of
// them.
import RingpostCore

/// Used on its loop only.
final class LocalChannel: @unchecked Sendable {
    private enum Item {
        case message(incarnation: UInt64, StoredMessage, SharedFrames)
        case gap
        /// The list of who is there, for subscriptions that have not been written it; and a change, for those that have.
        case everybody(SharedFrames)
        case presence(SharedFrames)
    }

    let key: Key
    private unowned let channels: ChannelTable
    private let runtime: ShardRuntime
    private var out = FanOut<Subscription, Item>()
    private var isRunning = false
    private var presence = ShardPresence()
    private var board = PresenceBoard()
    /// Subscriptions that want to hear who comes and goes.
    private var watchers = 0
    private var wantsList = false
    private var saysWatching = false
    /// Something was dropped: the list of who is there has to be written anew.
    private var hasLost = false
    /// Somebody new wants to know who is there: written to all new ones at once, in the next tick.
    private var owesList = false

    init(_ key: Key, in channels: ChannelTable) {
        self.key = key
        self.channels = channels
        runtime = channels.runtime
    }

    var count: Int { out.count }
    /// Nobody listens, and nobody is between two polls.
    var isOver: Bool { out.count == 0 && presence.isEmpty }

    func add(_ subscription: Subscription) {
        out.add(subscription)
        presence.open(subscription.user?.name)
        channels.markDirty(self)
    }

    func remove(_ subscription: Subscription) {
        // It may belong to an earlier `LocalChannel` of the same key.
        guard out.contains(subscription) else { return }
        out.remove(subscription)
        let lingersUntil = channels.hasRoomForLingering ? subscription.lingersUntil : nil
        track { $0.close(subscription.user?.name, lingersUntil: lingersUntil, now: Moment.now().monotonic) }
        channels.markDirty(self)
        guard subscription.isWatching else { return }
        watchers -= 1
        if watchers == 0 { board = PresenceBoard() }
    }

    /// Keeps the shard's number of lingering users up to date.
    private func track(_ change: (inout ShardPresence) -> Void) {
        let before = presence.lingeringCount
        change(&presence)
        channels.addLingering(presence.lingeringCount - before)
    }

    /// One more subscription wants to hear who comes and goes.
    func watch() {
        watchers += 1
        if board.hasBegun { owesList = true } else { wantsList = true }
        channels.markDirty(self)
    }

    func deliver(_ item: ChannelItem) {
        switch item {
        case .message(let incarnation, let message): push(.message(incarnation: incarnation, message, SharedFrames(message)))
        case .gap: push(.gap)
        }
    }

    /// What the owner says of who listens.
    func onPresence(_ news: PresenceNews) {
        if watchers == 0 { return }
        let isFirst = !board.hasBegun
        let (joined, left) = board.apply(news)
        if isFirst { return push(.everybody(ControlEvent.presence(key, board))) }
        if !left.isEmpty { push(.presence(ControlEvent.leave(key, left))) }
        if !joined.isEmpty { push(.presence(ControlEvent.join(key, joined))) }
    }

    private func push(_ item: Item) {
        if out.push(item) {
            runtime.counters.fanDropped += 1
            hasLost = watchers > 0
        }
        if !isRunning { run() }
    }

    /// Reports who listens, where that has changed.
    ///
    /// - Returns: false when there is nothing to look at in the next tick.
    func onTick(now: Int64) -> Bool {
        if presence.isLingering { track { $0.expire(now: now) } }
        if owesList, board.hasBegun { push(.everybody(ControlEvent.presence(key, board))) }
        owesList = false
        let watches = watchers > 0
        if presence.hasNews || wantsList || watches != saysWatching {
            let report = presence.report(wantsNews: watches, wantsList: wantsList && watches)
            runtime.post(.listeners(key, shard: runtime.index, report), to: runtime.shardIndex(key.slot))
            wantsList = false
            saysWatching = watches
        }
        return presence.isLingering
    }

    /// Some subscriptions at a time; other keys have their turn in between.
    private func run() {
        isRunning = true
        for _ in 0..<FanOut<Subscription, Item>.sliceMembersMax {
            guard let (subscription, items) = out.next() else {
                isRunning = false
                if hasLost { listAnew() }
                return
            }
            for item in items {
                switch item {
                case .message(let incarnation, let message, let frames):
                    subscription.onDeliver(incarnation: incarnation, message, shared: frames)
                case .gap: subscription.askAgain()
                case .everybody(let frames): subscription.writePresence(frames, isList: true)
                case .presence(let frames): subscription.writePresence(frames, isList: false)
                }
            }
        }
        runtime.inNextTurn { self.run() }
    }

    private func listAnew() {
        hasLost = false
        for subscription in out.all { subscription.forgetList() }
        push(.everybody(ControlEvent.presence(key, board)))
    }

    /// All who listen are better off elsewhere.
    func end(_ disconnect: @autoclosure () -> Disconnect) {
        for subscription in out.all { subscription.end(disconnect()) }
        track { $0 = ShardPresence() }
    }
}
