// Drives the two membership machines against ZooKeeper: one actor, one inbox, one event at a time. What happens (sessions,
// answers, peers, time) is put into the inbox, the machines decide, and what they want done is done in
// MembershipService+Actions.swift. Nothing is decided here.

import Logging
import RingpostCore
import Synchronization
import ZooKeeperClient

/// This node's membership: its view of the cluster and its right to act.
public actor MembershipService {
    /// A holder of the own id that doesn't answer for so long is silent.
    public static let probeLimitMilliseconds = 2_000
    /// So many inputs of peers and operators may wait; more are dropped. Peers repeat what matters with their next heartbeat.
    static let outsideInputsMax = 4_096

    /// What waits in the inbox.
    enum Input: Sendable {
        case membership(MembershipEvent)
        case sessionMade(number: Int, ZooKeeperSession)
        case zooKeeper(number: Int, ZooKeeperSessionEvent)
        case syncAnswered(sentAt: Int64)
        case syncFailed(sentAt: Int64)
        case revocations(ticket: UInt64, RevocationMachine.Answer)
        case fromOutside(OutsideInput)
        case tick
    }

    /// What peers and operators can put into the inbox.
    enum OutsideInput: Sendable {
        case event(MembershipEvent)
        case outageAnswer(MemberIdentity, queryNumber: UInt64, sameEpoch: Bool, reachesZooKeeper: Bool)
        case goodbye(MemberIdentity)
    }

    /// How `run` ends.
    enum Ending: Sendable {
        case left
        case failed(MembershipFailure)
    }

    /// All memberships of a process run on one thread: see `MembershipThread`.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { MembershipThread.executor.asUnownedSerialExecutor() }

    let configuration: MembershipConfiguration
    let paths: ClusterPaths
    let hooks: MembershipHooks
    let logger: Logger
    /// Without ZooKeeper: alone, with a lease that never ends.
    let isEmbedded: Bool
    private let startedAt: Int64

    /// Not bounded by itself: the machines have few requests under way at any time, and what comes from outside is counted.
    private let inputs: AsyncStream<Input>
    nonisolated let inbox: AsyncStream<Input>.Continuation
    private let outsideInputsWaiting = Atomic<Int>(0)

    var machine: MembershipMachine
    /// Made with the cluster's document, which says S, H and M.
    var leaseMachine: LeaseMachine?
    var session: (number: Int, store: MembershipStore)?
    /// Events that a session reported before its initializer had returned. A session has at most two of them.
    var earlyEvents: [(number: Int, event: ZooKeeperSessionEvent)] = []
    var closing: [Task<Void, Never>] = []
    var ending: Ending?
    private var lastLease: Lease?
    private var wake: (at: Int64, task: Task<Void, Never>)?
    private var isRunning = false
    /// It has been asked to go: that it may not act any more is nothing to be alarmed at.
    private(set) var isLeaving = false
    private var endWaiters: [CheckedContinuation<Void, Never>] = []
    private var embeddedView: MembershipView?
    /// What is revoked; without ZooKeeper it is written down here alone.
    var revocations = RevocationMachine()
    var embeddedNotes: [Revocation: RevocationNote] = [:]
    /// By epochs in which the roster is being looked at; who asks meanwhile, in the same one, gets the same answer.
    var vacancyChecks: [UInt64?: Task<Int64?, Never>] = [:]

    /// A membership in a cluster that lives in ZooKeeper. Nothing happens before ``run()``.
    public init(configuration: MembershipConfiguration, hooks: MembershipHooks, logger: Logger) {
        self.init(configuration: configuration, isEmbedded: false, hooks: hooks, logger: logger)
    }

    /// A cluster of this node alone, without ZooKeeper: a view with epoch 1 at once, and a lease that never ends.
    public static func embedded(me: Member, hooks: MembershipHooks, logger: Logger) -> MembershipService {
        let configuration = MembershipConfiguration(servers: "", cluster: "embedded", me: me)
        return MembershipService(configuration: configuration, isEmbedded: true, hooks: hooks, logger: logger)
    }

    private init(configuration: MembershipConfiguration, isEmbedded: Bool, hooks: MembershipHooks, logger: Logger) {
        self.configuration = configuration
        paths = ClusterPaths(cluster: configuration.cluster, chroot: configuration.chroot)
        self.isEmbedded = isEmbedded
        self.hooks = hooks
        self.logger = logger
        startedAt = MonotonicClock.nowMilliseconds()
        machine = MembershipMachine(cluster: configuration.cluster, me: configuration.me, proposal: configuration.proposal())
        (inputs, inbox) = AsyncStream.makeStream(of: Input.self, bufferingPolicy: .unbounded)
    }

    /// Is a member until ``leave(clearingRoster:)``, or until the task is cancelled: then the session is closed without a goodbye.
    ///
    /// - Throws: ``MembershipFailure`` when this node can't be a member: its id is in use, the cluster's document or ZooKeeper's
    ///   configuration don't fit.
    public func run() async throws {
        precondition(!isRunning && ending == nil, "a membership runs once")
        try configuration.check()
        isRunning = true
        publishLease(now: MonotonicClock.nowMilliseconds())
        if isEmbedded {
            await runEmbedded()
        } else {
            await runWithZooKeeper()
        }
        isRunning = false
        // Its questions go out on event loops that may end after this.
        for check in vacancyChecks.values { _ = await check.value }
        for waiter in endWaiters { waiter.resume() }
        endWaiters = []
        if case .failed(let failure) = ending { throw failure }
    }

    private func runWithZooKeeper() async {
        inbox.yield(.membership(.start))
        for await input in inputs {
            take(input, now: MonotonicClock.nowMilliseconds())
            if ending != nil { break }
        }
        inbox.finish()
        wake?.task.cancel()
        // Cancelled: nobody is waiting for a goodbye.
        if ending == nil {
            ending = .left
            perform(.unregistered, now: MonotonicClock.nowMilliseconds())
            perform(.closeSession, now: MonotonicClock.nowMilliseconds())
            publishLease(now: MonotonicClock.nowMilliseconds())
        }
        for task in closing { await task.value }
    }

    private func runEmbedded() async {
        let document = configuration.proposal()
        var random = SystemRandomNumberGenerator()
        var me = configuration.me
        me.boot = random.next()
        hooks.onIdentity(me.identity)
        hooks.onRegistered(me.identity, false)
        var view = MembershipView(epoch: 1, members: [me], document: document, own: me.identity)
        embeddedView = view
        hooks.onView(view)
        perform(revocations.onTidied(seconds: 0))
        for await input in inputs {
            if case .membership(.leave) = input { break }
            guard case .fromOutside(let outside) = input else { continue }
            outsideInputsWaiting.subtract(1, ordering: .relaxed)
            guard case .event(.setWeight(let weight)) = outside, weight != me.weight else { continue }
            me.weight = weight
            view = MembershipView(epoch: view.epoch + 1, members: [me], document: document, own: me.identity, previous: view)
            embeddedView = view
            hooks.onView(view)
        }
        inbox.finish()
        ending = .left
    }

    // MARK: - What goes in

    /// Takes another weight, in one epoch; 0 gives all slots away, and one above 0 takes a drain back.
    public nonisolated func setWeight(_ weight: UInt16) { submit(.event(.setWeight(weight))) }

    /// Gives up the weight as soon as others have any. The node stays member, with its boot, until ``leave(clearingRoster:)``.
    public nonisolated func drain() { submit(.event(.drain)) }

    /// Takes the weight again that ``drain()`` gave up.
    public nonisolated func endDrain() { submit(.event(.endDrain)) }

    /// Gives the session up and stays outside, with a new session that only reads the list.
    public nonisolated func withdraw() { submit(.event(.withdraw)) }

    /// Becomes a member again after ``withdraw()``.
    public nonisolated func comeBack() { submit(.event(.comeBack)) }

    /// A peer's answer to a query that ``MembershipHooks/askPeers`` sent.
    ///
    /// - Parameters:
    ///   - peer: id and boot of who answers.
    ///   - queryNumber: which query.
    ///   - sameEpoch: whether the peer is at the query's epoch.
    ///   - reachesZooKeeper: what the peer's own ``Lease`` says.
    public nonisolated func outageAnswer(from peer: MemberIdentity, queryNumber: UInt64, sameEpoch: Bool, reachesZooKeeper: Bool) {
        submit(.outageAnswer(peer, queryNumber: queryNumber, sameEpoch: sameEpoch, reachesZooKeeper: reachesZooKeeper))
    }

    /// A peer has said over its link that it goes: its agreement is not needed any more.
    public nonisolated func saidGoodbye(_ peer: MemberIdentity) { submit(.goodbye(peer)) }

    /// A peer's member list that is newer than this node's.
    public nonisolated func offer(epoch: UInt64, members: [Member], generation: UInt64) {
        submit(.event(.offered(epoch: epoch, members: members, generation: generation)))
    }

    /// A peer has another digest at the same epoch.
    public nonisolated func peerDiffers(_ peer: MemberIdentity, epoch: UInt64, digest: UInt64) {
        submit(.event(.peerDiffers(peer, epoch: epoch, digest: digest)))
    }

    /// Says goodbye and ends ``run()``; returns when it has ended.
    ///
    /// - Parameter clearingRoster: only when this node holds no copy that anybody could still need, as after a complete drain.
    public func leave(clearingRoster: Bool) async {
        guard isRunning else { return }
        isLeaving = true
        // Never dropped, so it is none of the inputs that are counted.
        inbox.yield(.membership(.leave(clearingRoster: clearingRoster)))
        await withCheckedContinuation { endWaiters.append($0) }
    }

    /// Each member's last boot, without those that said goodbye: who might still have a copy.
    ///
    /// - Throws: when ZooKeeper can't be reached, or when an entry can't be read: then nothing may be concluded.
    public func roster() async throws -> [Member] {
        if isEmbedded { return [] }
        guard let store = session?.store else { throw MembershipFailure(message: "there is no session with ZooKeeper") }
        return try await store.roster()
    }

    /// The newest view, which `onView` was told of; `nil` before the first one.
    public var view: MembershipView? { isEmbedded ? embeddedView : machine.view }

    /// Who this node is at present, member or not.
    public var identity: MemberIdentity { view?.own?.identity ?? machine.me.identity }

    /// Whether ZooKeeper answers this node; always, without one.
    public var reachesZooKeeper: Bool { currentLease(now: MonotonicClock.nowMilliseconds()).reachesZooKeeper }

    /// Drops what is too much: an operator's answer is the view that doesn't change.
    private nonisolated func submit(_ input: OutsideInput) {
        guard outsideInputsWaiting.add(1, ordering: .relaxed).newValue <= Self.outsideInputsMax else {
            outsideInputsWaiting.subtract(1, ordering: .relaxed)
            return
        }
        inbox.yield(.fromOutside(input))
    }

    // MARK: - One event at a time

    private func take(_ input: Input, now: Int64) {
        switch input {
        case .membership(let event): apply(event, now: now)
        case .sessionMade(let number, let made): adopt(made, number: number, now: now)
        case .zooKeeper(let number, let event): onZooKeeper(event, number: number, now: now)
        case .syncAnswered(let sentAt): perform(leaseMachine?.syncAnswered(sentAt: sentAt, now: now), now: now)
        case .syncFailed(let sentAt): perform(leaseMachine?.syncFailed(sentAt: sentAt, now: now), now: now)
        case .revocations(let ticket, let answer): onRevocations(ticket, answer, now: now)
        case .fromOutside(let input):
            outsideInputsWaiting.subtract(1, ordering: .relaxed)
            takeFromOutside(input, now: now)
        case .tick:
            wake = nil
            perform(leaseMachine?.tick(now: now), now: now)
            perform(revocations.onTick(now: now))
            apply(.tick, now: now)
        }
        publishLease(now: now)
        setWake(now: now)
    }

    private func takeFromOutside(_ input: OutsideInput, now: Int64) {
        switch input {
        case .event(let event): apply(event, now: now)
        case .outageAnswer(let peer, let number, let sameEpoch, let reaches):
            let actions = leaseMachine?.outageAnswer(
                from: peer, queryNumber: number, sameEpoch: sameEpoch, reachesZooKeeper: reaches, now: now)
            perform(actions, now: now)
        case .goodbye(let peer): perform(leaseMachine?.saidGoodbye(peer, now: now), now: now)
        }
    }

    private func setWake(now: Int64) {
        let due = [machine.nextWake, leaseMachine?.nextWake(now: now), revocations.nextWake].compactMap { $0 }.min()
        if wake?.at == due { return }
        wake?.task.cancel()
        wake = nil
        guard let due else { return }
        let inbox = inbox
        let task = Task {
            do { try await Task.sleep(for: .milliseconds(max(0, due - now))) } catch { return }
            inbox.yield(.tick)
        }
        wake = (due, task)
    }

    func publishLease(now: Int64) {
        let lease = currentLease(now: now)
        if lease == lastLease { return }
        let before = lastLease
        lastLease = lease
        hooks.onLease(lease)
        if let before, before.state != lease.state { logLease(lease, before: before, now: now) }
    }

    private func currentLease(now: Int64) -> Lease {
        if isEmbedded { return .forever }
        let frozen = Lease(state: .frozen(since: startedAt), actUntil: startedAt, reachesZooKeeper: false)
        let lease = leaseMachine?.lease(now: now) ?? frozen
        // Between two sessions no syncs are sent, but a node that is connected must not tell peers that ZooKeeper is away.
        return Lease(state: lease.state, actUntil: lease.actUntil, reachesZooKeeper: lease.reachesZooKeeper || isOnlyConnected)
    }

    private var isOnlyConnected: Bool { machine.isConnected && !isRegistered }

    /// Whether the present session holds this node's znode.
    var isRegistered = false
}
