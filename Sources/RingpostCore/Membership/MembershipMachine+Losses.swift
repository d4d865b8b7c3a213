// What is done when ZooKeeper comes back without its data, or with older data: a container without a volume, a backup, the wrong folder. It
// refuses a client that has seen more than it knows, for ever, and the client library takes that for an outage. So a node asks over a
// session without a past. When that says that its member is unknown, the node begins a new session, as after an expiry, and puts back what
// it knows of the ring: the same document, who may still act, what is revoked. From there on all is as if every session had expired.
//
// ZooKeeper counts from below again. Epochs are terms and fences, and must never be mistaken for earlier ones; so the document gets a
// base that is added to every `pzxid`, above all that was. So no node ever goes on under a lower epoch than its store has seen, and each
// keeps its lineage, which the roster names again. A node that starts knows none of this. It does not found a ring before those
// that run have had the time to put theirs back.

extension MembershipMachine {
    /// With a longer session time-out too, ZooKeeper is asked over a fresh session after this.
    static let freshPauseMillisecondsMax: Int64 = 1_000
    /// A fresh session that is not connected by then is given up. What comes next finds the servers' names anew.
    static let freshLimitMilliseconds = 5_000

    /// What is added to a `pzxid` to make an epoch.
    var epochBase: UInt64 { document?.epochBase ?? 0 }

    /// Between two questions over fresh sessions. A connection that breaks is made again within this, most of the time.
    var freshPauseMilliseconds: Int64 {
        min(Int64(max(1, (document ?? proposal).sessionTimeoutMilliseconds / 6)), Self.freshPauseMillisecondsMax)
    }

    /// Where there is no ring, those that run one have so long to put it back before a node founds one. Three pauses: one until they ask
    /// again, and one for an attempt that a server which is just starting lets hang.
    var foundingPauseMilliseconds: Int64 { min(Int64(proposal.sessionTimeoutMilliseconds), 3 * Self.freshPauseMillisecondsMax) }

    // MARK: - Asking over a fresh session

    mutating func askAfresh(since: Int64, reminder: Int64) -> [MembershipAction] {
        guard let session else { return [] }
        enter(.connecting(since: since, reminder: reminder, asks: .underWay))
        return [.askAfresh(session: session.number, me, limitMilliseconds: Self.freshLimitMilliseconds)]
    }

    mutating func onFreshAnswer(_ number: Int, _ answer: FreshAnswer, now: Int64) -> [MembershipAction] {
        guard isCurrent(number), case .connecting(let since, let reminder, .underWay) = session?.step else { return [] }
        if answer == .unknown {
            return renew("ZooKeeper answers, but knows nothing of this node's session; registering again with a new boot", now: now)
        }
        enter(.connecting(since: since, reminder: reminder, asks: .due(at: now + freshPauseMilliseconds)))
        return []
    }

    // MARK: - What is found then

    /// There is no ring document, and this session has made nothing yet.
    mutating func onNoRing(now: Int64) -> [MembershipAction] {
        if document != nil { return putBack(replacing: nil) }
        if let foundsAt, now >= foundsAt { return ask(.found(proposal)) }
        let isFirst = foundsAt == nil
        let at = foundsAt ?? now + foundingPauseMilliseconds
        foundsAt = at
        enter(.resting(until: at))
        guard isFirst else { return [] }
        return [
            .say(
                "there is no \(paths.ring); founding a new ring in \(at - now) ms, unless nodes of a ring that runs put theirs back. None is "
                    + "founded while \(paths.roster) names members: if none of them runs, delete \(paths.cluster)")
        ]
    }

    /// ZooKeeper has an older state. A member freezes first: its session may not be what it seems.
    mutating func onOlderList(_ epoch: UInt64, now: Int64) -> [MembershipAction] {
        guard let session, let document, let view else { return [] }
        guard session.standing == .outside else {
            return lose("\(paths.members) is at epoch \(epoch), it was at \(view.epoch): ZooKeeper has lost history", now: now)
        }
        return putBack(replacing: document)
    }

    private mutating func putBack(replacing replaced: ClusterDocument?) -> [MembershipAction] {
        guard let document else { return [] }
        // Without a view no epoch has been.
        let next = view.map { document.rebased(above: $0.epoch) } ?? document
        return ask(.putBack(RingRemains(document: next, replaced: replaced, members: view?.members ?? [])))
    }

    mutating func onPutBack(_ remains: RingRemains) -> [MembershipAction] {
        let what = remains.replaced == nil ? "without its data: \(paths.ring) was missing" : "with older data"
        let sentence =
            "ZooKeeper has come back \(what). This node has put the ring back as it knew it, with its \(remains.members.count) "
            + "members in the roster and the tokens that are revoked; look why ZooKeeper has lost them"
        return noteLoss(sentence) + ask(.sync)
    }

    /// Another node may have put the ring back.
    mutating func onBase(of read: ClusterDocument) -> [MembershipAction] {
        guard let document, read.epochBase != document.epochBase else { return [] }
        // A lower one is an older state: the list will tell.
        self.document = document.with(epochBase: read.epochBase)
        guard read.epochBase > document.epochBase, loss == nil else { return [] }
        return noteLoss("ZooKeeper has lost data; another node has put the ring back as it knew it. Look why ZooKeeper has lost it")
    }

    private mutating func noteLoss(_ sentence: String) -> [MembershipAction] {
        loss = sentence
        return [.alarm(sentence)]
    }
}
