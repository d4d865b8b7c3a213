// Stories about ZooKeeper being away, for everybody or for some.

extension Schedule {
    static let outages: [Schedule] = [outagePlusNewcomer, outagePlusWeightRaise]

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
        let places = story.cutZooKeeper(Array(story.nodes.prefix(3)))
        story.say("ZooKeeper is back, for \(newcomer.id) only")
        story.zooKeeper.comeUp()
        let isMember = story.wait(atMost: 4_000) { story.weight(newcomer) != nil }
        story.require(isMember, "\(newcomer.id) joins while the others can't see it")
        story.wait(story.random.draw(0...8_000))
        story.healZooKeeper(places)
        story.wait(3_000)
    }

    private static let outagePlusWeightRaise = Schedule(
        "outage-plus-weight-raise", "a member without weight takes weight while those that have some can't see ZooKeeper", nodes: 4
    ) { (story: Story) in
        let raised = story.nodes[3]
        raised.weight = 0
        story.start(4)
        story.require(story.weight(raised) == 0, "\(raised.id) is a member without weight")
        let places = story.cutZooKeeper(Array(story.nodes.prefix(3)))
        story.wait(story.random.draw(300...3_500))
        story.setWeight(raised, 100)
        let isRaised = story.wait(atMost: 1_000) { story.weight(raised) == 100 }
        story.require(isRaised, "\(raised.id) takes weight while the others can't see it")
        story.wait(story.random.draw(300...4_000))
        story.healZooKeeper(places)
        story.settle()
    }
}
