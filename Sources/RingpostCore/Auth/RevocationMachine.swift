// When a node reads the revocations, what it makes of them, and what it clears away, as decisions only. Reading is the same whatever
// the occasion: all names at once, with a watch. While ZooKeeper is away the last list stays in force.

/// The revocations of one node.
public struct RevocationMachine: Sendable {
    /// Between two readings lies at least so much: many revocations at once are few readings, and each is seen within a second.
    public static let readPauseMilliseconds: Int64 = 100
    /// The next reading comes without being told: a watch can get lost, and what has expired must go.
    static let lookMilliseconds: Int64 = 30_000
    /// A reading that failed is repeated after 10, 20, 40 … ms, at most this.
    static let retryDelayMillisecondsMax: Int64 = 1_000
    /// So many readings in a row may fail before the log says it.
    static let attemptsBeforeWarning = 8
    /// So many znodes are deleted at a time, and that once a second: every node does it.
    static let deletedAtOnceMax = 64
    /// The pause between two deletions.
    static let deletePauseMilliseconds: Int64 = 1_000
    /// So many names that are none are told.
    static let garbageNamedMax = 8

    /// What the shell must do.
    public enum Action: Equatable, Sendable {
        /// Read the names, with a watch, and report with the ticket.
        case read(ticket: UInt64)
        /// This list is in force from now on. The first one comes with the first reading, also when it is empty.
        case publish(RevocationList)
        /// Delete their znodes; that others have done it, or that it fails, is no matter.
        case delete([Revocation])
        /// A sentence for the log.
        case warn(String)
    }

    /// How a reading ended.
    public enum Answer: Equatable, Sendable {
        /// The names of all children.
        case names([String])
        /// A lost connection, most of the time.
        case failed(String)
    }

    private enum Step: Sendable {
        /// No connection. Can transition to reading.
        case away
        /// The names are being read. Can transition to resting, retrying and away.
        case reading(ticket: UInt64)
        /// Until a change, or until then. Can transition to reading and away.
        case resting(until: Int64)
        /// A reading failed. Can transition to reading and away.
        case retrying(at: Int64)
    }

    /// What is in force.
    public private(set) var list = RevocationList()
    /// A list has been read, so that what it lacks is not revoked.
    public private(set) var hasList = false
    private var step = Step.away
    /// The list changed while it was read.
    private var isStale = false
    private var lastTicket: UInt64 = 0
    private var lastReadAt: Int64?
    private var deletesFrom: Int64 = .min
    private var attempts = 0
    /// What was told of names that are none, so that it is told once.
    private var lastGarbage: [String] = []

    /// A node that knows nothing yet.
    public init() {}

    /// When `onTick` is due next; `nil` if only events can change anything.
    public var nextWake: Int64? {
        switch step {
        case .away, .reading: nil
        case .resting(let at), .retrying(let at): at
        }
    }

    /// Whether ZooKeeper can be asked.
    public var isConnected: Bool { if case .away = step { false } else { true } }

    /// One more may be revoked.
    ///
    /// - Throws: why not.
    public func checkRoom(for revocation: Revocation) throws(RevocationFailure) {
        if list.revocations.contains(revocation) { return }
        guard let maker = revocation.maker else {
            if list.count >= RevocationList.countMax { throw .full }
            return
        }
        if list.count(madeBy: maker) >= RevocationList.madeByOneMax { throw .keyFull }
        if list.count >= RevocationList.countMax - RevocationList.keptMax { throw .full }
    }

    // MARK: - Events

    /// A session is connected, for the first time or again.
    public mutating func onConnected(now: Int64) -> [Action] { read(now: now) }

    /// There is no connection, or no session.
    public mutating func onDisconnected() { step = .away }

    /// The watch has fired.
    public mutating func onChange(now: Int64) -> [Action] {
        switch step {
        case .away, .retrying: return []
        case .reading:
            isStale = true
            return []
        case .resting:
            let due = (lastReadAt ?? now) + Self.readPauseMilliseconds
            if due <= now { return read(now: now) }
            step = .resting(until: due)
            return []
        }
    }

    /// Time has passed; see ``nextWake``.
    public mutating func onTick(now: Int64) -> [Action] {
        guard let nextWake, nextWake <= now else { return [] }
        return read(now: now)
    }

    /// The answer to a reading.
    ///
    /// - Parameters:
    ///   - now: the monotonic clock's milliseconds.
    ///   - seconds: since 1970.
    public mutating func onAnswer(_ ticket: UInt64, _ answer: Answer, now: Int64, seconds: Int64) -> [Action] {
        guard case .reading(ticket) = step else { return [] }
        switch answer {
        case .failed(let reason):
            attempts += 1
            step = .retrying(at: now + min(Int64(10) << Int64(min(attempts - 1, 16)), Self.retryDelayMillisecondsMax))
            guard attempts == Self.attemptsBeforeWarning else { return [] }
            return [.warn("the revocations can't be read; the last list of \(list.count) stays in force: \(reason)")]
        case .names(let names):
            attempts = 0
            return apply(names, now: now, seconds: seconds)
        }
    }

