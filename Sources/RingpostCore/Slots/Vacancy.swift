// The slots of which nobody has a copy. A member that can't be asked might still act as their owner, so they begin anew only when that is
// impossible. How long that takes depends on what the roster says.

/// Slots that wait until they may begin anew.
struct Vacancy {
    private var slots: SlotSet
    /// For none of them the wait is over earlier.
    private var dueAt = Int64.min
    /// Where the pass through the slots goes on, if one is under way.
    private var from = 0
    /// How long to wait, as the roster said in this epoch.
    private var waitMilliseconds: Int64?
    private var rosterAskedAt: Int64?
    /// When this node came in place of another boot of its own id; `nil` if it did not.
    private(set) var succeededAt: Int64?
    /// Since when this node reaches ZooKeeper without a break: nobody could come back before. `Int64.max` while it does not.
    private var reachesSince = Int64.min
    private let rosterRetryMilliseconds: Int64

    init(slotCount: Int, rosterRetryMilliseconds: Int64) {
        slots = SlotSet(slotCount: slotCount)
        self.rosterRetryMilliseconds = rosterRetryMilliseconds
    }

    var isEmpty: Bool { slots.isEmpty }
    var count: Int { slots.count }
    /// A pass has begun and not come to its end.
    var isInPass: Bool { from > 0 }

    mutating func insert(_ slotIndex: Int) { slots.insert(slotIndex) }
    mutating func remove(_ slotIndex: Int) { slots.remove(slotIndex) }

    /// Another epoch: the roster has to be asked again.
    mutating func onEpoch() {
        waitMilliseconds = nil
        rosterAskedAt = nil
        dueAt = .min
    }

    /// The roster says how long to wait. In one epoch it only becomes less: whoever once was known to be gone stays so.
    mutating func setWait(milliseconds: Int64) {
        if let waitMilliseconds, milliseconds >= waitMilliseconds { return }
        waitMilliseconds = milliseconds
        (dueAt, from) = (.min, 0)
    }

    /// Whether this node reaches ZooKeeper.
    mutating func setReach(_ reaches: Bool, now: Int64) {
        if !reaches {
            reachesSince = .max
        } else if reachesSince == .max {
            reachesSince = now
            (dueAt, from) = (.min, 0)
        }
    }

    /// While slots wait for somebody, the roster is asked again and again: an operator may give up whom they wait for.
    mutating func asksAgain(now: Int64) -> Bool {
        guard let waitMilliseconds, waitMilliseconds > 0, !slots.isEmpty else { return false }
        return asksRoster(now: now)
    }

    /// This node's boot is a new one; ``succeed(now:)`` follows where another boot had its id before.
    mutating func beginBoot() { succeededAt = nil }
    mutating func succeed(now: Int64) { succeededAt = now }

    /// Whether the roster is to be asked now; no answer for a while means that it is asked again.
    mutating func asksRoster(now: Int64) -> Bool {
        if let rosterAskedAt, now - rosterAskedAt < rosterRetryMilliseconds { return false }
        rosterAskedAt = now
        return true
    }

    // MARK: A pass through the slots

    enum Pass {
        /// No slot is due.
        case nothing
        /// The roster has not said how long to wait.
        case needsRoster
        /// Slots come one by one from ``next()``.
        case look
    }

    /// Begins a pass if it is time for one, or goes on with the one that is under way.
    mutating func pass(now: Int64) -> Pass {
        if slots.isEmpty {
            from = 0
            return .nothing
        }
        if waitMilliseconds == nil { return .needsRoster }
        guard from > 0 || now >= dueAt else { return .nothing }
        if from == 0 { dueAt = .max }
        return .look
    }

    /// The next slot of the pass; `nil` at its end.
    mutating func next() -> Int? {
        guard let slotIndex = slots.first(from: from) else {
            from = 0
            return nil
        }
        from = slotIndex + 1
        return slotIndex
    }

    /// When a slot may begin anew; `nil` while the roster has not been heard of, or ZooKeeper is away. For the parameters see
    /// ``isDue(since:succession:quietMilliseconds:recoveryMilliseconds:now:)``.
    func due(since: Int64, succession: Int64, quietMilliseconds: Int64, recoveryMilliseconds: Int64) -> Int64? {
        // Where nobody is missing, nobody could come back either.
        guard let waitMilliseconds, reachesSince < .max || waitMilliseconds == 0 else { return nil }
        let succession = max(succession, succeededAt ?? .min)
        return max(
            since + waitMilliseconds, succession == .min ? .min : succession + quietMilliseconds,
            // Whoever would come back could not while ZooKeeper was away.
            waitMilliseconds == 0 || reachesSince == .min ? .min : reachesSince + min(waitMilliseconds, recoveryMilliseconds))
    }

    /// Whether a slot may begin anew; if not, a later pass comes in time.
    ///
    /// - Parameters:
    ///   - since: when it was found that nobody has a copy.
    ///   - succession: when the last of the other members came in place of another boot of its own; `Int64.min` for never.
    ///   - quietMilliseconds: so long after a succession nobody can be acting for the boot before.
    ///   - recoveryMilliseconds: so long at most those that may come back have with ZooKeeper.
    /// - Returns: `nil` while the roster has not been heard of.
    mutating func isDue(
        since: Int64, succession: Int64, quietMilliseconds: Int64, recoveryMilliseconds: Int64, now: Int64
    ) -> Bool? {
        if waitMilliseconds == nil { return nil }
        let slotDueAt = due(
            since: since, succession: succession, quietMilliseconds: quietMilliseconds, recoveryMilliseconds: recoveryMilliseconds)
        guard let slotDueAt else { return false }
        if now >= slotDueAt { return true }
        dueAt = min(dueAt, slotDueAt)
        return false
    }
}
