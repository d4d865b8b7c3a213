// How fast slots move: some are begun, or copied, then live traffic has its turn. And the slots that wait for their turn here.
import DequeModule

/// The pace of a shard's moves.
struct MovePacer {
    /// How many moves may still be made before the next pause.
    private(set) var left: Int
    private var isScheduled = false
    /// Lots of moves since the last time that nothing waited.
    private(set) var lots = 0
    /// Slots to begin when their turn comes, and some that have begun since.
    private(set) var beginning: Deque<Int> = []
    /// Slots of this node that have got another mirror.
    private(set) var unmirrored: Deque<Int> = []
    private let limits: SlotLimits
    private let slotCount: Int

    /// - Parameter slotCount: how many slots the shard has.
    init(limits: SlotLimits, slotCount: Int) {
        self.limits = limits
        self.slotCount = slotCount
        left = min(limits.movesAtFirst, limits.movesMax)
    }

    /// Uses one of the moves that may be made now.
    mutating func spend() { left -= 1 }

    /// Asks for the pause after which more moves may be made.
    ///
    /// - Returns: false if it was asked for already.
    mutating func schedulePause() -> Bool {
        if isScheduled { return false }
        isScheduled = true
        return true
    }

    /// The pause is over: a lot of moves may be made, each lot a little larger.
    mutating func beginLot() {
        isScheduled = false
        lots += 1
        left = min(limits.movesAtFirst + lots / SlotLimits.movesGrowth, limits.movesMax)
    }

    /// The lot was made. If nothing waits for the next one, the next moves begin with a small lot.
    mutating func endLot() {
        if isScheduled { return }
        lots = 0
        left = min(limits.movesAtFirst, limits.movesMax)
    }

    // MARK: Slots that wait

    mutating func appendBeginning(_ slot: Int) { beginning.append(slot, slotsMax: slotCount) }
    mutating func prependBeginning(_ slot: Int) { beginning.prepend(slot) }
    mutating func popBeginning() -> Int? { beginning.popFirst() }
    mutating func appendUnmirrored(_ slot: Int) { unmirrored.append(slot, slotsMax: slotCount) }
    mutating func popUnmirrored() -> Int? { unmirrored.popFirst() }
    mutating func forgetUnmirrored() { unmirrored = [] }
}

extension Deque<Int> {
    /// Puts a slot at the end. A slot that stands in a queue twice does no harm: at its second turn there is nothing to do. Where a queue
    /// would hold more than twice the number of all slots, each stays in it once.
    mutating func append(_ slot: Int, slotsMax: Int) {
        if count >= 2 * slotsMax {
            var seen: Set<Int> = []
            removeAll { !seen.insert($0).inserted }
        }
        append(slot)
    }
}
