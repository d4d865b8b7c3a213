// Decides everything about one HTTP/1.1 connection: when its bytes are parsed and when they wait, how long a request may take to arrive, in
// what order answers leave, and with which of them the connection ends. It sees no byte: what is owed and what is ready are the shell's.
import DequeModule

/// - Note: `Owed` is what an answer waits for, `Ready` is an answer that can leave.
struct HTTPConnectionMachine<Owed, Ready> {
    struct Limits {
        /// Requests that wait for their answer; then bytes wait.
        var pipelinedMax: Int
        /// Of them those whose answers may be large.
        var largeMax: Int
        /// Bytes that are read ahead while the connection waits for its turn.
        var aheadBytesMax: Int
        /// Requests that are looked at before other connections have their turn.
        var sliceRequestsMax: Int
        var headMilliseconds: Int64
        var requestMilliseconds: Int64
        var keepAliveMilliseconds: Int64
    }

    /// What of a request is here.
    private enum Input {
        /// Nothing; the next request must begin by then. Can transition to `head`, `body` and `ended`.
        case idle(until: Int64)
        /// A part of its head, which must be whole by then. Can transition to `body` and `ended`.
        case head(until: Int64)
        /// Its head; the request must be whole by then. Can transition to `idle` and `ended`.
        case body(until: Int64)
        /// No other request is taken: what comes is dropped.
        case ended
    }

    /// Whether bytes are parsed now.
    private enum Turn: Equatable {
        /// As soon as they come; so many requests of this slice have been. Can transition to `parsing` and `resting`.
        case ready(served: Int)
        /// They are being parsed: an answer that is given meanwhile doesn't begin that again. Can transition to all others.
        case parsing(served: Int)
        /// When the fair scheduler says so. Can transition to `ready`.
        case resting
        /// When a request is done that takes several turns. Can transition to `ready`.
        case working
    }

    /// How long the connection stays.
    private enum Course {
        /// As long as the client wants. Can transition to `single` before its first request, and to `leaving`.
        case staying
        /// For one request, and until then at the latest, whatever has come or has been answered.
        case single(until: Int64)
        /// Until the next answer behind which no request is arriving.
        case leaving
    }

    private enum Client {
        case sending
        /// It has closed its side: what is here is answered, and that is all.
        case finished
    }

    enum Flow: Equatable {
        case reading
        case paused
    }

    struct Answer {
        enum State {
            /// Can transition to itself and to `ready`.
            case owed(Owed, mayBeLarge: Bool)
            case ready(Ready, bytes: Int)
        }
        fileprivate(set) var state: State
        /// Another answer may follow.
        fileprivate var persists: Bool
    }

    private let limits: Limits
    private var input: Input
    private var turn = Turn.ready(served: 0)
    private var course = Course.staying
    private var client = Client.sending
    /// No request has been let in yet for which it matters how the node is: who only asks that, stays new.
    private(set) var isNew = true
    private var flow = Flow.reading
    private var answers: Deque<Answer> = []
    /// Answers under way that may be large.
    private var largeCount = 0
    /// Of answers that wait behind an earlier one.
    private(set) var readyBytes = 0
    /// Of the first answer that has not left.
    private(set) var firstNumber: UInt64 = 0

    init(limits: Limits, now: Int64) {
        self.limits = limits
        input = .idle(until: now + limits.headMilliseconds)
    }

    // MARK: Questions

    var answerCount: Int { answers.count }
    var isPaused: Bool { flow == .paused }
    /// What comes is dropped.
    var hasEnded: Bool { if case .ended = input { true } else { false } }
    var isWorking: Bool { turn == .working }
    var clientHasFinished: Bool { client == .finished }
    var hasAsManyAsItMay: Bool { answers.count >= limits.pipelinedMax || largeCount >= limits.largeMax }
    /// Behind what is under way much may come to wait, or waits already.
    var mayHoldMuch: Bool { largeCount > 0 || readyBytes > 0 }

    /// It has been let in for one request.
    var isSingle: Bool { if case .single = course { true } else { false } }
    private var isLeaving: Bool { if case .leaving = course { true } else { false } }
    /// It has been let in for one request, and no answer follows.
    var isSpent: Bool { isSingle && hasEnded && answers.isEmpty }

    private var isArriving: Bool {
        switch input {
        case .head, .body: true
        case .idle, .ended: false
        }
    }

    /// - Parameter isCrowded: more bytes wait for the client, or behind an earlier answer, than may.
    func isFull(isCrowded: Bool) -> Bool { hasAsManyAsItMay || isCrowded }

    private func index(of number: UInt64) -> Int? {
        number >= firstNumber && number - firstNumber < UInt64(answers.count) ? Int(number - firstNumber) : nil
    }

    /// What the answer waits for; `nil` once it is there.
    func owed(_ number: UInt64) -> Owed? {
        guard let index = index(of: number), case .owed(let owed, _) = answers[index].state else { return nil }
        return owed
    }

