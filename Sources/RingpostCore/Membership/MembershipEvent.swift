// What can happen to the membership machine. Events of sessions carry the session's number, answers the ticket of their request,
// so that what comes late from an earlier session or attempt is recognised and ignored.

/// Something the membership machine is told.
public enum MembershipEvent: Sendable {
    /// Begin.
    case start
    /// A session is being opened, and this is the boot drawn for it.
    case sessionOpened(session: Int, boot: UInt64)
    /// No session could be opened: a malformed server list, or names that nobody knows.
    case sessionRefused(session: Int, reason: String)
    /// Connected, for the first time or again.
    case connected(session: Int, negotiatedTimeoutMilliseconds: Int)
    /// The connection was lost; the client library goes on trying.
    case disconnected(session: Int)
    /// ZooKeeper has given the session up.
    case expired(session: Int)
    /// ZooKeeper refused the session's credentials.
    case authenticationFailed(session: Int)
    /// What ZooKeeper has told a session that was opened beside this one.
    case askedAfresh(session: Int, FreshAnswer)
    /// The watch on /members fired.
    case membersChanged(session: Int)
    /// The answer to a request.
    case answered(ticket: UInt64, MembershipAnswer)
    /// What the holder of the own id said.
    case holderProbed(ticket: UInt64, ProbeResult)
    /// Links to all members are up, or the limit has passed.
    case linked(session: Int)
    /// Take another weight. One above 0 also takes a drain back.
    case setWeight(UInt16)
    /// Give up the weight, if others have any; stay member.
    case drain
    /// Take the weight again that was given up for a drain.
    case endDrain
    /// Let the session go and stay outside, with a new session that only reads the list.
    case withdraw
    /// Be a member again after ``withdraw``.
    case comeBack
    /// Say goodbye and end.
    case leave(clearingRoster: Bool)
    /// Frozen for too long while others reach ZooKeeper: let the session go.
    case giveUpSession
    /// A peer's member list, newer than the one it was told of.
    case offered(epoch: UInt64, members: [Member], generation: UInt64)
    /// A peer has another ring at the same epoch.
    case peerDiffers(MemberIdentity, epoch: UInt64, digest: UInt64)
    /// Time has passed; see ``MembershipMachine/nextWake``.
    case tick
}

/// What the membership machine asks of ZooKeeper. One at a time is under way.
public enum MembershipRequest: Equatable, Sendable {
    /// Create ``ClusterPaths/parents``, whichever are missing.
    case createPaths
    /// Create the ring document, unless somebody has, or the roster has entries: then there was a ring before.
    case found(ClusterDocument)
    /// Put back what ZooKeeper has lost; the ring document last, because nobody joins before it is there.
    case putBack(RingRemains)
    /// `sync`, so that what is read next is as new as the leader.
    case sync
    /// Read the ring document.
    case readRing
    /// Read the member list with a watch, unless it still has this epoch.
    case list(unlessEpoch: UInt64?)
    /// Create the own entry in the roster; if there is one, read it instead.
    case makeRosterEntry(Member, Life = Life())
    /// Create the own ephemeral znode and set the roster's entry to the same, in one transaction: whoever finds the member finds its
    /// boot in the roster, and a namesake that is refused leaves no trace there. Only over an entry of this version: what has been written there
    /// since it was read, as that it is given up, must be read first.
    case register(Member, Life = Life(), over: Int32 = 0)
    /// Delete and create the own znode in one transaction.
    case changeWeight(Member)
    /// Delete the own znode, and the roster's entry if asked for, in one transaction.
    case sayGoodbye(id: String, clearingRoster: Bool)
}

/// How a request ended.
public enum MembershipAnswer: Equatable, Sendable {
    /// It is done.
    case done
    /// The ring document's content.
    case ring([UInt8])
    /// The member list.
    case list(MemberList)
    /// The member list has the same epoch as before.
    case unchanged
    /// What was to be created is there already.
    case exists
    /// The own entry in the roster was there already, with this content and version.
    case rosterEntry([UInt8], version: Int32 = 0)
    /// What was to be written over has another version by now.
    case changed
    /// What was to be read or deleted is not there.
    case missing
    /// ZooKeeper does not let this node touch the cluster's znodes; a sentence that says what to do.
    case forbidden(String)
    /// It failed, or may have been done: a lost connection, most of the time.
    case failed(String)
}

/// What a running node still knows of a ring that ZooKeeper has lost, or of which it has an older state.
public struct RingRemains: Equatable, Sendable {
    /// With an epoch base above every epoch that was.
    public let document: ClusterDocument
    /// The document that it replaces; `nil` where there is none.
    public let replaced: ClusterDocument?
    /// The members of the last epoch: each may still act, so the roster has to name it before anybody asks there who might.
    public let members: [Member]
    /// The names of the revocations, which say all that nodes need: tokens that were revoked must stay so.
    public var revocations: [String] = []

    /// What a member's entry of the roster becomes, where there is one. The boot of the last epoch may still act, unless a newer one is a
    /// member by now. Who stood there instead stays named as one that had the id; its store counts no more, because the last epoch knew
    /// another one.
    ///
    /// - Parameters:
    ///   - named: whom the entry names; `nil` where it can't be read.
    ///   - present: who is a member under that id.
    /// - Returns: `nil` where it may stay.
    public static func entry(for member: Member, named: Member?, present: Member?) -> Member? {
        guard let named else { return member }
        if named.identity == member.identity || named.identity == present?.identity { return nil }
        return member.replacing(named)
    }
}

/// What a session without a past hears of this member.
public enum FreshAnswer: Equatable, Sendable {
    /// Nobody answers: ZooKeeper is away.
    case nobody
    /// The member's znode is there with its boot: its session lives, and its client library will be let in.
    case known
    /// It is not there: the session has ended, or ZooKeeper has lost it. It refuses a client that has seen more than it knows, for ever.
    case unknown
}

/// What was found at the address of the member that holds the own id.
public enum ProbeResult: Equatable, Sendable {
    /// It answers with the boot in its znode: it lives.
    case sameBoot
    /// It answers with another boot: the znode is of an earlier life.
    case otherBoot
    /// Nobody listens there.
    case refused
    /// No answer in time.
    case silent

    /// Whoever the znode names may be acting.
    public var mayStillAct: Bool {
        switch self {
        case .sameBoot, .silent: true
        case .otherBoot, .refused: false
        }
    }
}
