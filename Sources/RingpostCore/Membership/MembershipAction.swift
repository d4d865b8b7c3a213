// What the membership machine wants done. The shell performs actions in the order in which they are returned.

/// Something the shell must do.
public enum MembershipAction: Equatable, Sendable {
    /// Draw a boot, report ``MembershipEvent/sessionOpened(session:boot:)``, then open a session.
    case openSession(session: Int, timeoutMilliseconds: Int)
    /// Close the session; nothing it says afterwards counts.
    case closeSession
    /// Ask ZooKeeper and report the answer with the ticket.
    case request(ticket: UInt64, MembershipRequest)
    /// Ask the holder's address which boot it has, and report with the ticket.
    case probeHolder(ticket: UInt64, Member)
    /// Open a session beside the one that can't connect, see what ZooKeeper knows of this member, and report
    /// ``MembershipEvent/askedAfresh(session:_:)``; after the limit that nobody answers.
    case askAfresh(session: Int, Member, limitMilliseconds: Int)
    /// Link with all members of the latest view; report ``MembershipEvent/linked(session:)`` when done or when the limit has passed.
    case linkWithMembers(session: Int, limitMilliseconds: Int)
    /// This node is a member now: the lease may begin. `hadPredecessor`: the roster named another boot under its id, which was no earlier
    /// one of this process and did not say goodbye; who asks the roster later doesn't find it any more.
    case registered(Member, hadPredecessor: Bool)
    /// This node is no member any more: the lease ends at once.
    case unregistered
    /// This node's copies are void, and it has another lineage.
    case lineage(UInt64)
    /// A new view holds.
    case view(MembershipView)
    /// The peer computes another ring from the same epoch: have no link with it.
    case refusePeer(MemberIdentity)
    /// A sentence for the log.
    case say(String)
    /// A sentence that somebody should be woken for.
    case alarm(String)
    /// The node can't run: end the process with this sentence.
    case fail(String)
    /// The goodbye is said.
    case left
}
