// What all sockets of a node have in common: bytes come in and are kept until they are understood; bytes go out once a
// tick, everything that waits in one write. What waits is held here, bounded, and NIO is handed one piece at a time: its
// own queue of pending writes would grow without bound and never shrink again.
import NIOCore
import NIOSSL
import NIOTLS
import RingpostCore

/// Used on its loop only, which is what makes it safe to hand to NIO's callbacks.
class LoopSocket: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let loop: NodeLoop
    private(set) var context: ChannelHandlerContext?
    /// Stands before this handler where the port speaks TLS.
    private(set) var tls: NIOSSLHandler?
    /// The connection counts as one of a client or producer.
    var isCountedConnection = false
    /// Bytes that have arrived and are not understood yet.
    var input = ByteBuffer()
    private var pending = ByteBuffer()
    private var isDirty = false
    private var place = -1
    /// Set once the socket is to be closed when its bytes are out.
    private(set) var isClosing = false
    private var closesBy: Int64 = .max
    private var saidLastWord = false
    private var hasFailed = false

    init(loop: NodeLoop) { self.loop = loop }

    // MARK: For subclasses

    /// The connection stands.
    func onConnected() {}
    /// TLS stands: it is known whose certificate the other side has.
    func onSecured() {}
    /// Something broke; the socket is closed next.
    func onFailure(_ error: any Error) {}
    /// Bytes have arrived in ``input``.
    func onBytes() {}
    /// The socket is gone.
    func onGone() {}
    /// Everything that waited has been handed to the kernel.
    func onDrained() {}
    /// About once a second.
    func onDeadline(now: Int64) {}

    // MARK: Out

    var pendingBytes: Int { pending.readableBytes }
    var isOpen: Bool { context != nil }

    /// The other side's address, for operators.
    var remoteText: String {
        guard let address = context?.channel.remoteAddress, let host = address.ipAddress, let port = address.port else { return "" }
        return "\(ListenAddress(host: host, port: port))"
    }

    /// The other side's address, for limits.
    var peerAddress: SourceAddress? { context?.channel.remoteAddress?.ipAddress.flatMap { SourceAddress($0) } }

    /// Appends bytes to what leaves at the end of this tick.
    func write(_ body: (inout ByteBuffer) -> Void) {
        guard context != nil, !saidLastWord else { return }
        body(&pending)
        if isDirty { return }
        isDirty = true
        loop.markDirty(self)
    }

    /// Appends bytes that others are written too: they are copied only behind what waits already.
    func write(_ bytes: ByteBuffer) {
        write { if $0.readableBytes == 0 { $0 = bytes } else { $0.writeImmutableBuffer(bytes) } }
    }

    /// Hands what waits to NIO, unless NIO still holds an earlier piece.
    func flush() {
        isDirty = false
        guard let context, context.channel.isWritable else { return }
        if pending.readableBytes > 0 {
            let bytes = pending
            pending = ByteBuffer()
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            loop.counters.writes += 1
            guard self.context != nil, context.channel.isWritable else { return }
        }
        if isClosing { sayLastWord() } else { onDrained() }
    }

    /// Drops what waits and was not handed on: a frame that would be cut is not begun.
    func dropPending() { pending = ByteBuffer() }

    /// Closes when what waits is out, or when the time for that is over.
    func closeWhenFlushed() {
        guard context != nil, !isClosing else { return }
        isClosing = true
        closesBy = Moment.now().monotonic + loop.shared.configuration.limits.closeMilliseconds
        setReading(true)
        write { _ in }
    }

    /// Everything is out. Only this side is closed at first: closing both while bytes of the client are unread would reset
    /// the connection, and the client might never read why it ended (RFC 9112, 9.6).
    private func sayLastWord() {
        if saidLastWord { return }
        saidLastWord = true
        context?.close(mode: .output, promise: nil)
    }

    /// Nothing of the other side is heard after this. TLS on its own would say goodbye, and wait for an answer with the socket open:
    /// it may say it, but nobody waits.
    func closeNow() {
        guard let context else { return }
        if let tls, let secured = try? context.pipeline.syncOperations.context(handler: tls) {
            context.close(mode: .output, promise: nil)
            secured.close(promise: nil)
        } else {
            context.close(promise: nil)
        }
    }

    func onRound(now: Int64) {
        if isClosing {
            if now >= closesBy { closeNow() }
        } else {
            onDeadline(now: now)
        }
    }

    /// Stops and starts reading: who does not take answers may not ask more.
    func setReading(_ reads: Bool) {
        guard let context else { return }
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: reads)
        } catch {
            loop.logger.debug("can't change autoRead", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        tls = try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
        place = loop.register(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        guard self.context != nil else { return }
        self.context = nil
        tls = nil
        loop.unregister(place)
        pending = ByteBuffer()
        if isCountedConnection { loop.shared.census.closeConnection() }
        isCountedConnection = false
        onGone()
    }

    func channelActive(context: ChannelHandlerContext) {
        onConnected()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isClosing { return }
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        onBytes()
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent { onSecured() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        handlerRemoved(context: context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // TLS whose handshake failed says so once more when the connection ends.
        if hasFailed { return }
        hasFailed = true
        switch error {
        // A reset is how the other side goes, and so is an end without TLS's goodbye: nothing to be alarmed at.
        case is IOError, NIOSSLError.uncleanShutdown: break
        case is NIOSSLError, is BoringSSLError:
            loop.counters.tlsFailures += 1
            loop.logger.debug("TLS failed", metadata: ["error": "\(error)"])
        default:
            loop.counters.handlerErrors += 1
            loop.logger.debug("a socket failed", metadata: ["error": "\(error)"])
        }
        onFailure(error)
        closeNow()
    }
}
