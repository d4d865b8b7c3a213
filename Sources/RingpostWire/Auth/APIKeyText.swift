// A producer's or operator's key as it comes in a request: rp_<id>_<secret>. The id finds its line in the file of keys; whether the
// secret is right is decided there, over its text and in constant time.

/// An API key's parts.
package struct APIKeyText: Equatable, Sendable {
    /// What every key begins with.
    package static let prefix = "rp_"
    /// Letters and digits of an id.
    package static let idBytes = 12
    /// Characters of a secret: 32 random bytes in base64url.
    package static let secretBytes = 43

    /// Lower-case letters and digits. No secret: it may stand in logs.
    package let id: String
    /// The secret's text, which is what its hash is made of.
    package let secret: [UInt8]

    /// `nil` for anything that is no key, by its length or its characters.
    package init?(_ text: [UInt8]) {
        let prefixBytes = Self.prefix.utf8.count
        guard text.count == prefixBytes + Self.idBytes + 1 + Self.secretBytes, text.starts(with: Self.prefix.utf8) else { return nil }
        let id = text.dropFirst(prefixBytes).prefix(Self.idBytes)
        let secret = text.suffix(Self.secretBytes)
        guard id.allSatisfy(Self.isOfID), text[prefixBytes + Self.idBytes] == UInt8(ascii: "_"),
            secret.allSatisfy({ Base64URL.value(of: $0) != nil })
        else { return nil }
        self.id = String(decoding: id, as: UTF8.self)
        self.secret = Array(secret)
    }

    private static func isOfID(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
