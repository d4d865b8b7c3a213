// The node's memory runs short: who of this event loop's connections goes, and how much history.
import RingpostCore

extension Shard {
    /// Once a second while it is short.
    func shedMemory(now: Int64) {
        var connections: [Connection] = []
        var claims: [MemoryClaim] = []
        for connection in runtime.allConnections where connection.kind != .member {
            let bytes = connection.heldBytes
            if bytes < MemoryShedder.claimBytesMin { continue }
            claims.append(MemoryClaim(connection: connections.count, owner: connection.byteOwner, bytes: bytes))
            connections.append(connection)
        }
        let plan = context.quotas.shed(claims, ofShard: index, now: now)
        for place in plan.endings {
            counters.count(.memoryMegabytes)
            connections[place].shed()
        }
        var dropped = 0
        if plan.historyBytes > 0 {
            decide { machine, now, _ in dropped = machine.trimHistories(plan.historyBytes, now: now.monotonic) }
            context.quotas.onFreed(dropped, now: now)
        }
        if plan.endings.isEmpty, dropped == 0 { return }
        runtime.logger.warning(
            "memory runs short: those who hold most have gone",
            metadata: ["shard": "\(index)", "connections": "\(plan.endings.count)", "history bytes": "\(dropped)"])
    }
}
