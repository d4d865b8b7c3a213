// A token as it comes from a client: a JSON Web Signature in its compact form (RFC 7515 7.1), taken apart and checked for its form
// alone. Whether the signature is right, and what the claims say, is decided by those who have the keys.

/// A token's parts.
package struct TokenText: Sendable {
    /// The longest token.
    package static let bytesMax = 8_192
    /// The longest `kid`.
    package static let keyIDBytesMax = 256
    /// The most members of a header.
    package static let headerMembersMax = 32

    /// `alg`: how it is signed, as the token says; 1 to 32 bytes, and not to be believed.
    package let algorithm: String
    /// `kid`: with which key.
    package let keyID: String?
    /// `typ`: what it is, if it says so.
    package let type: String?
    /// What is signed: the claims.
    package let payload: [UInt8]
    /// The signature; possibly empty.
    package let signature: [UInt8]
    /// `header.payload` as it came, over which the signature is made.
    package let signedBytes: ArraySlice<UInt8>

    /// The longest `alg` and `typ`.
    private static let nameBytesMax = 32

    /// Takes a token apart.
    ///
    /// - Throws: what is wrong with its form.
    package init(_ token: [UInt8]) throws(TokenError) {
        if token.count > Self.bytesMax { throw .tooLong(bytes: token.count) }
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .parts(parts.count) }
        guard let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2])
        else { throw .encoding }
        let members = try Self.members(of: header)
        if members["crit"] != nil { throw .critical }
        guard let algorithm = members["alg"].flatMap(JSONText.string), Self.isName(algorithm) else { throw .algorithm }
        self.algorithm = algorithm
        self.keyID = try Self.text(members["kid"], bytesMax: Self.keyIDBytesMax, or: .keyID)
        self.type = try Self.text(members["typ"], bytesMax: Self.nameBytesMax, or: .type)
        self.payload = payload
        self.signature = signature
        signedBytes = token[..<parts[1].endIndex]
    }

    /// A member that stands there twice would be read in two ways by two programs (RFC 7515 4 leaves it to them).
    private static func members(of header: [UInt8]) throws(TokenError) -> JSONObject {
        do throws(JSONFault) {
            let members = try JSONObject(header)
            if members.count <= headerMembersMax, members.names != nil { return members }
        } catch {
            if case .repeatedMember = error { throw .repeatedMember }
        }
        throw .header
    }

    private static func isName(_ text: String) -> Bool { !text.isEmpty && text.utf8.count <= nameBytesMax }

    private static func text(_ json: ArraySlice<UInt8>?, bytesMax: Int, or error: TokenError) throws(TokenError) -> String? {
        guard let json else { return nil }
        guard let text = JSONText.string(json), text.utf8.count <= bytesMax else { throw error }
        return text
    }
}
