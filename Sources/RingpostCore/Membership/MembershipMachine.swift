// How a node becomes, stays and ceases to be a member, as decisions only: events and the time go in, actions come out. It is
// level-triggered: a pass reads what ZooKeeper holds, then does the one next thing that brings it closer to what is wanted.
// A lost answer, a lost watch or a new session therefore need no paths of their own: the next pass finds out.
//
// Reading is in MembershipMachine+Reading.swift, what follows from it in MembershipMachine+Joining.swift, and what is done when ZooKeeper has
// lost data in MembershipMachine+Losses.swift.

import HashRing

/// The membership of one node. See docs/architecture/membership.md, "Epochs" and "Joining".
public struct MembershipMachine: Sendable {
    /// A joiner waits so long for its links before it takes its weight all the same.
    public static let linkLimitMilliseconds = 5_000
    /// A goodbye that ZooKeeper doesn't answer for so long is given up; the session's time-out does the rest.
    public static let goodbyeLimitMilliseconds: Int64 = 2_000
    /// A pass that failed is repeated after 10, 20, 40 … ms, at most this.
    static let retryDelayMillisecondsMax: Int64 = 1_000
    /// After an alarm the next session opens after 1, 2, 4 … s, at most this.
    static let pauseMillisecondsMax: Int64 = 60_000
    /// While ZooKeeper is away the log says so this often.
    static let reminderMilliseconds: Int64 = 10_000
    /// So many passes in a row may fail before an alarm.
    static let attemptsBeforeAlarm = 8
    /// So many children that are no members are named in one alarm.
    static let garbageNamedMax = 8
    /// So many own earlier boots are remembered, newest last.
    static let formerBootsMax = 64

    /// Where the machine is.
    enum Phase: Sendable {
        /// Before `start`. Can transition to opening and over.
        case idle
        /// The shell opens a session. Can transition to inSession, pausing and over.
        case opening(session: Int, timeoutMilliseconds: Int)
        /// There is a session, connected or not. Can transition to opening, pausing and over.
        case inSession(Session)
        /// Frozen after an alarm. Can transition to opening and over.
        case pausing(until: Int64)
        /// Left or failed. The end.
        case over
    }

    /// What is known of the present session.
    struct Session: Sendable {
        let number: Int
        /// What was asked for.
        let timeoutMilliseconds: Int
        /// What was granted; 0 before the first connection.
        var negotiatedTimeoutMilliseconds = 0
        /// The parents and the ring document exist.
        var isPrepared = false
        /// A list was accepted in this session, so another one may be skipped while the epoch is the same.
        var hasListed = false
        var standing = Standing.outside
        var links = Links.none
        /// The list changed while something else was under way.
        var isStale = false
        /// Passes that failed in a row.
        var attempts = 0
        var step: Step
    }

    /// How far this session has got.
    enum Standing: Sendable {
        /// The znode was not created by this session. Can transition to created and member.
        case outside
        /// ZooKeeper has confirmed its creation. Can transition to member.
        case created
        /// It was seen in a list.
        case member
    }

    /// The links that a joiner makes before it takes its weight.
    enum Links: Sendable { case none, asked, up }

    /// What is under way in a session. Every step can transition to connecting, and all but leaving to each other.
    enum Step: Sendable {
        /// No connection.
        case connecting(since: Int64, reminder: Int64, asks: Asking)
        /// One request is under way.
        case asking(ticket: UInt64, MembershipRequest)
        /// The holder of the own id is asked who it is.
        case probing(ticket: UInt64, holder: Member)
        /// Nothing to do until the list changes, or until the next look without being told.
        case resting(until: Int64)
        /// A pass failed.
        case retrying(at: Int64)
        /// The goodbye is under way. The last step.
        case leaving(ticket: UInt64, until: Int64)
    }

    /// Whether ZooKeeper is asked over a session beside the one that can't connect.
    enum Asking: Sendable {
        /// A session that was never connected has nothing that ZooKeeper could have lost.
        case never
        case due(at: Int64)
        case underWay

        var dueAt: Int64? { if case .due(let at) = self { at } else { nil } }
    }

