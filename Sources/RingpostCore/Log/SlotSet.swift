// A set of slots as bits. To insert a slot or to ask for one costs next to nothing, and nothing is allocated: an epoch may change all slots
// of a shard at once.

/// A set of slots of one shard, by slot index, in their order.
struct SlotSet {
    private var words: [UInt64]
    /// No lower word has a bit set.
    private var lowest = 0
    private(set) var count = 0

    /// - Parameter slotCount: how many slots the shard has.
    init(slotCount: Int) { words = Array(repeating: 0, count: (slotCount + 63) / 64) }

    var isEmpty: Bool { count == 0 }

    func contains(_ slotIndex: Int) -> Bool { count > 0 && words[slotIndex >> 6] & Self.bit(slotIndex) != 0 }

    mutating func insert(_ slotIndex: Int) {
        if words[slotIndex >> 6] & Self.bit(slotIndex) != 0 { return }
        words[slotIndex >> 6] |= Self.bit(slotIndex)
        count += 1
        lowest = min(lowest, slotIndex >> 6)
    }

    mutating func remove(_ slotIndex: Int) {
        if words[slotIndex >> 6] & Self.bit(slotIndex) == 0 { return }
        words[slotIndex >> 6] &= ~Self.bit(slotIndex)
        count -= 1
    }

    /// The first slot in the set from an index on.
    func first(from slotIndex: Int) -> Int? {
        if count == 0 { return nil }
        var number = max(slotIndex >> 6, lowest)
        guard number < words.count else { return nil }
        var word = words[number]
        if number == slotIndex >> 6 { word &= ~(Self.bit(slotIndex) - 1) }
        while word == 0 {
            number += 1
            if number == words.count { return nil }
            word = words[number]
        }
        return number << 6 + word.trailingZeroBitCount
    }

    mutating func popFirst() -> Int? {
        guard let slotIndex = first(from: 0) else { return nil }
        lowest = slotIndex >> 6
        remove(slotIndex)
        return slotIndex
    }

    mutating func removeAll() {
        for number in words.indices { words[number] = 0 }
        (count, lowest) = (0, 0)
    }

    private static func bit(_ slotIndex: Int) -> UInt64 { 1 << UInt64(slotIndex & 63) }
}
