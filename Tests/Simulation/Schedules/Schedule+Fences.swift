// Stories about owners that are owners no longer, and about those that come after them.

extension Schedule {
    static let fences: [Schedule] = [skippedEpochs, newBootMeetsStaleOwner, lateAnswers, cursorAhead, syncStarved, oneWrongDigest]

    private static let skippedEpochs = Schedule(
        "skipped-epochs-A-B-A-with-fenced-mirror", "a slot goes from A to B and back to A, faster than everybody hears of it", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for _ in 0..<3 {
            let pair = story.order()
            guard let owner = pair.first, let mirror = pair.last else { return }
            story.zooKeeper.watchDelayMax = 900_000
            let places = story.random.percent(40) ? story.cutZooKeeper([mirror]) : []
            story.setWeight(owner, 0)
            story.wait(story.random.draw(5...400))
            story.setWeight(owner, 100)
            story.wait(story.random.draw(100...1_500))
            story.zooKeeper.watchDelayMax = 0
            story.healZooKeeper(places)
            story.settle()
        }
    }

    private static let newBootMeetsStaleOwner = Schedule(
        "new-boot-meets-stale-owner", "a mirror comes back with a new boot while its owner still knows the old one", nodes: 4
    ) { (story: Story) in
        story.start(3)
        let pair = story.order()
        guard let owner = pair.first, let mirror = pair.last else { return }
        story.zooKeeper.starve(owner.index, true)
        story.say("ZooKeeper answers \(owner.id) with pings only")
        story.kill(mirror)
        story.wait(story.random.draw(1...40))
        story.start(mirror)
        // Until the old session has ended, the new boot waits; then it is a member that the owner has not heard of.
        story.wait(story.random.draw(1_900...3_200))
        if story.random.percent(50) { story.start(story.nodes[3]) }
        story.wait(story.random.draw(100...1_000))
        story.zooKeeper.starve(owner.index, false)
        story.settle()
        story.kill(story.owner())
        story.wait(3_000)
    }

    private static let lateAnswers = Schedule(
        "late-acknowledgement-or-release-after-fence", "what a holder said before it was fenced reaches the old owner afterwards", nodes: 4
    ) { (story: Story) in
        story.start(3)
        var cut: SimCut?
        let waitsForRelease = story.random.percent(50)
        story.onSlotFrame(where: waitsForRelease ? \.isReleased : \.acknowledges) { holder, owner in
            cut = story.cut([holder], from: [owner], oneWay: true)
            // The slot goes elsewhere while the answer is held up on its way.
            story.setWeight(owner, 0)
        }
        if waitsForRelease { story.start(story.nodes[3]) }
        story.wait(atMost: 8_000) { cut != nil }
        story.wait(story.random.draw(50...650))
        if let cut { story.heal(cut) }
        story.wait(500)
        for node in story.nodes { story.setWeight(node, 100) }
        story.settle()
    }

    private static let cursorAhead = Schedule(
        "cursor-ahead-at-stale-owner", "clients that have seen more than a stale owner knows ask that owner", nodes: 4
    ) { (story: Story) in
        story.start(4)
        guard let owner = story.owner() else { return }
        let cut = story.cut([owner], from: story.nodes)
        let places = story.random.percent(70) ? story.cutZooKeeper([owner]) : []
        for client in story.simulation.clients where client.node == owner.index { client.move() }
        story.wait(story.random.draw(2_500...4_500))
        story.say("clients go to \(owner.id)")
        for client in story.simulation.clients { client.move(to: owner.index) }
        story.wait(story.random.draw(200...3_000))
        story.heal(cut)
        story.wait(story.random.draw(0...500))
        story.healZooKeeper(places)
        story.settle()
    }

    private static let syncStarved = Schedule(
        "sync-starved", "ZooKeeper answers an owner's pings, but none of its requests", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for duration in [1_500, 3_000, 6_500] as [Int64] {
            guard let owner = story.owner() else { return }
            story.say("ZooKeeper answers \(owner.id) with pings only")
            story.zooKeeper.starve(owner.index, true)
            story.wait(duration)
            story.say("it answers \(owner.id) again")
            story.zooKeeper.starve(owner.index, false)
            story.settle()
        }
    }

    private static let oneWrongDigest = Schedule(
        "one-wrong-digest", "one node computes another ring from the same members", nodes: 4
    ) { (story: Story) in
        story.start(3)
        guard let node = story.random.percent(50) ? story.owner() : story.mirror() else { return }
        story.say("\(node.id) computes wrong rings")
        node.ringFault.isOn = true
        story.start(story.nodes[3])
        story.wait(story.random.draw(500...5_000))
        story.say("\(node.id) computes right rings again, in a new process")
        node.ringFault.isOn = false
        story.kill(node)
        story.start(node)
        story.settle()
    }
}
