// Keys that are published by somebody who may be slow, wrong or hostile: no redirect, no endless body, no issuer's key for another's tokens.

import Foundation
import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct PublishedKeyTests {
    private static let now = Int64(1_795_000_000)

    private static func verifier(_ change: (inout AuthConfiguration) -> Void) -> TokenVerifier {
        var trust = AuthConfiguration()
        change(&trust)
        return TokenVerifier(trust, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func word(_ verifier: TokenVerifier, _ token: [UInt8], isSecondTry: Bool = false) -> String {
        switch verifier.verify(token, nowSeconds: now, isSecondTry: isSecondTry) {
        case .granted: "granted"
        case .refused(let refusal): refusal.error.rawValue
        case .keysMissing: "missing"
        case .mayHelpToFetch(let issuer): "fetch \(issuer ?? "-")"
        }
    }

    private static func set(_ keys: TestKey...) throws -> String { #"{"keys":[\#(try keys.map { try $0.jwk() }.joined(separator: ","))]}"# }
    private static func claims(_ issuer: String?) -> String {
        #"{"sub":"alice","exp":1795000060\#(issuer.map { #","iss":"\#($0)""# } ?? "")}"#
    }
    private static let configurationPath = "/.well-known/openid-configuration"

    /// An issuer that publishes its configuration, and the key in it.
    private static func issuer(_ key: TestKey, named name: String? = nil) async throws -> StandInKeyServer {
        let server = try await StandInKeyServer.start(try set(key))
        server.set {
            $0.pages[configurationPath] = #"{"issuer":"\#(name ?? server.origin)","jwks_uri":"\#(server.url)","x":1}"#
        }
        return server
    }

    @Test(arguments: ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
    func aRedirectLeadsNowhere(status: String) async throws {
        let (good, evil) = (TestKey.elliptic(name: "good"), TestKey.elliptic(name: "evil"))
        let elsewhere = try await StandInKeyServer.start(try Self.set(evil))
        let server = try await StandInKeyServer.start(try Self.set(good))
        server.set {
            $0.status = status
            $0.headers = ["Location: \(elsewhere.url)"]
        }
        let verifier = Self.verifier { $0.tokenKeysURL = server.url }
        try await verifier.load()
        #expect(verifier.keyCount == 0 && verifier.failedFetches == 1 && elsewhere.requests == 0)
    }

    @Test func aBodyThatTricklesHoldsUpNobodyForLong() async throws {
        let server = try await StandInKeyServer.start("")
        server.set { $0.tricklesBody = true }
        let verifier = Self.verifier { $0.tokenKeysURL = server.url }
        let loading = Task { try await verifier.load() }
        try await eventually(within: 60, "the body is given up, although bytes of it still come") { verifier.failedFetches == 1 }
        try await loading.value
        // Who brings an unknown key while it is fetched again waits for a bounded time.
        let running = Task { await verifier.run() }
        defer { running.cancel() }
        try await eventually(within: 30, "it is fetched again") { server.requests == 2 }
        let failedWhenWoken = Mutex<Int?>(nil)
        verifier.awaitKeys { failedWhenWoken.withLock { $0 = Int(verifier.failedFetches) } }
        #expect(failedWhenWoken.withLock { $0 } == nil)
        try await eventually(within: 30, "woken") { failedWhenWoken.withLock { $0 } != nil }
        #expect(failedWhenWoken.withLock { $0 } == 1, "before the fetch is given up")
    }

    @Test func anOrderFetchesNewKeysAtOnce() async throws {
        let (old, new) = (TestKey.elliptic(name: "old"), TestKey.elliptic(name: "new"))
        let server = try await StandInKeyServer.start(try Self.set(old))
        let verifier = Self.verifier { $0.tokenKeysURL = server.url }
        let changes = Mutex<[[String]]>([])
        verifier.onKeys { _, keys in changes.withLock { $0.append(keys.keys.map { $0.id ?? "-" }) } }
        try await verifier.load()
        server.set { $0.body = (try? Self.set(new)) ?? "" }
        verifier.refetch()
        try await eventually(within: 20, "the new key") { Self.word(verifier, try new.token(Self.claims(nil), kid: "new")) == "granted" }
        #expect(Self.word(verifier, try old.token(Self.claims(nil), kid: "old")) == "fetch -")
        verifier.refetch()
        try await eventually(within: 20, "it is asked once more") { server.requests == 3 }
        #expect(changes.withLock { $0 } == [["old"], ["new"]], "the same keys are no change")
    }

    @Test func anIssuerNamesItsKeys() async throws {
        let key = TestKey.elliptic(name: "one")
        let server = try await Self.issuer(key)
        for discovers in [true, false] {
            let verifier = Self.verifier {
                $0.discoversKeys = discovers
                $0.issuers = [server.origin]
                if !discovers { $0.tokenKeysURL = server.origin + Self.configurationPath }
            }
            try await verifier.load()
            #expect(verifier.keyCount == 1 && verifier.failedFetches == 0)
            #expect(Self.word(verifier, try key.token(Self.claims(server.origin), kid: "one")) == "granted")
            #expect(Self.word(verifier, try key.token(Self.claims(nil), kid: "one")) == "unknown_key", "and nobody is asked")
            #expect(Self.word(verifier, try key.token(Self.claims("other"), kid: "one")) == "unknown_key")
            #expect(Self.word(verifier, try key.token(Self.claims(server.origin), kid: "two")) == "fetch \(server.origin)")
        }
    }

    @Test func oneIssuersKeyIsNotForAnothersTokens() async throws {
        let (mine, theirs) = (TestKey.elliptic(name: "same"), TestKey.elliptic(name: "same"))
        let (one, other) = (try await Self.issuer(mine), try await Self.issuer(theirs))
        let verifier = Self.verifier {
            $0.discoversKeys = true
            $0.issuers = [one.origin, other.origin]
        }
        try await verifier.load()
        #expect(verifier.keyCount == 2)
        #expect(Self.word(verifier, try mine.token(Self.claims(one.origin), kid: "same")) == "granted")
        #expect(Self.word(verifier, try theirs.token(Self.claims(other.origin), kid: "same")) == "granted")
        // The other issuer is believed, but not about these users.
        #expect(Self.word(verifier, try theirs.token(Self.claims(one.origin), kid: "same")) == "bad_signature")
        #expect(Self.word(verifier, try theirs.token(Self.claims(one.origin))) == "bad_signature")
        #expect(Self.word(verifier, try mine.token(Self.claims(other.origin))) == "bad_signature")
    }

    @Test(arguments: [
        #"{"issuer":"https://other.example","jwks_uri":"KEYS"}"#, #"{"jwks_uri":"KEYS"}"#, #"{"issuer":"ISSUER"}"#, "{}", "[]", "x",
        #"{"issuer":"ISSUER","jwks_uri":"http://keys.example/set"}"#, #"{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}"#,
        #"{"issuer":"ISSUER","jwks_uri":7}"#, #"{"issuer":"ISSUER","issuer":"ISSUER","jwks_uri":"KEYS"}"#,
        #"{"issuer":"ISSUER/","jwks_uri":"KEYS"}"#,
    ])
    func aConfigurationThatIsNotTheIssuersIsRefused(document: String) async throws {
        let server = try await Self.issuer(TestKey.elliptic(name: "one"))
        server.set {
            $0.pages[Self.configurationPath] = document.replacing("ISSUER", with: server.origin).replacing("KEYS", with: server.url)
        }
        let verifier = Self.verifier {
            $0.discoversKeys = true
            $0.issuers = [server.origin]
        }
        try await verifier.load()
        #expect(verifier.keyCount == 0 && verifier.failedFetches == 1)
    }

    @Test func addressesOfIssuers() throws {
        func addresses(_ change: (inout AuthConfiguration) -> Void) -> [KeyAddress] {
            var trust = AuthConfiguration()
            change(&trust)
            return KeyAddress.all(trust)
        }
        let url = "https://a.example/.well-known/openid-configuration"
        #expect(KeyAddress(issuer: "https://a.example/").url == url && KeyAddress(issuer: "https://a.example").url == url)
        #expect(KeyAddress(url: url).issuer == "https://a.example" && KeyAddress(url: "https://a.example/keys").issuer == nil)
        #expect(addresses { $0.tokenKeysURL = "https://a.example/keys" } == [KeyAddress(url: "https://a.example/keys")])
        #expect(
            addresses {
                $0.tokenKeysURL = url
                $0.issuers = ["https://a.example/"]
            } == [KeyAddress(issuer: "https://a.example/")], "as its tokens name it")
        #expect(
            addresses {
                $0.discoversKeys = true
                $0.issuers = ["https://a.example", "https://b.example"]
                $0.tokenKeysURL = url
            } == [KeyAddress(issuer: "https://a.example"), KeyAddress(issuer: "https://b.example")])
    }

    @Test(arguments: ["http://login.example", "login", "ftp://127.0.0.1"])
    func anIssuerWithoutTLSIsNotAsked(issuer: String) async {
        let verifier = Self.verifier {
            $0.discoversKeys = true
            $0.issuers = [issuer]
        }
        await #expect(throws: NodeError.self) { try await verifier.load() }
        #expect(verifier.failedFetches == 0)
    }
}
