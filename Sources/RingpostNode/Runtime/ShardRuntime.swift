// What the connections and parts of one shard work with: its event loop, counters and buffers, the turn, and the way to the node's other
// shards. In a turn requests are handled; at its end connections that were written to are flushed together, and work that is left goes on
// when the event loop has read from all its connections again.
import Logging
import NIOCore
import RingpostCore
import RingpostWire

/// A shard, as its runtime knows it.
protocol ShardMessageReceiver: AnyObject {
    func receive(_ message: ShardMessage)
}

/// Used on its event loop only.
package final class ShardRuntime: @unchecked Sendable {
    /// Connections that are ended at a time because their time is over.
    static let endingsMax = 16

    let index: Int
    let shardCount: Int
    let eventLoop: any EventLoop
    let logger: Logger
    let quotas: NodeQuotas
    let limits: NodeLimits

    package var counters = ShardCounters()
    package var numbers: FreshNumbers
    /// What connections write into.
    var spares = SpareBuffers()
    /// For bytes whose number has to be known before they are written; whoever uses it clears it first.
    var scratch: [UInt8] = []
    /// Of HTTP answers that are ready and wait behind earlier ones, on all connections.
    var readyBytes = 0
    /// Of requests' bodies that are here and not worked off.
    var bodies: BodyBudget

    private var responseDate = ResponseDate()
    private var connections = ConnectionTable()
    private var flushes = FlushScheduler()
    private var scheduler = FairScheduler()
    private var outbox: ShardOutbox
    private var waker: LoopWaker?
    /// Set once, before the first message. The shard lives as long as its runtime.
    private(set) var shard: (any ShardMessageReceiver)?
    /// The shard has stopped: others may stop too, and their event loops end.
    private var hasEnded = false
    /// The runtimes of all shards of the node, by index.
    private var peers: [ShardRuntime] = []

    init(index: Int, shardCount: Int, eventLoop: any EventLoop, limits: NodeLimits, quotas: NodeQuotas, logger: Logger) {
        self.index = index
        self.shardCount = shardCount
        self.eventLoop = eventLoop
        self.logger = logger
        self.quotas = quotas
        self.limits = limits
        numbers = FreshNumbers(shardIndex: index)
        outbox = ShardOutbox(shardCount: shardCount)
        bodies = BodyBudget(shareBytesMax: max(limits.bodyBytesMax, 2 * limits.batchBytesMax))
    }

    func serve(_ shard: any ShardMessageReceiver) { self.shard = shard }

    /// Before the first message.
    func setPeers(_ peers: [ShardRuntime]) { self.peers = peers }

    func start() {
        LoopWaker.install(on: eventLoop) {
            self.waker = $0
        } onWake: {
            self.beginTurn()
        }
    }

    // MARK: Connections

    var allConnections: some Sequence<Connection> { connections.all }
    func register(_ connection: Connection) -> Int { connections.register(connection) }
    func unregister(_ connectionIndex: Int) { connections.unregister(connectionIndex) }

    /// In every tick: some connections' deadlines are checked.
    func onDeadlineTick() { if connections.beginTick() { checkDeadlines() } }

    /// Where a crowd of connections has to be ended, others have their turn in between.
    private func checkDeadlines() {
        let now = Moment.now().monotonic
        var endings = 0
        while let connection = connections.nextToCheck() {
            guard connection.onRound(now: now) else { continue }
            endings += 1
            if endings < Self.endingsMax { continue }
            eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.checkDeadlines() }
            return
        }
    }

    // MARK: Requests

    /// This turn handles no more requests.
    var isTurnOver: Bool { scheduler.isOver }
    /// This turn handles no more requests of new connections.
    var isTurnOverForNewcomers: Bool { scheduler.isOverForNewcomers }

    /// A request, or a frame, of so many bytes is handled now.
    func onRequest(bytes: Int = 0) { spendTurn(requests: 1 + bytes / FairScheduler.bytesARequest) }

    /// The work that is done now costs as much as so many requests.
    func spendTurn(requests: Int) {
        scheduler.spend(requests: requests)
        scheduleFlush()
    }

    /// The subscription's connection is gone, or takes no more, and had many: the subscription stops in one of the next turns.
    func stopLater(_ subscription: any StopsInTurn) {
        scheduler.append(subscription)
        scheduleFlush()
    }

    /// The connection is closing: it reads once more in one of the next turns, and drops what it reads.
    func dropLater(_ connection: Connection) {
        scheduler.append(dropping: connection)
        scheduleFlush()
    }

    /// So many bytes of a connection that is closing have been dropped.
    ///
    /// - Returns: false where more of them have come in this turn than there is time for.
    func spendDrop(bytes: Int) -> Bool {
        scheduleFlush()
        return scheduler.spendDrop(bytes: bytes)
    }

    /// The connection has more requests than are handled now: it waits for its turn.
    func enqueue(_ connection: Connection, _ standing: FairScheduler.Standing) {
        scheduler.append(connection, standing)
        scheduleFlush()
    }

    /// Does the work when the event loop has read from all its connections: what is left of something large.
    func inNextTurn(_ work: @escaping () -> Void) {
        scheduler.append(work)
        scheduleFlush()
    }

    /// All connections that were written to have been flushed.
    private func endTurn() {
        guard scheduler.end(hasMore: flushes.hasLate) else { return }
        if let waker { return waker.wake() }
        eventLoop.assumeIsolated().scheduleTask(in: FairScheduler.pause) { self.beginTurn() }
    }

    private func beginTurn() {
        scheduler.begin()
        // What has come from other shards meanwhile doesn't wait for this turn's end.
        flushNow()
        // What would be written on top of what is late would only make it later.
        if !flushes.hasLate { for piece in scheduler.removeWork() { piece() } }
        for ending in scheduler.removeEndings() { ending.stop() }
        for connection in scheduler.removeDropping() { connection.readToDrop() }
        scheduleFlush()
        while let connection = scheduler.next() { connection.onTurn() }
    }

    // MARK: Flushing

    /// The connection is flushed at the end of this turn, together with all others that were written to.
    func markDirty(_ connection: Connection) {
        flushes.append(connection)
        scheduleFlush()
    }

    private func scheduleFlush() {
        if flushes.schedule() { eventLoop.execute { self.flush() } }
    }

    private func flush() {
        flushes.onScheduledEnd()
        flushNow()
        endTurn()
    }

    private func flushNow() {
        flushes.begin()
        while let connection = flushes.next() {
            let bytes = connection.pendingBytes
            connection.flush()
            flushes.spend(bytes: bytes)
        }
    }

    /// The time at which it was asked for first in this turn, for what needs it once a message.
    func turnMilliseconds() -> Int64 {
        // The flush forgets it.
        scheduleFlush()
        return flushes.time(MonotonicClock.nowMilliseconds)
    }

    /// For a response that is written now.
    func date() -> HTTPDate { responseDate.date(now: turnMilliseconds()) }

    // MARK: Messages between shards

    /// The shard of a slot.
    func shardIndex(_ slot: Int) -> Int { slot % shardCount }

    /// A shard receives its own messages at once, the others' at the end of the turn.
    func post(_ message: ShardMessage, to shardIndex: Int) {
        if shardIndex == index {
            shard?.receive(message)
        } else if !hasEnded, outbox.append(message, to: shardIndex) {
            eventLoop.execute { self.sendPosts() }
        }
    }

    func postToAll(_ message: ShardMessage) {
        for shardIndex in 0..<shardCount { post(message, to: shardIndex) }
    }

    /// Does something on another shard, behind what was posted to it.
    func execute(on other: ShardRuntime, _ body: @escaping @Sendable () -> Void) {
        if hasEnded { return }
        sendPosts()
        other.eventLoop.execute(body)
    }

    /// From now on other shards hear nothing of this one.
    func end() { hasEnded = true }

    /// Hands over at once what this turn has collected.
    func sendPosts() {
        if hasEnded { return }
        outbox.begin()
        for shardIndex in outbox.shardIndices {
            let batch = outbox.removeBatch(to: shardIndex)
            if batch.isEmpty { continue }
            let target = peers[shardIndex]
            target.eventLoop.execute {
                for message in batch { target.shard?.receive(message) }
            }
        }
    }
}
