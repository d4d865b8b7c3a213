// Until when this node may act, and the slots for which that was too short: what they have to commit, to release or to acknowledge waits
// here until the node may act again.

/// The right to act, by time.
struct LeaseGate {
    /// On this node's monotonic clock.
    private(set) var until = Int64.min
    /// Slots with something to commit or to release.
    private(set) var uncommitted: Set<Int> = []
    /// Slots with something to acknowledge.
    private(set) var unacknowledged: Set<Int> = []
    /// Acts without a lease. Only for tests of the tests.
    private let isOff: Bool

    init(isOff: Bool) { self.isOff = isOff }

    func mayAct(_ now: Moment) -> Bool { now.monotonic < until || isOff }

    mutating func postponeCommit(of slot: Int) { uncommitted.insert(slot) }
    mutating func postponeAcknowledgement(of slot: Int) { unacknowledged.insert(slot) }
    mutating func forgetCommit(of slot: Int) { uncommitted.remove(slot) }
    mutating func forgetAcknowledgement(of slot: Int) { unacknowledged.remove(slot) }
    mutating func forgetAcknowledgements() { unacknowledged = [] }

    /// The lease is another one.
    mutating func set(until: Int64) { self.until = until }

    /// Removes and returns all slots that waited, each kind in the order of slots, so that a simulation repeats exactly.
    mutating func removePostponed() -> (commits: [Int], acknowledgements: [Int]) {
        defer {
            uncommitted = []
            unacknowledged = []
        }
        return (uncommitted.sorted(), unacknowledged.sorted())
    }
}
