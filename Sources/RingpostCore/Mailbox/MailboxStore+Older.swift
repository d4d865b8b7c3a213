// How histories are bounded: what a mailbox keeps, and what of that memory keeps where the node has a store. What memory drops then is still
// in the store, and counts as kept until the mailbox's own bounds, or the store's, drop it.
import HashRing

extension MailboxStore {
    /// From now on there is a store, and memory keeps no more than it has to.
    mutating func beginJournal() {
        journal = SlotJournal()
        trimming = HistoryTrim(bytesMax: min(limits.historyBytesMax, limits.memoryBytesMax))
    }

    /// How many messages a mailbox keeps, and how many bytes of them.
    private func historyMax(at mailboxIndex: Int) -> (messages: Int, bytes: Int) {
        let namespace = Int(mailboxes.all[mailboxIndex].namespace)
        return namespace > 0
            ? (uses[namespace - 1].historyMessagesMax, uses[namespace - 1].historyBytesMax)
            : (limits.historyMessagesMax, limits.historyBytesMax)
    }

    /// How long a mailbox keeps a message; `Int64.max` for no bound.
    func keptMilliseconds(at mailboxIndex: Int) -> Int64 {
        let namespace = Int(mailboxes.all[mailboxIndex].namespace)
        return namespace > 0 ? uses[namespace - 1].keptMilliseconds : limits.historyMilliseconds ?? .max
    }

    /// Whether a mailbox keeps anything, here or in the store.
    func hasHistory(at mailboxIndex: Int) -> Bool { !mailboxes.all[mailboxIndex].history.isEmpty || older[mailboxIndex] != nil }

    /// A mailbox has got one more message, or has come whole: its oldest ones go, out of the history or only out of memory.
    mutating func bound(at mailboxIndex: Int, now: Int64) {
        let (messagesMax, bytesMax) = historyMax(at: mailboxIndex)
        if let part = older[mailboxIndex] {
            let over = part.count + mailboxes.all[mailboxIndex].history.count - messagesMax
            if over > 0 { loseOlder(over, at: mailboxIndex, now: now) }
            while let part = older[mailboxIndex], case let over = part.bytes + mailboxes.all[mailboxIndex].historyBytes - bytesMax, over > 0
            {
                loseOlder(part.count(ofBytes: over), at: mailboxIndex, now: now)
            }
        }
        while mailboxes.all[mailboxIndex].isOver(messagesMax: messagesMax, bytesMax: bytesMax), older[mailboxIndex] == nil {
            loseOldest(at: mailboxIndex, now: now)
        }
        if journal != nil { boundMemory(at: mailboxIndex, messagesMax, bytesMax, now: now) }
    }

    /// A mailbox has come whole, if there is one.
    mutating func boundCopy(at mailboxIndex: Int, now: Int64) {
        guard mailboxIndex >= 0, journal != nil else { return }
        believeBounds(at: mailboxIndex)
        bound(at: mailboxIndex, now: now)
    }

    /// How large messages are that only the store has is a guess after a start, from a few of them, and a guess alone takes nothing away: what
    /// was kept was within the bounds. Where it is far beyond them, they are lower than they were.
    private mutating func believeBounds(at mailboxIndex: Int) {
        guard let part = older[mailboxIndex] else { return }
        let room = max(0, historyMax(at: mailboxIndex).bytes - mailboxes.all[mailboxIndex].historyBytes)
        guard part.bytes > room, part.bytes / Self.guessFactorMax <= room else { return }
        countInNamespace(bytes: room - part.bytes, at: mailboxIndex)
        older.set(part.scaled(toBytes: room), at: mailboxIndex, incarnation: mailboxes.all[mailboxIndex].incarnation)
    }

    /// By how much a guess may be wrong: a few large messages among small ones.
    private static let guessFactorMax = 8

    private mutating func boundMemory(at mailboxIndex: Int, _ messagesMax: Int, _ bytesMax: Int, now: Int64) {
        let (messagesMax, bytesMax) = (min(messagesMax, limits.memoryMessagesMax), min(bytesMax, limits.memoryBytesMax))
        while mailboxes.all[mailboxIndex].isOver(messagesMax: messagesMax, bytesMax: bytesMax) {
            dropOldest(at: mailboxIndex, now: now)
        }
    }

