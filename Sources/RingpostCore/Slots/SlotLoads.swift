// Copies that are read from the node's store: whose turn it is, and what waits for each.
import DequeModule

/// Slots whose content is being read, or is to be.
struct SlotLoads {
    /// So many are read at a time; the store has a queue of its own.
    static let underWayMax = 64
    /// Bytes of steps that wait for one slot's content; beyond it the owner sends the whole copy.
    static let bytesMax = 1_024 * 1_024
    /// What a step takes at least.
    private static let stepBytes = 64

    /// What waits for a slot's content.
    typealias Waiting = (
        copy: (chunks: [SnapshotChunk], term: UInt64)?, steps: [(entry: SlotEntry, boot: UInt64)],
        fetch: (term: UInt64, connectionID: UInt32)?
    )

    private struct Load {
        var isAsked = false
        var isUrgent = false
        /// Steps that have come from the owner since, with times of this node's clock, and who had sent them.
        var steps: [(entry: SlotEntry, boot: UInt64)] = []
        var bytes = 0
        /// A copy that its owner has sent to be taken in place of this one, when it is known what of this one it goes on from.
        var copy: (chunks: [SnapshotChunk], term: UInt64)?
        /// An owner that wants the copy.
        var fetch: (term: UInt64, connectionID: UInt32)?
    }

    private var loads: [Int: Load] = [:]
    /// Some may have been asked for, or be gone, by now.
    private var queue: Deque<Int> = []
    private var underWay = 0

    /// A slot's content is needed.
    ///
    /// - Parameter isUrgent: somebody waits for it: it goes before others.
    mutating func want(_ slot: Int, isUrgent: Bool) {
        if loads[slot]?.isAsked == true { return }
        if let load = loads[slot], load.isUrgent || !isUrgent { return }
        if loads[slot] == nil { loads[slot] = Load() }
        loads[slot]?.isUrgent = isUrgent
        if isUrgent { queue.prepend(slot) } else { queue.append(slot) }
    }

    /// The next slot that is to be read now.
    mutating func next() -> Int? {
        guard underWay < Self.underWayMax else { return nil }
        while let slot = queue.popFirst() {
            guard loads[slot]?.isAsked == false else { continue }
            loads[slot]?.isAsked = true
            underWay += 1
            return slot
        }
        return nil
    }

    /// How many steps wait for a slot's content.
    func stepCount(_ slot: Int) -> Int { loads[slot]?.steps.count ?? 0 }

    /// Where the log of a copy ends that waits for a slot's content, without the steps that wait behind it.
    func copyEnd(_ slot: Int, term: UInt64) -> UInt64? {
        guard let copy = loads[slot]?.copy, copy.term == term else { return nil }
        return copy.chunks.last?.position
    }

    /// A copy that has come waits for a slot's content, which is wanted already. Steps come behind it.
    mutating func hold(copy chunks: [SnapshotChunk], term: UInt64, of slot: Int) {
        forgetSteps(slot)
        loads[slot]?.copy = (chunks, term)
    }

    /// A step waits.
    ///
    /// - Returns: false, and all that waits is forgotten, where there is no room.
    mutating func hold(_ entry: SlotEntry, boot: UInt64, of slot: Int) -> Bool {
        guard let bytes = loads[slot]?.bytes, bytes + Self.stepBytes + entry.payloadBytes <= Self.bytesMax else {
            loads[slot]?.steps = []
            loads[slot]?.bytes = 0
            return false
        }
        loads[slot]?.steps.append((entry, boot))
        loads[slot]?.bytes += Self.stepBytes + entry.payloadBytes
        return true
    }

    /// A later term has begun: what an earlier owner has sent, and nobody has acknowledged, is none of its log.
    mutating func forgetSteps(_ slot: Int) {
        loads[slot]?.steps = []
        loads[slot]?.bytes = 0
        loads[slot]?.copy = nil
    }

    /// The same of all slots: this node has another boot.
    mutating func forgetSteps() { for slot in Array(loads.keys) { forgetSteps(slot) } }

    /// An owner waits for the copy; only the latest one does.
    mutating func hold(fetch: (term: UInt64, connectionID: UInt32), of slot: Int) { loads[slot]?.fetch = fetch }

    /// A slot has been read.
    ///
    /// - Returns: what waited for it; `nil` where it isn't needed any more.
    mutating func end(_ slot: Int) -> Waiting? {
        underWay -= 1
        return loads.removeValue(forKey: slot).map { ($0.copy, $0.steps, $0.fetch) }
    }
}
