// All clients of a shard are looked at, because some of their tokens may not be good any more. A key that is taken away can end all of them at
// once: they end some in a turn, so that the others, and whoever publishes, have theirs in between.
import RingpostCore

/// Used on its shard's event loop only.
final class TokenSweep {
    /// Connections that are looked at in one turn.
    static let looksMax = 4_096
    /// Clients that are ended in one turn, or a few more: of a connection all that wait.
    static let endsMax = 64

    private enum State {
        case idle
        case underWay
        /// Something has changed since it began: another one follows. It goes to its end first, or the last connections would have to wait for
        /// as long as changes come.
        case followed
    }

    private var state = State.idle
    private var left: [Connection] = []

    /// Looks at all connections, once more where a sweep is under way.
    func begin(_ shard: Shard) {
        guard case .idle = state else {
            state = .followed
            return
        }
        state = .underWay
        left = Array(shard.runtime.allConnections)
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
            let isFollowed = if case .followed = state { true } else { false }
            state = isFollowed ? .underWay : .idle
            if !isFollowed { return }
            left = Array(shard.runtime.allConnections)
        }
        shard.inNextTurn { self.go(on: shard) }
    }
}
