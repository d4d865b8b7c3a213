// Decides whether one shard takes another client: at most so many a second, and none at all once the node asks its clients to go elsewhere.
// It is asked before anything is made for a client, so that a refusal stays cheap.
import RingpostCore

/// Used on its shard only, which makes it safe to keep in the node's context.
final class AdmissionController: @unchecked Sendable {
    /// Clients that can't be served for a while are told to come back spread over so long.
    static let troubleMilliseconds = 2_000
    /// A poll waits no longer than this while the node's clients go elsewhere; it is told where, and comes back there.
    static let pollSecondsWhileMoving = 1

    private var gate: AdmissionGate
    private var told: UInt64 = 0
    /// Set while the clients go elsewhere: other nodes' client addresses.
    private(set) var elsewhere: [String]?
    /// The order came for the whole node: a shard that only acted for itself does not take it back.
    private var isOrdered = false
    /// When each connection of `leaving` is asked to go, until all have been asked.
    private var plan: SocketMove?
    private var leaving: [Connection] = []

    init(limits: NodeLimits, shardCount: Int) {
        let rate = limits.connectionsPerSecond ?? AdmissionGate.ratePerSecondDefault * shardCount
        let burst = limits.connectionsBurst ?? rate * AdmissionGate.burstSecondsDefault
        gate = AdmissionGate(ratePerSecond: rate, burst: burst, share: shardCount)
    }

    var isMoving: Bool { elsewhere != nil }

    func beginMoving(to elsewhere: [String], _ plan: SocketMove, _ leaving: [Connection], isOrdered: Bool) {
        self.isOrdered = isOrdered
        self.elsewhere = elsewhere
        self.plan = plan
        self.leaving = leaving
    }

    func stopMoving(isOrdered: Bool) {
        if self.isOrdered, !isOrdered { return }
        self.isOrdered = false
        elsewhere = nil
        plan = nil
        leaving = []
    }

    /// The connections whose turn it is to go, each with its reason.
    func due(now: Int64) -> [(Connection, Disconnect)] {
        guard var plan else { return [] }
        let batch = plan.onTick(now: now)
        let due = batch.map { (leaving[$0], plan.disconnect($0, in: batch)) }
        self.plan = plan.isDone ? nil : plan
        if plan.isDone { leaving = [] }
        return due
    }

    /// A client wants to stay; `nil` lets it in, anything else is the answer that it gets instead.
    func onClient(hasRoom: Bool, now: Int64, counters: inout ShardCounters) -> Disconnect? {
        if isMoving {
            counters.count(.redirected)
            return disconnect(.goingAway)
        }
        guard hasRoom else {
            counters.count(.deferred)
            return disconnect(.tryLater)
        }
        switch gate.onConnection(now: now) {
        case .admit:
            counters.count(.admitted)
            return nil
        case .comeBack(let milliseconds):
            counters.count(.deferred)
            counters.count(.connectRate)
            return Disconnect(.tryLater, afterMilliseconds: milliseconds)
        }
    }

    /// For an event stream that can't be opened now: it comes back when the problem may be over, spread with all others.
    func disconnect(_ problem: Problem) -> Disconnect {
        let spread = disconnect(.tryLater)
        return Disconnect(
            .tryLater, afterMilliseconds: (problem.retryAfterSeconds ?? 0) * 1_000 + (spread.afterMilliseconds ?? 0), at: spread.at)
    }

    /// For a client that has no turn of its own: spread with all others of its kind.
    func disconnect(_ reason: CloseReason) -> Disconnect {
        told &+= 1
        let after = SocketMove.afterMillisecondsMin + EvenSpread.index(told, of: Self.troubleMilliseconds)
        let addresses = elsewhere ?? []
        return Disconnect(reason, afterMilliseconds: after, at: addresses.isEmpty ? [] : [addresses[Int(told % UInt64(addresses.count))]])
    }
}
