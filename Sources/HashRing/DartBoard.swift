// How slots get their orders: every member throws darts, at a rate that its weight gives, from a sequence that depends
// on nothing but its id. The first to hit a slot owns it, the next different one mirrors it.
//
// Neither a heap of darts nor a sort is needed, because darts on different slots don't know of each other: time is cut into windows,
// and within one it doesn't matter whose darts are looked at first, as long as two that hit the same slot are put in order. Those
// are few, and what an earlier window has decided is final. So any mixture of weights costs what equal ones do.

enum DartBoard {
    static let nobody = UInt16.max
    private static let step = SplitMix64.step
    /// About how many darts are thrown in a window: so many that going over the members costs nothing beside them, so few that hardly
    /// two of a window hit one slot, and that the last window is not much too long.
    private static let dartsPerWindow: UInt64 = 16_384

    /// The orders of all slots, `depth` entries a slot.
    static func orders(members: [RingMember], dartKeys: [UInt64], depth: Int) -> [UInt16] {
        let throwing = members.indices.filter { members[$0].weight > 0 }
        guard depth == throwing.count, depth > 0 else { return play(members: members, dartKeys: dartKeys, depth: depth) }
        // Whoever does not stand in an order of all members but one comes last. The darts that say so are the most by far.
        let played = play(members: members, dartKeys: dartKeys, depth: depth - 1)
        let all = throwing.reduce(0, +)
        return Array(unsafeUninitializedCapacity: HashRing.slotCount * depth) { orders, count in
            count = HashRing.slotCount * depth
            for slot in 0..<HashRing.slotCount {
                var missing = all
                for rank in 0..<depth - 1 {
                    let member = played[slot &* (depth &- 1) &+ rank]
                    orders[slot &* depth &+ rank] = member
                    missing -= Int(member)
                }
                orders[slot &* depth &+ depth &- 1] = UInt16(missing)
            }
        }
    }

