// One event loop of a node with everything that belongs to it: the mailboxes and lanes of its slots, its own links to
// every other member, the sockets that it accepted. Nothing here is shared, so nothing is locked; all of it is called on
// the loop only. It decides nothing itself: it feeds the machines and performs what they say.
import DequeModule
import HashRing
import Logging
import NIOCore
import RingpostCore

/// Takes the answers to publishes that a connection has sent off.
protocol PublishSink: AnyObject {
    func onAnswer(tag: UInt64, _ result: PublishResult)
}

final class Shard: @unchecked Sendable {
    struct Waiter {
        let sink: any PublishSink
        let tag: UInt64
    }

    /// The pause between two looks at lanes, sessions and deadlines.
    static let tickMilliseconds: Int64 = 50
    /// Every socket's deadline is looked at once in so many ticks.
    static let ticksPerRound = 20
    /// Sockets that are ended at a time because their time is over.
    static let endingsMax = 16
    /// Bytes that are sent before sockets are looked at again, and what a piece counts as at least.
    static let (flushBytesMax, flushBytesMin) = (65_536, 1_024)
    /// Channels that are looked at before sockets are again.
    static let sliceChannelsMax = 64
    /// Pollers who have not come back are looked for once in so many ticks.
    static let ticksPerPollerRound = 200

    /// Publishes that one loop's connections may wait for; beyond it they are answered "overloaded".
    static let waitersMax = 1 << 20

    let index: Int
    let eventLoop: any EventLoop
    let shared: NodeContext
    let logger: Logger
    /// Decides everything about the slots of this loop.
    private(set) var machine: ShardMachine
    var view: MembershipView?
    var counters = ShardCounters()
    /// Publishes that connections of this loop wait for.
    var waiters = RequestTable<Waiter>(countMax: Shard.waitersMax)
    /// Client sockets and waiting polls of this loop.
    let socketsMax: Int
    /// Sockets' sessions, by the number of their current attachment.
    var subscriptions: RequestTable<Subscription>
    /// Sessions that are not settled: they are looked at in every tick.
    var pendingSubscriptions: Set<UInt64> = []
    /// Channels that sockets of this loop listen to.
    var localChannels: [Key: LocalChannel] = [:]
    /// Channels of this loop's slots that sockets of this node listen to.
    var nodeChannels: [Key: NodeChannelSubscription] = [:]
    /// Of these, those that nobody listens to any more, for a while.
    var idleNodeChannels: Deque<(hub: NodeChannelSubscription, at: Int64)> = []
    /// Fans and hubs that have something to say of who listens.
    var dirtyLocalChannels: Set<Key> = []
    var dirtyNodeChannels: Set<Key> = []
    /// The large message of a user that was written last, until the next tick.
    var lastShared: (incarnation: UInt64, sequence: UInt64, frames: SharedFrames)?
    /// Users who are between two polls.
    var pollers: [Key: Poller] = [:]
    /// How many of them channels wait for, each counted by its channels.
    var lingerers = 0
    /// Every socket of this loop, client's and link's, for deadlines and for closing.
    var sockets: [Connection?] = []
    var freeSockets: [Int] = []
    /// Links to other members, by handle; handles are not used again.
    var links: [LinkClient?] = []
    /// Accepted link connections by number.
    var accepted: [Int: LinkServer] = [:]
    var lastConnection = 0
    /// Tokens that have been found good.
    var grants = GrantCache()
    /// Tokens that have been taken back; `nil` while that is not known, and then no token is good.
    var revocations: RevocationList?
    /// Accepted link connections that have not introduced themselves.
    var strangers = 0
    /// When a refused link was last said in the log.
    var refusalSaidAt: Int64 = -1_000
    /// Links that this loop has dialled so far.
    var dialCount: UInt64 = 0

    /// Since when this node may not act and reaches no other member.
    var isolatedSince: Int64?
    var hasSentClientsAway = false

    /// The node says goodbye: link producers are sent to other nodes.
    var isLeaving = false

