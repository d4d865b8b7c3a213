// What is left of earlier lives in the roster, and staying outside on purpose, as transcripts.

import HashRing
import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct MembershipRosterTests {
    private static let light = Script.member("a", boot: 1, weight: 0)

    /// What the own entry in the roster holds, and what registering then tells.
    private func registered(with entry: [UInt8]) throws -> MembershipAction? {
        var machine = try Script.listing()
        _ = machine.handle(.answered(ticket: 4, Script.list(10, (Script.b, 10))), now: 9)
        #expect(machine.handle(.answered(ticket: 5, .rosterEntry(entry)), now: 10) == [.request(ticket: 6, .register(Self.light))])
        _ = machine.handle(.answered(ticket: 6, .done), now: 11)
        return machine.handle(.answered(ticket: 7, Script.list(12, (Script.b, 10), (Self.light, 12))), now: 13).first
    }

    @Test func anEarlierLifeIsAPredecessor() throws {
        #expect(try registered(with: Script.member("a", boot: 99).json()) == .registered(Self.light, hadPredecessor: true))
    }

    /// What is registered over the entry of somebody who had the id before.
    private func registers(over entry: Member) throws -> Member? {
        var machine = try Script.listing()
        _ = machine.handle(.answered(ticket: 4, Script.list(10, (Script.b, 10))), now: 9)
        let actions = machine.handle(.answered(ticket: 5, .rosterEntry(entry.json())), now: 10)
        guard case .request(6, .register(let member, _, _)) = actions.first else { return nil }
        return member
    }

    @Test func whoHadTheIdElsewhereStaysNamed() throws {
        // A lone owner that is cut off from ZooKeeper goes on for up to M, wherever its id is by then.
        var entry = Script.member("a", boot: 99)
        entry.link = "other.test:1"
        let first = Member.Former(boot: 99, link: "other.test:1")
        let registered = try #require(try registers(over: entry))
        #expect(registered.former == [first])
        #expect(registered.predecessors.map(\.identity) == [entry.identity] && registered.predecessors.map(\.link) == [entry.link])
        // Also over several lives, and only so many of them.
        entry.former = (1...4).map { Member.Former(boot: $0, link: "\($0).test:1") }
        #expect(try registers(over: entry)?.former == Array(entry.former.dropFirst()) + [first])
        // Where it listens itself, nobody else does.
        #expect(try registers(over: Script.member("a", boot: 99))?.former == [])
    }

    /// One process at a time has a disk: the one before is gone, and all that it had is here.
    @Test func anEarlierProcessOnTheSameDiskIsNoStranger() throws {
        for (lineage, disk, isSame) in [(70, .fsync, true), (71, .fsync, false), (70, nil, false), (0, nil, false)]
            as [(UInt64, StoreDurability?, Bool)]
        {
            var machine = try Script.listing(storedBoots: lineage == 70 ? [99] : nil)
            (machine.me.lineage, machine.me.disk) = (70, .written)
            var entry = Script.member("a", boot: 99)
            (entry.lineage, entry.disk, entry.link) = (lineage, disk, "before.test:1")
            #expect(machine.strangers(in: [entry]).isEmpty == isSame)
            _ = machine.handle(.answered(ticket: 4, Script.list(10, (Script.b, 10))), now: 9)
            let actions = machine.handle(.answered(ticket: 5, .rosterEntry(entry.json())), now: 10)
            guard case .request(6, .register(let registered, _, _)) = actions.first else {
                Issue.record("not registered, but \(actions)")
                continue
            }
            #expect(registered.lineage == 70 && registered.disk == .written)
            #expect(registered.former.isEmpty == isSame)
            _ = machine.handle(.answered(ticket: 6, .done), now: 11)
            let joined = machine.handle(.answered(ticket: 7, Script.list(12, (Script.b, 10), (registered, 12))), now: 13)
            #expect(joined.first == .registered(registered, hadPredecessor: !isSame))
            // For another node it is the member that it knows, and nobody else is named.
            var other = try Script.joined()
            _ = other.handle(.membersChanged(session: 1), now: 200)
            let ticket = other.lastTicket
            var away = registered
            (away.id, away.former) = ("c", registered.former)
            let list = Script.list(20, (Script.member("a", boot: 1), 10), (away, 20))
            _ = other.handle(.answered(ticket: ticket, list), now: 201)
            #expect(other.strangers(in: [away]).isEmpty == isSame)
            // Before it has come back, its entry is one.
            #expect(other.strangers(in: [Script.member("d", boot: 1)]).count == 1)
        }
    }

    @Test func itIsNotNamedForLongerThanItMayAct() throws {
        var entry = Script.member("a", boot: 99)
        entry.link = "other.test:1"
        for (now, isNamed) in [(Int64(609_009), true), (609_010, false)] {
            var machine = try Script.listing()
            _ = machine.handle(.answered(ticket: 4, Script.list(10, (Script.b, 10))), now: 9)
            _ = machine.handle(.answered(ticket: 5, .rosterEntry(entry.json())), now: 10)
            _ = machine.handle(.answered(ticket: 6, .failed("no answer")), now: 11)
            #expect(machine.register(now: now).map { "\($0)".contains("other.test") } == [isNamed])
        }
    }

    @Test func anEntryThatCantBeReadIsSomebodys() throws {
        #expect(try registered(with: []) == .registered(Self.light, hadPredecessor: true))
    }

    @Test func theOwnBootIsNot() throws {
        // Registered in this session, when the answer was lost.
        #expect(try registered(with: Self.light.json()) == .registered(Self.light, hadPredecessor: false))
    }

    @Test func anEarlierSessionOfThisProcessIsNot() throws {
        var machine = try Script.joined()
        #expect(machine.handle(.expired(session: 1), now: 100).last == .openSession(session: 2, timeoutMilliseconds: 6_000))
        let light = Script.member("a", boot: 7, weight: 0)
        let hadPredecessor = try rejoin(&machine, session: 2, light, entry: Script.member("a", boot: 1).json(), now: 101)
        #expect(hadPredecessor == false)
    }

    @Test func aPredecessorIsRememberedForAsLongAsItMayAct() throws {
        for (now, isRemembered) in [(Int64(20), true), (609_009, true), (609_010, false)] {
            var machine = try Script.listing()
            _ = machine.handle(.answered(ticket: 4, Script.list(10, (Script.b, 10))), now: 9)
            _ = machine.handle(.answered(ticket: 5, .rosterEntry(Script.member("a", boot: 99).json())), now: 10)
            // The session ends before anybody knows whether that registration was done.
            _ = machine.handle(.expired(session: 1), now: 12)
            let light = Script.member("a", boot: 7, weight: 0)
            let hadPredecessor = try rejoin(&machine, session: 2, light, entry: Self.light.json(), now: now)
            #expect(hadPredecessor == isRemembered, "after \(now) ms")
        }
    }

    /// What a node does in its second session about its lineage 7, which the roster's entry names or not.
    private func lineages(whenEntryHas lineage: UInt64?) throws -> [MembershipAction] {
        var machine = try Script.joined()
        machine.me.lineage = 7
        _ = machine.handle(.expired(session: 1), now: 100)
        _ = machine.handle(.sessionOpened(session: 2, boot: 5), now: 101)
        var actions = machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 102)
        var said: [MembershipAction] = []
        for _ in 0..<6 {
            guard case .request(let ticket, let request) = actions.last else { break }
            var entry = Script.member("a", boot: 1, weight: 0)
            entry.lineage = lineage ?? 0
            let answer: MembershipAnswer =
                switch request {
                case .readRing: .ring(try Script.document().json())
                case .list: Script.list(30, (Script.b, 10))
                case .makeRosterEntry: lineage == nil ? .done : .rosterEntry(entry.json())
                default: .done
                }
            actions = machine.handle(.answered(ticket: ticket, answer), now: 103)
            said += actions.filter { if case .lineage = $0 { true } else { false } }
            if case .request(_, .register(let member, _, _)) = actions.last {
                #expect(member.lineage == (lineage == 7 ? 7 : 5))
                break
            }
        }
        return said
    }

    @Test func aLineageIsKeptOverSessionsUnlessAnotherOneWasRegistered() throws {
        #expect(try lineages(whenEntryHas: 7) == [])
        #expect(try lineages(whenEntryHas: 9) == [.lineage(5)], "others may have gone on without this store")
        #expect(try lineages(whenEntryHas: nil) == [.lineage(5)], "somebody has taken the entry away")
    }

    /// A new session registers; whether it is told of a predecessor.
    private func rejoin(
        _ machine: inout MembershipMachine, session: Int, _ light: Member, entry: [UInt8], now: Int64
    ) throws -> Bool? {
        _ = machine.handle(.sessionOpened(session: session, boot: light.boot), now: now)
        var actions = machine.handle(.connected(session: session, negotiatedTimeoutMilliseconds: 6_000), now: now)
        var epoch: UInt64 = 30
        for _ in 0..<8 {
            guard case .request(let ticket, let request) = actions.last else { break }
            let answer: MembershipAnswer =
                switch request {
                case .readRing: .ring(try Script.document().json())
                case .list: epoch == 30 ? Script.list(epoch, (Script.b, 10)) : Script.list(epoch, (Script.b, 10), (light, epoch))
                case .makeRosterEntry: .rosterEntry(entry)
                default: .done
                }
            if case .register = request { epoch = 32 }
            actions = machine.handle(.answered(ticket: ticket, answer), now: now)
        }
        guard case .registered(light, let hadPredecessor) = actions.first else { return nil }
        return hadPredecessor
    }
}

