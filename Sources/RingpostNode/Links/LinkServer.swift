// The accepted end of a link. The other side is another node that forwards publishes and attaches, a producer, or a node that only asks who
// answers here. A stranger gets one sentence that says what differs, and is disconnected within a second.
import HashRing
import Logging
import NIOCore
import RingpostCore
import RingpostWire

final class LinkServer: Connection, @unchecked Sendable {
    private enum State {
        /// Waits for a hello. Can transition to greeted, over.
        case silent
        /// A hello is here; where links have a secret, its proof is awaited. Can transition to node, producer, over.
        case greeted(LinkAcceptor)
        /// Another node. Can transition to over.
        case node(MemberIdentity)
        /// A producer's stream. Can transition to over.
        case producer(stream: UInt64, LinkPass)
        /// Refused or closed. Final.
        case over
    }

    let links: ShardLinks
    private let bytesMax: Int
    private var state = State.silent
    private var decoder = LinkDecoder()
    private(set) var number = 0
    /// The epoch of the member list that was last sent here.
    private var toldEpoch: UInt64 = 0
    private var lastHeard = Moment.now().monotonic
    /// A producer's publishes that wait for their answer.
    var inFlight = 0
    var isPaused = false
    /// The hello of a node; set once it is registered.
    private var hello: LinkHello?
    /// An earlier connection of the same line has not ended yet.
    private var isWaiting = false
    /// A later connection of the same line, which has come meanwhile.
    private var successor: LinkServer?
    /// The connection of a producer ends with the answer to the last publish that is under way.
    private var endsWhenAnswered = false

    /// Closes the connection unless it has introduced itself by then. Set while it counts as a stranger.
    private var introduction: Scheduled<Void>?
    /// Whom it is counted for then.
    private var strangerSource: SourceAddress?

    static let producerInFlightMax = 16_384

    private var isForNode: Bool { if case .node = state { true } else { false } }
    override var kind: ConnectionKind { isForProducer ? .producer : .member }
    var isForProducer: Bool { if case .producer = state { true } else { false } }

    override var writesMuch: Bool { true }

    init(links: ShardLinks) {
        self.links = links
        bytesMax = links.context.configuration.limits.linkBytesMax
        super.init(runtime: links.runtime)
    }

    // MARK: Out

    func send(_ frame: LinkFrame) {
        // Behind a last word, or where something was dropped, nothing may come: it would look as if it followed what is missing.
        if isClosing { return }
        write { LinkEncoder.write(frame, into: &$0) }
        checkRoom()
    }

    private func write(answer request: UInt64, _ result: PublishResult) {
        if isClosing { return }
        write { LinkEncoder.write(answer: request, result, into: &$0) }
        checkRoom()
    }

    func deliver(to attachment: UInt64, incarnation: UInt64, _ message: StoredMessage) {
        if isClosing { return }
        write { LinkEncoder.writeDeliver(to: [attachment], incarnation: incarnation, message, into: &$0) }
        checkRoom()
    }

    /// The answer to a forward, or to a producer's publish.
    func answer(_ request: UInt64, _ result: PublishResult) {
        if case .producer = state {
            inFlight -= 1
            runtime.counters.count(result)
            if isPaused, inFlight < Self.producerInFlightMax / 2 {
                isPaused = false
                setReading(true)
                onBytes()
            }
        }
        write(answer: request, result)
        if endsWhenAnswered, inFlight == 0 { closeWhenFlushed() }
    }

    /// A peer that takes nothing is worse than none: its sockets attach again on a new link.
    private func checkRoom() {
        if pendingBytes <= bytesMax { return }
        dropPending()
        refuse("too many bytes wait on this link")
    }

    // MARK: In

    override func onBytes() {
        lastHeard = MonotonicClock.nowMilliseconds()
        do throws(LinkError) {
            while !isPaused, !isWaiting, !isClosing {
                // Most of what comes from a node, unwrapped at once.
                if isForNode, let forward = decoder.nextForward(&input) {
                    try onForward(forward)
                } else if let frame = try decoder.next(&input) {
                    try handle(frame)
                } else {
                    break
                }
            }
        } catch {
            runtime.counters.badLinks += 1
            refuse(error.description)
            if introduction != nil { state = .over }
        }
    }

