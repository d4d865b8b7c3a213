// How event loops hand work to a thread that may block. Bounded by what waits.
import Dispatch
import Synchronization

/// Work for one thread, in order.
final class WorkQueue<Work: Sendable>: Sendable {
    private struct State {
        var waiting: [Work] = []
        var cost = 0
        var isFinished = false
        /// The thread sleeps, and nobody has woken it yet.
        var isIdle = false
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let costMax: Int

    /// - Parameter costMax: of all that waits together. One piece of work alone may cost more.
    init(costMax: Int) { self.costMax = costMax }

    /// What waits costs so much.
    var cost: Int { state.withLock { $0.cost } }

    /// - Returns: false, and takes nothing, when there is no room or no more work is taken.
    func add(_ work: Work, cost: Int) -> Bool {
        let (isTaken, wakes) = state.withLock { state -> (Bool, Bool) in
            if state.isFinished || (state.cost > 0 && state.cost + cost > costMax) { return (false, false) }
            state.waiting.append(work)
            state.cost += cost
            defer { state.isIdle = false }
            return (true, state.isIdle)
        }
        if wakes { wake.signal() }
        return isTaken
    }

    /// Takes all that waits; sleeps while there is nothing. `nil` when there will be nothing any more.
    func take() -> [Work]? {
        while true {
            let (work, isFinished) = state.withLock { state -> ([Work], Bool) in
                let work = state.waiting
                state.waiting = []
                state.cost = 0
                state.isIdle = work.isEmpty && !state.isFinished
                return (work, state.isFinished)
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
