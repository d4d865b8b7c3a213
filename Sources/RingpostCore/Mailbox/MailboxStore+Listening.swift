// Who listens to which name: attachments, what they are shown, and the names that are here only because of them.

extension MailboxStore {
    /// Finds a mailbox for who listens, or creates one that holds nothing; `nil` when there are too many of these, or its namespace is full.
    /// No history goes for it.
    ///
    /// - Parameter fresh: see ``mailboxIndex(writing:fresh:by:now:)``.
    mutating func mailboxIndex(listening key: Key, fresh: UInt64? = nil, now: Int64) -> Int? {
        if let mailboxIndex = mailboxes.index(of: key) { return mailboxIndex }
        if fresh == nil, !makeRoom(for: key, now: now) { return nil }
        if mailboxes.departedCount >= limits.departedMax || mailboxes.unwrittenCount >= limits.unwrittenMax {
            if let departed = mailboxes.oldestDeparted { remove(departed) }
            if mailboxes.unwrittenCount >= limits.unwrittenMax { return nil }
        }
        let mailboxIndex = create(key, fresh, now: now)
        if key.kind == .user { mailboxes.leave(mailboxIndex, now: now) }
        return mailboxIndex
    }

    /// A socket of the user is there now.
    mutating func setLastSeen(_ wall: Int64, at mailboxIndex: Int) { mailboxes.all[mailboxIndex].lastSeen = wall }

    /// The committed messages after a request's start, where memory has them; see ``load(for:at:now:)``.
    func read(_ request: AttachRequest, at mailboxIndex: Int, now: Int64) -> AttachReply {
        mailboxes.all[mailboxIndex].read(request, olderEnd: older[mailboxIndex]?.end, now: now, bytesMax: limits.replayBytesMax)
    }

    /// What a request gets for a name that nobody has written to, before anything is kept for it.
    func readUnwritten(_ request: AttachRequest, now: Int64) -> AttachReply {
        var mailbox = Mailbox(key: request.key, incarnation: incarnation(ofNew: request.key))
        mailbox.lostThrough = evictedThrough
        return mailbox.read(request, now: now, bytesMax: limits.replayBytesMax)
    }

    /// Attaches an address to a mailbox; asking twice is harmless. False when there are too many already.
    mutating func attach(_ address: ReturnAddress, at mailboxIndex: Int) -> Bool {
        if mailboxes.all[mailboxIndex].attachments.contains(address) { return true }
        if mailboxes.all[mailboxIndex].attachments.count >= limits.attachmentsMax { return false }
        mailboxes.all[mailboxIndex].attachments.append(address)
        mailboxes.unlinkDeparted(mailboxIndex)
        attachmentCount += 1
        return true
    }

    /// Ends an attachment; one that isn't there is no fault (it may have been ended from the other side).
    ///
    /// - Returns: whether it was the last one of a user.
    mutating func detach(_ address: ReturnAddress, from key: Key, now: Moment) -> Bool {
        guard let mailboxIndex = mailboxes.index(of: key), let found = mailboxes.all[mailboxIndex].attachments.firstIndex(of: address)
        else {
            return false
        }
        mailboxes.all[mailboxIndex].attachments.swapAt(found, mailboxes.all[mailboxIndex].attachments.count - 1)
        mailboxes.all[mailboxIndex].attachments.removeLast()
        attachmentCount -= 1
        return noteDeparture(at: mailboxIndex, now: now)
    }

    /// Ends every attachment of a link that has closed; returns the users who have no other.
    mutating func detachAll(connectionID: UInt32, now: Moment) -> [Key] {
        var departed: [Key] = []
        for mailboxIndex in mailboxes.allIndices
        where mailboxes.all[mailboxIndex].attachments.contains(where: { $0.connectionID == connectionID }) {
            let before = mailboxes.all[mailboxIndex].attachments.count
            mailboxes.all[mailboxIndex].attachments.removeAll { $0.connectionID == connectionID }
            attachmentCount -= before - mailboxes.all[mailboxIndex].attachments.count
            let key = mailboxes.all[mailboxIndex].key
            if noteDeparture(at: mailboxIndex, now: now) { departed.append(key) }
        }
        return departed
    }

    /// Ends all attachments to a slot's mailboxes and returns them, with what they were attached to.
    mutating func detachAll(slot: Int, now: Int64) -> [(address: ReturnAddress, key: Key)] {
        var detached: [(address: ReturnAddress, key: Key)] = []
        // Collected, because some of them go, and others for them.
        for mailboxIndex in mailboxes.indices(inSlot: slot) where !mailboxes.all[mailboxIndex].attachments.isEmpty {
            detached += mailboxes.all[mailboxIndex].attachments.map { ($0, mailboxes.all[mailboxIndex].key) }
            attachmentCount -= mailboxes.all[mailboxIndex].attachments.count
            mailboxes.all[mailboxIndex].attachments = []
            endListening(at: mailboxIndex, now: now)
        }
        return detached
    }

    /// - Returns: whether it was the last attachment of a user.
    private mutating func noteDeparture(at mailboxIndex: Int, now: Moment) -> Bool {
        guard mailboxes.all[mailboxIndex].attachments.isEmpty else { return false }
        let isUser = mailboxes.all[mailboxIndex].key.kind == .user
        if isUser { mailboxes.all[mailboxIndex].lastSeen = now.wall }
        endListening(at: mailboxIndex, now: now.monotonic)
        return isUser
    }

    /// A name that nobody has written to keeps nothing, but for when a user was there, as long as there is room for that.
    private mutating func endListening(at mailboxIndex: Int, now: Int64) {
        if mailboxes.all[mailboxIndex].isWritten { return }
        if mailboxes.all[mailboxIndex].key.kind == .channel { return remove(mailboxIndex) }
        if mailboxes.departedCount >= limits.departedMax, let oldest = mailboxes.oldestDeparted { remove(oldest) }
        mailboxes.leave(mailboxIndex, now: now)
    }
}
