// What the parts of a node mean for each other, as transcripts.

import Testing

@testable import RingpostCore

@Suite struct NodeMachineTests {
    private static let awayAt12 = "ZooKeeper is away; staying at epoch 12"
    private static let outage = "outage mode: every other member with weight is without ZooKeeper too; going on"
    private static let frozen = "frozen: ZooKeeper does not confirm the session; neither owner nor mirror until it does"

    /// Without ZooKeeper since 1,000, and past its lease: nobody else has weight, so it goes on by itself until 8,013.
    private func inOutage() throws -> NodeMachine {
        var machine = try NodeScript.leased()
        #expect(
            machine.handle(.membership(.disconnected(session: 1)), now: 1_000) == [
                .log(.notice, Self.awayAt12), .lease(NodeScript.leased(until: 5_013, reachesZooKeeper: false)),
            ])
        #expect(
            machine.handle(.tick, now: 5_013) == [
                .askPeers(queryNumber: 2, epoch: 12),
                .askAfresh(session: 1, MembershipScript.member("a", boot: 1), limitMilliseconds: 5_000),
                .look(ticket: 1, countsHoldings: false), .lease(Lease(state: .outage, actUntil: 8_013, reachesZooKeeper: false)),
                .log(.warning, Self.outage),
            ])
        return machine
    }

    @Test func theLeaseEndsBeforeTheNewRingAndComesBackAfterIt() throws {
        var machine = try inOutage()
        let members = [NodeScript.b, NodeScript.light]
        let generation = try MembershipScript.document().generation
        #expect(
            machine.handle(.membership(.offered(epoch: 20, members: members, generation: generation)), now: 5_100) == [
                .log(.notice, "took epoch 20 from a peer while ZooKeeper is away"),
                .lease(NodeScript.frozen(since: 5_100, reachesZooKeeper: false)), .log(.error, Self.frozen),
                .view(try MembershipScript.view(20, NodeScript.b, NodeScript.light)), .askPeers(queryNumber: 3, epoch: 20),
                .lease(Lease(state: .outage, actUntil: 8_100, reachesZooKeeper: false)), .log(.warning, Self.outage),
            ])
    }

    @Test func aLostConnectionStopsEverythingThatAsksZooKeeper() throws {
        var machine = try inOutage()
        #expect(machine.handle(.revocationsChanged(session: 1), now: 5_100) == [])
        #expect(!machine.canReadRevocations)
        #expect(machine.handle(.syncAnswered(sentAt: 13), now: 5_101) == [], "it was answered before")
        #expect(
            machine.handle(.membership(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000)), now: 5_200) == [
                .log(.notice, "ZooKeeper is back after 4200 ms"), .request(ticket: 8, .sync), .sendSync(sentAt: 5_200),
                .readRevocations(ticket: 2),
            ])
    }

    @Test func whatIsRevokedIsPutBackBeforeItIsRead() throws {
        var machine = try NodeScript.leased()
        let hasher = try MembershipScript.document().hasher
        let revocation = Revocation(
            .user(try Key(.user, name: Array("alice".utf8), hasher: hasher)), seconds: 5, until: 9_000, maker: nil, hasher: hasher)
        _ = machine.handle(.revoked(revocation), now: 20)
        _ = machine.handle(.membership(.disconnected(session: 1)), now: 1_000)
        #expect(
            machine.handle(.tick, now: 2_000).contains(
                .askAfresh(session: 1, MembershipScript.member("a", boot: 1), limitMilliseconds: 5_000)))
        _ = machine.handle(.membership(.askedAfresh(session: 1, .unknown)), now: 2_100)
        _ = machine.handle(.membership(.sessionOpened(session: 2, boot: 7)), now: 2_100)
        #expect(
            machine.handle(.membership(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000)), now: 2_200)
                .contains(.request(ticket: 8, .createPaths)))
        _ = machine.handle(.membership(.answered(ticket: 8, .done)), now: 2_201)
        _ = machine.handle(.membership(.answered(ticket: 9, .done)), now: 2_202)
        let putsBack = machine.handle(.membership(.answered(ticket: 10, .missing)), now: 2_203)
        guard case .request(ticket: 11, .putBack(let remains)) = putsBack.first else {
            Issue.record("\(putsBack)")
            return
        }
        #expect(remains.revocations == [revocation.name])
        _ = machine.handle(.membership(.answered(ticket: 11, .done)), now: 2_204)
        _ = machine.handle(.membership(.answered(ticket: 12, .done)), now: 2_205)
        #expect(
            machine.handle(.membership(.answered(ticket: 13, .ring(remains.document.json()))), now: 2_206)
                == [.request(ticket: 14, .list(unlessEpoch: nil))], "not read yet")
        let listed = machine.handle(.membership(.answered(ticket: 14, MembershipScript.list(3))), now: 2_207)
        #expect(listed.contains(.readRevocations(ticket: 2)))
    }

    @Test func whoWasShutOutByAnotherRingDoesNotVouchThatZooKeeperIsAway() throws {
        var machine = try NodeScript.leased()
        #expect(machine.handle(.tick, now: 6_013).contains(.request(ticket: 8, .sync)))
        _ = machine.handle(.membership(.answered(ticket: 8, .done)), now: 6_014)
        let other = MembershipAnswer.ring(try MembershipScript.document(generation: 0xCD).json())
        #expect(machine.handle(.membership(.answered(ticket: 9, other)), now: 6_015).contains(.closeSession))
        #expect(machine.lease(now: 6_016).reachesZooKeeper, "others may act there")
    }

    @Test func whatAnEarlierSessionSaysChangesNothing() throws {
        var machine = try NodeScript.leased()
        #expect(machine.handle(.membership(.disconnected(session: 0)), now: 20) == [])
        #expect(machine.handle(.membership(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000)), now: 20) == [])
        #expect(machine.handle(.revocationsChanged(session: 0), now: 20) == [])
        #expect(machine.lease(now: 20) == NodeScript.leased(until: 5_013))
    }

    @Test func anExpiredSessionEndsTheLeaseBeforeAnythingElseIsTold() throws {
        var machine = try NodeScript.leased()
        #expect(
            machine.handle(.membership(.expired(session: 1)), now: 100) == [
                .log(.notice, "the ZooKeeper session has expired; registering again with a new boot"), .closeSession,
                .openSession(session: 2, timeoutMilliseconds: 6_000), .lease(NodeScript.frozen(since: 100, reachesZooKeeper: false)),
                .log(.error, Self.frozen),
            ])
        #expect(
            machine.handle(.membership(.sessionOpened(session: 2, boot: 7)), now: 100)
                == [.identity(MemberIdentity(id: "a", boot: 7))])
    }

    @Test func anEndWithoutAGoodbyeClosesTheSession() throws {
        var machine = try NodeScript.leased()
        #expect(
            machine.handle(.stop, now: 50)
                == [.closeSession, .lease(NodeScript.frozen(since: 50, reachesZooKeeper: true)), .log(.error, Self.frozen)])
    }

    // MARK: - Draining

    /// Asked for by an order at 100: nobody else has weight, so the sockets go at once.
    private func movingSockets() throws -> NodeMachine {
        var machine = try NodeScript.leased()
        let began = machine.handle(.drain(.order), now: 100)
        let progress = try #require(machine.drain.progress)
        #expect(
            began == [
                .log(.notice, "draining: giving up the weight, then 4 s for the sockets"),
                .request(ticket: 8, .list(unlessEpoch: 12)), .look(ticket: 1, countsHoldings: true), .progress(progress), .pingPeers,
            ])
        #expect(NodeScript.look(&machine, ticket: 0, holdings: NodeHoldings(), now: 101) == [], "of an earlier look")
        let moves = NodeScript.look(&machine, ticket: 1, holdings: NodeHoldings(sockets: 2), now: 102)
        #expect(
            moves == [
                .log(.notice, "all slots and copies are handed over; moving 2 sockets"),
                .moveSockets(number: 1, milliseconds: 4_000, elsewhere: ["b.test:8080"]), .progress(machine.drain.progress),
            ])
        return machine
    }

    @Test func peersHearOfTheGoodbyeBeforeItIsSaid() throws {
        var machine = try movingSockets()
        #expect(machine.handle(.moved(number: 0), now: 110) == [], "an order of the withdrawal")
        let left = machine.handle(.moved(number: 1), now: 4_200)
        #expect(
            left == [
                .log(.notice, "leaving the ring"), .leaving, .pingPeers, .request(ticket: 9, .sayGoodbye(id: "a", clearingRoster: true)),
                .lease(NodeScript.frozen(since: 4_200, reachesZooKeeper: true)), .progress(machine.drain.progress),
            ])
        #expect(machine.handle(.membership(.answered(ticket: 9, .done)), now: 4_210).contains(.end(.left)))
    }

    @Test func aWeightTakesTheDrainBack() throws {
        var machine = try movingSockets()
        #expect(
            try machine.setWeight(3, now: 200)
                == [.keepSockets, .log(.notice, "the drain is taken back"), .progress(nil), .pingPeers])
        #expect(!machine.isDraining)
        #expect(machine.handle(.moved(number: 1), now: 201) == [], "that order was called back")
    }

    @Test func copiesAreCountedOnlyWhereSomethingDependsOnThem() throws {
        var machine = try NodeScript.leased()
        #expect(machine.handle(.tick, now: 260).contains(.look(ticket: 1, countsHoldings: false)))
        #expect(machine.nextWake(now: 260) == 1_013, "one look at a time")
        #expect(NodeScript.look(&machine, ticket: 1, now: 261) == [])
        #expect(machine.nextWake(now: 261) == 261 + WithdrawalMachine.tickMilliseconds)
    }

    // MARK: - Alone

    @Test func aNodeWithoutZooKeeperIsItsOwnCluster() throws {
        let me = MembershipScript.member("a", boot: 9, weight: 0)
        let document = try MembershipScript.document()
        let drain = DrainMachine(drainMilliseconds: 4_000, sessionTimeoutMilliseconds: 6_000)
        var machine = NodeMachine(alone: me, document: document, drain: drain, now: 0)
        let first = MembershipView(epoch: 1, members: [me], document: document, own: me.identity)
        #expect(
            machine.handle(.start, now: 0) == [
                .lease(.forever), .identity(me.identity), .registered(me.identity, hadPredecessor: false), .view(first),
                .revocations(RevocationList()),
            ])
        #expect(machine.nextWake(now: 0) == nil)
        #expect(try machine.setWeight(0, now: 1) == [], "it has that weight")
        #expect(machine.vacancy(roster: []) == .wait(0))
        #expect(machine.handle(.drain(.signal), now: 2).contains(.look(ticket: 1, countsHoldings: true)))
        #expect(
            NodeScript.look(&machine, ticket: 1, holdings: NodeHoldings(users: 3), now: 3)
                .contains(.moveSockets(number: 1, milliseconds: 0, elsewhere: [])))
        #expect(machine.handle(.moved(number: 1), now: 4).contains(.end(.left)))
    }

    // MARK: - The roster

    @Test(
        arguments: [
            // Of a member with copies in memory, and of one with copies on a disk; whoever was not to be asked is `nil`.
            (nil, nil, 9_000), (.refused, nil, 9_000), (.otherBoot, nil, 30_000), (.silent, nil, 609_000), (.sameBoot, nil, 609_000),
            (nil, .refused, 30_000), (nil, .otherBoot, 30_000), (nil, .silent, 609_000), (nil, .sameBoot, 609_000),
            (.refused, .refused, 30_000), (.otherBoot, .refused, 30_000), (.silent, .refused, 609_000), (.sameBoot, .otherBoot, 609_000),
        ] as [(ProbeResult?, ProbeResult?, Int64)])
    func whoMayComeBackWithCopiesIsWaitedFor(memory: ProbeResult?, disk: ProbeResult?, milliseconds: Int64) throws {
        let machine = try NodeScript.leased()
        let c = MembershipScript.member("c", boot: 5)
        for durability in StoreDurability.allCases {
            var d = MembershipScript.member("d", boot: 6)
            (d.lineage, d.disk) = (7, durability)
            let results = [memory.map { (c, $0) }, disk.map { (d, $0) }].compactMap { $0 } as [(member: Member, result: ProbeResult)]
            #expect(machine.vacancyWait(after: results) == milliseconds)
        }
        // Whoever had its id before is asked, and has nothing on this disk.
        var moved = MembershipScript.member("d", boot: 6)
        (moved.lineage, moved.disk, moved.former) = (7, .fsync, [Member.Former(boot: 5, link: "elsewhere.test:1")])
        #expect(machine.vacancyWait(after: moved.predecessors.map { ($0, .refused) }) == 9_000)
    }

    @Test func whoIsGoneShortensTheWait() throws {
        let machine = try NodeScript.leased()
        let c = MembershipScript.member("c", boot: 5)
        #expect(try NodeScript.machine().vacancy(roster: []) == nil)
        #expect(machine.vacancy(roster: [NodeScript.light]) == .wait(0), "itself")
        #expect(machine.vacancy(roster: [c]) == .ask([c]))
        let members = try #require(machine.view?.members)
        #expect(members.count > 1 && machine.vacancy(roster: members) == .wait(0), "they have been asked")
        var second = c
        second.former = [Member.Former(boot: 4, link: "elsewhere.test:1")]
        #expect(machine.vacancy(roster: [second]) == .ask([second] + second.predecessors))
        #expect(machine.vacancy(roster: Array(repeating: c, count: NodeMachine.departedMax + 1)) == .wait(609_000))
        #expect(machine.vacancy(roster: members, unreadable: 1) == .wait(609_000), "somebody's, who can't be asked")
        #expect(machine.strangers(in: members + [NodeScript.light, second]) == [second] + second.predecessors, "for people")
    }
}
