// A member's entry in the roster: what its znode says, and what has become of its lives before this one. A life is a process.
//
// The JSON keys are the member's, and `since` (milliseconds since 1970), `shortLives` and `givenUp` (true), which may all be missing.

/// When a process began, and how those before it on the same id ended.
public struct Life: Hashable, Sendable {
    /// A life is short that was followed by the next one within so many times S, not counting a pause.
    static let shortSessions: Int64 = 10
    /// After so many short lives in a row a node pauses.
    static let shortLivesTolerated = 2
    /// The first pause is so many times S, each further one twice as long.
    static let pauseSessions: Int64 = 5
    /// A pause is so many times S at most.
    static let pauseSessionsMax: Int64 = 100

    /// Milliseconds since 1970 by the node's own clock; 0 where it is not known.
    public let since: Int64
    /// So many lives before this one, without a long one or a goodbye between, were short.
    public let shortLives: Int

    /// A life that follows none.
    public init(since: Int64 = 0, shortLives: Int = 0) {
        self.since = since
        self.shortLives = shortLives
    }

    /// This life as the successor of one that ended without a goodbye.
    func following(_ former: Life, sessionTimeoutMilliseconds: Int64) -> Life {
        guard since > 0, former.since > 0 else { return Life(since: since) }
        // While it paused it could not do what ends it.
        let short = Self.shortSessions * sessionTimeoutMilliseconds + former.pauseMilliseconds(sessionTimeoutMilliseconds)
        return Life(since: since, shortLives: since - former.since < short ? min(former.shortLives, 1_000) + 1 : 0)
    }

    /// For so long it takes no weight.
    func pauseMilliseconds(_ sessionTimeoutMilliseconds: Int64) -> Int64 {
        let doublings = shortLives - Self.shortLivesTolerated - 1
        guard doublings >= 0 else { return 0 }
        return min(Self.pauseSessions << Int64(min(doublings, 16)), Self.pauseSessionsMax) * sessionTimeoutMilliseconds
    }
}

/// One entry of the roster.
public struct RosterEntry: Hashable, Sendable {
    /// The member that registered last under this id.
    public let member: Member
    /// Its life.
    public let life: Life
    /// An operator has said that it is gone for good. Nobody waits for it, or for those that had its id before, and what a store of its
    /// lineage still holds counts no more. Whoever registers under the id writes an entry that is not given up.
    public let isGivenUp: Bool

    /// An entry to be written.
    public init(_ member: Member, _ life: Life, isGivenUp: Bool = false) {
        self.member = member
        self.life = life
        self.isGivenUp = isGivenUp
    }

    /// The content of the znode.
    public func json() -> [UInt8] { DocumentJSON.encode(self) }

    /// Reads an entry.
    ///
    /// - Throws: ``DocumentError``, which names the znode.
    public init(json: [UInt8], znode: String) throws(DocumentError) {
        member = try Member(json: json, znode: znode)
        let entry = try DocumentJSON.decode(RosterEntry.self, from: json, bytesMax: Member.jsonBytesMax, znode: znode)
        (life, isGivenUp) = (entry.life, entry.isGivenUp)
    }
}

extension RosterEntry: Codable {
    private enum CodingKeys: String, CodingKey {
        case since, shortLives, givenUp
    }

    /// Reads the JSON form that the file's head describes.
    public init(from decoder: any Decoder) throws {
        member = try Member(from: decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        life = Life(
            since: max(0, try values.decodeIfPresent(Int64.self, forKey: .since) ?? 0),
            shortLives: max(0, try values.decodeIfPresent(Int.self, forKey: .shortLives) ?? 0))
        isGivenUp = try values.decodeIfPresent(Bool.self, forKey: .givenUp) ?? false
    }

    /// Writes the JSON form that the file's head describes.
    public func encode(to encoder: any Encoder) throws {
        try member.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        if life.since > 0 { try values.encode(life.since, forKey: .since) }
        if life.shortLives > 0 { try values.encode(life.shortLives, forKey: .shortLives) }
        if isGivenUp { try values.encode(true, forKey: .givenUp) }
    }
}
