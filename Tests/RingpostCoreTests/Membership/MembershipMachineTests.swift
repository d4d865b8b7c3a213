// Joining, staying and leaving as transcripts: one event a line, and all that must be done about it.

import HashRing
import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct MembershipJoinTests {
    @Test func aNodeJoinsWithoutWeightFirst() throws {
        let machine = try Script.joined()
        #expect(machine.view?.selfIndex != nil)
        #expect(machine.nextWake == 6_020, "the list is looked at every S, should a watch get lost")
    }

    @Test func aPureRouterNeverAsksForLinks() throws {
        var machine = try Script.listing(weight: 0)
        let a = Script.member("a", boot: 1, weight: 0)
        #expect(machine.handle(.answered(ticket: 4, Script.list(10)), now: 9).last == .request(ticket: 5, .makeRosterEntry(a)))
        #expect(machine.handle(.answered(ticket: 5, .done), now: 10) == [.request(ticket: 6, .register(a))])
        #expect(machine.handle(.answered(ticket: 6, .done), now: 11) == [.request(ticket: 7, .list(unlessEpoch: 10))])
        let actions = machine.handle(.answered(ticket: 7, Script.list(12, (a, 12))), now: 13)
        #expect(actions.last == .view(try Script.view(12, a)))
    }

    @Test func theDocumentsSessionTimeoutReplacesTheConfiguredOne() throws {
        var machine = try Script.machine(sessionTimeout: 4_000)
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        _ = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 4_000), now: 1)
        _ = machine.handle(.answered(ticket: 1, .done), now: 2)
        _ = machine.handle(.answered(ticket: 2, .done), now: 3)
        #expect(
            machine.handle(.answered(ticket: 3, .ring(try Script.document().json())), now: 4) == [
                .unregistered, .say("the cluster's session time-out is 6000 ms; opening a session with it"), .closeSession,
                .openSession(session: 2, timeoutMilliseconds: 6_000),
            ])
        #expect(machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 4_000), now: 5) == [], "the closed session")
        _ = machine.handle(.sessionOpened(session: 2, boot: 2), now: 5)
        let actions = machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 5_000), now: 6)
        #expect(
            actions == [
                .unregistered, .closeSession,
                .fail(
                    "ZooKeeper grants a session time-out of 5000 ms, but /ringpost/test/ring asks for 6000 ms; set "
                        + "minSessionTimeout and maxSessionTimeout on its servers so that it is allowed (without them 2 to 20 times "
                        + "tickTime are)"),
            ])
    }

    @Test(arguments: ["", "{}", #"{"formatVersion":2}"#]) func anUnusableDocumentEndsTheStart(json: String) throws {
        var machine = try Script.machine()
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        _ = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 1)
        _ = machine.handle(.answered(ticket: 1, .done), now: 2)
        _ = machine.handle(.answered(ticket: 2, .done), now: 3)
        let actions = machine.handle(.answered(ticket: 3, .ring(Array(json.utf8))), now: 4)
        guard case .fail(let sentence) = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(sentence.hasPrefix("/ringpost/test/ring "))
    }

    @Test func aLiveNamesakeIsRefused() throws {
        var machine = try Script.listing()
        let other = Script.member("a", boot: 99)
        #expect(
            machine.handle(.answered(ticket: 4, Script.list(10, (other, 10))), now: 9)
                == [.view(try Script.view(10, other)), .probeHolder(ticket: 5, other)])
        #expect(
            machine.handle(.holderProbed(ticket: 5, .sameBoot), now: 10) == [
                .unregistered, .closeSession,
                .fail(
                    "the node id a is in use in /ringpost/test: a (boot 0000000000000063) answers at a.test:8082; "
                        + "stop that node or give this one another id"),
            ])
        #expect(machine.handle(.tick, now: 100_000) == [])
    }

    @Test(arguments: [ProbeResult.otherBoot, .refused, .silent]) func aDeadNamesakeIsWaitedOut(result: ProbeResult) throws {
        var machine = try Script.listing()
        let other = Script.member("a", boot: 99)
        _ = machine.handle(.answered(ticket: 4, Script.list(10, (other, 10))), now: 9)
        let actions = machine.handle(.holderProbed(ticket: 5, result), now: 10)
        guard actions.count == 1, case .say(let sentence) = actions[0] else {
            Issue.record("\(actions)")
            return
        }
        #expect(sentence.contains("waiting") && sentence.contains("a (boot 0000000000000063)"))
        // Looked at again every S, and said once.
        #expect(machine.handle(.tick, now: 6_010) == [.request(ticket: 6, .sync)])
        #expect(machine.handle(.answered(ticket: 6, .done), now: 6_011) == [.request(ticket: 7, .readRing)])
        let ring = MembershipAnswer.ring(try Script.document().json())
        #expect(machine.handle(.answered(ticket: 7, ring), now: 6_012) == [.request(ticket: 8, .list(unlessEpoch: 10))])
        #expect(machine.handle(.answered(ticket: 8, .unchanged), now: 6_013) == [.probeHolder(ticket: 9, other)])
        #expect(machine.handle(.holderProbed(ticket: 9, result), now: 6_014) == [])
        // And it goes.
        #expect(machine.handle(.membersChanged(session: 1), now: 6_500) == [.request(ticket: 10, .list(unlessEpoch: 10))])
        #expect(
            machine.handle(.answered(ticket: 10, Script.list(20)), now: 6_501)
                == [.view(try Script.view(20)), .request(ticket: 11, .makeRosterEntry(Script.member("a", boot: 1, weight: 0)))])
    }

    @Test func aNamesakeThatComesFirstIsMet() throws {
        var machine = try Script.listing()
        let other = Script.member("a", boot: 99)
        _ = machine.handle(.answered(ticket: 4, Script.list(10)), now: 9)
        _ = machine.handle(.answered(ticket: 5, .done), now: 10)
        #expect(machine.handle(.answered(ticket: 6, .exists), now: 11) == [.request(ticket: 7, .list(unlessEpoch: 10))])
        #expect(
            machine.handle(.answered(ticket: 7, Script.list(12, (other, 12))), now: 12).last == .probeHolder(ticket: 8, other))
    }

    @Test func aRegistrationWhoseAnswerWasLostIsFoundInTheList() throws {
        var machine = try Script.listing()
        let light = Script.member("a", boot: 1, weight: 0)
        _ = machine.handle(.answered(ticket: 4, Script.list(10)), now: 9)
        _ = machine.handle(.answered(ticket: 5, .done), now: 10)
        #expect(machine.handle(.disconnected(session: 1), now: 11) == [.say("ZooKeeper is away; staying at epoch 10")])
        #expect(machine.handle(.answered(ticket: 6, .failed("connection loss")), now: 12) == [])
        #expect(
            machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 111)
                == [.say("ZooKeeper is back after 100 ms"), .request(ticket: 7, .sync)])
        _ = machine.handle(.answered(ticket: 7, .done), now: 112)
        _ = machine.handle(.answered(ticket: 8, .ring(try Script.document().json())), now: 113)
        #expect(
            machine.handle(.answered(ticket: 9, Script.list(12, (light, 12))), now: 114).first == .registered(light, hadPredecessor: false))
    }

    @Test func theWaitForZooKeeperIsSaid() throws {
        var machine = try Script.machine()
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        #expect(machine.nextWake == 10_000)
        #expect(machine.handle(.tick, now: 9_999) == [])
        #expect(machine.handle(.tick, now: 10_000) == [.say("ZooKeeper has been away for 10 s; still trying")])
        #expect(machine.nextWake == 20_000)
    }
}

