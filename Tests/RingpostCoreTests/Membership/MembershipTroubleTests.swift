// Lists that may not become epochs, sessions that end, clusters that turn out to be others, and peers that disagree.

import HashRing
import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct MembershipListTests {
    @Test func aListWithAChildOfTheFutureIsReadAgain() throws {
        var machine = try Script.joined()
        let a = Script.member("a", boot: 1)
        let c = Script.member("c", boot: 3)
        _ = machine.handle(.membersChanged(session: 1), now: 100)
        #expect(machine.handle(.answered(ticket: 11, Script.list(20, (a, 14), (c, 21))), now: 101) == [])
        #expect(machine.nextWake == 111)
        #expect(machine.handle(.tick, now: 111) == [.request(ticket: 12, .sync)])
    }

    @Test func aListWithAChildThatWentIsReadAgainAtABoundedRate() throws {
        var machine = try Script.joined()
        let list = MembershipAnswer.list(MemberList(epoch: 20, entries: [.init(name: "c", content: .gone)]))
        _ = machine.handle(.membersChanged(session: 1), now: 0)
        var now: Int64 = 0
        var ticket: UInt64 = 11
        var waits: [Int64] = []
        var alarms: [String] = []
        for _ in 0..<10 {
            alarms += machine.handle(.answered(ticket: ticket, list), now: now).map { "\($0)" }
            let wake = try #require(machine.nextWake)
            waits.append(wake - now)
            now = wake
            _ = machine.handle(.tick, now: now)
            _ = machine.handle(.answered(ticket: ticket + 1, .done), now: now)
            _ = machine.handle(.answered(ticket: ticket + 2, .ring(try Script.document().json())), now: now)
            ticket += 3
        }
        #expect(waits == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000])
        #expect(alarms.count == 1)
    }

    private func withGarbage(_ epoch: UInt64, _ names: String..., members: (Member, UInt64)...) -> MembershipAnswer {
        let garbage = names.map { MemberList.Entry(name: $0, content: .data(Array("{}".utf8), createdBy: epoch)) }
        let entries = members.map { MemberList.Entry(name: $0.0.id, content: .data($0.0.json(), createdBy: $0.1)) }
        return .list(MemberList(epoch: epoch, entries: garbage + entries))
    }

    @Test func aChildThatIsNoMemberIsLeftOutAndNamedOnce() throws {
        var machine = try Script.joined()
        let a = Script.member("a", boot: 1)
        _ = machine.handle(.membersChanged(session: 1), now: 100)
        let actions = machine.handle(.answered(ticket: 11, withGarbage(20, "c", members: (a, 14), (Script.b, 10))), now: 101)
        let sentence = Script.alarm(in: actions)
        #expect(sentence?.hasPrefix("/ringpost/test/members/c can't be read as JSON: \"id\" is missing") == true)
        #expect(sentence?.hasSuffix("left out of the ring; delete what is no member") == true)
        #expect(actions.last == .view(try Script.view(20, a, Script.b)), "the others go on")
        #expect(Array(machine.garbage.keys) == ["c"])
        // One more: it alone is news.
        _ = machine.handle(.membersChanged(session: 1), now: 200)
        let more = machine.handle(.answered(ticket: 12, withGarbage(21, "c", "d", members: (a, 14), (Script.b, 10))), now: 201)
        #expect(Script.alarm(in: more)?.hasPrefix("/ringpost/test/members/d ") == true)
        _ = machine.handle(.membersChanged(session: 1), now: 300)
        #expect(
            machine.handle(.answered(ticket: 13, Script.list(22, (a, 14), (Script.b, 10))), now: 301)
                == [.view(try Script.view(22, a, Script.b))])
        #expect(machine.garbage.isEmpty)
    }

    @Test func garbageWithThisNodesNameIsWaitedOut() throws {
        var machine = try Script.listing()
        let actions = machine.handle(.answered(ticket: 4, withGarbage(10, "a", members: (Script.b, 9))), now: 9)
        #expect(Script.alarm(in: actions)?.hasPrefix("/ringpost/test/members/a ") == true)
        #expect(actions.last == .view(try Script.view(10, Script.b)))
        #expect(machine.nextWake == 6_009)
        _ = machine.handle(.membersChanged(session: 1), now: 50)
        #expect(
            machine.handle(.answered(ticket: 5, Script.list(12, (Script.b, 9))), now: 51).last
                == .request(ticket: 6, .makeRosterEntry(Script.member("a", boot: 1, weight: 0))))
    }

    @Test func aLowerEpochFreezes() throws {
        var machine = try Script.joined()
        let a = Script.member("a", boot: 1)
        _ = machine.handle(.membersChanged(session: 1), now: 100)
        let actions = machine.handle(.answered(ticket: 11, Script.list(13, (a, 12))), now: 101)
        #expect(actions.first == .unregistered)
        #expect(actions.last == .closeSession)
        #expect(Script.alarm(in: actions)?.contains("is at epoch 13, it was at 14") == true)
        #expect(machine.view?.epoch == 14)
        #expect(machine.nextWake == 1_101)
        #expect(machine.handle(.tick, now: 1_101) == [.openSession(session: 2, timeoutMilliseconds: 6_000)])
    }

    @Test func theOwnZnodeMissingFreezes() throws {
        var machine = try Script.joined()
        _ = machine.handle(.membersChanged(session: 1), now: 100)
        let actions = machine.handle(.answered(ticket: 11, Script.list(15, (Script.b, 10))), now: 101)
        #expect(actions.first == .unregistered)
        #expect(Script.alarm(in: actions)?.hasPrefix("/ringpost/test/members/a is gone") == true)
        #expect(machine.view?.epoch == 14, "a list without oneself is not taken over while the session lives")
    }

    @Test func theOwnZnodeMissingRightAfterItsCreationFreezesToo() throws {
        var machine = try Script.listing()
        _ = machine.handle(.answered(ticket: 4, Script.list(10)), now: 9)
        _ = machine.handle(.answered(ticket: 5, .done), now: 10)
        _ = machine.handle(.answered(ticket: 6, .done), now: 11)
        #expect(Script.alarm(in: machine.handle(.answered(ticket: 7, Script.list(13)), now: 12)) != nil)
    }

    @Test func aChangeDuringAReadingIsReadAfterwards() throws {
        var machine = try Script.joined()
        let a = Script.member("a", boot: 1)
        _ = machine.handle(.membersChanged(session: 1), now: 100)
        #expect(machine.handle(.membersChanged(session: 1), now: 101) == [])
        #expect(
            machine.handle(.answered(ticket: 11, Script.list(15, (a, 14))), now: 102)
                == [.view(try Script.view(15, a)), .request(ticket: 12, .list(unlessEpoch: 15))])
    }

    @Test func everyEpochIsTakenOverAlsoOneThatChangesNothing() throws {
        var machine = try Script.joined()
        let a = Script.member("a", boot: 1)
        let b = Script.member("b", boot: 3, weight: 0)
        let before = try #require(machine.view)
        _ = machine.handle(.membersChanged(session: 1), now: 100)
        #expect(
            machine.handle(.answered(ticket: 11, Script.list(16, (a, 14), (b, 16))), now: 101) == [.view(try Script.view(16, a, b))])
        #expect(machine.view?.ring == before.ring)
    }
}

