// A shard that begins with what its node's store has.
import Testing

@testable import RingpostCore

@Suite struct RestoredShardTests {
    private func head(_ kind: SlotHead.Kind, position: UInt64) -> SlotHead {
        SlotHead(kind: kind, term: 3, position: position, fence: 3, origin: 5, set: LineageSet(number: 1, lineages: [7]))
    }

    /// A node that is told to stop before it has read anything must not say that it holds nothing.
    @Test func whatHasNotBeenReadIsKept() {
        var shard = ShardMachine(me: MemberIdentity(id: "a", boot: 1), lineage: 7, index: 0, shardCount: 16_384)
        shard.restore(
            [
                0: head(.copy, position: 9), 16_384: head(.copy, position: 0), 32_768: head(.released, position: 9),
                49_152: head(.hearsay, position: 9),
            ], lineage: 7)
        #expect(shard.mailboxCount == 0 && shard.keptCount == 1)
    }
}
