// A server that publishes keys for tokens, on loopback: what it says and whether it works is up to the test, which also sees how often it
// was asked.

import NIOCore
import NIOPosix
import Synchronization

final class StandInKeyServer: Sendable {
    struct Script: Sendable {
        var status = "200 OK"
        var body = ""
        var headers: [String] = []
        /// Nothing is answered until this is taken away.
        var isSilent = false
        /// The head comes at once, the body never as a whole.
        var tricklesBody = false
        /// What is said at other paths than `/keys`.
        var pages: [String: String] = [:]
    }

    private struct State {
        var script = Script()
        var requests = 0
        var waiting: [any Channel] = []
    }

    private let state = Mutex(State())
    private let listening = Mutex<(any Channel)?>(nil)

    var requests: Int { state.withLock { $0.requests } }
    var origin: String { "http://127.0.0.1:\(listening.withLock { $0?.localAddress?.port } ?? 0)" }
    var url: String { "\(origin)/keys" }

    static func start(_ body: String) async throws -> StandInKeyServer {
        let server = StandInKeyServer()
        server.set { $0.body = body }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Answering(server: server)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.listening.withLock { $0 = channel }
        return server
    }

    deinit { listening.withLock { $0 }?.close(promise: nil) }

    /// What it says from now on; whoever waits gets it too.
    func set(_ change: (inout Script) -> Void) {
        let waiting = state.withLock { state in
            change(&state.script)
            if state.script.isSilent { return [any Channel]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for channel in waiting { answer(channel, "/keys") }
    }

    fileprivate func onRequest(_ path: String, _ channel: any Channel) {
        let isSilent = state.withLock { state in
            state.requests += 1
            if state.script.isSilent { state.waiting.append(channel) }
            return state.script.isSilent
        }
        if !isSilent { answer(channel, path) }
    }

    private func answer(_ channel: any Channel, _ path: String) {
        var script = state.withLock { $0.script }
        if let page = script.pages[path] { script.body = page }
        if script.tricklesBody { return trickle(channel) }
        let head = ["HTTP/1.1 \(script.status)", "Content-Length: \(script.body.utf8.count)", "Connection: close"] + script.headers
        let text = head.joined(separator: "\r\n") + "\r\n\r\n" + script.body
        channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
    }
}

extension StandInKeyServer {
    private func trickle(_ channel: any Channel) {
        channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), promise: nil)
        channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { task in
            if !channel.isActive { return task.cancel() }
            channel.writeAndFlush(ByteBuffer(string: " "), promise: nil)
        }
    }
}

private final class Answering: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private unowned let server: StandInKeyServer
    private var bytes = ByteBuffer()

    init(server: StandInKeyServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var more = unwrapInboundIn(data)
        bytes.writeBuffer(&more)
        let text = String(buffer: bytes)
        guard text.hasSuffix("\r\n\r\n") else { return }
        bytes.clear()
        server.onRequest(text.split(separator: " ").dropFirst().first.map(String.init) ?? "", context.channel)
    }
}
