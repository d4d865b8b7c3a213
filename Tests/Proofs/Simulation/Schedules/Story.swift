// The words in which a schedule by name is told: start these nodes, wait until all is settled, wait for a frame, do something.

import HashRing
import RingpostCore

/// A simulation under the hands of a schedule.
final class Story {
    let simulation: Simulation
    var random: SplitMix64

    init(_ simulation: Simulation) {
        self.simulation = simulation
        random = SplitMix64(seed: simulation.settings.seed ^ 0x5708)
    }

    var nodes: [SimNode] { simulation.nodes }
    var network: SimNetwork { simulation.network }
    var zooKeeper: SimZooKeeper { simulation.zooKeeper }
    /// The slot that most stories are about.
    var slot: Int { simulation.keys[0].slot }

    func say(_ what: String) { simulation.play(what) }

    /// A story whose situation did not arise has shown nothing: that is a failure, too.
    func require(_ condition: Bool, _ what: String) {
        // A run that is cut short can't arrive anywhere.
        if condition || !simulation.checker.violations.isEmpty { return }
        simulation.checker.fail("not the story that was to be told: expected that \(what)")
    }

    // MARK: Time

    func wait(_ milliseconds: Int64) { simulation.run(until: simulation.time + milliseconds * 1_000) }

    /// Waits until something holds; goes on without it after the limit.
    @discardableResult
    func wait(atMost milliseconds: Int64, until condition: @escaping () -> Bool) -> Bool {
        condition() || simulation.run(until: simulation.time + milliseconds * 1_000, unless: condition)
    }

    /// Every node knows the newest epoch and the present setting, every slot has an owner and confirmed mirrors, nothing waits to be
    /// released.
    var isSettled: Bool {
        let epoch = epoch
        let processes = nodes.compactMap(\.process)
        guard !processes.isEmpty, processes.allSatisfy({ $0.view?.epoch == epoch }) else { return false }
        let counts = processes.map(\.loop.slotCounts)
        guard processes.allSatisfy({ $0.loop.inheritingCount == 0 }), counts.allSatisfy({ $0.unmirrored == 0 }) else { return false }
        let slots = HashRing.slotCount / SimulationSettings.shardCount
        let settings = Set(processes.map { $0.view?.document.copies ?? 0 })
        guard let copies = settings.first, settings.count == 1, let depth = processes[0].view?.ring.depth else { return false }
        let mirrored = (max(1, min(copies, depth)) - 1) * slots
        return counts.reduce(0) { $0 + $1.owned } == slots && counts.reduce(0) { $0 + $1.copies } == mirrored
    }

    /// Waits until every slot has exactly its owner's and its mirror's copies.
    func settle(atMost milliseconds: Int64 = 15_000) {
        var next = simulation.time
        let isDone = wait(atMost: milliseconds) {
            guard self.simulation.time >= next else { return false }
            next = self.simulation.time + 20_000
            return self.isSettled
        }
        require(isDone, "everything is settled within \(milliseconds) ms")
        wait(random.draw(100...600))
    }

    // MARK: Nodes

    /// Starts the first nodes and waits until they are a cluster.
    func start(_ count: Int) { start(Array(nodes.prefix(count))) }

    /// Starts some nodes and waits until they are a cluster.
    func start(_ some: [SimNode]) {
        say("start \(some.map(\.id))")
        for node in some { simulation.after(random.draw(0...300_000)) { node.start() } }
        wait(400)
        settle()
        wait(1_500)
    }

    /// Starts all but the node that is to be the slot's mirror once it is a member, too. Its owner owns it already, and will have to
    /// copy it for that one.
    func startAllButMirror() -> (owner: SimNode, mirror: SimNode)? {
        let pair = order(among: nodes[...])
        guard let owner = pair.first, let mirror = pair.last, owner !== mirror else { return nil }
        start(others(than: [mirror]))
        return (owner, mirror)
    }

    func start(_ node: SimNode) {
        say("start \(node.id)")
        node.start()
    }

    func kill(_ node: SimNode?, silently: Bool = false) {
        guard let node, node.isOn else { return }
        say("kill \(node.id)")
        node.kill(silently: silently)
    }

    func suspend(_ node: SimNode?) {
        guard let node, node.isOn else { return }
        say("suspend \(node.id)")
        node.pause()
    }

