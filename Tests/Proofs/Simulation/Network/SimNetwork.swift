// All connections, and who can reach whom. A cut is one-way or both ways between sets of hosts; cuts overlap, and each is healed by
// itself. Hosts are the places of the nodes; producers and clients live on hosts that are never cut off.

import HashRing

/// Names a cut.
struct SimCut: Hashable {
    let number: Int
}

/// The network of one simulation.
final class SimNetwork {
    /// The host of everybody who is no node.
    static let outside = -1

    unowned let simulation: Simulation
    var random: SplitMix64
    private var connections: [SimConnection] = []
    private var lastConnection = 0
    /// How many cuts lie between two hosts, by direction.
    private var cutCounts: [[Int]]
    private var cuts: [SimCut: [(from: Int, to: Int)]] = [:]
    private var lastCut = 0
    /// Called with every frame that is sent: named schedules wait for one.
    var watchers: [Int: (SimFrame, SimConnection, SimSide) -> Void] = [:]
    private var lastWatcher = 0
    /// The longest queue that a connection has had.
    private(set) var queuedMost = 0

    init(simulation: Simulation, hosts: Int, random: SplitMix64) {
        self.simulation = simulation
        self.random = random
        cutCounts = Array(repeating: Array(repeating: 0, count: hosts), count: hosts)
    }

    // MARK: Connections

    /// A one-way delay of a packet on a connection with this usual delay.
    func draw(around delay: Int64) -> Int64 {
        // Now and then a packet is lost and sent again.
        if random.percent(1) { return delay + random.draw(1_000...40_000) }
        return delay + random.draw(0...delay)
    }

    /// A new connection with a usual delay of its own.
    func connect(from: Int, _ dialling: any SimEnd, to: Int, _ accepting: any SimEnd) -> SimConnection {
        lastConnection += 1
        let delay = random.percent(5) ? random.draw(2_000...20_000) : random.draw(50...800)
        let connection = SimConnection(
            number: lastConnection, network: self, hosts: [from, to], ends: [dialling, accepting], delay: delay)
        if connections.count > 256 { connections.removeAll { $0.isOver } }
        connections.append(connection)
        return connection
    }

    func sent(_ frame: SimFrame, on connection: SimConnection, from side: SimSide) {
        queuedMost = max(queuedMost, connection.queued)
        if simulation.isTraced, let text = frame.trace {
            let (from, to) = (connection.hosts[side.rawValue] + 1, connection.hosts[side.other.rawValue] + 1)
            simulation.say("n\(from)>n\(to)", text)
        }
        if watchers.isEmpty { return }
        for number in watchers.keys.sorted() { watchers[number]?(frame, connection, side) }
    }

    /// Calls a function with every frame until it returns true.
    func watch(_ sees: @escaping (SimFrame, SimConnection, SimSide) -> Bool) {
        lastWatcher += 1
        let number = lastWatcher
        watchers[number] = { [weak self] frame, connection, side in
            if sees(frame, connection, side) { self?.watchers[number] = nil }
        }
    }

    /// All connections between two hosts break; what is under way is lost.
    func breakConnections(_ one: Int, _ other: Int) {
        for connection in connections where connection.hosts == [one, other] || connection.hosts == [other, one] {
            connection.close(from: random.percent(50) ? .dialling : .accepting, abruptly: true)
        }
    }

    /// The run is over.
    func forget() {
        // Who is at an end may hold the connection, which holds the end.
        for connection in connections { for side in [SimSide.dialling, .accepting] { connection.vanish(from: side) } }
        connections = []
        watchers = [:]
    }

    // MARK: Cuts

    func isCut(from: Int, to: Int) -> Bool { from >= 0 && to >= 0 && cutCounts[from][to] > 0 }

    /// Neither end can open a connection, and none makes any progress.
    func isCutEitherWay(_ one: Int, _ other: Int) -> Bool { isCut(from: one, to: other) || isCut(from: other, to: one) }

    /// Cuts the ways between two sets of hosts.
    func cut(_ ones: [Int], from others: [Int], oneWay: Bool = false) -> SimCut {
        lastCut += 1
        let cut = SimCut(number: lastCut)
        for one in ones {
            for other in others where other != one {
                cuts[cut, default: []].append((one, other))
                if !oneWay { cuts[cut, default: []].append((other, one)) }
            }
        }
        for (from, to) in cuts[cut] ?? [] { cutCounts[from][to] += 1 }
        return cut
    }

    func heal(_ cut: SimCut) {
        for (from, to) in cuts.removeValue(forKey: cut) ?? [] {
            cutCounts[from][to] -= 1
            if cutCounts[from][to] == 0 { onHealed(from, to) }
        }
    }

    func healAll() { for cut in cuts.keys.sorted(by: { $0.number < $1.number }) { heal(cut) } }

    private func onHealed(_ from: Int, _ to: Int) {
        for connection in connections {
            if connection.hosts == [from, to] { connection.onHealed(from: .dialling) }
            if connection.hosts == [to, from] { connection.onHealed(from: .accepting) }
        }
    }
}
