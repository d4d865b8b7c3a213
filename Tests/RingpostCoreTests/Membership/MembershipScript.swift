// What the membership transcripts have in common: a few members, the document, and how far a machine has to be brought before
// the part that a test is about begins. Every step on the way is checked, so the way in is itself the transcript of a join.

import HashRing
import Synchronization
import Testing

@testable import RingpostCore

enum MembershipScript {
    static let paths = ClusterPaths(cluster: "test")

    static func document(generation: UInt64 = 0xAB, sessionTimeout: Int = 6_000) throws -> ClusterDocument {
        ClusterDocument(
            seed: try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16))), generation: generation,
            sessionTimeoutMilliseconds: sessionTimeout)
    }

    static func member(_ id: String, boot: UInt64, weight: UInt16 = 1) -> Member {
        Member(
            id: id, boot: boot, weight: weight, zone: nil, protocolVersion: 1, client: "\(id).test:8080", api: "\(id).test:8081",
            link: "\(id).test:8082")
    }

    /// A list in which each member was created by the transaction given with it.
    static func list(_ epoch: UInt64, _ members: (Member, UInt64)...) -> MembershipAnswer {
        .list(
            MemberList(
                epoch: epoch, entries: members.map { .init(name: $0.0.id, content: .data($0.0.json(), createdBy: $0.1)) }))
    }

    /// The view that must follow. Rings are computed once for all tests: without optimization one takes most of a second.
    static func view(_ epoch: UInt64, _ members: Member..., own: UInt64 = 1) throws -> MembershipView {
        let document = try document()
        return rings.withLock { rings in
            let view = MembershipView(
                epoch: epoch, members: members, document: document, own: MemberIdentity(id: "a", boot: own),
                previous: rings[Set(members.map(\.ringMember))])
            rings[Set(members.map(\.ringMember))] = view
            return view
        }
    }

    private static let rings = Mutex<[Set<RingMember>: MembershipView]>([:])

    /// The other member. It has no weight unless a test is about that, because a ring without weights takes no time.
    static let b = member("b", boot: 2, weight: 0)

    /// Node a before `start`.
    static func machine(
        weight: UInt16 = 1, sessionTimeout: Int = 6_000, lineage: UInt64 = 0, storedBoots: Set<UInt64>? = nil,
        storedEpoch: UInt64 = 0
    ) throws -> MembershipMachine {
        var me = member("a", boot: 0, weight: weight)
        me.lineage = lineage
        return MembershipMachine(
            cluster: "test", me: me, proposal: try document(sessionTimeout: sessionTimeout), storedBoots: storedBoots,
            storedEpoch: storedEpoch)
    }

    /// Connected with session 1 and boot 1, and about to read the list (ticket 4).
    static func listing(weight: UInt16 = 1, storedBoots: Set<UInt64>? = nil) throws -> MembershipMachine {
        var machine = try machine(weight: weight, storedBoots: storedBoots)
        let document = try document()
        #expect(machine.handle(.start, now: 0) == [.openSession(session: 1, timeoutMilliseconds: 6_000)])
        #expect(machine.handle(.sessionOpened(session: 1, boot: 1), now: 0) == [])
        #expect(
            machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 5)
                == [.request(ticket: 1, .createPaths)])
        #expect(machine.handle(.answered(ticket: 1, .done), now: 6) == [.request(ticket: 2, .sync)])
        #expect(machine.handle(.answered(ticket: 2, .done), now: 7) == [.request(ticket: 3, .readRing)])
        #expect(
            machine.handle(.answered(ticket: 3, .ring(document.json())), now: 8) == [.request(ticket: 4, .list(unlessEpoch: nil))])
        return machine
    }

    /// Registered without weight beside b (boot 2, no weight), at epoch 12; links are asked for; at rest since 13.
    static func registered() throws -> MembershipMachine {
        var machine = try listing()
        let light = member("a", boot: 1, weight: 0)
        #expect(
            machine.handle(.answered(ticket: 4, list(10, (b, 10))), now: 9)
                == [.view(try view(10, b)), .request(ticket: 5, .makeRosterEntry(light))])
        #expect(machine.handle(.answered(ticket: 5, .done), now: 10) == [.request(ticket: 6, .register(light))])
        #expect(machine.handle(.answered(ticket: 6, .done), now: 11) == [.request(ticket: 7, .list(unlessEpoch: 10))])
        #expect(
            machine.handle(.answered(ticket: 7, list(12, (b, 10), (light, 12))), now: 13) == [
                .registered(light, hadPredecessor: false), .say("joined /ringpost/test as a (boot 0000000000000001) at epoch 12"),
                .view(try view(12, b, light)), .linkWithMembers(session: 1, limitMilliseconds: 5_000),
            ])
        return machine
    }

    /// A member with weight beside b, at epoch 14, at rest since 20.
    static func joined() throws -> MembershipMachine {
        var machine = try registered()
        let a = member("a", boot: 1)
        #expect(machine.handle(.linked(session: 1), now: 17) == [.request(ticket: 8, .list(unlessEpoch: 12))])
        #expect(machine.handle(.answered(ticket: 8, .unchanged), now: 18) == [.request(ticket: 9, .changeWeight(a))])
        #expect(machine.handle(.answered(ticket: 9, .done), now: 19) == [.request(ticket: 10, .list(unlessEpoch: 12))])
        #expect(machine.handle(.answered(ticket: 10, list(14, (b, 10), (a, 14))), now: 20) == [.view(try view(14, a, b))])
        return machine
    }

    /// The sentence of the only alarm among the actions.
    static func alarm(in actions: [MembershipAction]) -> String? {
        let alarms = actions.compactMap { if case .alarm(let sentence) = $0 { sentence } else { nil } }
        return alarms.count == 1 ? alarms[0] : nil
    }
}
