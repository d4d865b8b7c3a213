// The decisions about the slots of one shard: who owns them, which members have copies and what they have confirmed, the mailboxes, and
// the lanes of publishes. An event and the time go in, actions come out; a node's event loop performs them, and so does the simulation
// of a cluster. The rules are in docs/architecture/copies.md. The machine's state lies in its parts, each a type with a file
// of its own; the machine's extensions are the rules that need several parts.
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
    /// Read a slot from the node's store, which answers with ``ShardMachine/onLoaded(_:_:asked:now:actions:)``; see ``ShardMachine/slotLoad(_:_:hasher:now:)``.
    case load(slot: Int, SlotHead)
    /// Read a part of a history from the node's store, which answers with ``ShardMachine/onRead(_:_:now:actions:)``. It may be about what was
    /// changed just now: not before that is there.
    case read(number: UInt64, HistoryLoad)
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

/// The machine of one shard.
public struct ShardMachine {
    let layout: ShardSlots
    let limits: ShardLimits
    /// The ring in force, its members, and the links to them.
    var peers: SlotPeers
    var routes: SlotRoutes
    var publishes: PublishQueue
    /// The slots' logs and mailboxes.
    var log: SlotLog
    /// Until when this node may act.
    var lease: LeaseGate
    /// Slots that are to be this node's, and of these the ones of which nobody has a copy.
    var takeovers = Takeovers()
    var vacancy: Vacancy
    /// Slots that are not up to the epoch in force.
    var staleSlots: StaleSlots
    /// Moves of slots: their pace, and the copies that wait for each peer.
    var moves: MovePacer
    var copies: CopyQueues
    /// Copies that are coming in, and frames that wait for an epoch.
    var snapshots = IncomingSnapshots()
    var parked: ParkedFrames
    /// Copies that are read from the store.
    var loads = SlotLoads()
    /// Parts of histories that are read from the store.
    var olderReads = OlderReads()
    var olderCounts = OlderCounts()
    var waitingAttaches: WaitingAttaches
    /// Who listens to channels, and which users have left.
    var presences = ChannelPresences()
    var departures = DepartedUsers()

    /// A machine that knows no ring yet.
    ///
    /// - Parameters:
    ///   - me: this node's id and boot.
    ///   - lineage: whose its copies are; its boot's unless given.
    ///   - index: this shard's number; it has the slots with `slot % shardCount == index`.
    ///   - shardCount: how many shards the node has.
    ///   - limits: its bounds.
    public init(me: MemberIdentity, lineage: UInt64? = nil, index: Int, shardCount: Int, limits: ShardLimits = ShardLimits()) {
        let slots = limits.slots
        layout = ShardSlots(shardIndex: index, shardCount: shardCount)
        self.limits = limits
        peers = SlotPeers(me: me, lineage: lineage ?? me.boot, limits: slots, ignoresBoots: limits.faults.contains(.sameMemberAnyBoot))
        routes = SlotRoutes(layout: layout)
        publishes = PublishQueue(limits: limits.lanes)
        log = SlotLog(
            layout: layout, limits: SlotLogLimits(uncommittedMax: slots.uncommittedMax, uncommittedBytesMax: slots.uncommittedBytesMax),
            mailboxLimits: limits.mailbox)
        lease = LeaseGate(isOff: limits.faults.contains(.noLease))
        vacancy = Vacancy(slotCount: layout.count, rosterRetryMilliseconds: slots.rosterRetryMilliseconds)
        staleSlots = StaleSlots(slotCount: layout.count)
        moves = MovePacer(limits: slots, slotCount: layout.count)
        copies = CopyQueues(underWayMax: slots.copiesUnderWayMax, slotCount: layout.count)
        parked = ParkedFrames(framesMax: slots.parkedFramesMax, bytesMax: slots.parkedBytesMax)
        waitingAttaches = WaitingAttaches(countMax: slots.attachesMax)
    }

    // MARK: For all rules

    /// Who this node is now.
    public var me: MemberIdentity { peers.me }
    /// The newest epoch; `nil` before the first.
    public var view: MembershipView? { peers.view }
    /// The epoch in force; 0 before the first.
    public var epoch: UInt64 { peers.epoch }

    func slotIndex(_ slot: Int) -> Int { layout.slotIndex(slot) }

    func has(_ fault: GuardFault) -> Bool { !limits.faults.isEmpty && limits.faults.contains(fault) }

    /// Does all that an event has led to inside the shard, until nothing is left, and sends what was collected for other members.
    mutating func processPending(now: Moment, actions: inout [ShardAction]) {
        while let step = publishes.next(now: now.monotonic) {
            switch step {
            case .open(let slot): publishes.open(slot, now: now.monotonic, routing: routes.routing)
            case .perform(.append(let request, let publish)): append(publish, request: request, now: now, actions: &actions)
            case .perform(.send(let peer, let request, let publish, let hops, let restarts)):
                actions.append(.forward(peer: peer, request: request, publish, hops: hops, restarts: restarts))
            case .perform(.answer(let address, let result)): actions.append(.answer(address, result))
            case .perform(.pull(let slot)): pull(slot, now: now, actions: &actions)
            }
        }
        peers.sendBatches(actions: &actions)
    }
}
