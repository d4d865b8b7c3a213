// The rules of namespaces in a store: who is let in, what is kept for how long, and who gives when there is too much. A mailbox outside of every
// namespace has the number 0 and meets none of this.

extension MailboxStore {
    /// Whether a channel that is not here yet may come. A mailbox of its namespace that keeps nothing, that nobody listens to, and to
    /// which no publish can still be repeated, makes room for it.
    mutating func makeRoom(for key: Key, now: Int64) -> Bool {
        let number = limits.namespaces.number(of: key)
        guard number > 0, uses[number - 1].isFull else { return true }
        for _ in 0..<NamespaceUse.looksMax {
            guard let (mailboxIndex, _) = look(inNamespace: number) else { continue }
            letGo(at: mailboxIndex, now: now)
            let mailbox = mailboxes.all[mailboxIndex]
            guard mailbox.attachments.isEmpty, older[mailboxIndex] == nil, mailbox.lastUsed + Publish.budgetMillisecondsMax < now,
                mailbox.history.allSatisfy({ $0.expiresAt <= now })
            else { continue }
            remove(mailboxIndex)
            return true
        }
        return false
    }

    /// Whether there is no room for a channel that is not here yet.
    func isFull(for key: Key) -> Bool {
        let number = limits.namespaces.number(of: key)
        return number > 0 && uses[number - 1].isFull && mailboxIndex(of: key) == nil
    }

    /// Whether a mailbox's rate is its namespace's.
    func isInNamespace(at mailboxIndex: Int) -> Bool { mailboxes.all[mailboxIndex].namespace > 0 }
    /// Whether a mailbox keeps messages at all.
    func keepsHistory(at mailboxIndex: Int) -> Bool {
        let number = Int(mailboxes.all[mailboxIndex].namespace)
        return (number == 0 ? limits.historyMessagesMax : uses[number - 1].historyMessagesMax) > 0
    }

    /// Drops messages that a mailbox has kept for as long as it may. Whoever has not seen them is told of a gap.
    mutating func letGo(at mailboxIndex: Int, now: Int64) {
        let kept = keptMilliseconds(at: mailboxIndex)
        guard kept < .max else { return }
        while let stretch = older[mailboxIndex]?.stretches.first, now &- stretch.newest >= kept { loseOldest(at: mailboxIndex, now: now) }
        if older[mailboxIndex] != nil { return }
        while let oldest = mailboxes.all[mailboxIndex].history.first, now &- oldest.appendedAt >= kept {
            loseOldest(at: mailboxIndex, now: now)
        }
    }

    /// A message has come: histories of its namespace shrink until they are within its bytes, first those that were not used of late.
    mutating func shed(inNamespaceOf mailboxIndex: Int, now: Int64) {
        let number = Int(mailboxes.all[mailboxIndex].namespace)
        guard number > 0 else { return }
        for _ in 0..<NamespaceUse.looksMax {
            guard uses[number - 1].isOverBytes else { return }
            guard let (victim, isUsed) = look(inNamespace: number), !isUsed else { continue }
            while uses[number - 1].isOverBytes, hasHistory(at: victim) { loseOldest(at: victim, now: now) }
        }
        while uses[number - 1].isOverBytes, hasHistory(at: mailboxIndex) { loseOldest(at: mailboxIndex, now: now) }
    }

    /// In every tick: some mailboxes let go what they have kept for long enough; where only namespaces have such a bound, of one of these, and
    /// then the next one's turn comes.
    mutating func letSomeGo(now: Int64) {
        if limits.historyMilliseconds != nil {
            for _ in 0..<min(MailboxLimits.agingLooksMax, mailboxes.all.count) {
                nextToLookAt = nextToLookAt + 1 < mailboxes.all.count ? nextToLookAt + 1 : 0
                letGo(at: nextToLookAt, now: now)
            }
        }
        guard !uses.isEmpty else { return }
        for _ in uses.indices {
            nextToAge = nextToAge + 1 < uses.count ? nextToAge + 1 : 0
            if uses[nextToAge].ages { break }
        }
        guard uses[nextToAge].ages else { return }
        for _ in 0..<NamespaceUse.looksMax {
            guard let (mailboxIndex, _) = look(inNamespace: nextToAge + 1) else { continue }
            letGo(at: mailboxIndex, now: now)
        }
    }

    private mutating func look(inNamespace number: Int) -> (mailboxIndex: Int, isUsed: Bool)? {
        // Not the whole table: one array is held, not seven.
        let all = mailboxes.all
        return uses[number - 1].look { all[$0].incarnation == $1 ? all[$0].lastUsed : nil }
    }

    /// Sets the last sequence number of a mailbox. One that had none stands in its namespace's ring from now on.
    mutating func setEnd(_ sequence: UInt64, at mailboxIndex: Int, now: Int64) {
        let number = Int(mailboxes.all[mailboxIndex].namespace)
        if number > 0, !mailboxes.all[mailboxIndex].isWritten {
            uses[number - 1].addPlace(mailboxIndex, incarnation: mailboxes.all[mailboxIndex].incarnation, now: now)
            if uses[number - 1].isStale {
                let all = mailboxes.all
                uses[number - 1].forgetPlaces { all[$0].incarnation != $1 }
            }
        }
        mailboxes.setEnd(sequence, at: mailboxIndex, now: now)
    }
}
