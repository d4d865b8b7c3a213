// Files with keys for tokens: those that are right, and for those that are wrong a sentence that names the file.

import Foundation
import Logging
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct TokenKeyFileTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("keys") }

    /// The keys' names and algorithms, or what is wrong.
    private func load(_ name: String = "") async throws -> [String] {
        do {
            let keys = try await TokenKeyFile.load(name.isEmpty ? folder.path : folder.file(name), logger: Self.logger)
            return keys.map { "\($0.id ?? "-") \($0.algorithm)" }
        } catch let error as NodeError {
            return ["\(error)"]
        }
    }

    private func write(_ key: TestKey) throws { try key.file.write(to: URL(fileURLWithPath: folder.file(key.fileName))) }

    private func openssl(_ arguments: String...) async throws {
        let process = try ChildProcess("openssl", arguments: arguments)
        let status = try await process.waitForExit(deadlineSeconds: 60)
        guard status == 0 else { throw NodeError("openssl \(arguments): \(process.output)") }
    }

    private func set(_ json: String, allowsSecrets: Bool = true) async throws -> [String] {
        let keys = try await TokenKeyFile.load(
            set: Data(json.utf8), defaultID: "file", allowsSecrets: allowsSecrets, source: "a set", logger: Self.logger)
        return keys.map { "\($0.id ?? "-") \($0.algorithm)" }
    }

    // MARK: Files

    @Test func aFileIsForAllTokensAndADirectoryNamesItsKeys() async throws {
        let keys = try TestKey.all()
        for key in keys {
            try write(key)
            #expect(try await load(key.fileName) == ["- \(key.algorithm)"])
        }
        try folder.write("no key", to: ".hidden")
        #expect(try await load() == ["a HS256", "b HS384", "c HS512", "edwards EdDSA", "elliptic ES256", "rsa RS256"])
        try folder.write("no key", to: "readme.txt")
        #expect(try await load().count == 6, "what is none is left out of a directory")
    }

    @Test func keysThatOpenSSLHasMade() async throws {
        let options = [
            "RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "EdDSA": ["-algorithm", "ED25519"],
        ]
        for (algorithm, options) in options {
            let generator = try ChildProcess("openssl", arguments: ["genpkey", "-out", folder.file("private")] + options)
            #expect(try await generator.waitForExit(deadlineSeconds: 60) == 0, "\(generator.output)")
            try await openssl("pkey", "-in", folder.file("private"), "-pubout", "-out", folder.file("public.pem"))
            #expect(try await load("public.pem") == ["- \(algorithm)"])
            let refused = try await load("private")
            #expect(refused[0].contains("\(folder.file("private")) holds a private key"), "\(refused)")
            if algorithm == "EdDSA" { continue }
            try await openssl("req", "-x509", "-new", "-key", folder.file("private"), "-subj", "/CN=x", "-out", folder.file("cert.pem"))
            #expect(try await load("cert.pem") == ["- \(algorithm)"], "a certificate")
        }
    }

    /// For each of these points there are signatures that anybody can make.
    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ])
    func pointsOfSmallOrderAreNoKeys(point: String) async throws {
        let digits = point.compactMap(\.hexDigitValue)
        let bytes = Data(stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
        let encoded = Data([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]) + bytes
        try folder.write("-----BEGIN PUBLIC KEY-----\n\(encoded.base64EncodedString())\n-----END PUBLIC KEY-----\n", to: "weak.pem")
        #expect(try await load("weak.pem")[0].contains("can't be used"))
        #expect(try await set(#"{"kty":"OKP","crv":"Ed25519","kid":"w","x":"\#(TestKey.base64(bytes))"}"#) == [])
    }

    @Test func aKeyHasTheSameFingerprintWheneverItIsRead() async throws {
        for key in try TestKey.all() { try write(key) }
        func signers() async throws -> [String: UInt64] {
            let keys = try await TokenKeyFile.load(folder.path, logger: Self.logger)
            return Dictionary(uniqueKeysWithValues: keys.map { ($0.id ?? "-", $0.signer.fingerprint) })
        }
        let first = try await signers()
        #expect(first.count == 6 && Set(first.values).count == 6)
        #expect(try await signers() == first)
        try write(TestKey.elliptic())
        let second = try await signers()
        #expect(second.filter { first[$0.key] != $0.value }.map(\.key) == ["elliptic"])
    }

    @Test func shortSecretsAreRefused() async throws {
        for (ending, least) in [("hs256", 32), ("hs384", 48), ("hs512", 64)] {
            try Data(repeating: 0x61, count: least).write(to: URL(fileURLWithPath: folder.file("a.\(ending)")))
            #expect(try await load("a.\(ending)") == ["- \(ending.uppercased())"])
            // A line's end is not part of it.
            try Data([UInt8](repeating: 0x61, count: least - 1) + [0x0A]).write(to: URL(fileURLWithPath: folder.file("a.\(ending)")))
            let refused = try await load("a.\(ending)")
            #expect(refused[0].contains("a.\(ending) has \(least - 1) bytes") && refused[0].contains("needs \(least)"), "\(refused)")
        }
    }

    @Test func whoCanWriteKeysCouldForgeTokens() async throws {
        let lines = RecordedLines()
        let logger = Logger(label: "test") { _ in lines }
        let path = try folder.write(String(repeating: "a", count: 32), to: "a.hs256")
        chmod(path, 0o644)
        _ = try await TokenKeyFile.load(path, logger: logger)
        #expect(lines.all.contains { $0.contains("may read the secret that tokens are checked with: \(path)") }, "\(lines.all)")
        chmod(path, 0o600)
        let before = lines.all
        _ = try await TokenKeyFile.load(folder.path, logger: logger)
        #expect(lines.all == before)
        chmod(path, 0o660)
        #expect(try await load("a.hs256")[0].contains("is writable by others"))
        #expect(try await load()[0].contains("no file in"), "it is left out of a directory")
        chmod(path, 0o600)
        chmod(folder.path, 0o777)
        #expect(try await load()[0].contains("the directory with keys for tokens is writable by others"))
        chmod(folder.path, 0o700)
    }

    @Test func aLineEndIsNotPartOfASecret() async throws {
        let secret = Data((0..<32).map { UInt8($0) + 0x40 })
        try (secret + [0x0A]).write(to: URL(fileURLWithPath: folder.file("a.hs256")))
        let set = TokenKeySet(keys: try await TokenKeyFile.load(folder.file("a.hs256"), logger: Self.logger))
        let token = try TestKey.secret("HS256", secret).token(#"{"sub":"a","exp":100}"#)
        #expect(try TokenCheck(AuthConfiguration()).check(token, keys: set, nowSeconds: 50).user == Array("a".utf8))
    }

    @Test func whatIsNoKeyIsSaid() async throws {
        for (name, text) in [
            ("a.pem", ""), ("a.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), ("a.txt", "hello"), ("a.json", "{}"),
            ("a.json", "[1]"), ("a.jwks", #"{"keys":[]}"#), ("a.json", "nonsense"),
        ] {
            let refused = try await load(try folder.write(text, to: name).split(separator: "/").last.map(String.init) ?? "")
            #expect(refused[0].contains(folder.file(name)), "\(text): \(refused)")
        }
        #expect(try await load("nothing")[0].contains("there is no file or directory"))
        let empty = try TemporaryFolder("empty")
        await #expect(throws: NodeError.self) { try await TokenKeyFile.load(empty.path, logger: Self.logger) }
        try Data(repeating: 0x20, count: TokenKeyFile.bytesMax + 1).write(to: URL(fileURLWithPath: folder.file("big.pem")))
        #expect(try await load("big.pem")[0].contains("has more than"))
    }

    // MARK: Sets

    @Test func aSetMayHoldKeysForOtherPurposes() async throws {
        let good = try TestKey.elliptic(name: "good").jwk()
        let others = [
            try TestKey.elliptic(name: "enc").jwk(#","use":"enc""#), try TestKey.elliptic(name: "alg").jwk(#","alg":"ECDH-ES""#),
            #"{"kty":"new","kid":"x"}"#, "7", "{}", "null", #"{"kty":"EC","crv":"P-256","kid":"broken","x":"AA","y":"AA"}"#,
            #"{"kty":"RSA","kid":"pss","alg":"PS256","n":"AQAB","e":"AQAB"}"#,
        ]
        #expect(try await set(#"{"keys":[\#((others + [good]).joined(separator: ","))]}"#) == ["good ES256"])
        #expect(try await set(try TestKey.elliptic(name: "alone").jwk(#","use":"sig","alg":"ES256""#)) == ["alone ES256"])
        let nameless = good.replacing(#""kid":"good","#, with: "")
        #expect(try await set(nameless) == ["file ES256"])
        await #expect(throws: NodeError.self) { try await set("[]") }
        let many = Array(repeating: good, count: TokenKeySet.countMax + 1).joined(separator: ",")
        await #expect(throws: NodeError.self) { try await set(#"{"keys":[\#(many)]}"#) }
    }

    @Test func aSecretIsTakenFromAFileOnly() async throws {
        let secret = TestKey.base64(Data(repeating: 7, count: 32))
        let json = #"{"keys":[{"kty":"oct","kid":"s","alg":"HS256","k":"\#(secret)"}]}"#
        #expect(try await set(json) == ["s HS256"])
        #expect(try await set(json, allowsSecrets: false) == [], "what is published is no secret")
        #expect(try await set(json.replacing("HS256", with: "HS512")) == [], "too short")
        #expect(try await set(json.replacing("HS256", with: "none")) == [])
    }
}
