// Connections that come through a proxy: whose word is believed about whom they are for, and whom limits count them for.

import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct ProxyTests {
    private static let proxy = "10.0.0.1"
    private static let poll = "GET /v1/poll?user=a&wait=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private static func node(_ configure: (inout NodeConfiguration) -> Void = { _ in }) throws -> EmbeddedNode {
        try EmbeddedNode {
            $0.auth.trustedProxies = TrustedProxies([AddressRange(proxy)].compactMap { $0 })
            configure(&$0)
        }
    }

    private static func stream(_ headers: String = "") -> String { "GET /v1/sse?user=a HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n" }

    /// What becomes of one more stream where an address may have one.
    private static func isOpened(_ channel: EmbeddedChannel, _ headers: String = "") throws -> Bool {
        try channel.arrive(stream(headers))
        return try !channel.leaving().contains("too_many_sockets")
    }

    @Test func aProxySaysWhomAConnectionIsFor() throws {
        let node = try Self.node { $0.limits.socketsPerAddressMax = 1 }
        let v2: [UInt8] =
            Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, 0x11, 0, 12, 203, 0, 113, 8, 10, 0, 0, 1, 1, 2, 0, 80]
        for header in [Array("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n".utf8), v2] {
            for isFirst in [true, false] {
                let channel = try node.clientConnection(from: Self.proxy)
                // However it comes, and with the request right behind it.
                for byte in header.dropLast() { try channel.arrive([byte]) }
                try channel.arrive([header[header.count - 1]] + Array(Self.stream().utf8))
                #expect(try channel.leaving().contains("too_many_sockets") == !isFirst)
            }
        }
        #expect(node.shard.context.quotas.counts.addresses == 2)
        #expect(try !Self.isOpened(try node.clientConnection(from: "203.0.113.7")), "it counts with what that one opens itself")
    }

    @Test func whoIsNoProxyMayNotSayIt() throws {
        let node = try Self.node()
        for peer in ["203.0.113.9", "127.0.0.1"] {
            let channel = try node.clientConnection(from: peer)
            try channel.arrive("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" + Self.poll)
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 400 "))
        }
        let api = try node.apiConnection(from: Self.proxy)
        try api.arrive("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" + Self.poll)
        #expect(try api.leaving().hasPrefix("HTTP/1.1 400 "), "only on the client port")
    }

    @Test func aProxyNeedNotSayIt() throws {
        let node = try Self.node()
        for beginning in ["", "PROXY UNKNOWN\r\n"] {
            let channel = try node.clientConnection(from: Self.proxy)
            try channel.arrive(beginning + Self.poll)
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "), "\(beginning)")
            try channel.arrive(Self.poll)
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        }
        let broken = try node.clientConnection(from: Self.proxy)
        try broken.arrive("PROXY TCP4 nowhere\r\n" + Self.poll)
        #expect(try broken.leaving().isEmpty && !broken.isActive)
        let other = try node.clientConnection(from: "203.0.113.9")
        try other.arrive(Self.poll)
        #expect(try other.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    /// Or whoever comes through a proxy of the first kind could add a header of the second.
    @Test func whomTheFirstBytesNameMayNotNameAnother() throws {
        let node = try Self.node { $0.limits.socketsPerAddressMax = 1 }
        for isFirst in [true, false] {
            let channel = try node.clientConnection(from: Self.proxy)
            try channel.arrive("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n")
            #expect(try Self.isOpened(channel, "X-Forwarded-For: 198.51.100.\(isFirst ? 1 : 2)\r\n") == isFirst)
        }
    }

    @Test func headersOfAProxy() throws {
        let node = try Self.node { $0.limits.socketsPerAddressMax = 1 }
        func isOpened(_ headers: String, from peer: String = Self.proxy) throws -> Bool {
            try Self.isOpened(try node.clientConnection(from: peer), headers)
        }
        #expect(try isOpened("Forwarded: for=203.0.113.7;proto=https\r\n"))
        #expect(try !isOpened("X-Forwarded-For: 203.0.113.7\r\n"), "the same one")
        #expect(try !isOpened("Forwarded: for=198.51.100.1\r\nForwarded: for=\"203.0.113.7:4711\"\r\n"), "two lines are one list")
        #expect(try isOpened("X-Forwarded-For: 203.0.113.8\r\n"))
        // Who names nobody, or two, is counted itself.
        #expect(try isOpened(""))
        #expect(try !isOpened("Forwarded: for=unknown\r\n"))
        #expect(try !isOpened("X-Forwarded-For: 203.0.113.21\r\nForwarded: for=203.0.113.22\r\n"))
        // And of a stranger no header counts.
        #expect(try isOpened("X-Forwarded-For: 203.0.113.30\r\n", from: "203.0.113.9"))
        #expect(try !isOpened("X-Forwarded-For: 203.0.113.31\r\n", from: "203.0.113.9"))
    }

    @Test func thisMachineIsNoProxyUnlessItIsNamed() throws {
        let node = try EmbeddedNode { $0.limits.socketsPerAddressMax = 1 }
        for _ in 0..<2 { #expect(try Self.isOpened(try node.clientConnection(), "X-Forwarded-For: 203.0.113.7\r\n")) }
        #expect(node.shard.context.quotas.counts.addresses == 0)
    }

    // MARK: Connections

    @Test func anAddressHasSoManyConnections() throws {
        let node = try Self.node { $0.limits.connectionsPerAddressMax = 2 }
        let held = [try node.clientConnection(from: "203.0.113.7"), try node.apiConnection(from: "203.0.113.7")]
        for connect in [node.clientConnection, node.apiConnection] { #expect(try !connect("203.0.113.7").isActive) }
        #expect(try node.clientConnection(from: "203.0.113.8").isActive)
        for _ in 0..<5 { #expect(try node.clientConnection(from: Self.proxy).isActive, "a proxy has many clients") }
        for _ in 0..<5 { #expect(try node.clientConnection().isActive, "this machine") }
        #expect(node.shard.counters.limited[Limit.allCases.firstIndex(of: .connectionsPerAddress) ?? 0] == 2)
        let named = try (0..<3).map { _ in
            let channel = try node.clientConnection(from: Self.proxy)
            try channel.arrive("PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n")
            return channel
        }
        #expect(named.map(\.isActive) == [true, true, false])
        // It is given back, by a stream as well.
        try held[0].arrive(Self.stream())
        _ = try? held[0].finish(acceptAlreadyClosed: true)
        node.eventLoop.run()
        #expect(try node.clientConnection(from: "203.0.113.7").isActive)
        #expect(try !node.clientConnection(from: "203.0.113.7").isActive)
    }

    @Test func operatorsGetInWhenClientsHaveFilledTheNode() throws {
        let node = try Self.node { $0.limits.connectionsMax = 16 }
        let clients = try (0..<100).map { _ in try node.clientConnection() }
        #expect(clients.count { $0.isActive } == 14 + ConnectionRoom.singlesMax)
        let operators = try node.apiConnection()
        try operators.arrive("GET /v1/ring HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try operators.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    // MARK: What is said

    @Test func everyAnswerKeepsItsType() throws {
        let node = try EmbeddedNode()
        let client = try node.clientConnection()
        let api = try node.apiConnection()
        let asks = [
            (client, Self.poll), (client, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"), (client, Self.stream()),
            (api, "POST /v1/users/a/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"),
            (api, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), (api, "GARBAGE\r\n\r\n"),
        ]
        for (channel, request) in asks {
            try channel.arrive(request)
            let answer = try channel.leaving()
            #expect(
                answer.split(separator: "\r\nX-Content-Type-Options: nosniff\r\n", omittingEmptySubsequences: false).count == 2, "\(answer)"
            )
        }
    }
}
