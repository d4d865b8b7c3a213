// One HTTP/1.1 connection, on the client or the API port: reads requests, hands each to the routes of its port, and
// writes the answers in the order of the requests, however late each of them comes. Publishes may be pipelined; their
// answers of one tick leave in one write.
import DequeModule
import NIOCore
import RingpostCore
import RingpostWire

final class HTTPConnection: Connection, @unchecked Sendable {
    /// While it waits for its turn, so much is read ahead.
    static let aheadBytesMax = 16_384

    let routes: any HTTPRoutes
    private var parser: HTTPRequestParser
    private(set) var head: HTTPRequestHead?
    private var body = ByteBuffer()
    /// Requests that are not answered yet, and answers that wait for an earlier one.
    var answers: Deque<Answer> = []
    var firstNumber: UInt64 = 0
    /// When the request that is arriving has to be whole, or the next one has to begin.
    private var deadline: Int64
    private var isPaused = false
    var isTakenOver = false
    private var isReading = false
    /// Requests of this slice, and whether the next slice is waited for (see ``FairScheduler``).
    private var sliceRequests = 0
    private var isResting = false
    /// The first byte of a request is here and its last one is not: `deadline` is the request's.
    private var isArriving = false
    /// The connection ends with the next answer that nothing is under way behind.
    private(set) var isLeaving = false
    /// The client has said that nothing follows its last request: what comes all the same is no request (RFC 9112, 9.6).
    private var hasLastRequest = false
    /// This connection's client has been let in; what it asks for later is not a new client's.
    var isAdmitted = false
    var knownKey: KnownAPIKey?
    /// A host that requests on this connection may be for.
    var knownHost: [UInt8] = []

    init(routes: any HTTPRoutes, shard: Shard) {
        self.routes = routes
        let limits = shard.shared.configuration.limits
        parser = HTTPRequestParser(
            limits: HTTPLimits(
                bodyBytesMax: max(limits.payloadBytesMax, limits.batchBytesMax), headBytesMax: limits.headBytesMax,
                headerCountMax: limits.headerCountMax))
        deadline = Moment.now().monotonic + limits.headMilliseconds
        super.init(runtime: shard.runtime)
    }

    private var limits: NodeLimits { shard.shared.configuration.limits }

    // MARK: In

    override var handler: any ChannelInboundHandler { ConnectionSlot(self) }

    override func onConnected() {
        isCountedConnection = shard.shared.quotas.openConnection()
        if isCountedConnection { return }
        shard.counters.count(.connections)
        closeNow()
    }

    override func onBytes() {
        if isReading { return }
        if !isResting, sliceRequests == 0, isNew ? runtime.isTurnOverForNewcomers : runtime.isTurnOver { rest() }
        if isResting { return setPaused(isFull || input.readableBytes >= Self.aheadBytesMax) }
        parseRequests()
    }

    private func parseRequests() {
        isReading = true
        defer { isReading = false }
        do throws(HTTPRequestError) {
            while !hasLastRequest, !isTakenOver, !isClosing, !isFull, !isResting, let part = try parser.next(&input) {
                switch part {
                case .head(let head): onHead(head)
                case .body(var bytes): onBody(&bytes)
                case .end: onEnd()
                }
            }
        } catch {
            if error == .headTooLong { shard.counters.count(.headBytes) }
            if error == .tooManyHeaders { shard.counters.count(.headers) }
            // More than any path takes.
            if error == .bodyTooLarge { shard.counters.count(limits.batchBytesMax >= limits.payloadBytesMax ? .batchBytes : .payloadBytes) }
            refuse(status: error.status, code: error.code, message: error.message)
        }
        if hasLastRequest { input.clear() }
        // What is left is the beginning of a request.
        if !isFull, !isResting, input.readableBytes > 0 { beginRequest() }
        setPaused(isFull || isResting && input.readableBytes >= Self.aheadBytesMax)
    }

    /// One request more in this slice; behind the last one, the next slice comes when others have had their turn. A connection whose bytes
    /// are all read begins a slice anew.
    private func spendSlice(bytes: Int) {
        sliceRequests = input.readableBytes == 0 ? 0 : sliceRequests + 1
        shard.onRequest(bytes: bytes)
        if sliceRequests >= FairScheduler.sliceRequestsMax || sliceRequests > 0 && runtime.isTurnOver { rest() }
    }

    private func rest() {
        isResting = true
        runtime.enqueue(self, sliceRequests > 0 ? .resting : isNew ? .newcomer : .fresh)
    }

    override func goOn() {
        isResting = false
        sliceRequests = 0
        if isOpen { parseRequests() }
    }

    private func beginRequest() {
        if isArriving { return }
        isArriving = true
        deadline = Moment.now().monotonic + limits.headMilliseconds
    }

    func setPaused(_ pauses: Bool) {
        guard pauses != isPaused, !isClosing, isOpen else { return }
        isPaused = pauses
        if pauses, isFull { shard.counters.count(answers.count >= limits.pipelinedMax ? .pipelined : .socketBytes) }
        setReading(!pauses)
    }

