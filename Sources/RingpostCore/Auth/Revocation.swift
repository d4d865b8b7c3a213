// One revocation of tokens: a user's, one token of a user, a key's, everybody's. All that a node needs to know stands in the name of its znode, so that
// reading the names of the children reads the whole list at one moment. What the names say of users and tokens are hashes under the
// cluster's secret; the znode's content says it in clear, for people.

import HashRing

/// What an operator takes back.
public enum RevokedTokens: Hashable, Sendable {
    /// All that a user has by now.
    case user(Key)
    /// One of a user's, by its claim `jti`.
    case token(Key, id: String)
    /// All that were signed with a key; those that were issued in that second or before, if one is given.
    case key(id: String, issuedBefore: Int64?)
    /// Everybody's that were issued in that second or before, in seconds since 1970.
    case everybody(issuedBefore: Int64)

    /// A user's, or one of them.
    public init(of user: Key, tokenID: String?) { self = tokenID.map { .token(user, id: $0) } ?? .user(user) }

    /// Whose they are, if they are one user's.
    public var user: Key? {
        switch self {
        case .user(let user), .token(let user, _): user
        case .key, .everybody: nil
        }
    }
}

/// Tokens that are not valid any more, though they have not expired.
public struct Revocation: Hashable, Sendable {
    /// A token's id takes 1 to 256 bytes.
    public static let tokenIDBytesMax = 256
    /// A key's id, likewise.
    public static let keyIDBytesMax = 256

    /// Whom it is about. All hashes are under the cluster's secret.
    enum Subject: Hashable, Sendable {
        /// The hash of the user's key.
        case user(UInt64)
        case token(user: UInt64, token: UInt64)
        /// The hash of the key's id.
        case key(UInt64)
        case everybody
    }

    let subject: Subject
    /// All tokens of the subject that were issued in this second or before, in seconds since 1970; 0 if one token is meant, the largest
    /// number if it doesn't matter when they were issued.
    public let issuedBefore: Int64
    /// When the last token that it means has expired, in seconds since 1970.
    public let until: Int64
    /// The hash of the API key's id that has made it, if that key is limited to names: it may not make many.
    public let maker: UInt64?

    /// All tokens of a user that exist by now.
    ///
    /// - Parameters:
    ///   - user: the hash of the user's key.
    ///   - issuedBefore: seconds since 1970, not negative.
    ///   - until: seconds since 1970, not negative.
    ///   - maker: see ``maker``.
    public init(user: KeyHash, issuedBefore: Int64, until: Int64, maker: UInt64? = nil) {
        self.init(.user(user.rawValue), issuedBefore: issuedBefore, until: until, maker: maker)
    }

    /// One token of a user.
    ///
    /// - Parameters:
    ///   - user: the hash of the user's key.
    ///   - token: by ``tokenHash(_:hasher:)``.
    ///   - until: seconds since 1970, not negative.
    ///   - maker: see ``maker``.
    public init(user: KeyHash, token: UInt64, until: Int64, maker: UInt64? = nil) {
        self.init(.token(user: user.rawValue, token: token), issuedBefore: 0, until: until, maker: maker)
    }

    /// All tokens that one key has signed.
    ///
    /// - Parameters:
    ///   - key: by ``keyHash(_:hasher:)``.
    ///   - issuedBefore: seconds since 1970; `nil` if it doesn't matter.
    ///   - until: seconds since 1970, not negative.
    public init(key: UInt64, issuedBefore: Int64?, until: Int64) {
        self.init(.key(key), issuedBefore: issuedBefore ?? .max, until: until, maker: nil)
    }

    /// All tokens of everybody that exist by then.
    ///
    /// - Parameters:
    ///   - everybodyIssuedBefore: seconds since 1970, not negative.
    ///   - until: seconds since 1970, not negative.
    public init(everybodyIssuedBefore: Int64, until: Int64) {
        self.init(.everybody, issuedBefore: everybodyIssuedBefore, until: until, maker: nil)
    }

    private init(_ subject: Subject, issuedBefore: Int64, until: Int64, maker: UInt64?) {
        self.subject = subject
        self.issuedBefore = max(0, issuedBefore)
        self.until = max(0, until)
        self.maker = maker
    }

    /// What an operator's wish comes to.
    ///
    /// - Parameters:
    ///   - seconds: since 1970: a user's tokens are those that were issued in this second or before.
    ///   - maker: the id of an API key that is limited to names; `nil` for all others.
    public init(_ tokens: RevokedTokens, seconds: Int64, until: Int64, maker: String?, hasher: KeyHasher) {
        let maker = maker.map { Self.makerHash($0, hasher: hasher) }
        switch tokens {
        case .user(let user): self.init(user: user.hash, issuedBefore: seconds, until: until, maker: maker)
        case .token(let user, let id): self.init(user: user.hash, token: Self.tokenHash(id, hasher: hasher), until: until, maker: maker)
        case .key(let id, let issuedBefore): self.init(key: Self.keyHash(id, hasher: hasher), issuedBefore: issuedBefore, until: until)
        case .everybody(let issuedBefore): self.init(everybodyIssuedBefore: issuedBefore, until: until)
        }
    }

