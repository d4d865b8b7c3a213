// The ring: a pure function of the member set. For each of the 65,536 slots an order of preference over the members,
// the owner first, its mirrors after it. Built whole, never changed afterwards; a new member set is a new ring.

/// One generation of the ring. docs/architecture/ring.md specifies it.
public struct HashRing: Sendable {
    /// The number of slots. A slot is the upper 16 bits of a key's hash.
    public static let slotCount = 65_536
    /// Orders are kept three deep: an owner and two mirrors. Further ones are computed on demand.
    public static let depthDefault = 3
    /// The digest covers the owner and the first mirror of each slot. What comes after them follows from the same members by the same rules.
    public static let digestDepth = 2
    /// Member places are 16-bit numbers, and one of them means "nobody".
    public static let membersMax = 65_535

    /// All members, also those without weight, in the members' order: by (dart key, id bytes).
    public let members: [RingMember]
    /// Members kept of each slot's order; 0 when nobody has weight.
    public let depth: Int
    /// Two rings with one digest place every slot alike.
    public let digest: UInt64

    @usableFromInline let orders: [UInt16]
    let dartKeys: [UInt64]

    /// Builds the ring of a member set. Takes a few milliseconds.
    ///
    /// - Parameters:
    ///   - members: ids must be unique; at most ``membersMax``. The order in which they are given doesn't matter.
    ///   - depth: how much of each slot's order to keep; cut to the number of members with weight.
    public init(members: some Collection<RingMember>, depth: Int = HashRing.depthDefault) {
        precondition(members.count <= Self.membersMax, "a ring has at most \(Self.membersMax) members, not \(members.count)")
        precondition(depth >= 1 && depth <= 255, "depth \(depth) is not in 1…255")
        let keyed = Self.inOrder(members)
        self.members = keyed.map(\.member)
        let neighbours = zip(self.members, self.members.dropFirst())
        precondition(!neighbours.contains { $0.id.utf8.elementsEqual($1.id.utf8) }, "two members have one id")
        dartKeys = keyed.map(\.key)
        self.depth = min(depth, keyed.count { $0.member.weight > 0 })
        orders = DartBoard.orders(members: self.members, dartKeys: dartKeys, depth: self.depth)
        digest = Self.digest(orders, depth: self.depth)
    }

    /// The ring of a member set that differs from another ring's only in members without weight: they throw no darts, so nothing
    /// changes but the numbers of the places. Takes a fraction of a millisecond.
    ///
    /// - Returns: `nil` if other members have weight, or the same ones another.
    public init?(members: some Collection<RingMember>, placedLike other: HashRing) {
        let keyed = Self.inOrder(members)
        let weighted = keyed.indices.filter { keyed[$0].member.weight > 0 }
        let before = other.members.indices.filter { other.members[$0].weight > 0 }
        guard keyed.count <= Self.membersMax, weighted.map({ keyed[$0].member }) == before.map({ other.members[$0] }) else { return nil }
        self.members = keyed.map(\.member)
        dartKeys = keyed.map(\.key)
        depth = other.depth
        var memberIndices = [UInt16](repeating: 0, count: other.members.count)
        for (old, new) in zip(before, weighted) { memberIndices[old] = UInt16(new) }
        orders = other.orders.map { memberIndices[Int($0)] }
        digest = Self.digest(orders, depth: depth)
    }

    private static func inOrder(_ members: some Collection<RingMember>) -> [(member: RingMember, key: UInt64)] {
        members.map { (member: $0, key: $0.dartKey) }.sorted { one, other in
            one.key != other.key ? one.key < other.key : one.member.id.utf8.lexicographicallyPrecedes(other.member.id.utf8)
        }
    }

    private static func digest(_ orders: [UInt16], depth: Int) -> UInt64 {
        let key = SipKey(ascii: "ringpost-ring-v1")
        if depth <= digestDepth { return orders.withUnsafeBytes { sipHash13(key: key, $0) } }
        return withUnsafeTemporaryAllocation(of: UInt16.self, capacity: slotCount * digestDepth) { covered in
            for slot in 0..<slotCount {
                for rank in 0..<digestDepth {
                    covered.initializeElement(at: slot &* digestDepth &+ rank, to: orders[slot &* depth &+ rank])
                }
            }
            return sipHash13(key: key, UnsafeRawBufferPointer(covered))
        }
    }

    /// The place (in ``members``) of the slot's owner, or `nil` when nobody has weight.
    @inlinable
    public func owner(ofSlot slot: Int) -> Int? {
        depth > 0 ? Int(orders[slot &* depth]) : nil
    }

    /// The place of the slot's mirror: exactly the member that would own the slot without its owner.
    @inlinable
    public func mirror(ofSlot slot: Int) -> Int? {
        depth > 1 ? Int(orders[slot &* depth &+ 1]) : nil
    }

    /// The place of the slot's second mirror: the member that would own the slot without the owner and the first mirror.
    @inlinable
    public func secondMirror(ofSlot slot: Int) -> Int? {
        depth > 2 ? Int(orders[slot &* depth &+ 2]) : nil
    }

    /// The first `count` members of the slot's order (fewer if fewer have weight), as places in ``members``.
    ///
    /// Beyond ``depth`` this throws darts for the one slot until every member has hit it: about 0.1 ms a member.
    public func preference(ofSlot slot: Int, count: Int) -> [Int] {
        if count <= depth { return (0..<count).map { Int(orders[slot * depth + $0]) } }
        let hits = members.indices.filter { members[$0].weight > 0 }.map { index in
            (time: DartBoard.firstHit(slot: slot, dartKey: dartKeys[index], weight: members[index].weight), index: index)
        }
        return hits.sorted { $0 < $1 }.prefix(count).map(\.index)
    }

    /// How many slots each member owns, in the order of ``members``.
    public func slotsOwned() -> [Int] {
        var counts = [Int](repeating: 0, count: members.count)
        guard depth > 0 else { return counts }
        for slot in 0..<Self.slotCount { counts[Int(orders[slot * depth])] += 1 }
        return counts
    }

    /// The place of a member by its id, comparing bytes (two spellings of one letter are two members).
    public func memberIndex(of id: String) -> Int? {
        members.firstIndex { $0.id.utf8.elementsEqual(id.utf8) }
    }
}

extension HashRing: Equatable {
    /// Rings are equal when their members are; the digest settles nearly every other case at once.
    public static func == (one: HashRing, other: HashRing) -> Bool {
        one.digest == other.digest && one.depth == other.depth && one.members == other.members
    }
}
