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
    private unowned let shard: Shard
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

    init(_ key: Key, shard: Shard) {
        self.key = key
        self.shard = shard
    }

    var count: Int { out.count }
    /// Nobody listens, and nobody is between two polls.
    var isOver: Bool { out.count == 0 && presence.isEmpty }

    func add(_ subscription: Subscription) {
        out.add(subscription)
        presence.open(subscription.user?.name)
        shard.dirtyLocalChannels.insert(key)
    }

    func remove(_ subscription: Subscription) {
        // It may belong to an earlier `LocalChannel` of the same key.
        guard out.contains(subscription) else { return }
        out.remove(subscription)
        let lingersUntil = shard.lingerers < Poller.countMax ? subscription.lingersUntil : nil
        track { $0.close(subscription.user?.name, lingersUntil: lingersUntil, now: Moment.now().monotonic) }
        shard.dirtyLocalChannels.insert(key)
        guard subscription.isWatching else { return }
        watchers -= 1
        if watchers == 0 { board = PresenceBoard() }
    }

    /// Keeps the shard's number of lingering users up to date.
    private func track(_ change: (inout ShardPresence) -> Void) {
        let before = presence.lingeringCount
        change(&presence)
        shard.lingerers += presence.lingeringCount - before
    }

    /// One more subscription wants to hear who comes and goes.
    func watch() {
        watchers += 1
        if board.hasBegun { owesList = true } else { wantsList = true }
        shard.dirtyLocalChannels.insert(key)
    }

    func receive(_ item: ChannelItem) {
        switch item {
        case .message(let incarnation, let message): push(.message(incarnation: incarnation, message, SharedFrames(message)))
        case .gap: push(.gap)
        }
    }

    /// The owner reports who listens.
    func receive(_ news: PresenceNews) {
        if watchers == 0 { return }
        let isFirst = !board.hasBegun
        let (joined, left) = board.apply(news)
        if isFirst { return push(.everybody(ControlEvent.presence(key, board))) }
        if !left.isEmpty { push(.presence(ControlEvent.leave(key, left))) }
        if !joined.isEmpty { push(.presence(ControlEvent.join(key, joined))) }
    }

    private func push(_ item: Item) {
        if out.push(item) {
            shard.counters.fanDropped += 1
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
            shard.post(.listeners(key, shard: shard.index, report), to: shard.shardIndex(key.slot))
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
        shard.inNextTurn { self.run() }
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

extension Shard {
    /// Why this shard takes no other subscription to the channel; `nil` if it does. Counted.
    func objection(to channel: Key) -> Problem? {
        let limits = shared.configuration.limits
        let problem: Problem? =
            if let localChannel = localChannels[channel] {
                localChannel.count >= limits.channelListenersMax ? .channelFull : nil
            } else {
                localChannels.count >= limits.channelsMax ? .overloaded : nil
            }
        if problem != nil { counters.channelsRefused += 1 }
        if problem == .channelFull { counters.count(.channelSubscribers) }
        return problem
    }

    /// From now on the subscription is given the channel's new messages. It asks for older ones after this.
    ///
    /// - Returns: false when there are too many already.
    func listen(_ subscription: Subscription) -> Bool {
        if objection(to: subscription.key) != nil { return false }
        if let localChannel = localChannels[subscription.key] {
            localChannel.add(subscription)
            return true
        }
        let localChannel = LocalChannel(subscription.key, shard: self)
        localChannel.add(subscription)
        localChannels[subscription.key] = localChannel
        post(.addShard(subscription.key, shard: index), to: shardIndex(subscription.key.slot))
        return true
    }

    func stopListening(_ subscription: Subscription) {
        guard let localChannel = localChannels[subscription.key] else { return }
        localChannel.remove(subscription)
        endIfOver(localChannel)
    }

    private func endIfOver(_ localChannel: LocalChannel) {
        guard localChannel.isOver else { return }
        localChannels[localChannel.key] = nil
        dirtyLocalChannels.remove(localChannel.key)
        post(.removeShard(localChannel.key, shard: index), to: shardIndex(localChannel.key.slot))
    }

    /// The node does not listen to the channel any more: all who listen here are better off elsewhere. Users between two polls are forgotten
    /// too: a `LocalChannel` must not outlive the `NodeChannelSubscription` that feeds it, and the next subscription makes a new one.
    func onChannelLost(_ channel: Key, _ reason: CloseReason) {
        dirtyLocalChannels.remove(channel)
        localChannels.removeValue(forKey: channel)?.end(admission.disconnect(reason))
    }

    func watch(_ subscription: Subscription) { localChannels[subscription.key]?.watch() }

    /// In every tick: who listens to what, where that has changed.
    func onLocalChannelTick(_ key: Key) {
        if let localChannel = localChannels[key], localChannel.onTick(now: Moment.now().monotonic) { return }
        dirtyLocalChannels.remove(key)
        if let localChannel = localChannels[key] { endIfOver(localChannel) }
    }

    /// A user's poll has ended, and the next one is waited for.
    func remember(_ user: Key, since: Int64, until: Int64) {
        if pollers[user] == nil, pollers.count >= Poller.countMax { return }
        pollers[user] = Poller(since: min(since, pollers[user].map { $0.until > since ? $0.since : since } ?? since), until: until)
    }
}

/// A user who polls: there from the first poll until the next one has not come.
struct Poller {
    /// Pollers that one event loop remembers between their polls, and as many that channels do; beyond it they count only while they wait.
    static let countMax = 100_000

    let since: Int64
    let until: Int64
}
