// Stories about nodes that keep their copies on disks, in which all that was acknowledged comes back.

import RingpostCore

extension Schedule {
    static let disks: [Schedule] = returns + diskLosses

    private static let returns: [Schedule] = [
        allKilledAllReturn, twoKilledAndStarted, allStop, lateWithDisk, slowDisks, diskFails, damagedContent, longDowntime,
        releaseNotOnDisk, loneDisk, lateAfterOutage, stopsAtOnce, historyBehindMemory,
    ]

    private static let allKilledAllReturn = Schedule(
        "all-killed-all-return", "all nodes are killed at once and started again with their disks", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        for _ in 0..<2 {
            story.killAll(silently: 30)
            story.startAll(within: 800)
            story.expectNothingLost()
        }
    }

    private static let twoKilledAndStarted = Schedule(
        "two-of-four-killed-and-started", "owner and mirror are killed and started again with their disks", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        for node in pair { story.kill(node, silently: story.random.percent(30)) }
        story.wait(story.random.draw(0...2_500))
        for node in pair { story.start(node) }
        story.expectNothingLost()
    }

    private static let allStop = Schedule(
        "last-to-go-holds-all", "all nodes are told to stop, at once or one after the other, and started again", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let pause = story.random.percent(50) ? 0 : Int64(6_000)
        for node in story.nodes {
            story.say("stop \(node.id) in order")
            node.process?.stop()
            story.wait(story.random.draw(0...pause))
        }
        story.wait(atMost: 20_000) { !story.nodes.contains(where: \.isOn) }
        story.require(!story.nodes.contains(where: \.isOn), "all have left")
        story.wait(story.random.draw(0...3_000))
        story.startAll(within: 800)
        story.expectNothingLost()
    }

    private static let lateWithDisk = Schedule(
        "returns-with-its-disk-while-asked", "all nodes are killed, and one is started when the others wait for it", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let late = story.random.percent(50) ? story.owner() : story.mirror()
        story.killAll(silently: 30)
        for node in story.others(than: [late]) { story.start(node) }
        story.wait(story.random.draw(2_500...4_500))
        if let late { story.start(late) }
        story.expectNothingLost()
    }

    private static let slowDisks = Schedule(
        "owner-unsynced-mirror-synced", "power fails while one of a pair, or both, have much that their disks have not got yet", nodes: 4,
        disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        let slow = [pair.first, pair.last].filter { _ in story.random.percent(60) }
        for node in slow { story.slowDown(node) }
        for _ in 0..<2 {
            story.wait(story.random.draw(500...1_500))
            for node in pair { story.kill(node, silently: true) }
            story.wait(story.random.draw(0...1_500))
            for node in pair { story.start(node) }
            story.expectNothingLost()
        }
    }

    private static let diskFails = Schedule(
        "fdatasync-fails-once", "a disk can't be written once: the node ends, and is started again", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        for node in story.order() {
            story.say("the disk of \(node.id) fails")
            node.disk?.failures = 1
            story.wait(atMost: 3_000) { !node.isOn }
            story.require(!node.isOn, "\(node.id) ends")
            story.wait(story.random.draw(0...1_000))
            story.start(node)
            story.wait(story.random.draw(0...4_000))
        }
        story.expectNothingLost()
    }

    private static let damagedContent = Schedule(
        "damage-in-content", "one node's store can't read what some slots have; their heads are whole", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        story.killAll(silently: 0)
        guard let node = story.random.pick(pair) else { return }
        story.say("the contents of all slots are damaged at \(node.id)")
        node.disk?.damagedSlots = Set(story.simulation.keys.map(\.slot))
        // Its copy may have been the longest: then nobody can say what was in it.
        story.excuse()
        story.startAll(within: 800)
        story.settle(atMost: 30_000)
        story.expectService("when all are back")
    }

    private static let historyBehindMemory = Schedule(
        "history-behind-memory",
        "memory keeps next to nothing, and clients come back that have missed much; then all nodes are killed, and again",
        nodes: 3, disks: .fsync, memoryMessagesMax: 8
    ) { (story: Story) in
        // While slots move nothing is written: a new holder gets what memory has.
        let producers = story.simulation.producers
        for producer in producers { producer.isOver = true }
        story.start(3)
        for producer in producers { producer.isOver = false }
        for round in 0..<2 {
            let before = story.olderReads
            for client in story.simulation.clients { client.stayAway(story.random.draw(2_000...5_000)) }
            story.wait(story.random.draw(1_000...2_500))
            if round == 1 {
                for producer in producers { producer.isOver = true }
                story.killAll(silently: 30)
                story.startAll(within: 800)
                story.settle(atMost: 30_000)
                for producer in producers { producer.isOver = false }
            }
            story.wait(6_000)
            story.require(story.olderReads > (round == 1 ? 0 : before), "something is read that memory does not have")
            story.expectNothingLost()
        }
    }

