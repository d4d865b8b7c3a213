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
        let (slot, seed) = (story.slot, story.simulation.settings.seed)
        guard let (owner, mirror) = story.startAllButMirror() else { return story.require(false, "somebody owns the slot") }
        // With the frame or without it; the answer is lost in either case.
        let arrives = seed % 2 == 0
        var cut: SimCut?
        story.onSlotFrame(from: arrives ? mirror : owner, where: { ($0.completes || $0.acknowledges) && $0.concerns(slot) }) { _, _ in
            cut = story.cut([mirror], from: [owner])
        }
        story.start(mirror)
        story.wait(atMost: 8_000) { cut != nil }
        guard let cut else { return story.require(false, "\(owner.id) sends \(mirror.id) a copy") }
        story.wait(story.random.draw(100...2_500))
        story.require((story.copy(at: mirror) != nil) == arrives, "\(mirror.id) \(arrives ? "has" : "lacks") the copy")
        story.require(owner.process?.loop.slotCounts.unmirrored != 0, "\(owner.id) doesn't know of it")
        switch seed / 2 % 3 {
        case 0: story.kill(owner)
        case 1: story.setWeight(owner, 0)
        default: _ = story.cutZooKeeper([owner])
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
        let before = story.copy(at: pair.first)
        for node in pair { story.kill(node) }
        story.wait(6_500)
        let creators = story.order()
        let created = story.copy(at: creators.first)
        story.require(created != nil && created?.incarnation != before?.incarnation, "\(creators.map(\.id)) create the mailbox anew")
        let cut = story.cut(creators, from: story.others(than: creators))
        let indices = story.random.percent(60) ? story.cutZooKeeper(creators) : []
        for node in pair { story.start(node) }
        // Whoever comes waits five seconds for links with every member before it takes its weight.
        let isPairs = story.wait(atMost: 7_000) { story.order().map(\.id) == pair.map(\.id) }
        story.require(isPairs, "\(pair.map(\.id)) are to own it meanwhile")
        story.wait(story.random.draw(0...1_500))
        story.heal(cut)
        story.healZooKeeper(indices)
        story.wait(4_000)
        for node in pair { story.kill(node) }
        story.wait(5_000)
        story.require(story.order().map(\.id) == creators.map(\.id), "\(creators.map(\.id)) are to own it again")
    }

    private static let answerLost = Schedule(
        "answer-lost-with-no-new-epoch", "a connection breaks with an answer on it, and no ring changes afterwards", nodes: 4
    ) { (story: Story) in
        var broken = 0
        func breakOnce(_ what: String, _ matches: @escaping (SlotFrame) -> Bool) {
            story.onSlotFrame(where: matches) { from, to in
                broken += 1
                story.say("the connection breaks as \(from.id) sends \(what) to \(to.id)")
                story.network.breakConnections(from.index, to.index)
            }
        }
        // Who comes as the owner has to fetch its copy, and releases the old mirror.
        guard let owner = story.order(among: story.nodes[...]).first else { return story.require(false, "somebody owns the slot") }
        story.start(story.others(than: [owner]))
        breakOnce("holdings", \.isHoldings)
        breakOnce("a piece", \.isPiece)
        breakOnce("an acknowledgement", \.acknowledges)
        breakOnce("released", \.isReleased)
        story.start(owner)
        story.wait(atMost: 8_000) { broken == 4 }
        story.settle()
        breakOnce("holdings", \.isHoldings)
        breakOnce("an acknowledgement", \.acknowledges)
        breakOnce("an inquiry", \.isInquiry)
        breakOnce("a release", \.isRelease)
        story.setWeight(owner, 0)
        story.wait(atMost: 8_000) { broken == 8 }
        story.settle()
        let epoch = story.epoch
        for _ in 0..<3 {
            breakOnce("an acknowledgement", \.acknowledges)
            story.wait(1_500)
        }
        story.require(broken == 11, "eleven connections break, not \(broken)")
        story.require(story.epoch == epoch, "no ring changes afterwards")
    }

    private static let secondDeath = Schedule(
        "second-death-while-mirror-half-copied", "an owner dies, and its successor dies while the new mirror has half of the copy", nodes: 5
    ) { (story: Story) in
        let slot = story.slot
        if story.simulation.settings.seed % 2 == 0 {
            // The copy that is under way belongs to a newcomer: the old mirror still has everything, and the newcomer fetches that.
            guard let (_, mirror) = story.startAllButMirror() else { return story.require(false, "somebody owns the slot") }
            story.start(mirror)
            story.waitForHalfACopy { owner, _ in story.kill(owner) }
            story.waitForSlotFrame(where: { $0.beginsPieces && $0.concerns(slot) }) { _, successor in story.kill(successor) }
            story.require(!mirror.isOn, "\(mirror.id) was the successor")
        } else {
            story.start(4)
            let successor = story.mirror()
            story.kill(story.owner())
            story.waitForHalfACopy { owner, mirror in
                story.require(owner === successor, "\(owner.id) is the successor")
                story.kill(story.random.percent(70) ? owner : mirror)
            }
        }
        story.wait(5_000)
    }

    private static let ownerAndMirrorSuspended = Schedule(
        "owner-and-mirror-suspended", "an owner and its mirror are suspended together, briefly and past their sessions", nodes: 4
    ) { (story: Story) in
        story.start(4)
        // A server counts from the last ping, which may have come a third of the time-out before.
        for (duration, pause, isBrief) in [(300...1_000, 300, true), (2_500...6_000, 600, false)] as [(ClosedRange<Int64>, Int64, Bool)] {
            let pair = story.order()
            let boots = Set(pair.compactMap(\.process?.identity))
            for node in pair { story.suspend(node) }
            story.wait(story.random.draw(duration))
            let living = story.zooKeeper.members.count { boots.contains($0.identity) }
            story.require(living == (isBrief ? 2 : 0), isBrief ? "both sessions live on" : "both sessions have ended")
            for node in pair.reversed() {
                story.resume(node)
                story.wait(story.random.draw(0...pause))
            }
            story.settle()
        }
    }
}
