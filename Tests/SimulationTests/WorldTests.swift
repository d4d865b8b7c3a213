// The simulated world has to behave as the real one does where it matters, or it proves nothing.

import RingpostCore
import Testing

@testable import Simulation

@Suite struct EventQueueTests {
    @Test func whatComesFirstHappensFirstAndTiesInTheOrderOfPlanning() {
        var queue = EventQueue()
        var seen: [Int] = []
        for (time, number) in [(30, 1), (10, 2), (20, 3), (10, 4), (30, 5), (10, 6)] { queue.add(at: Int64(time)) { seen.append(number) } }
        while let (_, body) = queue.next(upTo: 20) { body() }
        #expect(seen == [2, 4, 6, 3])
        while let (_, body) = queue.next(upTo: 30) { body() }
        #expect(seen == [2, 4, 6, 3, 1, 5])
    }
}

/// An end that remembers what it got.
private final class Ear: SimEnd {
    var heard: [UInt64] = []
    var isOver = false

    func receive(_ frame: SimFrame, on connection: SimConnection) {
        if case .produced(let request, _) = frame { heard.append(request) }
    }

    func ended(_ connection: SimConnection) { isOver = true }
}

@Suite struct NetworkTests {
    private let simulation = Simulation(SimulationSettings(seed: 5, nodes: 3))
    private let one = Ear()
    private let other = Ear()

    private func say(_ numbers: ClosedRange<UInt64>, on connection: SimConnection) {
        for number in numbers { connection.send(.produced(request: number, .failure(.retry)), from: .dialling) }
    }

    @Test func aConnectionKeepsOrder() {
        let connection = simulation.network.connect(from: 0, one, to: 1, other)
        say(1...200, on: connection)
        simulation.run(until: 1_000_000)
        #expect(other.heard == Array(1...200))
    }

    @Test func whatIsSentIntoACutComesAfterItInOrder() {
        let connection = simulation.network.connect(from: 0, one, to: 1, other)
        let cut = simulation.network.cut([0], from: [1, 2], oneWay: true)
        say(1...3, on: connection)
        simulation.run(until: 1_000_000)
        #expect(other.heard == [])
        connection.close(from: .dialling)
        simulation.network.heal(cut)
        simulation.run(until: 2_000_000)
        #expect(other.heard == [1, 2, 3], "the kernel sends what was written, also after the end")
        #expect(other.isOver)
    }

    @Test func cutsOverlapAndEachIsHealedByItself() {
        let cuts = [simulation.network.cut([0], from: [1]), simulation.network.cut([1], from: [0, 2])]
        simulation.network.heal(cuts[0])
        #expect(simulation.network.isCut(from: 0, to: 1))
        simulation.network.heal(cuts[1])
        #expect(!simulation.network.isCut(from: 0, to: 1))
        #expect(!simulation.network.isCut(from: 2, to: 1))
    }

    @Test func aBrokenConnectionLosesWhatIsUnderWay() {
        let connection = simulation.network.connect(from: 0, one, to: 1, other)
        say(1...50, on: connection)
        simulation.network.breakConnections(1, 0)
        simulation.run(until: 1_000_000)
        #expect(other.heard.count < 50)
        #expect(one.isOver != other.isOver, "one end has closed it, the other hears of that")
    }
}

@Suite struct ZooKeeperModelTests {
    private func tree() -> SimTree {
        var tree = SimTree()
        _ = tree.apply([.create(path: "/m", data: [], owner: nil)])
        return tree
    }

    @Test func aTransactionIsDoneWholeOrNotAtAll() {
        var tree = tree()
        #expect(tree.apply([.create(path: "/m/a", data: [1], owner: 7), .create(path: "/m/a", data: [2], owner: 8)]) == .nodeExists)
        #expect(tree.children(of: "/m") == [])
        #expect(tree.apply([.delete(path: "/m/a")]) == .noNode)
        #expect(tree.apply([.create(path: "/x/a", data: [], owner: nil)]) == .noNode, "no parent")
    }

    @Test func theParentRemembersTheLastChangeOfItsChildrenOnly() {
        var tree = tree()
        _ = tree.apply([.create(path: "/m/a", data: [1], owner: 7)])
        let created = tree.transaction
        #expect(tree.childrenChanged["/m"] == created)
        #expect(tree.znodes["/m/a"]?.createdBy == created)
        _ = tree.apply([.set(path: "/m/a", data: [2])])
        #expect(tree.childrenChanged["/m"] == created, "setting data is no change of the children")
        _ = tree.apply([.delete(path: "/m/a"), .create(path: "/m/a", data: [3], owner: 7)])
        #expect(tree.childrenChanged["/m"] == created + 2, "once for a transaction of two changes")
        #expect(tree.owned(by: 7) == ["/m/a"])
    }

    @Test func aSessionEndsAfterItsTimeOutAndNotBefore() throws {
        let simulation = Simulation(SimulationSettings(seed: 3, nodes: 3))
        simulation.nodes[0].start()
        simulation.run(until: 5_000_000)
        #expect(simulation.zooKeeper.members.map(\.id) == ["n1"])
        simulation.nodes[0].kill()
        simulation.run(until: 5_000_000 + 1_300_000)
        #expect(simulation.zooKeeper.members.map(\.id) == ["n1"], "the last ping was up to a third of S ago")
        simulation.run(until: 5_000_000 + 2_300_000)
        #expect(simulation.zooKeeper.members.isEmpty)
    }

    @Test func anEnsembleThatComesBackGivesEverySessionItsTimeAgain() {
        let simulation = Simulation(SimulationSettings(seed: 3, nodes: 3))
        simulation.nodes[0].start()
        simulation.run(until: 5_000_000)
        simulation.zooKeeper.goDown()
        simulation.nodes[0].kill()
        simulation.run(until: 12_000_000)
        #expect(simulation.zooKeeper.members.map(\.id) == ["n1"])
        simulation.zooKeeper.comeUp()
        simulation.run(until: 13_900_000)
        #expect(simulation.zooKeeper.members.map(\.id) == ["n1"])
        simulation.run(until: 14_300_000)
        #expect(simulation.zooKeeper.members.isEmpty)
    }
}

@Suite struct MemoryTests {
    private final class Traces: @unchecked Sendable {
        weak var simulation: Simulation?
        weak var network: SimNetwork?
        weak var session: SimSession?
        weak var checker: SimChecker?
        weak var node: SimNode?
        weak var process: SimProcess?
        weak var client: SimClient?
        weak var producer: SimProducer?
    }

    /// Parts refer to each other in circles; ten thousand runs of one process must not stay in its memory.
    @Test func aRunLeavesNothingBehind() {
        let traces = Traces()
        let schedule = Schedule("a look", "nodes start and run", nodes: 3) { simulation in
            for node in simulation.nodes { node.start() }
            simulation.run(until: 6_000_000)
            traces.simulation = simulation
            traces.network = simulation.network
            traces.session = simulation.zooKeeper.sessions.first
            traces.checker = simulation.checker
            traces.node = simulation.nodes[1]
            traces.process = simulation.nodes[1].process
            traces.client = simulation.clients.first
            traces.producer = simulation.producers.first
        }
        #expect(Simulation(SimulationSettings(seed: 11, schedule: schedule)).run().violations.isEmpty)
        #expect(traces.simulation == nil && traces.network == nil && traces.session == nil && traces.checker == nil)
        #expect(traces.node == nil && traces.process == nil && traces.client == nil && traces.producer == nil)
    }
}
