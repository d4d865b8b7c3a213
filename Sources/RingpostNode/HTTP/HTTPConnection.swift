// One HTTP/1.1 connection, on the client or the API port: feeds its machine with bytes and answers, hands each request to the routes of its
// port, and writes. Publishes may be pipelined; their answers of one tick leave in one write.
import NIOCore
import RingpostCore
import RingpostWire

final class HTTPConnection: Connection, @unchecked Sendable {
    /// While it waits for its turn, so much is read ahead.
    static let aheadBytesMax = 16_384
    /// What a connection beyond the bound gets to ask how the node is.
    static let singleMilliseconds: Int64 = 1_000
    /// Requests under way whose answers may be large, polls above all: the next one waits. What is read of their history when they come
    /// is bounded for each, so this bounds what can come on top of the bytes that make a connection wait.
    static let largeMax = 4
    /// Bytes of answers that wait behind earlier ones, on all connections of a shard. Beyond it nothing is taken behind a request whose
    /// answer may be large.
    static let shardReadyBytesMax = 64 * 1_024 * 1_024

    let routes: any HTTPRoutes
    var machine: HTTPConnectionMachine<Owed, ByteBuffer>
    let peer = HTTPPeer()
    private var parser: HTTPRequestParser
    var arriving: Arriving?
    /// What the shard counts of bodies on this connection.
    var bodyCharge: BodyCharge?
    private var work: (() -> Bool)?
    private var admission = ConnectionRoom.Answer.open
    /// What the shard counts of this connection's answers that wait behind earlier ones.
    private var chargedBytes = 0

    init(routes: any HTTPRoutes, shard: Shard) {
        self.routes = routes
        let limits = shard.context.configuration.limits
        parser = HTTPRequestParser(
            limits: HTTPLimits(
                bodyBytesMax: max(limits.payloadBytesMax, limits.batchBytesMax), headBytesMax: limits.headBytesMax,
                headerCountMax: limits.headerCountMax))
        machine = HTTPConnectionMachine(
            limits: .init(
                pipelinedMax: limits.pipelinedMax, largeMax: Self.largeMax, aheadBytesMax: Self.aheadBytesMax,
                sliceRequestsMax: FairScheduler.sliceRequestsMax, headMilliseconds: limits.headMilliseconds,
                requestMilliseconds: limits.requestMilliseconds, keepAliveMilliseconds: limits.keepAliveMilliseconds),
            now: Moment.now().monotonic)
        super.init(runtime: shard.runtime)
    }

    var limits: NodeLimits { shard.context.configuration.limits }
    private var isCrowded: Bool {
        pendingBytes + machine.readyBytes > limits.socketBytesMax
            || runtime.readyBytes > Self.shardReadyBytesMax && machine.mayHoldMuch
    }

    // MARK: In

    override var handler: any ChannelInboundHandler { ConnectionSlot(self) }

    override func onConnected() {
        (admission, place) = runtime.quotas.open(routes.isForClients ? .client : .api, peer: peerAddress)
        switch admission {
        case .open: break
        case .refused(let limit):
            runtime.counters.count(limit)
            closeNow()
        case .single:
            runtime.counters.count(.connections)
            machine.beginSingle(until: Moment.now().monotonic + Self.singleMilliseconds)
        }
    }

    override func onProxied(for source: SourceAddress) {
        peer.proxied = source
        guard let place else { return }
        if let named = runtime.quotas.name(place, source) {
            self.place = named
        } else {
            runtime.counters.count(.connectionsPerAddress)
            closeNow()
        }
    }

    override func onBytes() {
        switch machine.onBytes(turnIsOver: runtime.isTurnOver, turnIsOverForNewcomers: runtime.isTurnOverForNewcomers) {
        case .parse: parseRequests()
        case .rest(let standing):
            runtime.enqueue(self, standing)
            adjustReading()
        case .wait: adjustReading()
        }
    }