    func resume(_ node: SimNode?) {
        guard let node else { return }
        say("resume \(node.id)")
        node.resume()
    }

    func setWeight(_ node: SimNode?, _ weight: UInt16) {
        guard let node else { return }
        say("weight of \(node.id) becomes \(weight)")
        node.process?.setWeight(weight)
    }

    /// The owner, the mirror and so on of the slot, by the list that ZooKeeper has now.
    func order(_ slot: Int? = nil) -> [SimNode] { order(slot, among: zooKeeper.members.map(\.ringMember)) }

    /// The owner and both mirrors of the slot, where there are to be three copies.
    func holders() -> [SimNode] {
        let ring = RingCache.shared.ring(zooKeeper.members.map(\.ringMember))
        return ring.preference(ofSlot: slot, count: ring.depth).compactMap { index in nodes.first { $0.id == ring.members[index].id } }
    }

    /// The owner and the mirror of the slot once some nodes, and nobody else, are members.
    func order(among some: ArraySlice<SimNode>) -> [SimNode] { order(among: some.map { RingMember(id: $0.id, weight: $0.weight) }) }

    private func order(_ slot: Int? = nil, among members: [RingMember]) -> [SimNode] {
        let ring = RingCache.shared.ring(members)
        return [ring.owner(ofSlot: slot ?? self.slot), ring.mirror(ofSlot: slot ?? self.slot)].compactMap { index in
            index.flatMap { index in nodes.first { $0.id == ring.members[index].id } }
        }
    }

    func owner(_ slot: Int? = nil) -> SimNode? { order(slot).first }
    func mirror(_ slot: Int? = nil) -> SimNode? { order(slot).dropFirst().first }
    func others(than some: [SimNode?]) -> [SimNode] { nodes.filter { node in !some.contains { $0 === node } } }

    /// The number of the list that ZooKeeper has now.
    var epoch: UInt64 { zooKeeper.epochBase + (zooKeeper.tree.childrenChanged[zooKeeper.paths.members] ?? 0) }

    /// The weight with which a node stands in that list; `nil` while it doesn't.
    func weight(_ node: SimNode) -> UInt16? { zooKeeper.members.first { $0.id == node.id }?.weight }

    /// The end of the slot's first mailbox in a node's copy; `nil` without a complete copy.
    func copy(at node: SimNode?) -> Cursor? { node?.process?.loop.copy(of: simulation.keys[0]) }

    // MARK: Cuts

    func cut(_ ones: [SimNode?], from others: [SimNode], oneWay: Bool = false) -> SimCut {
        let ones = ones.compactMap { $0 }
        say("cut \(ones.map(\.id)) \(oneWay ? "to" : "from") \(others.map(\.id))")
        return network.cut(ones.map(\.index), from: others.map(\.index), oneWay: oneWay)
    }

    func heal(_ cut: SimCut) {
        say("heal")
        network.heal(cut)
    }

    func cutZooKeeper(_ some: [SimNode?]) -> [Int] {
        let indices = some.compactMap { $0?.index }
        say("cut \(indices.map { nodes[$0].id }) off from ZooKeeper")
        zooKeeper.cut(indices)
        return indices
    }

    func healZooKeeper(_ indices: [Int]) {
        say("\(indices.map { nodes[$0].id }) reach ZooKeeper again")
        zooKeeper.heal(indices)
    }

    // MARK: What must go on meanwhile

    /// Every slot acknowledges something new within three seconds, whatever is broken at the moment.
    func expectService(_ when: String, within milliseconds: Int64 = 3_000) {
        let start = simulation.time
        var next = start
        let isServed = wait(atMost: milliseconds) {
            guard self.simulation.time >= next else { return false }
            next = self.simulation.time + 20_000
            return self.simulation.checker.missing(since: start) == nil
        }
        if !isServed, let what = simulation.checker.missing(since: start) { simulation.checker.fail("\(when): \(what)") }
    }

    // MARK: Frames

    /// Does something at the moment at which a frame about slots is sent, before it leaves.
    func onSlotFrame(
        from sender: SimNode? = nil, where matches: @escaping (SlotFrame) -> Bool,
        _ body: @escaping (_ from: SimNode, _ to: SimNode) -> Void
    ) {
        network.watch { [unowned self] frame, connection, side in
            guard case .slot(let slotFrame) = frame, matches(slotFrame) else { return false }
            let (from, to) = (connection.hosts[side.rawValue], connection.hosts[side.other.rawValue])
            guard from >= 0, to >= 0, sender == nil || sender?.index == from else { return false }
            body(self.nodes[from], self.nodes[to])
            return true
        }
    }

