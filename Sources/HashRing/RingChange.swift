// What a change of the ring moves, for `ringpost plan` before anyone makes it and for logs afterwards.

/// The difference between two rings.
public struct RingChange: Equatable, Sendable {
    /// Slots that change hands from one member to another.
    public struct Move: Equatable, Sendable {
        /// `nil` when nobody owned the slots before.
        public let from: String?
        /// `nil` when nobody owns them afterwards.
        public let to: String?
        /// How many.
        public let slots: Int
    }

    /// Ordered by number of slots, the largest first.
    public let moves: [Move]
    /// Slots that change their owner.
    public let slotsMoved: Int
    /// Slots whose new owner was not their mirror before: a history that has to travel.
    public let slotsMovedBeyondMirror: Int

    /// Compares slot by slot; takes a fraction of a millisecond.
    public init(from old: HashRing, to new: HashRing) {
        let indexInNew = new.memberIndices(of: old)
        var counts: [Pair: Int] = [:]
        var beyondMirror = 0
        for slot in 0..<HashRing.slotCount {
            let before = old.owner(ofSlot: slot)
            let after = new.owner(ofSlot: slot)
            if let before, let after, indexInNew[before] == after { continue }
            if before == nil, after == nil { continue }
            counts[Pair(from: before, to: after), default: 0] += 1
            if old.mirror(ofSlot: slot).flatMap({ indexInNew[$0] }) != after { beyondMirror += 1 }
        }
        moves = counts.sorted { one, other in
            if one.value != other.value { return one.value > other.value }
            return (one.key.from ?? -1, one.key.to ?? -1) < (other.key.from ?? -1, other.key.to ?? -1)
        }.map { pair, slots in
            Move(from: pair.from.map { old.members[$0].id }, to: pair.to.map { new.members[$0].id }, slots: slots)
        }
        slotsMoved = moves.reduce(0) { $0 + $1.slots }
        slotsMovedBeyondMirror = beyondMirror
    }

    private struct Pair: Hashable {
        let from: Int?
        let to: Int?
    }
}

extension HashRing {
    /// The slots that have another owner or another mirror than in an earlier ring. Takes about 2 ns for each that it looks at.
    ///
    /// With two copies nobody beyond the second place has anything to do with a slot.
    ///
    /// - Parameters:
    ///   - old: the ring before.
    ///   - places: for each place of the old ring that of the same member in this one; `nil` if it is none any more.
    ///   - first: the first slot to look at.
    ///   - stride: looks at every `stride`-th slot from there on.
    ///   - copies: how many members of each order have a copy, or are to get one; at most ``depthDefault``.
    /// - Returns: in ascending order.
    public func slotsWithOtherHolders(
        than old: HashRing, memberIndices: [Int?], from first: Int, by stride: Int, copies: Int = 2
    ) -> [Int] {
        let depth = min(depth, copies)
        guard depth == min(old.depth, copies) else { return Array(Swift.stride(from: first, to: Self.slotCount, by: stride)) }
        let nobody = UInt16(Self.membersMax)
        let renumbered = memberIndices.map { $0.map { UInt16($0) } ?? nobody }
        var found: [Int] = []
        // In plain memory: an event loop waits for it.
        renumbered.withUnsafeBufferPointer { renumbered in
            old.orders.withUnsafeBufferPointer { before in
                orders.withUnsafeBufferPointer { now in
                    var slot = first
                    while slot < Self.slotCount {
                        for rank in 0..<depth
                        where renumbered[Int(before[slot &* old.depth &+ rank])] != now[slot &* self.depth &+ rank] {
                            found.append(slot)
                            break
                        }
                        slot &+= stride
                    }
                }
            }
        }
        return found
    }

    /// The places here of an older ring's members, by their ids; `nil` for those that are none any more.
    func memberIndices(of old: HashRing) -> [Int?] {
        // Both are in the members' order, so one walk finds all.
        var memberIndex = 0
        return old.members.indices.map { number in
            while memberIndex < members.count, precedes(memberIndex, old, number) { memberIndex += 1 }
            return memberIndex < members.count && members[memberIndex].id.utf8.elementsEqual(old.members[number].id.utf8)
                ? memberIndex : nil
        }
    }

    private func precedes(_ memberIndex: Int, _ old: HashRing, _ number: Int) -> Bool {
        if dartKeys[memberIndex] != old.dartKeys[number] { return dartKeys[memberIndex] < old.dartKeys[number] }
        return members[memberIndex].id.utf8.lexicographicallyPrecedes(old.members[number].id.utf8)
    }
}
