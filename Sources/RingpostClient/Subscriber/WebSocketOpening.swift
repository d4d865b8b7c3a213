// The HTTP part of a WebSocket's life: asks for the upgrade, checks the answer, and makes way. Written out because NIO's
// own upgrade handler drops the body of a refusal, and with it the node's reason.
import NIOCore
import NIOHTTP1
import NIOWebSocket

final class WebSocketOpening: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// A node that accepts the connection answers within so long.
    static let answerMillisecondsMax: Int64 = 10_000
    /// A refusal's body beyond this is not kept.
    static let refusalBytesMax = 65_536

    private let access: Access
    private let path: String
    private let http: [any RemovableChannelHandler]
    private let reader: WebSocketReader
    /// Makes the key and checks the answer to it.
    private let upgrader = NIOTypedWebSocketClientUpgrader<Void> { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []
    private var isDone = false
    /// Until the answer is here.
    private var overdue: Scheduled<Void>?

    init(_ access: Access, path: String, http: [any RemovableChannelHandler], reader: WebSocketReader) {
        self.access = access
        self.path = path
        self.http = http
        self.reader = reader
    }

    func channelActive(context: ChannelHandlerContext) {
        let host = access.url.description
        var headers = HTTPHeaders([("Host", host), ("Connection", "Upgrade"), ("Upgrade", "websocket")] + access.headers)
        upgrader.addCustom(upgradeRequestHeaders: &headers)
        context.write(wrapOutboundOut(.head(HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        overdue = context.eventLoop.scheduleTask(in: .milliseconds(Self.answerMillisecondsMax)) {
            let (opening, context) = bound.value
            opening.fail(Disconnect("the node accepts the connection and doesn't answer"), context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let part): body.append(contentsOf: part.readableBytesView.prefix(Self.refusalBytesMax - body.count))
        case .end: onAnswer(context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(Disconnect("the node closed the connection before it answered"), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(Disconnect(TLSFailure.sentence(error, at: access.url.url) ?? "no WebSocket: \(error)"), context)
    }

    private func onAnswer(_ context: ChannelHandlerContext) {
        guard let head, !isDone else { return }
        guard head.status == .switchingProtocols else {
            return fail(
                Disconnect(status: Int(head.status.code), retryAfter: head.headers.first(name: "Retry-After"), body: body), context)
        }
        guard upgrader.shouldAllowUpgrade(upgradeResponse: head) else {
            return fail(Disconnect("the answer to the WebSocket key is wrong: is it a node's client port?"), context)
        }
        isDone = true
        overdue?.cancel()
        let pipeline = context.pipeline.syncOperations
        let aggregator = NIOWebSocketFrameAggregator(
            minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 1_024, maxAccumulatedFrameSize: Subscriber.messageBytesMax)
        do {
            try pipeline.addHandlers([
                WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Subscriber.messageBytesMax)),
                aggregator, reader,
            ])
        } catch {
            return fail(Disconnect("no WebSocket: \(error)"), context)
        }
        // This handler first, the decoder last: bytes that came with the answer are frames, and go to the next in line.
        pipeline.removeHandler(context: context, promise: nil)
        let left = http.map { pipeline.removeHandler($0) }
        let bound = NIOLoopBound((reader, context.channel), eventLoop: context.eventLoop)
        EventLoopFuture.andAllComplete(left, on: context.eventLoop).whenSuccess {
            let (reader, channel) = bound.value
            reader.onOpen(channel)
        }
    }

    private func fail(_ disconnect: Disconnect, _ context: ChannelHandlerContext) {
        if isDone { return }
        isDone = true
        overdue?.cancel()
        reader.deliver(.closing(disconnect), context)
        reader.finish()
        context.close(promise: nil)
    }
}
