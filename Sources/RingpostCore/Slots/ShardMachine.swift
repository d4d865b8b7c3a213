// Everything that belongs to the slots of one event loop, as decisions: who owns them, which copies there are and who
// has confirmed what, the mailboxes, the lanes of publishes. Events and the time go in, actions come out; a node's event
// loop performs them, and so does the simulation of a whole cluster. The rules are in docs/architecture/copies.md; each
// file of this folder does one part of them.
import DequeModule
import HashRing

/// What the shell has to do, in this order.
public enum ShardAction: Equatable, Sendable {
    /// Send a publish to its owner, which answers with ``ShardMachine/onAnswer(request:_:now:actions:)``.
    case forward(peer: UInt32, request: UInt64, Publish, hops: UInt8, restarts: Bool)
    /// Ask an owner on behalf of a socket of this node.
    case attach(peer: UInt32, AttachRequest, epoch: UInt64)
    /// To a holder, over the link that this node has dialled.
    case send(peer: UInt32, SlotFrame)
    /// To an owner, on the connection on which it asked.
    case reply(connectionID: UInt32, SlotFrame)
    case answer(ReturnAddress, PublishResult)
    case attached(ReturnAddress, Result<AttachReply, Problem>)
    /// Goes to an attachment that is live; continues `sequence - 1`.
    case deliver(ReturnAddress, incarnation: UInt64, StoredMessage)
    /// The attachment is gone because the key changed hands: its edge attaches again.
    case detached(ReturnAddress)
    /// Tell a channel's owner who listens, over the link to it.
    case report(peer: UInt32, ReturnAddress, Key, PresenceReport)
    /// Tell a node that listens to a channel who comes and goes.
    case presence(ReturnAddress, PresenceNews)
    /// Find out how long a slot must be waited for of which nobody has a copy.
    case askRoster
    /// Call ``ShardMachine/onMoves(now:actions:)`` after ``SlotLimits/movePauseMilliseconds``.
    case moveSoon
    /// Call ``ShardMachine/onEpochWork(now:actions:)`` as soon as all else that waits has had its turn.
    case scheduleEpochWork
    /// Too much waits that came on this connection: end it, all of it will be said again on the next one.
    case closeConnection(UInt32)
}

/// Bounds of one event loop's machine.
public struct ShardLimits: Sendable {
    /// See ``MailboxLimits``.
    public var mailbox: MailboxLimits
    /// See ``LaneLimits``.
    public var lanes: LaneLimits
    /// See ``SlotLimits``.
    public var slots = SlotLimits()
    /// Guards that are switched off. Only for tests of the tests.
    package var faults: Set<GuardFault> = []

    /// The defaults unless given.
    public init(mailbox: MailboxLimits = MailboxLimits(), lanes: LaneLimits = LaneLimits()) {
        self.mailbox = mailbox
        self.lanes = lanes
    }
}

/// The machine of one event loop.
public struct ShardMachine {
    let limits: ShardLimits
    let index: Int
    let shardCount: Int
    /// Who this node is now.
    public internal(set) var me: MemberIdentity
    /// The newest epoch; `nil` before the first.
    public internal(set) var view: MembershipView?
    var lanes: PublishLanes
    var store: MailboxStore
    /// By slot / shardCount.
    var slots: [Slot]
    var takeovers: [Int: SlotTakeover] = [:]
    /// Slots to begin when their turn comes, and some that have begun since.
    var queue: Deque<Int> = []
    /// Slots of this node that have got another mirror, until they have their turn.
    var unmirrored: Deque<Int> = []
    /// How many moves may still be made before the next pause.
    var movesLeft: Int
    var isMovingSoon = false
    /// Lots of moves since the last time that nothing waited.
    var moveLots = 0
    /// Slots that are to be this node's, and of which somebody has heard of a later epoch: they begin in that one.
    var barred: Set<Int> = []
    /// Where the publishes of each slot go, kept up to date so that nothing is looked up on the way of a message.
    var routes: [PublishLanes.Route]
    /// Every member that was ever seen; numbers stay.
    var peers: [SlotPeer] = []
    var peerNumbers: [MemberIdentity: Int] = [:]
    var peersByLink: [UInt32: Int] = [:]
    /// The member at each place of the view; -1 for this node.
    var peersByMember: [Int] = []
    /// Links that take no more for the moment.
    var fullLinks: Set<UInt32> = []
    /// Until when this node may act, on its monotonic clock.
    public internal(set) var leaseUntil: Int64 = .min
    /// Slots with something to commit, to release or to acknowledge that the lease did not allow.
    var stalled: Set<Int> = []
    var unacknowledged: Set<Int> = []
    /// Steps of the logs that are not committed.
    public internal(set) var uncommittedCount = 0
    var uncommittedBytes = 0
    /// Pieces of copies that are coming in.
    var fills: [Int: (term: UInt64, connectionID: UInt32, pieces: [SnapshotChunk])] = [:]
    /// Frames that wait for an epoch, in the order in which they came.
    var parked: Deque<(frame: SlotFrame, member: MemberIdentity, connectionID: UInt32)> = []
    var parkedBytes = 0
    /// Slots that the epoch in force may mean something to, and that have not been looked at since it came.
    var staleSlots: SlotSet
    var epochWorkIsScheduled = false
    /// Slots of which nobody has a copy, and what was said about how long to wait.
    var vacant: SlotSet
    /// For none of them the wait is over earlier; and how far they have been looked through, if that is under way.
    var vacantDueAt = Int64.min
    var vacantFrom = 0
    var ruling: Int64?
    var rosterAskedAt: Int64?
    /// When this node came in place of another boot of its own id; `nil` if it did not.
    var succeededAt: Int64?
    /// Attachments that wait for an epoch, in the order in which they came.
    var earlyAttaches: [(request: AttachRequest, epoch: UInt64, fromLink: Bool)] = []
    /// Of these, so that most detachments needn't look through them.
    var earlyAddresses: Set<ReturnAddress> = []
    /// Who listens to this loop's channels.
    var presences: [Key: ChannelPresence] = [:]
    /// Of these, those that have something to tell now, and those that will have when the time comes, the sooner the further in front; a
    /// few for each channel (see ``ChannelPresence/nextDue()``).
    var tellingPresences: Deque<Key> = []
    var expectedPresences: Deque<(key: Key, at: Int64)> = []
    /// Messages that were refused because they came too fast for one user, or on one channel.
    public internal(set) var tooFastForUsers: UInt64 = 0
    /// See ``tooFastForUsers``.
    public internal(set) var tooFastForChannels: UInt64 = 0
    /// Users whose last socket has gone, until the holders of their slots are told when.
    var departures: Deque<Key> = []
    /// How many attachments wait, for an epoch or for slots which are not ready.
    var waitingAttaches = 0
    /// For incarnations.
    private var random: SplitMix64

