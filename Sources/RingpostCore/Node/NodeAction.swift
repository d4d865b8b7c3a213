// What the node machine wants done. The shell performs actions one after the other, in the order in which they are returned; what an
// action leads to at once is performed after those that wait already.

/// Something the shell must do.
public enum NodeAction: Equatable, Sendable {
    // MARK: ZooKeeper

    /// Draw a boot, report ``MembershipEvent/sessionOpened(session:boot:)``, then open a session.
    case openSession(session: Int, timeoutMilliseconds: Int)
    /// Close the session; nothing it says afterwards counts.
    case closeSession
    /// Ask and report the answer with the ticket.
    case request(ticket: UInt64, MembershipRequest)
    /// Open a session beside the one that can't connect, see what ZooKeeper knows of this member, and report
    /// ``MembershipEvent/askedAfresh(session:_:)``; after the limit that nobody answers.
    case askAfresh(session: Int, Member, limitMilliseconds: Int)
    /// Send `sync` and report with this time.
    case sendSync(sentAt: Int64)
    /// Create the ephemeral lock for withdrawing as this member.
    case takeLock(MemberIdentity)
    /// Delete that lock, if it is this member's.
    case releaseLock(MemberIdentity)
    /// Read the names of the revocations, with a watch.
    case readRevocations(ticket: UInt64)
    /// Delete the znodes of these; that it fails is no matter.
    case deleteRevocations([Revocation])

    // MARK: Peers

    /// Ask the holder's address which boot it has; report ``MembershipEvent/holderProbed(ticket:_:)``.
    case probeHolder(ticket: UInt64, Member)
    /// Ask the addresses of these members likewise; report ``NodeEvent/membersProbed(number:silent:)``.
    case probeMembers(number: Int, [Member])
    /// Link with all members of the latest view; report ``MembershipEvent/linked(session:)`` when done or when the limit has passed.
    case linkWithMembers(session: Int, limitMilliseconds: Int)
    /// Ask every linked peer whether it is at this epoch and without ZooKeeper.
    case askPeers(queryNumber: UInt64, epoch: UInt64)
    /// Send every linked peer a heartbeat at once.
    case pingPeers
    /// The peer computes another ring from the same epoch: have no link with this boot of it.
    case refusePeer(MemberIdentity)

    // MARK: The node's own parts

    /// Who this node is from now on, and whose its copies are; 0: its boot's. Nothing that was said under another boot holds on any link.
    case identity(MemberIdentity, lineage: UInt64 = 0)
    /// This boot is a member from now on. `hadPredecessor`: see ``MembershipAction/registered(_:hadPredecessor:)``.
    case registered(MemberIdentity, hadPredecessor: Bool)
    /// How long the node may act from now on.
    case lease(Lease)
    /// A new epoch.
    case view(MembershipView)
    /// What is revoked from now on. The first one comes with the first reading, also when nothing is revoked.
    case revocations(RevocationList)
    /// For operators; `nil` when the node does not drain any more.
    case progress(DrainMachine.Progress?)
    /// All that is wrong from now on, until it passes.
    case standing([StandingAlarm])
    /// Slots that nobody serves; `nil` when there are none.
    case slotsWait(SlotWatch.Report?)
    /// The goodbye follows: heartbeats say so, and producers are refused.
    case leaving
    /// Hand in the peers' standings and, if wanted, what the shards hold; shards count when they have applied every view told before.
    case look(ticket: UInt64, countsHoldings: Bool)
    /// Ask all sockets to go elsewhere, evenly over the time, in place of an earlier order; report ``NodeEvent/moved(number:)``.
    case moveSockets(number: Int, milliseconds: Int64, elsewhere: [String])
    /// Who is still here may stay, and new clients are welcome.
    case keepSockets
    /// A sentence for the log.
    case log(Severity, String)
    /// The node is over.
    case end(Ending)

    /// How much a sentence in the log matters.
    public enum Severity: Hashable, Sendable {
        /// Good to know.
        case notice
        /// Something is lost or waits.
        case warning
        /// The node can't do its work.
        case error
        /// Somebody should be woken for it.
        case alarm
    }

    /// How a node's membership ends.
    public enum Ending: Hashable, Sendable {
        /// The goodbye is said, as far as it could be.
        case left
        /// The node can't be a member; a sentence for the operator.
        case failed(String)
    }
}
