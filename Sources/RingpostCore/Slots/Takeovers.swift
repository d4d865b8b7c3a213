// The slots that this node is to own and whose history it has not got yet: who was asked, who has answered what, where the best copy comes
// from, and which attachments wait.

/// A slot that this node is to own, before it has its history.
struct SlotTakeover {
    enum Phase {
        /// Nobody was asked: its turn has not come. Can transition to asking.
        case queued
        /// Not every member has answered. Can transition to every other one.
        case asking
        /// Nobody has a copy that is certainly the newest; the slot waits until nobody can be acting as owner any more, or come back with one.
        /// Can transition to asking (when somebody comes) and to the end.
        case vacant(since: Int64)
        /// The best copy is elsewhere. Can transition to asking (when it is gone) and to the end.
        case fetching(from: Int, isAsked: Bool)
        /// This node's own copy is being read from its store: it is the best, or another one is fetched next that may be the end of the same
        /// histories. Can transition to asking (when another one is fetched, when it can't be read, or when somebody comes) and to the end.
        case loading(isBest: Bool)
    }

    let term: UInt64
    fileprivate(set) var phase = Phase.queued
    /// Members that have not answered.
    fileprivate(set) var unanswered: [Int]
    /// Members that have.
    fileprivate(set) var answered: [Int] = []
    /// Complete copies of others.
    fileprivate(set) var found: [(peer: Int, copy: SlotCopy)] = []
    /// The newest of what those know that have no copy.
    fileprivate(set) var evidence: SlotEvidence?
    /// This node was in the set of the copy that is gone on from, whatever that says itself.
    fileprivate(set) var isFormer = false
    /// For how long somebody has known already that nobody has a copy.
    fileprivate(set) var vacantFor: Int64 = 0
    /// When the last of the members that came in place of another boot of their own did so.
    fileprivate(set) var lastSuccession = Int64.min
    /// The chunks that have come of the best copy.
    fileprivate var chunks: [SnapshotChunk] = []
    /// A publish or an attachment waits for the slot: it goes before the queue.
    fileprivate(set) var isPulled = false
    /// Attachments that wait for the slot.
    fileprivate(set) var attaches: [AttachRequest] = []

    fileprivate init(term: UInt64, unanswered: [Int]) {
        self.term = term
        self.unanswered = unanswered
    }

    var isQueued: Bool { if case .queued = phase { true } else { false } }

    /// The member from which the best copy is to come.
    var source: Int? { if case .fetching(let peer, _) = phase { peer } else { nil } }

    /// Of the complete copies of other members that of the highest term, of these the longest.
    var best: (peer: Int, copy: SlotCopy)? { found.max { one, other in one.copy.rank < other.copy.rank } }
}

/// All takeovers of a shard, by slot.
struct Takeovers {
    private var takeovers: [Int: SlotTakeover] = [:]

    var isEmpty: Bool { takeovers.isEmpty }
    var count: Int { takeovers.count }
    var slots: some Collection<Int> { takeovers.keys }
    subscript(slot: Int) -> SlotTakeover? { takeovers[slot] }
    func contains(_ slot: Int) -> Bool { takeovers[slot] != nil }
    func isQueued(_ slot: Int) -> Bool { takeovers[slot]?.isQueued == true }
    /// Members are asked, and it is not decided what to go on from.
    func isUndecided(_ slot: Int) -> Bool { takeovers[slot].map { !$0.isQueued && $0.source == nil } == true }
    /// How many have had their turn.
    var startedCount: Int { takeovers.values.count { !$0.isQueued } }

    /// So many more are about to begin: a table that grows under way would be copied as a whole.
    mutating func reserve(_ more: Int) { takeovers.reserveCapacity(takeovers.count + more) }

    mutating func begin(_ slot: Int, term: UInt64, unanswered: [Int]) {
        takeovers[slot] = SlotTakeover(term: term, unanswered: unanswered)
    }

    mutating func remove(_ slot: Int) -> SlotTakeover? { takeovers.removeValue(forKey: slot) }

    // MARK: Questions

    /// The slot has its turn: the members are asked.
    mutating func ask(_ slot: Int) { takeovers[slot]?.phase = .asking }

    /// Whether a peer has not answered for a slot.
    func isUnanswered(_ slot: Int, by peer: Int) -> Bool { takeovers[slot]?.unanswered.contains(peer) == true }

    /// Slots about which a peer was asked and has not answered, in order.
    func asked(_ peer: Int) -> [Int] { takeovers.keys.sorted().filter { !isQueued($0) && isUnanswered($0, by: peer) } }

    /// A peer says what it has of a slot.
    ///
    /// - Returns: false if it was not asked, or in another term.
    mutating func answer(_ slot: Int, term: UInt64, by peer: Int, _ content: SlotHolding.Content, now: Int64) -> Bool {
        guard let takeover = takeovers[slot], takeover.term == term, let found = takeover.unanswered.firstIndex(of: peer) else {
            return false
        }
        takeovers[slot]?.unanswered.remove(at: found)
        takeovers[slot]?.answered.append(peer)
        switch content {
        case .copy(let term, let position, let set, let isCurrent):
            takeovers[slot]?.found.append(
                (peer, SlotCopy(state: .complete, term: term, position: position, set: set, isCurrent: isCurrent)))
        case .none(let vacant, let quiet, let evidence):
            takeovers[slot]?.evidence = [takeover.evidence, evidence].compactMap { $0 }.max()
            takeovers[slot]?.vacantFor = max(takeover.vacantFor, vacant)
            if quiet < .max { takeovers[slot]?.lastSuccession = max(takeover.lastSuccession, now - quiet) }
        }
        return true
    }

