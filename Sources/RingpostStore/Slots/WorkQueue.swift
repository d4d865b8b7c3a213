// How event loops hand work to a thread that may block. Bounded by what waits.
import Dispatch
import Synchronization

/// Work for one thread, in order.
final class WorkQueue<Work: Sendable>: Sendable {
    private struct State {
        var waiting: [(work: Work, cost: Int)] = []
        var cost = 0
        var isFinished = false
        /// The thread sleeps, and nobody has woken it yet.
        var isIdle = false
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let costMax: Int

    /// - Parameter costMax: of all that waits together. One piece of work alone may cost more. What was taken waits no more.
    init(costMax: Int) { self.costMax = costMax }

    /// What waits costs so much.
    var cost: Int { state.withLock { $0.cost } }

    /// - Returns: false, and takes nothing, when there is no room or no more work is taken.
    func add(_ work: Work, cost: Int) -> Bool {
        let (isTaken, wakes) = state.withLock { state -> (Bool, Bool) in
            if state.isFinished || (state.cost > 0 && state.cost + cost > costMax) { return (false, false) }
            state.waiting.append((work, cost))
            state.cost += cost
            defer { state.isIdle = false }
            return (true, state.isIdle)
        }
        if wakes { wake.signal() }
        return isTaken
    }

    /// Takes the first of what waits, and what comes after it as long as all of it together costs no more than that; sleeps while there is
    /// nothing. What stays goes on to count. `nil` when there will be nothing any more.
    func take(costMax: Int) -> [Work]? {
        while true {
            let (work, isFinished) = state.withLock { state -> ([Work], Bool) in
                var cost = 0
                let taken = state.waiting.prefix { next in
                    defer { cost += next.cost }
                    return cost == 0 || cost + next.cost <= costMax
                }
                state.cost -= taken.reduce(0) { $0 + $1.cost }
                state.waiting.removeFirst(taken.count)
                state.isIdle = taken.isEmpty && !state.isFinished
                return (taken.map(\.work), state.isFinished)
            }
            if !work.isEmpty { return work }
            if isFinished { return nil }
            wake.wait()
        }
    }

    /// No more work is taken; what waits is still done.
    func finish() {
        let wakes = state.withLock { state in
            state.isFinished = true
            defer { state.isIdle = false }
            return state.isIdle
        }
        if wakes { wake.signal() }
    }
}