    /// All that answers wait for, in their order.
    var allOwed: [Owed] { answers.compactMap { if case .owed(let owed, _) = $0.state { owed } else { nil } } }

    /// Notes what the answer waits for now, and whether it may be large.
    mutating func setOwed(_ number: UInt64, _ owed: Owed, mayBeLarge: Bool) {
        guard let index = index(of: number), case .owed(_, let mightBeLarge) = answers[index].state else { return }
        answers[index].state = .owed(owed, mayBeLarge: mayBeLarge)
        if mayBeLarge != mightBeLarge { largeCount += mayBeLarge ? 1 : -1 }
    }

    /// The answer leaves, or another one takes its place.
    private mutating func uncount(_ answer: Answer) {
        switch answer.state {
        case .owed(_, let mayBeLarge): if mayBeLarge { largeCount -= 1 }
        case .ready(_, let bytes): readyBytes -= bytes
        }
    }

    private mutating func removeAllAnswers() {
        answers.removeAll()
        (largeCount, readyBytes) = (0, 0)
    }

    // MARK: Bytes

    enum Next: Equatable {
        case parse
        case rest(FairScheduler.Standing)
        case wait
    }

    /// Bytes have come, or there is room again for what was here.
    mutating func onBytes(turnIsOver: Bool, turnIsOverForNewcomers: Bool) -> Next {
        switch turn {
        case .parsing, .resting, .working: return .wait
        case .ready(0) where isNew ? turnIsOverForNewcomers : turnIsOver:
            turn = .resting
            return .rest(isNew ? .newcomer : .fresh)
        case .ready: return .parse
        }
    }

    mutating func beginParsing() {
        if case .ready(let served) = turn { turn = .parsing(served: served) }
    }

    /// The next part of a request may be looked at.
    func parses(isCrowded: Bool) -> Bool {
        guard case .parsing = turn, !hasEnded else { return false }
        return !isFull(isCrowded: isCrowded)
    }

    /// A request's head is here.
    mutating func onHead(now: Int64) {
        switch input {
        case .idle: input = .body(until: now + limits.requestMilliseconds)
        case .head(let until): input = .body(until: until + limits.requestMilliseconds - limits.headMilliseconds)
        case .body, .ended: break
        }
    }

    /// A request has come for which it matters how the node is, and may be handled: so may those that follow.
    mutating func letIn() { isNew = false }

    /// A request is whole; returns its number.
    ///
    /// - Parameters:
    ///   - mayBeLarge: its answer may be, as far as is known.
    ///   - persists: the client wants to send another one.
    mutating func onRequest(_ owed: Owed, mayBeLarge: Bool, persists: Bool, isMoving: Bool, now: Int64) -> UInt64 {
        let persists = persists && !isSingle
        input = persists ? .idle(until: now + limits.keepAliveMilliseconds) : .ended
        // While the node's clients go elsewhere, the next request belongs there too. What is pipelined already is answered here.
        if isMoving { beginLeaving() }
        answers.append(Answer(state: .owed(owed, mayBeLarge: mayBeLarge), persists: persists))
        if mayBeLarge { largeCount += 1 }
        return firstNumber + UInt64(answers.count - 1)
    }

    /// One request more in this slice; behind the last one the next slice comes when others have had their turn. A connection whose bytes
    /// are all read begins a slice anew.
    ///
    /// - Returns: whether the connection has to wait for that.
    mutating func spendSlice(hasMore: Bool, turnIsOver: Bool) -> Bool {
        guard case .parsing(let served) = turn else { return false }
        let count = hasMore ? served + 1 : 0
        let rests = count >= limits.sliceRequestsMax || count > 0 && turnIsOver
        turn = rests ? .resting : .parsing(served: count)
        return rests
    }

    /// The parser has stopped.
    ///
    /// - Parameters:
    ///   - needsMore: because bytes are missing.
    ///   - hasBytes: of a request that is not whole.
    /// - Returns: true where the connection ends now.
    mutating func onParsed(needsMore: Bool, hasBytes: Bool, now: Int64) -> Bool {
        if case .parsing(let served) = turn { turn = .ready(served: served) }
        guard needsMore, !hasEnded else { return false }
        if client == .finished {
            input = .ended
            if answers.isEmpty { return true }
            answers[answers.count - 1].persists = false
        } else if hasBytes, case .idle = input {
            input = .head(until: now + limits.headMilliseconds)
        }
        return false
    }

    /// The connection's turn has come.
    mutating func onTurn() {
        if turn == .resting { turn = .ready(served: 0) }
    }

    /// The request that came last takes several turns: what is behind it waits.
    ///
    /// - Returns: true if the connection has to ask for its next turn; otherwise it has done that already.
    mutating func beginWork() -> Bool {
        defer { turn = .working }
        return turn != .resting && turn != .working
    }

