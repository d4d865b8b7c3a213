// A node whose store has a lineage that processes before this one have registered.

import Testing

@testable import RingpostCore

@Suite struct StoredLineageTests {
    private typealias Script = MembershipScript

    /// Registers a process with the store of lineage 7, which knows the boots 3 and 4.
    ///
    /// - Returns: what it says of its lineage, and the lineage with which it registers.
    private func registers(
        over entry: (boot: UInt64, lineage: UInt64)?, storedBoots: Set<UInt64>? = [3, 4], storedEpoch: UInt64 = 0
    ) throws -> (said: [MembershipAction], lineage: UInt64?) {
        var machine = try Script.machine(lineage: 7, storedBoots: storedBoots, storedEpoch: storedEpoch)
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 5), now: 0)
        var actions = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 1)
        var said: [MembershipAction] = []
        while case .request(let ticket, let request) = actions.last {
            if case .register(let member, _, _) = request { return (said, member.lineage) }
            let answer: MembershipAnswer
            switch request {
            case .readRing: answer = .ring(try Script.document().json())
            case .list: answer = Script.list(30, (Script.b, 10))
            case .makeRosterEntry:
                var member = Script.member("a", boot: entry?.boot ?? 0, weight: 0)
                member.lineage = entry?.lineage ?? 0
                answer = entry == nil ? .done : .rosterEntry(member.json())
            default: answer = .done
            }
            actions = machine.handle(.answered(ticket: ticket, answer), now: 2)
            said += actions.filter { if case .lineage = $0 { true } else { false } }
        }
        return (said, nil)
    }

    @Test func aStoreKeepsItsLineageUnlessOthersMayHaveGoneOnWithoutIt() throws {
        let kept = try registers(over: (3, 7))
        #expect(kept.said == [] && kept.lineage == 7)
        for (entry, why) in [
            ((4, 8), "an empty successor has been there"), ((9, 7), "the directory is an older copy"), (nil, "it was forgotten"),
        ] as [((UInt64, UInt64)?, Comment)] {
            let lost = try registers(over: entry)
            #expect(lost.said == [.lineage(5)] && lost.lineage == 5, why)
        }
    }

    /// The list is at epoch 30.
    @Test func aStoreThatHasSeenALaterEpochIsGivenUp() throws {
        let kept = try registers(over: (3, 7), storedEpoch: 30)
        #expect(kept.said == [] && kept.lineage == 7)
        let lost = try registers(over: (3, 7), storedEpoch: 31)
        #expect(lost.said == [.lineage(5)] && lost.lineage == 5)
    }

    @Test func aNewStoreHasNothingToGiveUp() throws {
        for entry in [(9, 8), nil] as [(UInt64, UInt64)?] {
            let new = try registers(over: entry, storedBoots: nil)
            #expect(new.said == [] && new.lineage == 7)
        }
    }
}
