// One process of a node: the pure machines, and around them what the shells of a real node do. Nothing is decided here that a real
// node's shell would not decide in the same way. While it is suspended nothing runs: what arrives waits, timers fire late.
//
// Its parts: the membership, the links, the loop's machine, and the sockets are in the files SimProcess+….swift.

import HashRing
import RingpostCore

/// A running process.
final class SimProcess: SimEnd {
    /// The pause between two looks at lanes, sessions and deadlines.
    static let tickMilliseconds: Int64 = 50

    unowned let simulation: Simulation
    let node: SimNode
    /// For the trace: the node's id and how often it was started.
    let name: String
    private(set) var isDead = false
    var isPaused = false
    /// What waits while it is suspended.
    private var backlog: [(isTimer: Bool, () -> Void)] = []
    /// Its clock is its own.
    private let clockOffset: Int64
    var random: SplitMix64

    // The membership.
    var machine: NodeMachine
    var nodeActions: [NodeAction] = []
    var isPerformingNode = false
    /// What links know of the peers.
    var peers = PeerTable(shardCount: 1)
    var session: (number: Int, store: SimStore)?
    var wake: (at: Int64, number: Int)?
    var lastWake = 0
    var identity: MemberIdentity
    var view: MembershipView?
    var lastLease: Lease?
    /// All that it has taken: who skipped one doesn't know of it.
    var epochsTaken: Set<UInt64> = []
    var isDraining = false
    var isLeaving = false
    /// Clients are asked to go elsewhere: the number of the order.
    var move: Int?
    var lastMove = 0

    // Links.
    var links: [SimLink] = []
    var accepted: [UInt32: SimAccepted] = [:]
    var lastChannel: UInt32 = 0
    var lines = LinkLines<SimConnection>()
    var dialCount: UInt64 = 0

    // The loop.
    var loop: ShardMachine
    /// Where the node has a disk.
    private(set) var store: SimShardStore?
    var pendingActions: [ShardAction] = []
    var isPerforming = false
    /// What is answered now may be another owner's word, even about a message that was appended here once.
    var isRelaying = false
    var waiters: [UInt64: SimWaiter] = [:]
    var lastWaiter: UInt64 = 0
    var lastStream: UInt64 = 0
    var lastMessage: UInt64 = 0
    let messageBase: UInt64

    // Sockets.
    var sockets: [SimSocket] = []
    var attachments: [UInt64: (socket: SimSocket, number: UInt32)] = [:]
    var lastAttachment: UInt64 = 0
    /// Channels that sockets of this process listen to.
    var nodeChannels: [Key: SimHub] = [:]

    init(node: SimNode, simulation: Simulation) {
        self.node = node
        self.simulation = simulation
        simulation.processCount += 1
        random = simulation.random.split()
        name = "\(node.id)#\(simulation.processCount)"
        clockOffset = random.draw(1_000_000...9_000_000_000)
        messageBase = random.next()
        let fresh = random.next()
        let opening = node.disk?.open(fresh: fresh, now: simulation.time / 1_000 + clockOffset, faults: simulation.settings.shellFaults)
        let me = Member(
            id: node.id, boot: 0, lineage: opening?.lineage ?? fresh, weight: node.weight, protocolVersion: 1, client: "\(node.id):8080",
            api: "\(node.id):8081",
            link: "\(node.id):8082")
        identity = me.identity
        let drain = DrainMachine(
            drainMilliseconds: 300, sessionTimeoutMilliseconds: Int64(simulation.document.sessionTimeoutMilliseconds),
            handOverMilliseconds: 10_000)
        let fault = node.ringFault
        let membership = MembershipMachine(
            cluster: "sim", me: me, proposal: simulation.document, began: simulation.wall,
            storedBoots: opening.flatMap { simulation.settings.has(.keepGivenUpLineage) ? simulation.zooKeeper.boots(of: me) : $0.boots },
            storedEpoch: simulation.settings.has(.ignoreOlderList) ? 0 : opening?.epoch ?? 0
        ) { members in
            RingCache.shared.ring(fault.isOn ? members.map { RingMember(id: $0.id, weight: $0.weight > 0 ? 1 : 0) } : members)
        }
        machine = NodeMachine(membership, drain: drain, now: simulation.time / 1_000 + clockOffset)
        loop = ShardMachine(
            me: identity, lineage: opening?.lineage, index: simulation.settings.loopIndex, shardCount: SimulationSettings.shardCount,
            limits: simulation.loopLimits)
        guard let disk = node.disk, let opening else { return }
        store = SimShardStore(disk, opening, process: self, random: random.split())
        simulation.diskLineages.insert(opening.lineage)
        loop.restore(opening.heads, lineage: opening.lineage)
    }

