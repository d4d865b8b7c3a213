// One shard's side of the node's store: hands over what a turn has changed, and holds what follows from it until it is there.
import DequeModule
import HashRing
import NIOCore
import RingpostCore

/// Used on its shard's event loop only.
final class ShardStore: @unchecked Sendable {
    /// Where the store has no room, it is asked again so much later.
    static let retry = TimeAmount.milliseconds(5)

    private let store: any CopyStore
    private let eventLoop: any EventLoop
    private let loops: LoopGate
    private unowned let shell: MachineShell
    private let onStuck: (StoreFailure) -> Void
    private var gate = StoreGate()
    /// Ticks for which the store has had no room. They count as what waits for it, which is bounded.
    private var waiting: Deque<StoreTick> = []
    private var isScheduled = false
    private var hasFailed = false

    /// - Parameter onStuck: called once, when the store has not written for too long and has given no error.
    init(
        _ store: any CopyStore, eventLoop: any EventLoop, loops: LoopGate, shell: MachineShell, onStuck: @escaping (StoreFailure) -> Void
    ) {
        self.store = store
        self.eventLoop = eventLoop
        self.loops = loops
        self.shell = shell
        self.onStuck = onStuck
    }

    /// - Returns: whether the action is performed now.
    func admit(_ action: ShardAction) -> Bool { gate.admit(action, hasChanges: shell.machine.hasChanges) }

    /// The machine has decided: what has changed goes to the store when all that has come with it was looked at.
    func onDecided() {
        if isScheduled || !shell.machine.hasChanges { return }
        isScheduled = true
        eventLoop.assumeIsolated().execute { self.onScheduled() }
    }

    private func onScheduled() {
        isScheduled = false
        handOver()
    }

    /// Hands over all that has changed.
    func handOver() {
        let tick = shell.takeTick()
        // The process ends: what was decided since is nobody's.
        if hasFailed { return }
        if let tick {
            gate.handOver(bytes: tick.bytes, now: tick.now)
            waiting.append(tick)
        }
        while let tick = waiting.first, write(tick) { waiting.removeFirst() }
        if !waiting.isEmpty, !isScheduled {
            isScheduled = true
            eventLoop.assumeIsolated().scheduleTask(in: Self.retry) { self.onScheduled() }
        }
        shell.setStoreIsBehind(gate.isFull)
    }

    private func write(_ tick: StoreTick) -> Bool {
        store.write(tick) { [loops, eventLoop] failure in
            loops.execute(on: eventLoop) { self.onStored(failure) }
        }
    }

    private func onStored(_ failure: StoreFailure?) {
        if failure != nil { return fail() }
        if hasFailed { return }
        gate.onStored()
        shell.perform { self.nextAction() }
        shell.setStoreIsBehind(gate.isFull)
    }

    private func nextAction() -> ShardAction? {
        while let action = gate.next() {
            if case .send(_, let frame) = action, !shell.mayLeave(frame) { continue }
            return action
        }
        return nil
    }

    /// What was to be said on a link goes with it.
    func linkIsDown(_ handle: UInt32) { gate.linkIsDown(handle) }

    func onTick(now: Int64) {
        guard !hasFailed, gate.isStuck(now: now) else { return }
        fail()
        onStuck(
            StoreFailure(
                "The store has not written anything for more than \(StoreGate.waitMillisecondsMax / 1_000) s, and gives no error. "
                    + "Nothing is acknowledged that is not there. Look what is wrong with the disk, and start the node again."))
    }

    /// What can't be written is said to nobody, and no publish is taken; the node ends.
    private func fail() {
        hasFailed = true
        gate.fail()
        waiting = []
        shell.setStoreIsBehind(true)
    }

    // MARK: Reading

    func load(_ slot: Int, _ head: SlotHead) {
        let asked = Moment.now().monotonic
        let request = shell.view.map { shell.machine.slotLoad(slot, head, hasher: $0.hasher, now: asked) }
        let isTaken = request.map { request in
            store.load(request) { [loops, eventLoop] result in
                loops.execute(on: eventLoop) { self.shell.decide { $0.onLoaded(slot, result, asked: asked, now: $1, actions: &$2) } }
            }
        }
        if isTaken != true { eventLoop.assumeIsolated().scheduleTask(in: Self.retry) { self.load(slot, head) } }
    }
}
