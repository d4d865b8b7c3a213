// Draining and withdrawing decide upon looks at the node: what its shards hold and how its peers stand. The ring that a look is judged
// by is the one that was told before the shards were asked: they count by it or by a newer one.

extension NodeMachine {
    /// The node as it was when a look was asked for.
    struct Asked: Sendable {
        let ticket: UInt64
        let view: MembershipView?
        let identity: MemberIdentity
        let reachesZooKeeper: Bool
    }

    /// When the node is looked at, and what is under way.
    struct Look: Sendable {
        var lastTicket: UInt64 = 0
        var asked: Asked?
        /// `nil` while it does not drain.
        var drainDue: Int64?
        /// `nil` before the first view, and without ZooKeeper.
        var withdrawalDue: Int64?
        /// Where clients could go at the last look.
        var elsewhere: [String] = []

        /// One look at a time.
        var nextWake: Int64? {
            guard asked == nil else { return nil }
            return [drainDue, withdrawalDue].compactMap { $0 }.min()
        }
    }

    /// Looks now; what an earlier look finds doesn't count any more.
    mutating func askLook(now: Int64, _ actions: inout [NodeAction]) {
        look.lastTicket += 1
        look.asked = Asked(
            ticket: look.lastTicket, view: view, identity: view?.own?.identity ?? identity,
            reachesZooKeeper: lease(now: now).reachesZooKeeper)
        let counts = look.drainDue != nil || withdrawal?.countsCopies == true
        actions.append(.look(ticket: look.lastTicket, countsHoldings: counts))
    }

    mutating func onLook(_ ticket: UInt64, _ peers: PeerTable, _ holdings: NodeHoldings?, now: Int64, _ actions: inout [NodeAction]) {
        guard let asked = look.asked, asked.ticket == ticket else { return }
        look.asked = nil
        look.elsewhere = asked.view.map { peers.elsewhere($0, own: identity.id) } ?? []
        if let holdings, let due = look.drainDue, due <= now {
            look.drainDue = now + DrainMachine.lookMilliseconds
            perform(drain.onLook(drainLook(asked, peers, holdings), now: now), now: now, &actions)
        }
        if let view = asked.view, let due = look.withdrawalDue, due <= now {
            look.withdrawalDue = now + WithdrawalMachine.tickMilliseconds
            let surroundings = WithdrawalMachine.Surroundings(
                members: view.members, epoch: view.epoch, own: asked.identity, unreachable: peers.unreachable,
                reachesZooKeeper: asked.reachesZooKeeper, isDraining: isDraining, copies: holdings?.copies ?? 0,
                lastCopies: holdings?.lastCopies)
            if var machine = withdrawal {
                peers.report(to: &machine)
                let wanted = machine.onTick(now, surroundings)
                withdrawal = machine
                perform(wanted, now: now, &actions)
            }
        }
    }

    private func drainLook(_ asked: Asked, _ peers: PeerTable, _ holdings: NodeHoldings) -> DrainMachine.Look {
        let heirs = asked.view?.othersWithWeight ?? []
        return DrainMachine.Look(
            weight: asked.view?.own?.weight, slots: asked.view?.slotsOwned ?? 0, copies: holdings.copies, users: holdings.users,
            sockets: holdings.sockets, othersHaveWeight: !heirs.isEmpty, reachesZooKeeper: asked.reachesZooKeeper,
            elsewhere: look.elsewhere, heirs: Set(heirs.map(\.identity)), going: peers.going)
    }

    // MARK: - What the machines want

    mutating func perform(_ wanted: [DrainMachine.Action], now: Int64, _ actions: inout [NodeAction]) {
        for action in wanted {
            switch action {
            case .giveUpWeight: apply(.drain, now: now, &actions)
            case .takeWeight(let weight): apply(.setWeight(weight), now: now, &actions)
            case .look:
                look.drainDue = now
                askLook(now: now, &actions)
            case .moveSockets(let number, let milliseconds, let elsewhere):
                actions.append(.moveSockets(number: number, milliseconds: milliseconds, elsewhere: elsewhere))
            case .keepSockets: actions.append(.keepSockets)
            case .leave(let clearingRoster): leave(clearingRoster: clearingRoster, now: now, &actions)
            case .say(let sentence): actions.append(.log(.notice, sentence))
            case .warn(let sentence): actions.append(.log(.warning, sentence))
            }
        }
        switch drain.phase {
        case .serving, .leaving: look.drainDue = nil
        case .handingOver, .movingSockets: break
        }
    }

    mutating func perform(_ wanted: [WithdrawalMachine.Action]?, now: Int64, _ actions: inout [NodeAction]) {
        for action in wanted ?? [] {
            switch action {
            case .takeLock: takeLock(now: now, &actions)
            case .releaseLock: releaseLock(&actions)
            case .drain: apply(.drain, now: now, &actions)
            case .endDrain: apply(.endDrain, now: now, &actions)
            case .withdraw: apply(.withdraw, now: now, &actions)
            case .comeBack: apply(.comeBack, now: now, &actions)
            case .probe(let number, let members): actions.append(.probeMembers(number: number, members))
            case .moveSockets(let milliseconds):
                // Orders of the drain are numbered from 1.
                actions.append(.moveSockets(number: 0, milliseconds: milliseconds, elsewhere: look.elsewhere))
            case .keepSockets:
                // A drain that has begun meanwhile sends them away for good.
                switch drain.phase {
                case .serving, .handingOver: actions.append(.keepSockets)
                case .movingSockets, .leaving: break
                }
            case .say(let sentence): actions.append(.log(.notice, sentence))
            case .alarm(let sentence): actions.append(.log(.alarm, sentence))
            }
        }
    }
}
