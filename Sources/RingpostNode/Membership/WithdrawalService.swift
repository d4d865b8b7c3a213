// Drives the withdrawal machine: tells it several times a second what the links and the ring look like, and does what it wants done.
// Nothing is decided here.

import Logging
import RingpostCore
import Synchronization

/// Takes this node out of the ring while its links are cut.
actor WithdrawalService {
    /// What it asks of the rest of the node.
    struct Hooks: Sendable {
        /// Other members with which not every event loop is linked.
        var unreachable: @Sendable (MembershipView) -> Set<MemberIdentity> = { _ in [] }
        /// An order or a signal drains the node.
        var isDraining: @Sendable () async -> Bool = { false }
        /// Slots of which this node holds a copy that has not been released.
        var copiesHeld: @Sendable () async -> Int = { 0 }
        /// Asks a member's link address which boot it has.
        var probe: @Sendable (Member) async -> ProbeResult = { _ in .silent }
        /// As ``DrainService/Hooks/moveSockets``.
        var moveSockets: @Sendable (Int64, [String]) async -> Void = { _, _ in }
        /// As ``DrainService/Hooks/keepSockets``.
        var keepSockets: @Sendable () async -> Void = {}
        /// As ``DrainService/Hooks/elsewhere``.
        var elsewhere: @Sendable (MembershipView) -> [String] = { _ in [] }
        /// Something that somebody should be woken for; it is in the log already.
        var onAlarm: @Sendable (String) -> Void = { _ in }
    }

    private let membership: MembershipService
    private let hooks: Hooks
    private let logger: Logger
    /// What heartbeats have said since the last tick; links put it there from their event loops. As many as there are members.
    private let reports = Mutex<[MemberIdentity: [String]]>([:])
    /// Made with the first view, which says S and H.
    private var machine: WithdrawalMachine?
    /// What is done about the lock, one after the other.
    private var locking: Task<Void, Never>?
    private var moving: Task<Void, Never>?
    private var probing: Task<Void, Never>?

    init(membership: MembershipService, hooks: Hooks, logger: Logger) {
        self.membership = membership
        self.hooks = hooks
        self.logger = logger
    }

    /// A heartbeat of a peer has named those that the peer can't reach.
    nonisolated func onReport(from peer: MemberIdentity, unreachable: [String]) {
        reports.withLock { $0[peer] = unreachable }
    }

    /// Goes on until the task is cancelled. Returns when nothing is asked of the node any more.
    func run() async {
        while !Task.isCancelled {
            await tick()
            do { try await Task.sleep(for: .milliseconds(WithdrawalMachine.tickMilliseconds)) } catch { break }
        }
        moving?.cancel()
        await moving?.value
        await probing?.value
    }

    private func tick() async {
        guard let view = await membership.view else { return }
        let identity = await membership.identity
        let reachesZooKeeper = await membership.reachesZooKeeper
        let isDraining = await hooks.isDraining()
        let copies = machine?.isDraining == true ? await hooks.copiesHeld() : 0
        let now = MonotonicClock.nowMilliseconds()
        var machine = machine ?? WithdrawalMachine(document: view.document)
        for (peer, unreachable) in takeReports() { machine.onReport(from: peer, unreachable: unreachable, now: now) }
        let actions = machine.onTick(
            now,
            WithdrawalMachine.Surroundings(
                members: view.members, epoch: view.epoch, own: identity, unreachable: hooks.unreachable(view),
                reachesZooKeeper: reachesZooKeeper, isDraining: isDraining, copies: copies))
        self.machine = machine
        perform(actions, elsewhere: hooks.elsewhere(view))
    }

    private func takeReports() -> [MemberIdentity: [String]] {
        reports.withLock { reports in
            defer { reports = [:] }
            return reports
        }
    }

    private func perform(_ actions: [WithdrawalMachine.Action]?, elsewhere: [String] = []) {
        for action in actions ?? [] {
            switch action {
            case .takeLock: inTurn { await $0.takeLock() }
            case .releaseLock: inTurn { await $0.membership.releaseWithdrawalLock() }
            case .drain: membership.drain()
            case .endDrain: membership.endDrain()
            case .withdraw: membership.withdraw()
            case .comeBack: membership.comeBack()
            case .probe(let number, let members): probe(number, members)
            case .moveSockets(let milliseconds): move { await $0.moveSockets(milliseconds, elsewhere) }
            case .keepSockets: move { await $0.keepSockets() }
            case .say(let sentence): logger.notice("\(sentence)")
            case .alarm(let sentence):
                logger.critical("\(sentence)")
                hooks.onAlarm(sentence)
            }
        }
    }

    private func inTurn(_ body: @escaping @Sendable (WithdrawalService) async -> Void) {
        let previous = locking
        locking = Task {
            await previous?.value
            await body(self)
        }
    }

    private func takeLock() async {
        let answer = await membership.takeWithdrawalLock()
        perform(machine?.onLock(answer, now: MonotonicClock.nowMilliseconds()))
    }

    private func probe(_ number: Int, _ members: [Member]) {
        let probe = hooks.probe
        probing = Task {
            let silent = await withTaskGroup(of: String?.self) { group in
                for member in members { group.addTask { await probe(member) == .sameBoot ? nil : member.id } }
                return await group.reduce(into: [String]()) { names, name in if let name { names.append(name) } }
            }
            perform(machine?.onProbes(number, silent: silent.sorted(), now: MonotonicClock.nowMilliseconds()))
        }
    }

    private func move(_ body: @escaping @Sendable (Hooks) async -> Void) {
        let previous = moving
        previous?.cancel()
        moving = Task { [hooks] in
            await previous?.value
            if !Task.isCancelled { await body(hooks) }
        }
    }
}
