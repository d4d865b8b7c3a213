// Runs the machine that decides about one shard's slots: hands it events with the time, and has its actions performed.
import RingpostCore

/// Performs what a shard's machine decides.
protocol ShardActionPerformer: AnyObject {
    func perform(_ action: ShardAction)
}

/// Used on its shard's event loop only.
final class MachineShell {
    private(set) var machine: ShardMachine
    /// The ring in force; `nil` before the first one.
    private(set) var view: MembershipView?
    private var actions: [ShardAction] = []
    private var isPerforming = false
    /// Set once, before the first event.
    private unowned var performer: (any ShardActionPerformer)!
    /// Where the node has a store.
    private(set) var store: ShardStore?

    init(_ machine: ShardMachine) { self.machine = machine }

    func serve(_ performer: any ShardActionPerformer) { self.performer = performer }

    func setView(_ view: MembershipView) { self.view = view }

    /// The ring in force.
    ///
    /// - Throws: that this node is not in a ring yet.
    func currentView() throws(ProblemReport) -> MembershipView {
        guard let view else { throw .notInARing }
        return view
    }

    /// H: a link that is silent for so long is cut.
    var heartbeatMilliseconds: Int64 {
        Int64(view?.document.heartbeatTimeoutMilliseconds ?? ClusterDocument.sessionTimeoutMillisecondsDefault / 2)
    }

    /// Lets the machine decide, then performs. Code that is called from here may come back with more: the machine decides on that at once,
    /// but what it comes to waits its turn behind what was decided before.
    func decide(_ body: (inout ShardMachine, Moment, inout [ShardAction]) -> Void) {
        body(&machine, Moment.now(), &actions)
        performAll()
        store?.onDecided()
    }

    private func performAll() {
        if isPerforming { return }
        isPerforming = true
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            if let store, !store.admit(action) { continue }
            performer.perform(action)
        }
        actions.removeAll(keepingCapacity: true)
        isPerforming = false
    }

    // MARK: The store

    /// Before the first view: what the machine has changed is kept, and what follows from that waits until it is.
    func serve(_ store: ShardStore, lineage: UInt64, heads: [Int: SlotHead]) {
        self.store = store
        machine.restore(heads, lineage: lineage)
    }

    // Asked here and not by `machine`, which would be copied for it.
    var hasChanges: Bool { machine.hasChanges }
    func slotLoad(_ slot: Int, _ head: SlotHead, now: Int64) -> SlotLoad? {
        view.map { machine.slotLoad(slot, head, hasher: $0.hasher, now: now) }
    }
    func takeTick() -> StoreTick? { machine.takeTick(now: Moment.now().monotonic) }
    func mayLeave(_ frame: SlotFrame) -> Bool { machine.mayLeave(frame, now: Moment.now()) }
    func setStoreIsBehind(_ isBehind: Bool) { machine.setStoreIsBehind(isBehind) }

    /// Performs what was held, until `next` has no more.
    func perform(_ next: () -> ShardAction?) {
        let isNested = isPerforming
        isPerforming = true
        while let action = next() { performer.perform(action) }
        isPerforming = isNested
        performAll()
        store?.onDecided()
    }
}
