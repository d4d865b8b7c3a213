// Whom a node believes, and whence: what an operator says about tokens, API keys and proxies.
import RingpostCore
import RingpostWire

/// Settings of a node's trust.
public struct AuthConfiguration: Sendable {
    /// Twice this and a clock that is off have to stay below what a revocation holds longer than the tokens that it means
    /// (``RevocationList/graceSeconds``).
    public static let leewaySecondsMax: Int64 = 120

    /// A file with a key, or a directory of such files: clients' tokens are checked with them.
    public var tokenKeysPath: String?
    /// Where such keys are published (a JWKS).
    public var tokenKeysURL: String?
    /// The keys of each of ``issuers`` are those that it names in its OpenID configuration.
    public var discoversKeys = false
    /// Whose tokens are taken (`iss`); anybody's whose key is known, if empty.
    public var issuers: [String] = []
    /// For whom tokens must be (`aud`), one of these; for anybody, if empty.
    public var audiences: [String] = []
    /// In which claims tokens say what they grant.
    public var claimsMap = ClaimsMap()
    /// How far the issuer's clock may be off: for so long a token is good before it begins and after it ends.
    public var leewaySeconds: Int64 = 0
    /// A token that is valid for longer from now is not taken, so that a revocation can end some time.
    public var tokenSecondsMax: Int64 = 86_400
    /// So long before its token expires a client is told.
    public var warningSeconds: Int64 = 30
    /// Without ZooKeeper: a file that keeps revocations over a restart.
    public var revocationsFile: String?
    /// Who has ordered what, and who was refused, in a file of its own.
    public var auditLogFile: String?
    /// A file with the hashes of producers' and operators' keys.
    public var apiKeysFile: String?
    /// Whose word is believed about for whom a connection or request is.
    public var trustedProxies = TrustedProxies.nobody

    /// Nobody is asked for anything.
    public init() {}

    /// Clients must bring a token.
    public var asksForTokens: Bool { tokenKeysPath != nil || tokenKeysURL != nil || discoversKeys }
    /// Producers and operators must bring a key.
    public var asksForKeys: Bool { apiKeysFile != nil }
}
