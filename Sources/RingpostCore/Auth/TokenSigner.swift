// Which key a token was signed with, so that what it has granted can end with that key. It knows no key, only enough to tell one from another.

/// One key for tokens. All grants that it has signed for share it, so that it costs a socket one word.
public final class TokenSigner: Sendable {
    /// What the node calls the key; `nil` for a single file's.
    public let id: String?
    /// Whose tokens the key is for; `nil` for anybody's.
    public let issuer: String?
    /// Of the key itself and its algorithm: another key under the same name is another signer.
    public let fingerprint: UInt64

    /// All of it.
    public init(id: String?, issuer: String?, fingerprint: UInt64) {
        self.id = id
        self.issuer = issuer
        self.fingerprint = fingerprint
    }
}

extension TokenSigner: Hashable {
    /// The same key, under the same name, for the same issuer.
    public static func == (one: TokenSigner, other: TokenSigner) -> Bool {
        one === other || one.fingerprint == other.fingerprint && one.id == other.id && one.issuer == other.issuer
    }

    /// By the fingerprint alone: few keys have two names.
    public func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }
}
