// What must hold for every ring, tried on many seeded member sets; and the fast way of building against the slow one
// that follows the specification word by word.
import HashRing
import Testing

func ring(_ members: [(String, UInt16)], depth: Int = 2) -> HashRing {
    HashRing(members: members.map { RingMember(id: $0.0, weight: $0.1) }, depth: depth)
}

@Suite struct RingPropertyTests {
    static func randomMembers(_ random: inout SplitMix64) -> [(String, UInt16)] {
        let count = Int.random(in: 1...9, using: &random)
        let weights: [UInt16] = [1, 1, 1, 100, 2_048, 2_049, 65_535, 0, 7]
        return (0..<count).map { ("node-\($0)-\(UInt16.random(in: 0...999, using: &random))", weights.randomElement(using: &random) ?? 1) }
    }

    @Test(arguments: 0..<12) func theBeginningOfTheOrderIsWhatTheSlowWayFinds(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let ring = ring(Self.randomMembers(&random), depth: 1 + Int(seed % 4))
        let withWeight = ring.members.count { $0.weight > 0 }
        guard withWeight > 0 else { return }
        for _ in 0..<40 {
            let slot = Int.random(in: 0..<HashRing.slotCount, using: &random)
            // Asked deeper than is kept, a preference is found by each member's own first hit, without any merging.
            let slow = Array(ring.preference(ofSlot: slot, count: ring.members.count + 1).prefix(ring.depth))
            #expect(ring.preference(ofSlot: slot, count: ring.depth) == slow, "seed \(seed), slot \(slot)")
        }
    }

    /// Digests that an earlier way of building came to, one that threw the darts one by one in the order of their times.
    @Test func manyMembersOfMixedWeightsArePlacedAsOneByOne() {
        func digest(_ count: Int, _ weight: (Int) -> UInt16) -> UInt64 { ring((0..<count).map { ("n\($0)", weight($0)) }).digest }
        #expect(digest(2) { _ in 1 } == 0x4ae9_a8f4_663d_6e2e)
        #expect(digest(10) { UInt16(1 + $0) } == 0x2d8b_809d_9f9a_fa09)
        #expect(digest(10) { UInt16(100 + $0 % 2) } == 0xd1ec_f781_ed12_f2a7)
        #expect(digest(1_000) { _ in 1 } == 0x7526_ff20_252b_07e0)
        #expect(digest(1_000) { UInt16(1 + $0 % 7) } == 0xd83f_c971_7175_1ba4)
        // So heavy that darts of different members share times.
        #expect(digest(1_000) { UInt16(60_000 + $0) } == 0x50c1_ae3d_db91_a1ea)
    }

    @Test(arguments: 200..<210) func theSlotsPlacedOtherwiseAreThoseWithAnotherOwnerOrMirror(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let members = Self.randomMembers(&random)
        var others = members.filter { _ in Bool.random(using: &random) }
        if Bool.random(using: &random) { others.append(("joins", 5)) }
        let (old, new) = (ring(members), ring(others))
        func name(_ memberIndex: Int?, _ ring: HashRing) -> String? { memberIndex.map { ring.members[$0].id } }
        let found = new.slotsWithOtherHolders(than: old, memberIndices: old.members.map { new.memberIndex(of: $0.id) }, from: 1, by: 3)
        let slow = stride(from: 1, to: HashRing.slotCount, by: 3).filter { slot in
            name(old.owner(ofSlot: slot), old) != name(new.owner(ofSlot: slot), new)
                || name(old.mirror(ofSlot: slot), old) != name(new.mirror(ofSlot: slot), new)
        }
        #expect(found == slow)
        let moved = (0..<HashRing.slotCount).count { name(old.owner(ofSlot: $0), old) != name(new.owner(ofSlot: $0), new) }
        #expect(RingChange(from: old, to: new).slotsMoved == moved)
    }

    @Test(arguments: 100..<104) func nothingMovesBetweenMembersThatStay(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var members = Self.randomMembers(&random).filter { $0.1 > 0 }
        members.append(("stays", 3))
        let before = ring(members)
        let after = ring(members + [("joins", 5)])
        let change = RingChange(from: before, to: after)
        #expect(change.moves.allSatisfy { $0.to == "joins" })
        #expect(change.slotsMoved == after.slotsOwned()[after.memberIndex(of: "joins") ?? 0])
        #expect(RingChange(from: after, to: before).slotsMovedBeyondMirror == 0, "one that leaves is followed by its mirror")
    }

