// Faults drawn from the seed. Half of the seeds keep to what the design covers, one member at a time; the other half do anything.

import HashRing
import RingpostCore

extension Schedule {
    /// Whatever the seed draws.
    package static let random = Schedule("random", "faults drawn from the seed", copies: nil, disks: RandomSchedule.disks) { simulation in
        RandomSchedule(simulation).play()
    }
}

/// The schedule of one seed.
final class RandomSchedule {
    let simulation: Simulation
    var random: SplitMix64
    let isGentle: Bool
    /// What weights are changed to. Rings of mixed weights cost most to build, so only some runs have them.
    private let weights: [UInt16]
    /// Nodes that something is wrong with.
    private var troubled: Set<Int> = []
    private var isTroubled = false

    init(_ simulation: Simulation) {
        self.simulation = simulation
        random = SplitMix64(seed: simulation.settings.seed ^ 0x5CED)
        isGentle = random.percent(50)
        weights = random.percent(20) ? [0, 50, 100] : [0, 100]
    }

    var nodes: [SimNode] { simulation.nodes }

    func play() {
        simulation.play(isGentle ? "one member at a time" : "anything at any time")
        beginDisks()
        let count = Int(random.draw(2...Int64(max(2, nodes.count))))
        if random.percent(20) {
            simulation.play("all start at once")
            for node in nodes { node.start() }
        } else {
            for node in nodes.prefix(count) {
                if random.percent(15) { node.weight = weights[random.below(weights.count)] }
                simulation.after(random.draw(0...2_000_000)) { node.start() }
            }
        }
        simulation.run(until: random.draw(2_500_000...6_000_000))
        let end = simulation.time + random.draw(15_000_000...40_000_000)
        while simulation.time < end, simulation.checker.violations.isEmpty {
            strike()
            let pause = isGentle ? random.draw(200_000...3_000_000) : random.draw(10_000...2_500_000)
            simulation.run(until: simulation.time + pause)
        }
    }

    /// One more fault. Gentle schedules wait until the last one is over and the copies are complete again.
    private func strike() {
        if isGentle, isTroubled { return }
        if hasDisks, random.percent(35) { return strikeDisks() }
        switch random.below(22) {
        case 0, 1, 2: kill()
        case 3, 4: pause()
        case 5: stop()
        case 6, 7: join()
        case 8: changeWeight()
        case 9: isolate()
        case 10, 11: cutPair()
        case 12: cutZooKeeper()
        case 13: outage()
        case 14: expireEarly()
        case 15: lateWatches()
        case 16: slowServers()
        case 17: breakConnections()
        case 18: starve()
        case 19: isolateSeveral()
        case 20: endSessions()
        default: isolateServer()
        }
        if random.percent(20) { moveClients() }
    }

    // MARK: Bookkeeping

    func pickNode(where condition: (SimNode) -> Bool) -> SimNode? {
        random.pick(nodes.filter { condition($0) && !troubled.contains($0.index) })
    }

    /// Something is wrong for a while; then it is mended, and a gentle schedule waits until copies can be complete again.
    func trouble(_ node: SimNode?, for duration: Int64, mend: @escaping () -> Void) {
        if let node { troubled.insert(node.index) }
        isTroubled = true
        simulation.after(duration) {
            mend()
            self.simulation.after(self.isGentle ? 6_000_000 : 0) {
                if let node { self.troubled.remove(node.index) }
                self.isTroubled = false
            }
        }
    }

    // MARK: Faults

    private func kill() {
        guard let node = pickNode(where: \.isOn) else { return }
        let silently = random.percent(30)
        // Alone with its disk it is waited for, but not for ever.
        let duration = random.draw(10_000...(isGentle && hasDisks ? 2_500_000 : 6_000_000))
        simulation.play("kill \(node.id)\(silently ? " with its machine" : ""), start again after \(duration / 1_000) ms")
        node.kill(silently: silently)
        trouble(node, for: duration) {
            self.simulation.play("start \(node.id)")
            node.start()
        }
    }

    private func pause() {
        guard let node = pickNode(where: \.isRunning) else { return }
        let duration = random.percent(50) ? random.draw(50_000...2_500_000) : random.draw(2_500_000...7_000_000)
        simulation.play("suspend \(node.id) for \(duration / 1_000) ms")
        node.pause()
        trouble(node, for: duration) {
            self.simulation.play("resume \(node.id)")
            node.resume()
        }
    }

    private func stop() {
        guard let node = pickNode(where: \.isRunning), nodes.count(where: \.isRunning) > 2 else { return }
        simulation.play("stop \(node.id) in order")
        node.process?.stop()
        trouble(node, for: random.draw(2_000_000...9_000_000)) {
            self.simulation.play("start \(node.id) if it is gone")
            node.start()
        }
    }

    private func join() {
        guard let node = pickNode(where: { !$0.isOn }) else { return }
        node.weight = random.percent(50) ? 100 : weights[random.below(weights.count)]
        simulation.play("start \(node.id) with weight \(node.weight)")
        node.start()
    }

    /// ZooKeeper has stood still, and ends the sessions of some or all.
    private func endSessions() {
        let some = random.percent(60) ? nodes : nodes.filter { _ in random.percent(50) }
        simulation.play("the sessions of \(some.map(\.id)) end")
        simulation.wasExpiredEarly = true
        for node in some {
            guard let session = node.process?.session?.store.session else { continue }
            simulation.after(random.draw(0...(random.percent(50) ? 0 : 2_000_000))) { self.simulation.zooKeeper.expire(session) }
        }
        trouble(nil, for: 2_000_000) {}
    }

