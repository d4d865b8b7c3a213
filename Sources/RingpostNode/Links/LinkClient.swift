// The dialling end of a link, from one shard to one member: forwards publishes, attaches subscriptions, asks operators' questions, and
// measures the member's heartbeat. When the connection breaks, everything on it ends; then it dials again, with back-off and jitter, for
// as long as the member is in the ring.
import NIOCore
import NIOPosix
import NIOSSL
import RingpostCore
import RingpostWire

/// Used on its loop only.
package final class LinkClient: @unchecked Sendable {
    /// Operators' questions that wait for one member; beyond it the member counts as not answering.
    static let questionsMax = 1_024

    let handle: UInt32
    let member: MemberIdentity
    let address: String
    private let links: ShardLinks
    private let bytesMax: Int
    /// When it dials, gives an attempt up, and feels the member's pulse.
    private var machine: LinkDialMachine
    private var lookup = LinkLookup<[SocketAddress]>()
    private var connection: LinkConnection?
    /// The dialling side of the connection's handshake.
    private var dialler: LinkDialler?
    /// Attachments that this link carries, by their numbers on the wire.
    private var attachments: Set<UInt64> = []
    private var questions: [UInt64: ([UInt8]?) -> Void] = [:]
    private var lastQuestion: UInt64 = 0
    /// The epoch of the member list that was last sent to this member.
    private var toldEpoch: UInt64 = 0

    init(handle: UInt32, member: Member, links: ShardLinks) {
        self.handle = handle
        self.member = member.identity
        address = member.link
        self.links = links
        bytesMax = links.context.configuration.limits.linkBytesMax
        machine = LinkDialMachine(heartbeatTimeoutMilliseconds: links.shell.heartbeatMilliseconds)
    }

    private var runtime: ShardRuntime { links.runtime }
    package var isUp: Bool { machine.isUp }
    /// Too many bytes wait: senders wait as if the link were down.
    var isFull: Bool { pendingBytes > bytesMax }

    package var pendingBytes: Int { connection?.pendingBytes ?? 0 }
    private var saidFull = false

    // MARK: Life

    func start() { onTick(now: Moment.now().monotonic) }

    func stop() {
        if machine.stop() { endAll() }
        hangUp()
    }

    /// What was said on the connection does not hold any more; dials anew.
    func breakOff() { connection?.closeNow() }

    func onTick(now: Int64) {
        checkRoom()
        switch machine.onTick(now: now, isHeldUp: connection?.isHeldUp == true, jitter: runtime.numbers.random()) {
        case .nothing: break
        case .dial: dial()
        case .ping: sendPing(query: 0)
        case .close(let end, let wasUp):
            if end == .silent { runtime.logger.warning("a member is silent on its link", metadata: ["member": "\(member)"]) }
            hangUp()
            if wasUp { onDown() }
        }
    }

    func ping(query: UInt64, now: Int64) {
        guard isUp else { return }
        machine.onPing(now: now)
        sendPing(query: query)
    }

    private func sendPing(query: UInt64) {
        send(.ping(query: query, sentAt: Moment.monotonicMicroseconds(), links.context.standing(links.shell.view)))
    }

    private func dial() {
        guard let target = ListenAddress(address) else { return }
        perform(lookup.onDial(), target)
    }

    private func perform(_ action: LinkLookup<[SocketAddress]>.Action, _ target: ListenAddress) {
        switch action {
        case .ask:
            links.context.lookups.find(target, on: runtime.eventLoop, links.context.loops) { [self] addresses in
                perform(lookup.onFound(addresses, isDialling: machine.isCurrent(machine.attempt)), target)
            }
        case .wait: break
        case .connect(let addresses): connect(to: addresses, of: target, attempt: machine.attempt)
        }
    }

    private func connect(to addresses: [SocketAddress], of target: ListenAddress, attempt: Int) {
        ClientBootstrap(group: runtime.eventLoop)
            .connectTimeout(.milliseconds(LinkDialMachine.dialMillisecondsMax))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: .init(low: 1, high: 256 * 1_024))
            .channelInitializer { channel in
                // A host name may have several addresses, which are tried one after the other, each with a channel of its own.
                channel.eventLoop.makeCompletedFuture {
                    let socket = LinkConnection(client: self, attempt: attempt, runtime: self.runtime)
                    if let context = self.links.context.auth.diallingLinks {
                        let tls = try NIOSSLClientHandler(context: context, serverHostname: nil)
                        socket.tls = tls
                        try channel.pipeline.syncOperations.addHandler(tls)
                    }
                    try channel.pipeline.syncOperations.addHandler(socket)
                }
            }
            .connect(to: addresses, of: target, on: runtime.eventLoop)
            .whenFailure { _ in if self.machine.isCurrent(attempt), self.connection == nil { self.onEnded() } }
    }

    func onConnected(_ connected: LinkConnection) {
        guard machine.isCurrent(connected.attempt), connection == nil, let generation = links.shell.view?.generation else {
            connected.closeNow()
            return
        }
        connection = connected
        let me = links.context.identity
        let hello = LinkHello(
            role: .node, cluster: links.context.configuration.cluster, generation: generation, from: me.id, boot: me.boot,
            to: member.id, toBoot: member.boot, line: UInt16(runtime.index), dial: links.nextDial(), nonce: .fresh())
        dialler = LinkDialler(hello, secrets: links.context.auth.linkSecrets)
        send(.hello(hello))
    }

    func onClosed(_ closed: LinkConnection) {
        guard closed === connection else { return }
        connection = nil
        onEnded()
    }

    /// The attempt, or its connection, has come to an end by itself.
    private func onEnded() {
        if machine.onClosed(now: Moment.now().monotonic, jitter: runtime.numbers.random()) { onDown() }
    }

    /// Closes the connection of which the machine knows already that it is over.
    private func hangUp() {
        let over = connection
        connection = nil
        over?.closeNow()
    }

    private func onDown() {
        runtime.counters.linkReconnects += 1
        endAll()
        links.onDown(self)
    }

    /// Everything on the connection ends with it.
    private func endAll() {
        let ended = attachments
        attachments = []
        for attachment in ended { runtime.post(.detached(WireAttachment.address(attachment)), to: WireAttachment.shard(attachment)) }
        let unanswered = questions
        questions = [:]
        for (_, answer) in unanswered { answer(nil) }
    }

    // MARK: Out

    func send(_ frame: LinkFrame) {
        connection?.write { LinkEncoder.write(frame, into: &$0) }
        machine.onSent()
        checkRoom()
    }

    private func checkRoom() {
        if isFull == saidFull { return }
        saidFull = isFull
        links.shell.decide { machine, _, _ in machine.setFull(handle, isFull) }
    }

    package func forward(_ request: UInt64, _ publish: Publish, hops: UInt8, restarts: Bool, epoch: UInt64) {
        guard let connection else { return }
        // What it takes until all of this turn's leave together counts no more than the time on the way.
        let left = max(0, min(publish.deadline - runtime.turnMilliseconds(), Publish.budgetMillisecondsMax))
        connection.write {
            LinkEncoder.writeForward(
                request, publish, epoch: epoch, hops: hops, restarts: restarts, budgetMilliseconds: UInt16(left), into: &$0)
        }
        machine.onSent()
        checkRoom()
    }

    func attach(_ request: AttachRequest, epoch: UInt64) {
        let attachment = WireAttachment.number(request.address)
        attachments.insert(attachment)
        let age = request.age(now: Moment.now().monotonic)
        send(
            .attach(
                attachment: attachment, epoch: epoch, key: request.key, request.start, request.stay, countMax: request.countMax,
                ageMilliseconds: age))
    }

    func detach(_ address: ReturnAddress, _ key: Key) {
        let attachment = WireAttachment.number(address)
        guard attachments.remove(attachment) != nil, isUp else { return }
        send(.detach(attachment: attachment, key: key))
    }

    func report(_ address: ReturnAddress, _ channel: Key, _ report: PresenceReport) {
        let attachment = WireAttachment.number(address)
        if attachments.contains(attachment) { send(.presenceReport(attachment: attachment, key: channel, report)) }
    }

    /// Asks the member; the answer is `nil` when the link breaks first, or too many questions wait already.
    func ask(_ question: LinkQuestion, argument: [UInt8], answer: @escaping ([UInt8]?) -> Void) {
        guard isUp, questions.count < Self.questionsMax else {
            answer(nil)
            return
        }
        lastQuestion += 1
        questions[lastQuestion] = answer
        send(.ask(request: lastQuestion, question, argument: argument))
    }

    // MARK: In

    /// The member is there.
    func onBytes() { machine.onHeard(now: MonotonicClock.nowMilliseconds()) }

    func handle(_ frame: LinkFrame) throws(LinkError) {
        switch frame {
        case .welcome(let welcome): try onWelcome(welcome)
        case .challenge(let nonce, let proof):
            guard let answer = try dialler?.onChallenge(nonce, proof) else { throw LinkError("a challenge out of turn") }
            send(.proof(answer))
        case .refuse(let sentence): throw LinkError("refused: \(LogText.escaped(sentence))")
        case .answer(let request, let result, _): onAnswer(request, result)
        case .slot(let frame):
            guard let hasher = links.shell.view?.hasher, frame.isWellPlaced(by: hasher) else { throw LinkError("a key in another's slot") }
            links.shell.decide { $0.onReply(frame, from: handle, now: $1, actions: &$2) }
        case .attached(let attachment, let result):
            if case .success(let reply) = result, reply.isLive {} else { attachments.remove(attachment) }
            runtime.post(.attached(WireAttachment.address(attachment), result), to: try originLoop(attachment))
        case .deliver(let targets, let incarnation, let message):
            for attachment in targets {
                runtime.post(
                    .deliver(WireAttachment.address(attachment), incarnation: incarnation, message), to: try originLoop(attachment))
            }
        case .presenceNews(let attachment, let news):
            runtime.post(.presence(WireAttachment.address(attachment), news), to: try originLoop(attachment))
        case .detached(let attachment):
            attachments.remove(attachment)
            runtime.post(.detached(WireAttachment.address(attachment)), to: try originLoop(attachment))
        case .pong(let query, let sentAt, let standing):
            machine.onPong()
            runtime.counters.roundTrip.record(microseconds: Moment.monotonicMicroseconds() &- sentAt)
            links.context.onStanding(of: member, standing, query: query)
            if let news = links.context.news(for: standing, told: &toldEpoch) { send(news) }
        case .members(let epoch, let generation, let members):
            links.context.onMembers(epoch: epoch, generation: generation, members)
        case .told(let request, let json): questions.removeValue(forKey: request)?(json)
        default: throw LinkError("a frame that an accepting node doesn't send")
        }
    }

    func onAnswer(_ request: UInt64, _ result: PublishResult) { links.delegate.onForwardAnswer(request, result) }

    private func originLoop(_ attachment: UInt64) throws(LinkError) -> Int {
        let origin = WireAttachment.shard(attachment)
        guard origin < runtime.shardCount else { throw LinkError("an attachment of loop \(origin)") }
        return origin
    }

    private func onWelcome(_ welcome: LinkWelcome) throws(LinkError) {
        try dialler?.onWelcome()
        guard welcome.node == member.id, welcome.boot == member.boot else {
            throw LinkError("\(member) answers as \(LogText.escaped(welcome.node)) (boot \(welcome.boot.hexadecimal))")
        }
        guard machine.onWelcome(now: MonotonicClock.nowMilliseconds()) else { throw LinkError("a welcome out of turn") }
        connection?.raiseFrameLimit()
        // What the member was told on an earlier connection may have been lost with it.
        toldEpoch = 0
        links.onUp(self)
        ping(query: 0, now: MonotonicClock.nowMilliseconds())
    }
}

