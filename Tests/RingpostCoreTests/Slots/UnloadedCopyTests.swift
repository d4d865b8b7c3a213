// A holder whose copy has not been read from its store yet: steps wait for that, as long as they are the owner's.
import Testing

@testable import HashRing
@testable import RingpostCore

@Suite struct UnloadedCopyTests {
    private static let slot = Rings.slot("acbd")
    private static let shardCount = HashRing.slotCount / 2
    private static let other = (slot + shardCount) % HashRing.slotCount
    private static let set = LineageSet(number: 1, lineages: [7, 8])
    private static let key = Key(.user, trusted: [1], hash: KeyHash(rawValue: UInt64(slot) << 48 | 1))
    private static let now = Moment(monotonic: 1_000, wall: 1_700_000_000_000)

    /// b, with a copy of two slots up to 9 in its store, of which a is the owner.
    private struct Holder {
        var shard: ShardMachine
        var actions: [ShardAction] = []

        init(members: String = "abcd", set: LineageSet = UnloadedCopyTests.set, looksMax: Int = SlotLimits().looksMax) {
            var limits = ShardLimits()
            limits.slots.looksMax = looksMax
            shard = ShardMachine(
                me: Self.identity("b"), lineage: 7, index: UnloadedCopyTests.slot % UnloadedCopyTests.shardCount,
                shardCount: UnloadedCopyTests.shardCount, limits: limits)
            let head = SlotHead(kind: .copy, term: 3, position: 9, fence: 3, origin: 5, set: set)
            shard.restore([UnloadedCopyTests.slot: head, UnloadedCopyTests.other: head], lineage: 7)
            shard.setLease(until: .max, now: UnloadedCopyTests.now, actions: &actions)
            view(5, members)
        }

        static func identity(_ id: String) -> MemberIdentity { MemberIdentity(id: id, boot: 1) }

        mutating func view(_ epoch: UInt64, _ members: String) {
            let list = members.map { letter -> Member in
                var member = Rings.member(Self.identity("\(letter)"), weight: 1)
                member.lineage = letter == "b" ? 7 : 8
                return member
            }
            let view = MembershipView(
                epoch: epoch, members: list, document: InMemoryCluster.document, own: Self.identity("b"), buildRing: Rings.ring)
            shard.apply(view, now: UnloadedCopyTests.now, actions: &actions)
        }

        mutating func hear(_ id: String, _ frame: SlotFrame) {
            shard.onRequest(frame, from: Self.identity(id), connectionID: 4, now: UnloadedCopyTests.now, actions: &actions)
        }

        mutating func adopt(_ id: String, term: UInt64, base: UInt64) {
            hear(id, .adopt([SlotAdoption(slot: UInt16(slot), term: term, base: base, position: 9, set: UnloadedCopyTests.set)]))
        }

        /// The content is here: nothing but what the head says.
        mutating func load(_ slot: Int = UnloadedCopyTests.slot) {
            let chunk = SnapshotChunk(isFirst: true, isLast: true, base: 3, position: 9, set: UnloadedCopyTests.set, items: [])
            shard.onLoaded(slot, .success(StoredSlot(chunks: [chunk])), asked: 1_000, now: UnloadedCopyTests.now, actions: &actions)
        }

        var acknowledged: [UInt64] {
            actions.compactMap { if case .reply(_, .acknowledge(_, _, let position)) = $0 { position } else { nil } }
        }
        var end: UInt64? {
            shard.log.mailboxes.mailboxIndex(of: key).map { shard.log.mailboxes.end(at: $0) }
        }
    }

    private static func message(_ sequence: UInt64) -> SlotEntry {
        .message(key, incarnation: 1, StoredMessage(sequence: sequence, envelope: [1]), nil)
    }

    /// The slots of an owner that has just begun are being read when others come: not all have had their turn in that epoch when one is there.
    @Test func whatIsReadIsBroughtUpToTheEpochFirst() {
        var holder = Holder(members: "b", set: LineageSet(number: 1, lineages: [7]), looksMax: 1)
        for _ in 0..<4 { holder.shard.onEpochWork(now: Self.now, actions: &holder.actions) }
        let loads = holder.actions.compactMap { if case .load(let slot, _) = $0 { slot } else { nil } }
        #expect(Set(loads) == [Self.slot, Self.other])
        holder.view(6, "abcd")
        for slot in [Self.slot, Self.other] {
            holder.load(slot)
            #expect(holder.shard.log.isOwned(at: holder.shard.slotIndex(slot)) == holder.shard.peers.isOwner(slot))
        }
    }

    @Test func stepsWaitForTheContent() {
        var holder = Holder()
        holder.adopt("a", term: 5, base: 3)
        #expect(holder.actions.contains { if case .load(Self.slot, _) = $0 { true } else { false } })
        holder.hear("a", .append(term: 5, slot: UInt16(Self.slot), position: 10, Self.message(1)))
        holder.hear("a", .append(term: 5, slot: UInt16(Self.slot), position: 11, Self.message(2)))
        #expect(holder.acknowledged.isEmpty && holder.end == nil)
        holder.load()
        #expect(holder.acknowledged == [11] && holder.end == 2)
    }

    /// What an earlier owner has sent, and nobody has acknowledged, must not stand where the next one's log has something else.
    @Test func stepsOfAnEarlierTermAreVoid() {
        var holder = Holder()
        holder.adopt("a", term: 5, base: 3)
        holder.hear("a", .append(term: 5, slot: UInt16(Self.slot), position: 10, .nothing))
        holder.view(6, "bcd")
        holder.hear("c", .inquire(term: 6, slots: [UInt16(Self.slot)]))
        holder.adopt("c", term: 6, base: 5)
        holder.hear("c", .append(term: 6, slot: UInt16(Self.slot), position: 10, Self.message(1)))
        holder.load()
        #expect(holder.acknowledged == [10] && holder.end == 1)
    }

    /// It is not taken before it is known what of the histories here it goes on from.
    @Test func aWholeCopyThatComesMeanwhileGoesOnWhereItEnds() {
        var holder = Holder()
        holder.adopt("a", term: 5, base: 3)
        holder.hear("a", .append(term: 5, slot: UInt16(Self.slot), position: 10, .nothing))
        let chunk = SnapshotChunk(isFirst: true, isLast: true, base: 5, position: 20, set: Self.set, items: [])
        holder.hear("a", .snapshots([SnapshotTransfer(slot: UInt16(Self.slot), term: 5, chunk: chunk)]))
        holder.hear("a", .append(term: 5, slot: UInt16(Self.slot), position: 21, Self.message(1)))
        #expect(holder.acknowledged.isEmpty && holder.end == nil)
        holder.load()
        #expect(holder.acknowledged == [21] && holder.end == 1)
    }

    @Test func aWholeCopyOfAnEarlierTermIsVoid() {
        var holder = Holder()
        holder.adopt("a", term: 5, base: 3)
        let chunk = SnapshotChunk(isFirst: true, isLast: true, base: 5, position: 20, set: Self.set, items: [])
        holder.hear("a", .snapshots([SnapshotTransfer(slot: UInt16(Self.slot), term: 5, chunk: chunk)]))
        holder.hear("a", .append(term: 5, slot: UInt16(Self.slot), position: 21, Self.message(1)))
        holder.view(6, "bcd")
        holder.hear("c", .inquire(term: 6, slots: [UInt16(Self.slot)]))
        holder.load()
        #expect(holder.acknowledged.isEmpty && holder.end == nil)
        #expect(holder.shard.log.copy(at: holder.shard.slotIndex(Self.slot)).position == 9)
    }
}
