// What an operator decides about a node's membership, and how it can fail for good.

import HashRing
import RingpostCore
import ZooKeeperClient

/// Where the cluster's ZooKeeper is, and what this node announces there.
public struct MembershipConfiguration: Sendable {
    /// `host:port,host:port…`, an IPv6 address without brackets; `nil` for a cluster of this node alone: a view at once, and a
    /// lease that never ends.
    public var servers: String?
    /// The path below which the cluster keeps its znodes; made if it is not there.
    public var chroot = ""
    /// The cluster's name; the rules for node ids hold for it.
    public var cluster: String
    /// What to announce. The boot is replaced with each session.
    public var me: Member
    /// For ZooKeeper. With them, nobody else may read or change the cluster's znodes; every node of the cluster has the same.
    public var credentials: ZooKeeperCredentials?
    /// S, for a cluster that this node founds. An existing cluster's own holds.
    public var sessionTimeoutMilliseconds = ClusterDocument.sessionTimeoutMillisecondsDefault
    /// H, likewise; half of S unless given.
    public var heartbeatTimeoutMilliseconds: Int?
    /// M, likewise.
    public var outageMaxMilliseconds = ClusterDocument.outageMaxMillisecondsDefault
    /// How many members have a copy of each slot, likewise; 2 unless given.
    public var copies: Int?
    /// Over what time a drain asks sockets to go elsewhere.
    public var drainMilliseconds: Int64 = 30_000
    /// How long a drain may wait for others to take slots and copies over.
    public var handOverMilliseconds = DrainMachine.handOverMillisecondsDefault

    /// Without ZooKeeper: the ring of an earlier process, which has left copies; a new one unless given.
    public var ring: LoneRing?
    /// Without ZooKeeper: the file that keeps revocations over a restart; `nil` for none, and then they are forgotten.
    public var revocationsFile: String?

    /// A configuration with the default times.
    public init(servers: String?, cluster: String, me: Member) {
        self.servers = servers
        self.cluster = cluster
        self.me = me
    }

    /// The document of a cluster that this node would found.
    func proposal() -> ClusterDocument {
        if let ring { return document(seed: ring.seed, generation: ring.generation) }
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        guard let seed = SipKey(bytes: bytes) else { preconditionFailure("\(bytes.count) bytes are no key") }
        return document(seed: seed, generation: random.next())
    }

    private func document(seed: SipKey, generation: UInt64) -> ClusterDocument {
        ClusterDocument(
            seed: seed, generation: generation, sessionTimeoutMilliseconds: sessionTimeoutMilliseconds,
            heartbeatTimeoutMilliseconds: heartbeatTimeoutMilliseconds, outageMaxMilliseconds: outageMaxMilliseconds,
            copies: copies ?? ClusterDocument.copiesDefault)
    }

    /// - Throws: ``MembershipFailure`` when a name or a time can't be used.
    func check() throws(MembershipFailure) {
        for (what, name) in [("node id", me.id), ("cluster name", cluster)] {
            do throws(NodeIDError) { try NodeID.check(name) } catch {
                throw MembershipFailure(message: "the \(what) \"\(name)\" can't be used: \(error.message)")
            }
        }
        if let fault = proposal().fault { throw MembershipFailure(message: "the configuration \(fault)") }
    }
}

/// What a node without ZooKeeper has to keep of its cluster, so that its copies are found again.
public struct LoneRing: Sendable {
    /// The secret under which names are placed.
    public let seed: SipKey
    /// Which cluster it is.
    public let generation: UInt64
    /// The highest epoch of which there are copies.
    public let epoch: UInt64

    /// A ring that was there before.
    public init(seed: SipKey, generation: UInt64, epoch: UInt64) {
        self.seed = seed
        self.generation = generation
        self.epoch = epoch
    }
}

/// Why a node can't be a member. The process should end with it.
public struct MembershipFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence for an operator: what is wrong, and what to do about it.
    public let message: String

    /// The same.
    public var description: String { message }
}
