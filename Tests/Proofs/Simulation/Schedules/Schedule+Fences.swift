// Stories about owners that are owners no longer, and about those that come after them.

import RingpostCore

extension Schedule {
    static let fences: [Schedule] = [skippedEpochs, newBootMeetsStaleOwner, lateAnswers, cursorAhead, syncStarved, oneWrongDigest]

    private static let skippedEpochs = Schedule(
        "skipped-epochs-A-B-A-with-fenced-mirror", "a slot goes from A to B and back to A, faster than everybody hears of it", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for round in 0..<3 {
            let pair = story.order()
            guard let owner = pair.first, let mirror = pair.last else { return story.require(false, "somebody owns the slot") }
            let skipper = round == 0 ? story.others(than: pair).first : nil
            story.suspend(skipper)
            story.zooKeeper.watchDelayMax = 900_000
            let indices = round == 1 && story.random.percent(40) ? story.cutZooKeeper([mirror]) : []
            story.setWeight(owner, 0)
            let hasGone = story.wait(atMost: 1_000) { story.owner() === mirror }
            story.require(hasGone, "the slot goes to \(mirror.id)")
            let between = story.epoch
            switch round {
            case 0: break
            case 1: story.wait(story.random.draw(5...400))
            default:
                let isFenced = story.wait(atMost: 2_000) { mirror.process?.epochsTaken.contains(between) == true }
                story.require(isFenced, "\(mirror.id) begins, and fences itself")
            }
            story.setWeight(owner, 100)
            let isBack = story.wait(atMost: 1_000) { story.owner() === owner }
            story.require(isBack, "the slot goes back to \(owner.id)")
            story.resume(skipper)
            story.wait(story.random.draw(100...1_500))
            story.zooKeeper.watchDelayMax = 0
            story.healZooKeeper(indices)
            story.settle()
            if let skipper { story.require(skipper.process?.epochsTaken.contains(between) == false, "\(skipper.id) skips an epoch") }
        }
    }

    private static let newBootMeetsStaleOwner = Schedule(
        "new-boot-meets-stale-owner", "a mirror comes back with a new boot while its owner still knows the old one", nodes: 4
    ) { (story: Story) in
        story.start(3)
        let pair = story.order()
        guard let owner = pair.first, let mirror = pair.last, let old = mirror.process?.identity else {
            return story.require(false, "somebody owns the slot")
        }
        story.zooKeeper.starve(owner.index, true)
        story.say("ZooKeeper answers \(owner.id) with pings only")
        // Nobody else can tell it, either.
        let cut = story.cut([owner], from: story.others(than: pair))
        story.kill(mirror)
        story.wait(story.random.draw(1...40))
        story.start(mirror)
        // Until the old session has ended, the new boot waits; then it is a member that the owner has not heard of.
        var haveMet = false
        story.network.watch { frame, _, _ in
            guard case .hello(let from, let to, _, _) = frame, from.id == mirror.id, to.id == owner.id else { return false }
            haveMet = from != old && owner.process?.view?.members.contains { $0.identity == old } == true
            return haveMet
        }
        story.wait(atMost: 5_000) { haveMet }
        story.require(haveMet, "the new boot of \(mirror.id) greets \(owner.id), which knows the old one")
        story.wait(story.random.draw(0...600))
        if story.random.percent(50) { story.start(story.nodes[3]) }
        story.wait(story.random.draw(100...1_000))
        story.heal(cut)
        story.zooKeeper.starve(owner.index, false)
        story.settle()
        story.kill(story.owner())
        story.wait(3_000)
    }

    private static let lateAnswers = Schedule(
        "late-acknowledgement-or-release-after-fence", "what a holder said before it was fenced reaches the old owner afterwards", nodes: 4
    ) { (story: Story) in
        let slot = story.slot
        guard let (owner, mirror) = story.startAllButMirror() else { return story.require(false, "somebody owns the slot") }
        let waitsForRelease = story.simulation.settings.seed % 2 == 0
        var held: (connection: SimConnection, cut: SimCut)?
        var isFenced = false
        story.network.watch { frame, connection, side in
            guard case .slot(let answer) = frame, answer.concerns(slot), connection.hosts[side.other.rawValue] == owner.index else {
                return false
            }
            guard waitsForRelease ? answer.isReleased : answer.acknowledges else { return false }
            held = (connection, story.cut([story.nodes[connection.hosts[side.rawValue]]], from: [owner], oneWay: true))
            let term = owner.process?.loop.term(ofSlot: slot) ?? 0
            story.onSlotFrame(where: { $0.concerns(slot) && $0.inquiryTerm ?? 0 > term }) { _, _ in isFenced = true }
            // The slot goes elsewhere while the answer is held up on its way.
            story.setWeight(owner, 0)
            return true
        }
        if waitsForRelease { story.start(mirror) }
        story.wait(atMost: 8_000) { held != nil }
        story.wait(atMost: 400) { isFenced }
        story.require(isFenced, "the next owner fences the slot")
        story.wait(story.random.draw(5...60))
        if let (connection, cut) = held {
            story.heal(cut)
            story.wait(210)
            story.require(!connection.isOver, "the old owner hears the answer")
        }
        story.wait(500)
        for node in story.nodes { story.setWeight(node, 100) }
        story.start(mirror)
        story.settle()
    }

