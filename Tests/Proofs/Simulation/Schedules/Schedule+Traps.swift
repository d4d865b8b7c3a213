// Stories in which one guard alone keeps a promise: they are harmless as long as it is there. They show that the checker bites.

import RingpostCore

extension Schedule {
    /// What to play to see that a guard is missing; random schedules where those find it soon enough.
    package static func trap(for guardName: String) -> Schedule {
        switch guardName {
        case GuardFault.deliverBeforeCommit.rawValue: shownToTheDead
        case GuardFault.ignoreTerm.rawValue: staleOwnerKnowsAHolder
        case GuardFault.noLease.rawValue: aloneAndForgotten
        case GuardFault.sameMemberAnyBoot.rawValue: holderReborn
        case GuardFault.releaseEarly.rawValue: releasedTooSoon
        case GuardFault.releaseWithoutTrace.rawValue: staleMirrorReturns
        case GuardFault.bestIsCertain.rawValue: staleMirrorIsFirst
        case GuardFault.newcomerAlone.rawValue: heirOnItsOwn
        case ShellFault.writeOldAttachment.rawValue: lateDeliveries
        case ShellFault.sayBeforeStored.rawValue: saidBeforeStored
        case ShellFault.forgetStoredEvidence.rawValue: traceOnDisk
        case ShellFault.keepLostLineage.rawValue: lostEnd
        case ShellFault.keepGivenUpLineage.rawValue: oldDirectory
        case ShellFault.ignoreOlderList.rawValue: olderZooKeeper
        default: .random
        }
    }

    /// Owner and mirror have acknowledged what their disks have not got, and the power fails.
    private static let saidBeforeStored = Schedule("trap: said before it is stored", "", nodes: 3, disks: .fsync) { (story: Story) in
        story.start(3)
        for node in story.nodes { story.slowDown(node) }
        story.wait(2_000)
        story.killAll(silently: 100)
        story.startAll(within: 500)
        story.settle(atMost: 30_000)
    }

    /// Clients see what an owner has not got confirmed, the owner dies, and its successor gives the same places to other messages.
    private static let shownToTheDead = Schedule("trap: shown to the dead", "", nodes: 3) { (story: Story) in
        story.start(3)
        let pair = story.order()
        guard let owner = pair.first else { return }
        for client in story.simulation.clients { client.move(to: owner.index) }
        for producer in story.simulation.producers { producer.move(to: owner.index) }
        story.wait(1_000)
        _ = story.cut([owner], from: story.nodes)
        story.wait(500)
        story.kill(owner)
        story.wait(4_000)
    }

    /// An owner is out of the list before its time and has not heard of it; its mirror has lost its weight meanwhile, so that a third
    /// member takes over, but the mirror still has a copy and a link.
    private static let staleOwnerKnowsAHolder = Schedule("trap: a stale owner knows a holder", "", nodes: 4) { (story: Story) in
        story.start(4)
        let pair = story.order()
        guard let owner = pair.first, let mirror = pair.last, let session = owner.process?.session?.store.session else { return }
        for producer in story.simulation.producers.prefix(2) { producer.move(to: owner.index) }
        for producer in story.simulation.producers.dropFirst(2) { producer.move(to: mirror.index) }
        story.wait(500)
        let indices = story.cutZooKeeper([owner])
        // The new owner can't tell the old one either.
        let cut = story.cut([owner], from: story.others(than: [owner, mirror]))
        story.setWeight(mirror, 0)
        story.wait(100)
        story.say("the session of \(owner.id) is ended early")
        story.simulation.wasExpiredEarly = true
        story.zooKeeper.expire(session)
        story.wait(900)
        story.heal(cut)
        story.healZooKeeper(indices)
        story.wait(3_000)
    }

