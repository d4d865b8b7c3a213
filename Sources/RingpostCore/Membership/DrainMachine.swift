// How a node goes without anybody noticing: it gives its weight up, waits until every slot has been handed over and every copy
// released, only then asks its sockets to go elsewhere, and leaves. What it decides upon are looks at the node, repeated by the
// shell while it drains: a weight that was changed by somebody else, a lost session or a new member needs no path of its own.

/// An orderly end. See docs/architecture/membership.md, "Leaving in order".
public struct DrainMachine: Sendable {
    /// Handing over may take so long. It waits for others, so it can't be left to them when it ends.
    public static let handOverMillisecondsDefault: Int64 = 120_000
    /// How often the node is looked at while it drains.
    public static let lookMilliseconds: Int64 = 100

    /// Who wants it.
    public enum Cause: String, Hashable, Sendable {
        /// An operator, who may think better of it.
        case order
        /// The process was told to end. That can't be taken back.
        case signal
    }

    /// How far it is.
    public enum Phase: String, Hashable, Sendable {
        /// Not draining.
        case serving
        /// Slots and copies go to others.
        case handingOver
        /// Its sockets are asked to go elsewhere, one after the other.
        case movingSockets
        /// It says goodbye. Final.
        case leaving
    }

    /// The node at one moment. The ring must have been looked at before the copies were counted.
    public struct Look: Hashable, Sendable {
        /// The own weight in the newest view; `nil` while the node is no member.
        public var weight: UInt16?
        /// Slots that it owns.
        public var slots: Int
        /// Slots of which it holds a copy that has not been released, own ones too.
        public var copies: Int
        /// Keys whose history it holds as the owner.
        public var users: Int
        /// Sockets of clients.
        public var sockets: Int
        /// Somebody else has weight.
        public var othersHaveWeight: Bool
        /// ZooKeeper answers, so that a weight can be changed.
        public var reachesZooKeeper: Bool
        /// Client addresses of members that stay.
        public var elsewhere: [String]
        /// The other members with weight.
        public var heirs: Set<MemberIdentity>
        /// Those who have said that they drain or leave, whether they are members still or not.
        public var going: Set<MemberIdentity>

        /// All of it.
        public init(
            weight: UInt16?, slots: Int, copies: Int, users: Int, sockets: Int, othersHaveWeight: Bool, reachesZooKeeper: Bool,
            elsewhere: [String], heirs: Set<MemberIdentity> = [], going: Set<MemberIdentity> = []
        ) {
            self.weight = weight
            self.slots = slots
            self.copies = copies
            self.users = users
            self.sockets = sockets
            self.othersHaveWeight = othersHaveWeight
            self.reachesZooKeeper = reachesZooKeeper
            self.elsewhere = elsewhere
            self.heirs = heirs
            self.going = going
        }
    }

    /// What operators are shown.
    public struct Progress: Hashable, Sendable {
        /// How far it is.
        public let phase: Phase
        /// Who wants it.
        public let cause: Cause
        /// When it began.
        public let since: Int64
        /// The newest look; `nil` before the first one.
        public let look: Look?
    }

    /// Something the shell must do.
    public enum Action: Hashable, Sendable {
        /// Give up the weight, if others have any.
        case giveUpWeight
        /// Take this weight; the drain is over.
        case takeWeight(UInt16)
        /// Look at the node and report ``DrainMachine/onLook(_:now:)``; then again after ``DrainMachine/lookMilliseconds``, while it drains.
        case look
        /// Ask all sockets to go elsewhere, spread over the time, in place of an earlier order; report ``DrainMachine/onMoved(_:)`` with
        /// the number.
        case moveSockets(number: Int, milliseconds: Int64, elsewhere: [String])
        /// Who is still here may stay.
        case keepSockets
        /// Leave the ring and end.
        case leave(clearingRoster: Bool)
        /// A sentence for the log.
        case say(String)
        /// A sentence for the log, about something that is lost.
        case warn(String)
    }

    private enum State: Sendable {
        /// Can transition to handingOver.
        case serving
        /// Can transition to serving, movingSockets.
        case handingOver
        /// Can transition to serving, leaving.
        case movingSockets(clearingRoster: Bool, milliseconds: Int64)
        /// Final.
        case leaving
    }

