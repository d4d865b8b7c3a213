// One TCP connection. What is sent on it arrives in order or not at all; while the way is cut, it waits in the kernel of the sender
// and arrives after the cut, however late, unless the connection has died by then. An end that closes sends what it has written
// first, most of the time, so that old frames can reach a node that has a newer connection already.

/// An end of a connection.
protocol SimEnd: AnyObject {
    /// A frame arrives.
    func receive(_ frame: SimFrame, on connection: SimConnection)
    /// The other end has closed, or is gone.
    func ended(_ connection: SimConnection)
}

/// Which end of a connection.
enum SimSide: Int {
    case dialling = 0
    case accepting = 1

    var other: SimSide { self == .dialling ? .accepting : .dialling }
}

/// One connection between two hosts.
final class SimConnection {
    private enum Item {
        case frame(SimFrame)
        case end
    }

    /// What one side sends.
    private struct Way {
        var items: [(arrival: Int64, Item)] = []
        var first = 0
        var lastArrival: Int64 = 0
        var count: Int { items.count - first }
    }

    unowned let network: SimNetwork
    let number: Int
    /// What the accepting process calls it.
    var channel: UInt32?
    /// Where the ends are; see ``SimNetwork``.
    let hosts: [Int]
    private var ends: [(any SimEnd)?]
    private(set) var isOpen = [true, true]
    /// The accepting end has closed it, not only heard of the other one's end.
    private(set) var isClosedByAcceptor = false
    private var ways = [Way(), Way()]
    private let delay: Int64

    init(number: Int, network: SimNetwork, hosts: [Int], ends: [(any SimEnd)?], delay: Int64) {
        self.number = number
        self.network = network
        self.hosts = hosts
        self.ends = ends
        self.delay = delay
    }

    /// Whether neither end knows anything of it any more.
    var isOver: Bool { !isOpen[0] && !isOpen[1] }
    /// Frames under way.
    var queued: Int { max(ways[0].count, ways[1].count) }

    func setEnd(_ end: any SimEnd, _ side: SimSide) { ends[side.rawValue] = end }

    /// Sends a frame from a side.
    func send(_ frame: SimFrame, from side: SimSide) {
        guard isOpen[side.rawValue] else { return }
        network.sent(frame, on: self, from: side)
        // Whoever watches may have killed the sender with the frame half-way out.
        guard isOpen[side.rawValue] else { return }
        put(.frame(frame), side)
    }

    /// Closes from a side. The other one hears of it behind everything that was sent, or at once and without that.
    func close(from side: SimSide, abruptly: Bool = false) {
        guard isOpen[side.rawValue] else { return }
        isOpen[side.rawValue] = false
        if side == .accepting { isClosedByAcceptor = true }
        ends[side.rawValue] = nil
        if abruptly { ways[side.rawValue].items.removeSubrange(ways[side.rawValue].first...) }
        ways[side.other.rawValue] = Way()
        put(.end, side)
    }

    /// The side's host is gone without a word.
    func vanish(from side: SimSide) {
        isOpen[side.rawValue] = false
        ends[side.rawValue] = nil
        ways = [Way(), Way()]
    }

    /// A side finds that the other one has been silent for too long.
    func lapse(_ side: SimSide) { arrive(.end, at: side) }

    /// The way from a side to the other is open again: what waits arrives after a while, in order.
    func onHealed(from side: SimSide) {
        let index = side.rawValue
        guard ways[index].count > 0 else { return }
        let arrival = network.simulation.time + network.random.draw(500...200_000)
        for item in ways[index].first..<ways[index].items.count {
            ways[index].items[item].arrival = max(ways[index].items[item].arrival, arrival)
        }
        ways[index].lastArrival = max(ways[index].lastArrival, arrival)
        network.simulation.at(arrival) { self.pump(side) }
    }

    private func put(_ item: Item, _ side: SimSide) {
        let index = side.rawValue
        guard isOpen[side.other.rawValue] else { return }
        let arrival = max(ways[index].lastArrival, network.simulation.time + network.draw(around: delay))
        ways[index].lastArrival = arrival
        ways[index].items.append((arrival, item))
        network.simulation.at(arrival) { self.pump(side) }
    }

    private func pump(_ side: SimSide) {
        let index = side.rawValue
        while ways[index].count > 0, ways[index].items[ways[index].first].arrival <= network.simulation.time {
            if network.isCut(from: hosts[index], to: hosts[side.other.rawValue]) { return }
            let item = ways[index].items[ways[index].first].1
            ways[index].first += 1
            if ways[index].first > 64, ways[index].first * 2 > ways[index].items.count {
                ways[index].items.removeSubrange(..<ways[index].first)
                ways[index].first = 0
            }
            arrive(item, at: side.other)
        }
    }

    private func arrive(_ item: Item, at side: SimSide) {
        guard isOpen[side.rawValue], let end = ends[side.rawValue] else { return }
        switch item {
        case .frame(let frame): end.receive(frame, on: self)
        case .end:
            isOpen[side.rawValue] = false
            ends[side.rawValue] = nil
            end.ended(self)
        }
    }
}
