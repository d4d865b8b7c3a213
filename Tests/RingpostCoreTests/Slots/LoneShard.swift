// A loop of a node that is the only member and may act for ever: the simplest owner there is, for tests of mailboxes. What
// is appended is committed at once, so a publish's answer and deliveries come with the event itself.
import HashRing
import Testing

@testable import RingpostCore

struct LoneShard {
    static let me = MemberIdentity(id: "a", boot: 1)
    static let other = MemberIdentity(id: "b", boot: 2)
    static let epoch: UInt64 = 3
    /// Few slots, because without optimization a whole ring's take long.
    private static let shardCount = 64

    var machine: ShardMachine

    init(limits: MailboxLimits = MailboxLimits(), disk: StoreDurability? = nil, faults: Set<GuardFault> = []) {
        var loopLimits = ShardLimits(mailbox: limits)
        loopLimits.faults = faults
        loopLimits.slots.looksMax = .max
        machine = ShardMachine(me: Self.me, index: 0, shardCount: Self.shardCount, limits: loopLimits)
        let now = Moment(monotonic: 0, wall: 0)
        var actions: [ShardAction] = []
        machine.setLease(until: .max, now: now, actions: &actions)
        machine.apply(Self.view(Self.epoch, [Self.me], disk: disk), now: now, actions: &actions)
        #expect(actions == [.askRoster])
        machine.onRoster(waitMilliseconds: 0, askedAt: Self.epoch, now: now, actions: &actions)
    }

    /// Members of weight 1.
    static func view(_ epoch: UInt64, _ members: [MemberIdentity], disk: StoreDurability? = nil) -> MembershipView {
        let members = members.map { identity in
            var member = Rings.member(identity, weight: 1)
            member.disk = disk
            return member
        }
        return MembershipView(
            epoch: epoch, members: members, document: InMemoryCluster.document, own: me,
            buildRing: Rings.ring)
    }

    /// - Parameter slot: counted among those of the loop.
    static func key(_ name: UInt8 = 1, slot: Int = 7) -> Key {
        Key(.user, trusted: [name], hash: KeyHash(rawValue: UInt64(slot * shardCount) << 48 | UInt64(name)))
    }

    var store: MailboxStore { machine.log.mailboxes }

    func incarnation(of key: Key) -> UInt64? { store.summary(of: key)?.cursor.incarnation }

    /// - Parameter hops: links that it has crossed; where it entered it would be tried again for as long as it may.
    mutating func publish(
        _ publish: Publish, answerTo address: ReturnAddress, stream: UInt64 = 0, restarts: Bool = false, hops: UInt8 = 0, at now: Moment
    ) -> [ShardAction] {
        var actions: [ShardAction] = []
        let context = PublishContext(address: address, hops: hops, stream: stream, restarts: restarts)
        machine.submit(publish, context, now: now, actions: &actions)
        return actions
    }

    mutating func attach(_ request: AttachRequest, at now: Int64) -> Result<AttachReply, Problem> {
        var actions: [ShardAction] = []
        machine.attach(request, epoch: Self.epoch, fromLink: false, now: Moment(monotonic: now, wall: 0), actions: &actions)
        guard actions.count == 1, case .attached(request.address, let result) = actions[0] else {
            Issue.record("not one answer, but \(actions)")
            return .failure(.internalError)
        }
        return result
    }
}
