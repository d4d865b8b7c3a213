// Drives the drain machine: looks at the node while it drains, and does what the machine wants done. It knows no event loops;
// what it asks of them are functions. Nothing is decided here.

import Logging
import RingpostCore

/// This node's orderly end.
actor DrainService {
    /// What would have to go before the node can.
    struct Holdings: Hashable, Sendable {
        /// Slots of which this node holds a copy that has not been released.
        var copies = 0
        /// Keys whose history it holds.
        var users = 0
        /// Sockets of clients.
        var sockets = 0
    }

    /// What it asks of the rest of the node.
    struct Hooks: Sendable {
        /// Counted on loops that have taken over every view that was told before.
        var holdings: @Sendable () async -> Holdings = { Holdings() }
        /// Those who have said that they drain or leave, members or not.
        var going: @Sendable () -> Set<MemberIdentity> = { [] }
        /// Client addresses of members that stay.
        var elsewhere: @Sendable (MembershipView) -> [String] = { _ in [] }
        /// Asks all sockets to go elsewhere, evenly over the milliseconds; returns when they have gone or the time is over. Cancelled,
        /// it stops.
        var moveSockets: @Sendable (Int64, [String]) async -> Void = { _, _ in }
        /// Who is still here may stay, and new clients are welcome.
        var keepSockets: @Sendable () async -> Void = {}
        /// For operators; `nil` when it does not drain any more.
        var onProgress: @Sendable (DrainMachine.Progress?) -> Void = { _ in }
        /// The goodbye follows: peers are told at once, so that nobody waits for this node's agreement.
        var onLeaving: @Sendable () -> Void = {}
    }

    private let membership: MembershipService
    private let hooks: Hooks
    private let logger: Logger
    private var machine: DrainMachine
    private var looking: Task<Void, Never>?
    private var moving: Task<Void, Never>?
    private var leaving: Task<Void, Never>?

    init(membership: MembershipService, machine: DrainMachine, hooks: Hooks, logger: Logger) {
        self.membership = membership
        self.machine = machine
        self.hooks = hooks
        self.logger = logger
    }

    /// The node drains; what it has begun goes on by itself until ``MembershipService/run()`` has ended.
    var isDraining: Bool { machine.phase != .serving }

    /// Begins to drain, or goes on; a second signal hastens it.
    func drain(_ cause: DrainMachine.Cause) { perform(machine.drain(cause, now: MonotonicClock.nowMilliseconds())) }

    /// Takes a weight, and a drain back with it.
    func setWeight(_ weight: UInt16) throws(DrainRefusal) { perform(try machine.setWeight(weight)) }

    /// The membership has ended: nothing is left to do. Returns when nothing is asked of the node any more.
    func stop() async {
        let tasks = [looking, moving].compactMap { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func perform(_ actions: [DrainMachine.Action]) {
        for action in actions {
            switch action {
            case .giveUpWeight: membership.drain()
            case .takeWeight(let weight): membership.setWeight(weight)
            case .look: startLooking()
            case .moveSockets(let number, let milliseconds, let elsewhere): move(number, milliseconds, elsewhere)
            case .keepSockets: keepSockets()
            case .leave(let clearingRoster):
                hooks.onLeaving()
                leaving = Task { [membership] in await membership.leave(clearingRoster: clearingRoster) }
            case .say(let sentence): logger.notice("\(sentence)")
            case .warn(let sentence): logger.warning("\(sentence)")
            }
        }
        hooks.onProgress(machine.progress)
    }

    // MARK: - Looking

    private func startLooking() {
        looking?.cancel()
        looking = Task {
            while !Task.isCancelled, isDraining {
                let look = await look()
                if Task.isCancelled { return }
                perform(machine.onLook(look, now: MonotonicClock.nowMilliseconds()))
                do { try await Task.sleep(for: .milliseconds(DrainMachine.lookMilliseconds)) } catch { return }
            }
        }
    }

    /// The ring first: copies counted after it was told are counted by those who know it.
    private func look() async -> DrainMachine.Look {
        let view = await membership.view
        let reachesZooKeeper = await membership.reachesZooKeeper
        let holdings = await hooks.holdings()
        // S is the cluster's.
        if let document = view?.document { machine.sessionTimeoutMilliseconds = Int64(document.sessionTimeoutMilliseconds) }
        let heirs = view?.othersWithWeight ?? []
        return DrainMachine.Look(
            weight: view?.own?.weight, slots: view?.slotsOwned ?? 0, copies: holdings.copies, users: holdings.users,
            sockets: holdings.sockets, othersHaveWeight: !heirs.isEmpty, reachesZooKeeper: reachesZooKeeper,
            elsewhere: view.map(hooks.elsewhere) ?? [], heirs: Set(heirs.map(\.identity)), going: hooks.going())
    }

    // MARK: - Sockets

    /// One order at a time: an order that was called back must have stopped before the next one begins.
    private func move(_ number: Int, _ milliseconds: Int64, _ elsewhere: [String]) {
        let previous = moving
        previous?.cancel()
        moving = Task { [hooks] in
            await previous?.value
            if Task.isCancelled { return }
            await hooks.moveSockets(milliseconds, elsewhere)
            if Task.isCancelled { return }
            perform(machine.onMoved(number))
        }
    }

    private func keepSockets() {
        let previous = moving
        previous?.cancel()
        moving = Task { [hooks] in
            await previous?.value
            await hooks.keepSockets()
        }
    }
}
