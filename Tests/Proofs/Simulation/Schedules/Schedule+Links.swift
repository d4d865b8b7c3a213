// Stories about links that stay cut while everybody reaches ZooKeeper.

import HashRing

extension Schedule {
    static let links: [Schedule] = [oneLinkCutForever, oneNodeCutFromAll, twoRacks]

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

    private static let twoRacks = Schedule(
        "two-racks", "two halves can't reach each other though all reach ZooKeeper: nobody withdraws with the last copy of anything",
        nodes: 4
    ) { (story: Story) in
        story.start(4)
        // Of two with as many cut links the later one withdraws. With it in one rack is the only other holder of a slot.
        let last = story.nodes.compactMap(\.process?.view).first?.members.last?.id
        let slots = story.simulation.keys.map(\.slot) + Array(0..<HashRing.slotCount)
        guard let slot = slots.first(where: { story.order($0).contains { $0.id == last } }) else {
            return story.require(false, "\(last ?? "nobody") holds a slot")
        }
        let rack = story.order(slot)
        let cut = story.cut(rack, from: story.others(than: rack))
        story.wait(40_000)
        let lost = story.simulation.coverage.lostKeys
        story.require(lost == 0, "nothing is lost, and not \(lost) mailboxes")
        story.require(story.weight(rack[0]) != nil || story.weight(rack[1]) != nil, "one of \(rack.map(\.id)) stays with their slot")
        story.heal(cut)
        story.settle(atMost: 120_000)
        story.expectService("when the racks reach each other again")
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
