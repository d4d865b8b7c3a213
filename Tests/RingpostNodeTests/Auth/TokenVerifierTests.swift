// Keys that are published: fetched once for all who wait, kept when the server fails, and never from where somebody could put himself in
// between.

import Foundation
import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct TokenVerifierTests {
    private static let now = Int64(1_795_000_000)
    private static let claims = #"{"sub":"alice","exp":1795000060}"#

    private static func verifier(_ change: (inout AuthConfiguration) -> Void) -> TokenVerifier {
        var trust = AuthConfiguration()
        change(&trust)
        return TokenVerifier(trust, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func verifier(_ server: StandInKeyServer) async throws -> TokenVerifier {
        let verifier = verifier { $0.tokenKeysURL = server.url }
        try await verifier.load()
        return verifier
    }

    private static func word(_ verifier: TokenVerifier, _ token: [UInt8], isSecondTry: Bool = false) -> String {
        switch verifier.verify(token, nowSeconds: now, isSecondTry: isSecondTry) {
        case .granted: "granted"
        case .refused(let refusal): refusal.error.rawValue
        case .keysMissing: "missing"
        case .mayHelpToFetch: "fetch"
        }
    }

    private static func set(_ keys: TestKey...) throws -> String { #"{"keys":[\#(try keys.map { try $0.jwk() }.joined(separator: ","))]}"# }

    @Test func publishedKeysAreFetchedAtTheStart() async throws {
        let key = TestKey.elliptic(name: "one")
        let server = try await StandInKeyServer.start(try Self.set(key))
        let verifier = try await Self.verifier(server)
        #expect(server.requests == 1 && verifier.keyCount == 1 && verifier.failedFetches == 0)
        #expect(Self.word(verifier, try key.token(Self.claims, kid: "one")) == "granted")
        #expect(Self.word(verifier, try TestKey.elliptic().token(Self.claims, kid: "one")) == "bad_signature", "no fetch helps there")
        #expect(Self.word(verifier, try key.token("{}", kid: "one")) == "bad_claims")
    }

    @Test func aNewKeyCausesOneFetchHoweverManyBringIt() async throws {
        let (old, new) = (TestKey.elliptic(name: "old"), TestKey.elliptic(name: "new"))
        let server = try await StandInKeyServer.start(try Self.set(old))
        let verifier = Self.verifier { $0.tokenKeysURL = server.url }
        server.set {
            $0.body = (try? Self.set(old, new)) ?? ""
            $0.isSilent = true
        }
        let tokens = try (0..<100).map { try new.token(#"{"sub":"u\#($0)","exp":1795000060}"#, kid: "new") }
        for token in tokens { #expect(Self.word(verifier, token) == "fetch") }
        let woken = Mutex(0)
        for _ in tokens { verifier.awaitKeys { woken.withLock { $0 += 1 } } }
        try await eventually(within: 20, "it is asked") { server.requests > 0 }
        #expect(woken.withLock { $0 } == 0)
        let before = verifier.generation
        server.set { $0.isSilent = false }
        try await eventually(within: 20, "all are woken") { woken.withLock { $0 } == 100 }
        #expect(server.requests == 1 && verifier.generation > before)
        // A key that is still not known is refused at once, and asks nobody; after a pause, however many bring it, once more.
        let stranger = try TestKey.elliptic().token(Self.claims, kid: "stranger")
        #expect(Self.word(verifier, stranger) == "fetch")
        for _ in 0..<100 { verifier.awaitKeys { woken.withLock { $0 += 1 } } }
        try await eventually(within: 20, "nobody waits") { woken.withLock { $0 } == 200 }
        #expect(Self.word(verifier, stranger, isSecondTry: true) == "unknown_key")
        #expect(server.requests <= 2)
        for token in tokens { #expect(Self.word(verifier, token, isSecondTry: true) == "granted") }
    }

    @Test(arguments: [
        ("500 Internal Server Error", "{}"), ("200 OK", "nonsense"), ("200 OK", #"{"keys":[]}"#), ("302 Found", "{}"),
        ("200 OK", #"{"keys":[{"kty":"oct","kid":"s","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#),
    ])
    func aServerThatFailsIsNoReasonToTrustAnybody(status: String, body: String) async throws {
        let server = try await StandInKeyServer.start(body)
        server.set { $0.status = status }
        let verifier = try await Self.verifier(server)
        #expect(verifier.failedFetches == 1 && verifier.keyCount == 0)
        let token = try TestKey.elliptic(name: "one").token(Self.claims, kid: "one")
        #expect(Self.word(verifier, token) == "fetch")
        #expect(Self.word(verifier, token, isSecondTry: true) == "missing", "nobody can tell")
        let forged = try TestKey.secret("HS256", Data(repeating: 0, count: 36)).token(Self.claims, kid: "s")
        #expect(Self.word(verifier, forged, isSecondTry: true) == "missing")
    }

    @Test func keysThatAreKnownStayWhenTheServerFails() async throws {
        let key = TestKey.elliptic(name: "one")
        let server = try await StandInKeyServer.start(try Self.set(key))
        server.set { $0.headers = ["Cache-Control: public, max-age=0"] }
        let verifier = try await Self.verifier(server)
        server.set {
            $0.status = "503 Service Unavailable"
            $0.body = ""
        }
        await verifier.fetch()
        #expect(verifier.failedFetches == 1 && verifier.keyCount == 1)
        #expect(Self.word(verifier, try key.token(Self.claims, kid: "one")) == "granted")
    }

    @Test func filesAndPublishedKeysCountTogether() async throws {
        let folder = try TemporaryFolder("keys")
        let (mine, published) = (TestKey.elliptic(name: "mine"), TestKey.elliptic(name: "published"))
        try mine.file.write(to: URL(fileURLWithPath: folder.file(mine.fileName)))
        let server = try await StandInKeyServer.start(try Self.set(published))
        let verifier = Self.verifier {
            $0.tokenKeysURL = server.url
            $0.tokenKeysPath = folder.path
        }
        try await verifier.load()
        #expect(verifier.keyCount == 2)
        for key in [mine, published] { #expect(Self.word(verifier, try key.token(Self.claims, kid: key.id)) == "granted") }
        // Another file in its place.
        let other = TestKey.elliptic(name: "mine")
        try other.file.write(to: URL(fileURLWithPath: folder.file(other.fileName)))
        let before = verifier.generation
        verifier.reload {}
        try await eventually(within: 20, "the file is read again") { verifier.generation > before }
        #expect(Self.word(verifier, try other.token(Self.claims, kid: "mine")) == "granted")
        #expect(Self.word(verifier, try mine.token(Self.claims, kid: "mine")) == "bad_signature")
        // One that is broken changes nothing but the alarms.
        try folder.write("nonsense", to: "mine.pem")
        let alarms = Mutex(0)
        verifier.reload { alarms.withLock { $0 += 1 } }
        try await eventually(within: 20, "an alarm") { alarms.withLock { $0 } == 1 }
        #expect(Self.word(verifier, try other.token(Self.claims, kid: "mine")) == "granted")
    }

    @Test(arguments: [
        "http://keys.example/set", "http://10.0.0.1/set", "http://127.0.0.1.example/set", "ftp://127.0.0.1/set", "keys.example/set",
        "https://", "", "file:///etc/passwd",
    ])
    func keysAreNotFetchedWhereOthersCouldPutThemselvesBetween(url: String) async throws {
        let verifier = Self.verifier { $0.tokenKeysURL = url }
        await #expect(throws: NodeError.self) { try await verifier.load() }
        #expect(verifier.failedFetches == 0, "it is not even tried")
    }

    @Test func aFileThatCannotBeUsedStopsTheStart() async throws {
        let verifier = Self.verifier { $0.tokenKeysPath = "/nowhere" }
        await #expect(throws: NodeError.self) { try await verifier.load() }
    }
}
