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
    /// Where grants stand.
    let claimsMap: ClaimsMap

    init(_ configuration: AuthConfiguration) {
        issuers = configuration.issuers
        audiences = configuration.audiences
        leewaySeconds = configuration.leewaySeconds
        tokenSecondsMax = configuration.tokenSecondsMax
        claimsMap = configuration.claimsMap
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
    }

    /// - Parameter nowSeconds: since 1970.
    func check(_ token: [UInt8], keys: TokenKeySet, nowSeconds: Int64) throws(AuthRefusal) -> ClientGrant {
        let text: TokenText
        do throws(TokenError) { text = try TokenText(token) } catch { throw AuthRefusal(.malformed, error.message) }
        let issuer = keys.asksForIssuer ? Self.issuer(of: text) : nil
        switch keys.lookup(id: text.keyID, algorithm: text.algorithm, issuer: issuer) {
        case .unknownKey: throw AuthRefusal(.unknownKey)
        case .wrongAlgorithm: throw AuthRefusal(.wrongAlgorithm)
        case .found(let candidates):
            // An error of the library is as bad as a wrong signature: its length may be none for the algorithm.
            let key = candidates.first { (try? $0.verifier.verify(text.signature, signs: Array(text.signedBytes))) == true }
            guard let key else { throw AuthRefusal(.badSignature) }
            var grant = try grant(text.payload, key, nowSeconds: nowSeconds)
            grant.signer = key.signer
            return grant
        }
    }

    /// Whom a token says that it is of. Chooses among keys and among those who publish them; nothing else is done with it before the
    /// signature is found good.
    static func issuer(of text: TokenText) -> String? {
        guard JSONText.isValid(text.payload), let claims = try? JSONObject(valid: text.payload[...], countMax: .max) else { return nil }
        return claims["iss"].flatMap(JSONText.string)
    }

    private func grant(_ payload: [UInt8], _ key: TokenKey, nowSeconds: Int64) throws(AuthRefusal) -> ClientGrant {
        let claims = try Self.claims(payload)
        if let issuer = key.issuer, claims.iss?.value != issuer { throw AuthRefusal(.wrongIssuer) }
        let expires = try Self.seconds(claims.exp.value, "exp")
        if nowSeconds >= expires + leewaySeconds { throw AuthRefusal(.expired) }
        if expires - nowSeconds > tokenSecondsMax + leewaySeconds {
            throw AuthRefusal(
                .tooLongLived,
                "\"exp\" is \(expires - nowSeconds) s from now; at most \(tokenSecondsMax) s are taken"
                    + (expires >= Self.millisecondsMin ? "; it looks like milliseconds, and must be seconds since 1970" : ""))
        }
        if let begins = claims.nbf, nowSeconds + leewaySeconds < (try Self.seconds(begins.value, "nbf")) {
            throw AuthRefusal(.notYetValid, "\"nbf\" is in the future: the token is not valid yet")
        }
        if !issuers.isEmpty, !issuers.contains(claims.iss?.value ?? "") {
            throw AuthRefusal(.wrongIssuer, claims.iss == nil ? "\"iss\" is missing, and this node wants to know the issuer" : nil)
        }
        if !audiences.isEmpty, !audiences.contains(where: { claims.aud?.names.contains($0) == true }) {
            throw AuthRefusal(
                .wrongAudience, claims.aud == nil ? "\"aud\" is missing, and this node takes tokens for its audience only" : nil)
        }
        var issuedAt: Int64?
        if let claim = claims.iat { issuedAt = try Self.seconds(claim.value, "iat") }
        // One made tomorrow would outlive a revocation of today's.
        if let issuedAt, issuedAt > nowSeconds + leewaySeconds {
            throw AuthRefusal(.notYetValid, "\"iat\" is in the future: the token was made later than now")
        }
        let user = try Self.name(claims.sub.value, "sub", bytesMax: Key.userBytesMax)
        let grants = try Grants(payload, claimsMap, user: user)
        return ClientGrant(
            user: user, subscribe: try grants.patterns(.subscribe), presence: try grants.patterns(.presence),
            publish: try grants.patterns(.publish), publishUsers: try grants.patterns(.publishUsers),
            history: try grants.patterns(.history), historyUsers: try grants.patterns(.historyUsers), expires: expires + leewaySeconds,
            issuedAt: issuedAt,
            tokenID: try claims.jti.map { claim throws(AuthRefusal) in
                String(decoding: try Self.name(claim.value, "jti", bytesMax: Revocation.tokenIDBytesMax), as: UTF8.self)
            })
    }

    // MARK: Claims and their forms

    /// A time of so many seconds would be in the year 5138.
    private static let millisecondsMin: Int64 = 100_000_000_000

    /// What each claim must be.
    private static let forms: [String: String] = [
        "sub": "a string", "exp": "a number of seconds since 1970", "nbf": "a number of seconds since 1970",
        "iat": "a number of seconds since 1970", "iss": "a string", "aud": "a string or a list of strings", "jti": "a string",
    ]

    private static func claims(_ payload: [UInt8]) throws(AuthRefusal) -> Claims {
        do throws(JSONFault) { try JSONText.check(document: payload) } catch {
            throw AuthRefusal(.badClaims, "the token's claims can't be read: \(error.message)")
        }
        do { return try DefaultJWTParser().jsonDecoder.decode(Claims.self, from: Data(payload)) } catch {
            throw AuthRefusal(.badClaims, sentence(error))
        }
    }

    private static func sentence(_ error: any Error) -> String? {
        switch error as? DecodingError {
        case .keyNotFound(let key, _): return "\"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            guard let claim = context.codingPath.first?.stringValue, let form = forms[claim] else { return nil }
            return "\"\(claim)\" must be \(form)"
        default: return nil
        }
    }

    private static func name(_ text: String, _ claim: String, bytesMax: Int) throws(AuthRefusal) -> [UInt8] {
        let bytes = Array(text.utf8)
        if bytes.isEmpty { throw AuthRefusal(.badClaims, "\"\(claim)\" is empty") }
        guard bytes.count <= bytesMax else {
            throw AuthRefusal(.badClaims, "\"\(claim)\" has \(bytes.count) bytes; at most \(bytesMax) are taken")
        }
        return bytes
    }

    /// What a user is granted in claims whose form was checked.
    private struct Grants {
        private let claims: JSONObject
        private let map: ClaimsMap
        private let user: [UInt8]

        init(_ payload: [UInt8], _ map: ClaimsMap, user: [UInt8]) throws(AuthRefusal) {
            do throws(JSONFault) { claims = try JSONObject(valid: payload[...], countMax: .max) } catch {
                throw AuthRefusal(.badClaims, "the token's claims can't be read: \(error.message)")
            }
            self.map = map
            self.user = user
        }

        func patterns(_ grant: GrantClaim) throws(AuthRefusal) -> NamePatterns {
            do throws(ClaimsMapFault) { return try map.patterns(of: grant, in: claims, user: user) } catch {
                throw AuthRefusal(.badClaims, error.message)
            }
        }
    }

    /// Whole seconds since 1970, of times that make sense: the sums above must not overflow.
    private static func seconds(_ date: Date, _ claim: String) throws(AuthRefusal) -> Int64 {
        guard let seconds = Int64(exactly: date.timeIntervalSince1970.rounded(.down)), (0...(1 << 40)).contains(seconds) else {
            let seemsMilliseconds = date.timeIntervalSince1970 >= Double(millisecondsMin)
            let hint = seemsMilliseconds ? "; it looks like milliseconds" : ""
            throw AuthRefusal(.badClaims, "\"\(claim)\" is no time in seconds since 1970\(hint)")
        }
        return seconds
    }
}
