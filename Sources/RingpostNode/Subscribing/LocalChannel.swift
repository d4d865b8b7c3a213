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
    /// Who listens, and who wants to hear of it.
    private var machine = LocalChannelMachine()
    /// Something was dropped: the list of who is there has to be written anew.
    private var hasLost = false

    init(_ key: Key, in channels: ChannelTable) {
        self.key = key
        self.channels = channels
        runtime = channels.runtime
    }

    var count: Int { out.count }
    /// Nobody listens, and nobody is between two polls.
    var isOver: Bool { out.count == 0 && machine.isEmpty }

    func add(_ subscription: Subscription) {
        out.add(subscription)
        machine.open(subscription.user?.name)
        channels.markDirty(self)
    }

    func remove(_ subscription: Subscription) {
        // It may belong to an earlier `LocalChannel` of the same key.
        guard out.contains(subscription) else { return }
        out.remove(subscription)
        let lingersUntil = channels.hasRoomForLingering ? subscription.lingersUntil : nil
        let (user, isWatching, now) = (subscription.user?.name, subscription.isWatching, Moment.now().monotonic)
        track { $0.close(user, lingersUntil: lingersUntil, isWatching: isWatching, now: now) }
        channels.markDirty(self)
    }

    /// Keeps the shard's number of lingering users up to date.
    private func track<Result>(_ change: (inout LocalChannelMachine) -> Result) -> Result {
        let before = machine.lingeringCount
        defer { channels.addLingering(machine.lingeringCount - before) }
        return change(&machine)
    }

    /// One more subscription wants to hear who comes and goes.
    func watch() {
        machine.watch()
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
        for item in machine.onNews(news) {
            switch item {
            case .everybody: pushList()
            case .left(let users): push(.presence(ControlEvent.leave(key, users)))
            case .joined(let users): push(.presence(ControlEvent.join(key, users)))
            }
        }
    }

    private func pushList() { push(.everybody(ControlEvent.presence(key, machine.board))) }

    private func push(_ item: Item) {
        if out.push(item) {
            runtime.counters.fanDropped += 1
            hasLost = machine.isWatched
        }
        if !isRunning { run() }
    }

    /// Reports who listens, where that has changed.
    ///
    /// - Returns: false when there is nothing to look at in the next tick.
    func onTick(now: Int64) -> Bool {
        let (tellsEverybody, report) = track { $0.onTick(now: now) }
        if tellsEverybody { pushList() }
        if let report { runtime.post(.listeners(key, shard: runtime.index, report), to: runtime.shardIndex(key.slot)) }
        return machine.isLingering
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
        pushList()
    }

    /// All who listen are better off elsewhere.
    func end(_ disconnect: @autoclosure () -> Disconnect) {
        for subscription in out.all { subscription.end(disconnect()) }
        track { $0 = LocalChannelMachine() }
    }
}
