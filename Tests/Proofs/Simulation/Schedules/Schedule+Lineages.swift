// Stories about sessions that end, alone or all at once, while the processes live: what those remember is not lost with their boots.

import RingpostCore

extension Schedule {
    static let lineages: [Schedule] = [
        allSessionsEnd, allSuspended, sessionsEndInTurn, oneReturnsLate, loneOwnersSessionEnds, heirLosesItsSource,
        heirOnItsOwn, releaseConfirmationLost, pairStaysAwayForLong, staleMirrorReturns, staleMirrorIsFirst, uncertainOwnersChange,
    ]

    private static let allSessionsEnd = Schedule(
        "all-sessions-end-all-return", "ZooKeeper stands still for longer than a session lasts, and then ends all of them", nodes: 4
    ) { (story: Story) in
        story.start(4)
        story.say("ZooKeeper is away")
        story.zooKeeper.goDown()
        story.wait(story.random.draw(2_500...8_000))
        story.expectService("while ZooKeeper is away")
        story.endSessions(of: story.nodes, within: story.random.percent(50) ? 0 : 800)
        story.say("ZooKeeper is back")
        story.zooKeeper.comeUp()
        story.expectNothingLost()
    }

    private static let allSuspended = Schedule(
        "all-suspended", "all nodes stand still for longer than a session lasts", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for node in story.nodes { story.suspend(node) }
        story.wait(story.random.draw(2_500...10_000))
        for node in story.nodes {
            story.resume(node)
            if story.random.percent(50) { story.wait(story.random.draw(1...700)) }
        }
        story.expectNothingLost()
    }

    private static let sessionsEndInTurn = Schedule(
        "sessions-end-in-turn", "one session after the other ends, each while the copies of the one before are on their way", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for _ in 0..<3 {
            for node in story.nodes {
                story.endSessions(of: [node], within: 0)
                story.wait(story.random.draw(1...500))
            }
        }
        story.expectNothingLost()
    }

    private static let oneReturnsLate = Schedule(
        "returns-while-asked", "all sessions end, and one node hears of it when the others wait for it", nodes: 4
    ) { (story: Story) in
        story.start(4)
        let late = story.random.percent(50) ? story.owner() : story.mirror()
        let indices = story.cutZooKeeper([late])
        story.endSessions(of: story.nodes, within: 300)
        story.wait(story.random.draw(500...4_000))
        story.healZooKeeper(indices)
        story.expectNothingLost()
    }

    private static let loneOwnersSessionEnds = Schedule(
        "lone-owners-session-ends", "the only node with weight loses its session", nodes: 3
    ) { (story: Story) in
        story.nodes[1].weight = 0
        story.nodes[2].weight = 0
        story.start(3)
        for _ in 0..<2 {
            story.endSessions(of: [story.nodes[0]], within: 0)
            story.wait(story.random.draw(100...3_000))
        }
        story.expectNothingLost()
    }

    private static let heirLosesItsSource = Schedule(
        "heir-outside-set-loses-source", "whoever has just fetched a copy loses those that had it, before they hear of its term", nodes: 4
    ) { (story: Story) in
        guard let (holders, _) = story.heirWithoutItsSource() else { return }
        story.wait(story.random.draw(0...2_500))
        story.healZooKeeper(holders)
        story.expectNothingLost()
    }

    private static let releaseConfirmationLost = Schedule(
        "release-confirmation-lost-then-new-boot", "a holder lets go of its copy, its owner does not hear of it, and all sessions end",
        nodes: 4
    ) { (story: Story) in
        let slot = story.slot
        guard let (owner, mirror) = story.startAllButMirror() else { return story.require(false, "somebody owns the slot") }
        var isLost = false
        story.network.watch { frame, connection, side in
            guard case .slot(let answer) = frame, answer.isReleased, answer.concerns(slot) else { return false }
            isLost = true
            connection.close(from: side)
            return true
        }
        story.start(mirror)
        story.wait(atMost: 8_000) { isLost }
        story.require(isLost, "a holder confirms to \(owner.id)")
        story.endSessions(of: story.nodes, within: story.random.percent(50) ? 0 : 500)
        story.expectNothingLost()
    }

    private static let pairStaysAwayForLong = Schedule(
        "forced-then-pair-returns", "owner and mirror are away for so long that others begin anew; then they come back with what they had",
        nodes: 4
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        let indices = story.cutZooKeeper(pair)
        let cut = story.cut(pair, from: story.others(than: pair))
        story.wait(30_000)
        // Producers that are at the pair's nodes try there for a while before they begin with something new elsewhere.
        story.expectService("when nobody can be acting any more", within: 10_000)
        story.heal(cut)
        story.healZooKeeper(indices)
        story.settle()
    }

    static let staleMirrorReturns = Schedule(
        "stale-mirror-returns", "a mirror is away while its owner hands over; who has the copy by then dies, and the mirror comes back",
        nodes: 4
    ) { (story: Story) in
        story.staleMirrorReturns()
    }

