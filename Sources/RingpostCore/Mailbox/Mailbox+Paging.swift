// A page of a mailbox's history, for who only reads: forwards after a place, or backwards before one. What memory does not hold any more is not
// here: the page says so (`gap`), and where what is kept begins (`from`). A store behind memory is asked there.

extension Mailbox {
    /// Messages that one page looks at; those that are past their time to live are looked at, and not shown.
    static let pageLooksMax = 4_096

    /// Committed messages of the history, in order, whichever way it is read.
    func page(from start: AttachStart, countMax: Int, now: Int64, bytesMax: Int) -> AttachReply {
        switch start {
        case .newest: pageBackwards(before: committed &+ 1, countMax: countMax, now: now, bytesMax: bytesMax)
        case .before(let cursor) where cursor.incarnation == incarnation:
            pageBackwards(before: min(cursor.sequence, committed &+ 1), countMax: countMax, now: now, bytesMax: bytesMax)
        case .before:
            // What came before it was in another life of the mailbox, of which nothing is known.
            AttachReply(incarnation: incarnation, gap: true, from: 0, through: 0, messages: [], isLive: false, hasMore: false)
        case .now, .earliest, .after: pageForwards(from: start, countMax: countMax, now: now, bytesMax: bytesMax)
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

    /// - Parameter end: messages with smaller numbers are read, the newest of them first.
    private func pageBackwards(before end: UInt64, countMax: Int, now: Int64, bytesMax: Int) -> AttachReply {
        let through = end == 0 ? 0 : end - 1
        var piece = PagePiece(countMax: countMax, bytesMax: bytesMax, now: now)
        var index = firstIndex(after: through)
        while index > 0, piece.take(history[index - 1]) { index -= 1 }
        let hasMore = index > 0
        // Nothing older is kept: what was there up to this place is lost, unless nothing was.
        let from = hasMore ? min(through, history[index - 1].sequence) : min(through, resumableFrom)
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
