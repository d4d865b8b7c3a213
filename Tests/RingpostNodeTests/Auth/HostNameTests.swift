// Addresses are compared as addresses, in whatever spelling the resolver takes them.
import Testing

@testable import RingpostNode

@Suite struct HostNameTests {
    @Test(arguments: ["0.0.0.0", "::", "::0", "0:0::0", "::ffff:0.0.0.0", "0", "0.0", "::ffff:0:0"])
    func everyAddress(host: String) { #expect(HostName.isWildcard(host) && HostName.isValid(host)) }

    @Test(arguments: ["127.0.0.1", "::1", "0::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST", "127.255.255.255"])
    func thisMachineOnly(host: String) { #expect(HostName.isLoopback(host) && !HostName.isWildcard(host)) }

    @Test(arguments: ["10.0.0.1", "fe80::1", "push.example.com", "n1", "127.0.0.1.example.com", "my_node"])
    func otherHosts(host: String) { #expect(HostName.isValid(host) && !HostName.isLoopback(host) && !HostName.isWildcard(host)) }

    @Test(arguments: ["*", "", "a b", "http://a", "a/b", "ä.example", "300.1.1.1", "user@host", String(repeating: "a", count: 254)])
    func noHosts(host: String) { #expect(!HostName.isValid(host)) }
}

@Suite struct ZooKeeperServersTests {
    @Test(arguments: [
        ("127.0.0.1:2181", "127.0.0.1:2181", ""), ("a:1,b:2,c:3/push", "a:1,b:2,c:3", "/push"), ("[::1]:2181", "::1:2181", ""),
        ("127.0.0.1:1,[fe80::1]:2182/app/push", "127.0.0.1:1,fe80::1:2182", "/app/push"), ("zk", "zk:2181", ""),
        ("[::1]", "::1:2181", ""), ("a:1, b:2/", "a:1,b:2", ""),
    ])
    func whatPeopleWrite(text: String, servers: String, chroot: String) throws {
        let read = try ZooKeeperServers(text)
        #expect(read.connectString == servers && read.chroot == chroot)
    }

    @Test(arguments: ["", ",", "a:1,", "::1:2181", "[::1:2181", "a:0", "a:x", "a:1/b//c", "a:1/b/", "a:1/../b", "a b:1", "0.0.0.0:2181"])
    func whatIsRefused(text: String) {
        #expect(throws: NodeError.self) { try ZooKeeperServers(text) }
    }
}

@Suite struct WebOriginTests {
    @Test(arguments: [
        ("https://app.example.com", "https://app.example.com"), ("https://app.example.com/", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"), ("HTTPS://App.Example.COM:8443/", "https://app.example.com:8443"),
        ("http://localhost:80", "http://localhost"), ("http://localhost:443", "http://localhost:443"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("https://[::1]", "https://[::1]"), ("capacitor://localhost", "capacitor://localhost"), ("*", "*"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ])
    func asBrowsersSendIt(text: String, origin: String) throws { #expect(try WebOrigin.canonical(text) == origin) }

    @Test(arguments: [
        "app.example.com", "https://", "https:///", "https://app.example.com/page", "https://*.example.com", "https://bücher.example",
        "https://user@app.example.com", "https://app.example.com?x", "null", "://app", "https://app.example.com:0", "https://a:b",
    ])
    func whatNoBrowserSends(text: String) {
        #expect(throws: NodeError.self) { try WebOrigin.canonical(text) }
    }
}
