// The dialling end of a link, as decisions only: when it dials, when it gives an attempt up, when it feels the member's pulse, and how
// long it waits before it dials again. It goes on for as long as the member is in the ring.

/// One link from this node to a member.
public struct LinkDialMachine: Sendable {
    /// The pause before another attempt is drawn between the first and twice as much each time, at most the second.
    public static let backOffMilliseconds: ClosedRange<Int64> = 50...2_000
    /// A connection and its handshake take so long at most.
    public static let dialMillisecondsMax: Int64 = 3_000

    private enum State {
        /// Between two attempts. Can transition to dialling, stopped.
        case waiting(until: Int64)
        /// A connection, then the handshake. Can transition to up, waiting, stopped.
        case dialling(since: Int64)
        /// Can transition to waiting, stopped.
        case up(lastHeard: Int64, lastPing: Int64)
        /// The member has left the ring, or is refused. Final.
        case stopped
    }

    /// Why a connection is over.
    public enum End: Hashable, Sendable {
        /// Connection or handshake took too long.
        case late
        /// The member has said nothing for H.
        case silent
    }

    /// What the shell has to do.
    public enum Action: Equatable, Sendable {
        case nothing
        /// Connect and say hello; what comes of an earlier attempt is for nobody.
        case dial(attempt: Int)
        /// Send a heartbeat.
        case ping
        /// Close the connection, if there is one. If the link was up, everything on it ends together.
        case close(End, wasUp: Bool)
    }

    private let heartbeatTimeout: Int64
    private var state = State.waiting(until: .min)
    /// Counts the times it has dialled.
    public private(set) var attempt = 0
    private var failures = 0

    /// - Parameter heartbeatTimeoutMilliseconds: H.
    public init(heartbeatTimeoutMilliseconds: Int64) { heartbeatTimeout = heartbeatTimeoutMilliseconds }

    /// The member has welcomed this node, and everything that is said arrives.
    public var isUp: Bool { if case .up = state { true } else { false } }
    /// It will not dial again.
    public var isStopped: Bool { if case .stopped = state { true } else { false } }
    /// Whether this attempt is the one that counts, and has not come to an end.
    public func isCurrent(_ attempt: Int) -> Bool {
        switch state {
        case .dialling, .up: attempt == self.attempt
        case .waiting, .stopped: false
        }
    }

    /// Time passes. `jitter`: any number, drawn where one is needed.
    public mutating func onTick(now: Int64, jitter: @autoclosure () -> UInt64) -> Action {
        switch state {
        case .waiting(let until):
            guard now >= until else { return .nothing }
            state = .dialling(since: now)
            attempt += 1
            return .dial(attempt: attempt)
        case .dialling(let since):
            guard now - since >= Self.dialMillisecondsMax else { return .nothing }
            fail(now: now, jitter: jitter())
            return .close(.late, wasUp: false)
        case .up(let lastHeard, let lastPing):
            if now - lastHeard >= heartbeatTimeout {
                fail(now: now, jitter: jitter())
                return .close(.silent, wasUp: true)
            }
            guard now - lastPing >= heartbeatTimeout / 3 else { return .nothing }
            state = .up(lastHeard: lastHeard, lastPing: now)
            return .ping
        case .stopped: return .nothing
        }
    }

    /// The member's welcome. False when it is out of turn.
    public mutating func onWelcome(now: Int64) -> Bool {
        guard case .dialling = state else { return false }
        state = .up(lastHeard: now, lastPing: now)
        failures = 0
        return true
    }

    /// The member has said something.
    public mutating func onHeard(now: Int64) {
        if case .up(_, let lastPing) = state { state = .up(lastHeard: now, lastPing: lastPing) }
    }

    /// A heartbeat was sent out of turn.
    public mutating func onPing(now: Int64) {
        if case .up(let lastHeard, _) = state { state = .up(lastHeard: lastHeard, lastPing: now) }
    }

    /// The attempt, or its connection, has come to an end; also to be called when this node breaks it off.
    ///
    /// - Returns: whether the link was up: then everything on it ends together.
    public mutating func onClosed(now: Int64, jitter: @autoclosure () -> UInt64) -> Bool {
        switch state {
        case .waiting, .stopped: return false
        case .dialling, .up:
            let wasUp = isUp
            fail(now: now, jitter: jitter())
            return wasUp
        }
    }

    /// The member has left the ring, or is refused: the connection is closed.
    ///
    /// - Returns: whether the link was up: then everything on it ends together.
    public mutating func stop() -> Bool {
        let wasUp = isUp
        state = .stopped
        return wasUp
    }

    private mutating func fail(now: Int64, jitter: UInt64) {
        failures += 1
        // Full jitter: the moment at which a node comes back would otherwise see all others at once.
        let (least, most) = (Self.backOffMilliseconds.lowerBound, Self.backOffMilliseconds.upperBound)
        let spread = min(most, least << Int64(min(failures, 10)))
        state = .waiting(until: now + least + Int64(jitter % UInt64(spread)))
    }
}