    private func handle(_ frame: LinkFrame) throws(LinkError) {
        switch state {
        case .silent:
            guard case .hello(let hello) = frame else { throw LinkError("a link begins with a hello") }
            var acceptor = LinkAcceptor(secrets: links.context.auth.linkSecrets, peer: peer)
            perform(try acceptor.onHello(hello, nonce: .fresh()), acceptor)
        case .greeted(var acceptor):
            guard case .proof(let proof) = frame else { throw LinkError("a challenge is answered with a proof") }
            perform(try acceptor.onProof(proof), acceptor)
        case .node: try handleNode(frame)
        case .producer(let stream, let pass): try handleProducer(frame, stream: stream, pass)
        case .over: break
        }
    }

    // MARK: Introduction

    override func onConnected() {
        strangerSource = TrustedProxies.nobody.connectionSource(peerAddress)
        guard links.addStranger(from: strangerSource) else {
            runtime.counters.badLinks += 1
            state = .over
            return closeNow()
        }
        let milliseconds = links.context.configuration.limits.handshakeMilliseconds
        introduction = runtime.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { [weak self] in self?.onLate() }
    }

    /// Whoever is known by now has ended the wait; all others go, also those who were refused and have not gone by themselves.
    private func onLate() {
        if isStranger { runtime.counters.badLinks += 1 }
        state = .over
        closeNow()
    }

    private var isStranger: Bool {
        switch state {
        case .silent, .greeted: !isWaiting
        case .node, .producer, .over: false
        }
    }

    private func endIntroduction() {
        guard let introduction else { return }
        introduction.cancel()
        self.introduction = nil
        links.removeStranger(from: strangerSource)
    }

    /// What TLS says of the other side. It has answered by the time that a frame is here.
    private var peer: LinkPeer {
        guard let tls else { return .unknown }
        guard let der = try? tls.peerCertificate?.toDERBytes() else { return .nameless }
        return .named(CertificateNames(der: der))
    }

    private func perform(_ action: LinkAcceptor.Action, _ acceptor: LinkAcceptor) {
        state = .greeted(acceptor)
        switch action {
        case .challenge(let nonce, let proof): send(.challenge(nonce, proof))
        case .greet(let hello): greet(hello)
        case .refuse(let hello, let sentence): reject(hello, sentence)
        }
    }

    override func onFailure(_ error: any Error) {
        if isStranger { runtime.counters.badLinks += 1 }
        if introduction != nil { state = .over }
    }

    private func greet(_ hello: LinkHello) {
        let me = links.context.identity
        let generation = links.shell.view?.generation
        let admission = links.context.auth.linkAdmission
        // Asked before anything else is said, but in which version.
        let isProducer = hello.role == .producer && hello.version == LinkProtocol.version
        let pass = isProducer ? admission.pass(hello.credential) : nil
        if isProducer, pass == nil { return reject(hello, admission.refusal) }
        let isRefused = links.context.isRefused(MemberIdentity(id: hello.from, boot: hello.boot))
        let objection = LinkGreeting.objection(
            to: hello, cluster: links.context.configuration.cluster, generation: generation, me: me, isRefused: isRefused)
        if let sentence = objection { return reject(hello, sentence) }
        if let pass { return welcome(hello, pass) }
        guard hello.role == .node else { return welcome(hello) }
        switch links.registry.enter(hello, by: self) {
        case .late: reject(hello, "a later connection of this event loop is here already")
        case .first:
            self.hello = hello
            welcome(hello)
        case .after(let previous):
            self.hello = hello
            isWaiting = true
            endIntroduction()
            runtime.execute(on: previous.runtime) { previous.makeRoom(for: self) }
        }
    }

