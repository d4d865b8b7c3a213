// Makes tokens for development and for tests, with the same keys that nodes are given. Who runs a service makes them where users log in.
import Crypto
import CryptoExtras
import FoundationEssentials
import JWTKit

/// What a token says.
struct TokenClaims: JWTPayload, Equatable {
    let sub: String
    let exp: Int64
    let iat: Int64
    var iss: String?
    var aud: String?
    var jti: String?
    var subscribe: [String]?
    var publish: [String]?
    var presence: [String]?
    var publishUsers: [String]?
    var history: [String]?
    var historyUsers: [String]?

    /// Nobody believes a token here.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}

/// A private key, or a secret, that signs tokens.
struct TokenMinter: Sendable {
    /// Secrets by the end of their file's name, with the bytes that each needs (RFC 7518, 3.2).
    static let secrets: [String: (digest: DigestAlgorithm, bytesMin: Int)] = [
        "hs256": (.sha256, 32), "hs384": (.sha384, 48), "hs512": (.sha512, 64),
    ]

    private let keys = JWTKeyCollection()
    private let id: JWKIdentifier

    /// - Parameters:
    ///   - file: a secret (.hs256, .hs384, .hs512), or a PEM private key.
    ///   - id: what tokens call the key; `nil` for the file's name without its ending, which is what nodes call it.
    init(file: String, id: String? = nil) async throws {
        self.id = JWKIdentifier(string: id ?? FileName.stem(file))
        let bytes = try SecretFile.bytes(of: file, what: "key")
        let ending = FileName.ending(file)
        if let (digest, bytesMin) = Self.secrets[ending] {
            // As nodes read it: an editor's last line end is not part of the secret.
            let secret = bytes.last == 0x0A ? bytes.dropLast() : bytes[...]
            guard secret.count >= bytesMin else {
                throw SecretError("the secret in \(file) has \(secret.count) bytes; \(ending) needs \(bytesMin) at least")
            }
            await keys.add(hmac: HMACKey(from: Array(secret)), digestAlgorithm: digest, kid: self.id)
        } else {
            try await add(pem: String(decoding: bytes, as: UTF8.self), file)
        }
        if let warning = SecretFile(file, what: "key").warning { Console.note(warning) }
    }

    private func add(pem: String, _ file: String) async throws {
        if let key = try? ES256PrivateKey(pem: pem) {
            await keys.add(ecdsa: key, kid: id)
        } else if let key = try? EdDSA.PrivateKey(pem: pem) {
            await keys.add(eddsa: key, kid: id)
        } else if let key = try? Insecure.RSA.PrivateKey(pem: pem) {
            await keys.add(rsa: key, digestAlgorithm: .sha256, kid: id)
        } else {
            throw SecretError(
                "\(file) is no key that signs: give a secret (.hs256, .hs384, .hs512) or a PEM private key (RSA of 2048 bits at least, "
                    + "P-256 or Ed25519); `ringpost token key` makes one")
        }
    }

    func token(_ claims: TokenClaims) async throws -> String { try await keys.sign(claims, kid: id) }
}

enum FileName {
    /// What follows the last dot of the name, in small letters.
    static func ending(_ path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        return name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
    }

    /// The name without its ending: what nodes call the key in a file of this name.
    static func stem(_ path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        var stem = name.prefix(upTo: name.lastIndex(of: ".") ?? name.endIndex)
        if stem.hasSuffix(".pub") { stem = stem.dropLast(".pub".count) }
        return String(stem)
    }
}

/// A new key for tokens.
enum NewTokenKey: String, CaseIterable, Sendable {
    case hs256 = "HS256"
    case rs256 = "RS256"
    case es256 = "ES256"
    case edDSA = "EdDSA"

    /// Characters of a new secret: each says six bits, together more than any digest uses.
    private static let secretRandomBytes = 48

    /// Its file's ending, which says to nodes what it is.
    var ending: String { self == .hs256 ? "hs256" : "pem" }

    /// The private key or secret, and where there is one the public key, as they stand in files.
    func make() throws -> (secret: String, public: String?) {
        switch self {
        case .hs256:
            // Text, and without a line's end: every program reads the same bytes.
            return (Data((0..<Self.secretRandomBytes).map { _ in UInt8.random(in: 0...255) }).base64URL, nil)
        case .rs256:
            let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
            return (key.pkcs8PEMRepresentation + "\n", key.publicKey.pemRepresentation + "\n")
        case .es256:
            let key = P256.Signing.PrivateKey()
            return (key.pemRepresentation + "\n", key.publicKey.pemRepresentation + "\n")
        case .edDSA:
            let key = Curve25519.Signing.PrivateKey()
            return (key.pemRepresentation + "\n", key.publicKey.pemRepresentation + "\n")
        }
    }
}