    var responseDate = ResponseDate()
    /// What sockets write into.
    var spares = SpareBuffers()
    /// For bytes whose number has to be known before they are written; whoever uses it clears it first.
    var scratch: [UInt8] = []
    /// Whose requests are looked at when.
    var scheduler = FairScheduler()
    private(set) var waker: LoopWaker?
    private var dirty: [Connection] = []
    private(set) var late: Deque<Connection> = []
    private var flushIsScheduled = false
    /// See ``turnMilliseconds()``.
    private var turnAt: Int64?
    private var outgoing: [[ShardMessage]]
    private var postIsScheduled = false
    private var actions: [ShardAction] = []
    private var isPerforming = false
    private var tickCount = 0
    /// The socket that was looked at last, and how many this tick has yet to look at.
    private var roundIndex = 0
    private var roundLeft = 0
    private var isVisiting = false
    private var ticker: RepeatedTask?
    private var random = SplitMix64.seededBySystem()
    private var lastMessage: UInt64 = 0
    private let messageBase: UInt64
    private var lastStream: UInt64 = 0

    init(index: Int, eventLoop: any EventLoop, shared: NodeContext) {
        self.index = index
        self.eventLoop = eventLoop
        self.shared = shared
        logger = shared.logger
        let limits = shared.configuration.limits
        machine = ShardMachine(
            me: shared.identity, index: index, shardCount: shared.shardCount, seed: random.next(),
            limits: ShardLimits(mailbox: limits.mailbox, lanes: limits.lanes))
        socketsMax = (limits.socketsMax + shared.shardCount - 1) / shared.shardCount
        subscriptions = RequestTable(countMax: socketsMax + limits.channelsMax)
        outgoing = Array(repeating: [], count: shared.shardCount)
        messageBase = random.next()
    }

    // MARK: Time

    func start() {
        let pause = TimeAmount.milliseconds(Self.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [unowned self] _ in self.tick() }
        LoopWaker.hang(on: eventLoop) {
            self.waker = $0
        } onRing: {
            self.beginTurn()
        }
    }

    func stop() {
        ticker?.cancel()
        for socket in sockets { socket?.closeNow() }
        for link in links { link?.stop() }
    }

    private func tick() {
        let now = Moment.now().monotonic
        decide { $0.onTick(now: $1, actions: &$2) }
        for number in pendingSubscriptions { subscriptions[number]?.onTick(now: now) }
        if !isVisiting { visitChannels() }
        onMoveTick(now: now)
        onIsolationTick(now: now)
        for link in links { link?.onTick(now: now) }
        tickCount += 1
        lastShared = nil
        if index == 0, tickCount % Self.ticksPerRound == 0 { shared.quotas.checkMemory() }
        if tickCount % Self.ticksPerPollerRound == 0 { pollers = pollers.filter { $0.value.until > now } }
        let isAtIt = roundLeft > 0
        roundLeft = min(sockets.count, roundLeft + (sockets.count + Self.ticksPerRound - 1) / Self.ticksPerRound)
        if !isAtIt { checkDeadlines() }
    }

