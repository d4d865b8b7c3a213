// A page of a mailbox's history, for who only reads: forwards after a place, or backwards before one. What is not kept any more is not here: the
// page says so (`gap`), and where what is kept begins (`from`). What only the node's store has is in Mailbox+Older.swift.

extension Mailbox {
    /// Messages that one page looks at; those that are past their time to live are looked at, and not shown.
    static let pageLooksMax = 4_096

    /// Committed messages of the history, in order, whichever way it is read.
    ///
    /// - Parameter olderEnd: the last message that only the store has; `nil` where there is none.
    func page(from start: AttachStart, countMax: Int, olderEnd: UInt64? = nil, now: Int64, bytesMax: Int) -> AttachReply {
        if let through = pageEnd(of: start) {
            return pageBackwards(through: through, countMax: countMax, olderEnd: olderEnd, now: now, bytesMax: bytesMax)
        }
        return switch start {
        case .before:
            // What came before it was in another life of the mailbox, of which nothing is known.
            AttachReply(incarnation: incarnation, gap: true, from: 0, through: 0, messages: [], isLive: false, hasMore: false)
        case .now, .earliest, .after, .newest: pageForwards(from: start, countMax: countMax, now: now, bytesMax: bytesMax)
        }
    }

    /// The last message that a page may have that is read backwards; `nil` for one that is not, or that begins in another incarnation.
    func pageEnd(of start: AttachStart) -> UInt64? {
        switch start {
        case .newest: committed
        case .before(let cursor) where cursor.incarnation == incarnation:
            cursor.sequence == 0 ? 0 : min(cursor.sequence - 1, committed)
        case .before, .now, .earliest, .after: nil
        }
    }

    private func pageForwards(from start: AttachStart, countMax: Int, now: Int64, bytesMax: Int) -> AttachReply {
        let (gap, from) = beginning(of: start)
        var piece = PagePiece(countMax: countMax, bytesMax: bytesMax, now: now)
        var index = firstIndex(after: from)
        while index < history.count, history[index].sequence <= committed, piece.take(history[index]) { index += 1 }
        let hasMore = index < history.count && history[index].sequence <= committed
        let through = hasMore ? (index > 0 ? max(from, history[index - 1].sequence) : from) : max(from, committed)
        return AttachReply(
            incarnation: incarnation, gap: gap, from: from, through: through, messages: piece.messages, isLive: false, hasMore: hasMore)
    }

    private func pageBackwards(through: UInt64, countMax: Int, olderEnd: UInt64?, now: Int64, bytesMax: Int) -> AttachReply {
        var piece = PagePiece(countMax: countMax, bytesMax: bytesMax, now: now)
        var index = firstIndex(after: through)
        while index > 0, piece.take(history[index - 1]) { index -= 1 }
        let older = olderEnd.flatMap { $0 <= through ? $0 : nil }
        let hasMore = index > 0 || older != nil
        // Where nothing older is kept: what was there up to this place is lost, unless nothing was.
        let from = index > 0 ? min(through, history[index - 1].sequence) : older ?? min(through, resumableFrom)
        return AttachReply(
            incarnation: incarnation, gap: !hasMore && resumableFrom > 0 && through > 0, from: from, through: through,
            messages: piece.messages.reversed(), isLive: false, hasMore: hasMore)
    }
}

/// What one answer about a history takes in.
private struct PagePiece {
    let countMax: Int
    let bytesMax: Int
    let now: Int64
    private(set) var messages: [StoredMessage] = []
    private var bytes = 0
    private var looked = 0

    init(countMax: Int, bytesMax: Int, now: Int64) {
        self.countMax = max(1, countMax)
        self.bytesMax = bytesMax
        self.now = now
    }

    /// The next message; false when it has no place any more.
    mutating func take(_ message: StoredMessage) -> Bool {
        guard looked < Mailbox.pageLooksMax, messages.count < countMax else { return false }
        // An expired message is skipped, which is no gap.
        if message.expiresAt > now {
            // One message always fits, or a large one could never be read.
            if !messages.isEmpty, bytes + message.envelope.count > bytesMax { return false }
            messages.append(message)
            bytes += message.envelope.count
        }
        looked += 1
        return true
    }
}
