// The logs of one shard's slots, and the mailboxes that follow from them. Nothing else writes either: an owner appends and commits
// here, a holder applies its owner's steps and snapshots here. Who owns a slot, and who is sent what, is decided by the shard's machine.
import HashRing

/// The only writer of one shard's slots.
struct SlotLog {
    /// A socket that has lost its owner, or the link to it, stays for so long without one: see `SubscriptionMachine`.
    static let settleMilliseconds: Int64 = 10_000

    let layout: ShardSlots
    private let limits: SlotLogLimits
    /// To look into, as the mailboxes are; only the functions of this type change them.
    var slots: [Slot]
    var mailboxes: MailboxStore
    /// Steps of owned slots that are not committed, and the bytes of their messages.
    private(set) var uncommittedCount = 0
    private(set) var uncommittedBytes = 0
    /// Slots with a copy of an earlier session that no owner has taken or released since.
    var retained: SlotSet
    /// Slots whose copy lies in the node's store, and not in memory yet.
    var unloaded: SlotSet
    /// So much waits for the store that nothing more is taken.
    var storeIsBehind = false
    /// What was refused because of namespaces.
    private(set) var refusals = (channels: UInt64(0), rate: UInt64(0))
    /// When attachments were lost with a link: the last time (`at`), and the first that still matters (`wall`). Their sockets may be there.
    var lostLink = (at: Int64.min, wall: Int64.min)

    init(layout: ShardSlots, limits: SlotLogLimits, mailboxLimits: MailboxLimits) {
        self.layout = layout
        self.limits = limits
        slots = Array(repeating: Slot(), count: layout.count)
        retained = SlotSet(slotCount: layout.count)
        unloaded = SlotSet(slotCount: layout.count)
        mailboxes = MailboxStore(shardCount: layout.shardCount, limits: mailboxLimits)
    }

    // MARK: Looking

    /// Whether a request waits for a step of an owned slot.
    mutating func isWaitedFor(at slotIndex: Int) -> Bool { slots[slotIndex].owner?.isWaitedFor == true }
    /// Whether the owner commits each step with its append: nobody else has a copy, or is to get one, and nothing waits.
    mutating func commitsAtOnce(at slotIndex: Int) -> Bool { slots[slotIndex].owner?.commitsAtOnce == true }
    /// Whether one more step may wait to be confirmed.
    var hasRoom: Bool { !storeIsBehind && uncommittedCount < limits.uncommittedMax && uncommittedBytes < limits.uncommittedBytesMax }

    // MARK: The owner appends

    /// Finds or creates the mailbox of a message's key.
    ///
    /// - Parameter boot: this node's.
    mutating func place(of publish: Publish, boot: UInt64, now: Int64) -> MailboxStore.Place {
        beginOrigin(of: publish.key, boot: boot)
        return mailboxes.place(of: publish, now: now)
    }

    /// Finds or creates the mailbox of a user who attaches, or of whatever an attachment stays at; `nil` when there are too many.
    ///
    /// - Parameter boot: this node's.
    mutating func mailboxIndex(listening key: Key, boot: UInt64, now: Int64) -> Int? {
        beginOrigin(of: key, boot: boot)
        return mailboxes.mailboxIndex(listening: key, now: now)
    }

    /// Before the first step of a log, because that step may need an incarnation.
    private mutating func beginOrigin(of key: Key, boot: UInt64) {
        let slotIndex = layout.slotIndex(key.slot)
        if slots[slotIndex].copy.position == 0 {
            mailboxes.beginOrigin(slot: key.slot, term: slots[slotIndex].copy.term, boot: boot)
        }
    }

    /// Counts one more message against a mailbox's rate; false when it has come too fast.
    mutating func admitMessage(at mailboxIndex: Int, now: Int64) -> Bool { mailboxes.admitMessage(at: mailboxIndex, now: now) }

