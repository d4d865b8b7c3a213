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
    private var gate = StoreGate()
    /// Ticks for which the store has had no room.
    private var waiting: Deque<StoreTick> = []
    private var isScheduled = false
    private var hasFailed = false

    init(_ store: any CopyStore, eventLoop: any EventLoop, loops: LoopGate, shell: MachineShell) {
        self.store = store
        self.eventLoop = eventLoop
        self.loops = loops
        self.shell = shell
    }

    /// Actions that wait for the store.
    var heldCount: Int { gate.count }

    /// - Returns: whether the action is performed now.
    func admit(_ action: ShardAction) -> Bool { gate.admit(action, hasChanges: shell.machine.hasChanges) }

    /// The machine has decided: what has changed goes to the store when all that has come with it was looked at.
    func onDecided() {
        if isScheduled || !shell.machine.hasChanges { return }
        isScheduled = true
        eventLoop.assumeIsolated().execute {
            self.isScheduled = false
            self.handOver()
        }
    }

    /// Hands over all that has changed.
    func handOver() {
        if hasFailed { return }
        let hasWaited = !waiting.isEmpty
        while let tick = waiting.first, write(tick) { waiting.removeFirst() }
        if let tick = shell.takeTick() {
            gate.handOver(bytes: tick.bytes)
            if !waiting.isEmpty || !write(tick) { waiting.append(tick) }
        }
        if !waiting.isEmpty, !hasWaited { retryLater() }
        shell.setStoreIsBehind(gate.isFull)
    }

    private func retryLater() {
        eventLoop.assumeIsolated().scheduleTask(in: Self.retry) {
            self.handOver()
            if !self.waiting.isEmpty { self.retryLater() }
        }
    }

    private func write(_ tick: StoreTick) -> Bool {
        store.write(tick) { [loops, eventLoop] failure in
            loops.execute(on: eventLoop) { self.onStored(failure) }
        }
    }

    private func onStored(_ failure: StoreFailure?) {
        // What can't be written is not said to anybody; the node ends.
        if failure != nil { hasFailed = true }
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

    // MARK: Reading

    func load(_ slot: Int, _ head: SlotHead) {
        guard let hasher = shell.view?.hasher else { return }
        let asked = Moment.now().monotonic
        let request = shell.machine.slotLoad(slot, head, hasher: hasher, now: asked)
        let isTaken = store.load(request) { [loops, eventLoop] result in
            loops.execute(on: eventLoop) { self.shell.decide { $0.onLoaded(slot, result, asked: asked, now: $1, actions: &$2) } }
        }
        if !isTaken { eventLoop.assumeIsolated().scheduleTask(in: Self.retry) { self.load(slot, head) } }
    }
}
