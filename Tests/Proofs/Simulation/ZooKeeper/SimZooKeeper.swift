// An ensemble of three servers, as far as the membership can tell: one order of transactions, servers that lag behind it, sessions
// that end when nothing was heard of them for S, one-shot watches. The whole ensemble can be away, a server can be cut off from its
// leader while it goes on answering pings, a node can be cut off from all servers.

import HashRing
import RingpostCore

/// ZooKeeper.
final class SimZooKeeper {
    static let serverCount = 3
    /// Sessions are looked at this often, so they end up to so much late (microseconds).
    static let tick: Int64 = 200_000

    unowned let simulation: Simulation
    var random: SplitMix64
    let paths = ClusterPaths(cluster: "sim")
    /// After each transaction.
    private(set) var history: [SimTree] = [SimTree()]
    /// How far in `history` each server has come.
    private(set) var applied: [Int]
    /// Servers cut off from their leader.
    private(set) var isolated: Set<Int> = []
    private(set) var isUp = true
    /// When it was set up from a backup.
    private(set) var restoredAt: Int64?
    private(set) var sessions: [SimSession] = []
    /// How many faults keep a node from every server.
    private var cutNodes: [Int]
    /// Nodes whose requests get no answer, though their pings do.
    private var starvedNodes: Set<Int> = []
    /// A server applies a transaction up to so much later (microseconds).
    var lagMax: Int64 = 2_000
    /// A watch is delivered up to so much late (microseconds).
    var watchDelayMax: Int64 = 0
    private var lastSession = 0
    private var known: [[UInt8]: Member] = [:]
    private var knownBase: (data: [UInt8], base: UInt64)?

    init(simulation: Simulation, nodes: Int, random: SplitMix64) {
        self.simulation = simulation
        self.random = random
        cutNodes = Array(repeating: 0, count: nodes)
        applied = Array(repeating: 0, count: Self.serverCount)
    }

    /// What the leader holds.
    var tree: SimTree { history[history.count - 1] }
    var sessionTimeout: Int64 { Int64(simulation.document.sessionTimeoutMilliseconds) * 1_000 }

    /// The members as the leader has them.
    var members: [Member] { tree.children(of: paths.members).compactMap { name in tree.znodes[paths.member(name)].map { read(name, $0) } } }

    /// Members are read from JSON once: the leader's list is looked at often.
    private func read(_ name: String, _ znode: SimZnode) -> Member {
        if let member = known[znode.data] { return member }
        guard let member = try? Member(json: znode.data, znode: paths.member(name)) else {
            preconditionFailure("a member that no node has written")
        }
        known[znode.data] = member
        return member
    }

    /// What is added to the number of the list to make an epoch.
    var epochBase: UInt64 {
        guard let znode = tree.znodes[paths.ring] else { return 0 }
        if let knownBase, knownBase.data == znode.data { return knownBase.base }
        let base = (try? ClusterDocument(json: znode.data, znode: paths.ring))?.epochBase ?? 0
        knownBase = (znode.data, base)
        return base
    }

    /// What a store would have to know for its lineage to count, whatever the roster says of it. Only for tests of the tests.
    func boots(of me: Member) -> Set<UInt64>? {
        let znode = paths.roster(me.id)
        guard let json = tree.znodes[znode]?.data, let entry = try? RosterEntry(json: json, znode: znode) else { return nil }
        return entry.member.lineage == me.lineage ? [entry.member.boot] : nil
    }

    /// An operator writes another number of copies into the document.
    func setCopies(_ copies: Int) {
        guard let znode = tree.znodes[paths.ring], let document = try? ClusterDocument(json: znode.data, znode: paths.ring) else { return }
        commit([.set(path: paths.ring, data: document.with(copies: copies).json())])
    }

    func tree(at server: Int) -> SimTree { history[applied[server]] }

    // MARK: Transactions

    /// Takes a transaction into the order; servers apply it when they come to it.
    @discardableResult
    func commit(_ changes: [SimTree.Change]) -> SimZooKeeperError? {
        let before = tree.childrenChanged[paths.members]
        var next = tree
        let error = next.apply(changes)
        let takesCopies = next.childrenChanged[paths.members] != before
        if takesCopies { simulation.coverage.willLose() }
        history.append(next)
        if takesCopies { simulation.coverage.hasLost() }
        let index = history.count - 1
        for server in 0..<Self.serverCount {
            simulation.after(random.draw(100...max(200, lagMax))) { self.reach(index, at: server) }
        }
        if takesCopies { simulation.membersChanged() }
        return error
    }

    /// A server has applied everything up to a transaction.
    func reach(_ index: Int, at server: Int, even isForced: Bool = false) {
        guard applied[server] < index, isUp, !isolated.contains(server) || isForced else { return }
        let before = tree(at: server).childrenChanged[paths.members]
        applied[server] = index
        guard tree(at: server).childrenChanged[paths.members] != before else { return }
        for session in sessions where session.server == server { session.onMembersChanged() }
    }

