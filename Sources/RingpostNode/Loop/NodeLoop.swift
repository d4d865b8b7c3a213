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

final class NodeLoop: @unchecked Sendable {
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
    let shared: NodeShared
    let logger: Logger
    /// Decides everything about the slots of this loop.
    private(set) var machine: LoopMachine
    var view: MembershipView?
    var counters = LoopCounters()
    /// Publishes that connections of this loop wait for.
    var waiters = RequestTable<Waiter>(countMax: NodeLoop.waitersMax)
    /// Client sockets and waiting polls of this loop.
    let socketsMax: Int
    /// Sockets' sessions, by the number of their current attachment.
    var sessions: RequestTable<EdgeSession>
    /// Sessions that are not settled: they are looked at in every tick.
    var restless: Set<UInt64> = []
    /// Channels that sockets of this loop listen to.
    var fans: [Key: ChannelFan] = [:]
    /// Channels of this loop's slots that sockets of this node listen to.
    var hubs: [Key: ChannelHub] = [:]
    /// Of these, those that nobody listens to any more, for a while.
    var idleHubs: Deque<(hub: ChannelHub, at: Int64)> = []
    /// Fans and hubs that have something to say of who listens.
    var restlessFans: Set<Key> = []
    var restlessHubs: Set<Key> = []
    /// The large message of a user that was written last, until the next tick.
    var lastShared: (incarnation: UInt64, sequence: UInt64, frames: SharedFrames)?
    /// Users who are between two polls.
    var pollers: [Key: Poller] = [:]
    /// How many of them channels wait for, each counted by its channels.
    var lingerers = 0
    /// Every socket of this loop, client's and link's, for deadlines and for closing.
    var sockets: [LoopSocket?] = []
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

    /// What sockets write into.
    var spares = SpareBuffers()
    /// For bytes whose number has to be known before they are written; whoever uses it clears it first.
    var scratch: [UInt8] = []
    /// Whose requests are looked at when.
    var turns = RequestTurns()
    private(set) var bell: TurnBell?
    private var dirty: [LoopSocket] = []
    private(set) var late: Deque<LoopSocket> = []
    private var flushIsScheduled = false
    /// See ``turnMilliseconds()``.
    private var turnAt: Int64?
    private var outgoing: [[Crossing]]
    private var crossingIsScheduled = false
    private var actions: [LoopAction] = []
    private var isPerforming = false
    private var tickCount = 0
    /// The socket that was looked at last, and how many this tick has yet to look at.
    private var roundPlace = 0
    private var roundLeft = 0
    private var isVisiting = false
    private var ticker: RepeatedTask?
    private var random = SplitMix64.seededBySystem()
    private var lastMessage: UInt64 = 0
    private let messageBase: UInt64
    private var lastStream: UInt64 = 0

    init(index: Int, eventLoop: any EventLoop, shared: NodeShared) {
        self.index = index
        self.eventLoop = eventLoop
        self.shared = shared
        logger = shared.logger
        let limits = shared.configuration.limits
        machine = LoopMachine(
            me: shared.identity, index: index, loopCount: shared.loopCount, seed: random.next(),
            limits: LoopLimits(mailbox: limits.mailbox, lanes: limits.lanes))
        socketsMax = (limits.socketsMax + shared.loopCount - 1) / shared.loopCount
        sessions = RequestTable(countMax: socketsMax + limits.channelsMax)
        outgoing = Array(repeating: [], count: shared.loopCount)
        messageBase = random.next()
    }

    // MARK: Time

