// Stories about links that stay cut while everybody reaches ZooKeeper.

extension Schedule {
    static let links: [Schedule] = [oneLinkCutForever, oneNodeCutFromAll]

    private static let oneLinkCutForever = Schedule(
        "one-link-cut-forever", "one pair can't talk any more: one of the two withdraws, and everything goes on", nodes: 4
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        _ = story.cut([pair.first], from: Array(pair.dropFirst()))
        story.wait(12_000)
        story.require(pair.count { story.weight($0) != nil } == 1, "one of \(pair.map(\.id)) has withdrawn, and only one")
        story.expectService("while the link is cut")
    }

    private static let oneNodeCutFromAll = Schedule(
        "one-node-cut-from-all", "one node reaches ZooKeeper but no other node: it withdraws", nodes: 4
    ) { (story: Story) in
        story.start(4)
        guard let owner = story.owner() else { return story.require(false, "somebody owns the slot") }
        _ = story.cut([owner], from: story.nodes)
        story.wait(12_000)
        story.require(story.zooKeeper.members.count == 3 && story.weight(owner) == nil, "\(owner.id) has withdrawn, and nobody else")
        story.expectService("while \(owner.id) is cut off")
    }
}
