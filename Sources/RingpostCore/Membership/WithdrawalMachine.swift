// What becomes of a link that stays cut while both its ends reach ZooKeeper: the slots that the two share wait, and nothing in
// ZooKeeper ends that. So the member with most cut links withdraws, if the cluster can do without it, and stays outside until
// it can link with everybody again. Every member decides about itself only, from what it sees and what the others' heartbeats
// say; a lock makes it one at a time, and whoever gets it looks again, with a list as new as the lock.

/// Whether this node withdraws from the ring. See docs/architecture/membership.md, "Links that stay cut".
public struct WithdrawalMachine: Sendable {
    /// A heartbeat names so many unreachable members at most. A member cut off from more has the most cut links anyway.
    public static let unreachableMax = 64
    /// How often it should be told of its surroundings.
    public static let tickMilliseconds: Int64 = 250
    /// An alarm comes when a link has been cut for twice S: a member that was killed is out of the list by then.
    static let alarmSessions: Int64 = 2
    /// A member withdraws when links have been cut for three times S.
    static let withdrawalSessions: Int64 = 3
    /// It comes back when it has reached everybody for S; twice as long for each withdrawal soon after the last return, at most this.
    static let returnMillisecondsMax: Int64 = 600_000
    /// A member that must not withdraw looks again after so many times S.
    static let lookAgainSessions: Int64 = 10
    /// A return is followed "soon" by a withdrawal within so many times S.
    static let soonSessions: Int64 = 60

    /// What this node sees at one moment.
    public struct Surroundings: Sendable {
        /// The members at the newest epoch, in the members' order.
        public var members: [Member]
        /// The newest epoch.
        public var epoch: UInt64
        /// Who this node is; a member or not.
        public var own: MemberIdentity
        /// Members with which not every event loop is linked.
        public var unreachable: Set<MemberIdentity>
        /// ZooKeeper answers. While it doesn't, lists are old and nobody can withdraw.
        public var reachesZooKeeper: Bool
        /// The node drains already, by an order or a signal.
        public var isDraining: Bool
        /// Slots of which it holds a copy; only looked at while it drains for its withdrawal.
        public var copies: Int
        /// Slots of which no other member is known to hold a copy; `nil` where they were not counted.
        public var lastCopies: Int?

        /// All of it.
        public init(
            members: [Member], epoch: UInt64, own: MemberIdentity, unreachable: Set<MemberIdentity>, reachesZooKeeper: Bool,
            isDraining: Bool, copies: Int, lastCopies: Int? = nil
        ) {
            self.members = members
            self.epoch = epoch
            self.own = own
            self.unreachable = unreachable
            self.reachesZooKeeper = reachesZooKeeper
            self.isDraining = isDraining
            self.copies = copies
            self.lastCopies = lastCopies
        }
    }

    /// What has come of asking for the lock.
    public enum LockAnswer: Hashable, Sendable {
        /// It is this session's; the member list had this epoch after that.
        case taken(epoch: UInt64)
        /// Another member withdraws.
        case held
        /// ZooKeeper did not say.
        case failed
    }

    /// Something the shell must do.
    public enum Action: Hashable, Sendable {
        /// Create the ephemeral lock in the session of the member; report ``WithdrawalMachine/onLock(_:now:)``.
        case takeLock
        /// Delete the lock, if it is this session's.
        case releaseLock
        /// Give up the weight.
        case drain
        /// Take the weight again.
        case endDrain
        /// Give up the session, with the lock, and stay outside.
        case withdraw
        /// Ask the link addresses of these members who is there; report ``WithdrawalMachine/onProbes(_:silent:now:)`` with the number.
        case probe(number: Int, [Member])
        /// Be a member again.
        case comeBack
        /// Ask all sockets to go elsewhere, spread over the time.
        case moveSockets(milliseconds: Int64)
        /// New clients are welcome again.
        case keepSockets
        /// A sentence for the log.
        case say(String)
        /// A sentence that somebody should be woken for.
        case alarm(String)
    }

    /// Two members, the lesser id first.
    private struct Pair: Hashable {
        let one: MemberIdentity
        let other: MemberIdentity

        init(_ one: MemberIdentity, _ other: MemberIdentity) {
            (self.one, self.other) = (one.id, one.boot) < (other.id, other.boot) ? (one, other) : (other, one)
        }

        func other(than member: MemberIdentity) -> MemberIdentity? {
            member == one ? other : member == other ? one : nil
        }
    }

    private struct Report {
        let unreachable: [String]
        let at: Int64
    }

    private enum State {
        /// Looks on. Can transition to locking.
        case watching(retryAt: Int64)
        /// The lock is asked for. Can transition to confirming, watching.
        case locking(own: MemberIdentity)
        /// Has the lock, and waits for a list as new. Can transition to draining, watching.
        case confirming(own: MemberIdentity, epoch: UInt64, until: Int64)
        /// Gives away what it can, to these members. Can transition to outside, watching.
        case draining(own: MemberIdentity, until: Int64, to: Set<MemberIdentity>)
        /// No member. Can transition to watching.
        case outside(probeAt: Int64, probe: (number: Int, askedAt: Int64)?, reachedSince: Int64?)
    }

