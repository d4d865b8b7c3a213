// Which pages may use the client port.

import Testing

@testable import RingpostNode

@Suite struct OriginPolicyTests {
    private static let here = [
        "http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:80", "http://a.localhost",
    ]
    private static let strangers = [
        "https://example.com", "null", "http://localhost.example.com", "http://127.0.0.1.example.com", "file://", "http://[::1].example",
        "http://127.0.0.1@example.com", "http://notlocalhost", "",
    ]

    @Test func pagesOfThisMachineAreWelcomeWhereOnlyItReachesThePort() {
        for origin in Self.here {
            #expect(OriginPolicy([], allowsLoopback: true).allows(origin: origin), "\(origin)")
            #expect(!OriginPolicy([], allowsLoopback: false).allows(origin: origin), "\(origin), which is every machine's own")
        }
        for origin in Self.strangers { #expect(!OriginPolicy([], allowsLoopback: true).allows(origin: origin), "\(origin)") }
    }

    @Test func othersAreAllowedByName() {
        let policy = OriginPolicy(["https://app.example"], allowsLoopback: false)
        #expect(policy.allows(origin: "https://app.example") && policy.allows(origin: "HTTPS://App.Example"))
        for origin in ["http://app.example", "https://app.example:8443", "https://app.example.net", "https://x.app.example"] {
            #expect(!policy.allows(origin: origin), "\(origin)")
        }
        for origin in Self.strangers + Self.here { #expect(!policy.allows(origin: origin), "\(origin)") }
        #expect(OriginPolicy(["*"], allowsLoopback: false).allows(origin: "https://example.com"))
    }
}
