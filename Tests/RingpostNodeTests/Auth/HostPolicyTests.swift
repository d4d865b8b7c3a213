import Testing

@testable import RingpostNode

@Suite struct HostPolicyTests {
    @Test(arguments: [
        nil, "127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "app.localhost", "10.1.2.3:80", "ringpost", "node.example:8080",
        "NODE.example",
    ])
    func names(_ authority: String?) {
        #expect(HostPolicy.allows(authority, names: ["node.example", nil]))
    }

    @Test(arguments: ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "node.example.evil"])
    func strangersNames(_ authority: String) {
        #expect(!HostPolicy.allows(authority, names: ["node.example", nil]))
    }

    @Test func aPageUnderAnotherNameGetsNothing() throws {
        let node = try EmbeddedNode()
        for (channel, path) in [(try node.clientConnection(), "/v1/poll?user=a&wait=0"), (try node.apiConnection(), "/v1/nodes")] {
            try channel.arrive("GET \(path) HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 403 "))
        }
    }
}