    private let drainMilliseconds: Int64
    private let handOverMilliseconds: Int64
    private let keepsCopies: Bool
    /// S; a ZooKeeper that is away for longer is worth a word. The cluster's document says it, so it is known with the first view.
    public var sessionTimeoutMilliseconds: Int64
    private var state = State.serving
    private var cause = Cause.order
    private var since: Int64 = 0
    private var isHurried = false
    private var lastLook: Look?
    /// Since when ZooKeeper has not answered, as far as was looked.
    private var awaySince: Int64?
    private var lastMove = 0
    /// Who had weight when anybody else last had any, without those that said that they go: what is held here may be all that is
    /// left of what they held.
    private var heirs: Set<MemberIdentity> = []
    private var hasSaidAlone = false
    private var hasSaidAway = false

    /// - Parameters:
    ///   - drainMilliseconds: over what time sockets are asked to go.
    ///   - sessionTimeoutMilliseconds: S, as far as it is known.
    ///   - handOverMilliseconds: how long handing over may take.
    ///   - keepsCopies: the process's end loses none.
    public init(
        drainMilliseconds: Int64, sessionTimeoutMilliseconds: Int64, handOverMilliseconds: Int64 = Self.handOverMillisecondsDefault,
        keepsCopies: Bool = false
    ) {
        self.drainMilliseconds = drainMilliseconds
        self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        self.handOverMilliseconds = handOverMilliseconds
        self.keepsCopies = keepsCopies
    }

    /// How far it is.
    public var phase: Phase {
        switch state {
        case .serving: .serving
        case .handingOver: .handingOver
        case .movingSockets: .movingSockets
        case .leaving: .leaving
        }
    }

    /// What operators are shown; `nil` while it does not drain.
    public var progress: Progress? {
        phase == .serving ? nil : Progress(phase: phase, cause: cause, since: since, look: lastLook)
    }

    // MARK: - Orders

    /// Begins, or goes on if it has begun. A second signal hastens it.
    public mutating func drain(_ cause: Cause, now: Int64) -> [Action] {
        switch (state, cause, self.cause) {
        case (.serving, _, _):
            state = .handingOver
            self.cause = cause
            since = now
            awaySince = nil
            lastLook = nil
            heirs = []
            hasSaidAlone = false
            hasSaidAway = false
            return [.say("draining: giving up the weight, then \(drainMilliseconds / 1_000) s for the sockets"), .giveUpWeight, .look]
        case (_, .signal, .signal): return hasten()
        case (_, .signal, .order):
            self.cause = .signal
            return []
        case (_, .order, _): return []
        }
    }

    /// Goes on at once to wherever it would come.
    public mutating func hasten() -> [Action] {
        guard !isHurried else { return [] }
        switch state {
        case .serving, .leaving: return []
        case .handingOver:
            isHurried = true
            return [.warn("told to hurry: \(remainder)")] + move(clearingRoster: false)
        case .movingSockets(let clearingRoster, _):
            isHurried = true
            return [.warn("told to hurry: all sockets that are left go at once")] + move(clearingRoster: clearingRoster)
        }
    }

    /// Takes a weight; one above 0 takes a drain back, while that is possible.
    public mutating func setWeight(_ weight: UInt16) throws(DrainRefusal) -> [Action] {
        switch state {
        case .serving: return [.takeWeight(weight)]
        case .leaving: throw .leaving
        case .handingOver, .movingSockets:
            if cause == .signal { throw .stopping }
            if weight == 0 { throw .draining }
        }
        var actions: [Action] = []
        if case .movingSockets = state { actions.append(.keepSockets) }
        state = .serving
        isHurried = false
        return actions + [.takeWeight(weight), .say("the drain is taken back")]
    }

    // MARK: - What has come of it

    /// The node at this moment.
    public mutating func onLook(_ look: Look, now: Int64) -> [Action] {
        switch state {
        case .serving, .leaving: return []
        case .handingOver:
            lastLook = look
            awaySince = look.reachesZooKeeper ? nil : awaySince ?? now
            return sayAway(now: now) + onHandOver(look, now: now)
        case .movingSockets(let clearingRoster, let milliseconds):
            lastLook = look
            // Those they would go to are leaving too: nothing is gained by spreading.
            if look.elsewhere.isEmpty, milliseconds > 0 { return move(clearingRoster: clearingRoster) }
            return []
        }
    }

