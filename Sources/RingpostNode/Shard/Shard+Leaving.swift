// The clients of one event loop go elsewhere: spread over a time when the node leaves in order, all at once when it stops.
// Clients of the API port are not sent away before the very end, because every node takes publishes as long as it lives.
import NIOCore
import RingpostCore

extension Shard {
    /// The way in for clients.
    var admission: AdmissionController { subscriptions.admission }

    /// Client sockets, and polls that wait.
    var clientSockets: Int { counters.sockets.reduce(0, +) }

    /// What would have to go before the node can.
    var holdings: NodeHoldings {
        NodeHoldings(
            copies: machine.slotCounts.copies, lastCopies: machine.lastCopyCount, users: machine.keptCount, sockets: clientSockets)
    }

    /// Connections of clients and producers that are still there.
    var openSockets: Int { runtime.allConnections.count { $0.kind != .member } }

    /// Asks every client to go elsewhere, evenly over the time; from now on new ones are told so at once. Called again, it
    /// begins anew with those that are left.
    ///
    /// - Parameters:
    ///   - elsewhere: client addresses of other members; none, if there are none.
    ///   - isOrdered: the whole node does it, by order; otherwise this loop, by itself.
    func moveSockets(milliseconds: Int64, elsewhere: [String], isOrdered: Bool = false) {
        // Loops begin with different members.
        let turn = elsewhere.isEmpty ? 0 : index % elsewhere.count
        let addresses = Array(elsewhere[turn...] + elsewhere[..<turn])
        let leaving = runtime.allConnections.filter { $0.kind == .client || $0.kind == .http }
        let plan = SocketMove(count: leaving.count, now: Moment.now().monotonic, milliseconds: milliseconds, elsewhere: addresses)
        admission.beginMoving(to: addresses, plan, leaving, isOrdered: isOrdered)
    }

    /// Takes it back: who is still here may stay, and new clients are welcome. What was ordered is taken back by order only.
    func stopMovingSockets(isOrdered: Bool = false) { admission.stopMoving(isOrdered: isOrdered) }

    /// In every tick: asks those whose turn it is.
    func onMoveTick(now: Int64) {
        for (connection, disconnect) in admission.due(now: now) { connection.move(disconnect) }
    }

    /// Every client that is left is told to resume elsewhere at once, and no connection takes another request.
    func shutDown() {
        publisher.isLeaving = true
        moveSockets(milliseconds: 0, elsewhere: admission.elsewhere ?? view.map(context.elsewhere) ?? [], isOrdered: true)
        onMoveTick(now: Moment.now().monotonic)
        for connection in runtime.allConnections { connection.shutDown() }
    }
}
