// Slots that nobody serves: shards count them, and one of them tells the membership how many there are together.

import NIOEmbedded
import RingpostCore
import Synchronization
import Testing

@testable import RingpostNode

@Suite struct SlotWaitsTests {
    private final class Told: Sendable {
        let waits = Mutex<[SlotWaits]>([])

        func listen(to context: NodeContext) {
            var hooks = NodeContext.Hooks()
            hooks.tell = { event in
                if case .slotsWait(let waits) = event { self.waits.withLock { $0.append(waits) } }
            }
            context.setHooks(hooks)
        }
    }

    private static func waits(_ slots: Int) -> SlotWaits {
        var waits = SlotWaits()
        waits.slots = slots
        return waits
    }

    /// A sum that the membership has dropped, or that has been overtaken, is not the last one.
    @Test func oneShardTellsAllEverySecond() throws {
        let node = try EmbeddedNode()
        let told = Told()
        told.listen(to: node.shard.context)
        node.shard.start()
        // There is no such shard here, so that its figure stays.
        node.shard.context.setWaits(Self.waits(3), ofShard: 1)
        #expect(told.waits.withLock { $0.isEmpty }, "each shard tells nothing by itself")
        let second = Int64(ConnectionTable.ticksPerRound) * Shard.tickMilliseconds
        node.eventLoop.advanceTime(by: .milliseconds(3 * second))
        #expect(told.waits.withLock(\.self) == [3, 3, 3].map(Self.waits))
        node.shard.context.setWaits(SlotWaits(), ofShard: 1)
        node.eventLoop.advanceTime(by: .milliseconds(second))
        #expect(told.waits.withLock { $0.last } == SlotWaits())
        node.shard.stop()
    }

    @Test func whatShardsHaveCountedIsAddedUp() throws {
        let context = try EmbeddedNode().shard.context
        let told = Told()
        told.listen(to: context)
        for shard in 0..<3 { context.setWaits(Self.waits(10 + shard), ofShard: shard) }
        context.tellWaits()
        #expect(told.waits.withLock(\.self) == [Self.waits(33)])
    }
}