/// How an attachment is named on a link: the loop that holds the socket, and the number in that loop's table.
enum WireAttachment {
    static func number(_ address: ReturnAddress) -> UInt64 {
        let generation = address.id >> 32
        let index = address.id & 0xFF_FFFF
        return UInt64(ConnectionAddress(address).shard) << 56 | generation << 24 | index
    }

    static func shard(_ number: UInt64) -> Int { Int(number >> 56) }

    static func address(_ number: UInt64) -> ReturnAddress {
        let generation = (number >> 24) & 0xFFFF_FFFF
        return ReturnAddress(connectionID: ConnectionAddress(shard: shard(number)).connectionID, id: generation << 32 | number & 0xFF_FFFF)
    }
}

/// The bytes of a dialled link.
final class LinkConnection: Connection, @unchecked Sendable {
    let attempt: Int
    /// Until the connection is gone. Not weak: what is held weakly anywhere is slow to hold everywhere, and this is held for each message.
    private var client: LinkClient?
    private var decoder = LinkDecoder()

    init(client: LinkClient, attempt: Int, runtime: ShardRuntime) {
        self.client = client
        self.attempt = attempt
        super.init(runtime: runtime)
    }

    override var writesMuch: Bool { true }

    func raiseFrameLimit() { decoder.frameBytesMax = LinkProtocol.frameBytesMax }