    /// Takes the oldest message out of memory; where there is a store it is still kept there.
    mutating func dropOldest(at mailboxIndex: Int, now: Int64) {
        guard journal != nil, let oldest = mailboxes.all[mailboxIndex].moveOldest() else {
            return loseOldest(at: mailboxIndex, now: now)
        }
        historyBytes -= oldest.envelope.count
        let (messagesMax, bytesMax) = historyMax(at: mailboxIndex)
        older.append(
            oldest, at: mailboxIndex, incarnation: mailboxes.all[mailboxIndex].incarnation,
            bounds: OlderHistory.StretchBounds(
                messagesMax: messagesMax, bytesMax: bytesMax, milliseconds: keptMilliseconds(at: mailboxIndex)))
    }

    /// Takes the oldest message out of a history, or the oldest ones of which only the store knows how large they are.
    mutating func loseOldest(at mailboxIndex: Int, now: Int64) {
        if older[mailboxIndex] != nil { return loseOlder(nil, at: mailboxIndex, now: now) }
        let bytes = mailboxes.all[mailboxIndex].dropOldest(now: now)
        count(bytes: -bytes, at: mailboxIndex)
        journal?.trim(mailboxIndex)
    }

    /// - Parameter count: so many messages; a stretch of them if `nil`.
    private mutating func loseOlder(_ count: Int?, at mailboxIndex: Int, now: Int64) {
        let end = older[mailboxIndex]?.end ?? 0
        let loss = older.drop(count, at: mailboxIndex)
        // What was past its time to live leaves no gap.
        if loss.expiresAt > now { mailboxes.all[mailboxIndex].resumableFrom = older[mailboxIndex]?.begin ?? end }
        countInNamespace(bytes: -loss.bytes, at: mailboxIndex)
        journal?.trim(mailboxIndex)
    }

    /// All that was read may be too old by now, though it lies with others that are not: then it goes.
    ///
    /// - Returns: whether it has gone, and something else is to be read.
    mutating func loseTooOld(_ stored: [StoredMessage], of load: HistoryLoad, at mailboxIndex: Int, now: Int64) -> Bool {
        let kept = keptMilliseconds(at: mailboxIndex)
        guard kept < .max, !load.isBackwards, let last = stored.last, now &- load.now &- last.appendedAt >= kept,
            let part = older[mailboxIndex], last.sequence > part.begin
        else { return false }
        loseOlder(min(part.count, Int(clamping: last.sequence - part.begin)), at: mailboxIndex, now: now)
        return true
    }

    /// Forgets what only the store has of a mailbox.
    mutating func forgetOlder(at mailboxIndex: Int) {
        countInNamespace(bytes: -older.remove(mailboxIndex), at: mailboxIndex)
    }

    /// Histories hold so much more.
    mutating func count(bytes: Int, at mailboxIndex: Int) {
        historyBytes += bytes
        countInNamespace(bytes: bytes, at: mailboxIndex)
    }

    private mutating func countInNamespace(bytes: Int, at mailboxIndex: Int) {
        let namespace = Int(mailboxes.all[mailboxIndex].namespace)
        if namespace > 0 { uses[namespace - 1].add(bytes: bytes) }
    }

    /// Drops history of the mailboxes used longest ago until memory is within its bytes, and the oldest of all until the store is.
    mutating func shed(now: Int64) {
        while historyBytes > limits.storeBytesMax, let mailboxIndex = mailboxes.nextToShed() {
            dropOldest(at: mailboxIndex, now: now)
        }
        if journal == nil { return }
        while historyBytes + older.bytes > storedBytesMax {
            guard let mailboxIndex = older.nextToShed() else { break }
            let before = older[mailboxIndex]?.count ?? 0
            loseOlder(nil, at: mailboxIndex, now: now)
            older.shedCount += UInt64(before - (older[mailboxIndex]?.count ?? 0))
        }
        while historyBytes + older.bytes > storedBytesMax, let mailboxIndex = mailboxes.nextToShed() {
            loseOldest(at: mailboxIndex, now: now)
            older.shedCount += 1
        }
    }

    // MARK: Copies

