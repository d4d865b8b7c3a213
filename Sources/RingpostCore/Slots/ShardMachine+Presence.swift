// Who listens to the channels of this shard's slots, and when users were last there.

extension ShardMachine {
    /// A node reports who of its sockets listens to a channel; the report goes to where the channel's attachments go.
    ///
    /// - Parameters:
    ///   - report: what the node reports.
    ///   - key: the channel.
    ///   - address: the node's attachment to it; a report without an attachment is ignored.
    ///   - node: the node's id.
    ///   - fromLink: another node reports.
    ///   - now: the present time.
    ///   - actions: gets the report on its way to the owner.
    public mutating func report(
        _ report: PresenceReport, on key: Key, from address: ReturnAddress, node: String, fromLink: Bool, now: Moment,
        actions: inout [ShardAction]
    ) {
        switch routes[slotIndex(key.slot)] {
        case .here:
            guard let mailboxIndex = log.mailboxes.mailboxIndex(of: key),
                log.mailboxes.attachments(at: mailboxIndex).contains(address)
            else { return }
            presences.apply(report, on: key, from: address, node: node, now: now.monotonic)
        case .peer(let link) where !fromLink: actions.append(.report(peer: link, address, key, report))
        // The node is told that its attachment is gone, attaches again, and reports anew.
        case .peer, .preparing, .unreachable, .nobody: break
        }
    }

    /// Who listens to a channel; `nil` where this node is not its owner, or nobody does.
    public func presence(of key: Key) -> PresenceSummary? { presences.summary(of: key) }

    /// Whether this node owns the key, and its term is confirmed: before that, what is in its copy may still be taken back.
    public func isServing(_ key: Key) -> Bool {
        let slotIndex = slotIndex(key.slot)
        return routes.isHere(slotIndex) && log.isServing(at: slotIndex)
    }

    /// In every tick: the departures of users who have not come back are logged, so that all who hold the slot remember them. Some at a
    /// time.
    mutating func logDepartures(now: Moment, actions: inout [ShardAction]) {
        var looked = 0
        var logged = 0
        while looked < DepartedUsers.lookedMax, logged < DepartedUsers.loggedMax, let key = departures.popFirst() {
            looked += 1
            guard routes.isHere(slotIndex(key.slot)), let mailboxIndex = log.mailboxes.mailboxIndex(of: key),
                !log.mailboxes.isAttached(at: mailboxIndex), log.hasRoom, lease.mayAct(now)
            else { continue }
            logged += 1
            catchUp(key.slot, now: now, actions: &actions)
            let lastSeen = log.mailboxes.lastSeen(at: mailboxIndex)
            append(.seen(key, at: lastSeen), to: key.slot, waiter: nil, now: now, actions: &actions)
        }
        departures.trim()
    }

    /// Tells the news of as many channels as may have their turn now: one command may subscribe to hundreds, and when this node takes a
    /// member's place, all of that member's channels come.
    mutating func tellSomePresences(now: Moment, actions: inout [ShardAction]) {
        var told = 0
        while told < Self.presencesToldMax, let news = presences.popNews(now: now.monotonic) {
            told += 1
            for (address, news) in news { actions.append(.presence(address, news)) }
        }
        if presences.isDirty { scheduleEpochWork(actions: &actions) }
    }

    private static var presencesToldMax: Int { 64 }
}