    private mutating func onHandOver(_ look: Look, now: Int64) -> [Action] {
        // Outside the ring nobody can take anything over, and what a lost session leaves behind is void.
        let isLight = look.weight ?? 0 == 0
        if isLight, look.slots == 0, look.copies == 0 {
            return [.say("all slots and copies are handed over; moving \(look.sockets) sockets")] + move(clearingRoster: true)
        }
        if look.othersHaveWeight {
            heirs = look.heirs
            hasSaidAlone = false
        }
        heirs.subtract(look.going)
        // Alone from the beginning, or all others go in order too. Who went without a word may come back, and then needs these copies.
        if look.weight != nil, !look.othersHaveWeight, heirs.isEmpty {
            let alone = "no other member has weight: the history of \(look.users) users"
            let news: [Action] =
                if look.users == 0 { [] } else if keepsCopies { [.say("\(alone) stays in the data directory")] } else {
                    [.warn("\(alone) will be lost")]
                }
            // Who comes back with an older copy must be able to see that there was a newer one.
            return news + move(clearingRoster: look.users == 0)
        }
        if now >= since + handOverMilliseconds {
            let away = look.reachesZooKeeper ? "" : ", because ZooKeeper is away"
            let sentence = "not handed over after \(handOverMilliseconds / 1_000) s\(away), leaving all the same: \(remainder)"
            return [.warn(sentence)] + move(clearingRoster: false)
        }
        // Without ZooKeeper no ring can change, so this node goes on serving its slots until it can give them away: if it left, they would
        // wait for ZooKeeper, and for its session to end then. Where all others go as well, nobody will take them.
        if !look.reachesZooKeeper, look.othersHaveWeight, heirs.isEmpty {
            return [.warn("all other members leave too, and ZooKeeper is away: \(remainder)")] + move(clearingRoster: false)
        }
        if look.weight != nil, !look.othersHaveWeight, !hasSaidAlone {
            hasSaidAlone = true
            return [.warn("no other member has weight any more; waiting for one, because \(remainder)")]
        }
        return []
    }

    private mutating func sayAway(now: Int64) -> [Action] {
        guard let awaySince else {
            defer { hasSaidAway = false }
            return hasSaidAway ? [.say("ZooKeeper is back; handing over")] : []
        }
        guard !hasSaidAway, now >= awaySince + sessionTimeoutMilliseconds else { return [] }
        hasSaidAway = true
        let seconds = max(0, since + handOverMilliseconds - now) / 1_000
        return [
            .warn(
                "ZooKeeper is away, so nothing can be handed over; serving on until it is back, at most \(seconds) s more (a second signal "
                    + "ends this node at once): \(remainder)")
        ]
    }

    private var remainder: String {
        guard let lastLook else { return "it is not known what this node still owns" }
        return "this node still owns \(lastLook.slots) slots and holds \(lastLook.copies) copies"
    }

    private mutating func move(clearingRoster: Bool) -> [Action] {
        let elsewhere = lastLook?.elsewhere ?? []
        let milliseconds = isHurried || elsewhere.isEmpty ? 0 : drainMilliseconds
        state = .movingSockets(clearingRoster: clearingRoster, milliseconds: milliseconds)
        lastMove += 1
        return [.moveSockets(number: lastMove, milliseconds: milliseconds, elsewhere: elsewhere)]
    }

    /// The sockets have gone, or had the time for it.
    public mutating func onMoved(_ number: Int) -> [Action] {
        guard case .movingSockets(let clearingRoster, _) = state, number == lastMove else { return [] }
        state = .leaving
        return [.say("leaving the ring"), .leave(clearingRoster: clearingRoster)]
    }
}

/// Why a node doesn't take the weight that it is given.
public enum DrainRefusal: String, Error, Hashable, Sendable {
    /// It was told to end by a signal.
    case stopping
    /// It is saying goodbye.
    case leaving
    /// It drains, and 0 would not take that back.
    case draining

    /// A sentence for the operator.
    public var message: String {
        switch self {
        case .stopping: "the node was told to stop by a signal, which can't be taken back; start it again"
        case .leaving: "the node is leaving the ring already; start it again"
        case .draining: "the node is draining; a weight above 0 takes that back"
        }
    }
}
