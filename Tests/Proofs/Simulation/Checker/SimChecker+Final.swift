// What can only be said when a run is over: that nothing acknowledged was lost, and that the order is what producers were promised.

import RingpostCore

extension SimChecker {
    /// Checks the whole log.
    func finish() {
        checkRefusals()
        for key in simulation.keys {
            let own = records.filter { $0.message.key == key && $0.receipt != nil }
            checkReceipts(own, of: key)
            for era in eras(own) { checkEpochs(era, of: key) }
            // What was lost with its mailbox and came again has a place that its receipt knows nothing of.
            let inPlace = own.filter { !$0.isTwice && !simulation.coverage.isLost(key, after: $0.begunAt) }
            checkOrder(inPlace, of: key)
            checkStreams(inPlace, of: key)
        }
    }

    /// "Certainly not appended" is true: whoever relies on it and publishes anew would say the same thing twice.
    private func checkRefusals() {
        for record in records where record.isCertainlyNowhere {
            guard let position = record.position else { continue }
            let (number, key) = (record.message.number, record.message.key)
            fail("message \(number) of \(key.text) was refused as certainly not appended, and is at \(position.text)")
        }
    }

    /// What was acknowledged is where the receipt says, and every client that was there saw it.
    private func checkReceipts(_ own: [Record], of key: Key) {
        let clients = simulation.clients.filter { $0.key == key }
        for record in own {
            guard let receipt = record.receipt else { continue }
            let number = record.message.number
            // What was lost and came again may have had another place first, of which its producer was not told.
            if let incarnation = record.emittedIn, incarnation == record.decidedIn,
                let other = self.number(at: Cursor(incarnation: incarnation, sequence: receipt.sequence), of: key), other != number
            {
                fail("message \(number) of \(key.text) was acknowledged as \(receipt.sequence), and that is message \(other) for clients")
            }
            guard let position = record.position else {
                // Nobody was there to see it, and whoever came later began later.
                guard clients.contains(where: { stretches[$0.number].first.map { $0.beganAt <= record.begunAt } ?? false }) else {
                    continue
                }
                if !isExcused(record) {
                    fail("message \(number) of \(key.text) was acknowledged as \(receipt.sequence) and is nowhere")
                }
                continue
            }
            if record.isTwice { continue }
            if position.sequence != receipt.sequence, !simulation.coverage.isLost(key, after: record.begunAt) {
                fail("message \(number) of \(key.text) is at \(position.text), its receipt says \(receipt.sequence)")
            }
            for client in clients where !saw(client, position, begunAt: record.begunAt) {
                if isExcused(record) { continue }
                fail("client \(client.number) never saw message \(number) of \(key.text) at \(position.text)")
            }
        }
    }

    /// The schedule took it from everybody; or there was one copy only, as the receipt says, and that is gone with its holder.
    private func isExcused(_ record: Record) -> Bool {
        if simulation.coverage.isLost(record.message.key, after: record.emittedAt ?? record.begunAt) { return true }
        // All sessions were over when it got its place, and its owner did not know yet.
        if let emittedIn = record.emittedIn, simulation.coverage.isLost(record.message.key, incarnation: emittedIn) { return true }
        guard record.receipt?.mirrored == false, let holder = record.emittedBy else { return false }
        return !simulation.nodes.contains { $0.process?.identity == holder }
    }

    private func saw(_ client: SimClient, _ position: Cursor, begunAt: Int64) -> Bool {
        let own = stretches[client.number]
        // Who came later begins later.
        guard let first = own.first, first.beganAt <= begunAt else { return true }
        return own.contains { $0.incarnation == position.incarnation && $0.from < position.sequence && position.sequence <= $0.through }
    }

    /// A publish that begins after the receipt of another comes after it.
    private func checkOrder(_ own: [Record], of key: Key) {
        var byIncarnation: [UInt64: [Record]] = [:]
        for record in own {
            if let position = record.position { byIncarnation[position.incarnation, default: []].append(record) }
        }
        for incarnation in byIncarnation.keys.sorted() {
            let inOrder = (byIncarnation[incarnation] ?? []).sorted { ($0.position?.sequence ?? 0) < ($1.position?.sequence ?? 0) }
            var earliest: (endedAt: Int64, number: UInt64) = (.max, 0)
            for record in inOrder.reversed() {
                if earliest.endedAt < record.begunAt {
                    fail(
                        "message \(record.message.number) of \(key.text) began after the receipt of \(earliest.number) and comes before it")
                }
                if let endedAt = record.endedAt, endedAt < earliest.endedAt { earliest = (endedAt, record.message.number) }
            }
        }
    }

