import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct TokenSweepTests {
    private final class Looked: Connection, @unchecked Sendable {
        var looks = 0
        override func endClients(_ disconnect: () -> Disconnect, where matches: (Key?, ClientGrant?) -> Bool) -> Int {
            looks += 1
            return 0
        }
    }

    /// Revocations may come faster than a sweep ends.
    @Test func changesThatGoOnComingKeepNobodyFromBeingLookedAt() throws {
        let node = try EmbeddedNode()
        let connections = (0..<TokenSweep.looksMax + 10).map { _ in Looked(runtime: node.shard.runtime) }
        for each in connections { _ = try node.connect(each) }
        let sweep = TokenSweep()
        for _ in 0..<4 {
            sweep.begin(node.shard)
            node.eventLoop.advanceTime(by: FairScheduler.pause)
        }
        #expect(connections.allSatisfy { $0.looks > 0 })
        for _ in 0..<4 { node.eventLoop.advanceTime(by: FairScheduler.pause) }
        let looks = connections.map(\.looks)
        #expect(looks.allSatisfy { $0 >= 2 }, "what came last was seen with everybody")
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        #expect(connections.map(\.looks) == looks, "it ends")
    }
}
