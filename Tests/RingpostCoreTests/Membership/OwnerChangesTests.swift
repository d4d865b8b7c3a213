// Which slots have another owner at a new epoch.

import Testing

@testable import RingpostCore

@Suite struct OwnerChangesTests {
    private static let a = MembershipScript.member("a", boot: 1)

    @Test func anOwnerIsABoot() throws {
        let first = try MembershipScript.view(1, Self.a, MembershipScript.member("b", boot: 2, weight: 0))
        let again = try MembershipScript.view(2, Self.a, MembershipScript.member("b", boot: 3, weight: 0))
        let reborn = try MembershipScript.view(3, MembershipScript.member("a", boot: 4), own: 4)
        let nobody = try MembershipScript.view(4, MembershipScript.member("a", boot: 4, weight: 0), own: 4)
        func changes(_ old: MembershipView?, _ new: MembershipView) -> Set<Bool> {
            let changes = OwnerChanges(from: old, to: new)
            return Set([0, 1, 40_000, 65_535].map { changes.hasChanged(ofSlot: $0) })
        }
        #expect(changes(nil, first) == [true])
        #expect(changes(first, again) == [false])
        #expect(changes(again, reborn) == [true])
        #expect(changes(reborn, nobody) == [true])
        #expect(changes(nobody, nobody) == [false])
        #expect(changes(nil, nobody) == [false], "nobody owned it, and nobody does")
    }
}