    // MARK: Sessions

    /// A client library begins to look for a server.
    func open(for process: SimProcess, number: Int) -> SimSession {
        lastSession += 1
        let session = SimSession(id: lastSession, number: number, process: process, zooKeeper: self)
        sessions.append(session)
        session.begin()
        return session
    }

    /// The leader ends a session, and with it what it made.
    func expire(_ session: SimSession) {
        guard session.isAlive else { return }
        session.isAlive = false
        simulation.say("zookeeper", "session \(session.id) of \(session.process.name) ends")
        commit(tree.owned(by: session.id).map { .delete(path: $0) })
        session.onExpired()
    }

    func forget(_ session: SimSession) { sessions.removeAll { $0 === session } }

    /// The run is over.
    func forget() { sessions = [] }

    /// Whether the leader hears of a session that is connected to this server.
    func hears(_ session: SimSession) -> Bool {
        guard let server = session.server else { return false }
        return isUp && !isolated.contains(server) && reaches(session.process)
    }

    /// Whether a process can exchange packets with the servers.
    func reaches(_ process: SimProcess) -> Bool { cutNodes[process.node.index] == 0 && !process.isPaused && !process.isDead }

    func isStarved(_ process: SimProcess) -> Bool { starvedNodes.contains(process.node.index) }

    /// A server that would take a new connection.
    func pickServer() -> Int? {
        guard isUp else { return nil }
        return random.pick((0..<Self.serverCount).filter { !isolated.contains($0) })
    }

    /// Something has changed that decides who is heard.
    func refresh() { for session in sessions { session.refresh() } }

    // MARK: Faults

    func cut(_ nodes: [Int]) {
        for node in nodes { cutNodes[node] += 1 }
        refresh()
    }

    func heal(_ nodes: [Int]) {
        // All may have been healed meanwhile.
        for node in nodes { cutNodes[node] = max(0, cutNodes[node] - 1) }
        refresh()
    }

    func starve(_ node: Int, _ isStarved: Bool) {
        if isStarved { starvedNodes.insert(node) } else { starvedNodes.remove(node) }
        refresh()
    }

    /// Cut off from its leader; after a while a server notices and closes its connections.
    func isolate(_ server: Int) {
        isolated.insert(server)
        refresh()
        simulation.after(random.draw(sessionTimeout / 4...sessionTimeout)) {
            guard self.isolated.contains(server) else { return }
            for session in self.sessions where session.server == server { session.disconnect() }
        }
    }

    func rejoin(_ server: Int) {
        guard isolated.remove(server) != nil else { return }
        reach(history.count - 1, at: server)
        refresh()
    }

    /// All servers are killed.
    func goDown() {
        isUp = false
        for session in sessions where session.server != nil {
            simulation.after(random.draw(100...5_000)) { if !self.isUp { session.disconnect() } }
        }
        refresh()
    }

    /// All servers are back, with everything they had; the clocks of all sessions begin anew.
    func comeUp() {
        guard !isUp else { return }
        isUp = true
        for server in 0..<Self.serverCount where !isolated.contains(server) { reach(history.count - 1, at: server) }
        for session in sessions { session.restartClock() }
        refresh()
    }

    /// Others use the same ensemble: transactions that concern no node.
    func pass(transactions: Int) { for _ in 0..<transactions { commit([]) } }

    /// All servers are set up from a backup while they are down. The sessions of that time have ended when they are back.
    func restore(_ backup: SimTree) {
        precondition(!isUp, "servers are set up while they are down")
        restoredAt = simulation.time
        simulation.checker.termsBeginAgain()
        for session in sessions { session.isForgotten = true }
        var tree = backup
        for path in backup.znodes.filter({ $0.value.owner != nil }).keys.sorted() { _ = tree.apply([.delete(path: path)]) }
        simulation.coverage.willLose()
        history.append(tree)
        simulation.coverage.hasLost()
        applied = applied.map { _ in history.count - 1 }
    }

    /// All servers come back empty, while they are down: they count from the beginning, and refuse whoever has seen more.
    func loseData() {
        precondition(!isUp, "servers lose their data while they are down")
        for session in sessions { session.isForgotten = true }
        simulation.coverage.willLose()
        history.append(SimTree())
        simulation.coverage.hasLost()
        applied = applied.map { _ in history.count - 1 }
    }

    /// Undoes every fault.
    func healAll() {
        cutNodes = cutNodes.map { _ in 0 }
        starvedNodes = []
        for server in isolated.sorted() { rejoin(server) }
        lagMax = 2_000
        watchDelayMax = 0
        comeUp()
        refresh()
    }
}