    let paths: ClusterPaths
    let buildRing: RingBuilder
    /// This node as it wants to be: the present session's boot and the wanted weight.
    public internal(set) var me: Member
    /// The document to create if there is none.
    var proposal: ClusterDocument
    /// How many copies this node was told to found a cluster with; `nil` if it was told nothing.
    let copiesWanted: Int?
    /// The cluster's document, once read. Never exchanged for another one.
    public internal(set) var document: ClusterDocument?
    /// The newest view; `nil` before the first list.
    public internal(set) var view: MembershipView?
    var phase = Phase.idle
    var isDraining = false
    /// Stays outside, because its links are cut.
    var isWithdrawn = false
    var wasEverMember = false
    var formerBoots: [UInt64] = []
    /// It has asked to be registered: its lineage stands in the roster, or did.
    var hasRegistered: Bool
    /// The boots under which processes before this one may have registered the lineage, as its store has them.
    let storedBoots: Set<UInt64>
    /// The highest epoch that the store had seen when this process began.
    var storedEpoch: UInt64
    /// This process; what it follows is known once the roster has been read.
    var life: Life
    /// When `start` came.
    var startedAt: Int64?
    /// It takes no weight.
    var pause: Pause?
    /// Set when the roster named an earlier life of this node that is not this process: until then it may still believe in its lease.
    var predecessorUntil: Int64?
    /// The holder that is waited for, so that the log says it once.
    var holderWaitedFor: UInt64?
    /// Children of /members that are no members, by name, and what is wrong with each: they are left out until somebody deletes them.
    public internal(set) var garbage: [String: String] = [:]
    /// The last thing that was wrong with a list, so that the alarm comes once.
    var lastFault: String?
    /// Alarms in a row without having become a member between.
    var pauses = 0
    /// When this node founds a ring, if there is still none.
    var foundsAt: Int64?
    /// The last thing that ZooKeeper has lost, as long as this process runs.
    public internal(set) var loss: String?
    /// ZooKeeper holds another ring of this name, so others may act; this node must not vouch that ZooKeeper is away.
    public internal(set) var hasMetOtherRing = false
    var lastTicket: UInt64 = 0
    var lastSession = 0
    /// Peers that computed another digest from the present epoch.
    var doubts: [MemberIdentity: UInt64] = [:]

    /// A machine before `start`.
    ///
    /// - Parameters:
    ///   - cluster: the cluster's name.
    ///   - me: what to announce; its boot is replaced with every session.
    ///   - proposal: the document to create if this node comes first. The first session asks for its time-out.
    ///   - copiesWanted: how many copies the node was told to found a cluster with; `nil` if it was told nothing.
    ///   - began: when this process began, in milliseconds since 1970; 0 where that is not known.
    ///   - storedBoots: those that the node's store has seen with this lineage; `nil` where the lineage is new.
    ///   - storedEpoch: the highest epoch that the store has seen.
    ///   - buildRing: makes the rings of its views.
    public init(
        cluster: String, me: Member, proposal: ClusterDocument, copiesWanted: Int? = nil, began: Int64 = 0,
        storedBoots: Set<UInt64>? = nil, storedEpoch: UInt64 = 0,
        buildRing: @escaping RingBuilder = { HashRing(members: $0) }
    ) {
        life = Life(since: began)
        hasRegistered = storedBoots != nil
        self.storedBoots = storedBoots ?? []
        self.storedEpoch = storedEpoch
        paths = ClusterPaths(cluster: cluster)
        self.buildRing = buildRing
        self.me = me
        self.proposal = proposal
        self.copiesWanted = copiesWanted
    }

    /// Whether this is the node, now or in an earlier session of this process.
    public func wasEver(_ member: MemberIdentity) -> Bool {
        member.id == me.id && (member.boot == me.boot || formerBoots.contains(member.boot))
    }

    /// Of the roster's entries, and of those that had their ids before, who is no member by the newest view, and was never this process, or
    /// one before it on the same disk.
    func strangers(in roster: [Member]) -> [Member] {
        let members = Set(view?.members.map(\.identity) ?? [])
        return roster.flatMap { [$0] + $0.predecessors }.filter {
            !members.contains($0.identity) && !wasEver($0.identity) && !me.hasDisk(of: $0)
        }
    }

