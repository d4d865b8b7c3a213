// Why somebody is not believed. The one who asks learns the sentence; the reason's name is what is counted and logged, never the token.

/// What is wrong with a token or an API key.
public enum AuthError: String, Error, Sendable, CaseIterable {
    case missing
    case malformed
    case unknownKey = "unknown_key"
    case wrongAlgorithm = "wrong_algorithm"
    case badSignature = "bad_signature"
    case badClaims = "bad_claims"
    case expired
    case notYetValid = "not_yet_valid"
    case wrongIssuer = "wrong_issuer"
    case wrongAudience = "wrong_audience"
    case tooLongLived = "too_long_lived"
    case revoked
    /// Its key, or all tokens of its time, have been taken back: a newer one of the same user is good.
    case outdated
    case wrongUser = "wrong_user"
    /// No API key of that id, or another secret.
    case wrongKey = "wrong_key"
    /// The rights don't go so far.
    case notGranted = "not_granted"

    /// A sentence for who asks. None of them says which keys there are.
    public var message: String {
        switch self {
        case .missing:
            "say who you are: bring a token as Authorization: Bearer …, as access_token, or as a WebSocket's subprotocol or first frame"
        case .malformed: "this is no token: three parts of base64url with a JSON header are expected"
        case .unknownKey: "the token's key is not known here"
        case .wrongAlgorithm: "the token's algorithm is not the one that its key is for"
        case .badSignature: "the token's signature is not its key's"
        case .badClaims: "the token's claims can't be read: sub and exp are needed, grants are lists of names"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet"
        case .wrongIssuer: "the token is another issuer's"
        case .wrongAudience: "the token is for somebody else"
        case .tooLongLived: "the token is valid for longer than this node takes"
        case .revoked: "the token has been revoked"
        case .outdated: "tokens of this key, or of this age, have been taken back: bring a newer one"
        case .wrongUser: "the token is another user's"
        case .wrongKey: "this API key is not known here, or has expired"
        case .notGranted: "this is not among what you may do here"
        }
    }
}

/// Why one token was not taken: the reason, which is counted, and a sentence for its bearer. What stands in claims is told only once the
/// signature has been found good: before that, whoever has sent the token may be a stranger.
public struct AuthRefusal: Error, Hashable, Sendable {
    /// The reason's name.
    public let error: AuthError
    /// What is wrong with this very token.
    public let message: String

    /// The reason's own sentence is used where none is given.
    public init(_ error: AuthError, _ message: String? = nil) {
        self.error = error
        self.message = message ?? error.message
    }
}
