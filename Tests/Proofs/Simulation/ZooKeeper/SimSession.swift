// One client library's session: finds a server, loses it, finds another one, learns only then that it has expired. Requests are
// served one after the other; answers and watches come in their order. Losing the connection fails whatever is under way, done or not.

import RingpostCore

/// What a session tells its node.
enum SimSessionEvent {
    case connected, disconnected, expired, membersChanged
}

/// What can be asked of a server.
enum SimOperation {
    case sync
    case children(of: String, watch: Bool)
    case get(String)
    case change([SimTree.Change])
}

/// What a server answers.
enum SimReply {
    case done
    case children([String], changedBy: UInt64)
    case data([UInt8], createdBy: UInt64)
}

/// One session, seen by both ends.
final class SimSession {
    typealias Completion = (Result<SimReply, SimZooKeeperError>) -> Void

    /// The one-shot watch on the members.
    private enum Watch {
        case none, set
        /// On its way to the client. Should the connection break before, it fires again on the next one.
        case fired
    }

    private struct Request {
        let operation: SimOperation
        let completion: Completion
    }

    let id: Int
    /// The membership machine's number for it.
    let number: Int
    let process: SimProcess
    private unowned let zooKeeper: SimZooKeeper
    /// Whether the leader keeps it. A session that never reached a server is not known there.
    var isAlive = false
    private var wasMade = false
    /// ZooKeeper has lost it, with all that it had seen, and refuses it without saying so.
    var isForgotten = false
    private var isClosed = false
    /// The server that it is connected to.
    private(set) var server: Int?
    /// Grows with every connection and disconnection: what belongs to an earlier one is void.
    private var connection = 0
    private var requests: [Request] = []
    private var isServing = false
    private var lastReply: Int64 = 0
    /// Answered, but not yet with the client.
    private var unread: [Request] = []
    /// What can't get through at the moment.
    private var heldBack: [() -> Void] = []
    private var watch = Watch.none
    /// The newest transaction that it has seen.
    private var seen = 0
    private var wasHeard = false
    private var lastHeard: Int64 = 0
    /// Grows when the clock of expiry stops or begins anew.
    private var expiry = 0

    init(id: Int, number: Int, process: SimProcess, zooKeeper: SimZooKeeper) {
        self.id = id
        self.number = number
        self.process = process
        self.zooKeeper = zooKeeper
    }

    private var simulation: Simulation { zooKeeper.simulation }

    // MARK: Connecting

    func begin() { simulation.after(zooKeeper.random.draw(500...20_000)) { self.connect() } }

    private func connect() {
        guard server == nil, !isClosed, !process.isDead else { return }
        guard zooKeeper.reaches(process), !(isForgotten && wasMade), let server = zooKeeper.pickServer() else {
            simulation.after(zooKeeper.random.draw(50_000...300_000)) { self.connect() }
            return
        }
        if !wasMade {
            wasMade = true
            isAlive = true
            zooKeeper.commit([])
        } else if !isAlive {
            tell(.expired)
            isClosed = true
            return
        }
        self.server = server
        connection += 1
        zooKeeper.reach(seen, at: server, even: true)
        refresh()
        tell(.connected)
        // Watches are set again, and fire at once if they missed something.
        let members = zooKeeper.paths.members
        let hasChanged = zooKeeper.tree(at: server).childrenChanged[members] != zooKeeper.history[seen].childrenChanged[members]
        if case .fired = watch { fire() } else if hasChanged { onMembersChanged() }
        seen = max(seen, zooKeeper.applied[server])
    }

    /// The connection is gone; the library looks for another server.
    func disconnect() {
        guard server != nil else { return }
        server = nil
        connection += 1
        isServing = false
        heldBack = []
        let lost = unread + requests
        unread = []
        requests = []
        refresh()
        let fail = { for request in lost { request.completion(.failure(.connectionLoss)) } }
        // The two come in no particular order.
        let failsFirst = zooKeeper.random.percent(50)
        if failsFirst { fail() }
        tell(.disconnected)
        if !failsFirst { fail() }
        simulation.after(zooKeeper.random.draw(5_000...200_000)) { self.connect() }
    }

    /// The client closes it: the leader ends it at once if it hears of that.
    func close() {
        isClosed = true
        let isHeard = zooKeeper.hears(self)
        server = nil
        connection += 1
        requests = []
        unread = []
        heldBack = []
        if !wasMade { zooKeeper.forget(self) }
        if isHeard { simulation.after(zooKeeper.random.draw(200...3_000)) { self.zooKeeper.expire(self) } }
        refresh()
    }

    private func tell(_ event: SimSessionEvent) {
        if isClosed { return }
        process.enter { self.process.onZooKeeper(event, session: self) }
    }

    // MARK: Expiry

    /// Begins and stops the clock of expiry.
    func refresh() {
        let isHeard = zooKeeper.hears(self)
        if isHeard, !heldBack.isEmpty {
            let held = heldBack
            heldBack = []
            for body in held { body() }
        }
        if isHeard { serve() }
        if isHeard == wasHeard { return }
        wasHeard = isHeard
        expiry += 1
        if isHeard { return }
        let now = simulation.time
        // The last ping was up to a third of the time-out ago.
        lastHeard = max(lastHeard, now - zooKeeper.random.draw(0...zooKeeper.sessionTimeout / 3))
        startClock(from: lastHeard)
        noticeSilence()
    }