    /// A publish or an attachment was refused; counts it where a namespace's rule was what stood in the way.
    mutating func noteRefusal(of key: Key) { if mailboxes.isFull(for: key) { refusals.channels += 1 } }
    /// A message came too fast.
    mutating func noteTooFast(at mailboxIndex: Int) { if mailboxes.isInNamespace(at: mailboxIndex) { refusals.rate += 1 } }

    /// Gives a publish its sequence number, keeps it, and remembers its receipt for repeats. The step still has to be appended, and where the
    /// name has changed hands another one that says so.
    ///
    /// - Parameter remembers: it may be repeated, and there is room to remember its receipt.
    mutating func write(
        _ publish: Publish, remembers: Bool, at mailboxIndex: Int, epoch: UInt64, owner: String, copies: UInt8, now: Moment
    ) -> (message: StoredMessage, receipt: Receipt, remembered: Remembered?, isClaimed: Bool) {
        let isAttached = mailboxes.isAttached(at: mailboxIndex)
        let message = mailboxes.append(publish, at: mailboxIndex, now: now)
        let receipt = Receipt(
            sequence: message.sequence, epoch: epoch, owner: owner,
            outcome: isAttached
                ? .delivered
                : !isSettled(mailboxIndex, publish.key, now: now.monotonic)
                    ? .unknown : message.expiresAt > now.monotonic && mailboxes.keepsHistory(at: mailboxIndex) ? .stored : .dropped,
            copies: copies, id: publish.id)
        let isClaimed = mailboxes.claim(mailboxIndex, by: publish.principal)
        guard remembers else { return (message, receipt, nil, isClaimed) }
        let remembered = mailboxes.remember(receipt, of: publish, now: now.monotonic)
        return (message, receipt, remembered, isClaimed)
    }

    /// Whether nobody can be there who is not attached: an owner that has just begun hears of sockets one by one, and so does one that has lost
    /// a link on which some were attached.
    private func isSettled(_ mailboxIndex: Int, _ key: Key, now: Int64) -> Bool {
        let settledAt = slots.withUnsafeBufferPointer { $0[layout.slotIndex(key.slot)].owner?.settledAt ?? .min }
        if now < settledAt { return false }
        guard lostLink.at > .min, now < lostLink.at + Self.settleMilliseconds else { return true }
        // Of channels it is not known when they were left.
        return key.kind == .user && mailboxes.lastSeen(at: mailboxIndex) < lostLink.wall
    }

    /// The number of the next step of a log, which exists from here on.
    ///
    /// - Parameters:
    ///   - entry: the step, for the store.
    ///   - boot: this node's.
    mutating func nextPosition(of entry: @autoclosure () -> SlotEntry, at slotIndex: Int, boot: UInt64) -> UInt64 {
        slots[slotIndex].copy.position += 1
        beginOrigin(at: slotIndex, boot: boot)
        if mailboxes.journal != nil { record(.step(entry()), at: slotIndex) }
        return slots[slotIndex].copy.position
    }

    private mutating func beginOrigin(at slotIndex: Int, boot: UInt64) {
        if slots[slotIndex].copy.position == 1 {
            mailboxes.beginOrigin(slot: layout.slot(at: slotIndex), term: slots[slotIndex].copy.term, boot: boot)
        }
    }

    /// Appends a step that other members have to confirm.
    ///
    /// - Returns: the term and the holders that have to be sent the step; `nil` where this node is not the owner.
    mutating func append(
        _ entry: SlotEntry, position: UInt64, waiter: SlotWaiter?, at slotIndex: Int
    ) -> (term: UInt64, holders: [Holder])? {
        uncommittedCount += 1
        uncommittedBytes += entry.payloadBytes
        return slots[slotIndex].owner?.append(entry, at: position, waiter)
    }

    /// A request waits for all that is in the log now.
    mutating func wait(_ waiter: SlotWaiter, at slotIndex: Int) {
        let position = slots[slotIndex].copy.position
        slots[slotIndex].owner?.wait(waiter, at: position)
    }

    /// The receipt of a publish that was appended before.
    mutating func receipt(of publish: Publish, now: Int64) -> Receipt? {
        mailboxes.receipt(of: publish, now: now)
    }

