// Stories about copies that are under way when something happens.

import RingpostCore

extension Schedule {
    static let copies: [Schedule] = [
        completeSentThenPairIsolated, creatorInherits, answerLost, secondDeath, ownerAndMirrorSuspended,
    ]

    private static let completeSentThenPairIsolated = Schedule(
        "complete-sent-then-pair-isolated", "an owner has just said that a new mirror's copy is complete when the two can't talk any more",
        nodes: 4
    ) { (story: Story) in
        story.start(3)
        var pair: (owner: SimNode, mirror: SimNode)?
        var cut: SimCut?
        story.onSlotFrame(where: \.completes) { owner, mirror in
            pair = (owner, mirror)
            let isOneWay = story.random.percent(30)
            // With the frame or without it; the answer is lost in either case.
            cut =
                story.random.percent(50)
                ? story.cut([owner], from: [mirror], oneWay: isOneWay) : story.cut([mirror], from: [owner], oneWay: isOneWay)
        }
        story.start(story.nodes[3])
        story.wait(atMost: 8_000) { pair != nil }
        guard let pair, let cut else { return }
        story.wait(story.random.draw(100...2_500))
        switch story.random.below(3) {
        case 0: story.kill(pair.owner)
        case 1: story.setWeight(pair.owner, 0)
        default: _ = story.cutZooKeeper([pair.owner])
        }
        story.wait(4_000)
        story.heal(cut)
        story.wait(3_000)
    }

    private static let creatorInherits = Schedule(
        "creator-inherits-after-pair-isolation", "who created a mailbox is cut off together with its mirror, and becomes the owner again",
        nodes: 4
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        for node in pair { story.kill(node) }
        story.wait(6_500)
        let creators = story.order()
        let cut = story.cut(creators, from: story.others(than: creators))
        let places = story.random.percent(60) ? story.cutZooKeeper(creators) : []
        for node in pair { story.start(node) }
        story.wait(story.random.draw(3_000...6_000))
        story.heal(cut)
        story.healZooKeeper(places)
        story.wait(4_000)
        for node in pair { story.kill(node) }
        story.wait(5_000)
    }

    private static let answerLost = Schedule(
        "answer-lost-with-no-new-epoch", "a connection breaks with an answer on it, and no ring changes afterwards", nodes: 4
    ) { (story: Story) in
        story.start(3)
        let kinds: [(String, (SlotFrame) -> Bool)] = [
            ("holdings", \.isHoldings), ("piece", \.isPiece), ("acknowledgement", \.acknowledges), ("released", \.isReleased),
            ("holdings", \.isHoldings), ("acknowledgement", \.acknowledges), ("inquiry", \.isInquiry), ("release", \.isRelease),
        ]
        for (what, matches) in kinds {
            story.onSlotFrame(where: matches) { from, to in
                story.say("the connection breaks as \(from.id) sends \(what) to \(to.id)")
                story.network.breakConnections(from.index, to.index)
            }
        }
        story.start(story.nodes[3])
        story.settle()
        story.setWeight(story.owner(), 0)
        story.settle()
        for _ in 0..<3 {
            story.onSlotFrame(where: \.acknowledges) { from, to in story.network.breakConnections(from.index, to.index) }
            story.wait(1_500)
        }
    }

    private static let secondDeath = Schedule(
        "second-death-while-mirror-half-copied", "an owner dies, and its successor dies while the new mirror has half of the copy", nodes: 5
    ) { (story: Story) in
        story.start(4)
        if story.random.percent(50) {
            // The copy that is under way belongs to a newcomer: the old mirror still has everything.
            story.start(story.nodes[4])
            story.waitForSlotFrame(where: \.beginsCopy) { owner, _ in story.kill(owner) }
        } else {
            story.kill(story.owner())
        }
        story.waitForSlotFrame(where: \.beginsCopy) { owner, mirror in story.kill(story.random.percent(70) ? owner : mirror) }
        story.wait(5_000)
    }

    private static let ownerAndMirrorSuspended = Schedule(
        "owner-and-mirror-suspended", "an owner and its mirror are suspended together, briefly and past their sessions", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for duration in [story.random.draw(300...1_400), story.random.draw(2_500...6_000)] {
            let pair = story.order()
            for node in pair { story.suspend(node) }
            story.wait(duration)
            for node in pair.reversed() {
                story.resume(node)
                story.wait(story.random.draw(0...600))
            }
            story.settle()
        }
    }
}