    func start() {
        let pause = TimeAmount.milliseconds(Self.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [unowned self] _ in self.tick() }
        TurnBell.hang(on: eventLoop) {
            self.bell = $0
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
        for number in restless { sessions[number]?.onTick(now: now) }
        if !isVisiting { visitChannels() }
        onMoveTick(now: now)
        onIsolationTick(now: now)
        for link in links { link?.onTick(now: now) }
        tickCount += 1
        lastShared = nil
        if index == 0, tickCount % Self.ticksPerRound == 0 { shared.census.lookAtMemory() }
        if tickCount % Self.ticksPerPollerRound == 0 { pollers = pollers.filter { $0.value.until > now } }
        let isAtIt = roundLeft > 0
        roundLeft = min(sockets.count, roundLeft + (sockets.count + Self.ticksPerRound - 1) / Self.ticksPerRound)
        if !isAtIt { lookAtSockets() }
    }

    /// Looks for sockets whose time is over. Where a crowd of them has to be ended, others have their turn in between.
    private func lookAtSockets() {
        let now = Moment.now().monotonic
        var endings = 0
        while roundLeft > 0 {
            roundLeft -= 1
            roundPlace = roundPlace + 1 < sockets.count ? roundPlace + 1 : 0
            guard roundPlace < sockets.count, sockets[roundPlace]?.onRound(now: now) == true else { continue }
            endings += 1
            if endings < Self.endingsMax { continue }
            eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.lookAtSockets() }
            return
        }
    }

    /// Channels that have something to say or to wait for, some at a time: somebody may have touched thousands at once.
    private func visitChannels() {
        var rest = restlessFans.map { ($0, NodeLoop.onFanTick) } + restlessHubs.map { ($0, NodeLoop.onHubTick) }
        let now = Moment.now().monotonic
        func visitSome() {
            var left = Self.sliceChannelsMax
            while left > 0, let (key, visit) = rest.popLast() {
                visit(self)(key)
                left -= 1
            }
            while left > 0, endIdleHub(now: now) { left -= 1 }
            isVisiting = left == 0
            if isVisiting { inNextTurn { visitSome() } }
        }
        visitSome()
    }