    mutating func correct(_ remembered: Remembered, to key: KeyHash) { mailboxes.correct(remembered, to: key) }

    /// Drops history of the largest mailboxes; returns how many bytes went.
    mutating func trimHistories(_ bytes: Int, now: Int64) -> Int { mailboxes.trim(bytes, now: now) }

    // MARK: The owner commits

    /// A holder says up to where it has the log; see ``Ownership/acknowledge(_:term:by:end:)``.
    mutating func acknowledge(_ position: UInt64, term: UInt64, by peer: Int, at slotIndex: Int) -> Bool? {
        let end = slots[slotIndex].copy.position
        return slots[slotIndex].owner?.acknowledge(position, term: term, by: peer, end: end)
    }

    /// That may have been the confirmation with which the owner's term counts.
    ///
    /// - Returns: whether it was.
    mutating func count(confirmedBy peer: Int, at slotIndex: Int) -> Bool {
        guard slots[slotIndex].owner?.count(confirmedBy: peer) == true else { return false }
        slots[slotIndex].copy.isCurrent = true
        recordHead(at: slotIndex)
        return true
    }

    /// Up to where a log may be committed, and on how many members it is; `nil` while too few have confirmed it.
    mutating func confirmed(at slotIndex: Int, copiesMin: Int) -> (upTo: UInt64, copies: Int)? {
        let end = slots[slotIndex].copy.position
        return slots[slotIndex].owner?.confirmed(end: end, copiesMin: copiesMin)
    }

    mutating func beginServing(at slotIndex: Int) { slots[slotIndex].owner?.beginServing() }

    /// The step at `position` is committed with its append.
    mutating func commitAtOnce(_ position: UInt64, at slotIndex: Int) { slots[slotIndex].owner?.commitAtOnce(position) }

    /// Commits the next confirmed step of a log; `nil` when there is none.
    mutating func commitNext(upTo: UInt64, at slotIndex: Int) -> (entry: SlotEntry, position: UInt64)? {
        guard let next = slots[slotIndex].owner?.commit(upTo: upTo) else { return nil }
        uncommittedCount -= 1
        uncommittedBytes -= next.entry.payloadBytes
        return next
    }

    mutating func popWaiter(upTo: UInt64, at slotIndex: Int) -> SlotWaiter? { slots[slotIndex].owner?.popWaiter(upTo: upTo) }

    /// A committed message may be shown from now on.
    ///
    /// - Returns: the attachments that get it.
    mutating func show(_ message: StoredMessage, at mailboxIndex: Int) -> [ReturnAddress] {
        mailboxes.commit(message.sequence, at: mailboxIndex)
        return mailboxes.attachments(at: mailboxIndex)
    }

    // MARK: Holders of an owned slot

    /// Removes holders that have left, and adds the present mirrors.
    mutating func updateHolders(mirrors: SlotMirrors, lineages: [UInt64], isMember: [Bool], at slotIndex: Int) {
        slots[slotIndex].owner?.holders.update(mirrors: mirrors, lineages: lineages, isMember: isMember)
    }

    /// See ``HolderSet/addRetained(_:lineage:)``.
    mutating func addRetained(_ peer: Int, lineage: UInt64, at slotIndex: Int) -> Bool {
        slots[slotIndex].owner?.holders.addRetained(peer, lineage: lineage) == true
    }

    /// The acknowledging set may have changed. An owner whose term does not count writes no other.
    ///
    /// - Parameter lineage: this node's.
    /// - Returns: the set, if somebody is not in it any more: who has a copy should not hope for that one.
    mutating func updateSet(lineage: UInt64, at slotIndex: Int) -> LineageSet? {
        guard let owner = slots[slotIndex].owner, !owner.isNewcomer else { return nil }
        let before = slots[slotIndex].copy.set
        if owner.holders.isSet(before.lineages, owner: lineage) { return nil }
        let set = LineageSet(number: before.number + 1, lineages: owner.holders.lineages(owner: lineage))
        slots[slotIndex].copy.set = set
        recordHead(at: slotIndex)
        return before.lineages.allSatisfy(set.lineages.contains) ? nil : set
    }

