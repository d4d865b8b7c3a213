// The slots that the epoch in force may change and that have not been brought up to it. All slots may become stale at once, so they are
// worked off some at a time.

/// Slots that are not up to the epoch in force.
struct StaleSlots {
    private var slots: SlotSet
    private var workIsScheduled = false
    /// Slots of this node in which somebody has heard of a later term: they begin in a later epoch.
    private var fenced: Set<Int> = []

    init(slotCount: Int) { slots = SlotSet(slotCount: slotCount) }

    var isEmpty: Bool { slots.isEmpty }
    var count: Int { slots.count }

    @inline(__always)
    func contains(_ slotIndex: Int) -> Bool { slots.contains(slotIndex) }
    func first(from slotIndex: Int) -> Int? { slots.first(from: slotIndex) }

    mutating func insert(_ slotIndex: Int) { slots.insert(slotIndex) }
    mutating func remove(_ slotIndex: Int) { slots.remove(slotIndex) }
    mutating func popFirst() -> Int? { slots.popFirst() }
    mutating func removeAll() { slots.removeAll() }

    /// How many can't begin in this epoch.
    var fencedCount: Int { fenced.count }

    /// A slot can't begin in this epoch.
    mutating func waitForNextEpoch(_ slotIndex: Int) { fenced.insert(slotIndex) }

    /// Another epoch is in force: what waited for it is stale.
    mutating func onEpoch() {
        for slotIndex in fenced { slots.insert(slotIndex) }
        fenced = []
    }

    /// Asks for a turn of the work that epochs make.
    ///
    /// - Returns: false if it was asked for already.
    mutating func scheduleWork() -> Bool {
        if workIsScheduled { return false }
        workIsScheduled = true
        return true
    }

    mutating func workBegins() { workIsScheduled = false }
}
