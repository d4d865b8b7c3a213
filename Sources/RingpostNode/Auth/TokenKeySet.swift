// The keys that tokens are checked with. A key is for one algorithm: what a token says of its algorithm chooses among keys, it never decides
// how a key is used (RFC 8725, 3.1), so there is no way to `none`, and no public key is ever taken for a secret.
import JWTKit
import RingpostCore

/// One key.
struct TokenKey: Sendable {
    /// What tokens call it (`kid`); `nil` for one that is tried whatever they say.
    let id: String?
    /// Its JSON Web Algorithm: HS256, HS384, HS512, RS256, ES256 or EdDSA.
    let algorithm: String
    /// Whose tokens it is for (`iss`), because that issuer has published it; `nil` for anybody's.
    let issuer: String?
    let verifier: any JWTAlgorithm
    /// What grants that it has signed for have of it.
    let signer: TokenSigner

    /// - Parameter fingerprint: of the key and its algorithm.
    init(id: String?, algorithm: String, issuer: String? = nil, verifier: any JWTAlgorithm, fingerprint: UInt64) {
        self.id = id
        self.algorithm = algorithm
        self.issuer = issuer
        self.verifier = verifier
        signer = TokenSigner(id: id, issuer: issuer, fingerprint: fingerprint)
    }
}

/// Some keys.
struct TokenKeySet: Sendable {
    /// More keys are refused.
    static let countMax = 1_000
    /// A token that names no key is tried with at most so many.
    static let triesMax = 16

    enum Lookup {
        case found([TokenKey])
        case unknownKey
        case wrongAlgorithm
    }

    let keys: [TokenKey]
    /// The issuer has to be known before the key is: some keys are one issuer's.
    let asksForIssuer: Bool
    /// Of all keys.
    let signers: Set<TokenSigner>

    init(keys: [TokenKey]) {
        self.keys = keys
        asksForIssuer = keys.contains { $0.issuer != nil }
        signers = Set(keys.map(\.signer))
    }

    /// By the keys' names, for people, what tells one from another.
    var marks: [String: Set<TokenSigner>] {
        Dictionary(grouping: signers) { ($0.issuer.map { "\($0) " } ?? "") + ($0.id ?? "any") }.mapValues(Set.init)
    }

    /// - Parameter issuer: whom the token says it is of; nobody has confirmed that yet.
    func lookup(id: String?, algorithm: String, issuer: String? = nil) -> Lookup {
        var candidates = asksForIssuer ? keys.filter { $0.issuer == nil || $0.issuer == issuer } : keys
        if let id {
            let named = candidates.filter { $0.id == id }
            candidates = named.isEmpty ? candidates.filter { $0.id == nil } : named
        }
        if candidates.isEmpty { return .unknownKey }
        candidates.removeAll { $0.algorithm != algorithm }
        return candidates.isEmpty ? .wrongAlgorithm : .found(Array(candidates.prefix(Self.triesMax)))
    }
}