    /// Where ZooKeeper was set up from a backup while nobody ran, epochs begin again below.
    private func eras(_ own: [Record]) -> [[Record]] {
        guard let restoredAt = simulation.zooKeeper.restoredAt else { return [own] }
        return [own.filter { $0.endedAt ?? .max < restoredAt }, own.filter { $0.endedAt ?? .max >= restoredAt }]
    }

    /// One voice: what begins after a receipt gets one of the same epoch or a later one.
    private func checkEpochs(_ own: [Record], of key: Key) {
        let ended = own.sorted { ($0.endedAt ?? 0) < ($1.endedAt ?? 0) }
        var next = 0
        var newest: Record?
        for record in own {
            while next < ended.count, let endedAt = ended[next].endedAt, endedAt < record.begunAt {
                if ended[next].epoch > newest?.epoch ?? 0 { newest = ended[next] }
                next += 1
            }
            guard let newest, record.epoch < newest.epoch else { continue }
            fail(
                "second voice: message \(record.message.number) of \(key.text) began after \(newest.message.number) was acknowledged in "
                    + "epoch \(newest.epoch) by \(newest.receipt?.owner ?? "nobody"), but its own receipt is of epoch \(record.epoch) by "
                    + "\(record.receipt?.owner ?? "nobody")")
        }
    }

    /// One producer stream keeps its order.
    private func checkStreams(_ own: [Record], of key: Key) {
        var last: [Int: Record] = [:]
        for record in own where record.message.isStreamed {
            guard let position = record.position else { continue }
            if let before = last[record.message.producer], let earlier = before.position, earlier.incarnation == position.incarnation,
                earlier.sequence >= position.sequence
            {
                fail(
                    "producer \(record.message.producer) sent \(before.message.number) before \(record.message.number) of \(key.text), "
                        + "but they are at \(earlier.sequence) and \(position.sequence)")
            }
            last[record.message.producer] = record
        }
    }

    // MARK: Liveness

    /// What is missing until everything works again; `nil` when nothing is.
    func missing(since: Int64) -> String? {
        for key in simulation.keys where !records.contains(where: { $0.message.key == key && $0.begunAt >= since && $0.receipt != nil }) {
            return "no publish to \(key.text) (slot \(key.slot)) was acknowledged"
        }
        return nil
    }

    /// Who has not everything that anybody was told of; `nil` when all have.
    func behind() -> String? {
        for client in simulation.clients {
            guard let told = told[client.key] else { continue }
            guard client.isConnected, let cursor = client.cursor, cursor.incarnation == told.incarnation, cursor.sequence >= told.sequence
            else {
                let at = client.cursor.map(\.text) ?? "nothing"
                let end = Cursor(incarnation: told.incarnation, sequence: told.sequence).text
                return "client \(client.number) of \(client.key.text) is at \(at), not at \(end)"
            }
        }
        return absent()
    }

    /// A channel whose clients have not all been told of each other, and of nobody else; `nil` when all have.
    private func absent() -> String? {
        for key in simulation.keys where key.kind == .channel {
            let clients = simulation.clients.filter { $0.key == key }
            let users = Set(clients.map(\.user))
            for client in clients where !client.polls && client.present != users {
                let names = client.present.map { $0.map { String(decoding: $0, as: UTF8.self) }.sorted() } ?? []
                return "client \(client.number) of \(key.text) was told that \(names) are there, \(users.count) are"
            }
            let summaries = simulation.nodes.compactMap { $0.process?.loop.presence(of: key) }
            guard let summary = summaries.first, summaries.count == 1 else {
                return "\(summaries.count) nodes know who listens to \(key.text)"
            }
            if summary.subscribers != clients.count || Set(summary.users.map(\.user)) != users {
                return "the owner of \(key.text) counts \(summary.subscribers) subscribers, \(summary.users.count) users"
            }
        }
        return nil
    }
}

extension SimChecker.Record {
    fileprivate var epoch: UInt64 { receipt?.epoch ?? 0 }
}
