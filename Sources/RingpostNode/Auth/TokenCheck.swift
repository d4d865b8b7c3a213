// Whether a token is good, and what it grants: signature, then times, then names. No clock and no I/O: the keys and the time are handed in.
// What each claim means stands in docs/guide/security.md; what to beware of in RFC 8725.
import Foundation
import JWTKit
import RingpostCore
import RingpostWire

/// Checks tokens.
struct TokenCheck: Sendable {
    let issuers: [String]
    let audiences: [String]
    let leewaySeconds: Int64
    let tokenSecondsMax: Int64

    init(_ configuration: AuthConfiguration) {
        issuers = configuration.issuers
        audiences = configuration.audiences
        leewaySeconds = configuration.leewaySeconds
        tokenSecondsMax = configuration.tokenSecondsMax
    }

    /// One name or a list (RFC 7519, 4.1.3). Not the library's claim: an empty list ends the process there.
    private struct Audiences: Decodable {
        let names: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let name = try? container.decode(String.self) { names = [name] } else { names = try container.decode([String].self) }
        }
    }

    private struct Claims: Decodable {
        let sub: SubjectClaim
        let exp: ExpirationClaim
        let nbf: NotBeforeClaim?
        let iat: IssuedAtClaim?
        let iss: IssuerClaim?
        let aud: Audiences?
        let jti: IDClaim?
        let subscribe: [String]?
        let presence: [String]?
        let publish: [String]?
        let publishUsers: [String]?
    }

    /// - Parameter nowSeconds: since 1970.
    func check(_ token: [UInt8], keys: TokenKeySet, nowSeconds: Int64) throws(AuthError) -> ClientGrant {
        let text: TokenText
        do throws(TokenError) { text = try TokenText(token) } catch { throw .malformed }
        switch keys.lookup(id: text.keyID, algorithm: text.algorithm) {
        case .unknownKey: throw .unknownKey
        case .wrongAlgorithm: throw .wrongAlgorithm
        case .found(let candidates):
            // An error of the library is as bad as a wrong signature: its length may be none for the algorithm.
            guard candidates.contains(where: { (try? $0.verifier.verify(text.signature, signs: Array(text.signedBytes))) == true }) else {
                throw .badSignature
            }
        }
        return try grant(text.payload, nowSeconds: nowSeconds)
    }

    private func grant(_ payload: [UInt8], nowSeconds: Int64) throws(AuthError) -> ClientGrant {
        let claims: Claims
        do { claims = try DefaultJWTParser().jsonDecoder.decode(Claims.self, from: Data(payload)) } catch { throw .badClaims }
        let expires = try Self.seconds(claims.exp.value)
        if nowSeconds >= expires + leewaySeconds { throw .expired }
        if expires - nowSeconds > tokenSecondsMax + leewaySeconds { throw .tooLongLived }
        if let begins = claims.nbf, nowSeconds + leewaySeconds < (try Self.seconds(begins.value)) { throw .notYetValid }
        if !issuers.isEmpty, !issuers.contains(claims.iss?.value ?? "") { throw .wrongIssuer }
        if !audiences.isEmpty, !audiences.contains(where: { claims.aud?.names.contains($0) == true }) { throw .wrongAudience }
        guard let subscribe = NamePatterns(claims.subscribe ?? []), let presence = NamePatterns(claims.presence ?? []),
            let publish = NamePatterns(claims.publish ?? []), let publishUsers = NamePatterns(claims.publishUsers ?? [])
        else { throw .badClaims }
        let user = Array(claims.sub.value.utf8)
        guard !user.isEmpty else { throw .badClaims }
        var issuedAt: Int64?
        if let claim = claims.iat { issuedAt = try Self.seconds(claim.value) }
        // One made tomorrow would outlive a revocation of today's.
        if let issuedAt, issuedAt > nowSeconds + leewaySeconds { throw .notYetValid }
        return ClientGrant(
            user: user, subscribe: subscribe, presence: presence, publish: publish, publishUsers: publishUsers,
            expires: expires + leewaySeconds, issuedAt: issuedAt, tokenID: claims.jti?.value)
    }

    /// Whole seconds since 1970, of times that make sense: the sums above must not overflow.
    private static func seconds(_ date: Date) throws(AuthError) -> Int64 {
        guard let seconds = Int64(exactly: date.timeIntervalSince1970.rounded(.down)), (0...(1 << 40)).contains(seconds) else {
            throw .badClaims
        }
        return seconds
    }
}
