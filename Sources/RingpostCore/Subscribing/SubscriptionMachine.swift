// The edge's side of one socket: where it stands, and whether what arrives continues it. It writes only what continues
// the cursor and comes from its current attachment: older is dropped, a hole attaches again, an owner that can't be
// reached is asked again until the socket is better off elsewhere.

/// One socket's subscription to one mailbox. Those to channels share their node's one attachment: then the owner's answers only bring what
/// the history holds, and what comes after that is shown to all who share, in the owner's order and behind its answers.
public struct SubscriptionMachine: Sendable {
    /// A socket whose owner can't be reached for so long is told to resume elsewhere.
    public static let unreachableMillisecondsMax: Int64 = 10_000
    /// How long to wait before asking an owner again.
    public static let retryMilliseconds: Int64 = 100
    /// An owner that does not answer an attach for so long is asked again.
    public static let answerMillisecondsMax: Int64 = 3_000

    enum State: Equatable, Sendable {
        /// Asked the owner under the current attachment's number. Can transition to asking, pausing, live, waiting, ended.
        case asking(since: Int64)
        /// Wrote a piece of the replay; the rest is asked for when the socket has drained. Can transition to asking, ended.
        case pausing
        /// Attached. Can transition to asking, waiting, ended.
        case live
        /// The owner refused or was away; asks again at the time given. Can transition to asking, ended.
        case waiting(until: Int64)
        /// Closed. Final.
        case ended
    }

    private(set) var state: State = .pausing
    private var start: AttachStart
    /// Where the socket stands; `nil` until the owner has answered for the first time.
    public private(set) var cursor: Cursor?
    /// When the client asked: one that begins "now" begins with the first message since, however late an owner answers.
    public private(set) var askedAt: Int64
    /// The number of the current attachment; frames of earlier ones are not for this socket any more.
    public private(set) var attachment: UInt32 = 0
    /// When the owner was last known to be there, or was not needed.
    private var lastTouch: Int64
    /// Set while the owner that this is attached to is not the ring's any more: when to stop waiting for its end.
    private var leavesAt: Int64?
    /// The attachment is the node's, not this socket's.
    private let isShared: Bool
    /// What was shown to all while this one asked: its answer has to reach as far.
    private var passedBy: Cursor?
    /// The guard in ``onDeliver(attachment:incarnation:sequence:)`` is switched off. Only for tests of the tests.
    package var writesOldAttachments = false

    /// - Parameters:
    ///   - start: where the client wants to begin.
    ///   - isShared: shares its node's attachment, and asks the owner only for what lies before that.
    ///   - now: the present time.
    public init(start: AttachStart, isShared: Bool = false, now: Int64) {
        self.start = start
        self.isShared = isShared
        askedAt = now
        lastTouch = now
    }

    /// Whether the next message comes by itself.
    public var isLive: Bool { state == .live }
    /// Whether there is nothing to wait for: ``onTick(now:)`` does nothing.
    public var isSettled: Bool { state == .live && leavesAt == nil }

    /// What the shell does with an owner's answer, in this order.
    public struct Reading: Equatable, Sendable {
        /// Set with the first answer: the socket is told where it begins.
        public var begins: Cursor?
        /// Set when the history did not reach back: the socket is told its new beginning.
        public var gap: Cursor?
        /// To be written, in order.
        public var messages: [StoredMessage] = []
        /// Ask for more as soon as the socket has drained.
        public var asksAgain = false
    }

    /// What the shell has to do.
    public enum Action: Equatable, Sendable {
        case nothing
        /// Ask the owner, under the number in ``attachment``.
        case ask(AttachStart)
        case close(CloseReason)
    }

    /// Begins, and begins again: asks the owner from where the socket stands.
    public mutating func ask(now: Int64) -> Action {
        switch state {
        case .ended: return .nothing
        // Up to now the socket lacked nothing: the owner's ten seconds begin here.
        case .live, .pausing: lastTouch = now
        case .asking, .waiting: break
        }
        attachment &+= 1
        leavesAt = nil
        passedBy = nil
        state = .asking(since: now)
        return .ask(cursor.map(AttachStart.after) ?? start)
    }

    /// The client asks for the messages after another place: it begins there anew.
    public mutating func restart(at start: AttachStart, now: Int64) -> Action {
        if state == .ended { return .nothing }
        self.start = start
        askedAt = now
        cursor = nil
        return ask(now: now)
    }