    private static func play(members: [RingMember], dartKeys: [UInt64], depth: Int) -> [UInt16] {
        guard depth > 0 else { return [] }
        return Array(unsafeUninitializedCapacity: HashRing.slotCount * depth) { orders, count in
            count = HashRing.slotCount * depth
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count) { numbers in
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * HashRing.slotCount) { counts in
                    withUnsafeTemporaryAllocation(of: Thrower.self, capacity: members.count) { throwers in
                        for memberIndex in members.indices {
                            throwers.initializeElement(
                                at: memberIndex, to: Thrower(weight: members[memberIndex].weight, key: dartKeys[memberIndex]))
                        }
                        var board = Board(
                            depth: depth, orders: UnsafeMutableBufferPointer(rebasing: orders[..<count]), numbers: numbers,
                            counts: counts, throwers: throwers)
                        board.play(throwing: members.indices.filter { members[$0].weight > 0 })
                    }
                }
            }
        }
    }

    /// (time, dart number) of a member's first dart on one slot.
    static func firstHit(slot wanted: Int, dartKey: UInt64, weight: UInt16) -> FirstHit {
        var number: UInt64 = 0
        var x = dartKey &+ step
        while slot(of: x) != wanted {
            number += 1
            x = x &+ step
        }
        return FirstHit(time: time(number: number, x: x, weight: UInt64(weight)), number: number)
    }

    struct FirstHit: Comparable {
        let time: UInt64
        let number: UInt64
        static func < (one: FirstHit, other: FirstHit) -> Bool { one.time < other.time }
    }

    @inline(__always)
    static func slot(of x: UInt64) -> Int {
        Int(truncatingIfNeeded: SplitMix64.mix(x) &>> 48)
    }

    @inline(__always)
    static func time(number: UInt64, x: UInt64, weight: UInt64) -> UInt64 {
        (((number &<< 24) | (x &>> 40)) &<< 11) / weight
    }

    /// A member and how far it has come.
    struct Thrower {
        let weight: UInt64
        let key: UInt64
        /// The number of its next dart.
        var number: UInt64 = 0
        /// The number of unfinished orders that it stands in. In all of them it can change nothing any more.
        var unfinished = 0

        init(weight: UInt16, key: UInt64) {
            self.weight = UInt64(weight)
            self.key = key
        }

        @inline(__always)
        func x(_ number: UInt64) -> UInt64 { key &+ (number &+ 1) &* DartBoard.step }
    }

    /// The slots' orders while they fill. Plain memory: a million darts hit it.
    struct Board {
        private let depth: Int
        private let orders: UnsafeMutableBufferPointer<UInt16>
        /// With which dart each entry of the orders got there.
        private let numbers: UnsafeMutableBufferPointer<UInt32>
        /// How many entries of each slot's order are final, and after these for each slot how many there are.
        private let final: UnsafeMutableBufferPointer<UInt8>
        private let filled: UnsafeMutableBufferPointer<UInt8>
        private let throwers: UnsafeMutableBufferPointer<Thrower>
        /// Slots whose order has changed in this window; some more than once.
        private var touched: [UInt16] = []
        private var unfinished = HashRing.slotCount

        /// - Parameters:
        ///   - orders: memory for `depth` entries a slot.
        ///   - numbers: the same.
        ///   - counts: memory for two entries a slot.
        ///   - throwers: all members.
        init(
            depth: Int, orders: UnsafeMutableBufferPointer<UInt16>, numbers: UnsafeMutableBufferPointer<UInt32>,
            counts: UnsafeMutableBufferPointer<UInt8>, throwers: UnsafeMutableBufferPointer<Thrower>
        ) {
            self.depth = depth
            self.orders = orders
            self.numbers = numbers
            self.throwers = throwers
            orders.initialize(repeating: DartBoard.nobody)
            counts.initialize(repeating: 0)
            final = UnsafeMutableBufferPointer(rebasing: counts[..<HashRing.slotCount])
            filled = UnsafeMutableBufferPointer(rebasing: counts[HashRing.slotCount...])
            touched.reserveCapacity(Int(DartBoard.dartsPerWindow))
        }

        /// Throws window after window until every order is full.
        mutating func play(throwing: [Int]) {
            var throwing = throwing
            var time: UInt64 = 0
            while unfinished > 0 {
                throwing.removeAll { throwers[$0].unfinished == unfinished }
                let weight = throwing.reduce(0) { $0 + throwers[$1].weight }
                precondition(weight > 0, "\(unfinished) slots are unfinished and nobody can throw")
                // A member's darts are 2^35 / weight apart.
                time += max(1, (DartBoard.dartsPerWindow << 35) / weight)
                for member in throwing { throwDarts(of: member, until: time) }
                closeWindow()
            }
        }

        /// All darts of a member with a lower time.
        private mutating func throwDarts(of member: Int, until time: UInt64) {
            // (n << 11) / weight < time is n < bound, where n is the dart's number above the upper 24 bits of x.
            let bound = (time * throwers[member].weight + 2_047) >> 11
            let (whole, part) = (bound >> 24, bound & 0xFF_FFFF)
            var number = throwers[member].number
            var x = throwers[member].x(number)
            while number < whole || (number == whole && x &>> 40 < part) {
                let slot = DartBoard.slot(of: x)
                if Int(final[slot]) < depth { hit(slot, by: member, number: number) }
                number &+= 1
                x = x &+ DartBoard.step
            }
            throwers[member].number = number
        }

        /// Puts a dart into its place among those of this window; what falls out of the order was later than `depth` others.
        private mutating func hit(_ slot: Int, by member: Int, number: UInt64) {
            let base = slot &* depth
            let count = Int(filled[slot])
            // A member's first dart counts.
            for memberIndex in base..<base &+ count where Int(orders[memberIndex]) == member { return }
            var memberIndex = base &+ count
            while memberIndex > base &+ Int(final[slot]), precedes(member, number, memberIndex &- 1) {
                memberIndex &-= 1
            }
            guard memberIndex < base &+ depth else { return }
            var last = min(base &+ count, base &+ depth &- 1)
            while last > memberIndex {
                orders[last] = orders[last &- 1]
                numbers[last] = numbers[last &- 1]
                last &-= 1
            }
            orders[memberIndex] = UInt16(truncatingIfNeeded: member)
            numbers[memberIndex] = UInt32(truncatingIfNeeded: number)
            filled[slot] = UInt8(truncatingIfNeeded: min(count &+ 1, depth))
            touched.append(UInt16(truncatingIfNeeded: slot))
        }

        /// Whether a dart comes before that of an entry: ascending (time, member); one member has only one entry in an order.
        private func precedes(_ member: Int, _ number: UInt64, _ entry: Int) -> Bool {
            let other = Int(orders[entry])
            let time = time(ofDart: number, by: member)
            let otherTime = self.time(ofDart: UInt64(numbers[entry]), by: other)
            return time != otherTime ? time < otherTime : member < other
        }

        private func time(ofDart number: UInt64, by member: Int) -> UInt64 {
            DartBoard.time(number: number, x: throwers[member].x(number), weight: throwers[member].weight)
        }

        /// What has got into an order so far stays there.
        private mutating func closeWindow() {
            for slot in touched {
                let slot = Int(slot)
                let (first, count) = (Int(final[slot]), Int(filled[slot]))
                if first == count { continue }
                final[slot] = filled[slot]
                let base = slot &* depth
                if count < depth {
                    for memberIndex in base &+ first..<base &+ count { throwers[Int(orders[memberIndex])].unfinished &+= 1 }
                } else {
                    for memberIndex in base..<base &+ first { throwers[Int(orders[memberIndex])].unfinished &-= 1 }
                    unfinished &-= 1
                }
            }
            touched.removeAll(keepingCapacity: true)
        }
    }
}