    private func reject(_ hello: LinkHello, _ sentence: String) {
        runtime.counters.badLinks += 1
        let level: Logger.Level = links.warnsOfRefusal(now: Moment.now().monotonic) ? .warning : .debug
        let metadata: Logger.Metadata = ["from": "\(LogText.escaped(hello.from))", "why": "\(LogText.escaped(sentence))"]
        runtime.logger.log(level: level, "refused a link", metadata: metadata)
        state = .over
        refuse(sentence)
    }

    /// The other side has dialled again. Its new connection is welcomed as soon as all frames of this one have been posted.
    private func makeRoom(for next: LinkServer) {
        successor = next
        if !isWaiting { endForSuccessor() }
    }

    private func endForSuccessor() {
        guard let next = successor else { return }
        successor = nil
        closeNow()
        runtime.execute(on: next.runtime) { next.onPredecessorEnded() }
    }

    /// The connection before this one has ended.
    private func onPredecessorEnded() {
        isWaiting = false
        if successor != nil {
            endForSuccessor()
        } else if let hello, isOpen, !isClosing {
            welcome(hello)
            onBytes()
        }
        if !isOpen, let hello { links.registry.leave(hello, by: self) }
    }

    private func welcome(_ hello: LinkHello, _ pass: LinkPass = LinkPass()) {
        let me = links.context.identity
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        number = links.accept(self)
        switch hello.role {
        case .node: state = .node(MemberIdentity(id: hello.from, boot: hello.boot))
        case .producer: state = .producer(stream: runtime.numbers.stream(), pass)
        case .probe: state = .over
        }
        if hello.role != .probe { endIntroduction() }
        let payloadBytesMax = UInt32(links.context.configuration.limits.payloadBytesMax)
        send(.welcome(LinkWelcome(node: me.id, boot: me.boot, epoch: links.shell.view?.epoch ?? 0, payloadBytesMax: payloadBytesMax)))
        if hello.role == .probe { closeWhenFlushed() }
    }

    private func handleNode(_ frame: LinkFrame) throws(LinkError) {
        switch frame {
        case .forward(let forward): try onForward(forward)
        case .attach(let attachment, let epoch, let key, let start, let stay, let countMax, let age):
            try check(key)
            let address = ReturnAddress(connectionID: connectionID, id: attachment)
            let askedAt = start == .now ? Moment.now().monotonic - Int64(age) : .max
            let request = AttachRequest(key: key, address: address, start: start, stay: stay, countMax: countMax, askedAt: askedAt)
            runtime.post(.attach(request, epoch: epoch), to: runtime.shardIndex(key.slot))
        case .detach(let attachment, let key):
            try check(key)
            let address = ReturnAddress(connectionID: connectionID, id: attachment)
            runtime.post(.detach(address, key), to: runtime.shardIndex(key.slot))
        case .presenceReport(let attachment, let key, let report):
            try check(key)
            guard case .node(let member) = state, key.kind == .channel else { throw LinkError("a report on what is no channel") }
            let address = ReturnAddress(connectionID: connectionID, id: attachment)
            runtime.post(.report(key, address, node: member.id, report), to: runtime.shardIndex(key.slot))
        case .slot(let frame): try post(frame)
        case .ping(let query, let sentAt, let standing):
            if case .node(let identity) = state { links.context.onStanding(of: identity, standing) }
            send(.pong(query: query, sentAt: sentAt, links.context.standing(links.shell.view)))
            if let news = links.context.news(for: standing, told: &toldEpoch) { send(news) }
        case .members(let epoch, let generation, let members):
            links.context.onMembers(epoch: epoch, generation: generation, members)
        case .ask(let request, let question, let argument):
            links.delegate.onQuestion(question, argument) { self.send(.told(request: request, json: $0)) }
        default: throw LinkError("a frame that a node doesn't send")
        }
    }

    var connectionID: UInt32 { ConnectionAddress(shard: runtime.index, connection: number).connectionID }