    private let sessionTimeout: Int64
    private let heartbeatTimeout: Int64
    private var state = State.watching(retryAt: .min)
    private var reports: [MemberIdentity: Report] = [:]
    /// Cut links, and since when.
    private var cuts: [Pair: Int64] = [:]
    private var alarmed: Set<Pair> = []
    /// Why it stays in the ring though it should withdraw; until it may, or the links are back.
    public private(set) var objection: String?
    private var lastProbe = 0
    private var lastReturn: Int64?
    /// Withdrawals that each came soon after the return from the one before.
    private var withdrawalsInARow = 0

    /// - Parameter document: S and H.
    public init(document: ClusterDocument) {
        sessionTimeout = Int64(document.sessionTimeoutMilliseconds)
        heartbeatTimeout = Int64(document.heartbeatTimeoutMilliseconds)
    }

    /// About to withdraw: the copies count.
    public var countsCopies: Bool {
        switch state {
        case .confirming, .draining: true
        case .watching, .locking, .outside: false
        }
    }

    /// Stays outside the ring.
    public var isOutside: Bool { if case .outside = state { true } else { false } }

    /// A heartbeat's list.
    public mutating func onReport(from member: MemberIdentity, unreachable: [String], now: Int64) {
        reports[member] = unreachable.isEmpty ? nil : Report(unreachable: unreachable, at: now)
    }

    /// What this node sees; to be told every ``tickMilliseconds``.
    public mutating func onTick(_ now: Int64, _ view: Surroundings) -> [Action] {
        findCuts(view, now: now)
        let alarms = findAlarms(view, now: now)
        return alarms + step(view, now: now)
    }

    // MARK: - Who is cut off from whom

    private mutating func findCuts(_ view: Surroundings, now: Int64) {
        let members = Dictionary(view.members.map { ($0.id, $0.identity) }, uniquingKeysWith: { $1 })
        // What nobody repeats is over; so is what those say who have left.
        reports = reports.filter { members[$0.key.id] == $0.key && now < $0.value.at + heartbeatTimeout }
        var found: Set<Pair> = []
        if members[view.own.id] == view.own {
            for member in view.unreachable where members[member.id] == member { found.insert(Pair(view.own, member)) }
        }
        for (member, report) in reports {
            for case .some(let other) in report.unreachable.map({ members[$0] }) where other != member { found.insert(Pair(member, other)) }
        }
        cuts = cuts.filter { found.contains($0.key) }
        for pair in found where cuts[pair] == nil { cuts[pair] = now }
        alarmed = alarmed.filter { cuts[$0] != nil }
    }

    /// By member, links that have been cut for long.
    private func longCuts(now: Int64) -> [MemberIdentity: Int] {
        var counts: [MemberIdentity: Int] = [:]
        for (pair, since) in cuts where now >= since + Self.withdrawalSessions * sessionTimeout {
            counts[pair.one, default: 0] += 1
            counts[pair.other, default: 0] += 1
        }
        return counts
    }

    /// Two members with weight are left without it.
    private func isDispensable(_ member: Member, _ view: Surroundings) -> Bool {
        view.members.count { $0.weight > 0 && $0.identity != member.identity } >= 2
    }

    /// The one with most cut links among those that can be done without; the later one of two with as many.
    private func shouldWithdraw(_ view: Surroundings, now: Int64) -> Bool {
        let counts = longCuts(now: now)
        guard counts[view.own] != nil else { return false }
        var most: (member: MemberIdentity, count: Int)?
        for member in view.members where isDispensable(member, view) {
            guard let count = counts[member.identity] else { continue }
            if count >= most?.count ?? 0 { most = (member.identity, count) }
        }
        return most?.member == view.own
    }

    private mutating func findAlarms(_ view: Surroundings, now: Int64) -> [Action] {
        guard view.reachesZooKeeper, !isOutside else { return [] }
        let due = cuts.filter { pair, since in
            now >= since + Self.alarmSessions * sessionTimeout && !alarmed.contains(pair) && pair.other(than: view.own) != nil
        }
        alarmed.formUnion(due.keys)
        let peers = due.keys.compactMap { $0.other(than: view.own) }.sorted { $0.id < $1.id }
        return peers.map { peer in
            let canEnd = view.members.contains { [view.own, peer].contains($0.identity) && isDispensable($0, view) }
            let outlook =
                canEnd
                ? "one member will withdraw if it stays cut for \(seconds(Self.withdrawalSessions))"
                : "no member can withdraw, because fewer than two with weight would remain"
            return .alarm(
                "the link with \(peer) has been cut for \(seconds(Self.alarmSessions)) though both are members; slots that the two share "
                    + "wait; \(outlook)")
        }
    }

    private func seconds(_ sessions: Int64) -> String { "\(Double(sessions * sessionTimeout) / 1_000) s" }

    // MARK: - Withdrawing and coming back

