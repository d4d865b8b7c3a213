// Who goes first when a node's memory runs short: the connections for which most is held, then all connections of the users, keys and
// addresses that hold most together, then the largest histories. A value for the whole node: each event loop says what its connections
// hold, and is told which of them end. Whoever holds little has not caused it, and stays.

/// What a node holds for one connection.
public struct MemoryClaim: Equatable, Sendable {
    /// Which one, for the event loop that says so.
    public let connection: Int
    /// Whom it is charged to together with others; `nil` where it stands for itself.
    public let owner: ByteOwner?
    /// Output that waits, answers that are ready, input and bodies.
    public let bytes: Int

    /// All of it.
    public init(connection: Int, owner: ByteOwner?, bytes: Int) {
        self.connection = connection
        self.owner = owner
        self.bytes = bytes
    }
}

/// Decides what goes.
public struct MemoryShedder: Sendable {
    /// What one event loop has to do now.
    public struct Plan: Equatable, Sendable {
        /// Connections to end, the heaviest first.
        public var endings: [Int] = []
        /// Bytes of histories to drop.
        public var historyBytes = 0
    }

    /// A connection that holds less is not a claim.
    public static let claimBytesMin = 16 * 1_024
    /// One that holds so much is heavy by itself.
    public static let heavyBytesMin = 256 * 1_024
    /// An owner whose connections hold so much together.
    public static let heavyOwnerBytesMin = 1_024 * 1_024
    /// Claims of one event loop that are looked at: its heaviest.
    public static let claimsMax = 4_096
    /// Connections that an event loop ends at a time.
    public static let endingsMax = 64
    /// Bytes of histories that an event loop drops at a time.
    public static let historyBytesMax = 16 * 1_024 * 1_024
    /// How long it is waited for what all event loops say, before the first one has to give something up.
    public static let collectMilliseconds: Int64 = 1_500
    /// How long what was given up may take until it shows in the resident memory.
    public static let settleMilliseconds: Int64 = 5_000

    private let bytesMax: Int
    private let shardCount: Int
    private var resident = 0
    /// What was given up lately.
    private var freed: [(at: Int64, bytes: Int)] = []
    /// By event loop; `nil` for one that has not said anything since memory runs short.
    private var claims: [[MemoryClaim]?]
    private var shortSince: Int64?

    /// - Parameters:
    ///   - bytesMax: the resident memory above which nobody new is let in.
    ///   - shardCount: event loops.
    public init(bytesMax: Int, shardCount: Int) {
        self.bytesMax = bytesMax
        self.shardCount = shardCount
        claims = Array(repeating: nil, count: shardCount)
    }

    /// Memory runs short: connections have to go.
    public var isShort: Bool { resident > bytesMax / 8 * 7 }
    /// So short that histories go where that was not enough.
    private var isVeryShort: Bool { resident > bytesMax / 16 * 15 }

    /// The resident memory, once a second.
    public mutating func onResident(_ bytes: Int, now: Int64) {
        resident = bytes
        freed.removeAll { now - $0.at >= Self.settleMilliseconds }
        if !isShort { claims = Array(repeating: nil, count: shardCount) }
        shortSince = isShort ? shortSince ?? now : nil
    }

    /// What a shard has to give up, by what its connections hold now; of other shards it is known what they said last.
    public mutating func plan(_ own: [MemoryClaim], ofShard shardIndex: Int, now: Int64) -> Plan {
        var plan = Plan()
        guard let shortSince else { return plan }
        claims[shardIndex] = own.count <= Self.claimsMax ? own : Array(own.sorted { $0.bytes > $1.bytes }.prefix(Self.claimsMax))
        if claims.contains(nil), now - shortSince < Self.collectMilliseconds { return plan }
        var over = resident - bytesMax / 8 * 7 - freed.reduce(0) { $0 + $1.bytes }
        var (given, ended) = (0, Set<Int>())
        for (claim, claimant) in ranked() where over > 0 {
            over -= claim.bytes
            guard claimant == shardIndex, plan.endings.count < Self.endingsMax else { continue }
            plan.endings.append(claim.connection)
            ended.insert(claim.connection)
            given += claim.bytes
        }
        claims[shardIndex]?.removeAll { ended.contains($0.connection) }
        if over > 0, isVeryShort { plan.historyBytes = min(Self.historyBytesMax, over / shardCount + 1) }
        if given > 0 { onFreed(given, now: now) }
        return plan
    }

    /// So much was given up.
    public mutating func onFreed(_ bytes: Int, now: Int64) { freed.append((now, bytes)) }

    /// Those who have to go, the heaviest first; others are not in it.
    private func ranked() -> [(claim: MemoryClaim, shardIndex: Int)] {
        var owners: [ByteOwner: Int] = [:]
        for claim in claims.lazy.compactMap(\.self).joined() { if let owner = claim.owner { owners[owner, default: 0] += claim.bytes } }
        /// First those that are heavy by themselves, then those of heavy owners, by what these hold.
        func rank(_ claim: MemoryClaim) -> (isHeavy: Int, owner: Int, bytes: Int) {
            claim.bytes >= Self.heavyBytesMin
                ? (1, 0, claim.bytes) : (0, claim.owner.flatMap { owners[$0] } ?? 0, claim.bytes)
        }
        var all: [(claim: MemoryClaim, shardIndex: Int, rank: (isHeavy: Int, owner: Int, bytes: Int))] = []
        for (shardIndex, claims) in claims.enumerated() {
            for claim in claims ?? [] {
                let rank = rank(claim)
                if rank.isHeavy == 1 || rank.owner >= Self.heavyOwnerBytesMin { all.append((claim, shardIndex, rank)) }
            }
        }
        all.sort { one, other in
            one.rank == other.rank
                ? (one.shardIndex, one.claim.connection) < (other.shardIndex, other.claim.connection) : one.rank > other.rank
        }
        return all.map { ($0.claim, $0.shardIndex) }
    }
}
