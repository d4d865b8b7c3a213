// Whose requests are looked at when. Who pipelines, and who comes in a crowd, is no reason for all others to wait: an event loop looks at
// so many requests, then at all its sockets again. A socket whose request has just come goes before those that have had a slice. Other work
// that comes in slices goes on with the next turn, too.
import DequeModule
import NIOCore

struct RequestTurns {
    /// Requests of all sockets before others have their turn: HTTP's, and WebSockets' frames.
    static let requestsMax = 16
    /// Requests of one socket before another one has its turn.
    static let sliceRequestsMax = 8
    /// Channels that cost as much to listen to as a request does.
    static let channelsARequest = 4
    /// Sessions of sockets that had many and are gone: so many end in a turn, as many as may begin in one.
    static let endingsMax = requestsMax * channelsARequest
    /// Where there is no bell (yet), a turn begins a moment after the one before has ended.
    static let pause = TimeAmount.microseconds(50)

    private var taken = 0
    private var fresh: Deque<LoopSocket> = []
    private var resting: Deque<LoopSocket> = []
    private var work: [() -> Void] = []
    private var ending: Deque<EdgeSession> = []
    private var isScheduled = false

    var isOver: Bool { taken >= Self.requestsMax }

    fileprivate mutating func take(_ count: Int) { taken += count }

    fileprivate mutating func append(_ socket: LoopSocket, isFresh: Bool) {
        if isFresh { fresh.append(socket) } else { resting.append(socket) }
    }

    fileprivate mutating func append(_ work: @escaping () -> Void) { self.work.append(work) }
    fileprivate mutating func append(_ session: EdgeSession) { ending.append(session) }

    /// The next one of this turn; `nil` when it is over, or nobody waits.
    fileprivate mutating func next() -> LoopSocket? { isOver ? nil : fresh.popFirst() ?? resting.popFirst() }

    /// - Parameter hasMore: there is more to do than what is known here.
    /// - Returns: true when another turn has to be scheduled.
    fileprivate mutating func end(hasMore: Bool) -> Bool {
        taken = 0
        if isScheduled || fresh.isEmpty && resting.isEmpty && work.isEmpty && ending.isEmpty && !hasMore { return false }
        isScheduled = true
        return true
    }

    fileprivate mutating func begin() { isScheduled = false }

    fileprivate mutating func takeEnding() -> [EdgeSession] {
        defer { ending.removeFirst(min(Self.endingsMax, ending.count)) }
        return Array(ending.prefix(Self.endingsMax))
    }

    fileprivate mutating func takeWork() -> [() -> Void] {
        defer { work = [] }
        return work
    }
}

extension NodeLoop {
    /// A request is looked at now.
    ///
    /// - Parameter count: as many as it costs.
    func onRequest(count: Int = 1) {
        turns.take(count)
        scheduleFlush()
    }

    /// The session's socket is gone, or takes no more, and had many: it ends in one of the next turns.
    func stopLater(_ session: EdgeSession) {
        turns.append(session)
        scheduleFlush()
    }

    /// The socket has more requests than are looked at now.
    func rest(_ socket: LoopSocket, isFresh: Bool) {
        turns.append(socket, isFresh: isFresh)
        scheduleFlush()
    }

    /// The rest of something large: it goes on when all sockets have been looked at.
    func inNextTurn(_ work: @escaping () -> Void) {
        turns.append(work)
        scheduleFlush()
    }

    /// All sockets that have been written to are flushed.
    func endTurn() {
        guard turns.end(hasMore: !late.isEmpty) else { return }
        if let bell { return bell.ring() }
        eventLoop.assumeIsolated().scheduleTask(in: RequestTurns.pause) { self.beginTurn() }
    }

    func beginTurn() {
        turns.begin()
        // What came from elsewhere meanwhile doesn't wait for this turn's end.
        flushNow()
        // What would be written on top of what is late would only make it later.
        if late.isEmpty { for piece in turns.takeWork() { piece() } }
        for session in turns.takeEnding() { session.stop() }
        scheduleFlush()
        while let socket = turns.next() { socket.goOn() }
    }
}
