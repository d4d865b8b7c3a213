// One epoch as a node sees it: the member list, the ring that follows from it, and the node's own place. Built whole and
// never changed; a new epoch is a new view, and switching over is the exchange of one reference.

import HashRing

/// Makes the ring of a member set: `HashRing.init`, or something that remembers rings it has made before.
public typealias RingBuilder = @Sendable ([RingMember]) -> HashRing

/// The members and the ring at one epoch.
public final class MembershipView: Sendable {
    /// A cluster has at most this many members; a longer list is not taken over, with an alarm.
    public static let membersMax = 1_000

    /// The number of this generation of the ring: the `pzxid` of `/members`.
    public let epoch: UInt64
    /// All members, those without weight too, in the order of `ring.members`.
    public let members: [Member]
    /// The ring of these members.
    public let ring: HashRing
    /// What the cluster has agreed on: its generation, its secret, its times.
    public let document: ClusterDocument
    /// Places keys under the cluster's secret.
    public let hasher: KeyHasher
    /// The own place in ``members``, by id and boot; `nil` while this node is no member.
    public let selfIndex: Int?

    private let memberIndices: [String: Int]

    /// Builds a view. Takes a few milliseconds, or microseconds when `previous` has the same ids and weights.
    ///
    /// - Parameters:
    ///   - epoch: the `pzxid` that came with the list.
    ///   - members: in any order, at most ``membersMax``, with unique ids.
    ///   - document: the cluster's document.
    ///   - own: who this node is now.
    ///   - previous: a view whose ring is used again if the set of {id, weight} is the same, and whose slots' orders are if that is
    ///     true of the members with weight.
    ///   - buildRing: makes the ring otherwise.
    public init(
        epoch: UInt64, members: [Member], document: ClusterDocument, own: MemberIdentity, previous: MembershipView? = nil,
        buildRing: RingBuilder = { HashRing(members: $0) }
    ) {
        let ringMembers = members.map(\.ringMember)
        if let previous, previous.members.count == members.count, Set(previous.ring.members) == Set(ringMembers) {
            ring = previous.ring
        } else if let previous, let like = HashRing(members: ringMembers, placedLike: previous.ring) {
            ring = like
        } else {
            ring = buildRing(ringMembers)
        }
        let memberIndices = Dictionary(uniqueKeysWithValues: ring.members.enumerated().map { ($0.element.id, $0.offset) })
        self.memberIndices = memberIndices
        self.members = members.sorted { one, other in (memberIndices[one.id] ?? 0) < (memberIndices[other.id] ?? 0) }
        self.epoch = epoch
        self.document = document
        hasher = document.hasher
        selfIndex = self.members.firstIndex { $0.identity == own }
    }

    /// Which cluster this is.
    public var generation: UInt64 { document.generation }

    /// The member at a place of the ring.
    public func member(at memberIndex: Int) -> Member { members[memberIndex] }

    /// The slot's owner; `nil` when nobody has weight.
    public func owner(ofSlot slot: Int) -> Member? { ring.owner(ofSlot: slot).map { members[$0] } }

    /// The slot's mirror; `nil` when fewer than two members have weight.
    public func mirror(ofSlot slot: Int) -> Member? { ring.mirror(ofSlot: slot).map { members[$0] } }

    /// The members that are to have copies of the slot beside its owner.
    public func mirrors(ofSlot slot: Int) -> [Member] {
        ring.preference(ofSlot: slot, count: min(document.copies, ring.depth)).dropFirst().map { members[$0] }
    }

    /// The place of the member with this id.
    public func memberIndex(_ id: String) -> Int? { memberIndices[id] }

    /// The member with this id.
    public func member(_ id: String) -> Member? { memberIndices[id].map { members[$0] } }

    /// Where the members of an earlier view stand in this one, in the order of their places there; `nil` for those that have left. Another
    /// boot is another member.
    public func memberIndices(of old: MembershipView) -> [Int?] {
        old.members.map { member in memberIndex(member.id).flatMap { members[$0].identity == member.identity ? $0 : nil } }
    }

    /// This node's own entry; `nil` while it is no member.
    public var own: Member? { selfIndex.map { members[$0] } }

    /// Members with weight, without this node.
    public var othersWithWeight: [Member] {
        members.enumerated().filter { $0.offset != selfIndex && $0.element.weight > 0 }.map(\.element)
    }

    /// How many slots this node owns.
    public var slotsOwned: Int { selfIndex.map { ring.slotsOwned()[$0] } ?? 0 }
}

extension MembershipView: Equatable {
    /// Equal views name the same members of the same cluster at the same epoch, and the same one as oneself, and want as many copies.
    public static func == (one: MembershipView, other: MembershipView) -> Bool {
        one.epoch == other.epoch && one.members == other.members && one.generation == other.generation
            && one.selfIndex == other.selfIndex && one.ring.digest == other.ring.digest && one.document.copies == other.document.copies
    }
}

extension MembershipView: CustomStringConvertible {
    /// For logs: epoch, members and the ring's digest.
    public var description: String {
        let names = members.map { $0.weight == 1 ? $0.id : "\($0.id)×\($0.weight)" }.joined(separator: ", ")
        return "epoch \(epoch): \(members.count) members (\(names)), digest \(ring.digest.hexadecimal)"
    }
}