@Suite struct MembershipSessionTests {
    @Test func whoIsNotLetInGivesUpUnlessItWasAMember() throws {
        // At any request of a node that begins.
        for answers in 0..<3 {
            var machine = try Script.machine()
            _ = machine.handle(.start, now: 0)
            _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
            _ = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 5)
            for ticket in 0..<answers { _ = machine.handle(.answered(ticket: UInt64(ticket) + 1, .done), now: 6) }
            let answer = MembershipEvent.answered(ticket: UInt64(answers) + 1, .forbidden("no"))
            #expect(machine.handle(answer, now: 7) == [.unregistered, .closeSession, .fail("no")])
            #expect(machine.nextWake == nil)
        }
        var member = try Script.joined()
        _ = member.handle(.membersChanged(session: 1), now: 100)
        let actions = member.handle(.answered(ticket: 11, .forbidden("no")), now: 101)
        #expect(
            actions == [.unregistered, .alarm("no; frozen, trying again with a new session in 1000 ms"), .closeSession],
            "its copies are not thrown away")
        #expect(member.nextWake == 1_101)
    }

    @Test func refusedCredentialsAreTheSame() throws {
        var machine = try Script.listing()
        let actions = machine.handle(.authenticationFailed(session: 1), now: 100)
        guard actions.count == 3, case .fail(let sentence) = actions[2] else {
            Issue.record("\(actions)")
            return
        }
        #expect(sentence.hasPrefix("ZooKeeper refuses the session's credentials"))
        var member = try Script.joined()
        #expect(Script.alarm(in: member.handle(.authenticationFailed(session: 1), now: 100))?.contains("frozen") == true)
        #expect(member.handle(.authenticationFailed(session: 1), now: 101) == [])
    }

    @Test func anExpiredSessionIsFollowedByOneWithANewBoot() throws {
        var machine = try Script.joined()
        #expect(
            machine.handle(.expired(session: 1), now: 100) == [
                .unregistered, .say("the ZooKeeper session has expired; registering again with a new boot"), .closeSession,
                .openSession(session: 2, timeoutMilliseconds: 6_000),
            ])
        _ = machine.handle(.sessionOpened(session: 2, boot: 7), now: 100)
        _ = machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 101)
        _ = machine.handle(.answered(ticket: 11, .done), now: 102)
        _ = machine.handle(.answered(ticket: 12, .done), now: 103)
        #expect(
            machine.handle(.answered(ticket: 13, .ring(try Script.document().json())), now: 104)
                == [.request(ticket: 14, .list(unlessEpoch: nil))], "the first list of a session is read in full")
        // The old session's znode may still be there: nobody is asked, it is this process's own.
        let old = Script.member("a", boot: 1)
        let actions = machine.handle(.answered(ticket: 14, Script.list(14, (old, 14))), now: 105)
        #expect(actions.first == .view(try Script.view(14, old, own: 7)))
        guard actions.count == 2, case .say(let sentence) = actions[1] else {
            Issue.record("\(actions)")
            return
        }
        #expect(sentence.contains("an earlier session of this process"))
        _ = machine.handle(.membersChanged(session: 2), now: 200)
        #expect(
            machine.handle(.answered(ticket: 15, Script.list(20)), now: 201).last
                == .request(ticket: 16, .makeRosterEntry(Script.member("a", boot: 7, weight: 0))))
    }

    @Test func aLostConnectionKeepsTheView() throws {
        var machine = try Script.joined()
        #expect(machine.handle(.disconnected(session: 1), now: 100) == [.say("ZooKeeper is away; staying at epoch 14")])
        #expect(machine.view?.epoch == 14)
        #expect(
            machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 2_100)
                == [.say("ZooKeeper is back after 2000 ms"), .request(ticket: 11, .sync)])
    }

    @Test func aSessionGivenUpIsFollowedByAnother() throws {
        var machine = try Script.joined()
        _ = machine.handle(.disconnected(session: 1), now: 100)
        let actions = machine.handle(.giveUpSession, now: 13_000)
        #expect(actions.first == .unregistered)
        #expect(actions.suffix(2) == [.closeSession, .openSession(session: 2, timeoutMilliseconds: 6_000)])
    }

    @Test func anotherGenerationFreezesAndPausesLongerEachTime() throws {
        var machine = try Script.joined()
        let other = MembershipAnswer.ring(try Script.document(generation: 0xCD).json())
        #expect(machine.handle(.tick, now: 6_020) == [.request(ticket: 11, .sync)])
        _ = machine.handle(.answered(ticket: 11, .done), now: 6_021)
        var actions = machine.handle(.answered(ticket: 12, other), now: 6_022)
        #expect(actions.first == .unregistered)
        #expect(
            Script.alarm(in: actions)?.hasPrefix(
                "/ringpost/test/ring is of generation 00000000000000cd, this node belongs to generation 00000000000000ab") == true)
        #expect(machine.nextWake == 7_022)
        #expect(machine.handle(.tick, now: 7_022) == [.openSession(session: 2, timeoutMilliseconds: 6_000)])
        _ = machine.handle(.sessionOpened(session: 2, boot: 7), now: 7_022)
        #expect(
            machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 7_030)
                == [.request(ticket: 13, .createPaths)])
        _ = machine.handle(.answered(ticket: 13, .done), now: 7_031)
        _ = machine.handle(.answered(ticket: 14, .done), now: 7_032)
        actions = machine.handle(.answered(ticket: 15, other), now: 7_033)
        #expect(Script.alarm(in: actions) != nil)
        #expect(machine.nextWake == 9_033)
    }

    @Test func otherTimesInTheDocumentAreOnlyNamed() throws {
        var machine = try Script.joined()
        _ = machine.handle(.tick, now: 6_020)
        _ = machine.handle(.answered(ticket: 11, .done), now: 6_021)
        let actions = machine.handle(.answered(ticket: 12, .ring(try Script.document(sessionTimeout: 9_000).json())), now: 6_022)
        #expect(Script.alarm(in: actions)?.contains("hold for nodes that start from now on") == true)
        #expect(actions.last == .request(ticket: 13, .list(unlessEpoch: 14)))
    }
}

