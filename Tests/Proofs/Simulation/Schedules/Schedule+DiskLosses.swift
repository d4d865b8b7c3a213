// Stories in which disks lose something, or do not come back in time. Clients may be told `gap` then, and nothing is lost without a word.

import RingpostCore

extension Schedule {
    static let diskLosses: [Schedule] = [
        writtenMachineDown, mixedPowerCut, emptySuccessors, oldDirectory, neverComesBack, lostEnd, traceOnDisk, olderZooKeeper,
    ]

    /// A mirror with an old copy is what is left under its old name.
    private static let writtenMachineDown = Schedule(
        "written-machine-down-stale-peer",
        "stores that are only written lose their ends with the power; a peer with an old copy is back first",
        nodes: 3, disks: .written
    ) { (story: Story) in
        story.start(3)
        let mirror = story.mirror()
        story.kill(mirror)
        story.wait(5_000)
        story.excuse()
        for node in story.others(than: [mirror]) { story.kill(node, silently: true) }
        if let mirror { story.start(mirror) }
        story.wait(story.random.draw(0...6_000))
        story.startAll(within: 500)
        story.settle(atMost: 30_000)
    }

    private static let mixedPowerCut = Schedule(
        "mixed-store-power-cut", "nodes with synced, written and no stores, and no power", nodes: 5, disks: .mixed
    ) { (story: Story) in
        story.start(5)
        for _ in 0..<2 {
            story.excuse()
            story.killAll(silently: 80)
            story.wait(story.random.draw(0...3_000))
            story.startAll(within: 3_000)
            story.settle(atMost: 40_000)
        }
    }

    private static let emptySuccessors = Schedule(
        "empty-successors-and-stale-disk", "those that had the newest copy come back with empty disks, beside one with an old copy",
        nodes: 3,
        disks: .fsync
    ) { (story: Story) in
        story.start(3)
        let mirror = story.mirror()
        story.kill(mirror)
        story.wait(5_000)
        story.excuse()
        for node in story.others(than: [mirror]) {
            story.kill(node)
            story.say("\(node.id) gets an empty disk")
            node.disk = SimDisk(.fsync)
        }
        let isFirst = story.random.percent(50)
        if isFirst, let mirror { story.start(mirror) }
        story.wait(story.random.draw(0...4_000))
        for node in story.others(than: [mirror]) { story.start(node) }
        story.wait(story.random.draw(0...4_000))
        if let mirror { story.start(mirror) }
        story.settle(atMost: 30_000)
    }

    /// The only owner's lineage knows all of the set of its copy, however old that is.
    static let oldDirectory = Schedule(
        "old-directory-after-newer-boot", "a node is started with an older copy of its directory", nodes: 2, disks: .fsync
    ) { (story: Story) in
        let node = story.nodes[0]
        story.nodes[1].weight = 0
        story.start(2)
        story.kill(node)
        let copy = node.disk.map { SimDisk(copyOf: $0) }
        story.wait(500)
        story.start(node)
        story.settle()
        story.wait(2_000)
        story.excuse()
        story.kill(node)
        story.say("\(node.id) gets an older copy of its directory")
        node.disk = copy
        story.wait(story.random.draw(0...2_000))
        story.start(node)
        story.settle(atMost: 30_000)
    }

    private static let neverComesBack = Schedule(
        "pair-comes-back-too-late", "all nodes are killed, and a pair is started when others have begun anew", nodes: 4, disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        story.killAll(silently: 30)
        story.excuse()
        for node in story.others(than: pair) { story.start(node) }
        story.wait(12_000)
        story.expectService("when the others have not come back in time", within: 10_000)
        for node in pair {
            story.start(node)
            story.wait(story.random.draw(0...2_000))
        }
        story.settle(atMost: 30_000)
    }

    static let lostEnd = Schedule(
        "lone-owner-loses-its-end", "the only owner's store is only written, and the power fails", nodes: 2, disks: .written
    ) { (story: Story) in
        story.nodes[1].weight = 0
        story.start(2)
        for _ in 0..<3 {
            story.wait(story.random.draw(500...1_500))
            story.excuse()
            story.kill(story.nodes[0], silently: true)
            story.wait(story.random.draw(0...2_000))
            story.start(story.nodes[0])
            story.settle(atMost: 30_000)
        }
    }

    /// What the disks have is of epochs that are still to come: nobody could begin a term in their slots, and who began anew could not be
    /// told from who has had them.
    static let olderZooKeeper = Schedule(
        "epochs-start-again-low", "all nodes are away when ZooKeeper is set up from a backup, and their disks have seen later epochs",
        nodes: 3,
        disks: .fsync
    ) { (story: Story) in
        story.start(3)
        let backup = story.zooKeeper.tree
        story.say("ZooKeeper is backed up")
        story.zooKeeper.pass(transactions: 400)
        for node in story.nodes {
            story.kill(node)
            story.wait(500)
            story.start(node)
            story.settle(atMost: 30_000)
        }
        let last = story.epoch
        story.excuse()
        story.killAll(silently: 30)
        story.wait(story.random.draw(0...5_000))
        story.say("ZooKeeper is set up from the backup")
        story.zooKeeper.goDown()
        story.zooKeeper.restore(backup)
        story.zooKeeper.comeUp()
        // One that knows nothing may have begun there before those that do come back.
        if story.random.percent(50), let first = story.order().first ?? story.nodes.first {
            story.say("\(first.id) gets an empty disk")
            first.disk = SimDisk(.fsync)
            story.start(first)
            story.wait(story.random.draw(0...20_000))
            story.excuse()
        }
        story.startAll(within: 2_000)
        story.wait(5_000)
        story.require(story.epoch < last, "epochs are below those that the disks have seen")
        story.expectService("when all have given up what they had", within: 20_000)
        story.settle(atMost: 30_000)
    }

    /// As with sessions that end; but what was released, and what is old, lies on disks.
    static let traceOnDisk = Schedule(
        "stale-disk-returns", "a mirror is away while its owner hands over; those two come back from their disks, and nobody else",
        nodes: 4,
        disks: .fsync
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        guard let owner = pair.first, let mirror = pair.last else { return story.require(false, "somebody owns the slot") }
        story.kill(mirror)
        story.wait(4_000)
        story.setWeight(owner, 0)
        story.wait(4_000)
        let holders = story.order()
        story.require(!holders.contains { $0 === owner || $0 === mirror }, "\(owner.id) has handed over")
        story.wait(1_000)
        story.excuse()
        story.killAll(silently: 30)
        for node in [owner, mirror] { story.start(node) }
        story.wait(12_000)
        story.startAll(within: 500)
        story.wait(3_000)
    }
}

extension Story {
    /// More is taken from now on than the rules cover: whoever is told `gap` is told the truth.
    func excuse() { simulation.coverage.excuse(forMilliseconds: 30_000) }
}
