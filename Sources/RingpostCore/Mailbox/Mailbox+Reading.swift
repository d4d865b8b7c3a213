// What a mailbox shows to whoever asks: what is committed after a place, and whether there is a hole before it.

extension Mailbox {
    /// What a request gets of what memory has.
    ///
    /// - Parameter olderEnd: the last message that only the store has; `nil` where there is none.
    func read(_ request: AttachRequest, olderEnd: UInt64? = nil, now: Int64, bytesMax: Int) -> AttachReply {
        request.stay == .page
            ? page(from: request.start, countMax: Int(request.countMax), olderEnd: olderEnd, now: now, bytesMax: bytesMax)
            : read(from: request.start, askedAt: request.askedAt, stay: request.stay, now: now, bytesMax: bytesMax)
    }

    /// The committed messages after a request's start.
    func read(
        from start: AttachStart, askedAt: Int64 = .max, stay: AttachRequest.Stay, now: Int64, bytesMax: Int
    ) -> AttachReply {
        let (gap, from) = beginning(of: start, askedAt: askedAt)
        var through = from
        var messages: [StoredMessage] = []
        var bytes = 0
        var index = firstIndex(after: from)
        while index < history.count, history[index].sequence <= committed {
            let message = history[index]
            // An expired message is skipped, which is no gap.
            if message.expiresAt > now {
                // One message always fits, or a large one could never be replayed.
                if !messages.isEmpty, bytes + message.envelope.count > bytesMax { break }
                messages.append(message)
                bytes += message.envelope.count
            }
            through = message.sequence
            index += 1
        }
        let hasMore = index < history.count && history[index].sequence <= committed
        if !hasMore { through = max(through, committed) }
        return AttachReply(
            incarnation: incarnation, gap: gap, from: from, through: through, messages: messages,
            isLive: goesLive(stay, isEmpty: messages.isEmpty && !gap, hasMore: hasMore), hasMore: hasMore)
    }

    /// Whether who asks is attached with this answer.
    func goesLive(_ stay: AttachRequest.Stay, isEmpty: Bool, hasMore: Bool) -> Bool {
        !hasMore && (stay == .always || (stay == .ifEmpty && isEmpty))
    }

    func beginning(of start: AttachStart, askedAt: Int64) -> (gap: Bool, from: UInt64) {
        start == .now ? beginning(since: askedAt) : beginning(of: start)
    }

    func beginning(of start: AttachStart) -> (gap: Bool, from: UInt64) {
        switch start {
        case .now, .newest, .before: return (false, committed)
        case .earliest: return (false, min(resumableFrom, committed))
        case .after(let cursor):
            // Another incarnation: the client has seen no message of this one.
            if cursor.incarnation != incarnation { return (true, min(resumableFrom, committed)) }
            // Ahead of the owner, by a mistake: the client has seen all that is here.
            if cursor.sequence > committed { return (true, committed) }
            if cursor.sequence < resumableFrom { return (true, min(resumableFrom, committed)) }
            return (false, cursor.sequence)
        }
    }

    /// Before the first message that came at that time or later. Most of the time there is none.
    private func beginning(since moment: Int64) -> (gap: Bool, from: UInt64) {
        let end = firstIndex(after: committed)
        var index = end
        while index > 0, history[index - 1].appendedAt >= moment { index -= 1 }
        if index == 0, lostThrough >= moment {
            // What memory does not have any more of that time is not looked for.
            return (true, min(max(resumableFrom, history.first.map { $0.sequence - 1 } ?? appended), committed))
        }
        return (false, index == end ? committed : history[index].sequence - 1)
    }
}
