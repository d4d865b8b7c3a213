// One way to a host: passes bytes between whoever dials and the host, as long as the gate lets the two. Behind a closed gate it reads
// nothing and closes nothing, so that both ends wait as they would for packets that are dropped.

import NIOCore
import NIOPosix
import RingpostClient
import RingpostWire
import Synchronization
import TestSupport

/// Who may talk to whom.
final class ProxyGate: Sendable {
    private struct State {
        var cut: Set<Set<String>> = []
        /// Connections by the hosts at their ends, for as long as they are open.
        var open: [ObjectIdentifier: (hosts: Set<String>, channel: any Channel)] = [:]
    }

    private let state = Mutex(State())

    /// A connection between two hosts has been opened.
    ///
    /// - Returns: whether it may pass bytes on.
    func admit(_ channel: any Channel, _ hosts: Set<String>) -> Bool {
        channel.closeFuture.whenComplete { [weak self] _ in
            _ = self?.state.withLock { $0.open.removeValue(forKey: ObjectIdentifier(channel)) }
        }
        return state.withLock { state in
            state.open[ObjectIdentifier(channel)] = (hosts, channel)
            return !state.cut.contains(hosts)
        }
    }

    func cut(_ hosts: Set<String>) {
        let channels = state.withLock { state in
            state.cut.insert(hosts)
            return state.open.values.filter { $0.hosts == hosts }.map(\.channel)
        }
        for channel in channels { channel.setOption(.autoRead, value: false).whenFailure { _ in } }
    }

    /// Connections that were cut end now: what their ends had sent meanwhile is in no order that could be made good.
    func heal() {
        let channels = state.withLock { state in
            let cut = state.cut
            state.cut = []
            return state.open.values.filter { cut.contains($0.hosts) }.map(\.channel)
        }
        for channel in channels { channel.close(promise: nil) }
    }
}

/// A port of its own that leads to a host.
final class Proxy: Sendable {
    let endpoint: Endpoint
    private let server: any Channel

    /// - Parameter from: who dials; `nil` if that is to be read from a link's greeting.
    init(from: String?, to: String, at target: Endpoint, gate: ProxyGate) async throws {
        let port = try FreePorts.take(1)[0]
        endpoint = Endpoint(host: ProcessNamespace.loopback.host, port: port)
        server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ProxyHandler(from: from, to: to, target: target, gate: gate))
                }
            }
            .bind(host: endpoint.host, port: port).get()
    }

    deinit { server.close(promise: nil) }
}

/// The dialler's side of a connection; finds out who dials, then dials the host itself, on the same event loop.
private final class ProxyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let from: String?
    private let to: String
    private let target: Endpoint
    private let gate: ProxyGate
    private var unsent = ByteBuffer()
    private var far: (any Channel)?
    private var isDialling = false

    init(from: String?, to: String, target: Endpoint, gate: ProxyGate) {
        self.from = from
        self.to = to
        self.target = target
        self.gate = gate
    }

    func channelActive(context: ChannelHandlerContext) {
        if let from { dial(from, context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var arrived = unwrapInboundIn(data)
        if let far { return far.writeAndFlush(arrived, promise: nil) }
        unsent.writeBuffer(&arrived)
        if isDialling { return }
        var greeting = unsent
        let decoder = LinkDecoder()
        guard let frame = try? decoder.next(&greeting) else { return }
        if case .hello(let hello) = frame { dial(hello.from, context) } else { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) { far?.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func dial(_ from: String, _ context: ChannelHandlerContext) {
        isDialling = true
        guard gate.admit(context.channel, [from, to]) else {
            return context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
        }
        let near = context.channel
        let (gate, to) = (gate, to)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(ProxyReturn(near)) }
            }
            .connect(host: target.host, port: target.port)
            .whenComplete { result in
                let (handler, context) = bound.value
                guard case .success(let far) = result else { return context.close(promise: nil) }
                handler.far = far
                if !gate.admit(far, [from, to]) { far.setOption(.autoRead, value: false).whenFailure { _ in } }
                far.writeAndFlush(handler.unsent, promise: nil)
                if !context.channel.isActive { far.close(promise: nil) }
            }
    }
}

/// The host's side.
private final class ProxyReturn: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let near: any Channel

    init(_ near: any Channel) { self.near = near }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { near.writeAndFlush(unwrapInboundIn(data), promise: nil) }
    func channelInactive(context: ChannelHandlerContext) { near.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
