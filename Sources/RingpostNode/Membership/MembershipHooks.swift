// What the membership tells the rest of the node, and what it asks of it. All but the last two must return at once: they are called
// on the membership's own executor, in order, and nothing else happens there meanwhile.

import RingpostCore

/// The membership's connections to the rest of the node.
public struct MembershipHooks: Sendable {
    /// Who this node is from now on: what it answers when its address is asked for its boot. Comes before anybody can have heard of it.
    public var onIdentity: @Sendable (MemberIdentity) -> Void
    /// This boot is a member from now on; comes after ``onIdentity`` and before the first view that has it as a member. `hadPredecessor`: an
    /// earlier process under this id did not say goodbye, and the roster has forgotten it by now.
    public var onRegistered: @Sendable (MemberIdentity, _ hadPredecessor: Bool) -> Void
    /// A new epoch.
    public var onView: @Sendable (MembershipView) -> Void
    /// How long the node may act from now on. Comes every S/6 at least while ZooKeeper is there.
    public var onLease: @Sendable (Lease) -> Void
    /// What is revoked from now on. The first call comes with the first reading, also when nothing is revoked: until then nobody knows.
    public var onRevocations: @Sendable (RevocationList) -> Void
    /// Something that somebody should be woken for; it is in the log already.
    public var onAlarm: @Sendable (String) -> Void
    /// This peer computes another ring from the same epoch: close its link and make none with this boot.
    public var onPeerRefused: @Sendable (MemberIdentity) -> Void
    /// Ask every linked peer whether it is at this epoch and without ZooKeeper; hand in what comes by
    /// ``MembershipService/outageAnswer(from:queryNumber:sameEpoch:reachesZooKeeper:)``.
    public var askPeers: @Sendable (_ queryNumber: UInt64, _ epoch: UInt64) -> Void
    /// Ask this member's link address for its boot. After ``MembershipService/probeLimitMilliseconds`` it is cancelled: silence.
    public var probe: @Sendable (Member) async -> ProbeResult
    /// Link with every other member of the view; return when all links are up. Cancelled after 5 s.
    public var link: @Sendable (MembershipView) async -> Void

    /// Hooks that do nothing unless given; without `probe`, holders are silent.
    public init(
        onIdentity: @escaping @Sendable (MemberIdentity) -> Void = { _ in },
        onRegistered: @escaping @Sendable (MemberIdentity, _ hadPredecessor: Bool) -> Void = { _, _ in },
        onView: @escaping @Sendable (MembershipView) -> Void = { _ in },
        onLease: @escaping @Sendable (Lease) -> Void = { _ in },
        onRevocations: @escaping @Sendable (RevocationList) -> Void = { _ in },
        onAlarm: @escaping @Sendable (String) -> Void = { _ in },
        onPeerRefused: @escaping @Sendable (MemberIdentity) -> Void = { _ in },
        askPeers: @escaping @Sendable (_ queryNumber: UInt64, _ epoch: UInt64) -> Void = { _, _ in },
        probe: @escaping @Sendable (Member) async -> ProbeResult = { _ in .silent },
        link: @escaping @Sendable (MembershipView) async -> Void = { _ in }
    ) {
        self.onIdentity = onIdentity
        self.onRegistered = onRegistered
        self.onView = onView
        self.onLease = onLease
        self.onRevocations = onRevocations
        self.onAlarm = onAlarm
        self.onPeerRefused = onPeerRefused
        self.askPeers = askPeers
        self.probe = probe
        self.link = link
    }
}