    func resume() {
        guard isPaused, !isFull, !isResting else { return }
        onBytes()
    }

    /// No request has been looked at yet.
    private var isNew: Bool { firstNumber == 0 && answers.isEmpty }

    private var isFull: Bool { answers.count >= limits.pipelinedMax || pendingBytes > limits.socketBytesMax }

    private func onHead(_ head: HTTPRequestHead) {
        self.head = head
        beginRequest()
        deadline += limits.requestMilliseconds - limits.headMilliseconds
        if isNew, shard.shared.quotas.isMemoryFull, !routes.isAlwaysAnswered(head) {
            shard.counters.count(.memoryMegabytes)
            return refuse(
                routes.response(
                    to: head, refusing: ProblemReport(.overloaded, "this node's memory is full; try another one, or again later")),
                headers: routes.commonHeaders(for: head))
        }
        if case .length(let length) = head.body, length > routes.bodyBytesMax(for: head) {
            refuseTooLarge(head)
        } else if head.expectsContinue, answers.isEmpty {
            write { HTTPResponseWriter.writeContinue(into: &$0) }
        }
    }

    private func onBody(_ bytes: inout ByteBuffer) {
        guard let head else { return }
        if body.readableBytes == 0 { body = bytes } else { body.writeBuffer(&bytes) }
        if body.readableBytes > routes.bodyBytesMax(for: head) { refuseTooLarge(head) }
    }

    private func onEnd() {
        guard let head else { return }
        let request = HTTPRequest(head: head, body: body, number: firstNumber + UInt64(answers.count))
        self.head = nil
        body = ByteBuffer()
        isArriving = false
        hasLastRequest = !head.keepAlive
        spendSlice(bytes: request.body.readableBytes)
        deadline = Moment.now().monotonic + limits.keepAliveMilliseconds
        // While the node's clients go elsewhere, the next request belongs there too. What is pipelined already is answered here.
        if shard.admission.isMoving { isLeaving = true }
        answers.append(Answer(headers: routes.commonHeaders(for: head), keepAlive: head.keepAlive, isHead: head.method == .head))
        routes.handle(request, on: self)
    }

    private func refuseTooLarge(_ head: HTTPRequestHead) {
        shard.counters.count(routes.bodyBytesMax(for: head) == limits.batchBytesMax ? .batchBytes : .payloadBytes)
        refuse(
            status: 413, code: Problem.tooLarge.code,
            message: "the body is larger than the \(routes.bodyBytesMax(for: head)) bytes that this path takes")
    }

    private func refuse(status: Int, code: String, message: String) { refuse(.failure(status: status, code: code, message: message)) }

    /// The request can't be read, so nothing after it can: answers what came before it, then this, then closes.
    private func refuse(_ response: HTTPResponse, headers: [HTTPResponseWriter.Header] = []) {
        guard !isClosing, !isTakenOver else { return }
        shard.logger.debug("refused a request", metadata: ["status": "\(response.status)"])
        let number = firstNumber + UInt64(answers.count)
        answers.append(Answer(headers: headers, keepAlive: false, isHead: false))
        input.clear()
        isTakenOver = true
        respond(to: number, response)
    }

    override var kind: ConnectionKind { .http }

    override func endClients(_ disconnect: () -> Disconnect, where matches: (_ user: Key?, _ grant: ClientGrant?) -> Bool) -> Int {
        let polls = answers.compactMap(\.poll).filter { matches($0.user, $0.grant) }
        for poll in polls { poll.end(disconnect()) }
        return polls.count
    }

    /// The node's clients go elsewhere, and it is this one's turn. A poll that waits is answered with what it has. A producer
    /// is not sent away: its connection ends with its next answer, so that it finds another node before this one is gone.
    override func move(_ disconnect: Disconnect) {
        isLeaving = true
        for poll in answers.compactMap(\.poll) { poll.finish(disconnect) }
        if routes.isForClients, answers.isEmpty, !isArriving { closeWhenFlushed() }
    }

    /// The node is stopping: no other request is taken, what was taken is answered, polls with what they have. A request that
    /// is arriving may arrive, as long as the node waits for its sockets.
    override func shutDown() {
        if isClosing { return }
        isLeaving = true
        if answers.isEmpty {
            if !isArriving { closeNow() }
            return
        }
        if head == nil {
            isTakenOver = true
            answers[answers.count - 1].keepAlive = false
        }
        for poll in answers.compactMap(\.poll) { poll.finish() }
    }

    override func onDrained() { resume() }

    override func onGone() {
        let polls = answers.compactMap(\.poll)
        answers.removeAll()
        for poll in polls { poll.cancel() }
    }

    override func onDeadline(now: Int64) {
        guard now >= deadline else { return }
        if head != nil || input.readableBytes > 0 {
            shard.counters.count(head == nil ? .headSeconds : .requestSeconds)
            refuse(status: 408, code: Problem.requestTimeout.code, message: Problem.requestTimeout.message)
        } else if answers.isEmpty {
            closeNow()
        }
    }
}
