// Why a token can't be read. The sentences never repeat a part of the token: they go into answers and logs.

/// What is wrong with a token's form.
package enum TokenError: Error, Equatable, Sendable {
    case tooLong(bytes: Int)
    /// So many parts with dots between them.
    case parts(Int)
    case encoding
    case header
    case repeatedMember
    case critical
    case algorithm
    case keyID
    case type

    /// A sentence for whoever has sent it.
    package var message: String {
        switch self {
        case .tooLong(let bytes): "the token has \(bytes) bytes; at most \(TokenText.bytesMax) are taken"
        case .parts(let count): "a token has three parts with dots between them, not \(count)"
        case .encoding: "a part of the token is not base64url without padding"
        case .header: "the token's header is not a JSON object of at most \(TokenText.headerMembersMax) members"
        case .repeatedMember: "a member of the token's header stands there twice"
        case .critical: "the token's header has \"crit\", and no extension is understood here"
        case .algorithm: "the token's header does not name its algorithm in \"alg\""
        case .keyID: "\"kid\" in the token's header must be a string of at most \(TokenText.keyIDBytesMax) bytes"
        case .type: "\"typ\" in the token's header must be a short string"
        }
    }
}
