// Who listens to the channels of this loop's slots, how fast messages come to them, and when users were last there. Presence is not logged
// and not mirrored: it is what the nodes say, and they say it again to whoever becomes the owner.

extension ShardMachine {
    /// A node says who of its sockets listens to a channel; it goes to where the channel's attachments go.
    ///
    /// - Parameters:
    ///   - report: what it says.
    ///   - key: the channel.
    ///   - address: the node's attachment to it; without that nothing is believed.
    ///   - node: the node's id.
    ///   - fromLink: another node says it.
    ///   - now: the present time.
    ///   - actions: gets the report on its way to the owner.
    public mutating func report(
        _ report: PresenceReport, on key: Key, from address: ReturnAddress, node: String, fromLink: Bool, now: Moment,
        actions: inout [ShardAction]
    ) {
        switch routes[slotIndex(key.slot)] {
        case .here:
            guard let box = store.mailboxIndices[key], store.boxes[box].attachments.contains(address) else { return }
            presences[key, default: ChannelPresence(now: now.monotonic)].take(report, from: address, node: node, now: now.monotonic)
            onPresenceChange(key)
        case .peer(let link) where !fromLink: actions.append(.report(peer: link, address, key, report))
        // Who has changed hands is told so, attaches again, and reports anew.
        case .peer, .preparing, .unreachable, .nobody: break
        }
    }

    /// Who listens to a channel; `nil` where this node is not its owner, or nobody does.
    public func presence(of key: Key) -> PresenceSummary? { presences[key]?.summary }

    /// Whether this node owns the key, and serves it.
    public func isServing(_ key: Key) -> Bool { if case .here = routes[slotIndex(key.slot)] { true } else { false } }

    /// An attachment is gone.
    mutating func endPresence(of address: ReturnAddress, on key: Key, now: Moment) {
        guard presences[key] != nil else { return }
        presences[key]?.remove(address, now: now.monotonic)
        onPresenceChange(key)
    }

    /// A link connection is gone.
    mutating func endPresences(connectionID: UInt32, now: Moment) {
        let changed = Array(presences.keys).filter { presences[$0]?.removeAll(connectionID: connectionID, now: now.monotonic) == true }
        // In an order that does not depend on chance, so that a simulation repeats exactly.
        for key in changed.sorted(by: { $0.hash.rawValue < $1.hash.rawValue }) { onPresenceChange(key) }
    }

    private mutating func onPresenceChange(_ key: Key) {
        if presences[key]?.isTelling == false {
            presences[key]?.isTelling = true
            tellingPresences.append(key)
        }
        if let due = presences[key]?.nextDue() { expectedPresences.append((key, due)) }
    }

    /// In every tick: who left a moment ago, and did not come back, is remembered by all who hold the slot. Some at a time: when a node
    /// dies, all its users go at once, and most are back before their turn comes.
    mutating func logDepartures(now: Moment, actions: inout [ShardAction]) {
        var looked = 0
        var logged = 0
        while looked < Self.departuresLookedMax, logged < Self.departuresLoggedMax, let key = departures.popFirst() {
            looked += 1
            guard case .here = routes[slotIndex(key.slot)], let box = store.mailboxIndices[key], store.boxes[box].attachments.isEmpty,
                mayLog,
                mayAct(now)
            else { continue }
            logged += 1
            catchUp(key.slot, now: now, actions: &actions)
            log(.seen(key, at: store.boxes[box].lastSeen), in: key.slot, waiter: nil, now: now, actions: &actions)
        }
        if departures.count > Self.departuresMax { departures.removeFirst(departures.count - Self.departuresMax) }
    }

    private static var departuresLookedMax: Int { 4_096 }
    private static var departuresLoggedMax: Int { 256 }
    /// Beyond it the times of those who left first stay with the owner alone.
    private static var departuresMax: Int { 65_536 }

    /// In every tick: what has changed is told, and what was waited for. Some channels at a time: one command may subscribe to hundreds, and
    /// when this node takes a member's place, all of that member's channels come.
    mutating func tellPresences(now: Moment, actions: inout [ShardAction]) {
        while let first = expectedPresences.first, first.at <= now.monotonic {
            expectedPresences.removeFirst()
            onPresenceChange(first.key)
        }
        tellSomePresences(now: now, actions: &actions)
    }

    /// As many as may have their turn now.
    mutating func tellSomePresences(now: Moment, actions: inout [ShardAction]) {
        var told = 0
        while told < Self.presencesToldMax, let key = tellingPresences.popFirst() {
            told += 1
            presences[key]?.isTelling = false
            for (address, news) in presences[key]?.onTick(now: now.monotonic) ?? [] { actions.append(.presence(address, news)) }
            if presences[key]?.isOver != false { presences[key] = nil }
        }
        if !tellingPresences.isEmpty { scheduleEpochWork(actions: &actions) }
    }

    private static var presencesToldMax: Int { 64 }
}
