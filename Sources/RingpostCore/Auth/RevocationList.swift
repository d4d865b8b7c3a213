// All revocations that hold, as an event loop asks for them: with every handshake, every renewal and every change of the list. It is a
// value without a clock; whoever keeps it drops what has expired.

import HashRing

/// The revocations of a cluster.
public struct RevocationList: Sendable {
    /// So many may hold; further ones are refused. Their names are read at once, and a server's answer has about a megabyte at most.
    public static let countMax = 10_000
    /// So many are taken over: several nodes can each take the last free place. Of more, those that last longest.
    public static let takenMax = countMax + 1_000
    /// The last so many places are for API keys that are limited to no names: no tenant can keep operators from revoking.
    public static let keptMax = 1_000
    /// So many may be made with one API key that is limited to names.
    public static let madeByOneMax = 1_000
    /// They hold for so much longer than `until`: clocks differ, and tokens are let through for their leeway. No leeway may be longer.
    public static let graceSeconds: Int64 = 300

    /// Each once.
    public private(set) var revocations: Set<Revocation> = []
    /// The newest second in which a user's tokens were issued that are revoked.
    private var users: [UInt64: Int64] = [:]
    private var tokens: Set<Revocation.Subject> = []
    /// Likewise, by the keys that have signed the tokens.
    private var keys: [UInt64: Int64] = [:]
    /// Likewise, of all tokens; `nil` for none.
    private var everybody: Int64?

    /// A list without revocations.
    public init() {}

    /// A list of these; of more than ``takenMax``, of those that last longest.
    public init(_ revocations: some Collection<Revocation>) {
        let isTooLong = revocations.count > Self.takenMax
        // By the name where they last equally long, so that all nodes take the same.
        let taken =
            isTooLong ? Array(revocations.sorted { ($0.until, $0.name) > ($1.until, $1.name) }.prefix(Self.takenMax)) : Array(revocations)
        for revocation in taken { insert(revocation) }
    }

    /// How many there are.
    public var count: Int { revocations.count }

    /// How many of them a key that is limited to names has made.
    func count(madeBy maker: UInt64) -> Int { revocations.count { $0.maker == maker } }

    /// Some are about keys for tokens, so that ``revokesSigned(by:issuedAt:)`` is worth asking.
    public var concernsKeys: Bool { !keys.isEmpty }

    /// Whether a token is not valid any more because of its key, or of when it was issued.
    ///
    /// - Parameters:
    ///   - keyHash: ``Revocation/keyHash(_:hasher:)`` of the key's id; `nil` if it has none.
    ///   - issuedAt: seconds since 1970; a token that does not say it counts as older than any revocation.
    public func revokesSigned(by keyHash: UInt64?, issuedAt: Int64?) -> Bool {
        if let everybody, issuedAt ?? .min <= everybody { return true }
        guard let keyHash, let issuedBefore = keys[keyHash] else { return false }
        return issuedAt ?? .min <= issuedBefore
    }

    /// Whether a token is not valid any more because of its user, or by its name. Three looks into dictionaries at most.
    ///
    /// - Parameters:
    ///   - user: the hash of the token's user.
    ///   - tokenHash: ``Revocation/tokenHash(_:hasher:)`` of its id; `nil` if it has none, and then it can't be revoked alone.
    ///   - issuedAt: seconds since 1970; a token that does not say it counts as older than any revocation.
    public func revokes(user: KeyHash, tokenHash: UInt64?, issuedAt: Int64?) -> Bool {
        if let issuedBefore = users[user.rawValue], issuedAt ?? .min <= issuedBefore { return true }
        guard let tokenHash else { return false }
        return tokens.contains(.token(user: user.rawValue, token: tokenHash))
    }

    /// Adds one; twice is once.
    public mutating func insert(_ revocation: Revocation) {
        guard revocations.insert(revocation).inserted else { return }
        switch revocation.subject {
        case .user(let user): users[user] = max(revocation.issuedBefore, users[user] ?? .min)
        case .token: tokens.insert(revocation.subject)
        case .key(let key): keys[key] = max(revocation.issuedBefore, keys[key] ?? .min)
        case .everybody: everybody = max(revocation.issuedBefore, everybody ?? .min)
        }
    }

    /// Drops what holds no longer: ``graceSeconds`` after its `until`.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: whether any was dropped.
    @discardableResult
    public mutating func expire(now: Int64) -> Bool {
        let holding = revocations.filter { !Self.isOver($0, now: now) }
        guard holding.count < revocations.count else { return false }
        self = RevocationList(holding)
        return true
    }

    /// Whether it holds no longer.
    public static func isOver(_ revocation: Revocation, now: Int64) -> Bool { revocation.until < now - graceSeconds }

    /// Drops those that hold no longer, and those beside which another one says at least as much.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: what was dropped.
    public mutating func tidy(now: Int64) -> [Revocation] {
        var best: [Revocation.Subject: Revocation] = [:]
        var needless: [Revocation] = []
        for revocation in revocations {
            if Self.isOver(revocation, now: now) {
                needless.append(revocation)
            } else if let other = best[revocation.subject] {
                if revocation.covers(other) {
                    needless.append(other)
                    best[revocation.subject] = revocation
                } else if other.covers(revocation) {
                    needless.append(revocation)
                }
            } else {
                best[revocation.subject] = revocation
            }
        }
        if !needless.isEmpty { self = RevocationList(revocations.subtracting(needless)) }
        return needless
    }
}

extension RevocationList: Equatable {
    /// The same revocations.
    public static func == (one: RevocationList, other: RevocationList) -> Bool { one.revocations == other.revocations }
}
