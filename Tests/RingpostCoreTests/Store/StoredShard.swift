// A loop of a node that is the only member and has a store without a disk: what is asked of the store is answered at once, or when a test says so.
import HashRing
import Testing

@testable import RingpostCore

final class StoredShard {
    static let hasher = KeyHasher(seed: SipKey(ascii: "older histories."))
    private static let shardCount = 64
    private static let me = MemberIdentity(id: "a", boot: 1)

    private let limits: ShardLimits
    private(set) var machine: ShardMachine
    private(set) var store = StoredSlots()
    private var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
    private var epoch: UInt64 = 3
    private(set) var now: Int64 = 1_000
    /// What the store was asked for and has not answered.
    private(set) var asked: [(number: UInt64, load: HistoryLoad)] = []
    /// The store answers at once.
    var answers = true
    /// A record of the store that can't be read.
    var damaged: Int?
    private(set) var attached: [UInt64: [Result<AttachReply, Problem>]] = [:]
    private(set) var reads = 0
    private var published: UInt64 = 0

    init(configure: (inout MailboxLimits) -> Void) {
        var limits = ShardLimits()
        configure(&limits.mailbox)
        limits.slots.looksMax = .max
        self.limits = limits
        machine = Self.machine(limits)
        start([:])
    }

    private static func machine(_ limits: ShardLimits) -> ShardMachine {
        ShardMachine(me: me, lineage: 9, index: 0, shardCount: shardCount, limits: limits)
    }

    /// Another process takes the store, as it is.
    func restart() {
        let heads = (store.tables[.heads] ?? [:]).keys.reduce(into: [Int: SlotHead]()) { heads, key in
            guard let slot = key.withUnsafeBytes({ StoreKey.slot(ofHead: $0) }) else { return }
            heads[slot] = store.head(ofSlot: slot)
        }
        machine = Self.machine(limits)
        encoder = SlotEncoder(clock: StoreClock(goingOnFrom: store.clock ?? 0, at: now), present: heads.keys)
        epoch += 1
        asked = []
        start(heads)
    }

    private func start(_ heads: [Int: SlotHead]) {
        machine.restore(heads, lineage: 9)
        let (moment, epoch) = (moment, epoch)
        perform { $0.setLease(until: .max, now: moment, actions: &$1) }
        var me = Rings.member(Self.me, weight: 1)
        me.lineage = 9
        let view = MembershipView(
            epoch: epoch, members: [me], document: InMemoryCluster.document, own: Self.me, buildRing: Rings.ring)
        perform { $0.apply(view, now: moment, actions: &$1) }
        perform { $0.onRoster(waitMilliseconds: 0, askedAt: epoch, now: moment, actions: &$1) }
    }

    private var moment: Moment { Moment(monotonic: now, wall: 1_700_000_000_000 + now) }

    /// A name of one of its slots.
    static func key(_ name: String) throws -> Key {
        for number in 0... {
            let key = try Key(.user, name: Array("\(name)-\(number)".utf8), hasher: hasher)
            if key.slot % shardCount == 0 { return key }
        }
        preconditionFailure("there is one among the first few hundred")
    }

    /// Calls the machine, and does what it wants done.
    func perform(_ body: (inout ShardMachine, inout [ShardAction]) -> Void) {
        var actions: [ShardAction] = []
        body(&machine, &actions)
        // In the order in which a gate lets them out: what is asked of the store comes behind what it is to have.
        flush()
        for action in actions {
            switch action {
            case .load(let slot, let head): load(slot, head)
            case .read(let number, let load):
                reads += 1
                asked.append((number, load))
                if answers { answer() }
            case .attached(let address, let result): attached[address.id, default: []].append(result)
            default: break
            }
        }
    }

    private func load(_ slot: Int, _ head: SlotHead) {
        let request = machine.slotLoad(slot, head, hasher: Self.hasher, now: now)
        var (clock, source) = (encoder.clock, store.source)
        clock.advance(to: now)
        var loader = SlotLoader(slot: slot, hasher: Self.hasher, clock: clock, limits: request.limits)
        let result: Result<StoredSlot, StoreDamage>
        do throws(StoreDamage) {
            try loader.read(from: &source)
            result = .success(loader.slot(of: head, bytesMax: 4_096))
        } catch { result = .failure(error) }
        let (now, moment) = (now, moment)
        perform { $0.onLoaded(slot, result, asked: now, now: moment, actions: &$1) }
    }

