// Keys for tokens, read from files and from published sets: PEM public keys and certificates, secrets, JSON Web Keys (RFC 7517). What can't
// be used is left out of a set with a word in the log, because a set may hold keys for other purposes; a single file must be usable.
import Crypto
import Foundation
import JWTKit
import Logging
import RingpostWire

enum TokenKeyFile {
    static let bytesMax = 1_048_576

    /// Secrets, by the ending of their file's name: the algorithm, and the bytes that it needs (RFC 7518, 3.2).
    private static let secrets: [String: (name: String, digest: DigestAlgorithm, bytesMin: Int)] = [
        "hs256": ("HS256", .sha256, 32), "hs384": ("HS384", .sha384, 48), "hs512": ("HS512", .sha512, 64),
    ]
    private static let usage =
        "a key is a PEM public key or certificate (RSA, P-256 or Ed25519), a JSON Web Key or set of them (.json), "
        + "or a secret (.hs256, .hs384, .hs512)"

    /// A file with a key, which is for tokens whatever key they name; or a directory, each key named like its file without ending.
    ///
    /// - Throws: `NodeError`, a sentence that names the file.
    static func load(_ path: String, logger: Logger) async throws -> [TokenKey] {
        var isDirectory = ObjCBool(false)
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw NodeError("there is no file or directory \(path) with keys for tokens (--token-keys)")
        }
        if !isDirectory.boolValue { return warned(try await load(file: path, id: nil, logger: logger), path, logger) }
        if let sentence = FileExposure(path: path).objection(to: path, "the directory with keys for tokens") {
            throw NodeError("\(sentence) (--token-keys)")
        }
        var keys: [TokenKey] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: path).sorted() where !name.hasPrefix(".") {
            do {
                let file = "\(path)/\(name)"
                keys += warned(try await load(file: file, id: stem(name), logger: logger), file, logger)
            } catch let error as NodeError {
                logger.warning("a file with a key is left out", metadata: ["why": "\(error)"])
            }
            if keys.count > TokenKeySet.countMax {
                throw NodeError("there are more than \(TokenKeySet.countMax) keys in \(path)")
            }
        }
        if keys.isEmpty { throw NodeError("no file in \(path) holds a key for tokens: \(usage)") }
        return keys
    }

    /// Of a file with a secret in it, who could forge tokens.
    private static func warned(_ keys: [TokenKey], _ path: String, _ logger: Logger) -> [TokenKey] {
        guard keys.contains(where: { $0.algorithm.hasPrefix("HS") }) else { return keys }
        if let sentence = FileExposure(path: path).warning(about: path, "the secret that tokens are checked with") {
            logger.warning("\(sentence)")
        }
        return keys
    }

    /// `acme.pub.pem` and `acme.hs256` are called acme.
    private static func stem(_ name: String) -> String {
        var stem = name.prefix(upTo: name.lastIndex(of: ".") ?? name.endIndex)
        if stem.hasSuffix(".pub") { stem = stem.dropLast(4) }
        return String(stem)
    }

    private static func load(file path: String, id: String?, logger: Logger) async throws -> [TokenKey] {
        let data = Data(try CredentialFile.read(path, "the key file", option: "--token-keys"))
        guard data.count <= bytesMax else { throw NodeError("the key file \(path) has more than \(bytesMax) bytes") }
        let ending = path.split(separator: "/").last?.split(separator: ".").last.map { $0.lowercased() } ?? ""
        if let (name, digest, bytesMin) = secrets[ending] {
            // An editor's last line end is not part of the secret.
            let secret = data.last == 0x0A ? data.dropLast() : data
            guard secret.count >= bytesMin else {
                throw NodeError("the secret in \(path) has \(secret.count) bytes; \(name) needs \(bytesMin) at least")
            }
            let verifier = try await algorithm { await $0.add(hmac: HMACKey(from: Array(secret)), digestAlgorithm: digest) }
            return [TokenKey(id: id, algorithm: name, verifier: verifier, fingerprint: fingerprint(name, [secret]))]
        }
        if ending == "json" || ending == "jwks" || ending == "jwk" {
            let keys = try await load(set: data, defaultID: id, allowsSecrets: true, source: path, logger: logger)
            if keys.isEmpty { throw NodeError("\(path) holds no key for tokens: \(usage)") }
            return keys
        }
        let text = String(decoding: data, as: UTF8.self)
        if text.contains("PRIVATE KEY") {
            throw NodeError("\(path) holds a private key, which has no business on a node: give it the public one")
        }
        guard let (name, verifier, material) = await publicKey(text) else { throw NodeError("\(path) can't be used: \(usage)") }
        return [TokenKey(id: id, algorithm: name, verifier: verifier, fingerprint: fingerprint(name, [material]))]
    }

    /// Tells one key from another: the same bytes give the same number whenever they are read.
    private static func fingerprint(_ algorithm: String, _ material: [Data]) -> UInt64 {
        var hash = SHA256()
        for part in [Data(algorithm.utf8)] + material {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: part)
        }
        return hash.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func publicKey(_ pem: String) async -> (name: String, verifier: any JWTAlgorithm, material: Data)? {
        let isCertificate = pem.contains("BEGIN CERTIFICATE")
        if let key = try? isCertificate ? ES256PublicKey(certificate: pem) : ES256PublicKey(pem: pem) {
            let material = Data(key.pemRepresentation.utf8)
            return (try? await algorithm { await $0.add(ecdsa: key) }).map { ("ES256", $0, material) }
        }
        if let key = try? isCertificate ? Insecure.RSA.PublicKey(certificatePEM: pem) : Insecure.RSA.PublicKey(pem: pem) {
            return (try? await algorithm { await $0.add(rsa: key, digestAlgorithm: .sha256) }).map { ("RS256", $0, key.derRepresentation) }
        }
        if !isCertificate, let key = try? EdDSA.PublicKey(pem: pem), !EdwardsPoint.isOfSmallOrder(Array(key.rawRepresentation)) {
            return (try? await algorithm { await $0.add(eddsa: key) }).map { ("EdDSA", $0, key.rawRepresentation) }
        }
        return nil
    }

    // MARK: JSON Web Keys

    /// What Ringpost reads of a key besides what JWTKit does.
    private struct KeyNote: Decodable {
        let kty: String
        let kid: String?
        let alg: String?
        let use: String?
        let crv: String?
        let k: String?
        let n: String?
        let e: String?
        let x: String?
        let y: String?

        /// What makes a public key that key and no other (as in RFC 7638).
        var material: [Data] { [kty, crv, n, e, x, y].map { Data(($0 ?? "").utf8) } }

        /// The algorithm that it is for, where it says none itself.
        var algorithm: String? {
            switch kty {
            case "RSA": alg ?? "RS256"
            case "EC": alg ?? (crv == "P-256" ? "ES256" : nil)
            case "OKP": alg ?? (crv == "Ed25519" ? "EdDSA" : nil)
            default: alg
            }
        }
    }

    /// Reads a JSON Web Key or a set of them.
    ///
    /// - Parameters:
    ///   - defaultID: the name of a key that has none.
    ///   - allowsSecrets: what is published to everybody is no secret.
    ///   - issuer: whose tokens they are for; `nil` for anybody's.
    /// - Throws: `NodeError` when it is neither.
    static func load(
        set data: Data, defaultID: String?, allowsSecrets: Bool, issuer: String? = nil, source: String, logger: Logger
    ) async throws -> [TokenKey] {
        let json = Array(JSONText.withoutByteOrderMark(data))
        do throws(JSONFault) { try JSONText.check(document: json) } catch { throw NodeError("\(source) holds no keys: \(error.message)") }
        guard let document = try? JSONSerialization.jsonObject(with: Data(json)) as? [String: Any] else {
            throw NodeError("\(source) is no JSON object with keys")
        }
        let entries = document["keys"] as? [Any] ?? [document]
        guard entries.count <= TokenKeySet.countMax else {
            throw NodeError("\(source) has \(entries.count) keys; at most \(TokenKeySet.countMax) are taken")
        }
        var keys: [TokenKey] = []
        for (index, entry) in entries.enumerated() {
            do {
                keys.append(try await key(entry, defaultID: defaultID, allowsSecrets: allowsSecrets, issuer: issuer))
            } catch {
                logger.info("a key of a set is left out", metadata: ["set": "\(source)", "index": "\(index)", "why": "\(error)"])
            }
        }
        return keys
    }

    private static func key(_ entry: Any, defaultID: String?, allowsSecrets: Bool, issuer: String?) async throws -> TokenKey {
        guard JSONSerialization.isValidJSONObject(entry) else { throw NodeError("it is no object") }
        let json = try JSONSerialization.data(withJSONObject: entry)
        let note = try JSONDecoder().decode(KeyNote.self, from: json)
        if let use = note.use, use != "sig" { throw NodeError("it is not for signatures") }
        if note.kty == "oct" { return try await secret(note, defaultID: defaultID, isAllowed: allowsSecrets) }
        guard let name = note.algorithm, ["RS256", "ES256", "EdDSA"].contains(name) else {
            throw NodeError("it is for no algorithm that is taken here (RS256, ES256, EdDSA)")
        }
        if name == "EdDSA", EdwardsPoint.isOfSmallOrder(Base64URL.decode(Array((note.x ?? "").utf8)[...]) ?? []) {
            throw NodeError("it is a point for which everybody can make signatures")
        }
        var jwk = try JSONDecoder().decode(JWK.self, from: json)
        jwk.algorithm = JWK.Algorithm(rawValue: name)
        jwk.keyIdentifier = JWKIdentifier(string: note.kid ?? defaultID ?? "")
        let complete = jwk
        return TokenKey(
            id: note.kid ?? defaultID, algorithm: name, issuer: issuer, verifier: try await algorithm { try await $0.add(jwk: complete) },
            fingerprint: fingerprint(name, note.material))
    }

    private static func secret(_ note: KeyNote, defaultID: String?, isAllowed: Bool) async throws -> TokenKey {
        guard isAllowed else { throw NodeError("a secret is published") }
        guard let (name, digest, bytesMin) = secrets[(note.alg ?? "HS256").lowercased()] else {
            throw NodeError("it is for no algorithm that is taken here (HS256, HS384, HS512)")
        }
        var text = (note.k ?? "").replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.count % 4) % 4)
        guard let bytes = Data(base64Encoded: text), bytes.count >= bytesMin else {
            throw NodeError("its secret is shorter than the \(bytesMin) bytes that \(name) needs")
        }
        let verifier = try await algorithm { await $0.add(hmac: HMACKey(from: Array(bytes)), digestAlgorithm: digest) }
        return TokenKey(id: note.kid ?? defaultID, algorithm: name, verifier: verifier, fingerprint: fingerprint(name, [bytes]))
    }

    /// JWTKit makes its algorithms inside a collection.
    private static func algorithm(_ add: (JWTKeyCollection) async throws -> Void) async throws -> any JWTAlgorithm {
        let keys = JWTKeyCollection()
        try await add(keys)
        return try await keys.getKey()
    }
}