@Suite struct MembershipPeerTests {
    private let a = Script.member("a", boot: 1)
    private let b = Script.b

    @Test func aPeersNewerListIsAHintWhileZooKeeperIsThere() throws {
        var machine = try Script.joined()
        #expect(
            machine.handle(.offered(epoch: 20, members: [a, b], generation: 0xAB), now: 100)
                == [.request(ticket: 11, .list(unlessEpoch: 14))])
        #expect(machine.handle(.offered(epoch: 14, members: [a], generation: 0xAB), now: 101) == [], "not newer")
    }

    @Test func aPeersNewerListIsTakenWhileZooKeeperIsAway() throws {
        var machine = try Script.joined()
        _ = machine.handle(.disconnected(session: 1), now: 100)
        #expect(machine.handle(.offered(epoch: 20, members: [a], generation: 0xCD), now: 101) == [], "a stranger")
        #expect(machine.handle(.offered(epoch: 20, members: [b], generation: 0xAB), now: 101) == [], "without this node")
        #expect(machine.handle(.offered(epoch: 20, members: [a, b, b], generation: 0xAB), now: 101) == [], "nonsense")
        #expect(
            machine.handle(.offered(epoch: 20, members: [a], generation: 0xAB), now: 102)
                == [.say("took epoch 20 from a peer while ZooKeeper is away"), .view(try Script.view(20, a))])
    }

    @Test func aPeerWithAnotherRingIsRefusedAfterComputingAgain() throws {
        var machine = try Script.joined()
        #expect(machine.handle(.peerDiffers(b.identity, epoch: 14, digest: 5), now: 100) == [.request(ticket: 11, .sync)])
        #expect(machine.handle(.peerDiffers(b.identity, epoch: 14, digest: 5), now: 101) == [], "one that repeats itself")
        _ = machine.handle(.answered(ticket: 11, .done), now: 102)
        #expect(
            machine.handle(.answered(ticket: 12, .ring(try Script.document().json())), now: 103)
                == [.request(ticket: 13, .list(unlessEpoch: nil))])
        let actions = machine.handle(.answered(ticket: 13, Script.list(14, (a, 14), (b, 10))), now: 104)
        #expect(Script.alarm(in: actions)?.contains("refusing that peer") == true)
        #expect(actions.last == .refusePeer(b.identity))
        #expect(machine.view?.epoch == 14)
    }

    @Test func aDoubtThatTheNextEpochOvertookIsDropped() throws {
        var machine = try Script.joined()
        _ = machine.handle(.peerDiffers(b.identity, epoch: 14, digest: 5), now: 100)
        _ = machine.handle(.answered(ticket: 11, .done), now: 102)
        _ = machine.handle(.answered(ticket: 12, .ring(try Script.document().json())), now: 103)
        #expect(
            machine.handle(.answered(ticket: 13, Script.list(16, (a, 14))), now: 104) == [.view(try Script.view(16, a))])
    }
}