    /// What of the slot's histories stays in the store when another copy comes in the place of this one. A copy brings what its sender's
    /// memory has. Where the very message with which a history goes on is the same here, byte for byte, its owner has written it to one log
    /// that both are copies of, and so what comes before it is the same as well.
    func keptOlder(ofSlot slot: Int, by chunks: [SnapshotChunk]) -> [Key: KeptHistory] {
        var kept: [Key: KeptHistory] = [:]
        guard journal != nil, mailboxes.first(inSlot: slot) != nil else { return kept }
        /// The mailbox that comes, the place of its first message, and whether it was found to be the same.
        var current: (mailboxIndex: Int, first: UInt64?)?
        for item in chunks.lazy.flatMap(\.items) {
            switch item {
            case .mailbox(let head):
                current = mailboxes.index(of: head.key).flatMap { mailboxIndex in
                    mailboxes.all[mailboxIndex].incarnation == head.incarnation && hasHistory(at: mailboxIndex) ? (mailboxIndex, nil) : nil
                }
            case .message(let message):
                guard let (mailboxIndex, first) = current else { continue }
                let start = first ?? message.sequence
                current = (mailboxIndex, start)
                guard let isSame = mailboxes.all[mailboxIndex].isSame(message) else { continue }
                current = nil
                guard isSame, let history = olderHistory(before: start, at: mailboxIndex) else { continue }
                let mailbox = mailboxes.all[mailboxIndex]
                kept[mailbox.key] = KeptHistory(resumableFrom: mailbox.resumableFrom, history: history)
            case .remembered: break
            }
        }
        return kept
    }

    /// A mailbox that has come goes on having this in the store.
    mutating func keep(_ kept: KeptHistory, at mailboxIndex: Int) {
        mailboxes.all[mailboxIndex].resumableFrom = kept.resumableFrom
        older.set(kept.history, at: mailboxIndex, incarnation: mailboxes.all[mailboxIndex].incarnation)
        countInNamespace(bytes: kept.history.bytes, at: mailboxIndex)
    }

    /// What of a history comes before a message, as it would lie in the store only.
    private func olderHistory(before first: UInt64, at mailboxIndex: Int) -> OlderHistory? {
        let mailbox = mailboxes.all[mailboxIndex]
        guard let begin = older[mailboxIndex]?.begin ?? mailbox.history.first.map({ $0.sequence &- 1 }), begin < first &- 1
        else { return nil }
        let (messagesMax, bytesMax) = historyMax(at: mailboxIndex)
        let bounds = OlderHistory.StretchBounds(
            messagesMax: messagesMax, bytesMax: bytesMax, milliseconds: keptMilliseconds(at: mailboxIndex))
        var history = older[mailboxIndex] ?? OlderHistory(begin: begin)
        history.cut(before: first)
        for message in mailbox.history where message.sequence < first { _ = history.append(message, bounds: bounds) }
        return history
    }
}

/// What stays of a history in the store when its mailbox comes with another copy, or is read.
public struct KeptHistory: Hashable, Sendable {
    /// A cursor at or after this sequence number can be brought on without a hole.
    let resumableFrom: UInt64
    /// The messages.
    let history: OlderHistory

    /// Messages after this one.
    public var after: UInt64 { history.begin }
    /// Messages up to this one.
    public var through: UInt64 { history.end }

    func shifted(by offset: Int64) -> KeptHistory {
        KeptHistory(resumableFrom: resumableFrom, history: history.shifted(by: offset))
    }
}

extension Mailbox {
    /// Takes the oldest message out of memory. It is not lost, but a publish that is sent again can't be found there any more.
    fileprivate mutating func moveOldest() -> StoredMessage? {
        guard let oldest = history.popFirst() else { return nil }
        lostThrough = max(lostThrough, oldest.appendedAt)
        historyBytes -= oldest.envelope.count
        return oldest
    }

    /// Whether the message at its place here is the same; `nil` where memory does not have it, or where nothing of it is left to compare.
    fileprivate func isSame(_ message: StoredMessage) -> Bool? {
        let index = firstIndex(after: message.sequence &- 1)
        guard index < history.count, history[index].sequence == message.sequence, !message.envelope.isEmpty else { return nil }
        return history[index].id == message.id && history[index].envelope == message.envelope
    }
}
