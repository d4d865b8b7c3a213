// The order that a member which is gone for good is not waited for: what becomes of its entry in the roster. The write is made only if the
// entry is still what was read, as a registration is, so that one of the two finds what the other has done.

/// What `ringpost forget` makes of what stands in ZooKeeper.
public enum Forgetting {
    /// So many registrations may come between; then the order is refused.
    public static let attemptsMax = 8

    /// What is to be written over the entry.
    ///
    /// - Parameters:
    ///   - id: whom nobody is to wait for.
    ///   - entry: its entry in the roster; `nil` where there is none.
    ///   - member: its znode among the members, read after the entry: whoever has registered between has changed that.
    ///   - paths: of the cluster.
    /// - Returns: `nil` where it is given up already.
    /// - Throws: ``ForgetRefusal``.
    public static func mark(
        _ id: String, entry: [UInt8]?, member: [UInt8]?, paths: ClusterPaths
    ) throws(ForgetRefusal) -> RosterEntry? {
        if let member { throw .isMember(id, (try? Member(json: member, znode: paths.member(id)))?.identity) }
        guard let entry else { throw .unknown(id) }
        guard let found = try? RosterEntry(json: entry, znode: paths.roster(id)) else { throw .unreadable(znode: paths.roster(id)) }
        return found.isGivenUp ? nil : RosterEntry(found.member, found.life, isGivenUp: true)
    }
}

/// Why nobody was forgotten.
public enum ForgetRefusal: Error, Hashable, Sendable {
    /// Its session lives; `nil`: what it says of itself can't be read.
    case isMember(String, MemberIdentity?)
    /// The roster has no such entry.
    case unknown(String)
    /// Its entry can't be read, so nobody knows who it is.
    case unreadable(znode: String)
    /// It is no member, but its process runs: at the address of its entry it answers with the boot that the entry names.
    case isAlive(Member)
    /// It registers again and again.
    case changed(String)
    /// ZooKeeper can't be asked, or has not answered: it was done or not. Asking again is right.
    case unavailable(String)
    /// This node is no member of a ring in ZooKeeper.
    case alone

    /// For programs.
    public var code: String {
        switch self {
        case .isMember: "is_member"
        case .unknown: "unknown_node"
        case .unreadable: "unreadable_entry"
        case .isAlive: "is_alive"
        case .changed: "changed"
        case .unavailable: "unavailable"
        case .alone: "no_roster"
        }
    }

    /// A sentence for the operator.
    public var message: String {
        switch self {
        case .isMember(let id, let identity):
            "\(identity?.description ?? id) is a member; drain it, or stop it and wait until its session is over"
        case .unknown(let id): "nobody waits for a node \"\(id)\": the roster has no such entry"
        case .unreadable(let znode): "\(znode) can't be read, so it can't be given up; delete it"
        case .isAlive(let member): "\(member.identity) is no member at present, but answers at \(member.link); stop it first"
        case .changed(let id): "\(id) registers again and again; look whether it runs"
        case .unavailable(let reason): "ZooKeeper can't be asked now, so it may have been given up or not; ask again: \(reason)"
        case .alone: "this node runs without ZooKeeper: it waits for nobody"
        }
    }
}
