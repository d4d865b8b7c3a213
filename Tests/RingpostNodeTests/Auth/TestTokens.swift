// Tokens for tests, signed without the library that checks them, so that header and claims can be as wrong as a test wants.

import Crypto
import CryptoExtras
import Foundation

/// A key that signs, and the file that nodes are given.
struct TestKey: Sendable {
    let algorithm: String
    /// The name that its file has in a directory, with the ending that says what it is.
    let fileName: String
    let file: Data
    let sign: @Sendable (Data) throws -> Data

    /// What tokens call it.
    var id: String { String(fileName.prefix { $0 != "." }) }

    func token(_ claims: String, kid: String? = nil, header: String? = nil) throws -> [UInt8] {
        let name = kid.map { #","kid":"\#($0)""# } ?? ""
        let header = header ?? #"{"alg":"\#(algorithm)","typ":"JWT"\#(name)}"#
        let signed = Self.base64(Data(header.utf8)) + "." + Self.base64(Data(claims.utf8))
        return Array((signed + "." + Self.base64(try sign(Data(signed.utf8)))).utf8)
    }

    static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    // MARK: Of each algorithm

    static func secret(_ algorithm: String, _ secret: Data, name: String = "secret") -> TestKey {
        let key = SymmetricKey(data: secret)
        return TestKey(algorithm: algorithm, fileName: "\(name).\(algorithm.lowercased())", file: secret) { bytes in
            switch algorithm {
            case "HS384": Data(HMAC<SHA384>.authenticationCode(for: bytes, using: key))
            case "HS512": Data(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
            default: Data(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
            }
        }
    }

    static func elliptic(name: String = "elliptic") -> TestKey {
        let key = P256.Signing.PrivateKey()
        return TestKey(algorithm: "ES256", fileName: "\(name).pem", file: Data(key.publicKey.pemRepresentation.utf8)) {
            try key.signature(for: $0).rawRepresentation
        }
    }

    static func edwards(name: String = "edwards") -> TestKey {
        let key = Curve25519.Signing.PrivateKey()
        // RFC 8410: an algorithm without parameters, and the key.
        let encoded = Data([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]) + key.publicKey.rawRepresentation
        let pem = "-----BEGIN PUBLIC KEY-----\n\(encoded.base64EncodedString())\n-----END PUBLIC KEY-----\n"
        return TestKey(algorithm: "EdDSA", fileName: "\(name).pub.pem", file: Data(pem.utf8)) { try key.signature(for: $0) }
    }

    static func rsa(name: String = "rsa") throws -> TestKey {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        return TestKey(algorithm: "RS256", fileName: "\(name).pem", file: Data(key.publicKey.pemRepresentation.utf8)) {
            try key.signature(for: SHA256.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation
        }
    }

    /// One of each algorithm that is taken.
    static func all() throws -> [TestKey] {
        [
            secret("HS256", Data(repeating: 1, count: 32), name: "a"), secret("HS384", Data(repeating: 2, count: 48), name: "b"),
            secret("HS512", Data(repeating: 3, count: 64), name: "c"), try rsa(), elliptic(), edwards(),
        ]
    }

    /// As a member of a published set; of an elliptic key only.
    func jwk(_ members: String = "") throws -> String {
        let point = try P256.Signing.PublicKey(pemRepresentation: String(decoding: file, as: UTF8.self)).rawRepresentation
        let (x, y) = (Self.base64(point.prefix(32)), Self.base64(point.suffix(32)))
        return #"{"kty":"EC","crv":"P-256","kid":"\#(id)","x":"\#(x)","y":"\#(y)"\#(members)}"#
    }
}