    private func parseRequests() {
        machine.beginParsing()
        var needsMore = false
        do throws(HTTPRequestError) {
            while !isClosing, machine.parses(isCrowded: isCrowded) {
                guard let part = try parser.next(&input) else {
                    needsMore = true
                    break
                }
                switch part {
                case .head(let head): onHead(head)
                case .body(var bytes): onBody(&bytes)
                case .end: onEnd()
                }
            }
        } catch {
            if error == .headTooLong { runtime.counters.count(.headBytes) }
            if error == .tooManyHeaders { runtime.counters.count(.headers) }
            // More than any path takes.
            if error == .bodyTooLarge {
                runtime.counters.count(limits.batchBytesMax >= limits.payloadBytesMax ? .batchBytes : .payloadBytes)
            }
            refuse(.failure(status: error.status, code: error.code, message: error.message))
        }
        if !chargeBody() { refuseBodies() }
        let hasBytes = input.readableBytes > 0
        if machine.onParsed(needsMore: needsMore, hasBytes: hasBytes, now: runtime.turnMilliseconds()) { endNow() }
        if machine.hasEnded { input.clear() }
        adjustReading()
    }

    /// Nothing more comes: ends when what has been written is sent.
    private func endNow() {
        if isDrained { closeNow() } else { endWhenFlushed() }
    }

    /// Nothing more is written. For the end of a client that is beyond the bound of connections nobody waits: its place is wanted.
    func endWhenFlushed() {
        if !machine.isSingle { return closeWhenFlushed() }
        // Otherwise when it is.
        if isDrained { closeNow() }
    }

    override func onTurn() {
        if machine.isWorking { return continueWork() }
        machine.onTurn()
        if isOpen { parseRequests() }
    }

    private func adjustReading() {
        guard !isClosing, isOpen, let flow = machine.onBuffered(bytes: input.readableBytes, isCrowded: isCrowded) else { return }
        if flow == .paused, machine.isFull(isCrowded: isCrowded) {
            runtime.counters.count(machine.hasAsManyAsItMay ? .pipelined : .socketBytes)
        }
        setReading(flow == .reading)
    }

    func resume() {
        if machine.isPaused, !machine.isFull(isCrowded: isCrowded) { onBytes() }
    }

    private func onHead(_ head: HTTPRequestHead) {
        machine.onHead(now: runtime.turnMilliseconds())
        let match = routes.match(head)
        if machine.isNew, !routes.isAlwaysAnswered(match) {
            if admission == .single {
                return refuse(ProblemReport(.overloaded, "this node has as many connections as it may; try another one"), head, match)
            }
            if runtime.quotas.isMemoryFull {
                runtime.counters.count(.memoryMegabytes)
                return refuse(ProblemReport(.overloaded, "this node's memory is full; try another one, or again later"), head, match)
            }
        }
        let body = routes.body(match)
        arriving = Arriving(
            head: head, match: match, permit: permit(head, match), bodyBytesMax: body.bytesMax(limits),
            keepsBody: body.isKept && match.isFound)
        onBodyAnnounced(head)
    }

    private func permit(_ head: HTTPRequestHead, _ match: RouteMatch) -> Arriving.Permit {
        do throws(ProblemReport) {
            let grant = try routes.authorize(head, match, peer, remote: remoteText)
            // Who is refused stays new: it goes behind those who are not.
            if machine.isNew, !routes.isAlwaysAnswered(match) { machine.letIn() }
            return .granted(grant)
        } catch { return .refused(error) }
    }

    private func onEnd() {
        guard let arriving else { return }
        self.arriving = nil
        let head = arriving.head
        runtime.onRequest(bytes: arriving.bodyBytes)
        if machine.spendSlice(hasMore: input.readableBytes > 0, turnIsOver: runtime.isTurnOver) { runtime.enqueue(self, .resting) }
        let owed = Owed(
            headers: routes.commonHeaders(for: head), isHead: head.method == .head, saysKeepAlive: head.minorVersion == 0 && head.keepAlive)
        let number = machine.onRequest(
            owed, mayBeLarge: owed.reason.mayBeLarge, persists: head.keepAlive, isMoving: shard.admission.isMoving,
            now: runtime.turnMilliseconds())
        switch arriving.permit {
        case .refused(let report): respond(to: number, routes.refusal(report, of: head, arriving.match))
        case .granted(let grant):
            routes.handle(
                HTTPRequest(head: head, body: arriving.body, match: arriving.match, grant: grant),
                on: HTTP1Exchange(connection: self, number: number))
            if machine.isWorking || bodyCharge != nil { onBodyHandled(arriving) }
        }
    }

