// Who is attached to a shard's mailboxes. That is not logged: whoever has lost the owner asks the next one.

extension SlotLog {
    mutating func attach(_ address: ReturnAddress, at mailboxIndex: Int) -> Bool { mailboxes.attach(address, at: mailboxIndex) }

    /// - Returns: whether it was the last attachment of a user.
    mutating func detach(_ address: ReturnAddress, from key: Key, now: Moment) -> Bool {
        mailboxes.detach(address, from: key, now: now)
    }

    /// - Returns: the users who have no other attachment.
    mutating func detachAll(connectionID: UInt32, now: Moment) -> [Key] {
        let before = mailboxes.attachmentCount
        let departed = mailboxes.detachAll(connectionID: connectionID, now: now)
        if mailboxes.attachmentCount < before {
            // Whoever was lost with an earlier link may still be there too.
            let isEarlierOver = lostLink.at == .min || now.monotonic >= lostLink.at + Self.settleMilliseconds
            lostLink = (now.monotonic, isEarlierOver ? now.wall : min(lostLink.wall, now.wall))
        }
        return departed
    }

    /// Attachments that meet the condition wait for a commit no longer.
    mutating func forgetAttaches(at slotIndex: Int, where condition: (AttachRequest) -> Bool) {
        guard isWaitedFor(at: slotIndex) else { return }
        slots[slotIndex].owner?.forgetAttaches(where: condition)
    }

    /// A mailbox is used; a user is there now.
    mutating func touch(_ mailboxIndex: Int, isSeen: Bool, now: Moment) {
        mailboxes.touch(mailboxIndex, now: now.monotonic)
        mailboxes.letGo(at: mailboxIndex, now: now.monotonic)
        if isSeen { mailboxes.setLastSeen(now.wall, at: mailboxIndex) }
    }

    /// Forgets some of the mailboxes that nobody has used for long, and receipts that have had their time.
    mutating func forgetIdle(now: Int64, limit: Int = 256) {
        mailboxes.forgetIdle(now: now, limit: limit)
        mailboxes.letSomeGo(now: now)
        mailboxes.expireWindow(now: now)
    }
}