    private static let cursorAhead = Schedule(
        "cursor-ahead-at-stale-owner", "clients that have seen more than a stale owner knows ask that owner", nodes: 4
    ) { (story: Story) in
        story.start(4)
        guard let owner = story.owner() else { return story.require(false, "somebody owns the slot") }
        func isAhead(_ client: SimClient) -> Bool {
            guard let cursor = client.cursor, let copy = owner.process?.loop.copy(of: client.key) else { return false }
            return cursor.incarnation == copy.incarnation && cursor.sequence > copy.sequence
        }
        // What it would append by itself, nobody else would have.
        for producer in story.simulation.producers { producer.move(to: story.others(than: [owner])[0].index) }
        story.wait(200)
        let cut = story.cut([owner], from: story.nodes)
        let indices = story.cutZooKeeper([owner])
        let clients = story.simulation.clients
        for client in clients where client.node == owner.index { client.move() }
        story.wait(atMost: 6_000) { clients.contains(where: isAhead) }
        story.wait(story.random.draw(0...1_500))
        story.say("clients go to \(owner.id)")
        for client in clients { client.move(to: owner.index) }
        let asksIt = story.wait(atMost: 2_000) {
            owner.process?.sockets.contains { socket in
                clients.contains { $0.key == socket.key && $0.node == owner.index && isAhead($0) }
            } == true
        }
        story.require(asksIt, "somebody asks \(owner.id) who has seen more than that knows")
        story.wait(story.random.draw(200...3_000))
        story.heal(cut)
        story.wait(story.random.draw(0...500))
        story.healZooKeeper(indices)
        story.settle()
    }

    private static let syncStarved = Schedule(
        "sync-starved", "ZooKeeper answers an owner's pings, but none of its requests", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for duration in [1_200, 3_000, 6_500] as [Int64] {
            guard let owner = story.owner(), let process = owner.process else { return story.require(false, "somebody owns the slot") }
            let boot = process.identity.boot
            story.say("ZooKeeper answers \(owner.id) with pings only")
            story.zooKeeper.starve(owner.index, true)
            story.wait(duration)
            // Some time before S has passed since the last sync that was answered it may not act any more; in the end it
            // closes its session.
            let mayAct = process.lastLease?.mayAct(now: process.now) == true
            story.require(mayAct == (duration < 2_000), "\(owner.id) \(mayAct ? "may not" : "may") act after \(duration) ms")
            story.require(duration < 6_000 || process.identity.boot != boot, "\(owner.id) gives its session up")
            story.say("it answers \(owner.id) again")
            story.zooKeeper.starve(owner.index, false)
            story.settle()
        }
    }

    private static let oneWrongDigest = Schedule(
        "one-wrong-digest", "one node computes another ring from the same members", nodes: 4
    ) { (story: Story) in
        // With equal weights any number makes the same ring, also a wrong one.
        for (node, weight) in zip(story.nodes, [40, 80, 100, 160] as [UInt16]) { node.weight = weight }
        story.start(3)
        guard let node = story.random.percent(50) ? story.owner() : story.mirror() else {
            return story.require(false, "somebody owns the slot")
        }
        story.say("\(node.id) computes wrong rings")
        node.ringFault.isOn = true
        story.start(story.nodes[3])
        let isNoticed = story.wait(atMost: 5_000) { story.simulation.alarms.keys.contains { $0.contains("has ring digest") } }
        story.require(isNoticed, "somebody is alarmed by another's digest")
        story.wait(story.random.draw(500...5_000))
        story.say("\(node.id) computes right rings again, in a new process")
        node.ringFault.isOn = false
        story.kill(node)
        story.start(node)
        story.settle()
    }
}
