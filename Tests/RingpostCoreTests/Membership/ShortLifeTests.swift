// A node that ends again and again soon after its start.

import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct ShortLifeTests {
    /// 12:00:00 UTC.
    private static let noon: Int64 = 1_700_000_000_000 - 1_700_000_000_000 % 86_400_000 + 43_200_000

    private func life(_ shortLives: Int, after former: Life, milliseconds: Int64) -> Bool {
        Life(since: former.since + milliseconds).following(former, sessionTimeoutMilliseconds: 6_000).shortLives == shortLives
    }

    @Test func aLifeIsShortThatIsFollowedSoon() {
        let first = Life(since: Self.noon)
        #expect(life(1, after: first, milliseconds: 59_999))
        #expect(life(0, after: first, milliseconds: 60_000))
        let third = Life(since: Self.noon, shortLives: 2)
        #expect(life(3, after: third, milliseconds: 5_000))
        // It paused for 30 s.
        let fourth = Life(since: Self.noon, shortLives: 3)
        #expect(life(4, after: fourth, milliseconds: 89_999))
        #expect(life(0, after: fourth, milliseconds: 90_000))
    }

    @Test func whatIsNotKnownDoesNotCount() {
        #expect(Life(since: Self.noon).following(Life(shortLives: 9), sessionTimeoutMilliseconds: 6_000).shortLives == 0)
        #expect(Life().following(Life(since: Self.noon, shortLives: 9), sessionTimeoutMilliseconds: 6_000).shortLives == 0)
    }

    @Test func pausesDoubleUpToABound() {
        let pauses = (0...9).map { Life(shortLives: $0).pauseMilliseconds(6_000) / 1_000 }
        #expect(pauses == [0, 0, 0, 30, 60, 120, 240, 480, 600, 600])
        #expect(Life(shortLives: .max).pauseMilliseconds(6_000) == 600_000)
    }

    @Test func anEntryIsAMemberToWhoeverKnowsNoLives() throws {
        let member = Script.member("a", boot: 7)
        let entry = RosterEntry(member, Life(since: Self.noon, shortLives: 3))
        #expect(try RosterEntry(json: entry.json(), znode: "/roster/a") == entry)
        #expect(try Member(json: entry.json(), znode: "/roster/a") == member)
        #expect(try RosterEntry(json: member.json(), znode: "/roster/a") == RosterEntry(member, Life()))
        #expect(RosterEntry(member, Life()).json() == member.json())
    }

    /// Began at noon, 10 s after the last of three lives that were short, beside b.
    private func paused(b: Member) throws -> (machine: MembershipMachine, actions: [MembershipAction]) {
        let me = Script.member("a", boot: 0)
        var machine = MembershipMachine(cluster: "test", me: me, proposal: try Script.document(), began: Self.noon)
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        _ = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 5)
        _ = machine.handle(.answered(ticket: 1, .done), now: 6)
        _ = machine.handle(.answered(ticket: 2, .done), now: 7)
        _ = machine.handle(.answered(ticket: 3, .ring(try Script.document().json())), now: 8)
        let asks = machine.handle(.answered(ticket: 4, Script.list(10, (b, 10))), now: 9)
        let light = Script.member("a", boot: 1, weight: 0)
        #expect(asks.last == .request(ticket: 5, .makeRosterEntry(light, Life(since: Self.noon))))
        let former = RosterEntry(Script.member("a", boot: 99), Life(since: Self.noon - 10_000, shortLives: 2))
        let actions = machine.handle(.answered(ticket: 5, .rosterEntry(former.json())), now: 1_000)
        #expect(actions.last == .request(ticket: 6, .register(light, Life(since: Self.noon, shortLives: 3))))
        _ = machine.handle(.answered(ticket: 6, .done), now: 1_001)
        return (machine, actions)
    }

    @Test func itTakesNoWeightForAWhile() throws {
        let b = Script.member("b", boot: 2)
        let light = Script.member("a", boot: 1, weight: 0)
        var (machine, actions) = try paused(b: b)
        let sentence =
            "this node has ended 3 times in a row soon after its start; it takes no weight for 30 s, until 12:00:31 UTC, so that it takes "
            + "slots away from nobody; look why it ends"
        #expect(Script.alarm(in: actions) == sentence)
        let joined = machine.handle(.answered(ticket: 7, Script.list(12, (b, 10), (light, 12))), now: 1_002)
        #expect(!joined.contains { if case .linkWithMembers = $0 { true } else { false } })
        #expect(machine.weightObjection == sentence)
        // Looks in between change nothing.
        for now: Int64 in [7_002, 13_002, 19_002, 25_002] {
            #expect(machine.nextWake == now)
            let ticket = machine.lastTicket
            #expect(machine.handle(.tick, now: now).count == 1)
            _ = machine.handle(.answered(ticket: ticket + 1, .done), now: now)
            _ = machine.handle(.answered(ticket: ticket + 2, .ring(try Script.document().json())), now: now)
            #expect(machine.handle(.answered(ticket: ticket + 3, .unchanged), now: now) == [])
        }
        #expect(machine.nextWake == 31_000, "not later than it may")
        let ticket = machine.lastTicket
        _ = machine.handle(.tick, now: 31_000)
        _ = machine.handle(.answered(ticket: ticket + 1, .done), now: 31_001)
        _ = machine.handle(.answered(ticket: ticket + 2, .ring(try Script.document().json())), now: 31_002)
        #expect(
            machine.handle(.answered(ticket: ticket + 3, .unchanged), now: 31_003)
                == [.linkWithMembers(session: 1, limitMilliseconds: 5_000)])
        #expect(machine.weightObjection == nil)
    }

    @Test func whereNobodyElseHasWeightItTakesItsOwn() throws {
        let light = Script.member("a", boot: 1, weight: 0)
        var (machine, _) = try paused(b: Script.b)
        let joined = machine.handle(.answered(ticket: 7, Script.list(12, (Script.b, 10), (light, 12))), now: 1_002)
        #expect(joined.last == .linkWithMembers(session: 1, limitMilliseconds: 5_000))
        #expect(machine.weightObjection == nil)
    }

    @Test func anotherSessionOfThisProcessIsTheSameLife() throws {
        let b = Script.member("b", boot: 2)
        let light = Script.member("a", boot: 1, weight: 0)
        var (machine, _) = try paused(b: b)
        _ = machine.handle(.answered(ticket: 7, Script.list(12, (b, 10), (light, 12))), now: 1_002)
        _ = machine.handle(.expired(session: 1), now: 2_000)
        _ = machine.handle(.sessionOpened(session: 2, boot: 7), now: 2_000)
        _ = machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 2_001)
        _ = machine.handle(.answered(ticket: 8, .done), now: 2_002)
        _ = machine.handle(.answered(ticket: 9, .done), now: 2_003)
        _ = machine.handle(.answered(ticket: 10, .ring(try Script.document().json())), now: 2_004)
        _ = machine.handle(.answered(ticket: 11, Script.list(13, (b, 10))), now: 2_005)
        let own = RosterEntry(light, Life(since: Self.noon, shortLives: 3))
        #expect(
            machine.handle(.answered(ticket: 12, .rosterEntry(own.json())), now: 2_006)
                == [.request(ticket: 13, .register(Script.member("a", boot: 7, weight: 0), Life(since: Self.noon, shortLives: 3)))])
    }
}
