// One event loop of a node with everything that belongs to it: the machine of its slots, its own links to every other member, and the
// connections that it has accepted. Nothing here is shared, so nothing is locked; all of it is used on the event loop only. A shard owns its
// parts, runs the turn, and performs what the machine decides; it decides nothing itself.
import HashRing
import Logging
import NIOCore
import RingpostCore

package final class Shard: @unchecked Sendable {
    /// The pause between two ticks, in which deadlines, subscriptions that wait, and moves are looked at.
    static let tickMilliseconds: Int64 = 50

    package let runtime: ShardRuntime
    /// Owns this shard.
    private(set) unowned var group: ShardGroup!
    package let context: NodeContext

    /// Decides about this shard's slots.
    let shell: MachineShell
    package let links: ShardLinks
    package let publisher: Publisher
    let subscriptions: ShardSubscriptions
    let history: HistoryReads
    let tokenGate: TokenGate
    let tokenSweep = TokenSweep()
    private var isolation = IsolationWatch()

    private var ticker: RepeatedTask?
    private var tickCount = 0

    init(index: Int, eventLoop: any EventLoop, context: NodeContext, linkRegistry: LinkRegistry) {
        self.context = context
        let limits = context.configuration.limits
        runtime = ShardRuntime(
            index: index, shardCount: context.shardCount, eventLoop: eventLoop, limits: limits, quotas: context.quotas,
            logger: context.logger)
        shell = MachineShell(
            ShardMachine(
                me: context.identity, index: index, shardCount: context.shardCount,
                limits: ShardLimits(mailbox: limits.mailbox, lanes: limits.lanes)))
        publisher = Publisher(runtime: runtime, apiKeys: context.apiKeys, payloadBytesMax: limits.payloadBytesMax)
        links = ShardLinks(runtime: runtime, shell: shell, publisher: publisher, context: context, registry: linkRegistry)
        tokenGate = TokenGate(
            tokens: context.tokens, quotas: context.quotas, eventLoop: eventLoop, loops: context.loops,
            onSignature: { [runtime] in runtime.spendTurn(requests: FairScheduler.requestsASignature) })
        subscriptions = ShardSubscriptions(runtime: runtime, shell: shell, context: context)
        history = HistoryReads(runtime: runtime, shell: shell, kilobytesPerSecond: limits.historyKilobytesPerSecond)
        runtime.serve(self)
        shell.serve(self)
        links.serve(self)
    }

    /// Once, before anything else.
    func join(_ group: ShardGroup) { self.group = group }

    // MARK: Time

    package func start() {
        let pause = TimeAmount.milliseconds(Self.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [unowned self] _ in self.tick() }
        runtime.start()
    }

    package func stop() {
        ticker?.cancel()
        shell.store?.handOver()
        shell.store?.endQuestions()
        runtime.end()
        for connection in runtime.allConnections { connection.closeNow() }
        links.stop()
    }

    private func tick() {
        let now = Moment.now().monotonic
        decide { $0.onTick(now: $1, actions: &$2) }
        subscriptions.onTick(now: now)
        history.onTick(now: now)
        onMoveTick(now: now)
        onIsolationTick(now: now)
        links.onTick(now: now)
        shell.store?.onTick(now: now)
        tickCount += 1
        if tickCount % ConnectionTable.ticksPerRound == 0 {
            context.setWaits(machine.slotWaits, ofShard: index)
            if index == 0 {
                context.tellWaits()
                context.quotas.checkMemory()
            }
            if context.quotas.isMemoryShort {
                if index == 0 { context.quotas.giveBack() }
                shedMemory(now: now)
            }
        }
        runtime.onDeadlineTick()
    }

    private func onIsolationTick(now: Int64) {
        guard let view else { return }
        let isCutOff = now >= machine.leaseUntil && view.members.count > 1 && !links.hasOneUp
        switch isolation.onTick(isCutOff: isCutOff, isMoving: admission.isMoving, now: now) {
        case .nothing: break
        case .keepClients: stopMovingSockets()
        case .moveClients:
            logger.error("cut off from every other member: asking clients to go elsewhere", metadata: ["shard": "\(index)"])
            moveSockets(milliseconds: IsolationWatch.moveMilliseconds, elsewhere: context.elsewhere(view))
        }
    }

    // MARK: The ring

    /// A new epoch: links to members come and go, slots change hands, and subscriptions whose owner has changed attach to the new one.
    package func apply(_ view: MembershipView) {
        let old = self.view
        if let old, view.epoch < old.epoch { return }
        shell.setView(view)
        tokenGate.setHasher(view.hasher)
        publisher.setHasher(view.hasher)
        links.apply(view)
        decide { $0.apply(view, now: $1, actions: &$2) }
        subscriptions.reattach(from: old, to: view)
        if old == nil { context.onShardKnowsRing() }
    }

    package func setLease(until: Int64, reachesZooKeeper: Bool = true) {
        decide { $0.setLease(until: until, reachesZooKeeper: reachesZooKeeper, now: $1, actions: &$2) }
    }

    /// This node has a new boot: nothing that was said under the old one holds, on any link.
    ///
    /// - Parameter lineage: whose the copies are; the boot's, and so another one than before, if it is 0.
    package func begin(as me: MemberIdentity, lineage: UInt64 = 0) {
        decide { $0.begin(as: me, lineage: lineage == 0 ? nil : lineage, now: $1, actions: &$2) }
        links.breakOff()
    }

    /// Another boot of this id may have had copies.
    func succeed() { decide { machine, now, _ in machine.succeed(now: now) } }

}

extension Shard: ShardActionPerformer {
    func perform(_ action: ShardAction) {
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
        case .askRoster: askRoster()
        case .moveSoon:
            _ = eventLoop.scheduleTask(in: .milliseconds(SlotLimits.movePauseMilliseconds)) {
                self.decide { $0.onMoves(now: $1, actions: &$2) }
            }
        case .scheduleEpochWork:
            inNextTurn { self.decide { $0.onEpochWork(now: $1, actions: &$2) } }
        case .load(let slot, let head): shell.store?.load(slot, head)
        case .read(let number, let load): shell.store?.read(number, load)
        case .closeConnection(let connectionID):
            post(.closeConnection(connectionID), to: ConnectionAddress(connectionID: connectionID).shard)
        }
    }

    /// Slots have been found of which nobody has a copy.
    private func askRoster() {
        guard let vacancyWait = context.vacancyWait else { return }
        let epoch = machine.epoch
        Task {
            let wait = await vacancyWait(epoch)
            context.loops.execute(on: eventLoop) {
                self.decide { $0.onRoster(waitMilliseconds: wait, askedAt: epoch, now: $1, actions: &$2) }
            }
        }
    }
}
