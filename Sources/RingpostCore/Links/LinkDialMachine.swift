// The dialling end of a link, as decisions only: when it dials, when it gives an attempt up, when it feels the member's pulse, and how
// long it waits before it dials again. It goes on for as long as the member is in the ring.

/// One link from this node to a member.
public struct LinkDialMachine: Sendable {
    /// The pause before another attempt is drawn between the first and twice as much each time, at most the second.
    public static let backOffMilliseconds: ClosedRange<Int64> = 50...1_000
    /// A connection and its handshake take so long at most.
    public static let dialMillisecondsMax: Int64 = 2_000
    /// Where something was sent and nothing is heard for so long, the member is asked whether it is there.
    public static let patienceMilliseconds: Int64 = 250
    /// A member that was asked has so long to say anything; H, where that is less.
    public static let answerMillisecondsMax: Int64 = 1_500
    /// Two looks that are further apart say nothing about the member: this process has stood still, and what has come meanwhile is not read.
    public static let lookMillisecondsMax: Int64 = 500

    private enum State {
        /// Between two attempts. Can transition to dialling, stopped.
        case waiting(until: Int64)
        /// A connection, then the handshake. Can transition to up, waiting, stopped.
        case dialling(since: Int64)
        /// Can transition to waiting, stopped.
        case up(Pulse)
        /// The member has left the ring, or is refused. Final.
        case stopped
    }

    /// What is known of a member that is there.
    private struct Pulse {
        var lastHeard: Int64
        var lastPing: Int64
        var lastLook: Int64
        /// The oldest ping behind which nothing was heard.
        var askedAt: Int64?
        /// The oldest ping that was not answered: what was said before may not have arrived either, though something is heard.
        var unansweredSince: Int64?
        /// Something was sent since something was heard.
        var hasSent = false

        init(now: Int64) { (lastHeard, lastPing, lastLook) = (now, now, now) }

        mutating func onPing(now: Int64) {
            lastPing = now
            askedAt = askedAt ?? now
            unansweredSince = unansweredSince ?? now
        }

        /// Time in which nobody has looked doesn't count.
        mutating func look(now: Int64) {
            defer { lastLook = now }
            let pause = now - lastLook
            guard pause > LinkDialMachine.lookMillisecondsMax else { return }
            lastHeard += pause
            askedAt = askedAt.map { $0 + pause }
            unansweredSince = unansweredSince.map { $0 + pause }
        }
    }

    /// Why a connection is over.
    public enum End: Hashable, Sendable {
        /// Connection or handshake took too long.
        case late
        /// The member has said nothing for too long, or nothing arrives there.
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

    /// Time passes.
    ///
    /// - Parameters:
    ///   - isHeldUp: bytes wait here because the connection takes no more. Then its end has until H: behind much, on a slow network, an answer
    ///     takes its time.
    ///   - jitter: any number, drawn where one is needed.
    public mutating func onTick(now: Int64, isHeldUp: Bool = false, jitter: @autoclosure () -> UInt64) -> Action {
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
        case .up(var pulse):
            pulse.look(now: now)
            if isSilent(pulse, isHeldUp: isHeldUp, now: now) {
                fail(now: now, jitter: jitter())
                return .close(.silent, wasUp: true)
            }
            let asks = isPingDue(pulse, now: now)
            if asks { pulse.onPing(now: now) }
            state = .up(pulse)
            return asks ? .ping : .nothing
        case .stopped: return .nothing
        }
    }

    private func isSilent(_ pulse: Pulse, isHeldUp: Bool, now: Int64) -> Bool {
        // 1. It was asked, and says nothing at all.
        if let asked = pulse.askedAt, !isHeldUp, now - asked >= min(Self.answerMillisecondsMax, heartbeatTimeout) { return true }
        // 2. The same, whatever waits.
        if now - pulse.lastHeard >= heartbeatTimeout { return true }
        // 3. It speaks, but what is said to it does not arrive. Behind much an answer may be late, so it has longer.
        return pulse.unansweredSince.map { now - $0 >= 2 * heartbeatTimeout } ?? false
    }

    private func isPingDue(_ pulse: Pulse, now: Int64) -> Bool {
        if now - pulse.lastPing >= heartbeatTimeout / 3 { return true }
        let patience = min(Self.patienceMilliseconds, heartbeatTimeout / 3)
        return pulse.hasSent && pulse.askedAt == nil && now - max(pulse.lastHeard, pulse.lastPing) >= patience
    }

    /// The member's welcome. False when it is out of turn.
    public mutating func onWelcome(now: Int64) -> Bool {
        guard case .dialling = state else { return false }
        state = .up(Pulse(now: now))
        failures = 0
        return true
    }

    /// Something is sent to the member. Needs no time: it is called for each message.
    public mutating func onSent() {
        guard case .up(var pulse) = state, !pulse.hasSent else { return }
        pulse.hasSent = true
        state = .up(pulse)
    }

    /// The member has said something.
    public mutating func onHeard(now: Int64) {
        guard case .up(var pulse) = state else { return }
        pulse.lastHeard = now
        pulse.askedAt = nil
        pulse.hasSent = false
        state = .up(pulse)
    }

    /// The member has answered a ping.
    public mutating func onPong() {
        guard case .up(var pulse) = state else { return }
        pulse.unansweredSince = nil
        state = .up(pulse)
    }

    /// A heartbeat was sent out of turn.
    public mutating func onPing(now: Int64) {
        guard case .up(var pulse) = state else { return }
        pulse.onPing(now: now)
        state = .up(pulse)
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
