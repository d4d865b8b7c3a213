// The keys that tokens are checked with. A key is for one algorithm: what a token says of its algorithm chooses among keys, it never decides
// how a key is used (RFC 8725, 3.1), so there is no way to `none`, and no public key is ever taken for a secret.
import JWTKit

/// One key.
struct TokenKey: Sendable {
    /// What tokens call it (`kid`); `nil` for one that is tried whatever they say.
    let id: String?
    /// Its JSON Web Algorithm: HS256, HS384, HS512, RS256, ES256 or EdDSA.
    let algorithm: String
    let verifier: any JWTAlgorithm
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

    func lookup(id: String?, algorithm: String) -> Lookup {
        var candidates = keys
        if let id {
            candidates = keys.filter { $0.id == id }
            if candidates.isEmpty { candidates = keys.filter { $0.id == nil } }
        }
        if candidates.isEmpty { return .unknownKey }
        candidates.removeAll { $0.algorithm != algorithm }
        return candidates.isEmpty ? .wrongAlgorithm : .found(Array(candidates.prefix(Self.triesMax)))
    }
}
