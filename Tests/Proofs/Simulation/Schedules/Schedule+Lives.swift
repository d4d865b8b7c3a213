// Stories about whole clusters that begin and end.

extension Schedule {
    static let lives: [Schedule] = [allStartAtOnce, allRestartAtOnce, lastMemberDrains]

    private static let allStartAtOnce = Schedule(
        "all-start-at-once", "a cluster is founded by all of its nodes in one moment", nodes: 5
    ) { (story: Story) in
        story.say("all start at once")
        for node in story.nodes { node.start() }
        story.wait(3_000)
        story.require(story.zooKeeper.members.count == story.nodes.count, "all are members after three seconds")
        story.expectService("three seconds after the start")
    }

    private static let allRestartAtOnce = Schedule(
        "all-restart-at-once", "all nodes die and come back in one moment", nodes: 4
    ) { (story: Story) in
        story.start(4)
        let boots = Set(story.zooKeeper.members.map(\.boot))
        for node in story.nodes { story.kill(node, silently: story.random.percent(30)) }
        story.wait(story.random.draw(0...400))
        story.require(!story.nodes.contains(where: \.isOn), "all are gone at once")
        for node in story.nodes { story.start(node) }
        story.wait(7_000)
        let members = story.zooKeeper.members
        story.require(members.count == 4 && boots.isDisjoint(with: members.map(\.boot)), "all are back with new boots")
    }

    private static let lastMemberDrains = Schedule(
        "last-member-drains", "all nodes leave in order, one after the other", nodes: 3
    ) { (story: Story) in
        story.start(3)
        for node in story.nodes {
            story.say("stop \(node.id) in order")
            node.process?.stop()
            let isGone = story.wait(atMost: 14_000) { !node.isOn }
            story.require(isGone, "\(node.id) leaves")
            story.wait(story.random.draw(0...1_000))
        }
        story.wait(1_000)
        story.require(story.zooKeeper.members.isEmpty, "the last member has left")
        for node in story.nodes { story.start(node) }
        story.settle()
    }
}
