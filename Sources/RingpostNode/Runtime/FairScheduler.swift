// Which connection's requests are handled next. A client that pipelines requests, and clients that connect in a crowd, do not make all others
// wait: the event loop handles so many requests, then reads from all its connections again. Connections that have been served before go
// before new ones, and a request that has just arrived goes before those of a connection that has had its slice. Other work that comes in
// slices goes on with the next turn, too.
import DequeModule
import NIOCore

/// What ends in slices, because many of it may end at once.
protocol StopsInTurn: AnyObject {
    func stop()
}

struct FairScheduler {
    /// Requests of all connections before the event loop reads again: HTTP's, and WebSockets' frames.
    static let requestsMax = 16
    /// Requests of one connection before another one has its turn.
    static let sliceRequestsMax = 8
    /// Channels that cost as much to listen to as a request does; names of channels that do to be read; and bytes that do.
    static let (channelsARequest, namesARequest, bytesARequest) = (4, 16, 4_096)
    /// A token whose signature is checked costs as much as so many requests.
    static let requestsASignature = 4
    /// Subscriptions that end in a turn where a connection that had many is gone: as many as may begin in one.
    static let endingsMax = requestsMax * channelsARequest
    /// Connections that read once more in a turn, only to drop what they read.
    static let droppingMax = 8
    /// Bytes that all closing connections drop in a turn. Beyond it those are closed at once of which NIO reads unasked.
    static let droppedBytesMax = 512 * 1_024
    /// Where there is no ``LoopWaker`` (yet), a turn begins a moment after the one before has ended.
    static let pause = TimeAmount.microseconds(50)

    /// Why a connection waits.
    enum Standing {
        /// A request has just arrived, on a connection that has been served before.
        case fresh
        /// The first request of its connection has arrived.
        case newcomer
        /// It has had its slice, and has sent more.
        case resting
    }

    private var handled = 0
    private var fresh: Deque<Connection> = []
    private var newcomers: Deque<Connection> = []
    private var resting: Deque<Connection> = []
    private var isNewcomersTurn = false
    /// In this turn a newcomer or a resting connection has had its chance, and a fresh one.
    private var (hasServedOther, hasServedFresh) = (false, false)
    private var work: [() -> Void] = []
    private var endings: Deque<any StopsInTurn> = []
    private var dropping: Deque<Connection> = []
    private var droppedBytes = 0
    private var isScheduled = false

    /// This turn handles no more requests.
    var isOver: Bool { handled >= Self.requestsMax }
    /// New connections get no more than half of a turn, and are served in the order in which they came: one that comes while others wait,
    /// waits behind them.
    var isOverForNewcomers: Bool { handled >= Self.requestsMax / 2 || !newcomers.isEmpty }

    /// So many requests, or as much other work, are handled now.
    mutating func spend(requests: Int) { handled += requests }

    mutating func append(_ connection: Connection, _ standing: Standing) {
        switch standing {
        case .fresh: fresh.append(connection)
        case .newcomer: newcomers.append(connection)
        case .resting: resting.append(connection)
        }
    }

    /// Work of the next turn.
    mutating func append(_ work: @escaping () -> Void) { self.work.append(work) }
    mutating func append(_ ending: any StopsInTurn) { endings.append(ending) }
    mutating func append(dropping connection: Connection) { dropping.append(connection) }

    /// - Returns: false where that is more than a turn has time for.
    mutating func spendDrop(bytes: Int) -> Bool {
        droppedBytes += bytes
        return droppedBytes <= Self.droppedBytesMax
    }

    /// The connection that this turn serves next; `nil` when the turn is over, or none waits. Half of a turn goes to fresh requests, the other
    /// half to newcomers and resting connections in turn, so that none of the three keeps another one waiting for ever. One of the
    /// others and one fresh connection are served even where the turn is used up: by a large request, or by what was read before it began.
    mutating func next() -> Connection? {
        if isOver {
            if !hasServedOther, let other = nextOther() { return other }
            return hasServedFresh ? nil : nextFresh()
        }
        return handled < Self.requestsMax / 2 ? nextFresh() ?? nextOther() : nextOther() ?? nextFresh()
    }

    private mutating func nextFresh() -> Connection? {
        hasServedFresh = true
        return fresh.popFirst()
    }

    private mutating func nextOther() -> Connection? {
        hasServedOther = true
        isNewcomersTurn.toggle()
        return isNewcomersTurn ? newcomers.popFirst() ?? resting.popFirst() : resting.popFirst() ?? newcomers.popFirst()
    }

    /// The turn ends.
    ///
    /// - Parameter hasMore: there is more to do than is known here.
    /// - Returns: true when another turn has to be scheduled.
    mutating func end(hasMore: Bool) -> Bool {
        (handled, droppedBytes) = (0, 0)
        let isIdle = fresh.isEmpty && newcomers.isEmpty && resting.isEmpty && work.isEmpty && endings.isEmpty && dropping.isEmpty
        if isScheduled || isIdle && !hasMore { return false }
        isScheduled = true
        return true
    }

    mutating func begin() {
        isScheduled = false
        (hasServedOther, hasServedFresh) = (false, false)
    }

    /// The endings of this turn.
    mutating func removeEndings() -> [any StopsInTurn] {
        defer { endings.removeFirst(min(Self.endingsMax, endings.count)) }
        return Array(endings.prefix(Self.endingsMax))
    }

    /// Those that read once more in this turn. Who is gone by now takes no place of theirs.
    mutating func removeDropping() -> [Connection] {
        var next: [Connection] = []
        while next.count < Self.droppingMax, let connection = dropping.popFirst() {
            if connection.isOpen { next.append(connection) }
        }
        return next
    }

    mutating func removeWork() -> [() -> Void] {
        defer { work = [] }
        return work
    }
}
