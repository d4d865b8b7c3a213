// What the membership machine does about its own place once it has read the list: wait for a namesake, register without weight,
// link with the others, take the weight, change it, give it up.

extension MembershipMachine {
    /// Compares this node's place in the list with its goal, and takes the one next step.
    mutating func pursueGoal(now: Int64) -> [MembershipAction] {
        guard let session, let view else { return [] }
        if session.isStale { return ask(list) }
        guard let own = view.own else {
            if isWithdrawn {
                rest(now: now)
                return []
            }
            if let holder = view.member(me.id) { return meet(holder, now: now) }
            // Something that is no member has this node's name; there has been an alarm. Nothing can be created until somebody deletes it.
            if garbage[me.id] != nil {
                rest(now: now)
                return []
            }
            return ask(.makeRosterEntry(me.with(weight: 0), life))
        }
        let wanted = wantedWeight(own: own, view: view, now: now)
        if wanted > 0, let pause, now >= pause.until { self.pause = nil }
        if own.weight == wanted {
            rest(now: now)
            return []
        }
        if wanted > 0, session.links != .up {
            rest(now: now)
            guard session.links == .none else { return [] }
            self.session?.links = .asked
            return [.linkWithMembers(session: session.number, limitMilliseconds: Self.linkLimitMilliseconds)]
        }
        return ask(.changeWeight(me.with(weight: wanted)))
    }

    /// What registering writes into the own znode and the roster.
    mutating func register(over version: Int32 = 0, now: Int64) -> [MembershipAction] {
        if now >= predecessorUntil ?? .min { me.former = [] }
        hasRegistered = true
        return ask(.register(me.with(weight: 0), life, over: version))
    }

    /// The roster has an own entry now, or had one with this content: the next step is to register.
    mutating func onRosterEntry(_ json: [UInt8]?, version: Int32 = 0, now: Int64) -> [MembershipAction] {
        let before = me.lineage
        // Who was never registered with its lineage has nothing that others may have gone on without.
        let boots = hasRegistered ? storedBoots.union(formerBoots + [me.boot]) : []
        let claim = LineageClaim(lineage: me.lineage, boots: boots, epoch: hasRegistered ? storedEpoch : 0)
        if claim.objection(json, znode: paths.roster(me.id), list: view?.epoch) != nil { giveUpLineage() }
        var news = json.map { noteRosterEntry($0, now: now) } ?? []
        if before != me.lineage {
            news += [
                .lineage(me.lineage),
                .say(
                    "another store has been registered as \(me.id), or it was given up, or has seen epochs above this list's: what this node still "
                        + "holds counts no more"),
            ]
        }
        return news + register(over: version, now: now)
    }

    /// A drained node gives up its weight only if the slots have somewhere to go.
    private func wantedWeight(own: Member, view: MembershipView, now: Int64) -> UInt16 {
        guard isDraining else { return own.weight == 0 && pauses(view, now: now) ? 0 : me.weight }
        return view.othersWithWeight.isEmpty ? own.weight : 0
    }

    /// Registering replaces the roster's entry, so what it said before has to be kept in mind: for the longest time in which somebody
    /// whose session has ended may act. Who is not known to be gone is named in the new entry, because this node may go before that.
    private mutating func noteRosterEntry(_ json: [UInt8], now: Int64) -> [MembershipAction] {
        // One that can't be read is somebody's.
        let entry = try? RosterEntry(json: json, znode: paths.roster(me.id))
        // Whoever was before one that is given up is not waited for either.
        if let entry, entry.isGivenUp { return [] }
        var strangers = entry?.member.former ?? []
        let isOwn = entry.map { wasEver($0.member.identity) } ?? false
        // An earlier process on the same disk is gone, and whatever it had this one has.
        let isSameStore = isOwn || entry.map { me.hasDisk(of: $0.member) } ?? false
        if isSameStore {
            // Whoever put the ring back may have found somebody in the entry of whom this node has not heard.
            strangers.removeAll { me.former.contains($0) || wasEver(MemberIdentity(id: me.id, boot: $0.boot)) }
        } else if let entry {
            strangers.append(Member.Former(boot: entry.member.boot, link: entry.member.link))
        }
        // Where this node listens itself, nobody else answers.
        strangers.removeAll { $0.link == me.link }
        if !isSameStore || !strangers.isEmpty {
            predecessorUntil = now + Int64((document ?? proposal).vacancyMillisecondsMax)
            me.former = Array((me.former.filter { !strangers.contains($0) } + strangers).suffix(Member.formerMax))
        }
        guard let entry, !isOwn else { return [] }
        return follow(entry.life, now: now)
    }

    /// Others may have gone on without this store, so what it holds counts no more.
    private mutating func giveUpLineage() {
        guard me.lineage != 0 else { return }
        me.lineage = me.boot
        hasRegistered = false
        storedEpoch = 0
    }

    /// Another boot holds the own id. What a session holds is never deleted by another one.
    private mutating func meet(_ holder: Member, now: Int64) -> [MembershipAction] {
        // An earlier session of this very process: there is nobody to ask.
        if formerBoots.contains(holder.boot) { return wait(for: holder, because: "an earlier session of this process", now: now) }
        lastTicket += 1
        enter(.probing(ticket: lastTicket, holder: holder))
        return [.probeHolder(ticket: lastTicket, holder)]
    }

    mutating func onProbe(_ ticket: UInt64, _ result: ProbeResult, now: Int64) -> [MembershipAction] {
        guard case .probing(ticket, let holder) = session?.step else { return [] }
        switch result {
        case .sameBoot:
            return fail(
                "the node id \(me.id) is in use in \(paths.cluster): \(holder.identity) answers at \(holder.link); "
                    + "stop that node or give this one another id")
        case .otherBoot: return wait(for: holder, because: "its address answers with another boot", now: now)
        case .refused: return wait(for: holder, because: "nobody listens at \(holder.link)", now: now)
        case .silent: return wait(for: holder, because: "\(holder.link) does not answer", now: now)
        }
    }

    /// Until the znode goes, or until the next pass asks the holder again.
    private mutating func wait(for holder: Member, because reason: String, now: Int64) -> [MembershipAction] {
        if session?.isStale == true { return ask(list) }
        rest(now: now)
        if holderWaitedFor == holder.boot { return [] }
        holderWaitedFor = holder.boot
        return [.say("waiting until ZooKeeper ends the session of \(holder.identity), which holds this node's id: \(reason)")]
    }
}
