// The clients of one event loop go elsewhere: spread over a time when the node leaves in order, all at once when it stops.
// Clients of the API port are not sent away before the very end, because every node takes publishes as long as it lives.
import NIOCore
import RingpostCore

extension Shard {
    /// The way in for clients.
    var admission: AdmissionController { shared.admissions[index] }

    /// Client sockets, and polls that wait.
    var clientSockets: Int { counters.sockets.reduce(0, +) }

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
        moveSockets(milliseconds: 0, elsewhere: admission.elsewhere ?? view.map(shared.elsewhere) ?? [], isOrdered: true)
        onMoveTick(now: Moment.now().monotonic)
        for connection in runtime.allConnections { connection.shutDown() }
    }
}

extension NodeContext {
    /// How often the move is looked at.
    private static let moveLookMilliseconds = 50

    /// Asks all clients to go elsewhere, evenly over the time; from now on new ones are told so at once.
    ///
    /// Returns when the last one has gone or the time is over, or when the task is cancelled, which takes the move back. What
    /// is left then is told at once by ``Shard/shutDown()``.
    ///
    /// - Parameters:
    ///   - milliseconds: over what time to spread it.
    ///   - elsewhere: client addresses of other members, each "host:port".
    func moveSockets(milliseconds: Int64, elsewhere: [String]) async {
        let until = Moment.now().monotonic + milliseconds
        await onEachLoopInTurn { $0.moveSockets(milliseconds: milliseconds, elsewhere: elsewhere, isOrdered: true) }
        while true {
            if await clientSockets() == 0 || Moment.now().monotonic >= until { return }
            do {
                try await Task.sleep(for: .milliseconds(Self.moveLookMilliseconds))
            } catch {
                await stopMovingSockets()
                return
            }
        }
    }

    /// Takes a move back: who is still here may stay, and new clients are welcome.
    func stopMovingSockets() async { await onEachLoopInTurn { $0.stopMovingSockets(isOrdered: true) } }

    /// Client sockets, and polls that wait, on all loops.
    func clientSockets() async -> Int { await onEachLoopInTurn { $0.clientSockets }.reduce(0, +) }

    @discardableResult
    private func onEachLoopInTurn<Value: Sendable>(_ body: @escaping @Sendable (Shard) -> Value) async -> [Value] {
        var values: [Value] = []
        for shard in shards {
            // A loop that has been shut down has no sockets.
            if let value = try? await shard.eventLoop.submit({ body(shard) }).get() { values.append(value) }
        }
        return values
    }
}
