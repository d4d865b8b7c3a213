// One event loop's machine, and stand-ins for the rest of its cluster: other members who answer at once, as an owner's mirror does. What
// the machine does is measured; what the others do is as little as possible.
import HashRing
import RingpostCore

final class ShardHarness {
    static let me = MemberIdentity(id: "n1", boot: 1)

    var machine: ShardMachine
    var actions: [ShardAction] = []
    private(set) var now = Moment(monotonic: 1_000_000, wall: 1_795_230_219_428)
    private(set) var epoch: UInt64 = 10
    /// What was delivered, and receipts that said so.
    private(set) var delivered = 0
    private(set) var receipts = 0
    private var links: [MemberIdentity: UInt32] = [:]
    private var publishes: UInt64 = 0
    private var isLooking = false
    private var isMoving = false
    /// The longest call of the machine, in nanoseconds, while that is wanted.
    private var longest: UInt64?

    /// - Parameter others: members besides this one, n2 and so on, all of one weight; `nil` if no epoch has come yet.
    init(others: Int? = 0) {
        machine = ShardMachine(me: Self.me, index: 0, shardCount: 1)
        machine.setLease(until: .max, now: now, actions: &actions)
        if let others { apply(view(1...others + 1)) }
    }

    // MARK: Members

    private static func identity(_ number: Int) -> MemberIdentity { MemberIdentity(id: "n\(number)", boot: UInt64(number)) }

    /// The next epoch's view, of these members; n1 is this node.
    func view(_ numbers: some Sequence<Int>, ownWeight: UInt16 = 100) -> MembershipView {
        epoch += 1
        let members = numbers.map { Samples.member(Self.identity($0), weight: $0 == 1 ? ownWeight : 100) }
        return MembershipView(epoch: epoch, members: members, document: Samples.document, own: Self.me, previous: machine.view)
    }

    /// A new epoch, with links to who is new, and all that follows.
    func apply(_ view: MembershipView) {
        call { $0.apply(view, now: now, actions: &$1) }
        link(view)
        settle()
    }

    /// How long the longest call takes while an epoch is taken over, in nanoseconds.
    func longestCall(applying view: MembershipView) -> Double {
        longest = 0
        apply(view)
        defer { longest = nil }
        return Double(longest ?? 0)
    }

    private func call(_ body: (inout ShardMachine, inout [ShardAction]) -> Void) {
        guard let before = longest else { return body(&machine, &actions) }
        longest = max(before, Benchmark.time { body(&machine, &actions) })
    }

    private func link(_ view: MembershipView) {
        for member in view.members where member.identity != Self.me && links[member.identity] == nil {
            let number = UInt32(links.count)
            links[member.identity] = number
            call { $0.linkIsUp(number, to: member.identity, now: now, actions: &$1) }
        }
    }

    /// Does what the machine says, until it has nothing to say.
    func settle() {
        repeat {
            var next = 0
            while next < actions.count {
                perform(actions[next])
                next += 1
            }
            actions.removeAll(keepingCapacity: true)
            // What is to have its turn soon comes when all that was said is done, as on an event loop.
            let (looks, moves) = (isLooking, isMoving)
            (isLooking, isMoving) = (false, false)
            if looks { call { $0.onEpochWork(now: now, actions: &$1) } }
            if moves { call { $0.onMoves(now: now, actions: &$1) } }
        } while !actions.isEmpty
    }

    private func perform(_ action: ShardAction) {
        switch action {
        case .send(let peer, let frame):
            for reply in Self.replies(to: frame) { call { $0.onReply(reply, from: peer, now: now, actions: &$1) } }
        case .askRoster: call { $0.onRoster(waitMilliseconds: 0, askedAt: $0.epoch, now: now, actions: &$1) }
        case .moveSoon: isMoving = true
        case .scheduleEpochWork: isLooking = true
        case .deliver: delivered += 1
        case .answer(_, .success): receipts += 1
        case .forward, .attach, .reply, .answer, .attached, .detached, .report, .presence, .load, .read, .closeConnection: break
        }
    }

    /// What a holder says that has nothing and takes everything.
    private static func replies(to frame: SlotFrame) -> [SlotFrame] {
        switch frame {
        case .inquire(let term, let slots):
            [.holdings(term: term, slots.map { SlotHolding(slot: $0, content: .none(vacant: 0, quiet: .max)) })]
        case .adopt(let adoptions):
            [.acknowledgeCopies(adoptions.map { SlotPosition(slot: $0.slot, term: $0.term, position: $0.position) })]
        case .snapshots(let fills):
            [
                .acknowledgeCopies(
                    fills.filter(\.chunk.isLast).map { SlotPosition(slot: $0.slot, term: $0.term, position: $0.chunk.position) })
            ]
        case .append(let term, let slot, let position, _): [.acknowledge(term: term, slot: slot, position: position)]
        case .release(let slots): [.released(slots.map { SlotTerm(slot: $0.slot, term: $0.evidence.term) })]
        default: []
        }
    }

    // MARK: Messages

    /// Time goes on by a millisecond: nobody is too fast.
    func tick() { now.monotonic += 1 }

    func publish(to key: Key, isRepeatable: Bool = false, number: UInt64? = nil) {
        tick()
        publishes += 1
        let publish = Samples.publish(to: key, number: number ?? publishes, isRepeatable: isRepeatable, now: now.monotonic)
        let address = ReturnAddress(connectionID: 0, id: publishes)
        machine.submit(publish, PublishContext(address: address), now: now, actions: &actions)
        settle()
    }

    /// Asks for what comes after the newest message but so many.
    func attach(to key: Key, _ start: AttachStart, _ stay: AttachRequest.Stay, id: UInt64 = 1) {
        let request = AttachRequest(key: key, address: ReturnAddress(connectionID: 0, id: id), start: start, stay: stay)
        machine.attach(request, epoch: epoch, fromLink: false, now: now, actions: &actions)
    }

    /// Keys of this node's slots.
    func ownKeys(_ count: Int, kind: KeyKind = .user) -> [Key] {
        var keys: [Key] = []
        var number = 1_000_000_000
        while keys.count < count {
            let key = Samples.key("user-\(number)", kind)
            if machine.isServing(key) { keys.append(key) }
            number += 1
        }
        return keys
    }
}
