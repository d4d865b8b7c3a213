// How the store stays within its bounds: a list of mailboxes in the order of use, threaded through the slab.

extension MailboxStore {
    /// The mailbox's place, created if it isn't there; `nil` when the store is full and everything in it is in use.
    mutating func place(creating key: Key, fresh: UInt64, now: Int64) -> Int? {
        if let place = places[key] { return place }
        if places.count >= limits.mailboxesMax {
            guard let victim = oldestUnattached() else { return nil }
            evictedThrough = max(evictedThrough, boxes[victim].lastUsed)
            remove(victim)
            evictedCount += 1
        }
        var box = Mailbox(key: key, incarnation: fresh)
        // It may have been here before, and what it held then has been lost since.
        box.lostThrough = evictedThrough
        let place: Int
        if let freed = free.popLast() {
            place = freed
            boxes[place] = box
        } else {
            place = boxes.count
            boxes.append(box)
        }
        places[key] = place
        link(place, now: now)
        linkInSlot(place)
        return place
    }

    /// Forgets a mailbox with all it holds.
    mutating func remove(_ place: Int) {
        unlink(place)
        unlinkInSlot(place)
        historyBytes -= boxes[place].historyBytes
        attachmentCount -= boxes[place].attachments.count
        places[boxes[place].key] = nil
        boxes[place] = Mailbox(key: boxes[place].key, incarnation: 0)
        free.append(place)
    }

    /// Makes a mailbox the one used last.
    mutating func touch(_ place: Int, now: Int64) {
        if newest == place {
            boxes[place].lastUsed = now
            return
        }
        unlink(place)
        link(place, now: now)
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
        for _ in 0..<min(searchMax, places.count) {
            guard oldest >= 0 else { return nil }
            if boxes[oldest].attachments.isEmpty { return oldest }
            touch(oldest, now: boxes[oldest].lastUsed)
        }
        return nil
    }

    private mutating func link(_ place: Int, now: Int64) {
        boxes[place].lastUsed = now
        boxes[place].older = newest
        boxes[place].newer = -1
        if newest >= 0 { boxes[newest].newer = place } else { oldest = place }
        newest = place
        if shedNext < 0 { shedNext = place }
    }

    private mutating func unlink(_ place: Int) {
        let older = boxes[place].older
        let newer = boxes[place].newer
        if shedNext == place { shedNext = newer >= 0 ? newer : older }
        if older >= 0 { boxes[older].newer = newer } else { oldest = newer }
        if newer >= 0 { boxes[newer].older = older } else { newest = older }
    }
}