    mutating func markSent(holder number: Int, at slotIndex: Int) { slots[slotIndex].owner?.holders.markSent(number) }
    mutating func markUnsent(holder number: Int, at slotIndex: Int) { slots[slotIndex].owner?.holders.markUnsent(number) }
    mutating func markMismatched(holder number: Int, at slotIndex: Int) -> Bool {
        slots[slotIndex].owner?.holders.markMismatched(number) == true
    }

    /// See ``HolderSet/release(allBut:isEarly:)``.
    mutating func releaseHolders(allBut mirrors: SlotMirrors, isEarly: Bool, at slotIndex: Int) -> [Int] {
        guard slots[slotIndex].owner?.isHeld(atMostBy: mirrors) == false else { return [] }
        return slots[slotIndex].owner?.holders.release(allBut: mirrors, isEarly: isEarly) ?? []
    }

    mutating func removeReleased(holder number: Int, at slotIndex: Int) -> Bool {
        slots[slotIndex].owner?.holders.removeReleased(number) == true
    }

    // MARK: Terms

    /// This node begins a term, or has heard of a later one: lower terms are refused from now on.
    mutating func setFence(_ term: UInt64, at slotIndex: Int) { slots[slotIndex].fence = term }

    /// Nobody has a copy, and that is known since then.
    mutating func setVacant(since: Int64, at slotIndex: Int) { slots[slotIndex].vacantSince = since }

    /// An owner that may speak of the slot has done so on this connection. It has a copy to go on from, so the slot is not vacant.
    mutating func hearOwner(connectionID: UInt32, at slotIndex: Int) {
        slots[slotIndex].connectionID = connectionID
        slots[slotIndex].vacantSince = nil
    }

    /// This node becomes the owner, and goes on from the copy that it has now. Nothing of that is shown before it is confirmed.
    ///
    /// - Parameters:
    ///   - lineage: this node's.
    ///   - found: the complete copies of other members, with their lineages. Those of the last set are in this one too; others are only
    ///     released when the slot serves.
    ///   - isFormer: this node was in the last set.
    mutating func beginTerm(
        _ term: UInt64, lineage: UInt64, found: [(peer: Int, copy: SlotCopy, lineage: UInt64)], isFormer: Bool, at slotIndex: Int,
        now: Int64
    ) {
        let best = slots[slotIndex].copy
        mailboxes.commitAll(slot: layout.slot(at: slotIndex))
        let holders = HolderSet(
            found.map { peer, copy, lineage in
                guard copy.isCurrent || best.set.lineages.contains(lineage) else { return Holder(retainedBy: peer, lineage: lineage) }
                let isSame = copy.term == best.term && copy.position == best.position
                return Holder(peer: peer, lineage: lineage, isInSet: true, isSame: isSame)
            })
        let isFirst = best.set.lineages.isEmpty
        let isNewcomer = !isFormer && !isFirst && !best.set.lineages.contains(lineage)
        let set = LineageSet(number: 1, lineages: holders.lineages(owner: lineage))
        slots[slotIndex].copy = SlotCopy(
            state: .complete, term: term, position: best.position, set: set, isCurrent: !isNewcomer)
        slots[slotIndex].vacantSince = nil
        slots[slotIndex].owner = Ownership(
            term: term, from: best, isNewcomer: isNewcomer, holders: holders,
            // Where nothing was ever written, nobody was ever attached.
            settledAt: best.position == 0 ? .min : now + Self.settleMilliseconds)
        retained.remove(slotIndex)
        recordHead(at: slotIndex)
    }

