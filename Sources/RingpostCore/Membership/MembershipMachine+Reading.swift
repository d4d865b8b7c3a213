// What the membership machine makes of what it reads: whether the cluster is still the same one, and which member lists may
// become epochs. A list that is not accepted changes nothing; the last view goes on.

extension MembershipMachine {
    /// Reads everything from the beginning: `sync`, the ring document, the list.
    mutating func startPass() -> [MembershipAction] {
        guard let session else { return [] }
        return ask(session.isPrepared ? .sync : .createPaths)
    }

    /// Reads the list of members, now or as soon as the request under way has ended.
    mutating func readList() -> [MembershipAction] {
        // Before there is a ring, the next pass looks for one.
        guard document != nil else { return [] }
        guard case .resting = session?.step else {
            session?.isStale = true
            return []
        }
        return ask(list)
    }

    mutating func ask(_ request: MembershipRequest) -> [MembershipAction] {
        lastTicket += 1
        enter(.asking(ticket: lastTicket, request))
        if case .list = request { session?.isStale = false }
        return [.request(ticket: lastTicket, request)]
    }

    var list: MembershipRequest {
        guard session?.hasListed == true, doubts.isEmpty, let view, view.epoch >= epochBase,
            // Another number of copies takes another view.
            view.document.copies == document?.copies
        else { return .list(unlessEpoch: nil) }
        return .list(unlessEpoch: view.epoch - epochBase)
    }

    mutating func onAnswer(_ ticket: UInt64, _ answer: MembershipAnswer, now: Int64) -> [MembershipAction] {
        if case .leaving(ticket, _) = session?.step { return end() }
        guard case .asking(ticket, let request) = session?.step else { return [] }
        switch (request, answer) {
        case (.createPaths, .done):
            session?.isPrepared = true
            return ask(.sync)
        case (.sync, .done): return ask(.readRing)
        case (.found, .done), (.putBack, .exists): return ask(.sync)
        case (.found, .exists):
            // Somebody was first, or is about to put back what was.
            foundsAt = nil
            return ask(.sync)
        case (.putBack(let remains), .done): return onPutBack(remains)
        case (.readRing, .ring(let json)): return onRing(json, now: now)
        case (.readRing, .missing) where session?.standing == .outside: return onNoRing(now: now)
        case (.readRing, .missing), (.list, .missing), (.makeRosterEntry, .missing):
            // The next session creates them again, and the document as it was: this process knows it.
            return lose("\(paths.ring), \(paths.members) or \(paths.roster) is gone", now: now)
        case (.list, .list(let list)): return consider(list, now: now)
        case (.list, .unchanged): return pursueGoal(now: now)
        case (.makeRosterEntry, .done): return onRosterEntry(nil, now: now)
        case (.makeRosterEntry, .rosterEntry(let json, let version)): return onRosterEntry(json, version: version, now: now)
        case (.register, .done):
            session?.standing = .created
            return ask(list)
        case (.register, .exists), (.register, .changed), (.changeWeight, .done), (.changeWeight, .missing), (.changeWeight, .exists):
            return ask(list)
        case (_, .forbidden(let sentence)): return shutOut(sentence, now: now)
        case (_, .failed(let reason)): return retry(reason, now: now)
        default: return retry("\(request) was answered by \(answer)", now: now)
        }
    }

    mutating func retry(_ reason: String, now: Int64) -> [MembershipAction] {
        guard let attempts = session?.attempts else { return [] }
        session?.attempts = attempts + 1
        enter(.retrying(at: now + min(Int64(10) << Int64(min(attempts, 16)), Self.retryDelayMillisecondsMax)))
        guard attempts + 1 == Self.attemptsBeforeAlarm else { return [] }
        return [.alarm("the membership can't be read or written, staying at epoch \(view?.epoch ?? 0) and trying again: \(reason)")]
    }

