// A node of one event loop that turns only when a test turns it: what a handler does with bytes, without sockets and threads.

import HashRing
import Logging
import NIOCore
import NIOEmbedded
import RingpostCore

@testable import RingpostNode

final class EmbeddedNode {
    let eventLoop = EmbeddedEventLoop()
    let shard: Shard
    let view: MembershipView
    private let context: NodeContext
    private let group: ShardGroup
    private var channels: [EmbeddedChannel] = []

    /// A node that owns everything.
    ///
    /// - Parameters:
    ///   - isInRing: false for a node that has not joined yet.
    ///   - store: keeps its copies.
    ///   - configure: what it has besides the defaults.
    init(isInRing: Bool = true, store: (any CopyStore)? = nil, configure: (inout NodeConfiguration) -> Void = { _ in }) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var configuration = NodeConfiguration(id: "n1")
        // All come from one place, as one user.
        configuration.limits.socketsPerUserMax = 100_000
        configuration.limits.socketsPerAddressMax = 100_000
        configure(&configuration)
        context = NodeContext(configuration: configuration, shardCount: 1, logger: logger)
        group = ShardGroup(context, eventLoops: [eventLoop])
        shard = group.shards[0]
        guard let seed = SipKey(bytes: [UInt8](repeating: 7, count: 16)) else { throw NodeError("no key") }
        let me = Member(id: "n1", boot: 1, weight: 1, protocolVersion: 1, client: "n1:1", api: "n1:2", link: "n1:3")
        view = MembershipView(epoch: 5, members: [me], document: ClusterDocument(seed: seed, generation: 9), own: me.identity)
        context.setIdentity(me.identity)
        if let store { shard.serve(store: store, lineage: me.boot, heads: [:]) }
        if !isInRing { return }
        context.setLease(.forever)
        context.setView(view)
        shard.begin(as: me.identity)
        shard.apply(view)
        shard.setLease(until: .max)
        // Nobody else has ever had a copy.
        shard.decide { $0.onRoster(waitMilliseconds: 0, askedAt: 5, now: $1, actions: &$2) }
    }

    deinit {
        for channel in channels { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    /// - Parameter address: where it comes from.
    func clientConnection(from address: String = "127.0.0.1") throws -> EmbeddedChannel {
        try connect(clientHandler(), from: address, shard.context.configuration.auth.trustedProxies)
    }

    /// Of a connection to the client port.
    func clientHandler() -> HTTPConnection {
        HTTPConnection(
            routes: ClientRoutes(shard: shard, origins: OriginPolicy(shard.context.configuration.allowedOrigins)), shard: shard)
    }

    func apiConnection(from address: String = "127.0.0.1") throws -> EmbeddedChannel {
        try connect(HTTPConnection(routes: APIRoutes(shard: shard), shard: shard), from: address)
    }

    func linkConnection(from address: String = "127.0.0.1") throws -> EmbeddedChannel {
        try connect(LinkServer(links: shard.links), from: address)
    }

    /// As a port does it.
    func connect(_ socket: Connection, from address: String = "127.0.0.1", _ proxies: TrustedProxies = .nobody) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: eventLoop)
        channels.append(channel)
        let peer = try SocketAddress(ipAddress: address, port: 1)
        channel.remoteAddress = peer
        try Port.add(socket, nil, proxies, to: channel)
        try channel.connect(to: peer).wait()
        return channel
    }

    /// Publishes as a producer on a connection of its own would.
    func publish(_ text: String, to name: String, _ kind: KeyKind = .user) throws {
        let channel = try apiConnection()
        let path = kind == .user ? "users" : "channels"
        try channel.arrive("POST /v1/\(path)/\(name)/messages HTTP/1.1\r\nHost: x\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
        let answer = try channel.leaving()
        guard answer.hasPrefix("HTTP/1.1 200 ") else { throw NodeError(answer) }
    }
}

extension EmbeddedChannel {
    /// Bytes come in, and the loop turns once.
    func arrive(_ bytes: [UInt8]) throws {
        try writeInbound(ByteBuffer(bytes: bytes))
        embeddedEventLoop.run()
    }

    func arrive(_ text: String) throws { try arrive(Array(text.utf8)) }

    /// Each write that has gone out since the last look.
    func writes() throws -> [[UInt8]] {
        embeddedEventLoop.run()
        var writes: [[UInt8]] = []
        while let buffer = try readOutbound(as: ByteBuffer.self) { writes.append(Array(buffer.readableBytesView)) }
        return writes
    }

    /// Everything that has gone out since the last look, as text.
    func leaving() throws -> String { String(decoding: try writes().joined(), as: UTF8.self) }

    /// Whether more is to be read, as it was said last; `nil` if nothing was said.
    var reads: Bool? { options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool }
}
