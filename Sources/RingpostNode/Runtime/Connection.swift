// What all sockets of a node have in common: bytes come in and are kept until they are understood; bytes go out once a
// tick, everything that waits in one write. What waits is held here, bounded. It goes to the kernel directly; what the kernel does
// not take is handed to NIO, one piece at a time: its own queue of pending writes would grow without bound and never shrink again.
import Glibc
import NIOCore
import NIOSSL
import NIOTLS
import RingpostCore

/// Who is at the other end of a connection.
enum ConnectionKind {
    /// A client that stays: a WebSocket or an event stream.
    case client
    /// Whoever sends requests, on the client port or the API port.
    case http
    /// A producer, on the link port.
    case producer
    /// Another node, or somebody on the link port who has not said who it is.
    case member
}

/// Used on its loop only, which is what makes it safe to hand to NIO's callbacks.
class Connection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let runtime: ShardRuntime
    private(set) var context: ChannelHandlerContext?
    /// Stands before this handler where the port speaks TLS. Set before the handler is added.
    var tls: NIOSSLHandler?
    /// What waits behind `pending`, where a large piece that others share is among it.
    private var backlog: Backlog?
    private var closesBy: Int64 = .max
    /// Bytes that have arrived and are not understood yet.
    var input = ByteBuffer()
    private var pending = ByteBuffer()
    // What is small stands together: many sockets are idle.
    /// `pending` shares its bytes with other sockets.
    private var isPendingShared = false
    /// What `send` is called with while the connection stands and nothing is between this handler and it; -1 where NIO has to write.
    private var descriptor: Int32 = -1
    private var connectionIndex: Int32 = -1
    /// NIO holds a piece that the kernel has not taken yet: nothing may overtake it.
    private var isBackedUp = false
    /// The connection counts as one of a client or producer.
    var isCountedConnection = false
    private var isDirty = false
    /// Set once the socket is to be closed when its bytes are out.
    private(set) var isClosing = false
    private var saidLastWord = false
    private var hasFailed = false

    init(runtime: ShardRuntime) { self.runtime = runtime }

    // MARK: What a shard asks of every connection

    /// Who is at the other end.
    var kind: ConnectionKind { .member }
    /// The node's clients go elsewhere, and it is this connection's turn.
    func move(_ disconnect: Disconnect) {}
    /// The node stops: the connection takes nothing more, and ends when what it has taken is done.
    func shutDown() {}
    /// Ends the clients on this connection that match.
    ///
    /// - Returns: how many.
    func endClients(_ disconnect: () -> Disconnect, where matches: (_ user: Key?, _ grant: ClientGrant?) -> Bool) -> Int { 0 }

    // MARK: For subclasses

    /// A tick writes far more than a message.
    var writesMuch: Bool { false }
    /// What stands in the pipeline for it.
    var handler: any ChannelInboundHandler { self }

    /// The connection stands.
    func onConnected() {}
    /// TLS stands: it is known whose certificate the other side has.
    func onSecured() {}
    /// Something broke; the socket is closed next.
    func onFailure(_ error: any Error) {}
    /// Bytes have arrived in ``input``.
    func onBytes() {}
    /// It is this socket's turn again (see ``FairScheduler``).
    func goOn() {}
    /// The socket is gone.
    func onGone() {}
    /// Everything that waited has been handed to the kernel.
    func onDrained() {}
    /// About once a second.
    func onDeadline(now: Int64) {}

    // MARK: Out

    var pendingBytes: Int { pending.readableBytes + (backlog?.bytes ?? 0) }
    /// Nothing waits, here or with NIO.
    var isDrained: Bool { pending.readableBytes == 0 && !isBackedUp }
    var isOpen: Bool { context != nil }

    /// The other side's address, for operators.
    var remoteText: String {
        guard let address = context?.channel.remoteAddress, let host = address.ipAddress, let port = address.port else { return "" }
        return "\(ListenAddress(host: host, port: port))"
    }

    /// The other side's address, for limits.
    var peerAddress: SourceAddress? {
        switch context?.channel.remoteAddress {
        case .v4(let address): SourceAddress(ipv4: UInt32(bigEndian: address.address.sin_addr.s_addr))
        case .v6(let address): withUnsafeBytes(of: address.address.sin6_addr) { SourceAddress(ipv6: $0) }
        case .unixDomainSocket, nil: nil
        }
    }

    /// Appends bytes to what leaves at the end of this tick.
    func write(_ body: (inout ByteBuffer) -> Void) {
        guard context != nil, !saidLastWord else { return }
        if let backlog {
            backlog.append(body)
        } else {
            if pending.storageCapacity == 0 { pending = runtime.spares.take(writesMuch: writesMuch) }
            body(&pending)
        }
        markDirty()
    }

    /// Appends bytes that others are written too: they are copied only where they are few and something waits before them.
    func write(_ bytes: ByteBuffer) {
        guard context != nil, !saidLastWord else { return }
        if pending.readableBytes == 0 {
            pending = bytes
            isPendingShared = true
        } else if bytes.readableBytes >= Backlog.sharedBytesMin {
            if backlog == nil { backlog = Backlog() }
            backlog?.append(shared: bytes)
        } else if let backlog {
            backlog.append { $0.writeImmutableBuffer(bytes) }
        } else {
            pending.writeImmutableBuffer(bytes)
        }
        markDirty()
    }

    private func markDirty() {
        if isDirty { return }
        isDirty = true
        runtime.markDirty(self)
    }

    /// Hands on what waits, unless an earlier piece is still on its way to the kernel.
    func flush() {
        isDirty = false
        guard let context, !isBackedUp else { return }
        while pending.readableBytes > 0 {
            runtime.counters.writes += 1
            if descriptor >= 0 { sendDirectly(context) } else { handOn(context) }
            guard self.context != nil, !isBackedUp else { return }
        }
        if isClosing { sayLastWord() } else { onDrained() }
    }

    /// Past NIO, which would queue the bytes, look through its queue and come to the same system call. An error is left for NIO to find.
    private func sendDirectly(_ context: ChannelHandlerContext) {
        let sent = pending.withUnsafeReadableBytes { bytes in
            send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        if sent == pending.readableBytes {
            if !isPendingShared { runtime.spares.giveBack(pending) }
            return takeFromBacklog()
        }
        if sent > 0 { pending.moveReaderIndex(forwardBy: sent) }
        let rest = pending
        takeFromBacklog()
        isBackedUp = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        // A failure ends the connection.
        promise.futureResult.assumeIsolated().whenSuccess { [self] in
            isBackedUp = false
            flush()
        }
        context.writeAndFlush(wrapOutboundOut(rest), promise: promise)
    }

    private func handOn(_ context: ChannelHandlerContext) {
        let bytes = pending
        takeFromBacklog()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        isBackedUp = !context.channel.isWritable
    }

    /// `pending` is on its way: what waits behind it is next.
    private func takeFromBacklog() {
        (pending, isPendingShared) = backlog?.takeFirst() ?? (ByteBuffer(), false)
        if backlog?.bytes == 0 { backlog = nil }
    }

    /// Drops what waits and was not handed on: a frame that would be cut is not begun.
    func dropPending() {
        pending = ByteBuffer()
        isPendingShared = false
        backlog = nil
    }

    /// Closes when what waits is out, or when the time for that is over.
    func closeWhenFlushed() {
        guard context != nil, !isClosing else { return }
        isClosing = true
        closesBy = Moment.now().monotonic + runtime.closeMilliseconds
        setReading(true)
        markDirty()
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

    /// - Returns: true if that is the end of the socket, or the beginning of its end.
    func onRound(now: Int64) -> Bool {
        if isClosing {
            if now < closesBy { return false }
            closeNow()
            return true
        }
        onDeadline(now: now)
        return isClosing || !isOpen
    }

    /// Stops and starts reading: who does not take answers may not ask more.
    func setReading(_ reads: Bool) {
        guard let context else { return }
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: reads)
        } catch {
            runtime.logger.debug("can't change autoRead", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if tls == nil, descriptor < 0 { descriptor = Self.descriptor(of: context) }
        connectionIndex = Int32(runtime.register(self))
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        guard self.context != nil else { return }
        self.context = nil
        tls = nil
        descriptor = -1
        runtime.unregister(Int(connectionIndex))
        dropPending()
        if isCountedConnection { runtime.quotas.closeConnection() }
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

    /// It takes the place of another one, on the same connection.
    func inherit(from other: Connection) {
        (tls, descriptor, isCountedConnection) = (other.tls, other.descriptor, other.isCountedConnection)
        other.isCountedConnection = false
    }

    /// NIO says it before anything else when a connection ends, so that no descriptor is used that has been closed.
    private static func descriptor(of context: ChannelHandlerContext) -> Int32 {
        // Not `withUnsafeTransportIfAvailable`, which takes a microsecond: it asks for the protocol and its transport's type in one, and
        // that question the runtime answers anew each time.
        guard let core = context.channel as? any NIOTransportAccessibleChannelCore else { return -1 }
        return descriptor(of: core)
    }

    private static func descriptor(of core: some NIOTransportAccessibleChannelCore) -> Int32 {
        (try? core.withUnsafeTransport { $0 as? NIOBSDSocket.Handle }) ?? -1
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if descriptor >= 0 { return }
        isBackedUp = !context.channel.isWritable
        if !isBackedUp { flush() }
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
            runtime.counters.tlsFailures += 1
            runtime.logger.debug("TLS failed", metadata: ["error": "\(error)"])
        default:
            runtime.counters.handlerErrors += 1
            runtime.logger.debug("a socket failed", metadata: ["error": "\(error)"])
        }
        onFailure(error)
        closeNow()
    }
}
