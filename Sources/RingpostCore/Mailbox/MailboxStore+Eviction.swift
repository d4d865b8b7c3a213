// How the store stays within its bounds: a list of mailboxes in the order of use, threaded through the slab.

extension MailboxStore {
    /// The mailbox's place, created if it isn't there; `nil` when the store is full and everything in it is in use.
    mutating func mailboxIndex(creating key: Key, fresh: UInt64, now: Int64) -> Int? {
        if let mailboxIndex = mailboxIndices[key] { return mailboxIndex }
        if mailboxIndices.count >= limits.mailboxesMax {
            guard let victim = oldestUnattached() else { return nil }
            evictedThrough = max(evictedThrough, boxes[victim].lastUsed)
            remove(victim)
            evictedCount += 1
        }
        var box = Mailbox(key: key, incarnation: fresh)
        // It may have been here before, and what it held then has been lost since.
        box.lostThrough = evictedThrough
        let mailboxIndex: Int
        if let freed = free.popLast() {
            mailboxIndex = freed
            boxes[mailboxIndex] = box
        } else {
            mailboxIndex = boxes.count
            boxes.append(box)
        }
        mailboxIndices[key] = mailboxIndex
        link(mailboxIndex, now: now)
        linkInSlot(mailboxIndex)
        return mailboxIndex
    }

    /// Forgets a mailbox with all it holds.
    mutating func remove(_ mailboxIndex: Int) {
        unlink(mailboxIndex)
        unlinkInSlot(mailboxIndex)
        historyBytes -= boxes[mailboxIndex].historyBytes
        attachmentCount -= boxes[mailboxIndex].attachments.count
        mailboxIndices[boxes[mailboxIndex].key] = nil
        boxes[mailboxIndex] = Mailbox(key: boxes[mailboxIndex].key, incarnation: 0)
        free.append(mailboxIndex)
    }

    /// Makes a mailbox the one used last.
    mutating func touch(_ mailboxIndex: Int, now: Int64) {
        if newest == mailboxIndex {
            boxes[mailboxIndex].lastUsed = now
            return
        }
        unlink(mailboxIndex)
        link(mailboxIndex, now: now)
    }

    /// Drops history of the mailboxes used longest ago until the store is within its bytes.
    mutating func shed(now: Int64) {
        while historyBytes > limits.storeBytesMax, shedNext >= 0 {
            if !boxes[shedNext].history.isEmpty {
                historyBytes -= boxes[shedNext].dropOldest(now: now)
            } else if boxes[shedNext].newer >= 0 {
                shedNext = boxes[shedNext].newer
            } else {
                return
            }
        }
    }

    /// Forgets mailboxes that nobody has used for long; at most `limit` in one go, so that no tick takes long.
    mutating func forgetIdle(now: Int64, limit: Int = 256) {
        var looked = 0
        while looked < limit, oldest >= 0, boxes[oldest].lastUsed + limits.idleMilliseconds <= now {
            looked += 1
            if boxes[oldest].attachments.isEmpty { remove(oldest) } else { touch(oldest, now: now) }
        }
    }

    /// The one used longest ago that nobody is attached to. Attached ones that are met move to the other end, so the search
    /// is paid for once.
    private mutating func oldestUnattached() -> Int? {
        let searchMax = 1_024
        for _ in 0..<min(searchMax, mailboxIndices.count) {
            guard oldest >= 0 else { return nil }
            if boxes[oldest].attachments.isEmpty { return oldest }
            touch(oldest, now: boxes[oldest].lastUsed)
        }
        return nil
    }

    private mutating func link(_ mailboxIndex: Int, now: Int64) {
        boxes[mailboxIndex].lastUsed = now
        boxes[mailboxIndex].older = newest
        boxes[mailboxIndex].newer = -1
        if newest >= 0 { boxes[newest].newer = mailboxIndex } else { oldest = mailboxIndex }
        newest = mailboxIndex
        if shedNext < 0 { shedNext = mailboxIndex }
    }

    private mutating func unlink(_ mailboxIndex: Int) {
        let older = boxes[mailboxIndex].older
        let newer = boxes[mailboxIndex].newer
        if shedNext == mailboxIndex { shedNext = newer >= 0 ? newer : older }
        if older >= 0 { boxes[older].newer = newer } else { oldest = newer }
        if newer >= 0 { boxes[newer].older = older } else { newest = older }
    }
}
