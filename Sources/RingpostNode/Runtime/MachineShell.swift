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
        if isPerforming { return }
        isPerforming = true
        var next = 0
        while next < actions.count {
            performer.perform(actions[next])
            next += 1
        }
        actions.removeAll(keepingCapacity: true)
        isPerforming = false
    }
}
