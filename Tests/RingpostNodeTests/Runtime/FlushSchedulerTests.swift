import Testing

@testable import RingpostNode

@Suite struct FlushSchedulerTests {
    private let node: EmbeddedNode
    private var flushes = FlushScheduler()

    init() throws { node = try EmbeddedNode() }

    private func connections(_ count: Int) -> [Connection] { (0..<count).map { _ in Connection(runtime: node.shard.runtime) } }

    /// The connections of one turn, each with so many bytes.
    private mutating func flush(bytes: Int) -> [ObjectIdentifier] {
        var flushed: [ObjectIdentifier] = []
        flushes.begin()
        while let connection = flushes.next() {
            flushed.append(ObjectIdentifier(connection))
            flushes.spend(bytes: bytes)
        }
        return flushed
    }

    @Test mutating func aTurnSendsSoMuchAndLeavesTheRestToLaterOnes() {
        let bytes = FlushScheduler.bytesMax / 4
        let crowd = connections(10)
        for connection in crowd { flushes.append(connection) }
        let ids = crowd.map(ObjectIdentifier.init)
        #expect(flush(bytes: bytes) == Array(ids[..<4]) && flushes.hasLate)
        // Connections that are dirty now go first, and leave the late ones half of the turn.
        let fresh = connections(4)
        for connection in fresh { flushes.append(connection) }
        let freshIDs = fresh.map(ObjectIdentifier.init)
        #expect(flush(bytes: bytes) == Array(freshIDs[..<2] + ids[4..<6]))
        #expect(flush(bytes: bytes) == Array(ids[6...]))
        #expect(flush(bytes: bytes) == Array(freshIDs[2...]) && !flushes.hasLate)
        #expect(flush(bytes: bytes) == [])
    }

    @Test mutating func aFlushOfFewBytesCountsToo() {
        let count = FlushScheduler.bytesMax / FlushScheduler.bytesMin
        for connection in connections(count + 1) { flushes.append(connection) }
        #expect(flush(bytes: 1).count == count)
        #expect(flush(bytes: 1).count == 1)
    }

    @Test mutating func aTurnIsScheduledOnce() {
        #expect(flushes.schedule() == true)
        #expect(flushes.schedule() == false)
        flushes.onScheduledEnd()
        #expect(flushes.schedule() == true)
    }

    @Test mutating func theClockIsReadOnceATurn() {
        #expect(flushes.time { 1 } == 1)
        #expect(flushes.time { 2 } == 1)
        flushes.begin()
        #expect(flushes.time { 3 } == 3)
    }
}