    mutating func endWork() {
        if turn == .working { turn = .ready(served: 0) }
    }

    /// Whether more is to be read from the socket; `nil` where that stays as it is. Of a newcomer that waits nothing more is read: a crowd of
    /// them would keep the event loop busy with that alone.
    mutating func onBuffered(bytes: Int, isCrowded: Bool) -> Flow? {
        let waits = turn == .resting || turn == .working
        let next: Flow = isFull(isCrowded: isCrowded) || waits && (isNew || bytes >= limits.aheadBytesMax) ? .paused : .reading
        if next == flow { return nil }
        flow = next
        return next
    }

    // MARK: Answers

    /// Whether another answer may follow the one of that number; `nil` where nobody waits for it.
    mutating func persistence(of number: UInt64) -> Bool? {
        guard let index = index(of: number), case .owed = answers[index].state else { return nil }
        // The last one says so. A request behind it has not been looked at: the client may send it again elsewhere.
        if isLeaving, index == answers.count - 1 {
            if case .body = input {} else { endBehindLast() }
        }
        return answers[index].persists
    }

    private mutating func endBehindLast() {
        answers[answers.count - 1].persists = false
        input = .ended
    }

    mutating func onAnswer(_ number: UInt64, _ ready: Ready, bytes: Int) {
        guard let index = index(of: number) else { return }
        uncount(answers[index])
        answers[index].state = .ready(ready, bytes: bytes)
        readyBytes += bytes
    }

    /// The next answer that can leave, and whether the connection ends with it.
    mutating func nextReady() -> (ready: Ready, isLast: Bool)? {
        guard let first = answers.first, case .ready(let ready, _) = first.state else { return nil }
        uncount(answers.removeFirst())
        firstNumber += 1
        if !first.persists {
            removeAllAnswers()
            input = .ended
        }
        return (ready, !first.persists)
    }

    /// The hot way: an answer that is next, and behind which the connection goes on, leaves without having been kept.
    ///
    /// - Returns: true if it is; then it counts as gone.
    mutating func passes(_ number: UInt64) -> Bool {
        guard number == firstNumber, case .staying = course, let first = answers.first, first.persists, case .owed = first.state else {
            return false
        }
        uncount(answers.removeFirst())
        firstNumber += 1
        return true
    }

    /// The request can't be read, so nothing after it can: its answer is the last one.
    ///
    /// - Returns: the answer's number; `nil` where no other request is taken anyway.
    mutating func refuse(_ owed: Owed) -> UInt64? {
        if hasEnded { return nil }
        input = .ended
        answers.append(Answer(state: .owed(owed, mayBeLarge: false), persists: false))
        return firstNumber + UInt64(answers.count - 1)
    }

    // MARK: Ends

    /// It has been let in for one request, although there are as many connections as there may be.
    mutating func beginSingle(until: Int64) { course = .single(until: until) }

    enum Overdue: Equatable {
        case nothing
        case close
        /// A request has not arrived in time.
        case refuse(hasHead: Bool)
    }

    func onDeadline(now: Int64, hasBytes: Bool, isCrowded: Bool) -> Overdue {
        if case .single(let until) = course { return now >= until ? .close : .nothing }
        // The rest of the request may be here, and waits for the answers before it.
        if isArriving, !answers.isEmpty, isFull(isCrowded: isCrowded) { return .nothing }
        return switch input {
        case .idle(let until): now >= until && answers.isEmpty && !hasBytes ? .close : .nothing
        case .head(let until): now >= until ? .refuse(hasHead: false) : .nothing
        case .body(let until): now >= until ? .refuse(hasHead: true) : .nothing
        case .ended: .nothing
        }
    }

    /// The client has closed its side. What it has sent is parsed once more, if only to see that nothing is missing.
    mutating func onInputClosed() { client = .finished }

    /// The client belongs elsewhere.
    ///
    /// - Returns: true if nothing is under way, so that the connection can end now.
    mutating func leave() -> Bool {
        beginLeaving()
        return answers.isEmpty && !isArriving
    }

    /// One that is here for a single request leaves sooner than this would make it.
    private mutating func beginLeaving() {
        if !isSingle { course = .leaving }
    }

    /// The node stops. A request that is arriving may arrive, as long as the node waits for its sockets.
    ///
    /// - Returns: true if nothing is under way, so that the connection can end now.
    mutating func stop() -> Bool {
        if leave() { return true }
        if case .body = input {} else if !answers.isEmpty { endBehindLast() }
        return false
    }

    /// Nothing else is under way, so that the connection may become a stream.
    func mayBecomeStream(_ number: UInt64) -> Bool { number == firstNumber && answers.count == 1 }

    /// The connection is another protocol's from now on, or gone; returns what was owed.
    mutating func end() -> [Owed] {
        input = .ended
        defer { removeAllAnswers() }
        return allOwed
    }
}
