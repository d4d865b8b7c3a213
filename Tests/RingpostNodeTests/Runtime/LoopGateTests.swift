// The end of a node's event loops: what is late is dropped, what was promised is waited for.

import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct LoopGateTests {
    @Test func whatComesAfterTheEndIsNotRun() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let gate = LoopGate()
        let runs = Mutex(0)
        let isTaken = gate.execute(on: threads.next()) { runs.withLock { $0 += 1 } }
        #expect(isTaken)
        await gate.close()
        try await threads.shutdownGracefully()
        #expect(runs.withLock { $0 } == 1, "what came before the end is run")
        let isTakenLate = gate.execute(on: threads.next()) { runs.withLock { $0 += 1 } }
        #expect(!isTakenLate && runs.withLock { $0 } == 1)
    }

    @Test func promisesAreKeptBeforeTheEnd() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let gate = LoopGate()
        let (first, second) = (threads.next().makePromise(of: Int.self), threads.next().makePromise(of: Int.self))
        let (step, go) = AsyncStream.makeStream(of: Void.self)
        gate.complete(first) {
            for await _ in step { break }
            return 1
        }
        let hasClosed = Mutex(false)
        let closing = Task {
            await gate.close()
            hasClosed.withLock { $0 = true }
        }
        try await eventually(within: 20, "nothing is taken any more") { !gate.execute(on: threads.next()) {} }
        #expect(!hasClosed.withLock { $0 })
        gate.complete(second) { 2 }
        await #expect(throws: ChannelError.self) { try await second.futureResult.get() }
        go.yield()
        #expect(try await first.futureResult.get() == 1)
        await closing.value
        try await threads.shutdownGracefully()
    }
}
