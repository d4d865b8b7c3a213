// Collects one page of a history. The owner answers in pieces, so that no event loop is held for a whole page, and may change while they are
// asked for: a piece that doesn't continue the ones before it ends the page, and the next page begins there.

/// One page that is being read.
public struct HistoryPager: Sendable {
    /// How long to wait before asking again where there is no owner just now.
    public static let retryMilliseconds: Int64 = 100
    /// An owner that does not answer for so long is asked again.
    public static let answerMillisecondsMax: Int64 = 700

    enum State: Equatable, Sendable {
        /// Asked the owner. Can transition to asking, waiting, over.
        case asking(since: Int64)
        /// The owner was away, or has refused. Can transition to asking, over.
        case waiting(until: Int64)
        /// Answered. Final.
        case over
    }

    /// What was asked for.
    public let query: HistoryQuery
    private(set) var state: State = .over
    private let deadline: Int64
    /// In the order in which they came: of a page that is read backwards the newest piece is the first one.
    private var pieces: [[StoredMessage]] = []
    private var count = 0
    private var bytes = 0
    /// Where the next piece begins; `nil` before the first.
    private var place: Cursor?
    private var gap = false
    /// The last word of an owner that could not answer.
    private var trouble = Problem.ownerUnreachable

    /// - Parameters:
    ///   - query: what to read.
    ///   - now: the present time.
    public init(_ query: HistoryQuery, now: Int64) {
        self.query = query
        deadline = now + HistoryQuery.millisecondsMax
    }

    /// What the shell has to do.
    public enum Action: Equatable, Sendable {
        case nothing
        /// Ask the owner, under a new number.
        case ask(AttachStart, countMax: UInt16)
        case finish(HistoryPage)
        case refuse(Problem)
    }

    /// Asks for the next piece.
    public mutating func ask(now: Int64) -> Action {
        state = .asking(since: now)
        let start = place.map { query.isBackwards ? AttachStart.before($0) : .after($0) } ?? query.start
        return .ask(start, countMax: UInt16(clamping: query.countMax - count))
    }

    /// The owner answers the current question.
    public mutating func onReply(_ reply: AttachReply, now: Int64) -> Action {
        guard case .asking = state else { return .nothing }
        return query.isBackwards ? onBackwards(reply, now: now) : onForwards(reply, now: now)
    }

    /// The owner can't answer, or is gone.
    public mutating func onRefusal(_ problem: Problem, now: Int64) -> Action {
        guard case .asking = state else { return .nothing }
        trouble = problem
        guard problem.isWorthARetry else { return refuse() }
        state = .waiting(until: now + Self.retryMilliseconds)
        return .nothing
    }

    /// Asks again where it is time to, and gives up in the end.
    public mutating func onTick(now: Int64) -> Action {
        switch state {
        case .over: return .nothing
        case .asking, .waiting: if now >= deadline { return refuse() }
        }
        switch state {
        case .asking(let since) where now - since >= Self.answerMillisecondsMax: return ask(now: now)
        case .waiting(let until) where now >= until: return ask(now: now)
        case .asking, .waiting, .over: return .nothing
        }
    }

    /// Pieces that are here are a page all the same: what is missing comes with the next one.
    private mutating func refuse() -> Action {
        if let place { return finish(next: place, hasMore: true) }
        state = .over
        return .refuse(trouble)
    }

    private mutating func onForwards(_ reply: AttachReply, now: Int64) -> Action {
        if let place {
            // A gap is told at the beginning of a page, so it begins one.
            if reply.gap || reply.incarnation != place.incarnation { return finish(next: place, hasMore: true) }
        } else {
            gap = reply.gap
        }
        let through = Cursor(incarnation: reply.incarnation, sequence: reply.through)
        guard let end = query.end else {
            take(reply.messages)
            return goOn(at: through, hasMore: reply.hasMore, now: now)
        }
        if end.incarnation != reply.incarnation {
            // The end was in another life of the mailbox: all that is here comes after it.
            gap = true
            return finish(next: Cursor(incarnation: reply.incarnation, sequence: reply.from), hasMore: false)
        }
        take(reply.messages.filter { $0.sequence < end.sequence })
        let last = end.sequence == 0 ? 0 : end.sequence - 1
        let stop = Cursor(incarnation: reply.incarnation, sequence: min(reply.through, max(reply.from, last)))
        return goOn(at: stop, hasMore: reply.hasMore && reply.through < last, now: now)
    }

    private mutating func onBackwards(_ reply: AttachReply, now: Int64) -> Action {
        let next = Cursor(incarnation: reply.incarnation, sequence: reply.from &+ 1)
        if let place, reply.incarnation != place.incarnation {
            // The mailbox has begun anew meanwhile: nothing that is older than this page is kept.
            gap = true
            return finish(next: place, hasMore: false)
        }
        gap = gap || reply.gap
        take(reply.messages)
        return goOn(at: next, hasMore: reply.hasMore, now: now)
    }

    private mutating func take(_ messages: [StoredMessage]) {
        let messages = query.isBackwards ? messages.suffix(query.countMax - count) : messages.prefix(query.countMax - count)
        if messages.isEmpty { return }
        pieces.append(Array(messages))
        count += messages.count
        bytes += messages.reduce(0) { $0 + $1.envelope.count }
    }

    private mutating func goOn(at next: Cursor, hasMore: Bool, now: Int64) -> Action {
        let hasMoved = next != place
        place = next
        if hasMore, hasMoved, count < query.countMax, bytes < HistoryQuery.bytesMax { return ask(now: now) }
        return finish(next: next, hasMore: hasMore)
    }

    private mutating func finish(next: Cursor, hasMore: Bool) -> Action {
        state = .over
        let messages = (query.isBackwards ? pieces.reversed() : pieces).flatMap { $0 }
        return .finish(HistoryPage(messages: messages, next: next, hasMore: hasMore, gap: gap))
    }
}