    /// Looks for sockets whose time is over. Where a crowd of them has to be ended, others have their turn in between.
    private func checkDeadlines() {
        let now = Moment.now().monotonic
        var endings = 0
        while roundLeft > 0 {
            roundLeft -= 1
            roundIndex = roundIndex + 1 < sockets.count ? roundIndex + 1 : 0
            guard roundIndex < sockets.count, sockets[roundIndex]?.onRound(now: now) == true else { continue }
            endings += 1
            if endings < Self.endingsMax { continue }
            eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.checkDeadlines() }
            return
        }
    }

    /// Channels that have something to say or to wait for, some at a time: somebody may have touched thousands at once.
    private func visitChannels() {
        var rest = dirtyLocalChannels.map { ($0, Shard.onLocalChannelTick) } + dirtyNodeChannels.map { ($0, Shard.onNodeChannelTick) }
        let now = Moment.now().monotonic
        func visitSome() {
            var left = Self.sliceChannelsMax
            while left > 0, let (key, clientRequest) = rest.popLast() {
                clientRequest(self)(key)
                left -= 1
            }
            while left > 0, endIdleNodeChannel(now: now) { left -= 1 }
            isVisiting = left == 0
            if isVisiting { inNextTurn { visitSome() } }
        }
        visitSome()
    }

    /// H: a link that is silent for so long is cut.
    var heartbeatMilliseconds: Int64 {
        Int64(view?.document.heartbeatTimeoutMilliseconds ?? ClusterDocument.sessionTimeoutMillisecondsDefault / 2)
    }

    /// The ring in force.
    ///
    /// - Throws: that this node is not in a ring yet.
    func currentView() throws(ProblemReport) -> MembershipView {
        guard let view else { throw .notInARing }
        return view
    }

    func freshRandom() -> UInt64 { random.next() }

    /// An id for a publish whose producer gave none.
    func freshMessageID() -> MessageID {
        lastMessage &+= 1
        return MessageID(high: messageBase, low: lastMessage)
    }

    /// A number for a producer's stream, unique on this node.
    func freshStream() -> UInt64 {
        lastStream += 1
        return UInt64(index) << 56 | lastStream
    }

    // MARK: Sockets

    func register(_ socket: Connection) -> Int {
        if let connectionIndex = freeSockets.popLast() {
            sockets[connectionIndex] = socket
            return connectionIndex
        }
        sockets.append(socket)
        return sockets.count - 1
    }

    func unregister(_ connectionIndex: Int) {
        sockets[connectionIndex] = nil
        freeSockets.append(connectionIndex)
    }

    /// The socket is flushed at the end of this tick, together with all others that were written to.
    func markDirty(_ socket: Connection) {
        dirty.append(socket)
        scheduleFlush()
    }

    /// When everything that is here has been looked at.
    func scheduleFlush() {
        if flushIsScheduled { return }
        flushIsScheduled = true
        eventLoop.execute { self.flush() }
    }

    private func flush() {
        flushIsScheduled = false
        flushNow()
        endTurn()
    }

    /// The time at which it was asked for first in this turn, for what needs it once a message.
    func turnMilliseconds() -> Int64 {
        if let turnAt { return turnAt }
        let now = MonotonicClock.nowMilliseconds()
        turnAt = now
        // Which forgets it.
        scheduleFlush()
        return now
    }

    /// Those that have just been written to go before those that were too much for an earlier turn, and leave these half of it.
    func flushNow() {
        turnAt = nil
        var batch = dirty
        dirty.removeAll(keepingCapacity: true)
        var spent = 0
        var connectionIndex = 0
        let share = late.isEmpty ? Self.flushBytesMax : Self.flushBytesMax / 2
        while connectionIndex < batch.count, spent < share {
            spent += flush(batch[connectionIndex])
            connectionIndex += 1
        }
        if connectionIndex < batch.count { late.append(contentsOf: batch[connectionIndex...]) }
        while spent < Self.flushBytesMax, let socket = late.popFirst() { spent += flush(socket) }
        batch.removeAll(keepingCapacity: true)
        if dirty.isEmpty { dirty = batch }
    }

    private func flush(_ socket: Connection) -> Int {
        let bytes = socket.pendingBytes
        socket.flush()
        return max(bytes, Self.flushBytesMin)
    }

    // MARK: Crossings

    func shardIndex(_ slot: Int) -> Int { slot % shared.shardCount }

    func post(_ crossing: ShardMessage, to shard: Int) {
        if shard == index {
            receive(crossing)
            return
        }
        outgoing[shard].append(crossing)
        if postIsScheduled { return }
        postIsScheduled = true
        eventLoop.execute { self.sendPosts() }
    }

    func postToAll(_ crossing: ShardMessage) {
        for shard in 0..<shared.shardCount { post(crossing, to: shard) }
    }

    /// Hands over at once what this tick has collected.
    func sendPosts() {
        postIsScheduled = false
        for shard in outgoing.indices where !outgoing[shard].isEmpty {
            let batch = outgoing[shard]
            outgoing[shard] = []
            let target = shared.shards[shard]
            target.eventLoop.execute {
                for crossing in batch { target.receive(crossing) }
            }
        }
    }

    private func receive(_ crossing: ShardMessage) {
        switch crossing {
        case .submit(let publish, let context): decide { $0.submit(publish, context, now: $1, actions: &$2) }
        case .attach(let request, let epoch):
            let fromLink = ConnectionAddress(request.address).connection != 0
            if !fromLink, request.key.kind == .channel, request.stay == .never { return askInTurn(request) }
            decide { $0.attach(request, epoch: epoch, fromLink: fromLink, now: $1, actions: &$2) }
        case .detach(let address, let key): detachAtSlot(address, key)
        case .addShard(let channel, let shard): addShard(channel, shard: shard)
        case .removeShard(let channel, let shard): nodeChannels[channel]?.removeShard(shard)
        case .listeners(let channel, let shard, let report): nodeChannels[channel]?.take(report, from: shard)
        case .report(let channel, let address, let node, let report):
            decide { $0.report(report, on: channel, from: address, node: node, fromLink: true, now: $1, actions: &$2) }
        case .presence(let address, let news): onPresence(address, news)
        case .presenceNews(let channel, let news): localChannels[channel]?.take(news)
        case .fanOut(let channel, let item): localChannels[channel]?.take(item)
        case .channelLost(let channel, let reason): onChannelLost(channel, reason)
        case .answer(let address, let result): onAnswer(address, result)
        case .attached(let address, let result): onAttached(address, result)
        case .deliver(let address, let incarnation, let message): onDeliver(address, incarnation: incarnation, message)
        case .detached(let address): onDetached(address)
        case .slotRequest(let frame, let member, let connectionID):
            decide { $0.onRequest(frame, from: member, connectionID: connectionID, now: $1, actions: &$2) }
        case .slotReply(let connectionID, let frame): accepted[ConnectionAddress(connectionID: connectionID).connection]?.send(.slot(frame))
        case .closeConnection(let connectionID): accepted[ConnectionAddress(connectionID: connectionID).connection]?.closeNow()
        case .connectionEnded(let connectionID): machine.connectionEnded(connectionID, now: .now())
        case .streamEnded(let stream): machine.streamEnded(stream)
        }
    }

    func forget(_ address: ReturnAddress, _ key: Key) { machine.detach(address, from: key, now: .now()) }

    func setFull(_ link: UInt32, _ isFull: Bool) { machine.setFull(link, isFull) }

    // MARK: Performing

    /// Lets the machine decide, then performs. Whoever is called from here may come back with more: the machine decides on that
    /// at once, but what it comes to waits its turn behind what was decided before.
    func decide(_ body: (inout ShardMachine, Moment, inout [ShardAction]) -> Void) {
        body(&machine, Moment.now(), &actions)
        if isPerforming { return }
        isPerforming = true
        var next = 0
        while next < actions.count {
            perform(actions[next])
            next += 1
        }
        actions.removeAll(keepingCapacity: true)
        isPerforming = false
    }

    private func perform(_ action: ShardAction) {
        switch action {
        case .forward(let peer, let request, let publish, let hops, let restarts):
            links[Int(peer)]?.forward(request, publish, hops: hops, restarts: restarts, epoch: machine.epoch)
        case .attach(let peer, let request, let epoch): links[Int(peer)]?.attach(request, epoch: epoch)
        case .send(let peer, let frame): links[Int(peer)]?.send(.slot(frame))
        case .reply(let connectionID, let frame):
            post(.slotReply(connectionID: connectionID, frame), to: ConnectionAddress(connectionID: connectionID).shard)
        case .answer(let address, let result): post(.answer(address, result), to: ConnectionAddress(address).shard)
        case .attached(let address, let result): post(.attached(address, result), to: ConnectionAddress(address).shard)
        case .deliver(let address, let incarnation, let message):
            post(.deliver(address, incarnation: incarnation, message), to: ConnectionAddress(address).shard)
        case .detached(let address): post(.detached(address), to: ConnectionAddress(address).shard)
        case .report(let peer, let address, let channel, let report): links[Int(peer)]?.report(address, channel, report)
        case .presence(let address, let news): post(.presence(address, news), to: ConnectionAddress(address).shard)
        case .askRoster: shared.askRoster(for: self)
        case .moveSoon:
            _ = eventLoop.scheduleTask(in: .milliseconds(SlotLimits.movePauseMilliseconds)) {
                self.decide { $0.onMoves(now: $1, actions: &$2) }
            }
        case .scheduleEpochWork:
            inNextTurn { self.decide { $0.onEpochWork(now: $1, actions: &$2) } }
        case .closeConnection(let connectionID):
            post(.closeConnection(connectionID), to: ConnectionAddress(connectionID: connectionID).shard)
        }
    }
}
