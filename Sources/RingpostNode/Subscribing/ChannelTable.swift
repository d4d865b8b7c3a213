// The channels of one shard: those that its own clients listen to, each with its subscriptions, and those of its slots that clients of any
// shard of this node listen to, each with one attachment at the owner.
import DequeModule
import RingpostCore

/// Used on its shard's event loop only.
final class ChannelTable: @unchecked Sendable {
    /// Channels that are looked at before other work has its turn.
    static let sliceChannelsMax = 64

    private unowned let subscriptions: ShardSubscriptions
    let runtime: ShardRuntime
    private let channelsMax: Int
    private let listenersMax: Int
    private let namespaces: NamespaceTable
    private var local: [Key: LocalChannel] = [:]
    private var node: [Key: NodeChannelSubscription] = [:]
    /// Node channels that nobody listens to any more, and when they end unless somebody does.
    private var idle: Deque<(channel: NodeChannelSubscription, endsAt: Int64)> = []
    /// Channels with news of who listens to them.
    private var dirtyLocal: Set<Key> = []
    private var dirtyNode: Set<Key> = []
    private var isVisiting = false
    /// Users who are between two polls of a channel, each counted once a channel.
    private var lingering = 0

    init(_ subscriptions: ShardSubscriptions, limits: NodeLimits) {
        self.subscriptions = subscriptions
        runtime = subscriptions.runtime
        channelsMax = limits.channelsMax
        listenersMax = limits.channelListenersMax
        namespaces = limits.mailbox.namespaces
    }

    var localCount: Int { local.count }
    var nodeCount: Int { node.count }
    var listenerCount: Int { local.values.reduce(0) { $0 + $1.count } }

    // MARK: Channels of this shard's clients

    func localChannel(_ key: Key) -> LocalChannel? { local[key] }

    /// What stands against one more subscription of this shard to a channel; counted.
    func objection(to key: Key) -> Problem? {
        let problem: Problem? =
            if let channel = local[key] {
                channel.count >= min(listenersMax, namespaces[key]?.subscribers ?? .max) ? .channelFull : nil
            } else {
                local.count >= channelsMax ? .overloaded : nil
            }
        if problem != nil { runtime.counters.channelsRefused += 1 }
        if problem == .channelFull {
            runtime.counters.count(.channelSubscribers)
            if namespaces[key]?.subscribers != nil { runtime.counters.count(NamespaceRefusal.subscribers) }
        }
        return problem
    }

    /// The subscription gets the channel's messages from now on. It asks the owner for what it has not seen after this.
    ///
    /// - Returns: false when there are too many already.
    func listen(_ subscription: Subscription) -> Bool {
        let key = subscription.key
        if objection(to: key) != nil { return false }
        if let channel = local[key] {
            channel.add(subscription)
            return true
        }
        let channel = LocalChannel(key, in: self)
        channel.add(subscription)
        local[key] = channel
        runtime.post(.addShard(key, shard: runtime.index), to: runtime.shardIndex(key.slot))
        return true
    }

    func stopListening(_ subscription: Subscription) {
        guard let channel = local[subscription.key] else { return }
        channel.remove(subscription)
        removeIfOver(channel)
    }

    /// The subscription's client wants to hear who comes to the channel, and goes.
    func watch(_ subscription: Subscription) { local[subscription.key]?.watch() }

    func deliver(_ item: ChannelItem, to key: Key) { local[key]?.deliver(item) }

    func onPresence(_ news: PresenceNews, of key: Key) { local[key]?.onPresence(news) }

    /// The node listens to the channel no more: all who listen here are better off elsewhere. Users between two polls are forgotten too, for
    /// the local channel must not outlive the node's; the next subscription makes a new one.
    func onLost(_ key: Key, _ reason: CloseReason) {
        dirtyLocal.remove(key)
        guard let channel = local.removeValue(forKey: key) else { return }
        channel.end(subscriptions.admission.disconnect(reason))
        // A node channel that was made meanwhile may count this shard already.
        runtime.post(.removeShard(key, shard: runtime.index), to: runtime.shardIndex(key.slot))
    }

