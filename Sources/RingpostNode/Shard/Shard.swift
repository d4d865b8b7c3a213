// One event loop of a node with everything that belongs to it: the machine of its slots, its own links to every other member, and the
// connections that it has accepted. Nothing here is shared, so nothing is locked; all of it is used on the event loop only. A shard owns its
// parts, runs the turn, and performs what the machine decides; it decides nothing itself.
import HashRing
import Logging
import NIOCore
import RingpostCore

final class Shard: @unchecked Sendable {
    /// The pause between two ticks, in which deadlines, subscriptions that wait, and moves are looked at.
    static let tickMilliseconds: Int64 = 50
    /// Pollers who have not come back are forgotten once in so many ticks.
    static let ticksPerPollerRound = 200

    let runtime: ShardRuntime
    let shared: NodeContext
    /// Client sockets and waiting polls of this shard.
    let socketsMax: Int

    // The decisions about this shard's slots, and what they come to.
    private(set) var machine: ShardMachine
    private var actions: [ShardAction] = []
    private var isPerforming = false
    private(set) var view: MembershipView?

    // Its parts.
    var links = LinkTable()
    let publisher: Publisher
    var subscriptions: SubscriptionTable
    private(set) var channels: ChannelTable! = nil
    var pollers = PollerTable()
    var sharedFrames = SharedFrameCache()
    let tokenGate: TokenGate
    private var isolation = IsolationWatch()

    private var ticker: RepeatedTask?
    private var tickCount = 0

    init(index: Int, eventLoop: any EventLoop, shared: NodeContext) {
        self.shared = shared
        let limits = shared.configuration.limits
        runtime = ShardRuntime(
            index: index, shardCount: shared.shardCount, eventLoop: eventLoop, limits: limits, quotas: shared.quotas, logger: shared.logger)
        machine = ShardMachine(
            me: shared.identity, index: index, shardCount: shared.shardCount, seed: runtime.numbers.random(),
            limits: ShardLimits(mailbox: limits.mailbox, lanes: limits.lanes))
        socketsMax = (limits.socketsMax + shared.shardCount - 1) / shared.shardCount
        subscriptions = SubscriptionTable(countMax: socketsMax + limits.channelsMax)
        publisher = Publisher(runtime: runtime, apiKeys: shared.apiKeys, payloadBytesMax: limits.payloadBytesMax)
        tokenGate = TokenGate(tokens: shared.tokens, quotas: shared.quotas, eventLoop: eventLoop)
        channels = ChannelTable(shard: self, limits: limits)
        runtime.serve(self)
    }

    // MARK: Time

    func start() {
        let pause = TimeAmount.milliseconds(Self.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [unowned self] _ in self.tick() }
        runtime.start()
    }

    func stop() {
        ticker?.cancel()
        for connection in runtime.allConnections { connection.closeNow() }
        for link in links.allDialled { link.stop() }
    }

    private func tick() {
        let now = Moment.now().monotonic
        decide { $0.onTick(now: $1, actions: &$2) }
        for number in subscriptions.pending { subscriptions[number]?.onTick(now: now) }
        channels.onTick()
        onMoveTick(now: now)
        onIsolationTick(now: now)
        for link in links.allDialled { link.onTick(now: now) }
        tickCount += 1
        sharedFrames.removeAll()
        if index == 0, tickCount % ConnectionTable.ticksPerRound == 0 { shared.quotas.checkMemory() }
        if tickCount % Self.ticksPerPollerRound == 0 { pollers.expire(now: now) }
        runtime.onDeadlineTick()
    }

    /// H: a link that is silent for so long is cut.
    var heartbeatMilliseconds: Int64 {
        Int64(view?.document.heartbeatTimeoutMilliseconds ?? ClusterDocument.sessionTimeoutMillisecondsDefault / 2)
    }

    private func onIsolationTick(now: Int64) {
        guard let view else { return }
        let isCutOff = now >= machine.leaseUntil && view.members.count > 1 && !links.hasOneUp
        switch isolation.onTick(isCutOff: isCutOff, isMoving: admission.isMoving, now: now) {
        case .nothing: break
        case .keepClients: stopMovingSockets()
        case .moveClients:
            logger.error("cut off from every other member: asking clients to go elsewhere", metadata: ["shard": "\(index)"])
            moveSockets(milliseconds: IsolationWatch.moveMilliseconds, elsewhere: shared.elsewhere(view))
        }
    }

    // MARK: The ring

    /// The ring in force.
    ///
    /// - Throws: that this node is not in a ring yet.
    func currentView() throws(ProblemReport) -> MembershipView {
        guard let view else { throw .notInARing }
        return view
    }

    /// A new epoch: links to members come and go, slots change hands, and subscriptions whose owner has changed attach to the new one.
    func apply(_ view: MembershipView) {
        let old = self.view
        if let old, view.epoch < old.epoch { return }
        self.view = view
        tokenGate.setHasher(view.hasher)
        publisher.setHasher(view.hasher)
        updateLinks(to: view)
        decide { $0.apply(view, now: $1, actions: &$2) }
        reattach(from: old, to: view)
    }

    func setLease(until: Int64) { decide { $0.setLease(until: until, now: $1, actions: &$2) } }

    /// This node has a new boot: nothing that was said under the old one holds, on any link.
    func begin(as me: MemberIdentity) {
        decide { $0.begin(as: me, now: $1, actions: &$2) }
        for link in links.allDialled { link.breakOff() }
        for server in Array(links.allAccepted) { server.breakOff() }
    }

    /// Another boot of this id may have had copies.
    func succeed() { decide { machine, now, _ in machine.succeed(now: now) } }

    // MARK: The machine

    func forget(_ address: ReturnAddress, _ key: Key) { machine.detach(address, from: key, now: .now()) }
    func setFull(_ link: UInt32, _ isFull: Bool) { machine.setFull(link, isFull) }
    func onConnectionEnded(_ connectionID: UInt32) { machine.connectionEnded(connectionID, now: .now()) }
    func onStreamEnded(_ stream: UInt64) { machine.streamEnded(stream) }

    /// Lets the machine decide, then performs. Code that is called from here may come back with more: the machine decides on that at once,
    /// but what it comes to waits its turn behind what was decided before.
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
            links[peer]?.forward(request, publish, hops: hops, restarts: restarts, epoch: machine.epoch)
        case .attach(let peer, let request, let epoch): links[peer]?.attach(request, epoch: epoch)
        case .send(let peer, let frame): links[peer]?.send(.slot(frame))
        case .reply(let connectionID, let frame):
            post(.slotReply(connectionID: connectionID, frame), to: ConnectionAddress(connectionID: connectionID).shard)
        case .answer(let address, let result): post(.answer(address, result), to: ConnectionAddress(address).shard)
        case .attached(let address, let result): post(.attached(address, result), to: ConnectionAddress(address).shard)
        case .deliver(let address, let incarnation, let message):
            post(.deliver(address, incarnation: incarnation, message), to: ConnectionAddress(address).shard)
        case .detached(let address): post(.detached(address), to: ConnectionAddress(address).shard)
        case .report(let peer, let address, let channel, let report): links[peer]?.report(address, channel, report)
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
