// What the membership tells the rest of the node, and what it asks of it. What isn't `async` must return at once: it is called on the
// membership's own executor, in order, and nothing else happens there meanwhile.

import RingpostCore

/// The membership's connections to the rest of the node. They do nothing unless given; without `probe`, holders are silent.
public struct MembershipHooks: Sendable {
    // MARK: What is so from now on

    /// Who this node is from now on: what it answers when its address is asked for its boot, and whose its copies are (0: its boot's). Comes
    /// before anybody can have heard of it.
    public var onIdentity: @Sendable (MemberIdentity, _ lineage: UInt64) -> Void = { _, _ in }
    /// This boot is a member from now on; comes after ``onIdentity`` and before the first view that has it as a member. `hadPredecessor`: an
    /// earlier process under this id did not say goodbye, and the roster has forgotten it by now.
    public var onRegistered: @Sendable (MemberIdentity, _ hadPredecessor: Bool) -> Void = { _, _ in }
    /// A new epoch.
    public var onView: @Sendable (MembershipView) -> Void = { _ in }
    /// How long the node may act from now on. Comes every S/6 at least while ZooKeeper is there.
    public var onLease: @Sendable (Lease) -> Void = { _ in }
    /// What is revoked from now on. The first call comes with the first reading, also when nothing is revoked: until then nobody knows.
    public var onRevocations: @Sendable (RevocationList) -> Void = { _ in }
    /// Something that somebody should be woken for; it is in the log already.
    public var onAlarm: @Sendable (String) -> Void = { _ in }
    /// All that is wrong from now on, until it passes.
    public var onStanding: @Sendable ([StandingAlarm]) -> Void = { _ in }
    /// Slots of this node that nobody serves; `nil` when there are none.
    public var onSlotsWait: @Sendable (SlotWatch.Report?) -> Void = { _ in }
    /// How far a drain is, for operators; `nil` when the node does not drain any more.
    public var onProgress: @Sendable (DrainMachine.Progress?) -> Void = { _ in }
    /// The goodbye follows: heartbeats say so, and producers are refused.
    public var onLeaving: @Sendable () -> Void = {}

    // MARK: Peers

    /// This peer computes another ring from the same epoch: close its link and make none with this boot.
    public var onPeerRefused: @Sendable (MemberIdentity) -> Void = { _ in }
    /// Send every linked peer a heartbeat at once.
    public var pingPeers: @Sendable () -> Void = {}
    /// Ask every linked peer whether it is at this epoch and without ZooKeeper; hand in what comes by ``MembershipService/submit(_:)``.
    public var askPeers: @Sendable (_ queryNumber: UInt64, _ epoch: UInt64) -> Void = { _, _ in }
    /// How the peers stand.
    public var peers: @Sendable () -> PeerTable = { PeerTable(shardCount: 1) }
    /// Ask this member's link address for its boot. After ``MembershipService/probeLimitMilliseconds`` it is cancelled: silence.
    public var probe: @Sendable (Member) async -> ProbeResult = { _ in .silent }
    /// Link with every other member of the view; return when all links are up. Cancelled after 5 s.
    public var link: @Sendable (MembershipView) async -> Void = { _ in }

    // MARK: What has to go before the node can

    /// Counted on shards that have applied every view that was told before.
    public var holdings: @Sendable () async -> NodeHoldings = { NodeHoldings() }
    /// Asks all sockets to go elsewhere, evenly over the milliseconds; returns when they have gone or the time is over. Cancelled, it stops.
    public var moveSockets: @Sendable (Int64, [String]) async -> Void = { _, _ in }
    /// Who is still here may stay, and new clients are welcome.
    public var keepSockets: @Sendable () async -> Void = {}

    /// Hooks that do nothing.
    public init() {}
}
