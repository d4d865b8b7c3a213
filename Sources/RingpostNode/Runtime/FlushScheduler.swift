// Which connections have bytes to send, and in which order they are flushed. A turn sends so many bytes at most: what is beyond is late, and is
// sent in later turns, so that a message for a crowd keeps nobody else waiting.
import DequeModule

struct FlushScheduler {
    /// Bytes that one turn sends, and what a flush counts as at least.
    static let (bytesMax, bytesMin) = (65_536, 1_024)

    private var dirty: [Connection] = []
    private var late: Deque<Connection> = []
    /// The dirty connections that this turn flushes, and how many of them it has flushed.
    private var batch: [Connection] = []
    private var flushed = 0
    private var bytesSpent = 0
    private var batchBytesMax = 0
    private var isScheduled = false
    private var turnMilliseconds: Int64?

    /// Connections of an earlier turn have not been flushed yet.
    var hasLate: Bool { !late.isEmpty }

    /// The connection has bytes to send.
    mutating func append(_ connection: Connection) { dirty.append(connection) }

    /// - Returns: true when the end of the turn has to be put on the event loop.
    mutating func schedule() -> Bool {
        defer { isScheduled = true }
        return !isScheduled
    }

    /// The scheduled end of the turn is here.
    mutating func onScheduledEnd() { isScheduled = false }

    /// A flush begins: the connections that have just become dirty come first; where others are late, they leave them half of the bytes.
    mutating func begin() {
        turnMilliseconds = nil
        swap(&dirty, &batch)
        (flushed, bytesSpent) = (0, 0)
        batchBytesMax = late.isEmpty ? Self.bytesMax : Self.bytesMax / 2
    }

    /// The connection to flush next; `nil` when this turn has sent enough, or nobody waits.
    mutating func next() -> Connection? {
        if flushed < batch.count {
            if bytesSpent < batchBytesMax {
                flushed += 1
                return batch[flushed - 1]
            }
            late.append(contentsOf: batch[flushed...])
        }
        batch.removeAll(keepingCapacity: true)
        flushed = 0
        return bytesSpent < Self.bytesMax ? late.popFirst() : nil
    }

    /// A connection has been flushed that had so many bytes.
    mutating func spend(bytes: Int) { bytesSpent += max(bytes, Self.bytesMin) }

    /// The time of this turn, read from the clock once a turn.
    mutating func time(_ clock: () -> Int64) -> Int64 {
        if let turnMilliseconds { return turnMilliseconds }
        let now = clock()
        turnMilliseconds = now
        return now
    }
}
