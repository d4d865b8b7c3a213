// What the transcripts of whole nodes have in common: a node a, brought to where the part begins that a test is about. S is 6 s and H is
// 3 s; b is a member without weight, because a ring with one weight takes no time.

import Testing

@testable import RingpostCore

enum NodeScript {
    static let a = MemberIdentity(id: "a", boot: 1)
    static let b = MembershipScript.b
    static let light = MembershipScript.member("a", boot: 1, weight: 0)
    static let joined = "joined /ringpost/test as a (boot 0000000000000001) at epoch 12"

    /// Node a before `start`, at the time 0.
    static func machine() throws -> NodeMachine {
        let drain = DrainMachine(drainMilliseconds: 4_000, sessionTimeoutMilliseconds: 6_000)
        return NodeMachine(try MembershipScript.machine(), drain: drain, now: 0)
    }

    static func frozen(since: Int64, reachesZooKeeper: Bool) -> Lease {
        Lease(state: .frozen(since: since), actUntil: since, reachesZooKeeper: reachesZooKeeper)
    }

    static func leased(until: Int64, reachesZooKeeper: Bool = true) -> Lease {
        Lease(state: .leased, actUntil: until, reachesZooKeeper: reachesZooKeeper)
    }

    /// Connected with session 1 and boot 1, and about to read the list (ticket 4).
    static func listing() throws -> NodeMachine {
        var machine = try machine()
        let document = try MembershipScript.document()
        #expect(
            machine.handle(.start, now: 0)
                == [.lease(frozen(since: 0, reachesZooKeeper: false)), .openSession(session: 1, timeoutMilliseconds: 6_000)])
        #expect(machine.handle(.membership(.sessionOpened(session: 1, boot: 1)), now: 0) == [.identity(a)])
        #expect(
            machine.handle(.membership(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000)), now: 5) == [
                .request(ticket: 1, .createPaths), .lease(frozen(since: 0, reachesZooKeeper: true)),
            ])
        #expect(machine.handle(.membership(.answered(ticket: 1, .done)), now: 6) == [.request(ticket: 2, .sync)])
        #expect(machine.handle(.membership(.answered(ticket: 2, .done)), now: 7) == [.request(ticket: 3, .readRing)])
        #expect(
            machine.handle(.membership(.answered(ticket: 3, .ring(document.json()))), now: 8)
                == [.request(ticket: 4, .list(unlessEpoch: nil))])
        return machine
    }

    /// A member without weight beside b at epoch 12; its lease lasts until 5,013.
    static func leased() throws -> NodeMachine {
        var machine = try listing()
        // The lease machine is made with the document: nothing was ever allowed.
        #expect(
            machine.handle(.membership(.answered(ticket: 4, MembershipScript.list(10, (b, 10)))), now: 9) == [
                .lease(frozen(since: 9, reachesZooKeeper: true)), .view(try MembershipScript.view(10, b)),
                .request(ticket: 5, .makeRosterEntry(light)), .readRevocations(ticket: 1),
            ])
        #expect(
            machine.handle(.revocationsRead(ticket: 1, .names([]), seconds: 1), now: 9) == [.revocations(RevocationList())])
        #expect(machine.handle(.membership(.answered(ticket: 5, .done)), now: 10) == [.request(ticket: 6, .register(light))])
        #expect(machine.handle(.membership(.answered(ticket: 6, .done)), now: 11) == [.request(ticket: 7, .list(unlessEpoch: 10))])
        // Until the first sync is answered nothing says that ZooKeeper is there.
        #expect(
            machine.handle(.membership(.answered(ticket: 7, MembershipScript.list(12, (b, 10), (light, 12)))), now: 13) == [
                .registered(a, hadPredecessor: false), .sendSync(sentAt: 13), .log(.notice, joined),
                .lease(frozen(since: 9, reachesZooKeeper: false)), .view(try MembershipScript.view(12, b, light)),
                .askPeers(queryNumber: 1, epoch: 12), .linkWithMembers(session: 1, limitMilliseconds: 5_000),
            ])
        #expect(
            machine.handle(.syncAnswered(sentAt: 13), now: 14)
                == [.lease(leased(until: 5_013)), .log(.notice, "ZooKeeper confirms the session; frozen for 5 ms before")])
        return machine
    }

    /// Answers the look that is due.
    static func look(
        _ machine: inout NodeMachine, ticket: UInt64, peers: PeerTable = PeerTable(shardCount: 1), holdings: NodeHoldings? = nil, now: Int64
    ) -> [NodeAction] {
        machine.handle(.looked(ticket: ticket, peers, holdings), now: now)
    }
}