    /// This node is not the owner any more; its copy stays.
    ///
    /// - Returns: what was left undone, and who was attached; `nil` if this node was not the owner.
    mutating func endTerm(at slotIndex: Int, now: Int64) -> (owner: Ownership, detached: [(address: ReturnAddress, key: Key)])? {
        let lasting = slots[slotIndex].lasting
        guard let owner = slots[slotIndex].owner.take() else { return nil }
        uncommittedCount -= owner.entries.count
        uncommittedBytes -= owner.entries.reduce(0) { $0 + $1.payloadBytes }
        let detached = mailboxes.detachAll(slot: layout.slot(at: slotIndex), now: now)
        if owner.isNewcomer { replaceCopy(byEmpty: lasting, at: slotIndex) }
        return (owner, detached)
    }

    // MARK: Copies

    /// Applies the next step of another owner's log to the copy.
    ///
    /// - Parameters:
    ///   - entry: with times of this node's clock.
    ///   - boot: the owner's.
    mutating func apply(_ entry: SlotEntry, position: UInt64, at slotIndex: Int, boot: UInt64, now: Int64) {
        slots[slotIndex].copy.position = position
        beginOrigin(at: slotIndex, boot: boot)
        // What is not kept here must not be found there.
        let isKept = mailboxes.apply(entry, now: now)
        guard mailboxes.journal != nil else { return }
        if isKept { record(.step(entry), at: slotIndex) } else { recordHead(at: slotIndex) }
    }

    /// The owner goes on from this very copy.
    mutating func adopt(term: UInt64, set: LineageSet, at slotIndex: Int) {
        slots[slotIndex].copy.term = term
        slots[slotIndex].copy.set = set
        slots[slotIndex].copy.isCurrent = true
        retained.remove(slotIndex)
        recordHead(at: slotIndex)
    }

    /// The owner waits for these from now on.
    mutating func setKeepers(_ set: LineageSet, at slotIndex: Int) {
        guard set.number > slots[slotIndex].copy.set.number else { return }
        slots[slotIndex].copy.set = set
        recordHead(at: slotIndex)
    }

    /// Replaces the copy by one that has come complete.
    ///
    /// - Parameter isCurrent: its owner has sent it.
    mutating func replaceCopy(by chunks: [SnapshotChunk], term: UInt64, isCurrent: Bool, at slotIndex: Int, now: Int64) {
        guard let last = chunks.last else { return }
        let kept = recordCopy(chunks, at: slotIndex)
        mailboxes.replace(slot: layout.slot(at: slotIndex), with: chunks, keeping: kept, now: now)
        slots[slotIndex].copy = SlotCopy(state: .complete, term: term, position: last.position, set: last.set, isCurrent: isCurrent)
        retained.remove(slotIndex)
        unloaded.remove(slotIndex)
    }

    /// Replaces the copy by one without content.
    mutating func replaceCopy(byEmpty copy: SlotCopy, at slotIndex: Int) {
        if mailboxes.journal != nil { recordWhole(.drop, at: slotIndex) }
        mailboxes.drop(slot: layout.slot(at: slotIndex))
        slots[slotIndex].copy = copy
        retained.remove(slotIndex)
        unloaded.remove(slotIndex)
    }

    /// This node has another boot: the copy is kept, but it acknowledges nothing until an owner has taken it.
    mutating func retain(at slotIndex: Int) {
        slots[slotIndex].copy.isCurrent = false
        if slots[slotIndex].copy.state == .complete { retained.insert(slotIndex) }
    }

    /// Forgets a slot altogether: this node begins a new life.
    mutating func forget(at slotIndex: Int) {
        replaceCopy(byEmpty: SlotCopy(), at: slotIndex)
        slots[slotIndex] = Slot()
    }

    /// The copy in chunks of about `bytesMax` bytes, written last under `base`.
    func snapshot(base: UInt64, at slotIndex: Int, now: Int64, bytesMax: Int) -> [SnapshotChunk] {
        mailboxes.chunks(
            ofSlot: layout.slot(at: slotIndex), base: base, position: slots[slotIndex].copy.position, set: slots[slotIndex].copy.set,
            now: now,
            bytesMax: bytesMax)
    }
}