    private func removeIfOver(_ channel: LocalChannel) {
        guard channel.isOver else { return }
        local[channel.key] = nil
        dirtyLocal.remove(channel.key)
        runtime.post(.removeShard(channel.key, shard: runtime.index), to: runtime.shardIndex(channel.key.slot))
    }

    /// Room for one more user between two polls of a channel.
    var hasRoomForLingering: Bool { lingering < PollerTable.countMax }

    func addLingering(_ count: Int) { lingering += count }

    // MARK: Channels of this shard's slots

    /// A shard has its first client that listens to the channel.
    func addShard(_ shardIndex: Int, to key: Key) {
        if let channel = node[key] { return channel.addShard(shardIndex) }
        let channel = NodeChannelSubscription(key, in: subscriptions)
        channel.addShard(shardIndex)
        insert(channel)
        // Where there is no room it has ended itself.
        _ = channel.start()
    }

    /// The channel's subscribers are answered through this attachment from now on.
    func insert(_ channel: NodeChannelSubscription) { node[channel.key] = channel }

    func removeShard(_ shardIndex: Int, from key: Key) { node[key]?.removeShard(shardIndex) }

    func onReport(_ report: PresenceReport, from shardIndex: Int, on key: Key) { node[key]?.onReport(report, from: shardIndex) }

    /// A client wants the messages that it has missed. It gets them behind what the node's own attachment has brought: an answer never ends
    /// before a message that has been shown already.
    func ask(_ request: AttachRequest) {
        guard let channel = node[request.key] else {
            runtime.post(.attached(request.address, .failure(.retry)), to: ConnectionAddress(request.address).shard)
            return
        }
        channel.ask(request)
    }

    func forget(_ address: ReturnAddress, _ key: Key) { node[key]?.forget(address) }

    /// The node's attachment has ended.
    func removeNodeChannel(_ key: Key) {
        node[key] = nil
        dirtyNode.remove(key)
    }

    /// Nobody listens to the channel now. Whether that is still so is checked when it has lingered.
    func endWhenIdle(_ channel: NodeChannelSubscription) {
        if channel.isKnownIdle { return }
        channel.isKnownIdle = true
        idle.append((channel, Moment.now().monotonic + NodeChannelMachine.lingerMilliseconds))
    }

    /// Ends the first idle channel whose time is over; false when there is none.
    private func endFirstIdle(now: Int64) -> Bool {
        guard let first = idle.first, first.endsAt <= now else { return false }
        idle.removeFirst()
        let channel = first.channel
        channel.isKnownIdle = false
        // It may have been ended by something else, and another one may have its name.
        guard node[channel.key] === channel, channel.isEmpty else { return true }
        if channel.isOver(now: now) {
            node[channel.key] = nil
            channel.stop()
        } else {
            // Somebody listened meanwhile.
            endWhenIdle(channel)
        }
        return true
    }

    // MARK: News

    func markDirty(_ channel: LocalChannel) { dirtyLocal.insert(channel.key) }
    func markDirty(_ channel: NodeChannelSubscription) { dirtyNode.insert(channel.key) }

    /// In every tick: channels with news say it, some at a time, because somebody may have touched thousands at once.
    func onTick() {
        if isVisiting { return }
        var remaining = dirtyLocal.map { ($0, ChannelTable.visitLocal) } + dirtyNode.map { ($0, ChannelTable.visitNode) }
        let now = Moment.now().monotonic
        func visitSome() {
            var left = Self.sliceChannelsMax
            while left > 0, let (key, visit) = remaining.popLast() {
                visit(self)(key)
                left -= 1
            }
            while left > 0, endFirstIdle(now: now) { left -= 1 }
            isVisiting = left == 0
            if isVisiting { runtime.inNextTurn { visitSome() } }
        }
        visitSome()
    }

    private func visitLocal(_ key: Key) {
        if let channel = local[key], channel.onTick(now: Moment.now().monotonic) { return }
        dirtyLocal.remove(key)
        if let channel = local[key] { removeIfOver(channel) }
    }

    private func visitNode(_ key: Key) {
        if node[key]?.onPresenceTick() != true { dirtyNode.remove(key) }
    }
}