    private static let longDowntime = Schedule(
        "long-downtime-receipts", "all nodes are away for longer than receipts are remembered, and then messages come again", nodes: 3,
        disks: .fsync
    ) { (story: Story) in
        story.start(3)
        story.wait(1_000)
        let told = story.simulation.checker.records.filter { $0.receipt != nil && $0.message.isRepeatable }.suffix(30).map(\.message)
        story.killAll(silently: 30)
        story.wait(story.random.draw(45_000...90_000))
        story.startAll(within: 300)
        story.settle()
        story.say("\(told.count) messages come again")
        for (index, message) in told.enumerated() { story.simulation.producers[index % 3].sendAgain(message) }
        story.wait(3_000)
        story.expectNothingLost()
    }

    private static let releaseNotOnDisk = Schedule(
        "release-not-yet-on-disk-then-crash", "a holder is to let go of its copy, and is gone before that is on its disk", nodes: 4,
        disks: .fsync
    ) { (story: Story) in
        let slot = story.slot
        guard let (_, mirror) = story.startAllButMirror() else { return story.require(false, "somebody owns the slot") }
        for node in story.nodes { story.slowDown(node) }
        var holder: SimNode?
        story.onSlotFrame(where: { $0.isRelease && $0.concerns(slot) }) { _, to in holder = to }
        story.start(mirror)
        story.wait(atMost: 10_000) { holder != nil }
        guard let holder else { return story.require(false, "a holder is released") }
        story.wait(story.random.draw(1...40))
        story.kill(holder, silently: story.random.percent(50))
        if story.random.percent(50) { story.killAll(silently: 50) }
        story.wait(story.random.draw(0...1_000))
        story.startAll(within: 500)
        story.expectNothingLost()
    }

    private static let loneDisk = Schedule(
        "lone-owner-killed", "the only node with weight is killed again and again", nodes: 2, disks: .fsync
    ) { (story: Story) in
        story.nodes[1].weight = 0
        story.start(2)
        for _ in 0..<3 {
            story.kill(story.nodes[0], silently: story.random.percent(50))
            story.wait(story.random.draw(0...2_500))
            story.start(story.nodes[0])
            story.wait(story.random.draw(2_500...6_000))
        }
        story.expectNothingLost()
    }

    private static let lateAfterOutage = Schedule(
        "waiter-returns-first-after-zookeeper",
        "while one node is waited for, it is started, and ZooKeeper is away for longer than that wait",
        nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let late = story.random.percent(50) ? story.owner() : story.mirror()
        story.killAll(silently: 30)
        for node in story.others(than: [late]) { story.start(node) }
        story.wait(story.random.draw(3_500...5_000))
        story.say("ZooKeeper is away")
        story.zooKeeper.goDown()
        if let late { story.start(late) }
        story.wait(story.random.draw(4_000...10_000))
        story.say("ZooKeeper is back")
        story.zooKeeper.comeUp()
        story.expectNothingLost()
    }

    private static let stopsAtOnce = Schedule(
        "told-to-stop-before-it-has-read", "the only node with weight comes back, and is told to stop before it has read its disk",
        nodes: 2,
        disks: .fsync
    ) { (story: Story) in
        let node = story.nodes[0]
        story.nodes[1].weight = 0
        story.start(2)
        story.kill(node)
        story.wait(2_500)
        node.disk?.readMicroseconds = 400_000
        story.start(node)
        story.wait(atMost: 8_000) { node.process?.view?.own?.weight ?? 0 > 0 }
        story.say("stop \(node.id) in order")
        node.process?.stop()
        story.wait(atMost: 20_000) { !node.isOn }
        story.require(!node.isOn, "it leaves")
        story.start(node)
        story.expectNothingLost()
    }
}

extension Story {
    /// - Parameter silently: how many of a hundred with their machines.
    func killAll(silently percent: UInt64) {
        for node in nodes { kill(node, silently: random.percent(percent)) }
    }

    /// Parts of histories that were read from disks by the processes that are there.
    var olderReads: UInt64 { nodes.compactMap(\.process).reduce(0) { $0 + $1.loop.olderReadCounts.reads } }

    /// In any order.
    func startAll(within milliseconds: Int64) {
        say("start all that are not on")
        for node in nodes { simulation.after(random.draw(0...milliseconds * 1_000)) { node.start() } }
        wait(milliseconds + 1)
    }

    func slowDown(_ node: SimNode?) {
        guard let node, let disk = node.disk else { return }
        say("the disk of \(node.id) is slow")
        (disk.isSlow, disk.slowMicroseconds) = (true, random.draw(50_000...600_000))
    }
}
