// A whole node: its event loops, its three ports, its place in the ring. Started by a command or a test, stopped in order.
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RingpostCore
import RingpostWire
import ServiceLifecycle

/// One node of a cluster, or a whole service of one node.
public final class Node: Service {
    private let context: NodeContext
    private let threads: MultiThreadedEventLoopGroup
    private let group: ShardGroup

    /// Makes a node; ``run()`` starts it.
    ///
    /// - Parameter log: where the process's log goes, for its metrics.
    public init(_ configuration: NodeConfiguration, logger: Logger, log: LogOutput? = nil) {
        let count = min(max(1, configuration.shards ?? System.coreCount), ConnectionAddress.loopsMax)
        threads = MultiThreadedEventLoopGroup(numberOfThreads: count)
        // Before anything is made that depends on how many there may be.
        DescriptorLimit.raise(logger: logger)
        DescriptorLimit.makeRoom()
        let context = NodeContext(configuration: configuration, shardCount: count, logger: logger, log: log)
        self.context = context
        let group = ShardGroup(context, eventLoops: Array(threads.makeIterator()))
        group.setQuestionAnswerer { [unowned group] in group.answer($0, $1, on: $2, $3) }
        context.tokens?.onKeys { [weak group] old, new in
            group?.onEachShard { $0.applySigners(new.signers) }
            group?.context.audit(from: old, to: new)
        }
        self.group = group
    }

    /// Runs until the node has drained, by a graceful shutdown or by an operator's order: its slots are handed over, then its
    /// sockets are asked to go elsewhere, then it leaves the ring.
    ///
    /// - Throws: ``NodeError`` when a port is taken, the id is in use, or ZooKeeper can't be used.
    public func run() async throws {
        try await context.loadAuth()
        let namespaces = context.configuration.namespaces
        if !namespaces.isEmpty {
            context.logger.info("namespaces", metadata: ["count": "\(namespaces.all.count)", "digest": "\(namespaces.digest.hexadecimal)"])
        }
        guard let store = try await NodeStore.open(for: context) else { return try await serve(nil, await listen()) }
        let ports: Ports
        do {
            guard try await store.settle() else {
                await store.close()
                return
            }
            ports = try await listen()
        } catch {
            await store.close()
            throw error
        }
        try await serve(store, ports)
    }

    private func serve(_ store: NodeStore?, _ ports: Ports) async throws {
        let watching = [
            Task { [context] in await context.auth.files.run() }, Task { [context] in await context.tokens?.run() ?? () },
            Task { [context] in await context.remindOfOpenZooKeeper() },
        ]
        defer { for task in watching { task.cancel() } }
        let heads = store?.removeHeads() ?? [:]
        group.onEachShard { shard in
            ThreadHeap.makeReady()
            store?.serve(shard, heads)
            shard.start()
        }
        let outcome = await Result.of { try await runMembership(ports, store) }
        for channel in ports.channels { try? await channel.close() }
        await group.closeSockets()
        // The shards write nothing any more, and their loops are still there for what they wait for.
        let failure = await store?.close()
        // From here on the event loops have their own business only, and can end.
        await context.loops.close()
        await context.audit?.close()
        try await threads.shutdownGracefully()
        try outcome.get()
        if let failure { throw NodeError("\(failure)") }
    }

    /// Told to end once more: what is left of the drain is skipped.
    public func hasten() { context.onSignal() }

    /// Reads certificates, keys and secrets anew, as it does by itself when they change, and fetches what is published. Sockets that are open
    /// stay, unless the key that has let them in is gone.
    public func reload() {
        // First, so that what has changed stands in the new file.
        context.audit?.reopen()
        context.auth.files.reloadNow()
        context.tokens?.refetch()
    }

    // MARK: Ports

    struct Ports: Sendable {
        let channels: [any Channel]
        let client: ListenAddress
        let api: ListenAddress
        let link: ListenAddress
    }

    private func listen() async throws -> Ports {
        let configuration = context.configuration
        let origins = OriginPolicy(
            configuration.allowedOrigins, allowsLoopback: LoopbackPolicy.isLoopback(configuration.client.host))
        let auth = context.auth
        let (shards, eventLoops) = (group.shards, group.eventLoops)
        let many = Port.strangersReadBytesMax
        let link = try await group.openLinkPort(at: configuration.link) { auth.acceptingLinks }
        let api = try await Port(
            configuration.api, "API", readBytesMax: many, allowsHalfClosure: true, eventLoops: eventLoops, tls: { auth.tls }
        ) {
            HTTPConnection(routes: APIRoutes(shard: shards[$0]), shard: shards[$0])
        }
        let client = try await Port(
            configuration.client, "client", readBytesMax: many, allowsHalfClosure: true, eventLoops: eventLoops, tls: { auth.tls },
            proxies: configuration.auth.trustedProxies, vanishedMilliseconds: configuration.limits.vanishedMilliseconds
        ) {
            HTTPConnection(routes: ClientRoutes(shard: shards[$0], origins: origins), shard: shards[$0])
        }
        let ports = Ports(
            channels: client.channels + api.channels + link.channels, client: client.address, api: api.address, link: link.address)
        return ports
    }

    // MARK: Membership

    private func runMembership(_ ports: Ports, _ store: NodeStore?) async throws {
        let sayListening: @Sendable () -> Void = { [context] in
            context.logger.info("listening", metadata: ["client": "\(ports.client)", "api": "\(ports.api)", "link": "\(ports.link)"])
        }
        // A node without ZooKeeper is its own ring at once: whoever reads the line is served from then on.
        let isAlone = context.configuration.zookeeper == nil
        if !isAlone { sayListening() }
        let member = announce(ports, lineage: store?.lineage)
        try await NodeMembership(group: group, member: member, keeper: store, ring: store?.ring) { if isAlone { sayListening() } }.run()
    }

    private func announce(_ ports: Ports, lineage: UInt64?) -> Member {
        func announced(_ address: ListenAddress) -> String {
            "\(ListenAddress(host: context.configuration.advertise ?? address.host, port: address.port))"
        }
        let client = context.configuration.advertiseClientPort.map { ListenAddress(host: ports.client.host, port: $0) } ?? ports.client
        // What is in memory only is a new store with each process.
        var random = SystemRandomNumberGenerator()
        return Member(
            id: context.configuration.id, boot: 0, lineage: lineage ?? random.next(), disk: context.configuration.store?.durability,
            weight: context.configuration.weight, zone: context.configuration.zone,
            protocolVersion: Int(LinkProtocol.version), client: announced(client), api: announced(ports.api),
            link: context.configuration.advertiseLink.map { "\($0)" } ?? announced(ports.link))
    }
}

extension ShardGroup {
    /// The port that other nodes, and producers that use links, connect to.
    ///
    /// - Parameter tls: asked once a connection; `nil` for a plain one.
    /// - Throws: ``NodeError`` when it can't be listened on.
    package func openLinkPort(at address: ListenAddress, tls: @escaping @Sendable () -> NIOSSLContext?) async throws -> Port {
        try await Port(address, "link", readBytesMax: Port.membersReadBytesMax, eventLoops: eventLoops, tls: tls) { [shards] in
            LinkServer(links: shards[$0].links)
        }
    }
}

extension Result where Failure == any Error {
    fileprivate static func of(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
