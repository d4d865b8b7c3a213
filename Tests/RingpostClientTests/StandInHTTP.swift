// A tiny server that speaks the formats of the client and API ports, as much of them as a test needs. It stands on NIO's
// own HTTP and WebSocket codecs.
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

@testable import RingpostClient

/// A client or API port: a function answers each request by its number and target.
final class StandInHTTP: Sendable {
    enum Reply: Sendable {
        case response(HTTPResponseStatus, [(String, String)], String)
        /// A response that stays open after its first part, or ends when `closes`.
        case stream(String, closes: Bool)
        /// An upgrade, the frames to send, and how to close.
        case webSocket([String], close: (WebSocketErrorCode, String)?)
    }

    private let channel: any Channel
    private let isTLS: Bool

    init(
        certificate: TestCertificate? = nil, reply: @escaping @Sendable (Int, String, HTTPHeaders) -> Reply
    ) async throws {
        let log = TargetLog()
        self.log = log
        let tls = try certificate?.server()
        isTLS = tls != nil
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture(withResultOf: {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try Self.build(channel, log, reply)
                })
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private static func build(
        _ channel: any Channel, _ log: TargetLog, _ reply: @escaping @Sendable (Int, String, HTTPHeaders) -> Reply
    ) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeSucceededFuture(log.isWebSocket(head, reply) ? HTTPHeaders() : nil)
            },
            upgradePipelineHandler: { channel, head in
                // A tick later: the HTTP encoder is still in the pipeline now.
                if case .webSocket(let frames, let close) = log.replyOnce(head, reply) {
                    channel.eventLoop.execute { speak(frames, close, channel) }
                }
                return channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Listener(log)) }
            })
        let handler = Handler(log, reply)
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in context.pipeline.syncOperations.removeHandler(handler, promise: nil) }
            ), withErrorHandling: false)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    private let log: TargetLog

    var requests: [String] { log.targets.withLock { $0 } }
    /// What clients have said on their WebSockets.
    var texts: [String] { log.texts.withLock { $0 } }
    /// What requests showed, "none" where they did not.
    var credentials: [String] { log.credentials.withLock { $0 } }
    var endpoint: Endpoint { Endpoint(host: "127.0.0.1", port: channel.localAddress?.port ?? 0, isTLS: isTLS) }

    func close() async { try? await channel.close() }

    private static func speak(_ frames: [String], _ close: (WebSocketErrorCode, String)?, _ channel: any Channel) {
        for text in frames {
            channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text)), promise: nil)
        }
        guard let (code, reason) = close else { return }
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        data.writeString(reason)
        channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .connectionClose, data: data), promise: nil)
    }

    /// Numbers requests as they come.
    final class TargetLog: Sendable {
        let targets = Mutex<[String]>([])
        let credentials = Mutex<[String]>([])
        let texts = Mutex<[String]>([])
        private let pending = Mutex<[String: Reply]>([:])

        func reply(_ head: HTTPRequestHead, _ make: (Int, String, HTTPHeaders) -> Reply) -> Reply {
            credentials.withLock { $0.append(head.headers.first(name: "Authorization") ?? "none") }
            let number = targets.withLock {
                $0.append(head.uri)
                return $0.count
            }
            return make(number, head.uri, head.headers)
        }

        func isWebSocket(_ head: HTTPRequestHead, _ make: (Int, String, HTTPHeaders) -> Reply) -> Bool {
            let reply = reply(head, make)
            pending.withLock { $0[head.headers.first(name: "Sec-WebSocket-Key") ?? ""] = reply }
            if case .webSocket = reply { return true }
            return false
        }

        func replyOnce(_ head: HTTPRequestHead, _ make: (Int, String, HTTPHeaders) -> Reply) -> Reply {
            pending.withLock { $0.removeValue(forKey: head.headers.first(name: "Sec-WebSocket-Key") ?? "") } ?? reply(head, make)
        }
    }

    /// Writes down what a client says, and echoes nothing.
    private final class Listener: ChannelInboundHandler, Sendable {
        typealias InboundIn = WebSocketFrame

        private let log: TargetLog

        init(_ log: TargetLog) { self.log = log }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = unwrapInboundIn(data)
            if frame.opcode == .text { log.texts.withLock { $0.append(String(buffer: frame.unmaskedData)) } }
        }
    }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let log: TargetLog
        private let make: @Sendable (Int, String, HTTPHeaders) -> Reply

        init(_ log: TargetLog, _ make: @escaping @Sendable (Int, String, HTTPHeaders) -> Reply) {
            self.log = log
            self.make = make
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            switch log.replyOnce(head, make) {
            case .response(let status, let headers, let body):
                var all = HTTPHeaders(headers)
                all.add(name: "Content-Length", value: "\(body.utf8.count)")
                context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: all))), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .stream(let text, let closes):
                let headers = HTTPHeaders([("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
                context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
                if closes { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
            case .webSocket: context.close(promise: nil)
            }
        }
    }
}
