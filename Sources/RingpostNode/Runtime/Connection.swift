// What all connections of a node have in common. Bytes that arrive are kept until they have been parsed. Bytes to send are collected here,
// bounded, and sent at the end of the turn in one write. They go to the kernel directly; a piece that the kernel doesn't accept is handed
// to NIO, one piece at a time: NIO's own queue of pending writes would grow without bound and never shrink again.
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

/// Used on its event loop only, which makes it safe to hand to NIO's callbacks.
class Connection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What is read from a connection that is closing, and dropped; who sends more is not waited for.
    static let droppedBytesMax = 256 * 1_024

    let runtime: ShardRuntime
    private(set) var context: ChannelHandlerContext?
    /// Stands before this handler where the port speaks TLS. Set before the handler is added.
    var tls: NIOSSLHandler?
    /// Bytes to send behind `pending`, where a large piece that is shared with other connections is among them.
    private var backlog: Backlog?
    private var closesBy: Int64 = .max
    /// Bytes that have arrived and have not been parsed.
    var input = ByteBuffer()
    /// Bytes to send.
    private var pending = ByteBuffer()
    // Small fields stand together, to keep an idle connection small.
    /// `pending` shares its bytes with other connections.
    private var isPendingShared = false
    /// The socket, while it is open and nothing is between this handler and it; -1 where NIO has to write.
    private var descriptor: Int32 = -1
    private var connectionIndex: Int32 = -1
    /// Of the piece that NIO holds, while it does.
    private var handedBytes: Int32 = 0
    /// That have come since the connection is closing.
    private var droppedBytes: Int32 = 0
    /// NIO holds a piece that the kernel has not accepted yet: nothing may overtake it.
    private var isBackedUp = false
    /// What is counted for the connection among those of clients and of the API port.
    var place: ConnectionRoom.Place?
    private var isDirty = false
    /// It is closing, and waits for its turn to read what is dropped.
    private var waitsToDrop = false
    /// The connection is to be closed when its bytes are sent.
    private(set) var isClosing = false
    private var hasClosedOutput = false
    private var hasFailed = false

    init(runtime: ShardRuntime) { self.runtime = runtime }

    // MARK: What a shard asks of every connection

    /// Who is at the other end.
    var kind: ConnectionKind { .member }
    /// Bytes that the node holds for the connection alone.
    var heldBytes: Int { outputBytes + input.readableBytes }
    /// Whom they are charged to together with those of other connections; `nil` where it stands for itself.
    var byteOwner: ByteOwner? { nil }
    /// The node's memory runs short, and this connection holds much of it.
    func shed() { closeNow() }
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
    /// Its handler in NIO's pipeline.
    var handler: any ChannelInboundHandler { self }

    /// The connection is open.
    func onConnected() {}
    /// The TLS handshake is over: the other side's certificate is known.
    func onSecured() {}
    /// A trusted proxy says before everything else whom the connection is for.
    func onProxied(for source: SourceAddress) {}
    /// The connection has failed; it is closed next.
    func onFailure(_ error: any Error) {}
    /// Bytes have arrived in ``input``.
    func onBytes() {}
    /// It is this connection's turn again (see ``FairScheduler``).
    func onTurn() {}
    /// The other side sends no more, and may read on.
    func onInputClosed() { closeNow() }
    /// The connection is gone.
    func onGone() {}
    /// All bytes to send have been handed to the kernel.
    func onDrained() {}
    /// About once a second.
    func onDeadline(now: Int64) {}

    // MARK: Out

    /// Bytes that wait to be sent, here or with NIO.
    var outputBytes: Int { pendingBytes + (isBackedUp ? Int(handedBytes) : 0) }
    var pendingBytes: Int { pending.readableBytes + (backlog?.bytes ?? 0) }
    /// The kernel takes no more bytes for now.
    var isHeldUp: Bool { isBackedUp }
    /// No bytes wait to be sent, here or with NIO.
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

    /// Appends bytes that are sent at the end of this turn.
    func write(_ body: (inout ByteBuffer) -> Void) {
        guard context != nil, !hasClosedOutput else { return }
        if let backlog {
            backlog.append(body)
        } else {
            if pending.storageCapacity == 0 { pending = runtime.spares.popBuffer(writesMuch: writesMuch) }
            body(&pending)
        }
        markDirty()
    }

    /// Appends bytes that are written to other connections, too: they are copied only where they are few and others wait before them.
    func write(_ bytes: ByteBuffer) {
        guard context != nil, !hasClosedOutput else { return }
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

    /// Sends the bytes that wait, unless an earlier piece is still on its way to the kernel.
    func flush() {
        isDirty = false
        guard let context, !isBackedUp else { return }
        while pending.readableBytes > 0 {
            runtime.counters.writes += 1
            if descriptor >= 0 { sendDirectly(context) } else { handOn(context) }
            guard self.context != nil, !isBackedUp else { return }
        }
        if isClosing { closeOutput() } else { onDrained() }
    }

    /// Past NIO, which would queue the bytes, look through its queue and make the same system call. An error is left for NIO to find.
    private func sendDirectly(_ context: ChannelHandlerContext) {
        let sent = pending.withUnsafeReadableBytes { bytes in
            send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        if sent == pending.readableBytes {
            if !isPendingShared { runtime.spares.append(pending) }
            return nextFromBacklog()
        }
        if sent > 0 { pending.moveReaderIndex(forwardBy: sent) }
        let unsent = pending
        nextFromBacklog()
        isBackedUp = true
        handedBytes = Int32(clamping: unsent.readableBytes)
        let promise = context.eventLoop.makePromise(of: Void.self)
        // A failure ends the connection.
        promise.futureResult.assumeIsolated().whenSuccess { [self] in
            isBackedUp = false
            flush()
        }
        context.writeAndFlush(wrapOutboundOut(unsent), promise: promise)
    }

    private func handOn(_ context: ChannelHandlerContext) {
        let bytes = pending
        nextFromBacklog()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        isBackedUp = !context.channel.isWritable
        handedBytes = Int32(clamping: bytes.readableBytes)
    }

    /// `pending` has been sent, or handed on: the bytes behind it are next.
    private func nextFromBacklog() {
        (pending, isPendingShared) = backlog?.popFirst() ?? (ByteBuffer(), false)
        if backlog?.bytes == 0 { backlog = nil }
    }

    /// Drops bytes that wait and were not handed on: no frame is begun that would be cut.
    func dropPending() {
        pending = ByteBuffer()
        isPendingShared = false
        backlog = nil
    }

    /// Closes when the bytes that wait are sent, or when the time for that is over.
    func closeWhenFlushed() {
        guard context != nil, !isClosing else { return }
        isClosing = true
        closesBy = Moment.now().monotonic + runtime.limits.closeMilliseconds
        setReading(false)
        waitToDrop()
        markDirty()
    }

    /// All bytes are sent. Only the sending side is closed at first: closing both while bytes of the client are unread would reset
    /// the connection, and the client might never read why it ended (RFC 9112, 9.6).
    private func closeOutput() {
        if hasClosedOutput { return }
        hasClosedOutput = true
        context?.close(mode: .output, promise: nil)
    }

    /// Nothing that the other side sends is read after this. TLS on its own would send its close alert and wait for the other side's with
    /// the connection open: the alert is sent, but not waited for.
    func closeNow() {
        guard let context else { return }
        if let tls, let secured = try? context.pipeline.syncOperations.context(handler: tls) {
            context.close(mode: .output, promise: nil)
            secured.close(promise: nil)
        } else {
            context.close(promise: nil)
        }
    }

    /// Checks the deadline.
    ///
    /// - Returns: true when the connection is closed or closing.
    func onRound(now: Int64) -> Bool {
        if isClosing {
            if now < closesBy { return false }
            closeNow()
            return true
        }
        onDeadline(now: now)
        return isClosing || !isOpen
    }

    /// Stops and starts reading: a client that doesn't read its answers may not send more requests.
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
        if let place { runtime.quotas.close(place) }
        place = nil
        onGone()
    }

    func channelActive(context: ChannelHandlerContext) {
        onConnected()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isClosing { return drop(bytes) }
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        onBytes()
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    /// So much is read for the sake of a client that sends all before it looks for an answer: with bytes unread the kernel would reset the
    /// connection. Whose client has closed its side, of that NIO reads all at once, unasked: in a crowd nobody can wait for that.
    private func drop(_ bytes: ByteBuffer) {
        droppedBytes += Int32(clamping: bytes.readableBytes)
        let hasRoom = runtime.spendDrop(bytes: bytes.readableBytes)
        if droppedBytes > Int32(Self.droppedBytesMax) || waitsToDrop && !hasRoom { closeNow() } else { waitToDrop() }
    }

    /// What a crowd sends only to have it dropped is read a little in each turn.
    private func waitToDrop() {
        if waitsToDrop { return }
        waitsToDrop = true
        runtime.dropLater(self)
    }

    /// It is its turn to read once.
    func readToDrop() {
        waitsToDrop = false
        context?.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent { onSecured() }
        if case .inputClosed = event as? ChannelEvent, self.context != nil { onInputClosed() }
        context.fireUserInboundEventTriggered(event)
    }

    /// Takes over the socket of another handler.
    func inherit(from other: Connection) {
        (tls, descriptor, place) = (other.tls, other.descriptor, other.place)
        other.place = nil
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