    /// Stands for a token's id, the claim `jti`. Hashed like a user's name that no user can have, because names hold no NUL.
    public static func tokenHash(_ tokenID: String, hasher: KeyHasher) -> UInt64 { hasher.hash(.user, "jti\0" + tokenID).rawValue }
    /// Stands for what nodes call a key for tokens.
    public static func keyHash(_ keyID: String, hasher: KeyHasher) -> UInt64 { hasher.hash(.user, "kid\0" + keyID).rawValue }
    /// Stands for an API key's id.
    static func makerHash(_ keyID: String, hasher: KeyHasher) -> UInt64 { hasher.hash(.user, "api\0" + keyID).rawValue }

    // MARK: - The name

    /// `<until>-<issuedBefore>-<subject>`, and `-<maker>` if there is one: decimal numbers, and hashes of sixteen hexadecimal digits. The
    /// subject is `<user>--`, `<user>-<token>`, `key-<key>` or `all--`.
    public var name: String {
        let name = "\(until)-\(issuedBefore)-\(subject.name)"
        return maker.map { "\(name)-\($0.hexadecimal)" } ?? name
    }

    /// Reads a name. `nil` for anything that ``name`` does not write.
    public init?(name: String) {
        // The longest: twice 19 digits, three times 16 and four dashes.
        guard name.utf8.count <= 90 else { return nil }
        let parts = Array(name.utf8).split(separator: UInt8(ascii: "-"), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let until = Int64(String(decoding: parts[0], as: UTF8.self)),
            let issuedBefore = Int64(String(decoding: parts[1], as: UTF8.self))
        else { return nil }
        var (what, maker): (ArraySlice<UInt8>, UInt64?) = (parts[3], nil)
        // Behind a dash of its own.
        if what.count > 17 {
            guard let hash = UInt64(hexadecimal: what.suffix(16)) else { return nil }
            (what, maker) = (what.dropLast(17), hash)
        }
        guard let subject = Subject(parts[2], what) else { return nil }
        self.init(subject, issuedBefore: issuedBefore, until: until, maker: maker)
        // Signs, leading zeros, upper case, a short hash: one revocation has one name.
        guard self.name == name else { return nil }
    }

    // MARK: - One and another

    /// The other one says nothing more.
    func covers(_ other: Revocation) -> Bool {
        subject == other.subject && until >= other.until && issuedBefore >= other.issuedBefore
    }
}

extension Revocation.Subject {
    fileprivate var name: String {
        switch self {
        case .user(let user): "\(user.hexadecimal)--"
        case .token(let user, let token): "\(user.hexadecimal)-\(token.hexadecimal)"
        case .key(let key): "key-\(key.hexadecimal)"
        case .everybody: "all--"
        }
    }

    /// - Parameters:
    ///   - who: what stands before the dash.
    ///   - what: behind it.
    fileprivate init?(_ who: ArraySlice<UInt8>, _ what: ArraySlice<UInt8>) {
        let isNone = what.elementsEqual([UInt8(ascii: "-")])
        if who.elementsEqual("all".utf8) {
            self = .everybody
        } else if who.elementsEqual("key".utf8) {
            guard let key = UInt64(hexadecimal: what) else { return nil }
            self = .key(key)
        } else if let user = UInt64(hexadecimal: who) {
            guard !isNone else {
                self = .user(user)
                return
            }
            guard let token = UInt64(hexadecimal: what) else { return nil }
            self = .token(user: user, token: token)
        } else {
            return nil
        }
    }
}

/// What a revocation says to people: the content of its znode.
public struct RevocationNote: Codable, Hashable, Sendable {
    /// The content of the znode has at most this many bytes: JSON makes six bytes of one where it must.
    public static let jsonBytesMax = 4_096

    /// The user's name; `nil` if it is about no user in particular.
    public let user: String?
    /// The token's id; `nil` for all tokens of the user.
    public let token: String?
    /// The id of the key that has signed the tokens.
    public let key: String?
    /// When the tokens were issued at the latest, in seconds since 1970; `nil` if it doesn't matter, or until the revocation was made.
    public let issuedBefore: Int64?
    /// Seconds since 1970.
    public let until: Int64

    /// A note beside a revocation of a user's tokens.
    public init(user: String, token: String?, until: Int64) {
        self.init(user: user, token: token, key: nil, issuedBefore: nil, until: until)
    }

    private init(user: String?, token: String?, key: String?, issuedBefore: Int64?, until: Int64) {
        self.user = user
        self.token = token
        self.key = key
        self.issuedBefore = issuedBefore
        self.until = until
    }

    /// A note beside any revocation.
    public init(_ tokens: RevokedTokens, until: Int64) {
        switch tokens {
        case .user(let user): self.init(user: user.text, token: nil, until: until)
        case .token(let user, let id): self.init(user: user.text, token: id, until: until)
        case .key(let id, let issuedBefore): self.init(user: nil, token: nil, key: id, issuedBefore: issuedBefore, until: until)
        case .everybody(let issuedBefore): self.init(user: nil, token: nil, key: nil, issuedBefore: issuedBefore, until: until)
        }
    }

    /// The content of the znode.
    public func json() -> [UInt8] { DocumentJSON.encode(self) }

    /// Reads the content of the znode.
    ///
    /// - Throws: ``DocumentError``, which names the znode.
    public init(json: [UInt8], znode: String) throws(DocumentError) {
        self = try DocumentJSON.decode(RevocationNote.self, from: json, bytesMax: Self.jsonBytesMax, znode: znode)
        if user == nil, key == nil, issuedBefore == nil { throw DocumentError(znode: znode, reason: "it says nothing") }
    }
}

extension ClusterPaths {
    /// A revocation's znode.
    public func revocation(_ revocation: Revocation) -> String { "\(revocations)/\(revocation.name)" }
}
