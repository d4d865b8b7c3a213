// A subscriber's WebSocket, on NIO's own codec: it shares no code with the server's, so each tests the other. The
// channel pushes into a bounded sequence; when that is full, the socket isn't read.
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

final class WebSocketConnection: SubscriberConnection {
    typealias Items = NIOAsyncSequenceProducer<
        StreamItem, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, WebSocketFlow
    >

    /// Messages that wait for the reader; beyond it the socket is not read until fewer than the lower mark wait.
    static let unreadMax = 128
    static let unreadMin = 32
    static let connectMillisecondsMax: Int64 = 5_000

    private var items: Items.AsyncIterator
    private let channel: any Channel

    private init(_ opened: Opened) {
        items = opened.items.makeAsyncIterator()
        channel = opened.channel
    }

    private struct Opened: Sendable {
        let items: Items
        let channel: any Channel
    }

    /// - Parameter channels: what to listen to, and where each begins.
    nonisolated(nonsending) static func open(
        _ access: Access, query subscriptions: String, since: String?, channels: [ChannelStart]
    ) async throws(Disconnect) -> WebSocketConnection {
        let path = "/v1/ws?\(subscriptions)\(since.map { "&since=\($0.percentEncoded)" } ?? "")"
        let command = channels.isEmpty ? nil : ChannelStart.command(channels)
        do {
            let opened = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.milliseconds(connectMillisecondsMax))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: access.url.host, port: access.url.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        Opened(items: try build(channel, access, path: path, command: command), channel: channel)
                    }
                }
            return WebSocketConnection(opened)
        } catch {
            throw Disconnect(
                TLSFailure.sentence(error, at: access.url.url) ?? "nothing answers at \(access.url.url): is a node running there?")
        }
    }

    private static func build(_ channel: any Channel, _ access: Access, path: String, command: [UInt8]?) throws -> Items {
        let made = Items.makeSequence(
            elementType: StreamItem.self, backPressureStrategy: .init(lowWatermark: unreadMin, highWatermark: unreadMax),
            finishOnDeinit: true, delegate: WebSocketFlow(channel: channel))
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
        let opening = WebSocketOpening(
            access, path: path, http: [encoder, decoder], reader: WebSocketReader(made.source, command: command))
        if access.url.isTLS { try channel.pipeline.syncOperations.addHandler(access.trust.store.handler(for: access.url.host)) }
        try channel.pipeline.syncOperations.addHandlers([encoder, decoder, opening])
        return made.sequence
    }

    func present(_ token: String) {
        let command = ByteBuffer(string: "{\"token\":\"\(token)\"}")
        channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: command), promise: nil)
    }

    nonisolated(nonsending) func next() async throws(Disconnect) -> [StreamItem] {
        guard let item = await items.next(isolation: #isolation) else { throw Disconnect("the socket closed without a goodbye") }
        return [item]
    }
}

/// Turns the sequence's wishes into reading or not reading the socket.
struct WebSocketFlow: NIOAsyncSequenceProducerDelegate {
    let channel: any Channel

    func produceMore() { channel.setOption(.autoRead, value: true).whenFailure { _ in } }

    /// The reader has gone, or everything has been read to the end.
    func didTerminate() { channel.close(promise: nil) }
}

/// Reads frames into items; answers pings and closes; gives a silent server up.
final class WebSocketReader: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame
    typealias Source = WebSocketConnection.Items.Source

    static let pingSeconds: Int64 = 20

    private let source: Source
    private var lastHeard: NIODeadline = .now()
    private var pings: RepeatedTask?
    private let command: [UInt8]?

    /// - Parameter command: said first, once the socket stands.
    init(_ source: Source, command: [UInt8]?) {
        self.source = source
        self.command = command
    }

    func handlerAdded(context: ChannelHandlerContext) {
        lastHeard = .now()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(Self.pingSeconds), delay: .seconds(Self.pingSeconds)) { _ in
            let (reader, context) = bound.value
            reader.onPing(context)
        }
    }

    /// No HTTP is left in the pipeline.
    func onOpen(_ channel: any Channel) {
        guard let command else { return }
        channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: ByteBuffer(bytes: command)), promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) { pings?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = .now()
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary:
            let item = frame.unmaskedData.withUnsafeReadableBytes { StreamItem.read($0) }
            deliver(item ?? .closing(Disconnect("the node sends what is no message")), context)
        case .ping: write(.pong, frame.unmaskedData, context)
        case .connectionClose:
            let payload = frame.unmaskedData
            var unread = payload
            let code = unread.readInteger(as: UInt16.self)
            deliver(.closing(Disconnect(webSocketCode: code, reason: String(buffer: unread))), context)
            write(.connectionClose, payload, context)
            source.finish()
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        pings?.cancel()
        source.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        deliver(.closing(Disconnect("the socket broke: \(error)")), context)
        source.finish()
        context.close(promise: nil)
    }

    /// Hands an item to whoever reads, and stops reading the socket when enough wait.
    func deliver(_ item: StreamItem, _ context: ChannelHandlerContext) {
        if source.yield(item) == .stopProducing { context.channel.setOption(.autoRead, value: false).whenFailure { _ in } }
    }

    func finish() { source.finish() }

    private func onPing(_ context: ChannelHandlerContext) {
        // A reader that holds the socket back hears nothing by its own choice.
        let isReading = (try? context.channel.syncOptions?.getOption(.autoRead)) ?? true
        if isReading, .now() - lastHeard >= .seconds(SharedHTTP.silenceSecondsMax) {
            deliver(.closing(Disconnect("the node has been silent for \(SharedHTTP.silenceSecondsMax) s")), context)
            source.finish()
            context.close(promise: nil)
        } else {
            write(.ping, ByteBuffer(), context)
        }
    }

    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        // A tick later: frames that came with the answer to the upgrade are read while the HTTP decoder leaves, and it
        // would take what is written past it for HTTP.
        context.eventLoop.execute { [channel = context.channel] in channel.writeAndFlush(frame, promise: nil) }
    }
}