    /// The store answers all that it was asked for.
    func answer() {
        while !asked.isEmpty {
            let (number, load) = asked.removeFirst()
            var (clock, source) = (encoder.clock, store.source(damaged: damaged))
            clock.advance(to: load.now)
            let (part, moment) = (load.read(from: &source, clock: clock), moment)
            perform { $0.onRead(number, .success(part), now: moment, actions: &$1) }
        }
    }

    /// What has changed goes to the store.
    func flush() {
        guard let tick = machine.takeTick(now: now) else { return }
        encoder.encode(tick, into: &store)
        encoder.finish(into: &store)
    }

    func wait(_ milliseconds: Int64) {
        now += milliseconds
        let moment = moment
        perform { $0.onTick(now: moment, actions: &$1) }
    }

    func publish(_ count: Int, to key: Key, bytes: Int = 1, timeToLiveSeconds: UInt32? = nil) {
        for _ in 0..<count {
            published += 1
            now += 1
            let publish = Publish(
                key: key, id: MessageID(high: 1, low: published), isRepeatable: false, data: Array(repeating: 0x31, count: bytes),
                timeToLiveSeconds: timeToLiveSeconds, deadline: .max)
            let (context, moment) = (PublishContext(address: ReturnAddress(connectionID: 9, id: published)), moment)
            perform { $0.submit(publish, context, now: moment, actions: &$1) }
        }
    }

    func ask(_ id: UInt64, _ key: Key, _ start: AttachStart, _ stay: AttachRequest.Stay = .always, countMax: UInt16 = .max) {
        let request = AttachRequest(
            key: key, address: ReturnAddress(connectionID: 1, id: id), start: start, stay: stay, countMax: countMax)
        let (epoch, moment) = (epoch, moment)
        perform { $0.attach(request, epoch: epoch, fromLink: false, now: moment, actions: &$1) }
    }

    /// The last answer to a request.
    func answer(_ id: UInt64) -> AttachReply? { attached[id]?.last.flatMap { try? $0.get() } }
    func problem(_ id: UInt64) -> Problem? { if case .failure(let problem)? = attached[id]?.last { problem } else { nil } }

    /// What a socket is shown until it is attached: sequence numbers, and the places of gaps.
    struct Shown: Equatable {
        var seen: [UInt64] = []
        var gaps: [UInt64] = []

        init(_ seen: [UInt64] = [], gaps: [UInt64] = []) { (self.seen, self.gaps) = (seen, gaps) }
        init(_ seen: ClosedRange<UInt64>, gaps: [UInt64] = []) { self.init(Array(seen), gaps: gaps) }
    }

    func follow(_ key: Key, _ start: AttachStart) -> Shown {
        var (start, shown) = (start, Shown())
        for _ in 0..<1_000 {
            ask(1, key, start)
            guard let reply = answer(1) else { break }
            if reply.gap { shown.gaps.append(reply.from) }
            shown.seen += reply.messages.map(\.sequence)
            if reply.isLive { return shown }
            start = .after(Cursor(incarnation: reply.incarnation, sequence: reply.through))
        }
        Issue.record("it is not attached")
        return shown
    }

    /// A page, as an edge reads it.
    func page(_ query: HistoryQuery) -> HistoryPage? {
        var pager = HistoryPager(query, now: now)
        var action = pager.ask(now: now)
        for _ in 0..<1_000 {
            switch action {
            case .finish(let page): return page
            case .nothing, .refuse: return nil
            case .ask(let start, let countMax):
                ask(2, query.key, start, .page, countMax: countMax)
                guard let reply = answer(2) else { return nil }
                action = pager.onReply(reply, now: now)
            }
        }
        return nil
    }

    /// How many messages memory has of a history, and how many are kept.
    func kept(_ key: Key) -> [Int] {
        let mailboxes = machine.log.mailboxes
        guard let mailboxIndex = mailboxes.mailboxIndex(of: key) else { return [] }
        return [mailboxes.mailboxes.all[mailboxIndex].history.count, mailboxes.summary(of: key)?.historyMessages ?? 0]
    }

    func cursor(_ key: Key, _ sequence: UInt64) -> Cursor {
        Cursor(incarnation: machine.log.mailboxes.summary(of: key)?.cursor.incarnation ?? 0, sequence: sequence)
    }
}
