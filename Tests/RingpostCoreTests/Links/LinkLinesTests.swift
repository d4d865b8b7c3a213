// Who may link with a node, and in which turn.

import Testing

@testable import RingpostCore

@Suite struct LinkLinesTests {
    private typealias Lines = LinkLines<Int>
    private let line = Lines.Line(node: "b", shard: 1)

    private func text(_ turn: Lines.Turn) -> String {
        switch turn {
        case .first: "first"
        case .after(let before): "after \(before)"
        case .late: "late"
        }
    }

    @Test func theLaterDialCountsInWhicheverOrderTheyCome() {
        var lines = Lines()
        #expect(text(lines.enter(10, line: line, boot: 5, dial: 2)) == "first")
        #expect(text(lines.enter(11, line: line, boot: 5, dial: 1)) == "late")
        #expect(text(lines.enter(12, line: line, boot: 5, dial: 2)) == "late")
        #expect(text(lines.enter(13, line: line, boot: 5, dial: 3)) == "after 10")
        #expect(text(lines.enter(14, line: line, boot: 6, dial: 1)) == "after 13", "another boot counts anew")
        #expect(text(lines.enter(15, line: Lines.Line(node: "b", shard: 2), boot: 6, dial: 1)) == "first")
    }

    @Test func anEndForgetsOnlyTheLatest() {
        var lines = Lines()
        _ = lines.enter(10, line: line, boot: 5, dial: 1)
        _ = lines.enter(11, line: line, boot: 5, dial: 2)
        lines.leave(line) { $0 == 10 }
        #expect(text(lines.enter(12, line: line, boot: 5, dial: 3)) == "after 11")
        lines.leave(line) { $0 == 12 }
        #expect(text(lines.enter(13, line: line, boot: 5, dial: 1)) == "first")
    }

    @Test func strangersAreToldWhy() {
        let (a, b) = (MemberIdentity(id: "a", boot: 1), MemberIdentity(id: "b", boot: 2))
        func find(
            from: MemberIdentity = b, to: MemberIdentity = a, generation: UInt64 = 9, own: UInt64? = 9, isRefused: Bool = false
        ) -> LinkObjection? {
            LinkObjection.find(from: from, to: to, generation: generation, ownGeneration: own, me: a, isRefused: isRefused)
        }
        #expect(find() == nil)
        #expect(find(own: nil) == .noRing)
        #expect(find(generation: 8) == .otherGeneration)
        #expect(find(from: MemberIdentity(id: "a", boot: 2)) == .ownID)
        #expect(find(to: b) == .otherNode)
        #expect(find(to: MemberIdentity(id: "a", boot: 2)) == .otherBoot)
        #expect(find(isRefused: true) == .ringsDiffer)
    }
}