    /// The owner answers. `nil`: not an answer to the current question.
    public mutating func onReply(attachment: UInt32, _ reply: AttachReply, now: Int64) -> Reading? {
        guard attachment == self.attachment, case .asking = state else { return nil }
        var reading = Reading()
        let beginning = Cursor(incarnation: reply.incarnation, sequence: reply.from)
        // An owner that goes on elsewhere than at the cursor it was given leaves a gap, whether it says so or not.
        if reply.gap || beginning != (expected ?? beginning) {
            reading.gap = beginning
        } else if cursor == nil {
            reading.begins = beginning
        }
        reading.messages = reply.messages
        cursor = Cursor(incarnation: reply.incarnation, sequence: reply.through)
        lastTouch = now
        let isLive = isShared ? !reply.hasMore && reachesWhatPassedBy() : reply.isLive
        state = isLive ? .live : .pausing
        reading.asksAgain = !isLive
        return reading
    }

    /// An answer of the owner before, that came late, may end before what the present one has shown meanwhile.
    private func reachesWhatPassedBy() -> Bool {
        guard let passedBy, let cursor else { return true }
        return passedBy.incarnation == cursor.incarnation && passedBy.sequence <= cursor.sequence
    }

    /// Where a reply without a gap has to begin; `nil` where any place will do.
    private var expected: Cursor? {
        if let cursor { return cursor }
        if case .after(let cursor) = start { return cursor }
        return nil
    }

    /// The owner, or this node on its behalf, refuses.
    public mutating func onRefusal(attachment: UInt32, now: Int64) -> Action {
        guard attachment == self.attachment, case .asking = state else { return .nothing }
        return wait(now: now)
    }

    /// What to do with a message that was delivered.
    public enum Verdict: Equatable, Sendable {
        case write
        /// Of an earlier attachment, or seen already.
        case drop
        /// Something is missing before it: attach again.
        case hole
    }

    /// A message comes from the owner.
    public mutating func onDeliver(attachment: UInt32, incarnation: UInt64, sequence: UInt64) -> Verdict {
        if isShared, state != .live { passedBy = Cursor(incarnation: incarnation, sequence: sequence) }
        guard let cursor, attachment == self.attachment && state == .live || writesOldAttachments else { return .drop }
        if incarnation != cursor.incarnation { return .hole }
        if sequence <= cursor.sequence { return .drop }
        if sequence != cursor.sequence &+ 1 { return .hole }
        self.cursor = Cursor(incarnation: incarnation, sequence: sequence)
        return .write
    }

    /// The attachment is gone: the key has changed hands, or the link to its owner has closed.
    public mutating func onDetached(attachment: UInt32, now: Int64) -> Action {
        guard attachment == self.attachment else { return .nothing }
        switch state {
        case .live, .asking:
            if leavesAt != nil { return ask(now: now) }
            if state == .live { lastTouch = now }
            return wait(now: now)
        case .pausing, .waiting, .ended: return .nothing
        }
    }

    /// The ring names another owner. The one before goes on until it knows that too, and the new one can't begin before that: what it
    /// still shows comes to an attachment that is left alone until it ends. Without one the new owner is asked at once.
    public mutating func ownerHasChanged(now: Int64) -> Action {
        guard case .live = state else { return ask(now: now) }
        if isShared { return .nothing }
        leavesAt = now + Self.answerMillisecondsMax
        return .nothing
    }

    /// A new ring: who waits for an owner asks at once.
    public mutating func onEpoch(now: Int64) -> Action {
        if case .waiting = state { return ask(now: now) }
        return .nothing
    }

    /// Time passes.
    public mutating func onTick(now: Int64) -> Action {
        switch state {
        case .waiting(let until):
            if now - lastTouch >= Self.unreachableMillisecondsMax { return end(.ownerUnreachable) }
            return now >= until ? ask(now: now) : .nothing
        case .asking(let since):
            if now - lastTouch >= Self.unreachableMillisecondsMax { return end(.ownerUnreachable) }
            return now - since >= Self.answerMillisecondsMax ? ask(now: now) : .nothing
        case .live: return leavesAt.map { now >= $0 } == true ? ask(now: now) : .nothing
        case .pausing, .ended: return .nothing
        }
    }

    /// The socket has closed.
    public mutating func onClose() { state = .ended }

    private mutating func wait(now: Int64) -> Action {
        if now - lastTouch >= Self.unreachableMillisecondsMax { return end(.ownerUnreachable) }
        state = .waiting(until: now + Self.retryMilliseconds)
        return .nothing
    }

    private mutating func end(_ reason: CloseReason) -> Action {
        state = .ended
        return .close(reason)
    }
}
