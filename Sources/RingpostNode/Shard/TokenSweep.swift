// All clients of a shard are looked at, because some of their tokens may not be good any more. A key that is taken away can end all of them at
// once: they end some in a turn, so that the others, and whoever publishes, have theirs in between.
import RingpostCore

/// Used on its shard's event loop only.
final class TokenSweep {
    /// Connections that are looked at in one turn.
    static let looksMax = 4_096
    /// Clients that are ended in one turn, or a few more: of a connection all that wait.
    static let endsMax = 64

    private var left: [Connection] = []
    private var isUnderWay = false

    /// Begins with the first connection, also where an earlier sweep is under way: what has changed since is looked at too.
    func begin(_ shard: Shard) {
        left = Array(shard.runtime.allConnections)
        if isUnderWay { return }
        isUnderWay = true
        go(on: shard)
    }

    private func go(on shard: Shard) {
        var (looks, ends) = (0, 0)
        while looks < Self.looksMax, ends < Self.endsMax, let connection = left.popLast() {
            looks += 1
            var reason = CloseReason.revoked
            ends += connection.endClients({ Disconnect(reason) }) { _, grant in
                guard let why = grant.flatMap(shard.tokenGate.reasonToEnd) else { return false }
                reason = why
                return true
            }
        }
        if left.isEmpty {
            isUnderWay = false
        } else {
            shard.inNextTurn { self.go(on: shard) }
        }
    }
}
