// One revocation of tokens: a user's, or one token of a user. All that a node needs to know stands in the name of its znode, so that
// reading the names of the children reads the whole list at one moment. What the names say of users and tokens are hashes under the
// cluster's secret; the znode's content says it in clear, for people.

import HashRing

/// Tokens that are not valid any more, though they have not expired.
public struct Revocation: Hashable, Sendable {
    /// A token's id takes 1 to 256 bytes.
    public static let tokenIDBytesMax = 256

    /// The hash of the user's key.
    public let user: UInt64
    /// One token of the user; `nil` for all of them.
    public let token: UInt64?
    /// All tokens of the user that were issued in this second or before, in seconds since 1970; 0 if one token is meant.
    public let issuedBefore: Int64
    /// When the last token that it means has expired, in seconds since 1970.
    public let until: Int64

    /// All tokens of a user that exist by now.
    ///
    /// - Parameters:
    ///   - user: the hash of the user's key.
    ///   - issuedBefore: seconds since 1970, not negative.
    ///   - until: seconds since 1970, not negative.
    public init(user: KeyHash, issuedBefore: Int64, until: Int64) {
        self.init(user: user.rawValue, token: nil, issuedBefore: issuedBefore, until: until)
    }

    /// One token of a user.
    ///
    /// - Parameters:
    ///   - user: the hash of the user's key.
    ///   - token: by ``tokenHash(_:hasher:)``.
    ///   - until: seconds since 1970, not negative.
    public init(user: KeyHash, token: UInt64, until: Int64) {
        self.init(user: user.rawValue, token: token, issuedBefore: 0, until: until)
    }

    private init(user: UInt64, token: UInt64?, issuedBefore: Int64, until: Int64) {
        self.user = user
        self.token = token
        self.issuedBefore = max(0, issuedBefore)
        self.until = max(0, until)
    }

    /// Stands for a token's id, the claim `jti`. Hashed like a user's name that no user can have, because names hold no NUL.
    public static func tokenHash(_ tokenID: String, hasher: KeyHasher) -> UInt64 {
        hasher.hash(.user, "jti\0" + tokenID).rawValue
    }

    // MARK: - The name

    /// `<until>-<issuedBefore>-<user>-<token>`: two decimal numbers and twice sixteen hexadecimal digits; a token that is none is a `-`.
    public var name: String { "\(until)-\(issuedBefore)-\(user.hexadecimal)-\(token?.hexadecimal ?? "-")" }

    /// Reads a name. `nil` for anything that ``name`` does not write.
    public init?(name: String) {
        // The longest: twice 19 digits, twice 16 and three dashes.
        guard name.utf8.count <= 73 else { return nil }
        let parts = Array(name.utf8).split(separator: UInt8(ascii: "-"), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let until = Int64(String(decoding: parts[0], as: UTF8.self)),
            let issuedBefore = Int64(String(decoding: parts[1], as: UTF8.self)), let user = UInt64(hexadecimal: parts[2])
        else { return nil }
        var token: UInt64?
        if !parts[3].elementsEqual([UInt8(ascii: "-")]) {
            guard let hash = UInt64(hexadecimal: parts[3]) else { return nil }
            token = hash
        }
        self.init(user: user, token: token, issuedBefore: issuedBefore, until: until)
        // Signs, leading zeros, upper case, a short hash: one revocation has one name.
        guard self.name == name else { return nil }
    }

    // MARK: - One and another

    /// Whom it is about: a user, or one token of a user.
    struct Subject: Hashable, Sendable {
        let user: UInt64
        let token: UInt64?
    }

    var subject: Subject { Subject(user: user, token: token) }

    /// The other one says nothing more.
    func covers(_ other: Revocation) -> Bool {
        subject == other.subject && until >= other.until && issuedBefore >= other.issuedBefore
    }
}

/// What a revocation says to people: the content of its znode.
public struct RevocationNote: Codable, Hashable, Sendable {
    /// The content of the znode has at most this many bytes: JSON makes six bytes of one where it must.
    public static let jsonBytesMax = 4_096

    /// The user's name.
    public let user: String
    /// The token's id; `nil` for all tokens of the user.
    public let token: String?
    /// Seconds since 1970.
    public let until: Int64

    /// A note beside a revocation.
    public init(user: String, token: String?, until: Int64) {
        self.user = user
        self.token = token
        self.until = until
    }

    /// The content of the znode.
    public func json() -> [UInt8] { DocumentJSON.encode(self) }

    /// Reads the content of the znode.
    ///
    /// - Throws: ``DocumentError``, which names the znode.
    public init(json: [UInt8], znode: String) throws(DocumentError) {
        self = try DocumentJSON.decode(RevocationNote.self, from: json, bytesMax: Self.jsonBytesMax, znode: znode)
    }
}

extension ClusterPaths {
    /// A revocation's znode.
    public func revocation(_ revocation: Revocation) -> String { "\(revocations)/\(revocation.name)" }
}