    /// One has been made by this node: it holds here before anybody is told that it was made.
    public mutating func onMade(_ revocation: Revocation, now: Int64) -> [Action] {
        hasList = true
        list.insert(revocation)
        let actions: [Action] = [.publish(list)]
        // What is being read may be from before.
        guard case .reading = step else { return actions }
        return actions + read(now: now)
    }

    /// Without ZooKeeper: what has expired goes, and the first list is told.
    public mutating func onTidied(seconds: Int64) -> [Action] {
        let needless = list.tidy(now: seconds)
        guard !needless.isEmpty || !hasList else { return [] }
        hasList = true
        return [.publish(list)]
    }

    /// Without ZooKeeper: what was revoked before a restart, before the first list is told.
    public mutating func restore(_ revocations: [Revocation]) { list = RevocationList(revocations) }

    // MARK: - Reading

    private mutating func read(now: Int64) -> [Action] {
        lastTicket += 1
        lastReadAt = now
        isStale = false
        step = .reading(ticket: lastTicket)
        return [.read(ticket: lastTicket)]
    }

    private mutating func apply(_ names: [String], now: Int64, seconds: Int64) -> [Action] {
        let found = names.compactMap(Revocation.init(name:))
        var next = RevocationList(found)
        let needless = next.tidy(now: seconds)
        var actions = complain(names, found.count)
        if next != list || !hasList {
            hasList = true
            list = next
            actions.append(.publish(next))
        }
        if !needless.isEmpty, deletesFrom <= now {
            deletesFrom = now + Self.deletePauseMilliseconds
            actions.append(.delete(Array(needless.prefix(Self.deletedAtOnceMax))))
        }
        let pause = needless.isEmpty ? Self.lookMilliseconds : Self.deletePauseMilliseconds
        step = .resting(until: now + (isStale ? Self.readPauseMilliseconds : pause))
        return actions
    }

    /// What does not belong there keeps nobody from heeding the rest.
    private mutating func complain(_ names: [String], _ found: Int) -> [Action] {
        let garbage = found == names.count ? [] : names.filter { Revocation(name: $0) == nil }.sorted()
        defer { lastGarbage = garbage }
        var actions: [Action] = []
        if !garbage.isEmpty, garbage != lastGarbage {
            // The literal form, because it might be anything.
            let named = garbage.prefix(Self.garbageNamedMax).map { $0.debugDescription }.joined(separator: ", ")
            actions.append(.warn("\(garbage.count) names among the revocations are none and are ignored: \(named)"))
        }
        if found > RevocationList.takenMax, !hasList || list.count < RevocationList.takenMax {
            actions.append(.warn("there are \(found) revocations; the \(RevocationList.takenMax) that last longest are in force"))
        }
        return actions
    }
}

/// Why something could not be revoked.
public enum RevocationFailure: Error, Hashable, Sendable {
    /// There are ``RevocationList/countMax`` already. Nothing was revoked.
    case full
    /// The API key, which is limited to names, has made ``RevocationList/madeByOneMax``. Nothing was revoked.
    case keyFull
    /// ZooKeeper can't be asked, or has not answered: it was revoked or not. Asking again is right.
    case unavailable(String)
    /// The token's id is empty or too long. Nothing was revoked.
    case badTokenID
    /// The key's id is empty or too long. Nothing was revoked.
    case badKeyID
    /// It could not be written to the file that keeps it over a restart. Nothing was revoked.
    case notKept(String)

    /// A sentence for the operator.
    public var message: String {
        switch self {
        case .full:
            "there are \(RevocationList.countMax) revocations already; ask again when some have expired, or give shorter lives to tokens"
        case .keyFull:
            "this API key, which is limited to names, has made \(RevocationList.madeByOneMax) revocations that hold; ask again when some "
                + "have expired, or ask an operator whose key is limited to none"
        case .unavailable(let reason): "ZooKeeper can't be asked now, so it may have been revoked or not; ask again: \(reason)"
        case .badTokenID: "a token's id takes 1 to \(Revocation.tokenIDBytesMax) bytes"
        case .badKeyID: "a key's id takes 1 to \(Revocation.keyIDBytesMax) bytes"
        case .notKept(let reason): "nothing was revoked, because it would be forgotten at the next restart: \(reason)"
        }
    }
}