    /// To the loop that has the slot; of a frame about many slots to each loop its part.
    private func post(_ frame: SlotFrame) throws(LinkError) {
        guard case .node(let member) = state, let hasher = links.shell.view?.hasher else {
            throw LinkError("this node is not in a ring yet")
        }
        guard frame.isWellPlaced(by: hasher) else { throw LinkError("a key in another's slot") }
        switch frame {
        case .holdings, .chunk, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused:
            throw LinkError("an answer that was not asked for")
        case .fetch(_, let slot), .append(_, let slot, _, _):
            runtime.post(.slotRequest(frame, member, connectionID: connectionID), to: runtime.shardIndex(Int(slot)))
        case .inquire, .adopt, .snapshots, .release, .keepers, .retained:
            for (target, part) in frame.parts(by: { runtime.shardIndex($0) }) {
                runtime.post(.slotRequest(part, member, connectionID: connectionID), to: target)
            }
        }
    }

    /// The other side's boot or the own one is not what the handshake said any more.
    func breakOff() { if case .node = state { closeNow() } }

    private func onForward(_ forward: LinkForward) throws(LinkError) {
        try check(forward.key)
        let publish = Publish(
            key: forward.key, id: forward.id, principal: forward.principal, from: forward.from,
            isRepeatable: forward.isRepeatable, isForgettable: forward.isForgettable, data: forward.data,
            timeToLiveSeconds: forward.timeToLiveSeconds,
            deadline: lastHeard + Int64(forward.budgetMilliseconds), publishedAt: forward.publishedAt, mayBeRepeat: forward.mayBeRepeat)
        // The connection is the stream: what a sender forwards on it stays in order.
        let context = PublishContext(
            address: ReturnAddress(connectionID: connectionID, id: forward.request), hops: forward.hops, epoch: forward.epoch,
            stream: UInt64(runtime.index) << 56 | 1 << 48 | UInt64(number), restarts: forward.restarts)
        links.delegate.onForward(publish, context)
    }

    /// Peers are believed that a name is valid, but not where it belongs: one of them with another hash would split a mailbox.
    private func check(_ key: Key) throws(LinkError) {
        guard let hasher = links.shell.view?.hasher else { throw LinkError("this node is not in a ring yet") }
        guard key.name.withUnsafeBytes({ hasher.hash(key.kind, utf8: $0) }) == key.hash else { throw LinkError("a key with another hash") }
    }

    // MARK: End

    /// The node is stopping: a producer gets the answers to what is under way, and goes to another node. Links with nodes stay to
    /// the very end, because those answers come over them.
    override func shutDown() {
        guard isForProducer, !isClosing else { return }
        endsWhenAnswered = true
        if inFlight == 0 { closeWhenFlushed() }
    }

    func closeIf(from peer: MemberIdentity) {
        if case .node(let identity) = state, identity == peer { refuse(LinkGreeting.ringsDiffer) }
    }

    private func refuse(_ sentence: String) {
        guard isOpen, !isClosing else { return }
        // Behind the answers that wait for the end of the tick: what was appended has its receipt.
        write { LinkEncoder.write(.refuse(sentence), into: &$0) }
        closeWhenFlushed()
    }

    override func onGone() {
        if let hello, !isWaiting { links.registry.leave(hello, by: self) }
        endIntroduction()
        switch state {
        case .node:
            runtime.postToAll(.connectionEnded(connectionID))
            runtime.postToAll(.streamEnded(UInt64(runtime.index) << 56 | 1 << 48 | UInt64(number)))
        case .producer(let stream, _): runtime.postToAll(.streamEnded(stream))
        // One that only looks whether somebody listens has done no harm.
        case .silent where input.readableBytes == 0: break
        case .silent, .greeted: if isStranger { runtime.counters.badLinks += 1 }
        case .over: break
        }
        if number != 0 { links.removeAccepted(number) }
        state = .over
    }

    override func onDeadline(now: Int64) {
        switch state {
        // It sends a heartbeat three times as often, and has dialled again long before, if it could.
        case .node:
            if now - lastHeard > links.shell.heartbeatMilliseconds { closeNow() }
        case .producer:
            if now - lastHeard > 2 * links.shell.heartbeatMilliseconds { closeNow() }
        case .silent, .greeted, .over: break
        }
    }
}
