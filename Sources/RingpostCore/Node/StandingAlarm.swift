// What is wrong with a node for as long as it is: an alarm in the log is over when it is written, and whoever looks later has to see it too.

/// Something that somebody should look at, and that has not passed.
public struct StandingAlarm: Hashable, Sendable {
    /// What kind of thing; the raw value is stable, metrics name it.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// ZooKeeper came back without its data, or with older data. Stands as long as the process runs: somebody has to look why.
        case zooKeeperLostData = "zookeeper_lost_data"
        /// ZooKeeper holds another ring of this name.
        case otherRing = "other_ring"
        /// What the data directory holds counts no more. Stands as long as the process runs: somebody has to look why.
        case storeLost = "store_lost"
        /// Some of what is in the data directory can't be read. Stands as long as the process runs: somebody has to look why.
        case storeDamaged = "store_damaged"
        /// The disk of the data directory takes too long.
        case storeSlow = "store_slow"
        /// There are children of /members that are no members.
        case badMembers = "bad_members"
        /// Slots of this node have had nobody for long.
        case slotsWait = "slots_wait"
        /// The node takes no weight, because it ended again and again.
        case shortLives = "short_lives"
        /// It should withdraw because of cut links, and holds the last copy of something.
        case lastCopies = "last_copies"
    }

    /// What kind of thing.
    public let kind: Kind
    /// A sentence for people.
    public let sentence: String

    /// An alarm that stands.
    public init(_ kind: Kind, _ sentence: String) {
        self.kind = kind
        self.sentence = sentence
    }
}