    @Test(arguments: 200..<206) func whoHasNoWeightChangesNoPlacement(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let members = Self.randomMembers(&random) + [("stays", 3)]
        let before = ring(members)
        let more = members + [("a-router", 0), ("z-router", 0)]
        let list = { (members: [(String, UInt16)]) in members.map { RingMember(id: $0.0, weight: $0.1) } }
        let quick = try #require(HashRing(members: list(more), placedLike: before))
        #expect(quick == ring(more))
        #expect(HashRing(members: list(members.filter { $0.1 > 0 }), placedLike: quick) == ring(members.filter { $0.1 > 0 }))
        #expect(HashRing(members: list(more + [("joins", 1)]), placedLike: before) == nil)
        #expect(HashRing(members: list(members.map { $0.0 == "stays" ? ($0.0, 4) : $0 }), placedLike: before) == nil)
    }

    @Test func theMirrorIsTheOwnerWithoutTheOwner() {
        let members: [(String, UInt16)] = [("a", 1), ("b", 2), ("c", 4), ("d", 1)]
        let whole = ring(members)
        for gone in members.indices {
            let id = members[gone].0
            let rest = ring(members.enumerated().filter { $0.offset != gone }.map(\.element))
            let indexInRest = whole.members.map { rest.memberIndex(of: $0.id) }
            let wrong = (0..<HashRing.slotCount).first { slot in
                guard let owner = whole.owner(ofSlot: slot), let mirror = whole.mirror(ofSlot: slot) else { return true }
                return rest.owner(ofSlot: slot) != indexInRest[whole.members[owner].id == id ? mirror : owner]
            }
            #expect(wrong == nil, "the mirror should follow \(id)")
        }
    }

    @Test func sharesFollowWeights() {
        let ten = ring((0..<10).map { ("n\($0)", 100) })
        let mean = Double(HashRing.slotCount) / 10
        #expect(ten.slotsOwned().allSatisfy { abs(Double($0) / mean - 1) < 0.05 })
        let weighted = ring([("light", 100), ("heavy", 300)])
        let heavy = Double(weighted.slotsOwned()[weighted.memberIndex(of: "heavy") ?? 0]) / Double(HashRing.slotCount)
        #expect(abs(heavy - 0.75) < 0.02)
    }

    @Test func nobodyWithWeightMeansNoOwner() {
        let none = ring([("router", 0)])
        #expect(none.owner(ofSlot: 7) == nil)
        #expect(none.depth == 0)
        #expect(none.preference(ofSlot: 7, count: 2) == [])
        #expect(RingChange(from: none, to: ring([("router", 0), ("a", 1)])).slotsMoved == HashRing.slotCount)
    }

    @Test func extremeWeightsFinish() {
        let pair = ring([("huge", 65_535), ("tiny", 1)])
        #expect((0..<HashRing.slotCount).allSatisfy { pair.mirror(ofSlot: $0) != nil })
    }

    @Test func theOrderInWhichMembersAreNamedDoesNotMatter() {
        let one = ring([("a", 1), ("b", 2), ("c", 3)])
        let other = ring([("c", 3), ("a", 1), ("b", 2)])
        #expect(one == other)
    }

    @Test func kindsAndPrefixesOfEveryLengthAreToldApart() throws {
        let hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](repeating: 9, count: 16))))
        var seen: Set<UInt64> = []
        for length in 0..<40 {
            let name = String(repeating: "x", count: length)
            #expect(seen.insert(hasher.hash(.user, name).rawValue).inserted)
            #expect(seen.insert(hasher.hash(.channel, name).rawValue).inserted)
        }
        // The prefix is hashed as if it stood before the name in one piece.
        let key = try #require(SipKey(bytes: [UInt8](repeating: 9, count: 16)))
        for length in 0..<40 {
            let whole: [UInt8] = [0x75, 0] + [UInt8](repeating: 0x78, count: length)
            let name = String(repeating: "x", count: length)
            #expect(hasher.hash(.user, name).rawValue == whole.withUnsafeBytes { sipHash13(key: key, $0) })
        }
    }
}
