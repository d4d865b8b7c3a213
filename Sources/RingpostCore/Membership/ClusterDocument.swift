// What all nodes of a cluster must agree on before they can agree on anything else: the content of `/ringpost/<cluster>/ring`.
// Whoever comes first writes it, once. While the cluster runs only `epochBase` changes, and that only grows: when ZooKeeper has lost data; and
// `copies`, if an operator writes another number.
//
// The JSON keys are stable: `formatVersion`, `seed` (32 hexadecimal digits, secret), `generation` (16), the three times
// `sessionTimeoutMilliseconds`, `heartbeatTimeoutMilliseconds`, `outageMaxMilliseconds`, and, which may be missing,
// `recoveryWaitMilliseconds`, `copies` (2 where it is missing) and `epochBase` (16; 0 where it is missing). Unknown keys are ignored.

import HashRing

/// The cluster's constitution. See docs/architecture/membership.md, "What stands in ZooKeeper".
public struct ClusterDocument: Hashable, Sendable {
    /// The only format that this program reads.
    public static let formatVersionKnown = 1
    /// The document has at most this many bytes.
    public static let jsonBytesMax = 4_096
    /// S when nobody says otherwise.
    public static let sessionTimeoutMillisecondsDefault = 6_000
    /// S can be this short: below, one collection of garbage in ZooKeeper ends every session.
    public static let sessionTimeoutMillisecondsMin = 200
    /// S can be this long: that long nobody takes over from a dead node.
    public static let sessionTimeoutMillisecondsMax = 600_000
    /// M when nobody says otherwise.
    public static let outageMaxMillisecondsDefault = 600_000
    /// M can be a day at most; new owners without a copy wait for it.
    public static let outageMaxMillisecondsMax = 86_400_000
    /// Epochs begin at a multiple of this. A zxid counts transactions in its lower half and elections of leaders in its upper one, so that a
    /// new base is above whatever any member has seen, unless there were 256 elections since.
    static let epochBaseStep: UInt64 = 1 << 40
    /// A base is this large at most, so that a zxid can be added to it.
    static let epochBaseMax: UInt64 = 1 << 62

    /// How long a node that lost its session is waited for when nobody says otherwise.
    public static let recoveryWaitMillisecondsDefault = 30_000
    /// That can be a day at most too.
    public static let recoveryWaitMillisecondsMax = 86_400_000

    /// How many members have a copy of each slot when nobody says otherwise: its owner and one more.
    public static let copiesDefault = 2
    /// With 1 a message is lost with the process that has it; no ring is deeper than 3.
    public static let copiesRange = 1...3

    /// The version of the document itself.
    public let formatVersion: Int
    /// The secret under which keys are placed.
    public let seed: SipKey
    /// Which cluster this is: random, so that no two clusters of one name are taken for each other.
    public let generation: UInt64
    /// S: a member whose session is silent for so long is dead.
    public let sessionTimeoutMilliseconds: Int
    /// H: a link that is silent for so long is cut. At most S.
    public let heartbeatTimeoutMilliseconds: Int
    /// M: how long the cluster goes on without ZooKeeper; 0 means not at all.
    public let outageMaxMilliseconds: Int
    /// How long a slot without a copy that is certainly the best waits for a node that runs, but is no member at present.
    public let recoveryWaitMilliseconds: Int
    /// How many members are to have a copy of each slot, the owner among them.
    public private(set) var copies: Int
    /// What is added to the `pzxid` of the member list to make an epoch: 0, until ZooKeeper has lost data and counts from below again.
    public private(set) var epochBase: UInt64 = 0

    /// A new cluster's document.
    ///
    /// - Parameters:
    ///   - seed: sixteen random bytes, kept secret.
    ///   - generation: 64 random bits.
    ///   - sessionTimeoutMilliseconds: S.
    ///   - heartbeatTimeoutMilliseconds: H; half of S unless said otherwise, which is 3,000 by default.
    ///   - outageMaxMilliseconds: M.
    ///   - recoveryWaitMilliseconds: how long a node that lost its session is waited for.
    ///   - copies: how many members are to have a copy of each slot.
    public init(
        seed: SipKey, generation: UInt64, sessionTimeoutMilliseconds: Int = Self.sessionTimeoutMillisecondsDefault,
        heartbeatTimeoutMilliseconds: Int? = nil, outageMaxMilliseconds: Int = Self.outageMaxMillisecondsDefault,
        recoveryWaitMilliseconds: Int = Self.recoveryWaitMillisecondsDefault, copies: Int = Self.copiesDefault
    ) {
        formatVersion = Self.formatVersionKnown
        self.seed = seed
        self.generation = generation
        self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        self.heartbeatTimeoutMilliseconds = heartbeatTimeoutMilliseconds ?? sessionTimeoutMilliseconds / 2
        self.outageMaxMilliseconds = outageMaxMilliseconds
        self.recoveryWaitMilliseconds = recoveryWaitMilliseconds
        self.copies = copies
    }

