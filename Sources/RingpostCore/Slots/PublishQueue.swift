// The publishes of one shard: the lanes, and the steps that one event leads to, until none is left.
import DequeModule
import HashRing

/// The lanes of a shard and what is to be done for them.
struct PublishQueue {
    private(set) var lanes: PublishLanes
    /// What the lanes want done in this event, and how much of it was taken already.
    private var actions: [PublishLanes.Action] = []
    private var nextAction = 0
    private var answers: Deque<(request: UInt64, PublishResult)> = []
    /// Slots that have become ready.
    private var ready: Deque<Int> = []
    /// Messages that were refused because they came too fast for one user, or on one channel.
    private(set) var tooFastForUsers: UInt64 = 0
    private(set) var tooFastForChannels: UInt64 = 0

    /// Messages that were refused because their publisher has too many names.
    private(set) var tooManyNamesOfClients: UInt64 = 0
    private(set) var tooManyNamesOfKeys: UInt64 = 0

    init(limits: LaneLimits) { lanes = PublishLanes(limits: limits) }

    // MARK: Events

    mutating func submit(_ publish: Publish, _ context: PublishContext, now: Int64, routing: ShardRouting) {
        lanes.submit(publish, context, now: now, route: routing.route, actions: &actions)
    }

    /// A publish that was sent or appended is answered.
    mutating func answer(_ request: UInt64, _ result: PublishResult) { answers.append((request, result)) }

    /// A message would take one more name than its publisher may have.
    mutating func refuseName(_ request: UInt64, of principal: Principal) {
        if principal.isClient { tooManyNamesOfClients += 1 } else { tooManyNamesOfKeys += 1 }
        answers.append((request, .failure(.tooManyNames)))
    }

    /// A message came too fast.
    mutating func refuseTooFast(_ request: UInt64, kind: KeyKind) {
        if kind == .user { tooFastForUsers += 1 } else { tooFastForChannels += 1 }
        answers.append((request, .failure(.tooFast)))
    }

    /// This node has become the owner of a slot.
    mutating func slotIsReady(_ slot: Int) { ready.append(slot) }

    mutating func streamEnded(_ stream: UInt64) { lanes.onStreamEnd(stream) }

    mutating func onTick(now: Int64, routing: ShardRouting) { lanes.onTick(now: now, route: routing.route, actions: &actions) }

    mutating func onEpoch(_ epoch: UInt64, now: Int64, routing: ShardRouting) {
        lanes.onEpoch(epoch, now: now, route: routing.route, actions: &actions)
    }

    mutating func peerIsDown(_ link: UInt32, now: Int64) { lanes.onPeerDown(link, now: now, actions: &actions) }

    /// Until when this node may act as an owner.
    mutating func setLease(until: Int64) { lanes.mayActUntil = until }

    // MARK: Steps

    /// What the machine has to do next.
    enum Step {
        case perform(PublishLanes.Action)
        /// The slot has become ready: ``open(_:now:routing:)`` its lane.
        case open(Int)
    }

    /// The next step; `nil` when nothing is left. An answer comes before the next action of a lane: when a publish is refused, the lane
    /// refuses the later ones of its stream, so these must not be appended first.
    mutating func next(now: Int64) -> Step? {
        while true {
            if let (request, result) = answers.popFirst() {
                lanes.onAnswer(request: request, result, now: now, actions: &actions)
            } else if nextAction < actions.count {
                nextAction += 1
                return .perform(actions[nextAction - 1])
            } else if let slot = ready.popFirst() {
                return .open(slot)
            } else {
                actions.removeAll(keepingCapacity: true)
                nextAction = 0
                return nil
            }
        }
    }

    /// Publishes that waited for a slot go on.
    mutating func open(_ slot: Int, now: Int64, routing: ShardRouting) {
        lanes.onReady(slot, now: now, route: routing.route, actions: &actions)
    }
}