    /// After two thirds of the time-out without a pong the library gives the connection up.
    private func noticeSilence() {
        let (connection, timeout) = (connection, zooKeeper.sessionTimeout)
        simulation.after(zooKeeper.random.draw(timeout / 3...timeout * 2 / 3)) {
            guard self.connection == connection, self.server != nil, !self.wasHeard else { return }
            // A server cut off from its leader goes on answering pings.
            if let server = self.server, self.zooKeeper.isUp, self.zooKeeper.isolated.contains(server), self.zooKeeper.reaches(self.process)
            {
                return
            }
            self.process.enter { if self.connection == connection { self.disconnect() } }
        }
    }

    private func startClock(from start: Int64) {
        let expiry = expiry
        let end = max(simulation.time, start + zooKeeper.sessionTimeout) + zooKeeper.random.draw(1...SimZooKeeper.tick)
        simulation.at(end) {
            guard self.expiry == expiry, self.zooKeeper.isUp else { return }
            self.zooKeeper.expire(self)
        }
    }

    /// A new leader gives every session its whole time again.
    func restartClock() {
        guard isAlive, !wasHeard else { return }
        expiry += 1
        startClock(from: simulation.time)
    }

    /// The leader has ended it; the client hears of that when it is connected again.
    func onExpired() {
        if isClosed || process.isDead {
            zooKeeper.forget(self)
            return
        }
        guard server != nil else { return }
        simulation.after(zooKeeper.random.draw(500...50_000)) { self.process.enter { self.disconnect() } }
    }

    // MARK: Requests

    func request(_ operation: SimOperation, _ completion: @escaping Completion) {
        guard server != nil else {
            simulation.after(1_000) { self.process.enter { completion(.failure(.connectionLoss)) } }
            return
        }
        requests.append(Request(operation: operation, completion: completion))
        serve()
    }

    private func serve() {
        guard !isServing, let request = requests.first, zooKeeper.hears(self), !zooKeeper.isStarved(process) else { return }
        isServing = true
        let connection = connection
        simulation.after(zooKeeper.random.draw(100...1_500)) {
            guard self.connection == connection else { return }
            guard self.zooKeeper.hears(self) else {
                self.isServing = false
                return
            }
            self.arrive(request, connection)
        }
    }

    /// The request is at the server. Reads are answered there, the rest by the leader.
    private func arrive(_ request: Request, _ connection: Int) {
        lastHeard = simulation.time
        switch request.operation {
        case .children, .get: answer(request, read(request.operation), connection)
        case .sync, .change:
            simulation.after(zooKeeper.random.draw(100...1_500)) {
                guard self.zooKeeper.isUp, self.isAlive else {
                    self.isServing = false
                    return
                }
                var result = Result<SimReply, SimZooKeeperError>.success(.done)
                if case .change(let changes) = request.operation, let error = self.zooKeeper.commit(changes) { result = .failure(error) }
                let index = self.zooKeeper.history.count - 1
                self.simulation.after(self.zooKeeper.random.draw(100...1_500)) { self.confirm(request, result, index, connection) }
            }
        }
    }

    /// The leader's answer is at the server, unless that has lost its leader: then it waits.
    private func confirm(_ request: Request, _ result: Result<SimReply, SimZooKeeperError>, _ index: Int, _ connection: Int) {
        guard self.connection == connection, let server else { return }
        guard zooKeeper.hears(self) else {
            heldBack.append { self.confirm(request, result, index, connection) }
            return
        }
        zooKeeper.reach(index, at: server)
        answer(request, result, connection)
    }

    private func read(_ operation: SimOperation) -> Result<SimReply, SimZooKeeperError> {
        guard let server else { return .failure(.connectionLoss) }
        let tree = zooKeeper.tree(at: server)
        switch operation {
        case .children(let path, let watch):
            guard tree.znodes[path] != nil else { return .failure(.noNode) }
            if watch { self.watch = .set }
            return .success(.children(tree.children(of: path), changedBy: tree.childrenChanged[path] ?? 0))
        case .get(let path):
            guard let znode = tree.znodes[path] else { return .failure(.noNode) }
            return .success(.data(znode.data, createdBy: znode.createdBy))
        case .sync, .change: return .success(.done)
        }
    }

    private func answer(_ request: Request, _ result: Result<SimReply, SimZooKeeperError>, _ connection: Int) {
        if let server { seen = max(seen, zooKeeper.applied[server]) }
        isServing = false
        if !requests.isEmpty { requests.removeFirst() }
        unread.append(request)
        deliver(connection) {
            self.unread.removeFirst()
            request.completion(result)
        }
        serve()
    }

    /// Brings something to the client, in order.
    private func deliver(_ connection: Int, delay: Int64 = 0, _ body: @escaping () -> Void) {
        let arrival = max(lastReply, simulation.time + zooKeeper.random.draw(100...1_500) + delay)
        if delay == 0 { lastReply = arrival }
        simulation.at(arrival) {
            let attempt = {
                guard self.connection == connection else { return }
                self.process.enter { if self.connection == connection { body() } }
            }
            if self.zooKeeper.reaches(self.process) || self.process.isPaused { attempt() } else { self.heldBack.append(attempt) }
        }
    }

    // MARK: The watch

    /// The server that it is connected to has applied a change of the members.
    func onMembersChanged() { if case .set = watch { fire() } }

    private func fire() {
        watch = .fired
        let delay = zooKeeper.watchDelayMax > 0 ? zooKeeper.random.draw(0...zooKeeper.watchDelayMax) : 0
        deliver(connection, delay: delay) {
            guard case .fired = self.watch else { return }
            self.watch = .none
            self.tell(.membersChanged)
        }
    }
}
