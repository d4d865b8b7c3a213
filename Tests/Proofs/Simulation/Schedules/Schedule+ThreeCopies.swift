// Stories about another number of copies than two: with three any two members may die at once, with one nobody mirrors.

import RingpostCore

extension Schedule {
    static let threeCopies: [Schedule] = [
        twoOfFourKilled, ownerKilledWhileThirdIsFilled, twoKilledInAHandover, copiesChangeUnderLoad, oneCopyMovesInOrder,
    ]

    private static let twoOfFourKilled = Schedule(
        "two-of-four-killed", "with three copies, any two of four nodes are killed at once", nodes: 4, copies: 3
    ) { (story: Story) in
        story.start(4)
        for round in 0..<2 {
            let holders = story.holders()
            story.require(holders.count == 3, "three nodes are to have copies")
            // Of the three in turn the two that are left when one is taken out.
            let spared = Int(story.simulation.settings.seed % 3) + round
            let dead = holders.enumerated().filter { $0.offset != spared % 3 }.map(\.element)
            for node in dead { story.kill(node) }
            story.wait(story.random.draw(3_000...6_000))
            story.expectService("with two of four", within: 6_000)
            story.expectNoGaps()
            for node in dead { story.start(node) }
            story.wait(500)
            story.settle(atMost: 30_000)
        }
    }

    private static let ownerKilledWhileThirdIsFilled = Schedule(
        "owner-killed-while-third-is-filled", "with three copies, an owner dies while the third has half of its copy", nodes: 5, copies: 3
    ) { (story: Story) in
        story.start(4)
        let successor = story.mirror()
        story.kill(story.holders().last)
        story.waitForHalfACopy { owner, third in
            story.require(owner !== successor, "the owner is still the same")
            story.kill(story.random.percent(70) ? owner : third)
        }
        story.wait(5_000)
        story.expectNoGaps()
    }

    private static let twoKilledInAHandover = Schedule(
        "two-killed-in-a-handover", "with three copies, the old owner and a mirror die while a newcomer fetches what they have", nodes: 5,
        copies: 3
    ) { (story: Story) in
        let slot = story.slot
        guard let heir = story.order(among: story.nodes[...]).first else { return story.require(false, "somebody owns the slot") }
        story.start(story.others(than: [heir]))
        let holders = story.holders()
        story.start(heir)
        story.waitForSlotFrame(atMost: 12_000, where: { $0.isPiece && $0.concerns(slot) }) { from, _ in
            story.kill(from)
            story.kill(holders.first { $0 !== from })
        }
        story.wait(6_000)
        story.expectService("with the third", within: 6_000)
        story.expectNoGaps()
    }

    private static let copiesChangeUnderLoad = Schedule(
        "copies-2-3-2-under-load", "the number of copies changes while messages come, and nodes die before and after", nodes: 4
    ) { (story: Story) in
        story.start(4)
        story.setCopies(3)
        if story.random.percent(50) { story.kill(story.random.percent(50) ? story.owner() : story.mirror()) }
        story.wait(story.random.draw(100...4_000))
        for node in story.nodes { node.start() }
        story.settle(atMost: 30_000)
        story.require(story.nodes.allSatisfy { $0.process?.view?.document.copies == 3 }, "all know of three copies")
        story.simulation.coverage.copies = 3
        let dead = Array(story.holders().prefix(2))
        for node in dead { story.kill(node) }
        story.wait(4_000)
        story.expectService("with two of four", within: 6_000)
        for node in dead { story.start(node) }
        story.settle(atMost: 30_000)
        story.simulation.coverage.copies = 2
        story.setCopies(2)
        story.wait(story.random.draw(100...2_000))
        story.kill(story.random.percent(50) ? story.owner() : story.mirror())
        story.wait(4_000)
        story.settle(atMost: 30_000)
        story.expectNoGaps()
    }

    private static let oneCopyMovesInOrder = Schedule(
        "one-copy-moves-in-order", "with one copy nodes come and drain, and nothing is lost before one dies", nodes: 4, copies: 1
    ) { (story: Story) in
        story.start(3)
        story.start(story.nodes[3])
        story.wait(1_000)
        story.settle()
        story.setWeight(story.owner(), 0)
        story.wait(500)
        story.settle()
        story.expectNoGaps()
        story.kill(story.owner())
        story.wait(3_000)
    }
}

extension Story {
    func setCopies(_ copies: Int) {
        say("\(copies) copies are to be kept")
        zooKeeper.setCopies(copies)
    }

    /// Nobody was told a gap.
    func expectNoGaps() {
        if simulation.checker.gaps > 0 { simulation.checker.fail("\(simulation.checker.gaps) gaps, though copies were left") }
    }
}