    /// Waits until a frame is sent, and does something at that moment.
    @discardableResult
    func waitForSlotFrame(
        atMost milliseconds: Int64 = 8_000, where matches: @escaping (SlotFrame) -> Bool,
        _ body: @escaping (_ from: SimNode, _ to: SimNode) -> Void
    ) -> Bool {
        var isSeen = false
        onSlotFrame(where: matches) { from, to in
            isSeen = true
            body(from, to)
        }
        let hasCome = wait(atMost: milliseconds) { isSeen }
        require(hasCome, "the frame is sent that is waited for")
        return hasCome
    }

    /// Waits until an owner has sent the first piece of a slot's copy but not the last, and breaks their connection there: the holder
    /// gets only what was sent before. Then does something.
    func waitForHalfACopy(atMost milliseconds: Int64 = 8_000, _ body: @escaping (_ owner: SimNode, _ mirror: SimNode) -> Void) {
        let slot = slot
        var half: (owner: SimNode, mirror: SimNode)?
        network.watch { [unowned self] frame, connection, side in
            guard case .slot(.snapshots(let fills)) = frame, fills.contains(where: { $0.slot == UInt16(slot) && !$0.chunk.isFirst }) else {
                return false
            }
            half = (self.nodes[connection.hosts[side.rawValue]], self.nodes[connection.hosts[side.other.rawValue]])
            connection.close(from: side)
            return true
        }
        let isHalf = wait(atMost: milliseconds) { half != nil }
        require(isHalf, "somebody has half of a copy")
        wait(30)
        if let half { body(half.owner, half.mirror) }
    }
}

extension SlotFrame {
    /// The owner says that a copy is complete with this.
    var completes: Bool { if case .snapshots(let fills) = self { fills.contains { $0.chunk.isLast } } else { false } }
    /// A copy begins to be sent, and this is not all of it.
    var beginsCopy: Bool { if case .snapshots(let fills) = self { fills.contains { $0.chunk.isFirst && !$0.chunk.isLast } } else { false } }
    /// A piece of a copy that was fetched, and there are more.
    var beginsPieces: Bool { if case .chunk(_, _, let piece?) = self { piece.isFirst && !piece.isLast } else { false } }
    var acknowledges: Bool {
        switch self {
        case .acknowledge, .acknowledgeCopies: true
        default: false
        }
    }
    var isReleased: Bool { if case .released = self { true } else { false } }
    var isRelease: Bool { if case .release = self { true } else { false } }
    var isHoldings: Bool { if case .holdings = self { true } else { false } }
    var isPiece: Bool { if case .chunk = self { true } else { false } }
    var isInquiry: Bool { if case .inquire = self { true } else { false } }

    /// The term that a question fences lower ones with.
    var inquiryTerm: UInt64? { if case .inquire(let term, _) = self { term } else { nil } }

    /// Whether it is about a slot, alone or among others.
    func concerns(_ slot: Int) -> Bool {
        switch self {
        case .inquire(_, let slots): slots.contains(UInt16(slot))
        case .holdings(_, let holdings): holdings.contains { $0.slot == UInt16(slot) }
        case .adopt(let adoptions): adoptions.contains { $0.slot == UInt16(slot) }
        case .snapshots(let fills): fills.contains { $0.slot == UInt16(slot) }
        case .release(let slots): slots.contains { $0.slot == UInt16(slot) }
        case .released(let slots): slots.contains { $0.slot == UInt16(slot) }
        case .keepers(let slots): slots.contains { $0.slot == UInt16(slot) }
        case .retained(_, let holdings): holdings.contains { $0.slot == UInt16(slot) }
        case .acknowledgeCopies(let positions): positions.contains { $0.slot == UInt16(slot) }
        case .fetch(_, let own), .append(_, let own, _, _), .chunk(_, let own, _), .acknowledge(_, let own, _), .mismatch(_, let own),
            .refused(_, let own, _):
            own == UInt16(slot)
        }
    }
}
