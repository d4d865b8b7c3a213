// What makes a token good: with keys of every algorithm, real signatures, and everything that could be wrong with one.

import Foundation
import Logging
import RingpostCore
import RingpostWire
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct TokenCheckTests {
    private static let now: Int64 = 1_795_000_000
    private static let keys = Result { try TestKey.all() }
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("tokens") }

    private func load(_ keys: [TestKey]) async throws -> TokenKeySet {
        for key in keys { try key.file.write(to: URL(fileURLWithPath: folder.file(key.fileName))) }
        return TokenKeySet(keys: try await TokenKeyFile.load(folder.path, logger: Self.logger))
    }

    private static func check(_ change: (inout AuthConfiguration) -> Void = { _ in }) -> TokenCheck {
        var trust = AuthConfiguration()
        change(&trust)
        return TokenCheck(trust)
    }

    /// What is wrong with it; `nil` if nothing is.
    private static func fault(_ token: [UInt8], _ keys: TokenKeySet, _ check: TokenCheck = check()) -> AuthError? {
        refusal(token, keys, check)?.error
    }

    private static func refusal(_ token: [UInt8], _ keys: TokenKeySet, _ check: TokenCheck = check()) -> AuthRefusal? {
        do throws(AuthRefusal) {
            _ = try check.check(token, keys: keys, nowSeconds: now)
            return nil
        } catch {
            return error
        }
    }

    private static func claims(_ more: String = "", exp: String = "\(now + 60)") -> String {
        #"{"sub":"alice","exp":\#(exp)\#(more.isEmpty ? "" : ",")\#(more)}"#
    }

    // MARK: Signatures

    @Test func everyAlgorithmThatIsTaken() async throws {
        let keys = try Self.keys.get()
        let set = try await load(keys)
        #expect(set.keys.count == keys.count)
        #expect(Set(keys.map(\.algorithm)) == ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"])
        for key in keys {
            #expect(Self.fault(try key.token(Self.claims(), kid: key.id), set) == nil, "\(key.algorithm)")
            #expect(Self.fault(try key.token(Self.claims()), set) == nil, "\(key.algorithm) whose key is found by trying")
            #expect(Self.fault(try key.token(Self.claims(), kid: "nobody"), set) == .unknownKey, "\(key.algorithm)")
        }
    }

    @Test func theTokenDoesNotChooseHowAKeyIsUsed() async throws {
        let keys = try Self.keys.get()
        let set = try await load(keys)
        let names =
            keys.map(\.algorithm) + [
                "none", "None", "NONE", "hs256", "RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "Ed25519", "x",
            ]
        for key in keys {
            for name in names where name != key.algorithm {
                let token = try key.token("", header: #"{"alg":"\#(name)","kid":"\#(key.id)"}"#)
                #expect(Self.fault(token, set) == .wrongAlgorithm, "\(name) with a key for \(key.algorithm)")
            }
        }
        let bare = #"{"alg":"none"}"#
        #expect(Self.fault(try keys[0].token(Self.claims(), header: bare), set) == .wrongAlgorithm)
        let unsigned = TestKey.base64(Data(bare.utf8)) + "." + TestKey.base64(Data(Self.claims().utf8)) + "."
        #expect(Self.fault(Array(unsigned.utf8), set) == .wrongAlgorithm)
    }

    @Test func aPublicKeyIsNoSecret() async throws {
        for key in try Self.keys.get() where ["RS256", "ES256", "EdDSA"].contains(key.algorithm) {
            let set = try await load([key])
            // Everybody has the public key's file, so everybody could sign with its bytes.
            for bytes in [key.file, Data(key.file.dropLast())] {
                for name in ["HS256", "HS384", "HS512"] {
                    let forger = TestKey.secret(name, bytes)
                    #expect(
                        Self.fault(try forger.token(Self.claims(), kid: key.id), set) == .wrongAlgorithm, "\(name) for \(key.algorithm)")
                    #expect(Self.fault(try forger.token(Self.claims()), set) == .wrongAlgorithm)
                }
            }
            folder.remove()
            try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        }
    }

    @Test func anotherKeysSignatureIsWrong() async throws {
        let (one, other) = (TestKey.elliptic(name: "one"), TestKey.elliptic(name: "other"))
        let set = try await load([one, other])
        #expect(Self.fault(try one.token(Self.claims(), kid: "other"), set) == .badSignature)
        #expect(Self.fault(try TestKey.elliptic().token(Self.claims()), set) == .badSignature, "of a stranger's key")
        let single = TokenKeySet(keys: try await TokenKeyFile.load(folder.file("one.pem"), logger: Self.logger))
        #expect(Self.fault(try one.token(Self.claims(), kid: "whatever"), single) == nil, "a single file is for all tokens")
        #expect(Self.fault(try other.token(Self.claims(), kid: "one"), single) == .badSignature)
        #expect(Self.fault(try one.token(Self.claims()), TokenKeySet(keys: [])) == .unknownKey)
    }

    @Test func whatWasChangedIsNoticed() async throws {
        let keys = try Self.keys.get()
        let set = try await load(keys)
        for key in keys {
            let good = String(decoding: try key.token(Self.claims(), kid: key.id), as: UTF8.self).split(separator: ".").map(String.init)
            let (header, payload, signature) = (good[0], good[1], good[2])
            let mallory = TestKey.base64(Data(Self.claims().replacing("alice", with: "mallory").utf8))
            func fault(_ parts: String...) -> AuthError? { Self.fault(Array(parts.joined(separator: ".").utf8), set) }
            #expect(fault(header, payload, signature) == nil)
            #expect(fault(header, mallory, signature) == .badSignature, "\(key.algorithm)")
            #expect(fault(header, payload, "") == .badSignature, "no signature")
            #expect(fault(header, payload, String(signature.prefix(40))) == .badSignature, "too short a one")
            #expect(fault(header, payload, String(repeating: "A", count: signature.count)) == .badSignature)
            #expect(fault(header, payload) == .malformed)
        }
        for garbage in ["", ".", "..", "a.b.c", "bearer", String(repeating: "a", count: 9_000)] {
            #expect(Self.fault(Array(garbage.utf8), set) == .malformed, "\(garbage.prefix(20))")
        }
    }

    @Test func anExtensionThatIsNotUnderstoodIsRefused() async throws {
        let key = try Self.keys.get()[0]
        let set = try await load([key])
        #expect(Self.fault(try key.token(Self.claims(), header: #"{"alg":"HS256","crit":["b64"],"b64":false}"#), set) == .malformed)
        #expect(Self.fault(try key.token(Self.claims(), header: #"{"alg":"HS256","alg":"none"}"#), set) == .malformed)
    }

    // MARK: Claims

    private func secretSet() async throws -> (TestKey, TokenKeySet) {
        let key = try Self.keys.get()[0]
        return (key, try await load([key]))
    }

    @Test func timesAreKept() async throws {
        let (key, set) = try await secretSet()
        func fault(_ claims: String, leeway: Int64 = 0, lifetime: Int64 = 3_600) throws -> AuthError? {
            let check = Self.check {
                $0.leewaySeconds = leeway
                $0.tokenSecondsMax = lifetime
            }
            return Self.fault(try key.token(claims), set, check)
        }
        let now = Self.now
        #expect(try fault(Self.claims(exp: "\(now + 1)")) == nil)
        #expect(try fault(Self.claims(exp: "\(now)")) == .expired)
        #expect(try fault(Self.claims(exp: "\(now - 1)")) == .expired)
        #expect(try fault(Self.claims(exp: "\(now).9")) == .expired, "never longer than it says")
        #expect(try fault(Self.claims(exp: "\(now - 29)"), leeway: 30) == nil)
        #expect(try fault(Self.claims(exp: "\(now - 30)"), leeway: 30) == .expired)
        #expect(try fault(Self.claims(#""nbf":\#(now)"#)) == nil)
        #expect(try fault(Self.claims(#""nbf":\#(now + 1)"#)) == .notYetValid)
        #expect(try fault(Self.claims(#""nbf":\#(now + 30)"#), leeway: 30) == nil)
        #expect(try fault(Self.claims(#""nbf":\#(now + 31)"#), leeway: 30) == .notYetValid)
        #expect(try fault(Self.claims(exp: "\(now + 3_600)")) == nil)
        #expect(try fault(Self.claims(exp: "\(now + 3_601)")) == .tooLongLived)
        #expect(try fault(Self.claims(exp: "\(now + 3_630)"), leeway: 30) == nil)
        #expect(try fault(Self.claims(exp: "\(now + 3_631)"), leeway: 30) == .tooLongLived)
    }

    @Test(arguments: ["1e300", "-1e300", "-1", "1e18", "9223372036854775807", "\"tomorrow\"", "null", "true", "[]", "1e400"])
    func timesThatMakeNoSense(time: String) async throws {
        let (key, set) = try await secretSet()
        let asExpiry = Self.fault(try key.token(Self.claims(exp: time)), set)
        #expect(asExpiry == .badClaims, "\(String(describing: asExpiry))")
        if time == "null" { return }
        for claim in ["nbf", "iat"] {
            #expect(Self.fault(try key.token(Self.claims(#""\#(claim)":\#(time)"#)), set) == .badClaims, "\(claim)")
        }
    }

    @Test(arguments: [
        "", "[]", "{}", "null", "\u{0}", #"{"exp":1795000060}"#, #"{"sub":"alice"}"#, #"{"sub":"","exp":1795000060}"#,
        #"{"sub":7,"exp":1795000060}"#, #"{"sub":["alice"],"exp":1795000060}"#, #"{"sub":null,"exp":1795000060}"#,
        #"{"sub":"alice","exp":1795000060"#, #"{"sub":"alice","exp":1795000060}x"#,
    ])
    func whatIsMissing(claims: String) async throws {
        let (key, set) = try await secretSet()
        #expect(Self.fault(try key.token(claims), set) == .badClaims)
    }

    @Test func issuersAndAudiences() async throws {
        let (key, set) = try await secretSet()
        func fault(_ claims: String, issuers: [String] = [], audiences: [String] = []) throws -> AuthError? {
            let check = Self.check {
                $0.issuers = issuers
                $0.audiences = audiences
            }
            return Self.fault(try key.token(Self.claims(claims)), set, check)
        }
        #expect(try fault("") == nil)
        #expect(try fault(#""iss":"any","aud":["any"]"#) == nil, "nobody asks")
        #expect(try fault(#""iss":"login""#, issuers: ["other", "login"]) == nil)
        #expect(try fault(#""iss":"login2""#, issuers: ["login"]) == .wrongIssuer)
        #expect(try fault("", issuers: ["login"]) == .wrongIssuer)
        #expect(try fault(#""iss":"""#, issuers: ["login"]) == .wrongIssuer)
        #expect(try fault(#""aud":"chat""#, audiences: ["mail", "chat"]) == nil)
        #expect(try fault(#""aud":["mail","chat"]"#, audiences: ["chat"]) == nil)
        #expect(try fault(#""aud":["mail"]"#, audiences: ["chat"]) == .wrongAudience)
        #expect(try fault(#""aud":"chats""#, audiences: ["chat"]) == .wrongAudience)
        #expect(try fault(#""aud":[]"#, audiences: ["chat"]) == .wrongAudience)
        #expect(try fault(#""aud":[]"#) == nil && fault(#""aud":7"#) == .badClaims && fault(#""aud":[7]"#) == .badClaims)
        #expect(try fault("", audiences: ["chat"]) == .wrongAudience)
    }

    @Test func grantsAreWhatIsSaidAndNoMore() async throws {
        let (key, set) = try await secretSet()
        let game = Array("game:1".utf8)
        let claims = Self.claims(
            #""iat":\#(Self.now - 5),"jti":"t1","subscribe":["room","game:*"],"presence":["room"],"publish":["talk"],"publishUsers":["bob"]"#
        )
        let grant = try Self.check { $0.leewaySeconds = 7 }.check(try key.token(claims), keys: set, nowSeconds: Self.now)
        #expect(grant.user == Array("alice".utf8) && grant.tokenID == "t1" && grant.issuedAt == Self.now - 5)
        #expect(grant.expires == Self.now + 67, "the leeway counts for sockets too")
        #expect(grant.subscribe.matches(game) && !grant.presence.matches(game) && !grant.publish.matches(game))
        #expect(grant.publish.matches(Array("talk".utf8)) && grant.publishUsers.matches(Array("bob".utf8)))
        let bare = try Self.check().check(try key.token(Self.claims()), keys: set, nowSeconds: Self.now)
        #expect(bare.subscribe.isEmpty && bare.presence.isEmpty && bare.publish.isEmpty && bare.publishUsers.isEmpty)
        #expect(bare.issuedAt == nil && bare.tokenID == nil)
    }

    @Test func grantsAreReadWhereTheMapSays() async throws {
        let (key, set) = try await secretSet()
        let claims = #""channels":["news"],"mercure":{"publish":["*"]},"presence":["watch:{user}"],"subscribe":7"#
        let map = try ClaimsMap(["centrifugo", "publish=mercure.publish"])
        let grant = try Self.check { $0.claimsMap = map }.check(try key.token(Self.claims(claims)), keys: set, nowSeconds: Self.now)
        #expect(grant.subscribe.matches(Array("news".utf8)) && !grant.subscribe.matches(Array("new".utf8)))
        #expect(
            grant.publish.isAll && grant.presence.matches(Array("watch:alice".utf8)) && !grant.presence.matches(Array("watch:bob".utf8)))
        let refusal = Self.refusal(try key.token(Self.claims(#""channels":["a*"]"#)), set, Self.check { $0.claimsMap = map })
        #expect(refusal?.error == .badClaims && refusal?.message.contains(#""channels" has "a*""#) == true)
    }

    @Test(arguments: ["subscribe", "presence", "publish", "publishUsers", "history", "historyUsers"])
    func grantsThatAreNoLists(claim: String) async throws {
        let (key, set) = try await secretSet()
        let many = (0...NamePatterns.countMax).map { "\"r\($0)\"" }.joined(separator: ",")
        for value in [#""room""#, "{}", "true", "[1]", "[null]", #"["room",7]"#, #"[""]"#, #"[["room"]]"#, "[\(many)]"] {
            let fault = Self.fault(try key.token(Self.claims(#""\#(claim)":\#(value)"#)), set)
            #expect(fault == .badClaims || fault == .malformed, "\(value.prefix(30)): \(String(describing: fault))")
        }
    }

    // MARK: What the bearer learns

    @Test(arguments: [
        (#"{"sub":"alice","exp":1795230219000}"#, "milliseconds"), (#"{"sub":7,"exp":EXP}"#, #""sub" must be a string"#),
        (#"{"sub":"alice","exp":EXP,"subscribe":"room"}"#, #""subscribe" must be a list of channel names"#),
        (#"{"sub":"alice","exp":"soon"}"#, #""exp" must be a number of seconds since 1970"#), (#"{"exp":EXP}"#, #""sub" is missing"#),
        (#"{"sub":"alice"}"#, #""exp" is missing"#), (#"{"sub":"","exp":EXP}"#, #""sub" is empty"#),
        (#"{"sub":"alice","sub":"bob","exp":EXP}"#, #""sub" stands there twice"#),
        (#"{"sub":"alice","exp":EXP,"exp":EXP}"#, #""exp" stands there twice"#),
        (#"{"sub":"alice","exp":EXP,"x":{"a":1,"\u0061":2}}"#, "stands there twice"),
        (#"{"sub":"alice","exp":EXP,"publish":[""]}"#, #""publish" takes at most"#),
        (#"{"sub":"alice","exp":EXP,"iat":1995230219}"#, #""iat" is in the future"#),
        (#"{"sub":"alice","exp":EXP,"nbf":1995230219000}"#, #""nbf""#),
        ("{\"sub\":\"\(String(repeating: "a", count: 257))\",\"exp\":EXP}", #""sub" has 257 bytes; at most 256"#),
        ("{\"sub\":\"alice\",\"exp\":EXP,\"jti\":\"\(String(repeating: "j", count: 257))\"}", #""jti" has 257 bytes"#),
    ])
    func aRefusalNamesTheClaim(claims: String, sentence: String) async throws {
        let key = try #require(try Self.keys.get().first)
        let set = try await load([key])
        let claims = claims.replacing("EXP", with: "\(Self.now + 60)")
        let refusal = try #require(Self.refusal(try key.token(claims), set), "taken: \(claims)")
        #expect(refusal.message.contains(sentence), "\(refusal.message)")
        // Whoever can't sign learns nothing of what is in it.
        var forged = try key.token(claims)
        forged[forged.count - 2] = forged[forged.count - 2] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        #expect(Self.refusal(forged, set) == AuthRefusal(.badSignature))
    }
}
