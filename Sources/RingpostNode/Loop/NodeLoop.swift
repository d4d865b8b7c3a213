// One event loop of a node with everything that belongs to it: the mailboxes and lanes of its slots, its own links to
// every other member, the sockets that it accepted. Nothing here is shared, so nothing is locked; all of it is called on
// the loop only. It decides nothing itself: it feeds the machines and performs what they say.
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

    /// Publishes that one loop's connections may wait for; beyond it they are answered "overloaded".
    static let waitersMax = 1 << 20

    let index: Int
    let eventLoop: any EventLoop
    let shared: NodeShared
    let logger: Logger
    var store: MailboxStore
    var lanes: PublishLanes
    var view: MembershipView?
    var counters = LoopCounters()
    /// Publishes that connections of this loop wait for.
    var waiters = RequestTable<Waiter>(countMax: NodeLoop.waitersMax)
    /// Sockets' sessions, by the number of their current attachment.
    var sessions: RequestTable<EdgeSession>
    /// Sessions that are not settled: they are looked at in every tick.
    var restless: Set<UInt64> = []
    /// Every socket of this loop, client's and link's, for deadlines and for closing.
    var sockets: [LoopSocket?] = []
    var freeSockets: [Int] = []
    /// Links to other members, by handle; handles are not used again.
    var links: [LinkClient?] = []
    /// For each place of the ring where it is reached.
    var routes: [PublishLanes.Route] = []
    /// Accepted link connections by number.
    var accepted: [Int: LinkServer] = [:]
    var lastConnection = 0

    private var dirty: [LoopSocket] = []
    private var flushIsScheduled = false
    private var outgoing: [[Crossing]]
    private var crossingIsScheduled = false
    private var laneActions: [PublishLanes.Action] = []
    private var isPerforming = false
    private var ownerScratch: [OwnerAction] = []
    private var tickCount = 0
    private var ticker: RepeatedTask?
    private var random = SystemSeededRandom()
    private var lastMessage: UInt64 = 0
    private let messageBase: UInt64
    private var lastStream: UInt64 = 0

    init(index: Int, eventLoop: any EventLoop, shared: NodeShared) {
        self.index = index
        self.eventLoop = eventLoop
        self.shared = shared
        logger = shared.logger
        let limits = shared.configuration.limits
        store = MailboxStore(owner: shared.configuration.id, limits: limits.mailbox)
        lanes = PublishLanes(limits: limits.lanes)
        sessions = RequestTable(countMax: limits.socketsMax)
        outgoing = Array(repeating: [], count: shared.loopCount)
        messageBase = random.next()
    }

    // MARK: Time

    func start() {
        let pause = TimeAmount.milliseconds(Self.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [unowned self] _ in self.tick() }
    }

    func stop() {
        ticker?.cancel()
        for socket in sockets { socket?.closeNow() }
        for link in links { link?.stop() }
    }

    private func tick() {
        let now = Moment.now().monotonic
        withLaneActions { lanes.onTick(now: now, route: route, actions: &$0) }
        for number in restless { sessions[number]?.onTick(now: now) }
        store.forgetIdle(now: now)
        for link in links { link?.onTick(now: now) }
        tickCount += 1
        for place in stride(from: tickCount % Self.ticksPerRound, to: sockets.count, by: Self.ticksPerRound) {
            sockets[place]?.onRound(now: now)
        }
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
        if flushIsScheduled { return }
        flushIsScheduled = true
        eventLoop.execute { self.flush() }
    }

    private func flush() {
        flushIsScheduled = false
        var batch = dirty
        dirty.removeAll(keepingCapacity: true)
        for socket in batch { socket.flush() }
        batch.removeAll(keepingCapacity: true)
        if dirty.isEmpty { dirty = batch }
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

    private func sendCrossings() {
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
        case .submit(let publish, let context):
            let now = Moment.now().monotonic
            withLaneActions { lanes.submit(publish, context, now: now, route: route, actions: &$0) }
        case .attach(let request, let epoch): attachAtSlot(request, epoch: epoch)
        case .detach(let address, let key): detachAtSlot(address, key)
        case .answer(let address, let result): onAnswer(address, result)
        case .attached(let address, let result): onAttached(address, result)
        case .deliver(let address, let incarnation, let message): onDeliver(address, incarnation: incarnation, message)
        case .detached(let address): onDetached(address)
        case .channelEnded(let channel): store.detachAll(channel: channel)
        case .streamEnded(let stream): lanes.onStreamEnd(stream)
        }
    }

    // MARK: Performing

    /// Lets the lanes decide, then performs. Whoever is called from here may submit again: the lanes decide on that at once,
    /// but what it comes to waits its turn behind what was decided before.
    func withLaneActions(_ decide: (inout [PublishLanes.Action]) -> Void) {
        decide(&laneActions)
        if isPerforming { return }
        isPerforming = true
        var next = 0
        while next < laneActions.count {
            perform(laneActions[next])
            next += 1
        }
        laneActions.removeAll(keepingCapacity: true)
        isPerforming = false
    }

    private func perform(_ action: PublishLanes.Action) {
        switch action {
        case .append(let publish, let context, let arrival): append(publish, context, arrival: arrival)
        case .send(let peer, let request, let publish, let hops, let restarts):
            links[Int(peer)]?.forward(request, publish, hops: hops, restarts: restarts, epoch: lanes.epoch)
        case .answer(let address, let result): cross(.answer(address, result), to: ChannelAddress(address).loop)
        }
    }

    private func append(_ publish: Publish, _ context: PublishContext, arrival: UInt64) {
        guard lanes.mayAppend(publish, context, arrival: arrival) else {
            cross(.answer(context.address, .failure(.retry)), to: ChannelAddress(context.address).loop)
            return
        }
        let now = Moment.now()
        var isAppended = false
        withOwnerActions {
            isAppended = store.publish(
                publish, answerTo: context.address, epoch: lanes.epoch, now: now, fresh: freshRandom(), actions: &$0)
        }
        if !isAppended { lanes.onAppendRefused(publish, context, arrival: arrival) }
    }

    func withOwnerActions(_ decide: (inout [OwnerAction]) -> Void) {
        var actions: [OwnerAction] = []
        swap(&actions, &ownerScratch)
        decide(&actions)
        for action in actions {
            switch action {
            case .answer(let address, let result):
                cross(.answer(address, result), to: ChannelAddress(address).loop)
            case .deliver(let address, let incarnation, let message):
                cross(.deliver(address, incarnation: incarnation, message), to: ChannelAddress(address).loop)
            case .detached(let address):
                cross(.detached(address), to: ChannelAddress(address).loop)
            }
        }
        actions.removeAll(keepingCapacity: true)
        swap(&actions, &ownerScratch)
    }
}