    override func onConnected() { if tls == nil { client?.onConnected(self) } }

    /// The authority has signed for somebody; whether it is the member that was dialled is seen here, before anything is said.
    override func onSecured() {
        guard let client else { return closeNow() }
        let peer = (try? tls?.peerCertificate?.toDERBytes()).map { LinkPeer.named(CertificateNames(der: $0)) } ?? .nameless
        if let sentence = peer.objection(to: client.member.id) { end(sentence) } else { client.onConnected(self) }
    }

    override func onFailure(_ error: any Error) {
        switch error {
        // The end of a member, or of its network: it is dialled again, and those who ask see that it is out of reach.
        case is IOError, NIOSSLError.uncleanShutdown: break
        default: warn("TLS with it fails: \(error)")
        }
    }

    override func onBytes() {
        guard let client else { return closeNow() }
        client.onBytes()
        do throws(LinkError) {
            while isOpen {
                // Most of what comes, unwrapped at once.
                if client.isUp, let (request, receipt) = decoder.nextReceipt(&input) {
                    client.onAnswer(request, .success(receipt))
                } else if let frame = try decoder.next(&input) {
                    try client.handle(frame)
                } else {
                    break
                }
            }
        } catch {
            end(error.description)
        }
    }

    private func end(_ sentence: String) {
        runtime.counters.badLinks += 1
        warn(sentence)
        closeNow()
    }

    private func warn(_ sentence: String) {
        let member = client.map { "\($0.member)" } ?? "nobody"
        runtime.logger.warning("closed a link", metadata: ["member": "\(member)", "why": "\(sentence)"])
    }

    override func onGone() {
        client?.onClosed(self)
        client = nil
    }
}