    /// When `tick` is due next; `nil` if only events can change anything.
    public var nextWake: Int64? {
        switch phase {
        case .idle, .opening, .over: return nil
        case .pausing(let until): return until
        case .inSession(let session):
            switch session.step {
            case .connecting(_, let reminder, let asks): return min(reminder, asks.dueAt ?? reminder)
            case .asking, .probing: return nil
            case .resting(let until), .leaving(_, let until): return until
            case .retrying(let at): return at
            }
        }
    }

    /// Whether a session is connected at the moment.
    public var isConnected: Bool {
        guard case .inSession(let session) = phase else { return false }
        if case .connecting = session.step { return false }
        return true
    }

    /// Whether a session is connected that has taken a list over: then nothing has to be put back any more before others read.
    public var hasListed: Bool { isConnected && session?.hasListed == true }

    /// Takes an event and says what to do.
    public mutating func handle(_ event: MembershipEvent, now: Int64) -> [MembershipAction] {
        switch event {
        case .start:
            guard case .idle = phase else { return [] }
            startedAt = now
            return openSession()
        case .sessionOpened(let number, let boot): return onOpened(number, boot: boot, now: now)
        case .sessionRefused(let number, let reason):
            return isCurrent(number) ? lose("no session with ZooKeeper can be opened: \(reason)", now: now) : []
        case .connected(let number, let negotiated): return onConnected(number, negotiated: negotiated, now: now)
        case .disconnected(let number): return onDisconnected(number, now: now)
        case .expired(let number):
            guard isCurrent(number) else { return [] }
            return renew("the ZooKeeper session has expired; registering again with a new boot", now: now)
        case .authenticationFailed(let number):
            guard isCurrent(number) else { return [] }
            return shutOut(
                "ZooKeeper refuses the session's credentials; allow the digest scheme on its servers, which is the default", now: now)
        case .askedAfresh(let number, let answer): return onFreshAnswer(number, answer, now: now)
        case .membersChanged(let number):
            return isCurrent(number) ? readList() : []
        case .answered(let ticket, let answer): return onAnswer(ticket, answer, now: now)
        case .holderProbed(let ticket, let result): return onProbe(ticket, result, now: now)
        case .linked(let number):
            guard isCurrent(number), session?.links == .asked else { return [] }
            session?.links = .up
            return readList()
        case .setWeight(let weight):
            me.weight = weight
            if weight > 0 { isDraining = false }
            return readList()
        case .drain:
            isDraining = true
            return readList()
        case .endDrain:
            isDraining = false
            return readList()
        case .withdraw:
            isWithdrawn = true
            isDraining = false
            guard session != nil else { return [] }
            return renew("withdrawn from the ring; the session is given up", now: now)
        case .comeBack:
            isWithdrawn = false
            return readList()
        case .leave(let clearingRoster): return leave(clearingRoster: clearingRoster, now: now)
        case .giveUpSession:
            guard session != nil else { return [] }
            return renew("frozen for too long while others reach ZooKeeper; the session is given up", now: now)
        case .offered(let epoch, let members, let generation):
            return onOffer(epoch: epoch, members: members, generation: generation)
        case .peerDiffers(let peer, let epoch, let digest): return onPeerDiffers(peer, epoch: epoch, digest: digest)
        case .tick: return onTick(now: now)
        }
    }
}

// MARK: - Sessions

extension MembershipMachine {
    /// The present session. Setting it to `nil` is not possible: leaving a session is a transition of ``phase``.
    var session: Session? {
        get {
            guard case .inSession(let session) = phase else { return nil }
            return session
        }
        set { if let newValue { phase = .inSession(newValue) } }
    }

    mutating func enter(_ step: Step) { session?.step = step }

    /// Whether this is the session that counts.
    public func isCurrent(_ number: Int) -> Bool {
        switch phase {
        case .opening(let session, _): session == number
        case .inSession(let session): session.number == number
        case .idle, .pausing, .over: false
        }
    }

    mutating func openSession() -> [MembershipAction] {
        lastSession += 1
        let timeout = (document ?? proposal).sessionTimeoutMilliseconds
        phase = .opening(session: lastSession, timeoutMilliseconds: timeout)
        return [.openSession(session: lastSession, timeoutMilliseconds: timeout)]
    }