    /// The document is read in every pass: a cluster that was wiped and founded anew under a running node must not go unnoticed.
    private mutating func onRing(_ json: [UInt8], now: Int64) -> [MembershipAction] {
        let read: ClusterDocument
        do throws(DocumentError) { read = try ClusterDocument(json: json, znode: paths.ring) } catch {
            return document == nil ? fail(error.message) : lose(error.message, now: now)
        }
        guard let document else {
            self.document = read
            foundsAt = nil
            return differs(from: read) + (checkTimeout(now: now) ?? ask(list))
        }
        if read.generation != document.generation || read.seed != document.seed {
            // In this process all keys are placed by the old seed, so it can't follow; a new process can.
            hasMetOtherRing = true
            return lose(
                "\(paths.ring) is of generation \(read.generation.hexadecimal), this node belongs to generation "
                    + "\(document.generation.hexadecimal); stop it before it can join the other one", now: now)
        }
        var news = onBase(of: read) + onCopies(of: read)
        if read.with(epochBase: 0).with(copies: 0) != document.with(epochBase: 0).with(copies: 0) {
            news += complain("the times in \(paths.ring) were changed; they hold for nodes that start from now on (\(read))")
        }
        return news + ask(list)
    }

    /// An operator has written another number of copies: the view that follows has it.
    private mutating func onCopies(of read: ClusterDocument) -> [MembershipAction] {
        guard let document, read.copies != document.copies else { return [] }
        self.document = document.with(copies: read.copies)
        return [.say("the cluster keeps \(read.copies) copies of each slot from now on, not \(document.copies), as \(paths.ring) says")]
    }

    /// What this node was told to found a cluster with, where that is something else.
    private func differs(from read: ClusterDocument) -> [MembershipAction] {
        guard let copiesWanted, copiesWanted != read.copies else { return [] }
        return [
            .say(
                "the cluster keeps \(read.copies) copies of each slot, as \(paths.ring) says; the \(copiesWanted) that this node was told are for a "
                    + "cluster that it founds")
        ]
    }

    /// S is the same on every node, or leases would mean nothing. The first session doesn't know it yet.
    mutating func checkTimeout(now: Int64) -> [MembershipAction]? {
        guard let session, let document else { return nil }
        let wanted = document.sessionTimeoutMilliseconds
        let granted = session.negotiatedTimeoutMilliseconds
        if granted == wanted { return nil }
        if session.timeoutMilliseconds != wanted {
            return [.unregistered, .say("the cluster's session time-out is \(wanted) ms; opening a session with it"), .closeSession]
                + openSession()
        }
        let sentence =
            "ZooKeeper grants a session time-out of \(granted) ms, but \(paths.ring) asks for \(wanted) ms; set minSessionTimeout and "
            + "maxSessionTimeout on its servers so that it is allowed (without them 2 to 20 times tickTime are)"
        return wasEverMember ? lose(sentence, now: now) : fail(sentence)
    }

    private mutating func consider(_ list: MemberList, now: Int64) -> [MembershipAction] {
        guard list.entries.count <= MembershipView.membersMax else {
            return refuse("\(paths.members) has \(list.entries.count) children, at most \(MembershipView.membersMax) are allowed", now: now)
        }
        var members: [Member] = []
        var garbage: [String: String] = [:]
        for entry in list.entries {
            guard case .data(let json, let createdBy) = entry.content else {
                return retry("\(paths.member(entry.name)) went while the list was read", now: now)
            }
            if createdBy > list.epoch { return retry("\(paths.member(entry.name)) came while the list was read", now: now) }
            // The same on every node, so all of them leave it out: data never changes in place.
            do throws(DocumentError) { members.append(try Member(json: json, znode: paths.member(entry.name))) } catch {
                garbage[entry.name] = error.message
            }
        }
        let epoch = epochBase + list.epoch
        if let view, epoch < view.epoch { return onOlderList(epoch, now: now) }
        let own = members.first { $0.identity == me.identity }
        if own == nil, let standing = session?.standing, standing != .outside {
            return lose("\(paths.member(me.id)) is gone or another's, though the session that made it lives", now: now)
        }
        return note(garbage) + accept(members, epoch: epoch, own: own, now: now)
    }

    /// One alarm for each child that is no member; so many are named at once.
    private mutating func note(_ found: [String: String]) -> [MembershipAction] {
        let news = found.keys.filter { garbage[$0] == nil }.sorted()
        garbage = found
        if news.isEmpty { return [] }
        let named = news.prefix(Self.garbageNamedMax).compactMap { found[$0] }.joined(separator: "; ")
        let more = news.count > Self.garbageNamedMax ? "; and \(news.count - Self.garbageNamedMax) more" : ""
        return [.alarm("\(named)\(more): left out of the ring; delete what is no member")]
    }