    /// Places keys under this cluster's secret.
    public var hasher: KeyHasher { KeyHasher(seed: seed) }

    /// How long a sync that was answered lets its sender act, from the sending: S without a sixth, the time between two syncs.
    ///
    /// The leader's clock for a session does not begin with the sync. A follower tells the leader twice a tick which sessions it has heard
    /// of; when it is cut off right after it has answered, what the leader knows of is the sync before. That one has reached it as long
    /// as half a tick is no longer than S/6.
    public var leaseMilliseconds: Int { sessionTimeoutMilliseconds - sessionTimeoutMilliseconds / 6 }

    /// S + H: nobody who has lost its session acts for longer, if it is known to be gone.
    public var vacancyMillisecondsMin: Int { sessionTimeoutMilliseconds + heartbeatTimeoutMilliseconds }

    /// S + H + M: nobody who has lost its session acts for longer, whatever has become of it.
    public var vacancyMillisecondsMax: Int { vacancyMillisecondsMin + outageMaxMilliseconds }

    /// How long a slot without a copy that is certainly the best waits while somebody runs who may come back with one.
    public var recoveryMilliseconds: Int { max(vacancyMillisecondsMin, recoveryWaitMilliseconds) }

    /// The same cluster, with epochs that begin above all that has been.
    func rebased(above epoch: UInt64) -> ClusterDocument {
        var copy = self
        copy.epochBase = (epoch / Self.epochBaseStep + 1) * Self.epochBaseStep
        return copy
    }

    /// The same cluster, with another number of copies. Each slot has its own set, so nodes may differ about it for a while.
    package func with(copies: Int) -> ClusterDocument {
        var copy = self
        copy.copies = copies
        return copy
    }

    /// The same cluster, with another base.
    func with(epochBase: UInt64) -> ClusterDocument {
        var copy = self
        copy.epochBase = epochBase
        return copy
    }

    /// The content of the znode.
    public func json() -> [UInt8] { DocumentJSON.encode(self) }

    /// Reads the znode `/ringpost/<cluster>/ring`.
    ///
    /// - Throws: ``DocumentError`` when the document is broken, of another version, or its times make no sense.
    public init(json: [UInt8], znode: String) throws(DocumentError) {
        // The version first: a later format may lack what this one needs, and that is not the thing to say then.
        let version = try DocumentJSON.decode(Version.self, from: json, bytesMax: Self.jsonBytesMax, znode: znode).formatVersion
        guard version == Self.formatVersionKnown else {
            let reason = "has format version \(version), but this program knows version \(Self.formatVersionKnown) only"
            throw DocumentError(znode: znode, reason: reason)
        }
        self = try DocumentJSON.decode(ClusterDocument.self, from: json, bytesMax: Self.jsonBytesMax, znode: znode)
        if let fault { throw DocumentError(znode: znode, reason: fault) }
    }

    /// What is wrong with its settings, as the end of a sentence; `nil` when nothing is.
    public var fault: String? {
        let sessionTimes = Self.sessionTimeoutMillisecondsMin...Self.sessionTimeoutMillisecondsMax
        if !sessionTimes.contains(sessionTimeoutMilliseconds) {
            return "has sessionTimeoutMilliseconds \(sessionTimeoutMilliseconds), which is not in \(sessionTimes)"
        }
        if !(1...sessionTimeoutMilliseconds).contains(heartbeatTimeoutMilliseconds) {
            return "has heartbeatTimeoutMilliseconds \(heartbeatTimeoutMilliseconds), which is not in 1…\(sessionTimeoutMilliseconds)"
        }
        if !(0...Self.outageMaxMillisecondsMax).contains(outageMaxMilliseconds) {
            return "has outageMaxMilliseconds \(outageMaxMilliseconds), which is not in 0…\(Self.outageMaxMillisecondsMax)"
        }
        if !(0...Self.recoveryWaitMillisecondsMax).contains(recoveryWaitMilliseconds) {
            return "has recoveryWaitMilliseconds \(recoveryWaitMilliseconds), which is not in 0…\(Self.recoveryWaitMillisecondsMax)"
        }
        if !Self.copiesRange.contains(copies) { return "has copies \(copies), which is not in \(Self.copiesRange)" }
        return epochBase <= Self.epochBaseMax ? nil : "has an epochBase above \(Self.epochBaseMax.hexadecimal)"
    }

