// Slots that something is still to be done about, in their order. To put one in, or to ask for one, costs next to nothing, and nothing is
// allocated: an epoch may mean something to all slots of an event loop at once.

/// A set of slots of one loop, each by its place there.
struct SlotSet {
    private var words: [UInt64]
    /// No lower word has anything in it.
    private var lowest = 0
    private(set) var count = 0

    /// - Parameter places: how many slots the loop has.
    init(places: Int) { words = Array(repeating: 0, count: (places + 63) / 64) }

    var isEmpty: Bool { count == 0 }

    func contains(_ place: Int) -> Bool { count > 0 && words[place >> 6] & Self.bit(place) != 0 }

    mutating func insert(_ place: Int) {
        if words[place >> 6] & Self.bit(place) != 0 { return }
        words[place >> 6] |= Self.bit(place)
        count += 1
        lowest = min(lowest, place >> 6)
    }

    mutating func remove(_ place: Int) {
        if words[place >> 6] & Self.bit(place) == 0 { return }
        words[place >> 6] &= ~Self.bit(place)
        count -= 1
    }

    /// The first one from a place on.
    func first(from place: Int) -> Int? {
        if count == 0 { return nil }
        var number = max(place >> 6, lowest)
        guard number < words.count else { return nil }
        var word = words[number]
        if number == place >> 6 { word &= ~(Self.bit(place) - 1) }
        while word == 0 {
            number += 1
            if number == words.count { return nil }
            word = words[number]
        }
        return number << 6 + word.trailingZeroBitCount
    }

    mutating func popFirst() -> Int? {
        guard let place = first(from: 0) else { return nil }
        lowest = place >> 6
        remove(place)
        return place
    }

    mutating func removeAll() {
        for number in words.indices { words[number] = 0 }
        (count, lowest) = (0, 0)
    }

    private static func bit(_ place: Int) -> UInt64 { 1 << UInt64(place & 63) }
}
