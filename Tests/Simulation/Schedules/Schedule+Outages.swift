// Stories about ZooKeeper being away, for everybody or for some.

extension Schedule {
    static let outages: [Schedule] = [outagePlusNewcomer, outagePlusWeightRaise]

    private static let outagePlusNewcomer = Schedule(
        "outage-plus-newcomer", "ZooKeeper is away for all members, then back for a newcomer only", nodes: 4
    ) { (story: Story) in
        story.start(3)
        story.say("ZooKeeper is away")
        story.zooKeeper.goDown()
        story.wait(story.random.draw(500...2_500))
        story.start(story.nodes[3])
        story.wait(story.random.draw(500...2_500))
        story.expectService("while ZooKeeper is away")
        let places = story.cutZooKeeper(Array(story.nodes.prefix(3)))
        story.say("ZooKeeper is back, for \(story.nodes[3].id) only")
        story.zooKeeper.comeUp()
        story.wait(story.random.draw(1_000...9_000))
        story.healZooKeeper(places)
        story.wait(3_000)
    }

    private static let outagePlusWeightRaise = Schedule(
        "outage-plus-weight-raise", "a member without weight takes weight while those that have some can't see ZooKeeper", nodes: 4
    ) { (story: Story) in
        story.nodes[3].weight = 0
        story.start(4)
        let places = story.cutZooKeeper(Array(story.nodes.prefix(3)))
        story.wait(story.random.draw(300...3_500))
        story.setWeight(story.nodes[3], 100)
        story.wait(story.random.draw(300...4_000))
        story.healZooKeeper(places)
        story.settle()
    }
}