    /// H: a link that is silent for so long is cut.
    var heartbeatMilliseconds: Int64 {
        Int64(view?.document.heartbeatTimeoutMilliseconds ?? ClusterDocument.sessionTimeoutMillisecondsDefault / 2)
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

    func register(_ socket: LoopSocket) -> Int {
        if let place = freeSockets.popLast() {
            sockets[place] = socket
            return place
        }
        sockets.append(socket)
        return sockets.count - 1
    }

    func unregister(_ place: Int) {
        sockets[place] = nil
        freeSockets.append(place)
    }

    /// The socket is flushed at the end of this tick, together with all others that were written to.
    func markDirty(_ socket: LoopSocket) {
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
        var place = 0
        let share = late.isEmpty ? Self.flushBytesMax : Self.flushBytesMax / 2
        while place < batch.count, spent < share {
            spent += flush(batch[place])
            place += 1
        }
        if place < batch.count { late.append(contentsOf: batch[place...]) }
        while spent < Self.flushBytesMax, let socket = late.popFirst() { spent += flush(socket) }
        batch.removeAll(keepingCapacity: true)
        if dirty.isEmpty { dirty = batch }
    }

    private func flush(_ socket: LoopSocket) -> Int {
        let bytes = socket.pendingBytes
        socket.flush()
        return max(bytes, Self.flushBytesMin)
    }

    // MARK: Crossings

    func slotLoop(_ slot: Int) -> Int { slot % shared.loopCount }

    func cross(_ crossing: Crossing, to loop: Int) {
        if loop == index {
            receive(crossing)
            return
        }
        outgoing[loop].append(crossing)
        if crossingIsScheduled { return }
        crossingIsScheduled = true
        eventLoop.execute { self.sendCrossings() }
    }

    func crossToAll(_ crossing: Crossing) {
        for loop in 0..<shared.loopCount { cross(crossing, to: loop) }
    }

    /// Hands over at once what this tick has collected.
    func sendCrossings() {
        crossingIsScheduled = false
        for loop in outgoing.indices where !outgoing[loop].isEmpty {
            let batch = outgoing[loop]
            outgoing[loop] = []
            let target = shared.loops[loop]
            target.eventLoop.execute {
                for crossing in batch { target.receive(crossing) }
            }
        }
    }

    private func receive(_ crossing: Crossing) {
        switch crossing {
        case .submit(let publish, let context): decide { $0.submit(publish, context, now: $1, actions: &$2) }
        case .attach(let request, let epoch):
            let fromLink = ChannelAddress(request.address).connection != 0
            if !fromLink, request.key.kind == .channel, request.stay == .never { return askInTurn(request) }
            decide { $0.attach(request, epoch: epoch, fromLink: fromLink, now: $1, actions: &$2) }
        case .detach(let address, let key): detachAtSlot(address, key)
        case .tune(let channel, let loop): tune(channel, loop: loop)
        case .untune(let channel, let loop): hubs[channel]?.untune(loop)
        case .listeners(let channel, let loop, let report): hubs[channel]?.take(report, from: loop)
        case .report(let channel, let address, let node, let report):
            decide { $0.report(report, on: channel, from: address, node: node, fromLink: true, now: $1, actions: &$2) }
        case .presence(let address, let news): onPresence(address, news)
        case .presenceNews(let channel, let news): fans[channel]?.take(news)
        case .fanOut(let channel, let item): fans[channel]?.take(item)
        case .channelLost(let channel, let reason): onChannelLost(channel, reason)
        case .answer(let address, let result): onAnswer(address, result)
        case .attached(let address, let result): onAttached(address, result)
        case .deliver(let address, let incarnation, let message): onDeliver(address, incarnation: incarnation, message)
        case .detached(let address): onDetached(address)
        case .slotRequest(let frame, let member, let channel):
            decide { $0.onRequest(frame, from: member, channel: channel, now: $1, actions: &$2) }
        case .slotReply(let channel, let frame): accepted[ChannelAddress(channel: channel).connection]?.send(.slot(frame))
        case .closeChannel(let channel): accepted[ChannelAddress(channel: channel).connection]?.closeNow()
        case .channelEnded(let channel): machine.channelEnded(channel, now: .now())
        case .streamEnded(let stream): machine.streamEnded(stream)
        }
    }

    func forget(_ address: ReturnAddress, _ key: Key) { machine.detach(address, from: key, now: .now()) }

    func setFull(_ link: UInt32, _ isFull: Bool) { machine.setFull(link, isFull) }

    // MARK: Performing

    /// Lets the machine decide, then performs. Whoever is called from here may come back with more: the machine decides on that
    /// at once, but what it comes to waits its turn behind what was decided before.
    func decide(_ body: (inout LoopMachine, Moment, inout [LoopAction]) -> Void) {
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

    private func perform(_ action: LoopAction) {
        switch action {
        case .forward(let peer, let request, let publish, let hops, let restarts):
            links[Int(peer)]?.forward(request, publish, hops: hops, restarts: restarts, epoch: machine.epoch)
        case .attach(let peer, let request, let epoch): links[Int(peer)]?.attach(request, epoch: epoch)
        case .send(let peer, let frame): links[Int(peer)]?.send(.slot(frame))
        case .reply(let channel, let frame):
            cross(.slotReply(channel: channel, frame), to: ChannelAddress(channel: channel).loop)
        case .answer(let address, let result): cross(.answer(address, result), to: ChannelAddress(address).loop)
        case .attached(let address, let result): cross(.attached(address, result), to: ChannelAddress(address).loop)
        case .deliver(let address, let incarnation, let message):
            cross(.deliver(address, incarnation: incarnation, message), to: ChannelAddress(address).loop)
        case .detached(let address): cross(.detached(address), to: ChannelAddress(address).loop)
        case .report(let peer, let address, let channel, let report): links[Int(peer)]?.report(address, channel, report)
        case .presence(let address, let news): cross(.presence(address, news), to: ChannelAddress(address).loop)
        case .askRoster: shared.askRoster(for: self)
        case .moveSoon:
            _ = eventLoop.scheduleTask(in: .milliseconds(SlotLimits.movePauseMilliseconds)) {
                self.decide { $0.onMoves(now: $1, actions: &$2) }
            }
        case .lookSoon:
            inNextTurn { self.decide { $0.onLook(now: $1, actions: &$2) } }
        case .closeChannel(let channel): cross(.closeChannel(channel), to: ChannelAddress(channel: channel).loop)
        }
    }
}