    static let staleMirrorIsFirst = Schedule(
        "waiter-returns-first", "a mirror is away while its owner goes on with another one; then those two are away, and it is back first",
        nodes: 4
    ) { (story: Story) in
        story.start(4)
        let pair = story.order()
        guard let owner = pair.first, let mirror = pair.last else { return story.require(false, "somebody owns the slot") }
        let early = story.cutZooKeeper([mirror])
        let cut = story.cut([mirror], from: story.nodes)
        story.wait(5_000)
        let holders = story.order()
        story.require(holders.first === owner && holders.last !== mirror, "\(owner.id) goes on with another mirror")
        for client in story.simulation.clients { client.move(to: owner.index) }
        story.wait(1_500)
        let late = story.cutZooKeeper(holders)
        let lateCut = story.cut(holders, from: story.nodes)
        story.heal(cut)
        story.healZooKeeper(early)
        story.wait(story.random.draw(4_000...9_000))
        story.heal(lateCut)
        story.healZooKeeper(late)
        story.expectNothingLost()
    }

    private static let uncertainOwnersChange = Schedule(
        "uncertain-owner-changes-every-epoch", "all sessions end, one node stays away, and meanwhile weights change", nodes: 5
    ) { (story: Story) in
        story.start(4)
        let late = story.random.percent(50) ? story.owner() : story.mirror()
        let indices = story.cutZooKeeper([late])
        story.endSessions(of: story.nodes, within: 100)
        let others = story.others(than: [late]).filter(\.isOn)
        for _ in 0..<4 {
            story.wait(story.random.draw(100...700))
            let node = story.random.pick(others)
            story.setWeight(node, story.random.percent(40) ? 0 : 100)
        }
        story.start(story.nodes[4])
        for node in others { story.setWeight(node, 100) }
        story.wait(story.random.draw(100...700))
        story.healZooKeeper(indices)
        story.expectNothingLost()
    }
}

extension Schedule {
    static let heirOnItsOwn = Schedule(
        "heir-outside-set-dies", "whoever has just fetched a copy loses those that had it, and is gone when they come back", nodes: 4
    ) { (story: Story) in
        guard let (holders, heirs) = story.heirWithoutItsSource() else { return }
        for client in story.simulation.clients { client.move(to: heirs[0].index) }
        story.wait(4_000)
        for heir in heirs { story.kill(heir) }
        story.wait(500)
        story.healZooKeeper(holders)
        story.wait(6_000)
        for heir in heirs { story.start(heir) }
        story.wait(3_000)
    }
}

extension Story {
    /// ZooKeeper ends the sessions of these nodes, in any order.
    func endSessions(of some: [SimNode], within milliseconds: Int64) {
        say("the sessions of \(some.map(\.id)) end")
        // Before their time: ZooKeeper's clocks have gone on while nobody was heard.
        simulation.wasExpiredEarly = true
        for node in some {
            guard let session = node.process?.session?.store.session else { continue }
            simulation.after(milliseconds == 0 ? 0 : random.draw(0...milliseconds * 1_000)) { self.zooKeeper.expire(session) }
        }
        wait(milliseconds + 1)
    }

    /// Nobody is told a gap, nothing comes twice, and all is served again.
    func expectNothingLost() {
        settle(atMost: 30_000)
        expectService("when all are back")
        if simulation.checker.gaps > 0 { simulation.checker.fail("\(simulation.checker.gaps) gaps, though nothing was lost") }
        let twice = simulation.checker.records.count(where: \.isTwice)
        if twice > 0 { simulation.checker.fail("\(twice) messages came twice, though nothing was lost") }
    }

    /// A newcomer has fetched the slot's copy, and before they hear of it those that have it are cut off, and their sessions end.
    ///
    /// - Returns: who is cut off from ZooKeeper, and the others.
    func heirWithoutItsSource() -> (holders: [Int], heirs: [SimNode])? {
        let pair = order(among: nodes[...])
        guard let heir = pair.first else { return nil }
        start(others(than: [heir]))
        let holders = order()
        var indices: [Int] = []
        let slot = slot
        onSlotFrame(from: heir, where: { if case .adopt = $0 { $0.concerns(slot) } else { false } }) { [unowned self] _, _ in
            // Before it is heard.
            _ = self.cut(holders, from: [heir])
            indices = self.cutZooKeeper(holders)
            self.simulation.wasExpiredEarly = true
            for node in holders {
                if let session = node.process?.session?.store.session { self.simulation.after(1) { self.zooKeeper.expire(session) } }
            }
            self.simulation.after(2_500_000) { self.network.healAll() }
        }
        start(heir)
        let hasCome = wait(atMost: 8_000) { !indices.isEmpty }
        require(hasCome, "\(heir.id) fetches the copy")
        return hasCome ? (indices, others(than: holders)) : nil
    }

    /// A mirror is away while its owner goes on with another one and then hands over. Who has the copy then dies, and the mirror is back.
    func staleMirrorReturns() {
        start(4)
        let pair = order()
        guard let owner = pair.first, let mirror = pair.last else { return require(false, "somebody owns the slot") }
        let indices = cutZooKeeper([mirror])
        let cut = cut([mirror], from: nodes)
        wait(5_000)
        setWeight(owner, 0)
        wait(4_000)
        let holders = order()
        require(!holders.contains { $0 === owner }, "\(owner.id) has handed over")
        wait(1_000)
        for node in holders { kill(node) }
        heal(cut)
        healZooKeeper(indices)
        wait(5_000)
        setWeight(owner, 100)
        for node in holders { start(node) }
        wait(3_000)
    }
}
