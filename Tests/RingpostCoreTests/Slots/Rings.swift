// Rings of the few nodes that the machines' tests have: each is built once, because without optimization one takes most of a
// second.
import HashRing
import Synchronization
import Testing

@testable import RingpostCore

enum Rings {
    private struct Kept {
        var rings: [Set<RingMember>: HashRing] = [:]
        var slots: [String: Int] = [:]
    }

    private static let kept = Mutex(Kept())

    @Sendable static func ring(_ members: [RingMember]) -> HashRing {
        kept.withLock { ring(members, &$0) }
    }

    private static func ring(_ members: [RingMember], _ kept: inout Kept) -> HashRing {
        if let ring = kept.rings[Set(members)] { return ring }
        let ring = HashRing(members: members)
        kept.rings[Set(members)] = ring
        return ring
    }

    /// The first slot of which these nodes, all of one weight, have exactly this order. Without one of them it is the order of
    /// the others.
    static func slot(_ order: String) -> Int {
        kept.withLock { kept in
            if let slot = kept.slots[order] { return slot }
            let ring = ring(order.map { RingMember(id: String($0), weight: 1) }, &kept)
            let wanted = order.map { letter in ring.members.firstIndex { $0.id == String(letter) } ?? -1 }
            // From 1 on, so that a test that takes a slot for nothing is noticed.
            let slot = (1..<1_000).first { slot in
                ring.owner(ofSlot: slot) == wanted.first && ring.mirror(ofSlot: slot) == wanted.dropFirst().first
                    && ring.preference(ofSlot: slot, count: wanted.count) == wanted
            }
            kept.slots[order] = slot
            return slot ?? 0
        }
    }

    static func member(_ identity: MemberIdentity, weight: UInt16) -> Member {
        Member(
            id: identity.id, boot: identity.boot, weight: weight, protocolVersion: 1, client: "\(identity.id).test:1",
            api: "\(identity.id).test:2", link: "\(identity.id).test:3")
    }
}
