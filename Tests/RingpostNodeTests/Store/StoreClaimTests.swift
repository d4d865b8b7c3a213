// Whose entry of the roster makes a store's lineage count, and whose does not.
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct StoreClaimTests {
    private static let znode = "/ringpost/c/roster/n1"

    private func objection(lineage: UInt64 = 7, boots: Set<UInt64> = [], entry: Member?) -> String? {
        let claim = StoreClaim(lineage: lineage, hasBoots: !boots.isEmpty, knows: boots.contains)
        return claim.objection(entry?.json(), znode: Self.znode)
    }

    private func member(boot: UInt64, lineage: UInt64) -> Member {
        Member(id: "n1", boot: boot, lineage: lineage, weight: 1, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
    }

    @Test func aStoreThatWasNeverRegisteredHasNothingToLose() {
        #expect(objection(entry: nil) == nil)
        #expect(objection(entry: member(boot: 1, lineage: 8)) == nil, "somebody else had the id before")
    }

    @Test func theOneThatWasRegisteredLastCounts() {
        #expect(objection(boots: [1, 2], entry: member(boot: 2, lineage: 7)) == nil)
        #expect(objection(boots: [1, 2], entry: member(boot: 1, lineage: 7)) == nil, "the last boot was not registered any more")
    }

    @Test func anOldCopyIsFoundOut() {
        #expect(objection(boots: [1], entry: member(boot: 2, lineage: 7))?.contains("old copy") == true)
        #expect(objection(entry: member(boot: 2, lineage: 7))?.contains("old copy") == true, "also of a store that was still empty")
    }

    @Test func othersMayHaveGoneOnWithoutIt() {
        #expect(objection(boots: [1], entry: member(boot: 2, lineage: 8))?.contains("another store") == true)
        #expect(objection(boots: [1], entry: nil)?.contains("does not name") == true)
        let claim = StoreClaim(lineage: 7, hasBoots: true, knows: { _ in true })
        #expect(claim.objection(Array("nonsense".utf8), znode: Self.znode) != nil, "an entry that can't be read is somebody's")
    }
}
