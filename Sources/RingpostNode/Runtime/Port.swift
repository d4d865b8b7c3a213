// A port that a node listens on. Each event loop has a listening socket of its own, and the kernel shares connections out to them (SO_REUSEPORT).
// With one for all, whoever connects in a crowd would fill another loop's queue of tasks, and an event loop looks at its sockets again only
// when it has no task left: all who are there already would wait for those who come. What is set on a listening socket, the kernel gives to
// those that it accepts.
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import RingpostCore

package struct Port {
    /// Connections that wait to be accepted.
    private static let backlog = 4_096
    /// Bytes that the kernel takes for a socket before it can send them. Without a bound it takes up to four megabytes for each socket that
    /// doesn't read, which nobody counts, and copying them there would take longer than everything else that such a socket costs.
    private static let unsentBytesMax = SocketOptionValue(65_536)
    /// What suits sockets of strangers, of which there may be many, and those of the few members and producers.
    static let (strangersReadBytesMax, membersReadBytesMax) = (16_384, 65_536)

    /// The pause between two of the kernel's questions to the other side of a connection on which nothing comes and nothing is under way.
    static let keepAlivePauseSeconds: Int64 = 5

    private(set) var channels: [any Channel] = []
    /// With the port that the system has chosen, where 0 was asked for.
    package private(set) var address: ListenAddress

    /// - Parameters:
    ///   - name: as the option that sets it is called.
    ///   - readBytesMax: what is read from a socket before others have their turn.
    ///   - allowsHalfClosure: a client that has closed its side may still read.
    ///   - tls: asked once a connection; `nil` for a plain one.
    ///   - proxies: whose PROXY protocol is read.
    ///   - vanishedMilliseconds: after so long without an acknowledgement the kernel ends a connection; where nothing was sent, it asks after so
    ///     long, and again ``keepAlivePauseSeconds`` later, and ends it then. Without it, whoever goes without a word while nothing is asked of
    ///     them (an event stream, a poll that waits) would stay for as long as the kernel tries: a quarter of an hour.
    /// - Throws: ``NodeError`` when it can't be listened on; then nothing is left open.
    init(
        _ address: ListenAddress, _ name: String, readBytesMax: Int, allowsHalfClosure: Bool = false, eventLoops: [any EventLoop],
        tls: @escaping @Sendable () -> NIOSSLContext?, proxies: TrustedProxies = .nobody,
        vanishedMilliseconds: Int64? = nil, _ connection: @escaping @Sendable (_ shardIndex: Int) -> Connection
    ) async throws {
        self.address = address
        let sizes = ReadSizes(most: readBytesMax)
        do {
            // The kernel lets sockets of one user share a port, those of two processes too: one that doesn't share finds the other process.
            if let eventLoop = eventLoops.first, address.port != 0 {
                let alone = Self.bootstrap(eventLoop).childChannelInitializer { $0.close() }
                try await alone.bind(host: address.host, port: address.port).get().close()
            }
            for (shardIndex, eventLoop) in eventLoops.enumerated() {
                let channel = try await Self.noticingWhoVanishes(Self.bootstrap(eventLoop), vanishedMilliseconds)
                    .serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: 1)
                    .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .serverChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT)), value: Self.unsentBytesMax)
                    // Options set here, not as the bootstrap's: those take a future each.
                    .childChannelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
                            try channel.syncOptions?.setOption(.recvAllocator, value: sizes)
                            if allowsHalfClosure { try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true) }
                            try Self.add(connection(shardIndex), tls(), proxies, to: channel)
                        }
                    }
                    .bind(host: self.address.host, port: self.address.port).get()
                channels.append(channel)
                self.address = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
            }
        } catch {
            for channel in channels { try? await channel.close() }
            throw Self.sentence(error, address, name)
        }
    }

    private static func bootstrap(_ eventLoop: any EventLoop) -> ServerBootstrap {
        ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: Int32(backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    }

    /// What was sent and is not acknowledged for that long ends the connection; where nothing was sent, the kernel asks after as long, and the
    /// connection ends with the next question.
    private static func noticingWhoVanishes(_ bootstrap: ServerBootstrap, _ milliseconds: Int64?) -> ServerBootstrap {
        guard let milliseconds else { return bootstrap }
        let seconds = max(1, milliseconds / 1_000)
        func option(_ name: CInt) -> ChannelOptions.Types.SocketOption { .tcpOption(NIOBSDSocket.Option(rawValue: name)) }
        return bootstrap.serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(option(TCP_USER_TIMEOUT), value: SocketOptionValue(milliseconds))
            .serverChannelOption(option(TCP_KEEPIDLE), value: SocketOptionValue(seconds))
            .serverChannelOption(option(TCP_KEEPINTVL), value: SocketOptionValue(min(seconds, keepAlivePauseSeconds)))
    }

    static func add(_ socket: Connection, _ context: NIOSSLContext?, _ proxies: TrustedProxies, to channel: any Channel) throws {
        // Before TLS, which the proxy passes on.
        if !proxies.isEmpty { try channel.pipeline.syncOperations.addHandler(ProxyHeaderHandler(proxies, for: socket)) }
        if let context {
            let tls = NIOSSLServerHandler(context: context)
            socket.tls = tls
            try channel.pipeline.syncOperations.addHandler(tls)
        }
        try channel.pipeline.syncOperations.addHandler(socket.handler)
    }

    private static func sentence(_ error: any Error, _ address: ListenAddress, _ name: String) -> NodeError {
        if (error as? IOError)?.errnoCode == EADDRINUSE {
            return NodeError(
                "the \(name) port \(address) is taken by another process: stop it, or choose another port with --\(name.lowercased())")
        }
        return NodeError("can't listen on \(address) for the \(name) port: \(error)")
    }
}
