// The turn of a shard: requests are handled, connections that were written to are flushed together, and work that is left goes on when the
// event loop has read from all its connections again.
import NIOCore
import RingpostCore

extension Shard {
    // MARK: Requests

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

    /// The connection has more requests than are handled now: it waits for its turn.
    func enqueue(_ connection: Connection, _ standing: FairScheduler.Standing) {
        scheduler.append(connection, standing)
        scheduleFlush()
    }

    /// Does the work when the event loop has read from all its connections: the rest of something large.
    func inNextTurn(_ work: @escaping () -> Void) {
        scheduler.append(work)
        scheduleFlush()
    }

    /// All connections that were written to have been flushed.
    private func endTurn() {
        guard scheduler.end(hasMore: flushes.hasLate) else { return }
        if let waker { return waker.ring() }
        eventLoop.assumeIsolated().scheduleTask(in: FairScheduler.pause) { self.beginTurn() }
    }

    func beginTurn() {
        scheduler.begin()
        // What has come from other shards meanwhile doesn't wait for this turn's end.
        flushNow()
        // What would be written on top of what is late would only make it later.
        if !flushes.hasLate { for piece in scheduler.removeWork() { piece() } }
        for ending in scheduler.removeEndings() { ending.stop() }
        scheduleFlush()
        while let connection = scheduler.next() { connection.goOn() }
    }

    // MARK: Flushing

    /// The connection is flushed at the end of this turn, together with all others that were written to.
    func markDirty(_ connection: Connection) {
        flushes.append(connection)
        scheduleFlush()
    }

    func scheduleFlush() {
        if flushes.schedule() { eventLoop.execute { self.flush() } }
    }

    private func flush() {
        flushes.onScheduledEnd()
        flushNow()
        endTurn()
    }

    func flushNow() {
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

    // MARK: Deadlines

    /// Checks connections' deadlines. Where a crowd of them has to be ended, others have their turn in between.
    func checkDeadlines() {
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
}
