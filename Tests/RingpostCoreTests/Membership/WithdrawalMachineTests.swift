// Cut links as transcripts. S is 6 s and H is 3 s; ticks and heartbeats come every second here.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct WithdrawalMachineTests {
    private typealias Action = WithdrawalMachine.Action

    private static let a = MembershipScript.member("a", boot: 1)
    private static let b = MembershipScript.member("b", boot: 2)
    private static let c = MembershipScript.member("c", boot: 3)
    private static let d = MembershipScript.member("d", boot: 4)

    /// One node's machine and what it is told of the others.
    private struct Node {
        var machine: WithdrawalMachine
        var surroundings: WithdrawalMachine.Surroundings
        /// By member, what its heartbeats say.
        var reports: [String: [String]] = [:]
        var now: Int64 = 0

        init(_ own: Member, among members: [Member], unreachable: [Member] = []) throws {
            machine = WithdrawalMachine(document: try MembershipScript.document())
            surroundings = WithdrawalMachine.Surroundings(
                members: members, epoch: 10, own: own.identity, unreachable: Set(unreachable.map(\.identity)), reachesZooKeeper: true,
                isDraining: false, copies: 3, lastCopies: 0)
        }

        mutating func tick() -> [Action] {
            for (id, unreachable) in reports {
                guard let member = surroundings.members.first(where: { $0.id == id }) else { continue }
                machine.onReport(from: member.identity, unreachable: unreachable, now: now)
            }
            return machine.onTick(now, surroundings)
        }

        /// Ticks every second up to and with this time, and gathers what is to be done.
        mutating func run(until end: Int64) -> [Action] {
            var actions: [Action] = []
            while now < end {
                now += 1_000
                actions += tick()
            }
            return actions
        }
    }

    private func alarms(_ actions: [Action]) -> [String] {
        actions.compactMap { if case .alarm(let sentence) = $0 { sentence } else { nil } }
    }

    @Test func theLaterOfTwoWithdraws() throws {
        let members = [Self.a, Self.b, Self.c]
        var first = try Node(Self.a, among: members, unreachable: [Self.b])
        var second = try Node(Self.b, among: members, unreachable: [Self.a])
        var third = try Node(Self.c, among: members)
        first.reports = ["c": []]
        second.reports = ["c": []]
        third.reports = ["a": ["b"], "b": ["a"]]
        #expect(first.run(until: 12_000) == [])
        #expect(
            first.run(until: 100_000) == [
                .alarm(
                    "the link with b (boot 0000000000000002) has been cut for 12.0 s though both are members; slots that the two share "
                        + "wait; one member will withdraw if it stays cut for 18.0 s")
            ])
        #expect(alarms(second.run(until: 18_000)).count == 1)
        #expect(second.run(until: 19_000) == [.takeLock])
        #expect(third.run(until: 100_000) == [])
    }

    @Test func theOneWithMostCutLinksWithdraws() throws {
        let members = [Self.a, Self.b, Self.c, Self.d]
        var most = try Node(Self.a, among: members, unreachable: [Self.b, Self.c])
        #expect(most.run(until: 19_000).last == .takeLock)
        var late = try Node(Self.c, among: members, unreachable: [Self.a])
        late.reports = ["b": ["a"]]
        #expect(!late.run(until: 100_000).contains(.takeLock))
        // Without that heartbeat it doesn't know, and the lock has to keep the two apart.
        var alone = try Node(Self.c, among: members, unreachable: [Self.a])
        #expect(alone.run(until: 19_000).last == .takeLock)
    }

    @Test func aPairWaits() throws {
        var node = try Node(Self.b, among: [Self.a, Self.b], unreachable: [Self.a])
        let actions = node.run(until: 100_000)
        #expect(alarms(actions).count == 1 && actions.count == 1)
        #expect(alarms(actions)[0].hasSuffix("no member can withdraw, because fewer than two with weight would remain"))
    }

    @Test func aRouterWithdrawsWhereNobodyElseCan() throws {
        let router = MembershipScript.member("c", boot: 3, weight: 0)
        let members = [router, Self.a, Self.b]
        var owner = try Node(Self.a, among: members, unreachable: [router])
        #expect(!owner.run(until: 100_000).contains(.takeLock))
        var node = try Node(router, among: members, unreachable: [Self.a])
        #expect(node.run(until: 19_000).last == .takeLock)
    }

    @Test func aShortCutIsForgotten() throws {
        var node = try Node(Self.b, among: [Self.a, Self.b, Self.c], unreachable: [Self.a])
        _ = node.run(until: 18_000)
        node.surroundings.unreachable = []
        #expect(node.run(until: 19_000) == [])
        node.surroundings.unreachable = [Self.a.identity]
        #expect(!node.run(until: 37_000).contains(.takeLock))
        #expect(node.run(until: 38_000) == [.takeLock])
    }

    @Test func aReportThatIsNotRepeatedIsForgotten() throws {
        var node = try Node(Self.b, among: [Self.a, Self.b, Self.c])
        node.reports = ["a": ["b"]]
        _ = node.run(until: 15_000)
        node.reports = [:]
        #expect(node.run(until: 30_000) == [])
        node.reports = ["a": ["b"]]
        #expect(!node.run(until: 48_000).contains(.takeLock), "counted anew")
        #expect(node.run(until: 49_000) == [.takeLock])
    }

    @Test func whileZooKeeperIsAwayNobodyWithdraws() throws {
        var node = try Node(Self.b, among: [Self.a, Self.b, Self.c], unreachable: [Self.a])
        node.surroundings.reachesZooKeeper = false
        #expect(node.run(until: 100_000) == [])
        node.surroundings.reachesZooKeeper = true
        node.surroundings.isDraining = true
        #expect(alarms(node.run(until: 110_000)).count == 1)
        node.surroundings.isDraining = false
        #expect(node.run(until: 111_000) == [.takeLock])
    }

    // MARK: - With the lock

    /// Node b of three, which is to withdraw and has asked for the lock.
    private func locking() throws -> Node {
        var node = try Node(Self.b, among: [Self.a, Self.b, Self.c], unreachable: [Self.a])
        #expect(node.run(until: 19_000).last == .takeLock)
        return node
    }

    @Test func oneAtATime() throws {
        var node = try locking()
        #expect(node.machine.onLock(.held, now: 19_010) == [])
        #expect(node.run(until: 25_000) == [])
        #expect(node.run(until: 26_000) == [.takeLock])
        #expect(node.machine.onLock(.failed, now: 26_010) == [.releaseLock], "it may have been made all the same")
        #expect(node.run(until: 33_000) == [.takeLock])
    }

    @Test func itLooksAgainWithAListAsNewAsTheLock() throws {
        var node = try locking()
        #expect(node.machine.onLock(.taken(epoch: 12), now: 19_010) == [])
        #expect(node.run(until: 21_000) == [])
        node.surroundings.epoch = 12
        node.surroundings.members = [Self.b, Self.c]
        node.surroundings.unreachable = []
        #expect(node.run(until: 22_000) == [.releaseLock, .say("staying in the ring after all")], "the other one has withdrawn")
    }

    @Test func itWithdrawsAndComesBack() throws {
        var node = try locking()
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        #expect(
            node.run(until: 20_000) == [.alarm("withdrawing from the ring: no link with a for 18.0 s"), .drain])
        #expect(node.machine.countsCopies)
        let light = Self.b.with(weight: 0)
        node.surroundings.members = [Self.a, light, Self.c]
        #expect(node.run(until: 21_000) == [])
        node.surroundings.copies = 0
        #expect(node.run(until: 22_000) == [.moveSockets(milliseconds: 6_000), .withdraw])
        #expect(node.machine.isOutside)
        // A new session, a new boot, and no member.
        node.surroundings.own = MemberIdentity(id: "b", boot: 22)
        node.surroundings.members = [Self.a, Self.c]
        node.surroundings.unreachable = [Self.a.identity]
        #expect(node.run(until: 27_000) == [])
        #expect(node.run(until: 28_000) == [.probe(number: 1, [Self.a, Self.c])])
        #expect(node.run(until: 30_000) == [], "one at a time")
        #expect(node.machine.onProbes(1, silent: ["a"], now: 30_000) == [])
        #expect(node.run(until: 33_000) == [.probe(number: 2, [Self.a, Self.c])])
        #expect(node.machine.onProbes(2, silent: [], now: 33_010) == [])
        #expect(node.run(until: 37_000) == [.probe(number: 3, [Self.a, Self.c])])
        #expect(node.machine.onProbes(3, silent: [], now: 37_010) == [], "for S without a break")
        #expect(node.run(until: 41_000) == [.probe(number: 4, [Self.a, Self.c])])
        #expect(
            node.machine.onProbes(4, silent: [], now: 41_010)
                == [.say("everybody can be reached again; coming back into the ring"), .comeBack, .keepSockets])
        #expect(!node.machine.isOutside)
    }

    @Test func whoHoldsTheLastCopyStays() throws {
        var node = try locking()
        #expect(!node.machine.countsCopies)
        node.surroundings.lastCopies = nil
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        #expect(node.machine.countsCopies)
        #expect(node.run(until: 20_000) == [], "not counted yet")
        node.surroundings.lastCopies = 5
        let sentence =
            "staying in the ring though links are cut, because no other member has a copy of 5 slots that it holds; slots that it shares "
            + "with those it can't reach wait"
        #expect(node.run(until: 21_000) == [.releaseLock, .alarm(sentence)])
        #expect(node.machine.objection == sentence)
        #expect(node.run(until: 80_000) == [])
        #expect(node.run(until: 81_000) == [.takeLock])
        _ = node.machine.onLock(.taken(epoch: 10), now: 81_010)
        #expect(node.run(until: 82_000) == [.releaseLock, .say(sentence)], "one alarm")
        // Somebody else has copies by now.
        #expect(node.run(until: 142_000) == [.takeLock])
        node.surroundings.lastCopies = 0
        _ = node.machine.onLock(.taken(epoch: 10), now: 142_010)
        #expect(node.run(until: 143_000).last == .drain)
        #expect(node.machine.objection == nil)
    }

    @Test func theObjectionEndsWithTheCut() throws {
        var node = try locking()
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        node.surroundings.lastCopies = 5
        _ = node.run(until: 20_000)
        node.surroundings.unreachable = []
        #expect(node.run(until: 21_000) == [])
        #expect(node.machine.objection == nil)
    }

    @Test func whoeverLeavesDuringTheDrainMayHaveHadTheOtherCopy() throws {
        var node = try Node(Self.b, among: [Self.a, Self.b, Self.c, Self.d], unreachable: [Self.a])
        #expect(node.run(until: 19_000).last == .takeLock)
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        #expect(node.run(until: 20_000).last == .drain)
        node.surroundings.members = [Self.a, Self.b, Self.d]
        let actions = node.run(until: 26_000)
        #expect(actions.first == .releaseLock && actions.last == .endDrain)
        #expect(alarms(actions).first?.contains("another member has left meanwhile, and 3 copies are held here") == true)
        #expect(!node.machine.isOutside)
    }

    @Test func theDrainIsLimited() throws {
        var node = try locking()
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        _ = node.run(until: 20_000)
        #expect(node.run(until: 25_000) == [])
        #expect(node.run(until: 26_000) == [.moveSockets(milliseconds: 6_000), .withdraw])
    }

    @Test func linksThatComeBackInTimeEndIt() throws {
        var node = try locking()
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        _ = node.run(until: 20_000)
        node.surroundings.unreachable = []
        #expect(node.run(until: 21_000) == [.releaseLock, .say("staying in the ring after all"), .endDrain])
    }

    @Test func anOrderToDrainGoesFurther() throws {
        var node = try locking()
        _ = node.machine.onLock(.taken(epoch: 10), now: 19_010)
        _ = node.run(until: 20_000)
        node.surroundings.isDraining = true
        #expect(node.run(until: 21_000) == [.releaseLock, .say("staying in the ring after all")])
    }

    @Test func aLostSessionEndsIt() throws {
        var node = try locking()
        node.surroundings.own = MemberIdentity(id: "b", boot: 9)
        #expect(node.run(until: 20_000) == [])
        #expect(node.machine.onLock(.taken(epoch: 10), now: 20_010) == [.releaseLock])
        #expect(node.run(until: 30_000) == [])
    }

    @Test func whoWithdrawsAgainSoonStaysOutLonger() throws {
        var node = try locking()
        for pause: Int64 in [6_000, 12_000, 24_000] {
            if node.machine.isOutside == false, node.now > 19_000 {
                node.surroundings.own = Self.b.identity
                node.surroundings.members = [Self.a, Self.b, Self.c]
                #expect(node.run(until: node.now + 19_000).last == .takeLock)
            }
            _ = node.machine.onLock(.taken(epoch: 10), now: node.now)
            #expect(node.run(until: node.now + 7_000).last == .withdraw)
            node.surroundings.own = MemberIdentity(id: "b", boot: 22)
            node.surroundings.members = [Self.a, Self.c]
            var since: Int64?
            var actions: [Action] = []
            while !actions.contains(.comeBack) {
                guard case .probe(let number, _) = node.run(until: node.now + 1_000).first else { continue }
                since = since ?? node.now
                actions = node.machine.onProbes(number, silent: [], now: node.now)
            }
            #expect(node.now - (since ?? 0) == pause)
        }
    }
}