    /// A list that stays wrong until somebody mends it: the same on every node, so all of them keep the last epoch.
    private mutating func refuse(_ sentence: String, now: Int64) -> [MembershipAction] {
        let actions = complain("\(sentence); staying at epoch \(view?.epoch ?? 0)")
        if session?.isStale == true { return actions + ask(list) }
        rest(now: now)
        return actions
    }

    /// An alarm, unless it was the last one already.
    private mutating func complain(_ sentence: String) -> [MembershipAction] {
        if lastFault == sentence { return [] }
        lastFault = sentence
        return [.alarm(sentence)]
    }

    /// Nothing to do. The next look comes without being told: a watch can get lost.
    mutating func rest(now: Int64) {
        let until = now + Int64((document ?? proposal).sessionTimeoutMilliseconds)
        enter(.resting(until: pause.map { now < $0.until ? min(until, $0.until) : until } ?? until))
    }

    private mutating func accept(_ members: [Member], epoch: UInt64, own: Member?, now: Int64) -> [MembershipAction] {
        guard let document, var session else { return [] }
        var actions: [MembershipAction] = []
        if let own, session.standing != .member {
            session.standing = .member
            wasEverMember = true
            pauses = 0
            holderWaitedFor = nil
            let hadPredecessor = predecessorUntil.map { now < $0 } ?? false
            actions = [
                .registered(own, hadPredecessor: hadPredecessor), .say("joined \(paths.cluster) as \(own.identity) at epoch \(epoch)"),
            ]
        }
        session.hasListed = true
        session.attempts = 0
        self.session = session
        lastFault = nil
        hasMetOtherRing = false
        // With a doubt about the ring, it is computed again.
        let previous = doubts.isEmpty ? view : nil
        let next = MembershipView(
            epoch: epoch, members: members, document: document, own: me.identity, previous: previous, buildRing: buildRing)
        actions += resolveDoubts(with: next)
        if next != view {
            view = next
            actions.append(.view(next))
        }
        return actions + pursueGoal(now: now)
    }
}

// MARK: - What peers say

extension MembershipMachine {
    /// A peer is ahead. With a connection its list is only a hint to look at once; without one it is taken, if it is of this cluster
    /// and this node is in it: should it say otherwise, ZooKeeper has to say so.
    mutating func onOffer(epoch: UInt64, members: [Member], generation: UInt64) -> [MembershipAction] {
        guard let session, let document, let view, generation == document.generation, epoch > view.epoch else { return [] }
        guard case .connecting = session.step else { return readList() }
        guard members.count <= MembershipView.membersMax, Set(members.map(\.id)).count == members.count else { return [] }
        if session.standing != .outside, !members.contains(where: { $0.identity == me.identity }) { return [] }
        let next = MembershipView(
            epoch: epoch, members: members, document: document, own: me.identity, previous: view, buildRing: buildRing)
        self.view = next
        doubts = [:]
        return [.say("took epoch \(epoch) from a peer while ZooKeeper is away"), .view(next)]
    }

    /// The same epoch, another ring: one of the two is wrong. Read and compute again before saying that it is the other.
    mutating func onPeerDiffers(_ peer: MemberIdentity, epoch: UInt64, digest: UInt64) -> [MembershipAction] {
        guard let view, view.epoch == epoch, view.ring.digest != digest, view.members.contains(where: { $0.identity == peer }) else {
            return []
        }
        // Once a peer and digest, or a peer that repeats itself would keep passes from ending.
        if doubts[peer] == digest { return [] }
        doubts[peer] = digest
        switch session?.step {
        // The request under way is abandoned: the pass finds out what became of it.
        case .resting, .asking: return startPass()
        default: return readList()
        }
    }

    private mutating func resolveDoubts(with next: MembershipView) -> [MembershipAction] {
        defer { doubts = [:] }
        guard !doubts.isEmpty, let view, view.epoch == next.epoch else { return [] }
        if view.ring.digest != next.ring.digest {
            return [.alarm("the own ring of epoch \(next.epoch) was wrong and is computed again: \(next)")]
        }
        return doubts.keys.sorted { $0.id < $1.id }.flatMap { peer -> [MembershipAction] in
            let sentence =
                "\(peer) has ring digest \((doubts[peer] ?? 0).hexadecimal) at epoch \(next.epoch), here it is "
                + "\(next.ring.digest.hexadecimal) after computing again; refusing that peer"
            return [.alarm(sentence), .refusePeer(peer)]
        }
    }
}
