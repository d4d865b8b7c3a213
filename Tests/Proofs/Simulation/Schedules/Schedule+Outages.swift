// Stories about ZooKeeper being away, for everybody or for some.

extension Schedule {
    static let outages: [Schedule] = [outagePlusNewcomer, outagePlusWeightRaise, agreedThenPromoted, dataLost]

    private static let outagePlusNewcomer = Schedule(
        "outage-plus-newcomer", "ZooKeeper is away for all members, then back for a newcomer only", nodes: 4
    ) { (story: Story) in
        story.start(3)
        let newcomer = story.nodes[3]
        story.say("ZooKeeper is away")
        story.zooKeeper.goDown()
        story.wait(story.random.draw(500...2_500))
        story.start(newcomer)
        story.wait(story.random.draw(500...2_500))
        story.expectService("while ZooKeeper is away")
        story.require(story.weight(newcomer) == nil, "\(newcomer.id) waits for ZooKeeper")
        let indices = story.cutZooKeeper(Array(story.nodes.prefix(3)))
        story.say("ZooKeeper is back, for \(newcomer.id) only")
        story.zooKeeper.comeUp()
        let isMember = story.wait(atMost: 4_000) { story.weight(newcomer) != nil }
        story.require(isMember, "\(newcomer.id) joins while the others can't see it")
        story.wait(story.random.draw(0...8_000))
        story.healZooKeeper(indices)
        story.wait(3_000)
    }

    private static let agreedThenPromoted = Schedule(
        "agreed-then-promoted",
        "one of two tells the other that it is without ZooKeeper too, and learns a moment later that the other's session has ended",
        nodes: 3
    ) { (story: Story) in
        // It reaches ZooKeeper, and what it learns there it tells the others.
        story.nodes[2].weight = 0
        story.start(3)
        let owner = story.owner()
        let other = story.mirror()
        var indices = story.cutZooKeeper([owner])
        // Its session lives on while the owner's ends.
        story.wait(story.random.draw(500...1_100))
        indices += story.cutZooKeeper([other])
        let isOver = story.wait(atMost: 4_000) { !story.zooKeeper.members.contains { $0.id == owner?.id } }
        story.require(isOver, "the owner's session ends")
        let takesOver = story.wait(atMost: 4_000) { other?.process?.view?.members.contains { $0.id == owner?.id } == false }
        story.require(takesOver, "the other one hears of it")
        story.wait(story.random.draw(1_000...3_000))
        story.healZooKeeper(indices)
        story.settle()
    }

    private static let dataLost = Schedule(
        "zookeeper-loses-its-data", "ZooKeeper comes back empty while nodes run, and a node that knows nothing of them starts", nodes: 4
    ) { (story: Story) in
        let newcomer = story.nodes[3]
        story.start(3)
        story.say("ZooKeeper is away, and loses its data")
        story.zooKeeper.goDown()
        story.wait(story.random.draw(100...6_000))
        story.zooKeeper.loseData()
        story.start(newcomer)
        // One of those that run may not see it at first: who sees it must not act beside that one.
        let indices = story.random.percent(50) ? story.cutZooKeeper([story.nodes[2]]) : []
        story.say("ZooKeeper is back, empty")
        story.zooKeeper.comeUp()
        story.wait(story.random.draw(1_000...4_000))
        story.healZooKeeper(indices)
        let areIn = story.wait(atMost: 12_000) { story.zooKeeper.members.count == 4 }
        story.require(areIn, "all four are in one ring")
        story.expectNothingLost()
    }

    private static let outagePlusWeightRaise = Schedule(
        "outage-plus-weight-raise", "a member without weight takes weight while those that have some can't see ZooKeeper", nodes: 4
    ) { (story: Story) in
        let raised = story.nodes[3]
        raised.weight = 0
        story.start(4)
        story.require(story.weight(raised) == 0, "\(raised.id) is a member without weight")
        let indices = story.cutZooKeeper(Array(story.nodes.prefix(3)))
        story.wait(story.random.draw(300...3_500))
        story.setWeight(raised, 100)
        let isRaised = story.wait(atMost: 1_000) { story.weight(raised) == 100 }
        story.require(isRaised, "\(raised.id) takes weight while the others can't see it")
        story.wait(story.random.draw(300...4_000))
        story.healZooKeeper(indices)
        story.settle()
    }
}