    private mutating func step(_ view: Surroundings, now: Int64) -> [Action] {
        switch state {
        case .watching(let retryAt):
            if longCuts(now: now)[view.own] == nil { objection = nil }
            guard now >= retryAt, view.reachesZooKeeper, !view.isDraining, shouldWithdraw(view, now: now) else { return [] }
            state = .locking(own: view.own)
            return [.takeLock]
        case .locking(let own):
            // The session of that lock is over.
            if own != view.own { state = .watching(retryAt: now + sessionTimeout) }
            return []
        case .confirming(let own, let epoch, let until):
            if own != view.own || view.isDraining || now >= until { return abandon(now: now) }
            guard view.epoch >= epoch else { return [] }
            guard shouldWithdraw(view, now: now) else { return abandon(now: now) }
            guard let lastCopies = view.lastCopies else { return [] }
            if lastCopies > 0 { return object("no other member has a copy of \(lastCopies) slots that it holds", now: now) }
            objection = nil
            state = .draining(own: own, until: now + sessionTimeout, to: Set(view.members.map(\.identity)))
            let peers = cuts.keys.compactMap { $0.other(than: own)?.id }.sorted().joined(separator: ", ")
            return [.alarm("withdrawing from the ring: no link with \(peers) for \(seconds(Self.withdrawalSessions))"), .drain]
        case .draining(let own, let until, let members):
            // An order to drain goes further than this one; what it has given up stays so.
            if view.isDraining { return abandon(now: now) }
            if own != view.own || !shouldWithdraw(view, now: now) { return abandon(now: now) + [.endDrain] }
            let isLight = view.members.contains { $0.identity == own && $0.weight == 0 }
            guard now >= until || isLight && view.copies == 0 else { return [] }
            // What another had may be left here alone.
            if view.copies > 0, !members.isSubset(of: Set(view.members.map(\.identity))) {
                return object("another member has left meanwhile, and \(view.copies) copies are held here", now: now) + [.endDrain]
            }
            return withdraw(now: now)
        case .outside: return lookAround(view, now: now)
        }
    }

    private mutating func abandon(now: Int64) -> [Action] {
        state = .watching(retryAt: now + sessionTimeout)
        return [.releaseLock, .say("staying in the ring after all")]
    }

    /// Stays, because something would be lost with it. There is one alarm for all attempts.
    private mutating func object(_ reason: String, now: Int64) -> [Action] {
        state = .watching(retryAt: now + Self.lookAgainSessions * sessionTimeout)
        let isFirst = objection == nil
        let sentence = "staying in the ring though links are cut, because \(reason); slots that it shares with those it can't reach wait"
        objection = sentence
        return [.releaseLock, isFirst ? .alarm(sentence) : .say(sentence)]
    }

    /// The answer to ``Action/takeLock``.
    public mutating func onLock(_ answer: LockAnswer, now: Int64) -> [Action] {
        // A lock whose answer was lost may be there all the same.
        guard case .locking(let own) = state else { return answer == .held ? [] : [.releaseLock] }
        if case .taken(let epoch) = answer {
            state = .confirming(own: own, epoch: epoch, until: now + sessionTimeout)
            return []
        }
        state = .watching(retryAt: now + sessionTimeout)
        return answer == .failed ? [.releaseLock] : []
    }

    private mutating func withdraw(now: Int64) -> [Action] {
        let isSoon = lastReturn.map { now < $0 + Self.soonSessions * sessionTimeout } ?? false
        withdrawalsInARow = isSoon ? withdrawalsInARow + 1 : 0
        state = .outside(probeAt: now + sessionTimeout, probe: nil, reachedSince: nil)
        return [.moveSockets(milliseconds: sessionTimeout), .withdraw]
    }

    private var returnMilliseconds: Int64 {
        min(sessionTimeout << Int64(min(withdrawalsInARow, 16)), max(sessionTimeout, Self.returnMillisecondsMax))
    }

    private mutating func lookAround(_ view: Surroundings, now: Int64) -> [Action] {
        guard case .outside(let probeAt, .none, let reachedSince) = state, now >= probeAt, !view.isDraining else { return [] }
        lastProbe += 1
        state = .outside(probeAt: probeAt, probe: (lastProbe, now), reachedSince: reachedSince)
        return [.probe(number: lastProbe, view.members.filter { $0.id != view.own.id })]
    }

    /// Who did not answer with the boot in the list.
    public mutating func onProbes(_ number: Int, silent: [String], now: Int64) -> [Action] {
        guard case .outside(_, .some(let probe), let reachedSince) = state, probe.number == number else { return [] }
        guard silent.isEmpty else {
            state = .outside(probeAt: now + sessionTimeout / 2, probe: nil, reachedSince: nil)
            return []
        }
        let since = reachedSince ?? probe.askedAt
        guard now - since >= returnMilliseconds else {
            state = .outside(probeAt: now + sessionTimeout / 2, probe: nil, reachedSince: since)
            return []
        }
        state = .watching(retryAt: now)
        lastReturn = now
        return [.say("everybody can be reached again; coming back into the ring"), .comeBack, .keepSockets]
    }
}
