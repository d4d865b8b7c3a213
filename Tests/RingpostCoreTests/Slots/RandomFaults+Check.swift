// The weather clears: all links, leases and views are there, and everything has to be as it was promised.
import Testing

@testable import RingpostCore

extension RandomFaults {
    /// Lets everything come to rest, then looks at it.
    func rest() {
        while gone != nil {
            for id in Self.ids { spread(id, all: true) }
            comeBack()
        }
        for one in Self.ids { for other in Self.ids where one < other { net.mend(one + other) } }
        for id in Self.ids {
            net.lease(id)
            spread(id, all: true)
        }
        for _ in 0..<500 {
            net.run()
            listen()
            if isQuiet { break }
            net.time += 25
            for id in Self.ids { net.tell(id) { $0.onTick(now: $1, actions: &$2) } }
            for index in producers.indices where !producers[index].refused.isEmpty || !producers[index].unsent.isEmpty { produce(index) }
            for index in sockets.indices where sockets[index].attachment == nil { useSocket(index) }
        }
        if !isQuiet { fault("no rest: \(unrest)") }
        judge()
    }

    private var isQuiet: Bool {
        net.ways.isEmpty && net.nodes.values.allSatisfy { $0.machine.publishes.lanes.parkedCount == 0 }
            && producers.allSatisfy { $0.underWay.isEmpty && $0.refused.isEmpty && $0.unsent.isEmpty }
            && sockets.allSatisfy { $0.isLive && $0.attachment != nil }
    }

    private var unrest: String {
        let open = producers.map { "\($0.at)\($0.key): \($0.underWay.values.sorted()) \($0.refused) \($0.unsent)" }
        return "\(open), sockets \(sockets.map { $0.isLive }), copies \(net.copies())"
    }

    private func judge() {
        for slot in net.slots { judge(slot) }
        for id in Self.ids {
            guard let machine = net.nodes[id]?.machine else { continue }
            let left = [
                machine.uncommittedCount, machine.waitingAttaches.count, machine.parked.count, machine.parked.bytes,
                machine.publishes.lanes.parkedCount,
                machine.publishes.lanes.inFlightCount, machine.takeovers.count, machine.snapshots.count, machine.vacancy.count,
                (0..<machine.peers.count).reduce(0) {
                    $0 + machine.copies.underWayCount(to: $1) + machine.copies.fetchesUnderWayCount(from: $1)
                },
                machine.log.slotIndices.reduce(0) { sum, slotIndex in
                    let owner = machine.log.slot(at: slotIndex).owner
                    return sum + (owner?.waiting.count ?? 0) + (owner?.entries.count ?? 0)
                },
            ]
            if left.contains(where: { $0 != 0 }) { fault("\(id) has left \(left)") }
        }
        judgeOrder()
    }

    private func judge(_ slot: Int) {
        let ring = Rings.ring(epochs.last?.map(\.ringMember) ?? [])
        guard let owner = ring.owner(ofSlot: slot).map({ ring.members[$0].id }) else { return fault("no owner") }
        let holders = ring.preference(ofSlot: slot, count: min(copies, ring.depth)).map { ring.members[$0].id }
        if copies(of: slot).sorted() != holders.sorted() { fault("copies of \(holders): \(net.copies(of: slot))") }
        if net.state(owner, of: slot).owner?.isServing != true { fault("\(owner) does not serve") }
        let here = net.contents(owner, of: slot)
        for mirror in holders.dropFirst() {
            let there = net.contents(mirror, of: slot)
            if here != there { fault("\(owner) has \(here.lacking(in: there)), but \(mirror) \(there.lacking(in: here))") }
        }
        for (number, key) in keys.enumerated() where key.slot == slot { judge(number, in: here) }
    }

    private func judge(_ key: Int, in contents: Contents) {
        guard let mailbox = contents.mailboxes.first(where: { $0.key == keys[key] }) else {
            if acknowledged[key] > 0 { fault("the mailbox \(key) is gone") }
            return
        }
        let sequences = mailbox.messages.map(\.sequence)
        if sequences != (1..<mailbox.appended + 1).map(\.self) { fault("places of \(key): \(sequences)") }
        let ids = mailbox.messages.map(\.id.low)
        if Set(ids).count != ids.count { fault("twice in \(key): \(ids)") }
        for (sequence, number) in self.sequences[key] where sequence > UInt64(ids.count) || ids[Int(sequence) - 1] != number {
            fault("place \(sequence) of \(key) was \(number)'s, and is not any more: \(ids)")
        }
        for socket in sockets where socket.key == key && socket.seen?.sequence != mailbox.appended {
            fault("a socket on \(socket.at) has seen up to \(socket.seen?.sequence ?? 0) of \(mailbox.appended)")
        }
    }

    /// On one stream the messages of one key have their places in the order in which they were sent.
    private func judgeOrder() {
        for index in producers.indices {
            let sent = messages.filter { $0.value.producer == index && !$0.value.isUnknown }.sorted { $0.key < $1.key }
            let sequences = sent.compactMap(\.value.sequence)
            if sequences != sequences.sorted() { fault("producer \(index): \(sequences)") }
        }
    }
}
