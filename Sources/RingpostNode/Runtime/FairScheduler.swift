// Whose requests are looked at when. Who pipelines, and who comes in a crowd, is no reason for all others to wait: an event loop looks at
// so many requests, then at all its sockets again. Who is there already goes before those that come, and a socket whose request has just come
// before those that have had a slice. Other work that comes in slices goes on with the next turn, too.
import DequeModule
import NIOCore

struct FairScheduler {
    /// Requests of all sockets before others have their turn: HTTP's, and WebSockets' frames.
    static let requestsMax = 16
    /// Requests of one socket before another one has its turn.
    static let sliceRequestsMax = 8
    /// Channels that cost as much to listen to as a request does; names of channels that do to be read; and bytes that do.
    static let (channelsARequest, namesARequest, bytesARequest) = (4, 16, 4_096)
    /// Sessions of sockets that had many and are gone: so many end in a turn, as many as may begin in one.
    static let endingsMax = requestsMax * channelsARequest
    /// Where there is no bell (yet), a turn begins a moment after the one before has ended.
    static let pause = TimeAmount.microseconds(50)

    /// What a socket waits with.
    enum Standing {
        /// A request that has just come, on a connection that has been served before.
        case fresh
        /// The first request of its connection.
        case newcomer
        /// The rest of what it has sent: it has had a slice.
        case resting
    }

    private var taken = 0
    private var fresh: Deque<Connection> = []
    private var newcomers: Deque<Connection> = []
    private var resting: Deque<Connection> = []
    private var isNewcomersTurn = false
    /// In this turn.
    private var hasServedOther = false
    private var work: [() -> Void] = []
    private var ending: Deque<Subscription> = []
    private var isScheduled = false

    var isOver: Bool { taken >= Self.requestsMax }
    /// A crowd that comes takes no more than half of a turn from those who are there, and nobody in it is served before others in it.
    var isOverForNewcomers: Bool { taken >= Self.requestsMax / 2 || !newcomers.isEmpty }

    fileprivate mutating func take(_ count: Int) { taken += count }

    fileprivate mutating func append(_ socket: Connection, _ standing: Standing) {
        switch standing {
        case .fresh: fresh.append(socket)
        case .newcomer: newcomers.append(socket)
        case .resting: resting.append(socket)
        }
    }

    fileprivate mutating func append(_ work: @escaping () -> Void) { self.work.append(work) }
    fileprivate mutating func append(_ subscription: Subscription) { ending.append(subscription) }

    /// The next one of this turn; `nil` when it is over, or nobody waits. Half of a turn is of those whose requests are fresh, the other half
    /// of newcomers and those who rest, each in turn: none of the three can keep another one waiting for good. One of these is served also
    /// where a large request has taken more than its half.
    fileprivate mutating func next() -> Connection? {
        if isOver { return hasServedOther ? nil : nextOther() }
        return taken < Self.requestsMax / 2 ? fresh.popFirst() ?? nextOther() : nextOther() ?? fresh.popFirst()
    }

    private mutating func nextOther() -> Connection? {
        hasServedOther = true
        isNewcomersTurn.toggle()
        return isNewcomersTurn ? newcomers.popFirst() ?? resting.popFirst() : resting.popFirst() ?? newcomers.popFirst()
    }

    /// - Parameter hasMore: there is more to do than what is known here.
    /// - Returns: true when another turn has to be scheduled.
    fileprivate mutating func end(hasMore: Bool) -> Bool {
        taken = 0
        let isIdle = fresh.isEmpty && newcomers.isEmpty && resting.isEmpty && work.isEmpty && ending.isEmpty
        if isScheduled || isIdle && !hasMore { return false }
        isScheduled = true
        return true
    }

    fileprivate mutating func begin() {
        isScheduled = false
        hasServedOther = false
    }

    fileprivate mutating func takeEnding() -> [Subscription] {
        defer { ending.removeFirst(min(Self.endingsMax, ending.count)) }
        return Array(ending.prefix(Self.endingsMax))
    }

    fileprivate mutating func takeWork() -> [() -> Void] {
        defer { work = [] }
        return work
    }
}

extension Shard {
    /// A request, or a frame, of so many bytes is looked at now.
    func onRequest(bytes: Int = 0) { spendTurn(requests: 1 + bytes / FairScheduler.bytesARequest) }

    /// What is done now costs as much as so many requests.
    func spendTurn(requests: Int) {
        scheduler.take(requests)
        scheduleFlush()
    }

    /// The session's socket is gone, or takes no more, and had many: it ends in one of the next turns.
    func stopLater(_ subscription: Subscription) {
        scheduler.append(subscription)
        scheduleFlush()
    }

    /// The socket has more requests than are looked at now.
    func rest(_ socket: Connection, _ standing: FairScheduler.Standing) {
        scheduler.append(socket, standing)
        scheduleFlush()
    }

    /// The rest of something large: it goes on when all sockets have been looked at.
    func inNextTurn(_ work: @escaping () -> Void) {
        scheduler.append(work)
        scheduleFlush()
    }

    /// All sockets that have been written to are flushed.
    func endTurn() {
        guard scheduler.end(hasMore: !late.isEmpty) else { return }
        if let waker { return waker.ring() }
        eventLoop.assumeIsolated().scheduleTask(in: FairScheduler.pause) { self.beginTurn() }
    }

    func beginTurn() {
        scheduler.begin()
        // What came from elsewhere meanwhile doesn't wait for this turn's end.
        flushNow()
        // What would be written on top of what is late would only make it later.
        if late.isEmpty { for piece in scheduler.takeWork() { piece() } }
        for subscription in scheduler.takeEnding() { subscription.stop() }
        scheduleFlush()
        while let socket = scheduler.next() { socket.goOn() }
    }
}