    private func changeWeight() {
        guard let node = pickNode(where: \.isRunning) else { return }
        if random.percent(30) {
            simulation.play("drain \(node.id)")
            node.process?.beginDrain()
            simulation.after(random.draw(100_000...4_000_000)) { node.process?.setWeight(100) }
            return
        }
        let weight = weights[random.below(weights.count)]
        simulation.play("weight of \(node.id) becomes \(weight)")
        node.weight = weight
        node.process?.setWeight(weight)
    }

    private func isolate() {
        guard let node = pickNode(where: \.isOn) else { return }
        let fromZooKeeper = random.percent(65)
        let oneWay = random.percent(15)
        let duration = random.draw(200_000...8_000_000)
        simulation.play(
            "cut \(node.id) off from all nodes\(oneWay ? ", one way," : "")\(fromZooKeeper ? " and ZooKeeper" : "") for \(duration / 1_000) ms"
        )
        let cut = simulation.network.cut([node.index], from: Array(nodes.indices), oneWay: oneWay)
        if fromZooKeeper { simulation.zooKeeper.cut([node.index]) }
        trouble(node, for: duration) {
            self.simulation.network.heal(cut)
            if fromZooKeeper { self.simulation.zooKeeper.heal([node.index]) }
        }
    }

    /// Two or more that still reach each other are cut off from the rest.
    private func isolateSeveral() {
        guard nodes.count > 3 else { return cutPair() }
        var apart: [Int] = []
        let count = 2 + random.below(nodes.count - 3)
        while apart.count < count, let index = random.pick(nodes.indices.filter({ !apart.contains($0) })) { apart.append(index) }
        let rest = nodes.indices.filter { !apart.contains($0) }
        let fromZooKeeper = random.percent(35)
        let duration = random.draw(200_000...8_000_000)
        simulation.play(
            "cut \(apart.map { nodes[$0].id }) off from \(rest.map { nodes[$0].id })\(fromZooKeeper ? " and ZooKeeper" : "") "
                + "for \(duration / 1_000) ms")
        let cut = simulation.network.cut(apart, from: rest)
        if fromZooKeeper { simulation.zooKeeper.cut(apart) }
        trouble(nil, for: duration) {
            self.simulation.network.heal(cut)
            if fromZooKeeper { self.simulation.zooKeeper.heal(apart) }
        }
    }

    private func cutPair() {
        guard let one = pickNode(where: \.isOn), let other = pickNode(where: { $0.isOn && $0.index != one.index }) else { return }
        let duration = random.draw(200_000...8_000_000)
        let oneWay = random.percent(25)
        simulation.play("cut \(one.id) \(oneWay ? "to" : "from") \(other.id) for \(duration / 1_000) ms")
        let cut = simulation.network.cut([one.index], from: [other.index], oneWay: oneWay)
        trouble(nil, for: duration) { self.simulation.network.heal(cut) }
    }

    private func cutZooKeeper() {
        let cutOff: [Int]
        if isGentle {
            guard let node = pickNode(where: \.isOn) else { return }
            cutOff = [node.index]
        } else {
            cutOff = nodes.indices.filter { _ in random.percent(40) }
        }
        let duration = random.draw(200_000...7_000_000)
        simulation.play("cut \(cutOff.map { nodes[$0].id }) off from ZooKeeper for \(duration / 1_000) ms")
        simulation.zooKeeper.cut(cutOff)
        trouble(nil, for: duration) { self.simulation.zooKeeper.heal(cutOff) }
    }

    private func outage() {
        let duration = random.draw(200_000...9_000_000)
        simulation.play("ZooKeeper is away for \(duration / 1_000) ms")
        simulation.zooKeeper.goDown()
        trouble(nil, for: duration) { self.simulation.zooKeeper.comeUp() }
    }

    private func expireEarly() {
        guard let node = pickNode(where: \.isOn), let session = node.process?.session?.store.session else { return }
        simulation.play("the session of \(node.id) is ended early")
        simulation.wasExpiredEarly = true
        simulation.zooKeeper.expire(session)
        trouble(nil, for: 1_000_000) {}
    }

    private func lateWatches() {
        let delay = random.draw(100_000...1_500_000)
        simulation.play("watches come up to \(delay / 1_000) ms late")
        simulation.zooKeeper.watchDelayMax = delay
        simulation.after(random.draw(1_000_000...10_000_000)) { self.simulation.zooKeeper.watchDelayMax = 0 }
    }

    private func slowServers() {
        let lag = random.draw(50_000...800_000)
        simulation.play("servers lag up to \(lag / 1_000) ms behind")
        simulation.zooKeeper.lagMax = lag
        simulation.after(random.draw(1_000_000...10_000_000)) { self.simulation.zooKeeper.lagMax = 2_000 }
    }

    private func breakConnections() {
        let (one, other) = (random.below(nodes.count), random.below(nodes.count))
        simulation.play("connections between \(nodes[one].id) and \(nodes[other].id) break")
        simulation.network.breakConnections(one, other)
    }

    private func starve() {
        guard let node = pickNode(where: \.isOn) else { return }
        let duration = random.draw(500_000...7_000_000)
        simulation.play("ZooKeeper answers \(node.id) with pings only for \(duration / 1_000) ms")
        simulation.zooKeeper.starve(node.index, true)
        trouble(node, for: duration) { self.simulation.zooKeeper.starve(node.index, false) }
    }

    private func isolateServer() {
        let server = random.below(SimZooKeeper.serverCount)
        let duration = random.draw(300_000...5_000_000)
        simulation.play("server \(server) is cut off from its leader for \(duration / 1_000) ms")
        simulation.zooKeeper.isolate(server)
        trouble(nil, for: duration) { self.simulation.zooKeeper.rejoin(server) }
    }

    private func moveClients() {
        for client in simulation.clients where random.percent(30) { client.move() }
    }
}