    private mutating func onOpened(_ number: Int, boot: UInt64, now: Int64) -> [MembershipAction] {
        guard case .opening(number, let timeout) = phase else { return [] }
        formerBoots.append(me.boot)
        if formerBoots.count > Self.formerBootsMax { formerBoots.removeFirst() }
        me.boot = boot
        let step = Step.connecting(since: now, reminder: now + Self.reminderMilliseconds, asks: .never)
        phase = .inSession(Session(number: number, timeoutMilliseconds: timeout, step: step))
        return []
    }

    private mutating func onConnected(_ number: Int, negotiated: Int, now: Int64) -> [MembershipAction] {
        guard isCurrent(number), var session, case .connecting(let since, _, _) = session.step else { return [] }
        let isBack = session.negotiatedTimeoutMilliseconds > 0
        session.negotiatedTimeoutMilliseconds = negotiated
        session.attempts = 0
        self.session = session
        let news = isBack ? [MembershipAction.say("ZooKeeper is back after \(now - since) ms")] : []
        return news + (checkTimeout(now: now) ?? startPass())
    }

    private mutating func onDisconnected(_ number: Int, now: Int64) -> [MembershipAction] {
        guard isCurrent(number), let step = session?.step else { return [] }
        if case .connecting = step { return [] }
        if case .leaving = step { return end() }
        let asks = Asking.due(at: now + freshPauseMilliseconds)
        enter(.connecting(since: now, reminder: now + Self.reminderMilliseconds, asks: asks))
        return [.say("ZooKeeper is away; staying at epoch \(view?.epoch ?? 0)")]
    }

    /// Ends the session and opens the next one at once: nothing is wrong but the session.
    mutating func renew(_ sentence: String, now: Int64) -> [MembershipAction] {
        if case .leaving = session?.step { return end() }
        return [.unregistered, .say(sentence), .closeSession] + openSession()
    }

    /// Something is wrong that a new session may not cure: freezes, and tries again after a while.
    mutating func lose(_ sentence: String, now: Int64) -> [MembershipAction] {
        if case .leaving = session?.step { return end() }
        let pause = min(Int64(1_000) << Int64(min(pauses, 16)), Self.pauseMillisecondsMax)
        pauses += 1
        phase = .pausing(until: now + pause)
        return [.unregistered, .alarm("\(sentence); frozen, trying again with a new session in \(pause) ms"), .closeSession]
    }

    /// ZooKeeper does not let this node in, and asking again would not change that. A node that has been a member holds copies that others
    /// may need: it freezes until somebody has mended the access, instead of throwing them away.
    mutating func shutOut(_ sentence: String, now: Int64) -> [MembershipAction] {
        wasEverMember ? lose(sentence, now: now) : fail(sentence)
    }

    mutating func fail(_ sentence: String) -> [MembershipAction] {
        phase = .over
        return [.unregistered, .closeSession, .fail(sentence)]
    }

    mutating func end() -> [MembershipAction] {
        phase = .over
        return [.closeSession, .left]
    }

    private mutating func leave(clearingRoster: Bool, now: Int64) -> [MembershipAction] {
        switch (phase, session?.step, session?.standing) {
        case (.over, _, _), (_, .leaving, _): return []
        // Without a connection nobody can be told, and a node that never registered has nobody to tell.
        case (_, .connecting, _), (_, _, .outside), (_, nil, _): return [.unregistered] + end()
        default: break
        }
        lastTicket += 1
        enter(.leaving(ticket: lastTicket, until: now + Self.goodbyeLimitMilliseconds))
        return [.unregistered, .request(ticket: lastTicket, .sayGoodbye(id: me.id, clearingRoster: clearingRoster))]
    }

    private mutating func onTick(now: Int64) -> [MembershipAction] {
        guard let nextWake, nextWake <= now else { return [] }
        guard let session else { return openSession() }
        switch session.step {
        case .connecting(let since, let reminder, let asks):
            if let dueAt = asks.dueAt, dueAt <= now { return askAfresh(since: since, reminder: reminder) }
            enter(.connecting(since: since, reminder: now + Self.reminderMilliseconds, asks: asks))
            return [.say("ZooKeeper has been away for \((now - since) / 1_000) s; still trying")]
        case .resting, .retrying: return startPass()
        case .leaving: return end()
        case .asking, .probing: return []
        }
    }
}
