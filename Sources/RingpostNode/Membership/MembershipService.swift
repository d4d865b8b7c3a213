// Drives the node machine against ZooKeeper: one actor, one inbox, one event at a time. What happens (sessions, answers, peers, orders,
// time) is put into the inbox, the machine decides, and what it wants done is done in MembershipService+Actions.swift. Nothing is
// decided here.

import Logging
import RingpostCore
import Synchronization
import ZooKeeperClient

/// This node's membership: its view of the cluster, its right to act, and its orderly end.
public actor MembershipService {
    /// A holder of the own id that doesn't answer for so long is silent.
    public static let probeLimitMilliseconds = 2_000
    /// So many inputs of peers may wait; more are dropped. Peers repeat what matters with their next heartbeat.
    static let outsideInputsMax = 4_096

    /// What waits in the inbox.
    enum Input: Sendable {
        case event(NodeEvent)
        case sessionMade(number: Int, ZooKeeperSession)
        case zooKeeper(number: Int, ZooKeeperSessionEvent)
        /// Of a peer.
        case fromOutside(NodeEvent)
        /// The node can't go on.
        case failed(String)
    }

    /// All memberships of a process run on one thread: see `MembershipThread`.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { MembershipThread.executor.asUnownedSerialExecutor() }

    let configuration: MembershipConfiguration
    let paths: ClusterPaths
    let hooks: MembershipHooks
    /// What keeps this node's lineage; `nil` where it ends with the process.
    let keeper: (any LineageKeeper)?
    let logger: Logger

    /// Not bounded by itself: the machine has few requests under way at any time, and what comes from outside is counted.
    private let inputs: AsyncStream<Input>
    nonisolated let inbox: AsyncStream<Input>.Continuation
    private let outsideInputsWaiting = Atomic<Int>(0)

    var machine: NodeMachine
    /// What the machine wants done and has not been done yet.
    private var actions: [NodeAction] = []
    private var isPerforming = false
    var session: (number: Int, store: MembershipStore)?
    /// Events that a session reported before its initializer had returned. A session has at most two of them.
    var earlyEvents: [(number: Int, event: ZooKeeperSessionEvent)] = []
    var closing: [Task<Void, Never>] = []
    /// What is asked of the node, the latest of each kind.
    var looking: Task<Void, Never>?
    var moving: Task<Void, Never>?
    var probing: Task<Void, Never>?
    /// ZooKeeper is asked over a session beside.
    var asking: Task<Void, Never>?
    private(set) var ending: NodeAction.Ending?
    private var wake: (at: Int64, task: Task<Void, Never>)?
    private var isRunning = false
    private var endWaiters: [CheckedContinuation<Void, Never>] = []
    /// Without ZooKeeper, what is to be kept of revocations.
    var embeddedRecords: [Revocation: RevocationRecord] = [:]
    /// Of these, what is being written to the disk, and not in force yet.
    var unwrittenRecords: [Revocation: RevocationRecord] = [:]
    /// What was wrong with entries of the roster when it was last said.
    var rosterFaults: [String] = []
    /// Who was no member and in the roster when it was last said.
    var strangersSaid = ""
    /// By epochs in which the roster is being looked at; who asks meanwhile, in the same one, gets the same answer.
    var vacancyChecks: [UInt64: Task<Int64?, Never>] = [:]

    /// A membership in a cluster that lives in ZooKeeper, or in one of this node alone. Nothing happens before ``run()``.
    public init(configuration: MembershipConfiguration, hooks: MembershipHooks, keeper: (any LineageKeeper)? = nil, logger: Logger) {
        self.configuration = configuration
        paths = ClusterPaths(cluster: configuration.cluster, chroot: configuration.chroot)
        self.hooks = hooks
        self.keeper = keeper
        self.logger = logger
        let drain = DrainMachine(
            drainMilliseconds: configuration.drainMilliseconds,
            sessionTimeoutMilliseconds: Int64(configuration.sessionTimeoutMilliseconds),
            handOverMilliseconds: configuration.handOverMilliseconds, keepsCopies: keeper != nil)
        let now = MonotonicClock.nowMilliseconds()
        if configuration.servers == nil {
            var (random, me) = (SystemRandomNumberGenerator(), configuration.me)
            me.boot = random.next()
            machine = NodeMachine(
                alone: me, document: configuration.proposal(), above: configuration.ring?.epoch ?? 0, drain: drain, now: now)
        } else {
            let membership = MembershipMachine(
                cluster: configuration.cluster, me: configuration.me, proposal: configuration.proposal(),
                copiesWanted: configuration.copies, began: Moment.now().wall,
                storedBoots: keeper.flatMap { $0.boots.isEmpty ? nil : $0.boots }, storedEpoch: keeper?.epoch ?? 0)
            machine = NodeMachine(membership, drain: drain, now: now)
        }
        (inputs, inbox) = AsyncStream.makeStream(of: Input.self, bufferingPolicy: .unbounded)
    }

    /// Is a member until it has drained or ``leave(clearingRoster:)``, or until the task is cancelled: then the session is closed without a
    /// goodbye. When it returns, nothing is asked of the node any more.
    ///
    /// - Throws: ``MembershipFailure`` when this node can't be a member: its id is in use, the cluster's document or ZooKeeper's
    ///   configuration don't fit.
    public func run() async throws {
        precondition(!isRunning && ending == nil, "a membership runs once")
        try configuration.check()
        try restoreRevocations()
        isRunning = true
        handle(.start)
        for await input in inputs {
            apply(input)
            if ending != nil { break }
        }
        inbox.finish()
        // Cancelled: nobody is waiting for a goodbye.
        if ending == nil {
            handle(.stop)
            ending = .left
        }
        wake?.task.cancel()
        await finish()
        isRunning = false
        for waiter in endWaiters { waiter.resume() }
        endWaiters = []
        if case .failed(let sentence) = ending { throw MembershipFailure(message: sentence) }
    }

    /// Its questions go out on event loops that may end after this.
    private func finish() async {
        moving?.cancel()
        asking?.cancel()
        for task in [moving, looking, probing, asking] { await task?.value }
        for task in closing { await task.value }
        for check in vacancyChecks.values { _ = await check.value }
    }

    // MARK: - What goes in

    /// Begins to drain, or goes on; a second signal hastens it. The node stays member, with its boot, until it holds nothing any more.
    public func drain(_ cause: DrainMachine.Cause) {
        guard isRunning else {
            inbox.yield(.event(.drain(cause)))
            return
        }
        handle(.drain(cause))
    }

    /// The node drains or leaves.
    var isDraining: Bool { machine.isDraining }

    /// Takes another weight, in one epoch; 0 gives all slots away, and one above 0 takes a drain back.
    public func setWeight(_ weight: UInt16) throws(DrainRefusal) {
        guard ending == nil else { throw .leaving }
        perform(try machine.setWeight(weight, now: MonotonicClock.nowMilliseconds()))
    }

    /// What a peer has said. Drops what is too much.
    public nonisolated func submit(_ event: NodeEvent) {
        guard outsideInputsWaiting.add(1, ordering: .relaxed).newValue <= Self.outsideInputsMax else {
            outsideInputsWaiting.subtract(1, ordering: .relaxed)
            return
        }
        inbox.yield(.fromOutside(event))
    }

    /// Something that the node can't do without has failed: ``run()`` throws this sentence.
    public nonisolated func fail(because sentence: String) { inbox.yield(.failed(sentence)) }

    /// Says goodbye and ends ``run()``; returns when it has ended.
    ///
    /// - Parameter clearingRoster: only when this node holds no copy that anybody could still need, as after a complete drain.
    public func leave(clearingRoster: Bool) async {
        guard isRunning else { return }
        inbox.yield(.event(.membership(.leave(clearingRoster: clearingRoster))))
        await withCheckedContinuation { endWaiters.append($0) }
    }

    /// Each member's last boot, without those that said goodbye or were given up: who might still have a copy.
    ///
    /// - Throws: when ZooKeeper can't be reached.
    public func roster() async throws -> [Member] {
        guard let store = session?.store else { throw MembershipFailure(message: "there is no session with ZooKeeper") }
        return try await store.roster().entries
    }

    /// The newest view, which `onView` was told of; `nil` before the first one.
    public var view: MembershipView? { machine.view }

    // MARK: - One event at a time

    private func apply(_ input: Input) {
        switch input {
        case .event(.tick):
            wake = nil
            handle(.tick)
        case .event(let event): handle(event)
        case .sessionMade(let number, let made): adopt(made, number: number)
        case .zooKeeper(let number, let event): onZooKeeper(event, number: number)
        case .fromOutside(let event):
            outsideInputsWaiting.subtract(1, ordering: .relaxed)
            handle(event)
        case .failed(let sentence): fail(sentence)
        }
    }

    func handle(_ event: NodeEvent) {
        guard ending == nil else { return }
        perform(machine.handle(event, now: MonotonicClock.nowMilliseconds()))
    }

    /// In order: what an action leads to at once comes after those that wait already.
    func perform(_ wanted: [NodeAction]) {
        actions += wanted
        if isPerforming { return }
        isPerforming = true
        var next = 0
        while next < actions.count {
            next += 1
            perform(actions[next - 1])
        }
        actions.removeAll()
        isPerforming = false
        setWake(now: MonotonicClock.nowMilliseconds())
    }

    /// Ends the node at once, without a goodbye: its session is closed, so that others go on without it.
    func fail(_ sentence: String) {
        guard ending == nil else { return }
        handle(.stop)
        end(.failed(sentence))
    }

    func end(_ ending: NodeAction.Ending) {
        if case .failed(let sentence) = ending { logger.critical("\(sentence)") }
        self.ending = ending
        inbox.finish()
    }

    private func setWake(now: Int64) {
        let due = machine.nextWake(now: now)
        if wake?.at == due { return }
        wake?.task.cancel()
        wake = nil
        guard let due, ending == nil else { return }
        let inbox = inbox
        let task = Task {
            do { try await Task.sleep(for: .milliseconds(max(0, due - now))) } catch { return }
            inbox.yield(.event(.tick))
        }
        wake = (due, task)
    }
}
