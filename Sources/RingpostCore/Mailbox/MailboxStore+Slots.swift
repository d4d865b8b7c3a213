// The store by slots: what is dropped, sent and taken over when a slot's copy moves.
import HashRing

extension MailboxStore {
    private func index(_ slot: Int) -> Int { slot / shardCount }

    /// The places of a slot's mailboxes, collected first because whoever goes through them may remove some.
    private func mailboxIndices(ofSlot slot: Int) -> [Int] {
        var found: [Int] = []
        var mailboxIndex = Int(heads[index(slot)])
        while mailboxIndex >= 0 {
            found.append(mailboxIndex)
            mailboxIndex = boxes[mailboxIndex].after
        }
        return found
    }

    mutating func linkInSlot(_ mailboxIndex: Int) {
        let head = index(boxes[mailboxIndex].key.slot)
        let first = Int(heads[head])
        boxes[mailboxIndex].before = -1
        boxes[mailboxIndex].after = first
        if first >= 0 { boxes[first].before = mailboxIndex }
        heads[head] = Int32(truncatingIfNeeded: mailboxIndex)
    }

    mutating func unlinkInSlot(_ mailboxIndex: Int) {
        let (before, after) = (boxes[mailboxIndex].before, boxes[mailboxIndex].after)
        if before >= 0 {
            boxes[before].after = after
        } else {
            heads[index(boxes[mailboxIndex].key.slot)] = Int32(truncatingIfNeeded: after)
        }
        if after >= 0 { boxes[after].before = before }
    }

    /// Forgets all of a slot.
    mutating func drop(slot: Int) {
        if heads[index(slot)] >= 0 { for mailboxIndex in mailboxIndices(ofSlot: slot) { remove(mailboxIndex) } }
        window.forget(slot: slot)
    }

    /// Everything that a slot's mailboxes hold may be shown from now on.
    mutating func showAll(slot: Int) {
        var mailboxIndex = Int(heads[index(slot)])
        while mailboxIndex >= 0 {
            boxes[mailboxIndex].committed = boxes[mailboxIndex].appended
            mailboxIndex = boxes[mailboxIndex].after
        }
    }

    /// Ends all attachments to a slot's mailboxes and returns them, with what they were attached to.
    mutating func detachAll(slot: Int) -> [(address: ReturnAddress, key: Key)] {
        var detached: [(address: ReturnAddress, key: Key)] = []
        var mailboxIndex = Int(heads[index(slot)])
        while mailboxIndex >= 0 {
            if !boxes[mailboxIndex].attachments.isEmpty {
                detached += boxes[mailboxIndex].attachments.map { ($0, boxes[mailboxIndex].key) }
                boxes[mailboxIndex].attachments = []
            }
            mailboxIndex = boxes[mailboxIndex].after
        }
        attachmentCount -= detached.count
        return detached
    }

    /// A slot's copy in pieces of about `bytesMax` bytes, at least one.
    func pieces(ofSlot slot: Int, base: UInt64, position: UInt64, now: Int64, bytesMax: Int) -> [SnapshotChunk] {
        var pieces: [[SnapshotItem]] = [[]]
        var bytes = 0
        func add(_ item: SnapshotItem) {
            let size = item.payloadBytes
            if bytes > 0, bytes + size > bytesMax {
                pieces.append([])
                bytes = 0
            }
            bytes += size
            pieces[pieces.count - 1].append(item)
        }
        // The one used last comes last, so that the order of use travels too.
        for mailboxIndex in mailboxIndices(ofSlot: slot).sorted(by: { (boxes[$0].lastUsed, $0) < (boxes[$1].lastUsed, $1) }) {
            let box = boxes[mailboxIndex]
            let lostAgo = box.lostThrough == .min ? Int64.max : max(0, now - box.lostThrough)
            add(
                .mailbox(
                    MailboxHead(
                        key: box.key, incarnation: box.incarnation, appended: box.appended, resumableFrom: box.resumableFrom,
                        lostAgo: lostAgo, lastSeen: box.lastSeen)))
            for message in box.history { add(.message(message.shifted(by: -now))) }
        }
        for (key, remembered) in window.entries(ofSlot: slot, now: now) { add(.remembered(key, remembered.shifted(by: -now))) }
        return pieces.enumerated().map { number, items in
            SnapshotChunk(isFirst: number == 0, isLast: number == pieces.count - 1, base: base, position: position, items: items)
        }
    }

    /// Takes over a slot's copy in place of what is here.
    mutating func replace(slot: Int, with pieces: [SnapshotChunk], now: Int64) {
        drop(slot: slot)
        var current = -1
        for item in pieces.lazy.flatMap(\.items) {
            switch item {
            case .mailbox(let head):
                current = mailboxIndex(creating: head.key, fresh: head.incarnation, now: now) ?? -1
                guard current >= 0 else { continue }
                boxes[current].appended = head.appended
                boxes[current].resumableFrom = head.resumableFrom
                boxes[current].lastSeen = head.lastSeen
                boxes[current].lostThrough = head.lostAgo == .max ? .min : now - head.lostAgo
            case .message(let message):
                guard current >= 0 else { continue }
                let message = message.shifted(by: now)
                boxes[current].history.append(message)
                boxes[current].historyBytes += message.envelope.count
                historyBytes += message.envelope.count
            case .remembered(let key, let remembered): window.remember(remembered.shifted(by: now), to: key)
            }
        }
        shed(now: now)
    }
}

extension Mailbox {
    /// Loses all history; returns its bytes.
    mutating func clear(through sequence: UInt64, now: Int64) -> Int {
        let bytes = historyBytes
        history = []
        historyBytes = 0
        resumableFrom = sequence
        appended = sequence
        lostThrough = now
        return bytes
    }

    /// The place that a publish got, if it is still in the history.
    func sequence(of id: MessageID) -> UInt64? { history.last { $0.id == id }?.sequence }
}
