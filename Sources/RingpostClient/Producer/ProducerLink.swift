// A producer's end of a link: says hello, reads frames, answers pings. It decides nothing about messages; whatever
// happens goes to its delegate on the same event loop.
import NIOCore
import RingpostCore
import RingpostWire

/// What a link tells its producer, always on the link's event loop.
protocol ProducerLinkDelegate: AnyObject {
    func linkIsUp(_ link: ProducerLink, _ welcome: LinkWelcome)
    func linkAnswered(_ link: ProducerLink, request: UInt64, _ result: PublishResult, message: String?, now: Int64)
    /// Everything that has arrived has been told.
    func linkHasRead(_ link: ProducerLink)
    /// Said once; nothing comes after it.
    func linkIsDown(_ link: ProducerLink, _ reason: String)
}

/// The one handler of a producer's connection.
final class ProducerLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A node that says nothing for so long is taken for dead.
    static let silenceMillisecondsMax: Int64 = 10_000
    static let pingMilliseconds: Int64 = 2_500
    /// A node that accepts and doesn't say welcome is taken for something else.
    static let welcomeMillisecondsMax: Int64 = 2_500

    private enum State {
        /// Connected or about to be. Can transition to up, down.
        case opening
        /// The node has said welcome. Can transition to down.
        case up
        /// Final.
        case down
    }

    private var state = State.opening
    private var decoder = LinkDecoder()
    private var unread = ByteBuffer()
    private var unsent = ByteBuffer()
    private var channel: (any Channel)?
    private var lastHeard: NIODeadline = .now()
    private var lastPing: NIODeadline = .now()
    private var pings: UInt64 = 0
    /// Until the welcome is here.
    private var overdue: Scheduled<Void>?
    // The producer owns its link and outlives it; on both sides the event loop keeps what is in use.
    private weak var delegate: (any ProducerLinkDelegate)?

    private let address: Endpoint
    private let apiKey: String

    /// - Parameters:
    ///   - address: for sentences.
    ///   - apiKey: `nil` where nodes ask nobody.
    init(delegate: any ProducerLinkDelegate, address: Endpoint, apiKey: String?) {
        self.delegate = delegate
        self.address = address
        self.apiKey = apiKey ?? ""
    }

    // MARK: From the socket

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        lastHeard = .now()
        let hello = LinkHello(
            role: .producer, cluster: "", generation: 0, from: "ringpost-producer", boot: 0, to: "", toBoot: 0, credential: apiKey)
        LinkEncoder.write(.hello(hello), into: &unsent)
        flush()
        let link = NIOLoopBound(self, eventLoop: context.eventLoop)
        overdue = context.eventLoop.scheduleTask(in: .milliseconds(Self.welcomeMillisecondsMax)) {
            link.value.goDown("what answers there says no welcome: is it a node's link port?")
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = .now()
        var arrived = unwrapInboundIn(data)
        if unread.readableBytes == 0 { unread = arrived } else { unread.writeBuffer(&arrived) }
        do {
            let now = ProducerShell.now
            while state != .down, let frame = try decoder.next(&unread) { handle(frame, now: now) }
        } catch {
            goDown("the node sends what is no link: \(error)")
        }
        // Keeps at most a frame's beginning; without this a buffer that is never quite empty would grow forever.
        if unread.readableBytes == 0 { unread = ByteBuffer() } else { unread.discardReadBytes() }
        // Answers may have let go messages that were held back; they leave together.
        delegate?.linkHasRead(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        goDown("the node has closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        goDown(TLSFailure.sentence(error, at: address.url) ?? "the connection broke: \(error)")
    }

    private func handle(_ frame: LinkFrame, now: Int64) {
        switch (state, frame) {
        case (.opening, .welcome(let welcome)):
            state = .up
            overdue?.cancel()
            decoder.frameBytesMax = LinkProtocol.frameBytesMax
            delegate?.linkIsUp(self, welcome)
        case (.opening, .refuse(let sentence)): goDown("the node refuses the link: \(sentence)")
        case (.up, .answer(let request, let result, let message)):
            delegate?.linkAnswered(self, request: request, result, message: message, now: now)
        case (.up, .ping(let query, let sentAt, _)): LinkEncoder.write(.pong(query: query, sentAt: sentAt, .producer), into: &unsent)
        case (.up, .pong): break
        default: goDown("the node sends a frame that a producer does not expect")
        }
    }

    // MARK: From the producer

    /// Appends a produce frame to what the next flush sends.
    func write(_ frame: (inout ByteBuffer) -> Void) { frame(&unsent) }

    /// Sends what has been collected, in one write.
    func flush() {
        guard unsent.readableBytes > 0, let channel, state != .down else { return }
        channel.writeAndFlush(unsent, promise: nil)
        // A fresh buffer: clearing the old one would copy it while the channel still holds it.
        unsent = channel.allocator.buffer(capacity: 4_096)
    }

    /// Time passes: pings, and gives a silent node up.
    func onTick(now: NIODeadline) {
        guard state != .down else { return }
        if now - lastHeard >= .milliseconds(Self.silenceMillisecondsMax) { return goDown("the node has been silent for 10 s") }
        guard state == .up, now - lastPing >= .milliseconds(Self.pingMilliseconds) else { return }
        lastPing = now
        pings += 1
        LinkEncoder.write(.ping(query: pings, sentAt: Int64(now.uptimeNanoseconds / 1_000_000), .producer), into: &unsent)
        flush()
    }

    func close(_ reason: String) { goDown(reason) }

    private func goDown(_ reason: String) {
        if state == .down { return }
        state = .down
        overdue?.cancel()
        channel?.close(promise: nil)
        delegate?.linkIsDown(self, reason)
    }
}

extension LinkStanding {
    /// A producer knows no epoch; it only answers that it is there.
    fileprivate static let producer = LinkStanding(epoch: 0, digest: 0, reachesZooKeeper: false, isLeaving: false)
}