    /// A single owner loses its session without knowing, and after the longest outage somebody else begins anew.
    private static let aloneAndForgotten = Schedule("trap: alone and forgotten", "", nodes: 2) { (story: Story) in
        story.nodes[1].weight = 0
        story.start(2)
        let (alone, other) = (story.nodes[0], story.nodes[1])
        let indices = story.cutZooKeeper([alone])
        let cut = story.cut([alone], from: [other])
        story.setWeight(other, 100)
        story.wait(32_000)
        story.heal(cut)
        story.healZooKeeper(indices)
        story.wait(4_000)
    }

    /// A mirror loses its session and comes back; its owner has gone on alone meanwhile, and dies before it has copied anything.
    private static let holderReborn = Schedule("trap: a holder is reborn", "", nodes: 2) { (story: Story) in
        story.start(2)
        let pair = story.order()
        guard let owner = pair.first, let mirror = pair.last, let session = mirror.process?.session?.store.session else { return }
        story.say("the session of \(mirror.id) is ended early")
        story.simulation.wasExpiredEarly = true
        let indices = story.cutZooKeeper([mirror])
        story.zooKeeper.expire(session)
        story.wait(2_500)
        for client in story.simulation.clients { client.move(to: owner.index) }
        story.wait(1_500)
        var isCopying = false
        story.onSlotFrame(where: { $0.beginsCopy || $0.completes }) { from, _ in
            isCopying = true
            story.kill(from, silently: true)
        }
        story.healZooKeeper(indices)
        story.wait(atMost: 6_000) { isCopying }
        story.wait(9_000)
    }

    /// A newcomer becomes the mirror; the copy that is on its way to it is lost with its owner.
    private static let releasedTooSoon = Schedule("trap: released too soon", "", nodes: 4) { (story: Story) in
        story.start(3)
        var owner: SimNode?
        var cut: SimCut?
        story.onSlotFrame(where: { $0.beginsCopy || $0.completes }) { from, to in
            owner = from
            cut = story.cut([from], from: [to], oneWay: true)
        }
        story.start(story.nodes[3])
        story.wait(atMost: 6_000) { owner != nil }
        story.wait(300)
        story.kill(owner, silently: true)
        if let cut { story.heal(cut) }
        story.wait(4_000)
    }

    /// An owner for half a second gives the slots back before the edge has heard anything of it. What it delivered comes when the edge
    /// has asked the one before and after it again, and before that has answered.
    private static let lateDeliveries = Schedule("trap: late deliveries", "", nodes: 4) { (story: Story) in
        story.start(4)
        for _ in 0..<3 {
            let pair = story.order()
            guard let owner = pair.first, let next = pair.last, let edge = story.others(than: pair).first else { return }
            for client in story.simulation.clients { client.move(to: edge.index) }
            story.wait(1_500)
            // Asked, the next owner answers and delivers, and nothing of it arrives.
            var fromNext: SimCut?
            story.network.watch { frame, connection, side in
                guard case .attached(_, .success) = frame, connection.hosts[side.rawValue] == next.index,
                    connection.hosts[side.other.rawValue] == edge.index
                else { return false }
                fromNext = story.cut([next], from: [edge], oneWay: true)
                return true
            }
            story.setWeight(owner, 0, seenBy: edge)
            story.wait(atMost: 2_000) { fromNext != nil }
            story.wait(500)
            let fromOwner = story.cut([owner], from: [edge], oneWay: true)
            story.setWeight(owner, 100, seenBy: edge)
            story.wait(100)
            if let fromNext { story.heal(fromNext) }
            story.wait(250)
            story.heal(fromOwner)
            story.wait(1_000)
            story.settle()
        }
    }
}

extension Story {
    /// Changes a weight, and waits until the edge knows the new ring.
    fileprivate func setWeight(_ node: SimNode, _ weight: UInt16, seenBy edge: SimNode) {
        let epoch = edge.process?.view?.epoch
        setWeight(node, weight)
        wait(atMost: 300) { edge.process?.view?.epoch != epoch }
    }
}
