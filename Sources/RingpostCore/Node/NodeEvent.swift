// What can happen to a node as a whole. What belongs to one session, request or question carries its number, so that what comes late is
// recognised.

/// Something the node machine is told.
public enum NodeEvent: Sendable {
    /// Begin.
    case start
    /// What sessions, answers and peers mean for the membership.
    case membership(MembershipEvent)
    /// The answer to ``NodeAction/sendSync(sentAt:)``.
    case syncAnswered(sentAt: Int64)
    /// There is no answer to it.
    case syncFailed(sentAt: Int64)
    /// The watch on the revocations fired.
    case revocationsChanged(session: Int)
    /// The answer to ``NodeAction/readRevocations(ticket:)``; seconds since 1970.
    case revocationsRead(ticket: UInt64, RevocationMachine.Answer, seconds: Int64)
    /// This node has made a revocation.
    case revoked(Revocation)
    /// The answer to ``NodeAction/takeLock(_:)``.
    case lockAnswered(MemberIdentity, WithdrawalMachine.LockAnswer)
    /// The answer to ``NodeAction/releaseLock(_:)``.
    case lockReleased(MemberIdentity, isDone: Bool)
    /// The answer to ``NodeAction/probeMembers(number:_:)``: who did not answer with the boot in the list.
    case membersProbed(number: Int, silent: [String])
    /// A peer's answer to ``NodeAction/askPeers(queryNumber:epoch:)``, with the peer's own epoch.
    case outageAnswered(from: MemberIdentity, queryNumber: UInt64, epoch: UInt64, reachesZooKeeper: Bool)
    /// A peer has said that it leaves: its agreement is not needed any more.
    case saidGoodbye(MemberIdentity)
    /// Begin to drain, or go on; a second signal hastens it.
    case drain(DrainMachine.Cause)
    /// The answer to ``NodeAction/look(ticket:countsHoldings:)``; `nil` where holdings were not to be counted.
    case looked(ticket: UInt64, PeerTable, NodeHoldings?)
    /// The sockets of ``NodeAction/moveSockets(number:milliseconds:elsewhere:)`` have gone, or had the time for it.
    case moved(number: Int)
    /// Slots that are to be this node's and that nobody serves, of all shards together; told when it changes.
    case slotsWait(SlotWaits)
    /// Members that the roster names and that are none now; told when somebody has asked it.
    case rosterRead(strangers: [Member])
    /// The node ends without a goodbye.
    case stop
    /// Time has passed; see ``NodeMachine/nextWake(now:)``.
    case tick
}

/// What would have to go before a node can.
public struct NodeHoldings: Hashable, Sendable {
    /// Slots of which it holds a copy that has not been released, own ones too.
    public var copies: Int
    /// Slots of which it holds a copy, and no other member is known to hold one.
    public var lastCopies: Int
    /// Keys whose history it holds as the owner.
    public var users: Int
    /// Sockets of clients.
    public var sockets: Int

    /// Nothing, unless given.
    public init(copies: Int = 0, lastCopies: Int = 0, users: Int = 0, sockets: Int = 0) {
        self.copies = copies
        self.lastCopies = lastCopies
        self.users = users
        self.sockets = sockets
    }
}