    // MARK: Life

    func begin() {
        simulation.say(name, "starts")
        handle(.start)
        scheduleTick()
    }

    func die(silently: Bool) {
        simulation.say(name, silently ? "is gone with its machine" : "is killed")
        isDead = true
        for link in links { link.connection.map { $0.endFor(self, .dialling, silently: silently) } }
        for (_, end) in accepted.sorted(by: { $0.key < $1.key }) { end.connection.endFor(self, .accepting, silently: silently) }
        for socket in sockets { socket.connection?.endFor(self, .accepting, silently: silently) }
        for waiting in handshakes { waiting.endFor(self, .accepting, silently: silently) }
        forget()
    }

    /// Lets go of everything that refers back to it.
    func forget() {
        backlog = []
        handshakes = []
        session = nil
        store = nil
        waiters = [:]
        accepted = [:]
        lines = LinkLines()
        attachments = [:]
        sockets = []
        nodeChannels = [:]
        for link in links { link.connection = nil }
    }

    /// Accepted connections that have not said who they are.
    var handshakes: [SimConnection] = []

    /// The milliseconds of its own clock.
    var now: Int64 { simulation.time / 1_000 + clockOffset }
    var moment: Moment { Moment(monotonic: now, wall: simulation.wall) }

    /// Everything that happens in the process happens in here.
    func enter(isTimer: Bool = false, _ body: @escaping () -> Void) {
        if isDead { return }
        if isPaused {
            backlog.append((isTimer, body))
        } else {
            body()
        }
    }

    /// It runs again: all that waited happens now, sometimes the timers first.
    func catchUp() {
        var waiting = backlog
        backlog = []
        if random.percent(50) { waiting = waiting.filter(\.isTimer) + waiting.filter { !$0.isTimer } }
        for (isTimer, body) in waiting { enter(isTimer: isTimer, body) }
    }

    /// Calls a function after some milliseconds of a timer.
    func after(milliseconds: Int64, _ body: @escaping () -> Void) {
        simulation.after(milliseconds * 1_000) { [weak self] in self?.enter(isTimer: true, body) }
    }

    private func scheduleTick() {
        simulation.after(Self.tickMilliseconds * 1_000 + random.draw(0...2_000)) { [weak self] in
            self?.enter(isTimer: true) {
                self?.tick()
                self?.scheduleTick()
            }
        }
    }

    private func tick() {
        withLoop { $0.onTick(now: self.moment, actions: &$1) }
        for socket in sockets { perform(socket.machine.onTick(now: now), socket) }
        tickHubs()
        for link in links { onTick(link) }
        closeSilentEnds()
        checkBounds()
    }

    // MARK: Connections that others have made

    func accept(_ connection: SimConnection) { handshakes.append(connection) }

    func receive(_ frame: SimFrame, on connection: SimConnection) {
        enter {
            switch frame {
            // It was closed here while the frame waited.
            case .hello where connection.isClosedByAcceptor, .produce where connection.isClosedByAcceptor,
                .subscribe where connection.isClosedByAcceptor:
                break
            case .hello(let from, let to, let generation, let dial):
                self.greet(connection, from: from, to: to, generation: generation, dial: dial)
            case .produce(let request, let message, let restarts, let budget):
                self.produce(connection, request: request, message, restarts: restarts, budgetMilliseconds: budget)
            case .subscribe(let key, let start, let stay, let user): self.subscribe(connection, key, start, stay, user)
            default: self.route(frame, connection)
            }
        }
    }

    private func route(_ frame: SimFrame, _ connection: SimConnection) {
        if let link = links.first(where: { $0.connection === connection }) {
            onFrame(frame, link)
        } else if let channel = connection.channel, let end = accepted[channel], end.connection === connection {
            onFrame(frame, end)
        }
    }

    func ended(_ connection: SimConnection) {
        enter {
            self.handshakes.removeAll { $0 === connection }
            if let link = self.links.first(where: { $0.connection === connection }) {
                self.onClosed(link)
            } else if let channel = connection.channel, let end = self.accepted[channel], end.connection === connection {
                self.onClosed(end)
            } else {
                self.sockets.filter { $0.connection === connection }.forEach { self.drop($0) }
            }
        }
    }
}

extension SimConnection {
    /// The process at an end is gone.
    func endFor(_ process: SimProcess, _ side: SimSide, silently: Bool) {
        guard silently else { return close(from: side, abruptly: process.random.percent(50)) }
        let isForClient = hosts[side.other.rawValue] == SimNetwork.outside
        vanish(from: side)
        // Clients and producers feel the pulse of their node; nodes find out by theirs.
        if isForClient { process.simulation.after(3_000_000) { [weak self] in self?.lapse(side.other) } }
    }
}
