// Whose entry of the roster makes a store's lineage count, and whose does not.
import Testing

@testable import RingpostCore

@Suite struct LineageClaimTests {
    private static let znode = "/ringpost/c/roster/n1"

    private func objection(boots: Set<UInt64> = [], entry: Member?, isGivenUp: Bool = false) -> LineageClaim.Objection? {
        let json = entry.map { RosterEntry($0, Life(), isGivenUp: isGivenUp).json() }
        return LineageClaim(lineage: 7, boots: boots).objection(json, znode: Self.znode)
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
        let other = member(boot: 2, lineage: 7)
        #expect(objection(boots: [1], entry: other) == .unknownBoot(other.identity))
        #expect(objection(entry: other) == .unknownBoot(other.identity), "also of a store that was still empty")
    }

    @Test func othersMayHaveGoneOnWithoutIt() {
        #expect(objection(boots: [1], entry: member(boot: 2, lineage: 8)) == .otherStore)
        #expect(objection(boots: [1], entry: nil) == .unnamed)
        let claim = LineageClaim(lineage: 7, boots: [1])
        #expect(claim.objection(Array("nonsense".utf8), znode: Self.znode) == .otherStore, "an entry that can't be read is somebody's")
    }

    @Test func anOperatorMayHaveSaidThatItDoesNotComeBack() {
        #expect(objection(boots: [1], entry: member(boot: 1, lineage: 7), isGivenUp: true) == .givenUp)
        #expect(objection(boots: [1], entry: member(boot: 2, lineage: 8), isGivenUp: true) == .givenUp)
        #expect(objection(entry: member(boot: 2, lineage: 8), isGivenUp: true) == nil, "somebody else, before it")
    }

    /// ZooKeeper was set up from a backup: whoever began there may have gone on in epochs below those that the store has seen.
    @Test func aStoreThatIsAheadOfTheListCountsNoMore() {
        let json = RosterEntry(member(boot: 1, lineage: 7), Life()).json()
        let claim = LineageClaim(lineage: 7, boots: [1], epoch: 40)
        #expect(claim.objection(json, znode: Self.znode, list: 39) == .olderList(seen: 40, epoch: 39))
        #expect(claim.objection(json, znode: Self.znode, list: 40) == nil)
        #expect(claim.objection(json, znode: Self.znode) == nil, "there is no list to hold it against")
        let unregistered = LineageClaim(lineage: 7, boots: [], epoch: 40)
        #expect(
            unregistered.objection(nil, znode: Self.znode, list: 39) == .olderList(seen: 40, epoch: 39), "its slots would wait for ever")
    }

    @Test func headsSayWhatAStoreHasSeen() {
        func head(_ kind: SlotHead.Kind, term: UInt64, fence: UInt64) -> SlotHead {
            SlotHead(kind: kind, term: term, position: 1, fence: fence, origin: 1, set: LineageSet(number: 1, lineages: [1]))
        }
        #expect(SlotHead.epoch(of: []) == 0)
        #expect(SlotHead.epoch(of: [head(.copy, term: 5, fence: 4), head(.released, term: 3, fence: 3)]) == 5)
        #expect(SlotHead.epoch(of: [head(.copy, term: 5, fence: 4), head(.fenced, term: 0, fence: 9)]) == 9)
        #expect(SlotHead.epoch(of: [head(.copy, term: 5, fence: 5), head(.hearsay, term: 8, fence: 9)]) == 5, "hearsay says nothing")
    }
}