    func refuse(_ report: ProblemReport, _ head: HTTPRequestHead, _ match: RouteMatch) {
        refuse(routes.refusal(report, of: head, match), to: head)
    }

    /// Answers what came before the request, then this, then closes.
    ///
    /// - Parameter head: the request's; without it, that of the one that is arriving, if there is one.
    func refuse(_ response: HTTPResponse, to head: HTTPRequestHead? = nil) {
        let head = head ?? arriving?.head
        let owed = Owed(headers: head.map(routes.commonHeaders) ?? [], isHead: head?.method == .head, saysKeepAlive: false)
        guard !isClosing, let number = machine.refuse(owed) else { return }
        runtime.logger.debug("refused a request", metadata: ["status": "\(response.status)"])
        arriving = nil
        if !machine.isWorking { charge(bytes: 0) }
        input.clear()
        respond(to: number, response)
    }

    // MARK: Requests that take several turns

    func runInTurns(_ work: @escaping () -> Bool) {
        if work() { return }
        self.work = work
        if machine.beginWork() { runtime.enqueue(self, .resting) }
    }

    /// What has been taken is done, also where the client has gone meanwhile.
    private func continueWork() {
        guard let work, !work() else {
            work = nil
            machine.endWork()
            charge(bytes: 0)
            return isOpen ? onBytes() : ()
        }
        runtime.enqueue(self, .resting)
    }

    // MARK: Ends

    private var held: [any HeldRequest] { machine.allOwed.compactMap(\.held) }

    override var kind: ConnectionKind { .http }
    override var heldBytes: Int {
        outputBytes + machine.readyBytes + input.readableBytes + (arriving?.heldBytes ?? bodyCharge?.bytes ?? 0)
    }
    override var byteOwner: ByteOwner? { bodyCharge?.owner ?? peer.apiKey?.grant.id.map { .key($0) } }
    override func shed() { shedBodies() }

    override func endClients(_ disconnect: () -> Disconnect, where matches: (_ user: Key?, _ grant: ClientGrant?) -> Bool) -> Int {
        let matching = held.filter { matches($0.user, $0.grant) }
        for request in matching { request.end(disconnect()) }
        return matching.count
    }

    /// The client has closed its side, and may wait for answers all the same. A request that is held doesn't wait for more: a client that
    /// has gone for good looks just like this one.
    override func onInputClosed() {
        machine.onInputClosed()
        for request in held { request.hasten() }
        onBytes()
    }

    /// The node's clients go elsewhere, and it is this one's turn. A poll that waits is answered with what it has. A producer
    /// is not sent away: its connection ends with its next answer, so that it finds another node before this one is gone.
    override func move(_ disconnect: Disconnect) {
        let isIdle = machine.leave()
        for request in held { request.finish(disconnect) }
        if routes.isForClients, isIdle { endWhenFlushed() }
    }

    /// The node is stopping: no other request is taken, what was taken is answered, polls with what they have.
    override func shutDown() {
        if isClosing { return }
        // An earlier answer may still wait for the end of the turn.
        if machine.stop() { return endNow() }
        for request in held { request.finish(nil) }
    }

    override func onDrained() {
        if machine.isSpent { closeNow() } else { resume() }
    }

    override func onGone() {
        for owed in machine.end() { owed.held?.cancel() }
        chargeReady()
        arriving = nil
        if work == nil { charge(bytes: 0) }
    }

    /// Answers have come to wait behind earlier ones, or have left.
    func chargeReady() {
        let bytes = machine.readyBytes
        if bytes == chargedBytes { return }
        runtime.readyBytes += bytes - chargedBytes
        chargedBytes = bytes
    }

    override func onDeadline(now: Int64) {
        switch machine.onDeadline(now: now, hasBytes: input.readableBytes > 0, isCrowded: isCrowded) {
        case .nothing: break
        case .close: closeNow()
        case .refuse(let hasHead):
            runtime.counters.count(hasHead ? .requestSeconds : .headSeconds)
            refuse(.problem(.requestTimeout))
        }
    }
}