    private struct Version: Decodable {
        let formatVersion: Int
    }
}

extension ClusterDocument: Codable {
    private enum CodingKeys: String, CodingKey {
        case formatVersion, seed, generation, sessionTimeoutMilliseconds, heartbeatTimeoutMilliseconds, outageMaxMilliseconds,
            recoveryWaitMilliseconds, copies, epochBase
    }

    /// Reads the JSON form that the file's head describes.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        formatVersion = try values.decode(Int.self, forKey: .formatVersion)
        let digits = Array(try values.decode(String.self, forKey: .seed).utf8)
        guard digits.count == 32, let high = UInt64(hexadecimal: digits[..<16]), let low = UInt64(hexadecimal: digits[16...]),
            let seed = SipKey(bytes: [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } })
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .seed, in: values, debugDescription: "expected 32 hexadecimal digits")
        }
        self.seed = seed
        generation = try values.decode(HexadecimalWord.self, forKey: .generation).word
        sessionTimeoutMilliseconds =
            try values.decodeIfPresent(Int.self, forKey: .sessionTimeoutMilliseconds) ?? Self.sessionTimeoutMillisecondsDefault
        heartbeatTimeoutMilliseconds =
            try values.decodeIfPresent(Int.self, forKey: .heartbeatTimeoutMilliseconds) ?? sessionTimeoutMilliseconds / 2
        outageMaxMilliseconds =
            try values.decodeIfPresent(Int.self, forKey: .outageMaxMilliseconds) ?? Self.outageMaxMillisecondsDefault
        recoveryWaitMilliseconds =
            try values.decodeIfPresent(Int.self, forKey: .recoveryWaitMilliseconds) ?? Self.recoveryWaitMillisecondsDefault
        copies = try values.decodeIfPresent(Int.self, forKey: .copies) ?? Self.copiesDefault
        epochBase = try values.decodeIfPresent(HexadecimalWord.self, forKey: .epochBase)?.word ?? 0
    }

    /// Writes the JSON form that the file's head describes.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(formatVersion, forKey: .formatVersion)
        let digits = seed.bytes.flatMap { byte in UInt64(byte).hexadecimal.utf8.suffix(2) }
        try values.encode(String(decoding: digits, as: UTF8.self), forKey: .seed)
        try values.encode(HexadecimalWord(word: generation), forKey: .generation)
        try values.encode(sessionTimeoutMilliseconds, forKey: .sessionTimeoutMilliseconds)
        try values.encode(heartbeatTimeoutMilliseconds, forKey: .heartbeatTimeoutMilliseconds)
        try values.encode(outageMaxMilliseconds, forKey: .outageMaxMilliseconds)
        if recoveryWaitMilliseconds != Self.recoveryWaitMillisecondsDefault {
            try values.encode(recoveryWaitMilliseconds, forKey: .recoveryWaitMilliseconds)
        }
        if copies != Self.copiesDefault { try values.encode(copies, forKey: .copies) }
        // Programs that don't know it would count epochs from 0: it is there only where it matters.
        if epochBase > 0 { try values.encode(HexadecimalWord(word: epochBase), forKey: .epochBase) }
    }
}

extension ClusterDocument: CustomStringConvertible {
    /// Everything but the seed, which is a secret that must not reach a log.
    public var description: String {
        "generation \(generation.hexadecimal), S \(sessionTimeoutMilliseconds) ms, H \(heartbeatTimeoutMilliseconds) ms, "
            + "M \(outageMaxMilliseconds) ms" + (copies == Self.copiesDefault ? "" : ", copies \(copies)")
    }
}
