// The third place of each slot's order: it follows the same rules as the first two, and the digest doesn't know of it.
import HashRing
import Testing

@Suite struct SecondMirrorTests {
    private static let slots = [0, 1, 2, 3, 4_783, 14_231, 17_943, 26_769, 32_887, 42_159, 50_929, 52_265]
    /// The third places of these slots, as a program says that was written from docs/architecture/ring.md.
    private static let thirds = [
        "three": ["n3", "n3", "n2", "n3", "n3", "n1", "n1", "n1", "n1", "n1", "n3", "n1"],
        "four": ["n1", "n3", "n2", "n1", "n1", "n4", "n3", "n2", "n3", "n1", "n4", "n1"],
        "weighted": [3, 1, 4, 1, 2, 1, 1, 4, 1, 2, 4, 3].map { "10.0.0.\($0):9000" },
        "look-alikes": ["a1", "a11", "e\u{301}", "a1", "e\u{301}", "e\u{301}", "a", "a1", "\u{e9}", "\u{e9}", "a11", "\u{e9}"],
    ]

    /// The vectors were made with two places.
    @Test func goldenVectorsHoldWithThreePlaces() throws {
        var looked = 0
        for vector in try VectorFile.read().rings {
            let ring = HashRing(members: vector.members.map { RingMember(id: $0.id, weight: $0.weight) })
            #expect(ring.depth == min(3, vector.members.count { $0.weight > 0 }))
            #expect(hex(ring.digest) == vector.digest, "\(vector.name): the digest covers two places")
            guard let thirds = Self.thirds[vector.name] else { continue }
            let found = Self.slots.map { ring.secondMirror(ofSlot: $0).map { ring.members[$0].id } ?? "" }
            #expect(sameBytes(found, thirds), "\(vector.name)")
            looked += 1
        }
        #expect(looked == Self.thirds.count)
    }

    @Test(arguments: 0..<6) func threePlacesBeginAsTwo(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let members = RingPropertyTests.randomMembers(&random)
        let (two, three) = (ring(members, depth: 2), ring(members, depth: 3))
        #expect(two.digest == three.digest)
        let wrong = (0..<HashRing.slotCount).first {
            two.owner(ofSlot: $0) != three.owner(ofSlot: $0) || two.mirror(ofSlot: $0) != three.mirror(ofSlot: $0)
        }
        #expect(wrong == nil)
    }

    /// The last of all members is found without darts; by them it would be the same one.
    @Test(arguments: [1, 2, 3]) func whoIsLastIsTheSameByDarts(count: Int) {
        let members: [(String, UInt16)] = (0..<count).map { ("n\($0)", UInt16(1 + 3 * $0)) } + [("router", 0)]
        let ring = ring(members, depth: 3)
        for slot in stride(from: 0, to: HashRing.slotCount, by: 1_999) {
            #expect(ring.preference(ofSlot: slot, count: count) == Array(ring.preference(ofSlot: slot, count: 9)))
        }
    }

    @Test func secondMirrorsAreBalanced() {
        let ten = ring((0..<10).map { ("n\($0)", 100) }, depth: 3)
        var counts = [Int](repeating: 0, count: 10)
        for slot in 0..<HashRing.slotCount { if let member = ten.secondMirror(ofSlot: slot) { counts[member] += 1 } }
        let mean = Double(HashRing.slotCount) / 10
        #expect(counts.reduce(0, +) == HashRing.slotCount)
        #expect(counts.allSatisfy { abs(Double($0) / mean - 1) < 0.05 }, "\(counts)")
        // Of a pair that dies, no third member has all that it shared.
        var shared = [Int](repeating: 0, count: 10)
        for slot in 0..<HashRing.slotCount where ten.owner(ofSlot: slot) == 0 && ten.mirror(ofSlot: slot) == 1 {
            if let member = ten.secondMirror(ofSlot: slot) { shared[member] += 1 }
        }
        #expect(shared[2...].allSatisfy { $0 > 0 } && shared[0] == 0 && shared[1] == 0)
    }

    @Test(arguments: 300..<304) func whoJoinsTakesPlacesOnlyForItself(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let members = RingPropertyTests.randomMembers(&random) + [("stays", 3), ("stays-too", 9)]
        let (before, after) = (ring(members, depth: 3), ring(members + [("joins", 5)], depth: 3))
        let joins = try #require(after.memberIndex(of: "joins"))
        let renumbered = before.members.map { after.memberIndex(of: $0.id) }
        let wrong = (0..<HashRing.slotCount).first { slot in
            let old = before.preference(ofSlot: slot, count: before.depth).map { renumbered[$0] }
            let new = after.preference(ofSlot: slot, count: after.depth).filter { $0 != joins }
            return !zip(old, new).allSatisfy { $0 == $1 }
        }
        #expect(wrong == nil, "the others' order stays as it was")
    }

    @Test func theSecondMirrorFollowsBoth() {
        let members: [(String, UInt16)] = [("a", 1), ("b", 2), ("c", 4), ("d", 1)]
        let whole = ring(members, depth: 3)
        let alone = Dictionary(
            uniqueKeysWithValues: members.indices.flatMap { one in
                members.indices.filter { $0 > one }.map { other in
                    ([one, other], ring(members.indices.filter { $0 != one && $0 != other }.map { members[$0] }, depth: 3))
                }
            })
        for slot in stride(from: 0, to: HashRing.slotCount, by: 7) {
            let gone = [whole.owner(ofSlot: slot), whole.mirror(ofSlot: slot)].compactMap { place in
                place.flatMap { place in members.firstIndex { $0.0 == whole.members[place].id } }
            }.sorted()
            let rest = alone[gone]
            #expect(rest?.owner(ofSlot: slot).map { rest?.members[$0].id } == whole.secondMirror(ofSlot: slot).map { whole.members[$0].id })
        }
    }

    @Test(arguments: 400..<406) func withThreeCopiesTheThirdPlaceCountsToo(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let members = RingPropertyTests.randomMembers(&random)
        var others = members.filter { _ in Bool.random(using: &random) }
        if Bool.random(using: &random) { others.append(("joins", 5)) }
        let (old, new) = (ring(members, depth: 3), ring(others, depth: 3))
        func names(_ ring: HashRing, _ slot: Int, _ copies: Int) -> [String] {
            ring.preference(ofSlot: slot, count: min(copies, ring.depth)).map { ring.members[$0].id }
        }
        let memberIndices = old.members.map { new.memberIndex(of: $0.id) }
        for copies in 1...3 {
            let found = new.slotsWithOtherHolders(than: old, memberIndices: memberIndices, from: 2, by: 5, copies: copies)
            let slow = stride(from: 2, to: HashRing.slotCount, by: 5).filter { names(old, $0, copies) != names(new, $0, copies) }
            #expect(found == slow, "\(copies) copies")
        }
    }
}
