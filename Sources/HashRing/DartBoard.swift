// How slots get their orders: every member throws darts, at a rate that its weight gives, from a sequence that depends
// on nothing but its id. The first to hit a slot owns it, the next different one mirrors it.
//
// Neither a heap of darts nor a sort is needed: members of one weight take turns in an order that only rotates from
// round to round, because in each round all of them have moved on by the same step. Only members of different weight
// have to be merged by time, one head a weight.

enum DartBoard {
    static let nobody = UInt16.max
    private static let step = SplitMix64.step

    /// The orders of all slots, `depth` entries a slot.
    static func play(members: [RingMember], dartKeys: [UInt64], depth: Int) -> [UInt16] {
        guard depth > 0 else { return [] }
        return Array(unsafeUninitializedCapacity: HashRing.slotCount * depth) { orders, count in
            count = HashRing.slotCount * depth
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HashRing.slotCount) { filled in
                withUnsafeTemporaryAllocation(of: Int.self, capacity: members.count) { unfinishedWith in
                    let memory = UnsafeMutableBufferPointer(rebasing: orders[..<count])
                    var board = Board(depth: depth, orders: memory, filled: filled, unfinishedWith: unfinishedWith)
                    play(members: members, dartKeys: dartKeys, on: &board)
                }
            }
        }
    }

    private static func play(members: [RingMember], dartKeys: [UInt64], on board: inout Board) {
        var byWeight: [UInt16: [Int]] = [:]
        for (index, member) in members.enumerated() where member.weight > 0 { byWeight[member.weight, default: []].append(index) }
        var throwers = byWeight.sorted { $0.key < $1.key }.map { Throwers(weight: $0.key, members: $0.value, dartKeys: dartKeys) }
        if throwers.count == 1, throwers[0].timesAreDistinct {
            throwers[0].throwAll(at: &board)
        } else {
            merge(&throwers, onto: &board)
        }
    }

    /// Throws the darts of several weights in ascending (time, member, dart).
    private static func merge(_ throwers: inout [Throwers], onto board: inout Board) {
        var heap = (0..<throwers.count).filter { throwers[$0].advance(board) }
        func precedes(_ one: Int, _ other: Int) -> Bool { throwers[one].head < throwers[other].head }
        heap.sort(by: precedes)
        func siftDown() {
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[child], heap[least]) {
                    least = child
                }
                if least == parent { return }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        while board.unfinished > 0, let first = heap.first {
            let dart = throwers[first].head
            board.hit(slot: slot(of: dart.x), by: dart.member)
            if !throwers[first].advance(board) {
                heap[0] = heap[heap.count - 1]
                heap.removeLast()
            }
            siftDown()
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

    struct Dart: Comparable {
        var time: UInt64
        var member: UInt16
        var number: UInt64
        var x: UInt64

        @inline(__always)
        static func < (one: Dart, other: Dart) -> Bool {
            if one.time != other.time { return one.time < other.time }
            return one.member != other.member ? one.member < other.member : one.number < other.number
        }
    }

    /// The slots' orders while they fill. Plain memory: a million darts hit it.
    struct Board {
        private let orders: UnsafeMutableBufferPointer<UInt16>
        private let filled: UnsafeMutableBufferPointer<UInt8>
        private(set) var unfinished = HashRing.slotCount
        /// For each member the number of unfinished orders that hold it. One that is in all of them can change nothing any more.
        private let unfinishedWith: UnsafeMutableBufferPointer<Int>
        private let depth: Int

        /// - Parameters:
        ///   - orders: memory for `depth` entries a slot.
        ///   - filled: memory for an entry a slot.
        ///   - unfinishedWith: memory for an entry a member.
        init(
            depth: Int, orders: UnsafeMutableBufferPointer<UInt16>, filled: UnsafeMutableBufferPointer<UInt8>,
            unfinishedWith: UnsafeMutableBufferPointer<Int>
        ) {
            self.depth = depth
            self.orders = orders
            self.filled = filled
            self.unfinishedWith = unfinishedWith
            orders.initialize(repeating: DartBoard.nobody)
            filled.initialize(repeating: 0)
            unfinishedWith.initialize(repeating: 0)
        }

        @inline(__always)
        mutating func hit(slot: Int, by member: UInt16) {
            let count = Int(filled[slot])
            if count == depth { return }
            let base = slot &* depth
            for place in 0..<count where orders[base &+ place] == member { return }
            orders[base &+ count] = member
            filled[slot] = UInt8(truncatingIfNeeded: count &+ 1)
            if count &+ 1 < depth {
                unfinishedWith[Int(member)] &+= 1
            } else {
                for place in 0..<count { unfinishedWith[Int(orders[base &+ place])] &-= 1 }
                unfinished &-= 1
            }
        }

        func canChange(_ member: UInt16) -> Bool { unfinishedWith[Int(member)] < unfinished }
    }

    /// All members of one weight, and their darts in ascending (time, member, number).
    struct Throwers {
        private let weight: UInt64
        private var members: [UInt16]
        private var keys: [UInt64]
        private var number: UInt64 = 0
        /// The place of the round's lowest x, and how many of the round are thrown.
        private var first = 0
        private var thrown = 0
        /// Darts that share a time, and the next one beyond them.
        private var group: [Dart] = []
        private var groupPlace = 0
        private var lookahead: Dart?
        private(set) var head = Dart(time: 0, member: 0, number: 0, x: 0)

        /// - Parameter members: ascending places, so their dart keys ascend as well.
        init(weight: UInt16, members: [Int], dartKeys: [UInt64]) {
            self.weight = UInt64(weight)
            self.members = members.map(UInt16.init)
            keys = members.map { dartKeys[$0] }
            startRound()
        }

        /// Up to weight 2,048 darts with different x>>40 have different times, so the order of x is the order of times, and
        /// equal ones come in the members' order by themselves.
        var timesAreDistinct: Bool { weight <= 2_048 }

        private mutating func startRound() {
            let shift = (number &+ 1) &* DartBoard.step
            first = keys.withUnsafeBufferPointer { Self.lowest(of: $0, shift: shift) }
            thrown = 0
        }

        /// The place of the key whose dart is the lowest of a round: from there on keys wrap round.
        @inline(__always)
        private static func lowest(of keys: UnsafeBufferPointer<UInt64>, shift: UInt64) -> Int {
            let wrapsFrom = 0 &- shift
            var low = 0
            var high = keys.count
            if high <= 8 {
                for key in keys { low &+= key < wrapsFrom ? 1 : 0 }
                return low == keys.count ? 0 : low
            }
            while low < high {
                let middle = (low &+ high) / 2
                if keys[middle] < wrapsFrom { low = middle &+ 1 } else { high = middle }
            }
            return low == keys.count ? 0 : low
        }

        /// Takes out the members that are in every unfinished order; false when nobody is left.
        private mutating func retire(_ board: Board) -> Bool {
            if members.contains(where: { !board.canChange($0) }) {
                let stay = members.indices.filter { board.canChange(members[$0]) }
                members = stay.map { members[$0] }
                keys = stay.map { keys[$0] }
            }
            return !members.isEmpty
        }

        /// Throws round after round until every order is full.
        mutating func throwAll(at board: inout Board) {
            while board.unfinished > 0 {
                guard retire(board) else { preconditionFailure("\(board.unfinished) slots are unfinished and nobody can throw") }
                throwRounds(256, at: &board)
            }
        }

        private mutating func throwRounds(_ rounds: UInt64, at board: inout Board) {
            let last = number &+ rounds
            keys.withUnsafeBufferPointer { keys in
                members.withUnsafeBufferPointer { members in
                    while number < last, board.unfinished > 0 {
                        let shift = (number &+ 1) &* DartBoard.step
                        let first = Self.lowest(of: keys, shift: shift)
                        var place = first
                        for _ in 0..<keys.count {
                            board.hit(slot: DartBoard.slot(of: keys[place] &+ shift), by: members[place])
                            place = place &+ 1 == keys.count ? 0 : place &+ 1
                        }
                        number &+= 1
                    }
                }
            }
        }

        private mutating func nextByX(_ board: Board) -> Dart? {
            if members.isEmpty { return nil }
            if thrown >= members.count {
                number &+= 1
                guard retire(board) else { return nil }
                startRound()
            }
            var place = first &+ thrown
            if place >= members.count { place &-= members.count }
            thrown &+= 1
            let x = keys[place] &+ (number &+ 1) &* DartBoard.step
            return Dart(time: DartBoard.time(number: number, x: x, weight: weight), member: members[place], number: number, x: x)
        }

        /// Moves ``head`` on; false when these members throw no more.
        mutating func advance(_ board: Board) -> Bool {
            if groupPlace < group.count {
                head = group[groupPlace]
                groupPlace &+= 1
                return true
            }
            guard let next = lookahead ?? nextByX(board) else { return false }
            lookahead = nextByX(board)
            head = next
            guard let after = lookahead, after.time == next.time else { return true }
            // Above weight 2,048 neighbours can share a time; then the members' order decides, not x.
            group = [next]
            while let other = lookahead, other.time == next.time {
                group.append(other)
                lookahead = nextByX(board)
            }
            group.sort()
            head = group[0]
            groupPlace = 1
            return true
        }
    }
}