@Suite struct MembershipWithdrawalTests {
    @Test func itStaysOutsideUntilItComesBack() throws {
        var machine = try Script.joined()
        #expect(
            machine.handle(.withdraw, now: 100) == [
                .unregistered, .say("withdrawn from the ring; the session is given up"), .closeSession,
                .openSession(session: 2, timeoutMilliseconds: 6_000),
            ])
        _ = machine.handle(.sessionOpened(session: 2, boot: 5), now: 101)
        #expect(machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 102) != [])
        _ = machine.handle(.answered(ticket: 11, .done), now: 103)
        _ = machine.handle(.answered(ticket: 12, .done), now: 103)
        _ = machine.handle(.answered(ticket: 13, .ring(try Script.document().json())), now: 104)
        // The old znode may be there for a moment yet.
        let old = Script.list(14, (Script.member("a", boot: 1), 14), (Script.b, 10))
        let actions = machine.handle(.answered(ticket: 14, old), now: 105)
        #expect(actions.count == 1, "only the view, as somebody outside sees it")
        #expect(machine.view?.own == nil)
        #expect(machine.handle(.membersChanged(session: 2), now: 110) == [.request(ticket: 15, .list(unlessEpoch: 14))])
        #expect(
            machine.handle(.answered(ticket: 15, Script.list(16, (Script.b, 10))), now: 111) == [
                .view(try Script.view(16, Script.b, own: 5))
            ])
        // A session that ends meanwhile changes nothing.
        #expect(machine.handle(.expired(session: 2), now: 200).last == .openSession(session: 3, timeoutMilliseconds: 6_000))
        _ = machine.handle(.sessionOpened(session: 3, boot: 6), now: 201)
        _ = machine.handle(.connected(session: 3, negotiatedTimeoutMilliseconds: 6_000), now: 202)
        _ = machine.handle(.answered(ticket: 16, .done), now: 203)
        _ = machine.handle(.answered(ticket: 17, .done), now: 203)
        _ = machine.handle(.answered(ticket: 18, .ring(try Script.document().json())), now: 204)
        #expect(machine.handle(.answered(ticket: 19, Script.list(16, (Script.b, 10))), now: 205) == [])
        #expect(machine.handle(.comeBack, now: 300) == [.request(ticket: 20, .list(unlessEpoch: 16))])
        #expect(
            machine.handle(.answered(ticket: 20, .unchanged), now: 301)
                == [.request(ticket: 21, .makeRosterEntry(Script.member("a", boot: 6, weight: 0)))])
    }

    @Test func aDrainForItIsOver() throws {
        var machine = try Script.joined()
        _ = machine.handle(.drain, now: 100)
        _ = machine.handle(.withdraw, now: 101)
        #expect(machine.isDraining == false, "it comes back with its weight")
    }

    @Test func leavingFromOutsideTellsNobody() throws {
        var machine = try Script.joined()
        _ = machine.handle(.withdraw, now: 100)
        _ = machine.handle(.sessionOpened(session: 2, boot: 5), now: 101)
        _ = machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 102)
        #expect(machine.handle(.leave(clearingRoster: true), now: 103) == [.unregistered, .closeSession, .left])
    }
}
