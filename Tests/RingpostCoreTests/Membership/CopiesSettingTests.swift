// How many copies there are to be: in the cluster's document, as a node is told of it, and when it changes.
import HashRing
import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct CopiesSettingTests {
    @Test func itIsInTheDocumentWhereItIsNotTwo() throws {
        let two = try Script.document()
        #expect(two.copies == 2 && !String(decoding: two.json(), as: UTF8.self).contains("copies") && !"\(two)".contains("copies"))
        for copies in [1, 3] {
            let document = two.with(copies: copies)
            #expect(String(decoding: document.json(), as: UTF8.self).contains("\"copies\":\(copies),"))
            #expect(try ClusterDocument(json: document.json(), znode: "/r") == document && "\(document)".contains("copies \(copies)"))
        }
        for copies in [0, 4, -1] {
            #expect(throws: DocumentError(znode: "/r", reason: "has copies \(copies), which is not in 1...3")) {
                try ClusterDocument(json: two.with(copies: copies).json(), znode: "/r")
            }
        }
    }

    @Test(arguments: [(nil, false), (2, false), (3, true)] as [(Int?, Bool)]) func whoWasToldSomethingElseSaysSo(
        wanted: Int?, isSaid: Bool
    ) throws {
        var machine = MembershipMachine(
            cluster: "test", me: Script.member("a", boot: 0), proposal: try Script.document(), copiesWanted: wanted)
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        _ = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 1)
        _ = machine.handle(.answered(ticket: 1, .done), now: 2)
        _ = machine.handle(.answered(ticket: 2, .done), now: 3)
        let actions = machine.handle(.answered(ticket: 3, .ring(try Script.document().json())), now: 4)
        #expect(actions.last == .request(ticket: 4, .list(unlessEpoch: nil)) && actions.count == (isSaid ? 2 : 1))
        guard isSaid, case .say(let sentence) = actions.first else { return }
        #expect(
            sentence
                == "the cluster keeps 2 copies of each slot, as /ringpost/test/ring says; the 3 that this node was told are for a cluster that it founds"
        )
    }

    @Test func anotherNumberIsTakenOverWithAViewOfTheSameEpoch() throws {
        var machine = try Script.joined()
        let three = try Script.document().with(copies: 3)
        _ = machine.handle(.tick, now: 6_020)
        _ = machine.handle(.answered(ticket: 11, .done), now: 6_021)
        #expect(
            machine.handle(.answered(ticket: 12, .ring(three.json())), now: 6_022) == [
                .say("the cluster keeps 3 copies of each slot from now on, not 2, as /ringpost/test/ring says"),
                .request(ticket: 13, .list(unlessEpoch: nil)),
            ])
        let a = Script.member("a", boot: 1)
        let actions = machine.handle(.answered(ticket: 13, Script.list(14, (Script.b, 10), (a, 14))), now: 6_023)
        guard case .view(let view) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(view.epoch == 14 && view.document.copies == 3)
        #expect(try view != Script.view(14, a, Script.b))
        // Said once.
        _ = machine.handle(.tick, now: 13_000)
        _ = machine.handle(.answered(ticket: 14, .done), now: 13_001)
        #expect(machine.handle(.answered(ticket: 15, .ring(three.json())), now: 13_002) == [.request(ticket: 16, .list(unlessEpoch: 14))])
        #expect(machine.handle(.answered(ticket: 16, .unchanged), now: 13_003) == [])
    }
}
