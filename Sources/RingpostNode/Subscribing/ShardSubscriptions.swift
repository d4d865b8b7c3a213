// The subscriptions of one shard's clients: asked for at the shard of their key's slot, found again by their attachment's number when the
// owner answers, delivers, or ends them. With it goes what subscriptions need: channels, the way in for clients, and users who poll.
import RingpostCore

/// Used on its shard's event loop only.
final class ShardSubscriptions {
    let runtime: ShardRuntime
    let shell: MachineShell
    let context: NodeContext
    let admission: AdmissionController
    /// Client sockets and waiting polls of this shard.
    let socketsMax: Int
    var pollers = PollerTable()

    /// By the number of their current attachment.
    private var table: RequestTable<Subscription>
    /// Subscriptions that wait for something: they are looked at in every tick.
    private var pending: Set<UInt64> = []
    private var sharedFrames = SharedFrameCache()
    private var ticks = 0
    /// Pollers who have not come back are forgotten once in so many ticks.
    private static let ticksPerPollerRound = 200
    /// Subscriptions that are looked at in one go when an epoch has come.
    private static let reattachedMax = 256

    /// Made when it is first used, because it needs this.
    private(set) lazy var channels = ChannelTable(self, limits: context.configuration.limits)

    init(runtime: ShardRuntime, shell: MachineShell, context: NodeContext) {
        self.runtime = runtime
        self.shell = shell
        self.context = context
        let limits = context.configuration.limits
        admission = AdmissionController(limits: limits, shardCount: runtime.shardCount)
        socketsMax = (limits.socketsMax + runtime.shardCount - 1) / runtime.shardCount
        table = RequestTable(countMax: socketsMax + limits.channelsMax)
    }

    var count: Int { table.count }
    /// The numbers of all subscriptions.
    var numbers: [UInt64] { table.numbers }
    subscript(number: UInt64) -> Subscription? { table[number] }

    // MARK: For subscriptions

    /// The number of a new attachment; `nil` when there are too many.
    func insert(_ subscription: Subscription) -> UInt64? { table.insert(subscription) }

    func remove(_ number: UInt64) {
        _ = table.take(number)
        pending.remove(number)
    }

    func setPending(_ number: UInt64, _ isPending: Bool) {
        if isPending { pending.insert(number) } else { pending.remove(number) }
    }

    func address(_ number: UInt64) -> ReturnAddress {
        ReturnAddress(connectionID: ConnectionAddress(shard: runtime.index).connectionID, id: number)
    }

    /// Asks the owner; the answer finds the subscription by its number.
    func ask(_ key: Key, number: UInt64, start: AttachStart, stay: AttachRequest.Stay, askedAt: Int64) {
        let request = AttachRequest(key: key, address: address(number), start: start, stay: stay, askedAt: askedAt)
        runtime.post(.attach(request, epoch: shell.view?.epoch ?? 0), to: runtime.shardIndex(key.slot))
    }

    func detach(_ key: Key, number: UInt64) { runtime.post(.detach(address(number), key), to: runtime.shardIndex(key.slot)) }

    // MARK: The owner's side

    func onDeliver(_ number: UInt64, incarnation: UInt64, _ message: StoredMessage) {
        guard let subscription = table[number] else {
            runtime.counters.staleDeliveries += 1
            return
        }
        subscription.onDeliver(incarnation: incarnation, message, shared: sharedFrames.frames(of: message, incarnation: incarnation))
    }

    // MARK: Time and epochs

    func onTick(now: Int64) {
        for number in pending { table[number]?.onTick(now: now) }
        channels.onTick()
        sharedFrames.removeAll()
        ticks += 1
        if ticks % Self.ticksPerPollerRound == 0 { pollers.expire(now: now) }
    }

    /// An owner that was out of reach may be in reach now.
    func onLinkUp() {
        let now = Moment.now().monotonic
        for number in pending { table[number]?.onEpoch(now: now) }
    }

    /// Subscriptions whose owner has changed ask the new one.
    func reattach(from old: MembershipView?, to new: MembershipView) {
        reattach(table.numbers[...], OwnerChanges(from: old, to: new))
    }

    /// Some at a time: the others go on with the attachments that they have.
    private func reattach(_ numbers: ArraySlice<UInt64>, _ changes: OwnerChanges) {
        let now = Moment.now().monotonic
        for number in numbers.prefix(Self.reattachedMax) {
            guard let subscription = table[number] else { continue }
            let hasChanged = changes.hasChanged(ofSlot: subscription.key.slot)
            if hasChanged { subscription.ownerHasChanged(now: now) } else { subscription.onEpoch(now: now) }
        }
        let remaining = numbers.dropFirst(Self.reattachedMax)
        if !remaining.isEmpty { runtime.inNextTurn { self.reattach(remaining, changes) } }
    }
}