@Suite struct MembershipWeightTests {
    @Test func aNewWeightIsOneTransaction() throws {
        var machine = try Script.joined()
        let heavier = Script.member("a", boot: 1, weight: 5)
        #expect(machine.handle(.setWeight(5), now: 100) == [.request(ticket: 11, .list(unlessEpoch: 14))])
        #expect(machine.handle(.answered(ticket: 11, .unchanged), now: 101) == [.request(ticket: 12, .changeWeight(heavier))])
        #expect(machine.handle(.setWeight(6), now: 102) == [], "what is under way ends first")
        #expect(machine.handle(.answered(ticket: 12, .done), now: 103) == [.request(ticket: 13, .list(unlessEpoch: 14))])
        let heaviest = Script.member("a", boot: 1, weight: 6)
        let b = Script.b
        #expect(
            machine.handle(.answered(ticket: 13, Script.list(20, (heavier, 20), (b, 10))), now: 104)
                == [.view(try Script.view(20, heavier, b)), .request(ticket: 14, .changeWeight(heaviest))])
    }

    @Test func aWeightSetBeforeTheLinksAreUpWaitsForThem() throws {
        var machine = try Script.registered()
        #expect(machine.handle(.setWeight(3), now: 14) == [.request(ticket: 8, .list(unlessEpoch: 12))])
        #expect(machine.handle(.answered(ticket: 8, .unchanged), now: 15) == [], "links were asked for already")
        #expect(machine.handle(.linked(session: 1), now: 16) == [.request(ticket: 9, .list(unlessEpoch: 12))])
        let heavier = Script.member("a", boot: 1, weight: 3)
        #expect(machine.handle(.answered(ticket: 9, .unchanged), now: 17) == [.request(ticket: 10, .changeWeight(heavier))])
    }

    @Test func drainingGivesUpTheWeight() throws {
        var machine = try Script.joined()
        let light = Script.member("a", boot: 1, weight: 0)
        let b = Script.member("b", boot: 2, weight: 1)
        _ = machine.handle(.drain, now: 100)
        #expect(machine.handle(.answered(ticket: 11, .unchanged), now: 101) == [], "nobody could take the slots yet")
        #expect(machine.handle(.membersChanged(session: 1), now: 102) == [.request(ticket: 12, .list(unlessEpoch: 14))])
        let both = Script.list(18, (Script.member("a", boot: 1), 14), (b, 18))
        #expect(machine.handle(.answered(ticket: 12, both), now: 103).last == .request(ticket: 13, .changeWeight(light)))
        #expect(machine.handle(.answered(ticket: 13, .done), now: 104) == [.request(ticket: 14, .list(unlessEpoch: 18))])
        #expect(
            machine.handle(.answered(ticket: 14, Script.list(20, (light, 20), (b, 18))), now: 105)
                == [.view(try Script.view(20, light, b))])
        #expect(
            machine.handle(.leave(clearingRoster: true), now: 200)
                == [.unregistered, .request(ticket: 15, .sayGoodbye(id: "a", clearingRoster: true))])
        #expect(machine.handle(.answered(ticket: 15, .done), now: 201) == [.closeSession, .left])
    }

    @Test func aDrainIsTakenBack() throws {
        var machine = try Script.joined()
        let (heavy, light) = (Script.member("a", boot: 1), Script.member("a", boot: 1, weight: 0))
        let b = Script.member("b", boot: 2, weight: 1)
        _ = machine.handle(.drain, now: 100)
        let both = Script.list(18, (heavy, 14), (b, 18))
        #expect(machine.handle(.answered(ticket: 11, both), now: 101).last == .request(ticket: 12, .changeWeight(light)))
        #expect(machine.handle(.endDrain, now: 102) == [], "what is under way ends first")
        #expect(machine.handle(.answered(ticket: 12, .done), now: 103) == [.request(ticket: 13, .list(unlessEpoch: 18))])
        #expect(
            machine.handle(.answered(ticket: 13, Script.list(20, (light, 20), (b, 18))), now: 104).last
                == .request(ticket: 14, .changeWeight(heavy)))
        _ = machine.handle(.answered(ticket: 14, .done), now: 105)
        _ = machine.handle(.answered(ticket: 15, Script.list(22, (heavy, 22), (b, 18))), now: 106)
        // A weight does the same, and 0 does not.
        _ = machine.handle(.drain, now: 110)
        #expect(machine.handle(.answered(ticket: 16, .unchanged), now: 111) == [.request(ticket: 17, .changeWeight(light))])
        _ = machine.handle(.answered(ticket: 17, .done), now: 112)
        _ = machine.handle(.answered(ticket: 18, Script.list(24, (light, 24), (b, 18))), now: 113)
        #expect(machine.handle(.setWeight(0), now: 114) == [.request(ticket: 19, .list(unlessEpoch: 24))])
        #expect(machine.handle(.answered(ticket: 19, .unchanged), now: 115) == [])
        #expect(machine.handle(.setWeight(1), now: 116) == [.request(ticket: 20, .list(unlessEpoch: 24))])
        #expect(machine.handle(.answered(ticket: 20, .unchanged), now: 117) == [.request(ticket: 21, .changeWeight(heavy))])
    }

    @Test func theLastWithWeightKeepsIt() throws {
        var machine = try Script.joined()
        #expect(machine.handle(.drain, now: 100) == [.request(ticket: 11, .list(unlessEpoch: 14))])
        #expect(machine.handle(.answered(ticket: 11, .unchanged), now: 101) == [])
    }

    @Test func aGoodbyeThatIsNotAnsweredIsGivenUp() throws {
        var machine = try Script.joined()
        _ = machine.handle(.leave(clearingRoster: false), now: 100)
        #expect(machine.nextWake == 2_100)
        #expect(machine.handle(.tick, now: 2_100) == [.closeSession, .left])
        #expect(machine.handle(.membersChanged(session: 1), now: 2_200) == [])
    }

    @Test func withoutAConnectionNobodyIsTold() throws {
        var machine = try Script.joined()
        _ = machine.handle(.disconnected(session: 1), now: 100)
        #expect(machine.handle(.leave(clearingRoster: true), now: 110) == [.unregistered, .closeSession, .left])
    }
}