    /// A member says by itself that it has a copy of an earlier session. Who is to be asked, or has answered, need not.
    ///
    /// - Returns: whether it is to be decided anew what to go on from.
    mutating func addRetained(_ slot: Int, _ content: SlotHolding.Content, by peer: Int) -> Bool {
        guard let takeover = takeovers[slot], !takeover.unanswered.contains(peer), !takeover.answered.contains(peer),
            case .copy(let term, let position, let set, _) = content
        else { return false }
        takeovers[slot]?.answered.append(peer)
        takeovers[slot]?.found.append((peer, SlotCopy(state: .complete, term: term, position: position, set: set)))
        // Nobody asks it once more when it becomes a member by this node's list too.
        if case .vacant = takeover.phase { return true }
        return false
    }

    /// Others have come: they are asked too, unless it is decided what to go on from.
    ///
    /// - Returns: who is to be asked now.
    mutating func addNewcomers(_ slot: Int, among others: [Int]) -> [Int] {
        guard let takeover = takeovers[slot], takeover.source == nil else { return [] }
        let newcomers = others.filter { !takeover.unanswered.contains($0) && !takeover.answered.contains($0) }
        if newcomers.isEmpty { return [] }
        takeovers[slot]?.unanswered += newcomers
        if takeover.isQueued { return [] }
        takeovers[slot]?.phase = .asking
        return newcomers
    }

    /// Members that have left need not answer, and their copies are gone with them.
    mutating func forgetLeavers(_ slot: Int, isMember: [Bool]) {
        takeovers[slot]?.unanswered.removeAll { !isMember[$0] }
        takeovers[slot]?.answered.removeAll { !isMember[$0] }
        takeovers[slot]?.found.removeAll { !isMember[$0.peer] }
        if let source = takeovers[slot]?.source, !isMember[source] { startOver(slot) }
    }

    mutating func setVacant(_ slot: Int, since: Int64) { takeovers[slot]?.phase = .vacant(since: since) }

    /// See ``SlotTakeover/isFormer``.
    mutating func setFormer(_ slot: Int, _ isFormer: Bool) { takeovers[slot]?.isFormer = isFormer }

    // MARK: The best copy

    /// The best copy is to come from a peer, which was not asked for it yet.
    mutating func setSource(_ slot: Int, _ peer: Int) { takeovers[slot]?.phase = .fetching(from: peer, isAsked: false) }

    /// This node's copy is to come from its store.
    mutating func setLoading(_ slot: Int, isBest: Bool) { takeovers[slot]?.phase = .loading(isBest: isBest) }

    /// The peer that has the best copy is asked for it.
    mutating func askForCopy(_ slot: Int, _ peer: Int) { takeovers[slot]?.phase = .fetching(from: peer, isAsked: true) }

    /// The slots whose best copy is to come from a peer, in order; it has to be asked for them again.
    mutating func restartFetches(from peer: Int) -> [Int] {
        let slots = takeovers.keys.sorted().filter { takeovers[$0]?.source == peer }
        for slot in slots { setSource(slot, peer) }
        return slots
    }

    /// The link to a peer is gone: the copies that were asked for on it are asked for again.
    mutating func linkIsDown(_ peer: Int) {
        for (slot, takeover) in takeovers {
            guard case .fetching(peer, true) = takeover.phase else { continue }
            setSource(slot, peer)
            takeovers[slot]?.chunks = []
        }
    }

    /// Whether a chunk of this slot is awaited from a peer.
    func isAwaited(_ slot: Int, term: UInt64, from peer: Int) -> Bool {
        guard let takeover = takeovers[slot], takeover.term == term, case .fetching(peer, true) = takeover.phase else { return false }
        return true
    }

    /// A chunk has come; one that does not follow its first chunk counts for nothing.
    ///
    /// - Returns: all chunks, with the last of them.
    mutating func receive(_ chunk: SnapshotChunk, of slot: Int) -> [SnapshotChunk]? {
        if chunk.isFirst { takeovers[slot]?.chunks = [] } else if takeovers[slot]?.chunks.isEmpty != false { return nil }
        takeovers[slot]?.chunks.append(chunk)
        return chunk.isLast ? takeovers[slot]?.chunks : nil
    }

    /// The copy that a peer had is gone: the next best is looked for.
    mutating func forgetCopy(of slot: Int, on peer: Int) {
        takeovers[slot]?.found.removeAll { $0.peer == peer }
        startOver(slot)
    }

    /// It is to be decided anew what to go on from.
    mutating func startOver(_ slot: Int) {
        takeovers[slot]?.phase = .asking
        takeovers[slot]?.chunks = []
    }

    // MARK: Requests that wait

    /// A publish or an attachment waits for the slot.
    mutating func pull(_ slot: Int) { takeovers[slot]?.isPulled = true }

    mutating func wait(_ request: AttachRequest) { takeovers[request.key.slot]?.attaches.append(request) }

    /// Attachments that meet the condition wait no longer.
    ///
    /// - Returns: how many there were.
    mutating func forgetAttaches(_ slot: Int, where condition: (AttachRequest) -> Bool) -> Int {
        guard let before = takeovers[slot]?.attaches.count, before > 0 else { return 0 }
        takeovers[slot]?.attaches.removeAll(where: condition)
        return before - (takeovers[slot]?.attaches.count ?? 0)
    }
}
