// The sockets of one event loop that listen to one channel. A message is put into each transport's form once, and those bytes go to
// all of them.
import NIOCore
import RingpostCore
import RingpostWire

/// A message in the forms in which sockets are written it, each made when it is first wanted.
final class SharedFrames {
    /// A message of a user's with fewer bytes is written to each of the user's sockets anew.
    static let bytesMin = Backlog.sharedBytesMin

    private let envelope: [UInt8]
    private let eventName: String?
    /// A text frame.
    private(set) lazy var webSocket: ByteBuffer = {
        var frame = ByteBuffer()
        frame.reserveCapacity(envelope.count + 10)
        WebSocketEncoder.writeText(envelope, into: &frame)
        return frame
    }()
    /// An event without its id.
    private(set) lazy var event: ByteBuffer = {
        var lines = ByteBuffer()
        EventStreamEncoder.writeEvent(event: eventName, id: nil, data: envelope, into: &lines)
        return lines
    }()

    init(_ message: StoredMessage) {
        envelope = message.envelope
        eventName = nil
    }

    /// What is no message: an event with a name.
    init(_ json: [UInt8], event: String) {
        envelope = json
        eventName = event
    }
}

/// Used on its loop only.
final class LocalChannel: @unchecked Sendable {
    private enum Item {
        case message(incarnation: UInt64, StoredMessage, SharedFrames)
        case gap
        /// Who is there, for those who have not been told yet; and what has changed, for those who have.
        case everybody(SharedFrames)
        case presence(SharedFrames)
    }

    let key: Key
    private unowned let shard: Shard
    private var out = FanOut<Subscription, Item>()
    private var isRunning = false
    private var presence = ShardPresence()
    private var board = PresenceBoard()
    /// Sessions that want to hear who comes and goes.
    private var watchers = 0
    private var wantsList = false
    private var saysWatching = false
    /// Something was dropped: who is there has to be said anew.
    private var hasLost = false
    /// Somebody new wants to know who is there: said to all of them at once, in the next tick.
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
        shard.channels.markDirty(self)
    }

    func remove(_ subscription: Subscription) {
        // It may have been an earlier fan's.
        guard out.contains(subscription) else { return }
        out.remove(subscription)
        let lingersUntil = shard.channels.hasRoomForLingering ? subscription.lingersUntil : nil
        track { $0.close(subscription.user?.name, lingersUntil: lingersUntil, now: Moment.now().monotonic) }
        shard.channels.markDirty(self)
        guard subscription.isWatching else { return }
        watchers -= 1
        if watchers == 0 { board = PresenceBoard() }
    }

    /// Keeps the number of those who linger on this loop up to date.
    private func track(_ change: (inout ShardPresence) -> Void) {
        let before = presence.lingeringCount
        change(&presence)
        shard.channels.addLingering(presence.lingeringCount - before)
    }

    /// One more session wants to hear who comes and goes.
    func watch() {
        watchers += 1
        if board.hasBegun { owesList = true } else { wantsList = true }
        shard.channels.markDirty(self)
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
            shard.counters.fanDropped += 1
            hasLost = watchers > 0
        }
        if !isRunning { run() }
    }

    /// Says what has changed; false when there is nothing more to look at.
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

    /// Some sockets at a time; those of other keys have their turn in between.
    private func run() {
        isRunning = true
        for _ in 0..<FanOut<Subscription, Item>.sliceMembersMax {
            guard let (subscription, items) = out.next() else {
                isRunning = false
                if hasLost { sayAnew() }
                return
            }
            for item in items {
                switch item {
                case .message(let incarnation, let message, let frames):
                    subscription.onDeliver(incarnation: incarnation, message, shared: frames)
                case .gap: subscription.askAgain()
                case .everybody(let frames): subscription.tell(frames, isList: true)
                case .presence(let frames): subscription.tell(frames, isList: false)
                }
            }
        }
        shard.inNextTurn { self.run() }
    }

    private func sayAnew() {
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