    // What one event leads to inside, until nothing is left to do.
    var laneActions: [PublishLanes.Action] = []
    var answers: Deque<(request: UInt64, PublishResult)> = []
    var ready: Deque<Int> = []
    /// Members for whom a batch is begun.
    var batched: [Int] = []

    /// A machine that knows no ring yet.
    ///
    /// - Parameters:
    ///   - me: this node's id and boot.
    ///   - index: this loop's number; it has the slots with `slot % shardCount == index`.
    ///   - shardCount: how many loops the node has.
    ///   - seed: 64 random bits, from which incarnations are drawn.
    ///   - limits: its bounds.
    public init(me: MemberIdentity, index: Int, shardCount: Int, seed: UInt64, limits: ShardLimits = ShardLimits()) {
        self.me = me
        self.index = index
        self.shardCount = shardCount
        self.limits = limits
        random = SplitMix64(seed: seed)
        movesLeft = min(limits.slots.movesAtFirst, limits.slots.movesMax)
        lanes = PublishLanes(limits: limits.lanes)
        store = MailboxStore(shardCount: shardCount, limits: limits.mailbox)
        let count = (HashRing.slotCount - index + shardCount - 1) / shardCount
        slots = Array(repeating: Slot(), count: count)
        staleSlots = SlotSet(slotCount: count)
        vacant = SlotSet(slotCount: count)
        routes = Array(repeating: .nobody, count: count)
    }

    // MARK: Small things that all parts use

    /// The epoch in force; 0 before the first.
    public var epoch: UInt64 { view?.epoch ?? 0 }

    func slotIndex(_ slot: Int) -> Int { slot / shardCount }
    func slot(at slotIndex: Int) -> Int { slotIndex * shardCount + index }

    func has(_ fault: GuardFault) -> Bool { !limits.faults.isEmpty && limits.faults.contains(fault) }

    func mayAct(_ now: Moment) -> Bool { now.monotonic < leaseUntil || has(.noLease) }

    /// The mirror's number among the peers; `nil` when fewer than two members have weight.
    func mirror(ofSlot slot: Int) -> Int? { view?.ring.mirror(ofSlot: slot).map { peersByMember[$0] } }

    func isOwner(_ slot: Int) -> Bool {
        guard let view, let slotIndex = view.ring.owner(ofSlot: slot) else { return false }
        return slotIndex == view.selfIndex
    }

    mutating func drawIncarnation() -> UInt64 { random.next() }

    /// Follows up what an event has led to inside, until nothing is left. An answer comes before the next step of a lane: what
    /// is refused refuses what follows it on its stream.
    mutating func settle(now: Moment, actions: inout [ShardAction]) {
        var next = 0
        while true {
            if let (request, result) = answers.popFirst() {
                lanes.onAnswer(request: request, result, now: now.monotonic, actions: &laneActions)
            } else if next < laneActions.count {
                next += 1
                perform(laneActions[next - 1], now: now, actions: &actions)
            } else if let slot = ready.popFirst() {
                let routing = routing
                lanes.onReady(slot, now: now.monotonic, route: routing.route, actions: &laneActions)
            } else {
                break
            }
        }
        laneActions.removeAll(keepingCapacity: true)
        sendBatches(actions: &actions)
    }

    private mutating func perform(_ action: PublishLanes.Action, now: Moment, actions: inout [ShardAction]) {
        switch action {
        case .append(let request, let publish): append(publish, request: request, now: now, actions: &actions)
        case .send(let peer, let request, let publish, let hops, let restarts):
            actions.append(.forward(peer: peer, request: request, publish, hops: hops, restarts: restarts))
        case .answer(let address, let result): actions.append(.answer(address, result))
        case .pull(let slot): pull(slot, now: now, actions: &actions)
        }
    }
}

/// The routes as the lanes look at them while they change.
struct ShardRouting {
    let routes: [PublishLanes.Route]
    let shardCount: Int

    func route(_ slot: Int) -> PublishLanes.Route { routes[slot / shardCount] }
}
