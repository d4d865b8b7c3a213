// Answers out of what only the node's store has of a mailbox's history. What was read is the truth: what does not follow in it is not there any
// more, or can't be read, and who asks is told of a gap.

extension Mailbox {
    /// What a request gets of messages that the store has given.
    ///
    /// - Parameters:
    ///   - stored: in their order, none after ``committed``, with times of this node's clock.
    ///   - load: what was asked for.
    ///   - older: what only the store has by now.
    func reply(
        to request: AttachRequest, with stored: [StoredMessage], of load: HistoryLoad, older: OlderHistory?, now: Int64
    ) -> AttachReply {
        load.isBackwards
            ? backwards(stored, through: load.through, older: older, now: now)
            : forwards(stored, through: load.through, request, older: older, now: now)
    }

    private func forwards(
        _ stored: [StoredMessage], through end: UInt64, _ request: AttachRequest, older: OlderHistory?, now: Int64
    ) -> AttachReply {
        var (gap, from) = beginning(of: request.start, askedAt: request.askedAt)
        // Where the history begins is no gap for who wants all there is.
        let tellsGap = request.start != .earliest
        // What was past its time to live when it went is no gap.
        if let begin = older?.begin, begin > from, begin <= end, resumableFrom <= from { from = begin }
        let messages = stored.drop { $0.sequence <= from }
        // Where nothing has come, nothing of all that was asked for can be read.
        let next = messages.first.map { $0.sequence - 1 } ?? max(from, min(end, committed))
        if next > from { (gap, from) = (gap || tellsGap, next) }
        var through = from
        var shown: [StoredMessage] = []
        for message in messages {
            guard message.sequence == through + 1 else { break }
            through = message.sequence
            // An expired message is skipped, which is no gap.
            if message.expiresAt > now { shown.append(message) }
        }
        let hasMore = through < committed
        return AttachReply(
            incarnation: incarnation, gap: gap, from: from, through: through, messages: shown,
            isLive: goesLive(request.stay, isEmpty: shown.isEmpty && !gap, hasMore: hasMore), hasMore: hasMore)
    }

    private func backwards(_ stored: [StoredMessage], through: UInt64, older: OlderHistory?, now: Int64) -> AttachReply {
        var run: [StoredMessage] = []
        for message in stored.reversed() {
            if let last = run.last, last.sequence != message.sequence + 1 { break }
            run.append(message)
        }
        let begin = older?.begin ?? min(through, resumableFrom)
        let from = run.last.map { $0.sequence - 1 } ?? min(through, begin)
        let hasMore = from > begin
        let isWhole = run.first?.sequence == through
        return AttachReply(
            incarnation: incarnation, gap: !isWhole || (!hasMore && resumableFrom > 0), from: from, through: through,
            messages: run.reversed().filter { $0.expiresAt > now }, isLive: false, hasMore: hasMore)
    }
}

extension MailboxStore {
    /// What has to be read from the node's store for a request; `nil` where memory has all that it is about.
    func load(for request: AttachRequest, at mailboxIndex: Int, now: Int64) -> HistoryLoad? {
        guard let part = older[mailboxIndex] else { return nil }
        let mailbox = mailboxes.all[mailboxIndex]
        let countMax = min(Int(request.countMax), Mailbox.pageLooksMax)
        func load(after: UInt64, through: UInt64, isBackwards: Bool) -> HistoryLoad {
            HistoryLoad(
                key: request.key, incarnation: mailbox.incarnation, after: after, through: through, isBackwards: isBackwards,
                messagesMax: countMax, bytesMax: limits.replayBytesMax, now: now)
        }
        if request.stay == .page, let through = mailbox.pageEnd(of: request.start) {
            return through <= part.end && through > part.begin ? load(after: part.begin, through: through, isBackwards: true) : nil
        }
        let (from, end) = (mailbox.beginning(of: request.start, askedAt: request.askedAt).from, min(part.end, mailbox.committed))
        return from < end ? load(after: from, through: end, isBackwards: false) : nil
    }

    /// What a request gets of what the store has given for it.
    func reply(
        to request: AttachRequest, with stored: [StoredMessage], of load: HistoryLoad, at mailboxIndex: Int, now: Int64
    ) -> AttachReply {
        let (mailbox, kept) = (mailboxes.all[mailboxIndex], keptMilliseconds(at: mailboxIndex))
        // A whole stretch is dropped when all of it is too old; what is shown is not.
        let messages = stored.lazy.map { $0.shifted(by: load.now) }.filter {
            $0.sequence <= mailbox.committed && (kept == .max || now &- $0.appendedAt < kept)
        }
        return mailbox.reply(to: request, with: Array(messages), of: load, older: older[mailboxIndex], now: now)
    }
}
