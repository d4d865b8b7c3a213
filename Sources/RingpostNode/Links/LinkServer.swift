// The accepted end of a link: another node that forwards and attaches, a producer, or somebody who only asks who is
// here. A stranger is told in one sentence what differs, and is gone within a second.
import HashRing
import Logging
import NIOCore
import RingpostCore
import RingpostWire

/// `LinkTrial` has one that only answers.
class LinkServer: Connection, @unchecked Sendable {
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

    private let bytesMax: Int
    private var state = State.silent
    private var decoder = LinkDecoder()
    private(set) var number = 0
    /// Of the member list that was last sent here.
    private var toldEpoch: UInt64 = 0
    private var lastHeard = Moment.now().monotonic
    /// Producers' publishes under way; bounded like an HTTP connection's.
    var inFlight = 0
    var isPaused = false
    /// A node's; set once it has its line.
    private var hello: LinkHello?
    /// An earlier connection of the same line has not ended yet.
    private var isWaiting = false
    /// A later one, which has come meanwhile.
    private var successor: LinkServer?
    /// A producer's stream ends with the answer to the last publish that is under way.
    private var endsWhenAnswered = false

    /// Set while it counts as one that has not introduced itself: when it is closed unless it has.
    private var introduction: Scheduled<Void>?

    static let producerInFlightMax = 16_384

    private var isForNode: Bool { if case .node = state { true } else { false } }
    override var kind: ConnectionKind { isForProducer ? .producer : .member }
    var isForProducer: Bool { if case .producer = state { true } else { false } }

    override var writesMuch: Bool { true }

    init(shard: Shard) {
        bytesMax = shard.shared.configuration.limits.linkBytesMax
        super.init(runtime: shard.runtime)
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
            shard.counters.count(result)
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
            shard.counters.badLinks += 1
            refuse(error.description)
            if introduction != nil { state = .over }
        }
    }

    private func handle(_ frame: LinkFrame) throws(LinkError) {
        switch state {
        case .silent:
            guard case .hello(let hello) = frame else { throw LinkError("a link begins with a hello") }
            var acceptor = LinkAcceptor(secrets: shard.shared.trust.linkSecrets, peer: peer)
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
        guard shard.links.addStranger() else {
            shard.counters.badLinks += 1
            state = .over
            return closeNow()
        }
        let milliseconds = shard.shared.configuration.limits.handshakeMilliseconds
        introduction = shard.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { [weak self] in self?.onLate() }
    }

    /// Whoever is known by now has ended the wait; all others go, also those who were refused and have not gone by themselves.
    private func onLate() {
        if isStranger { shard.counters.badLinks += 1 }
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
        shard.links.removeStranger()
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
        case .refuse(let hello, let sentence): turnDown(hello, sentence)
        }
    }

    override func onFailure(_ error: any Error) {
        if isStranger { shard.counters.badLinks += 1 }
        if introduction != nil { state = .over }
    }

    private func greet(_ hello: LinkHello) {
        let me = shard.shared.identity
        let generation = shard.view?.generation
        let isRefused = shard.shared.isRefused(MemberIdentity(id: hello.from, boot: hello.boot))
        let objection = LinkGreeting.objection(
            to: hello, cluster: shard.shared.configuration.cluster, generation: generation, me: me, isRefused: isRefused)
        if let sentence = objection {
            return turnDown(hello, sentence)
        }
        if hello.role == .producer {
            guard let pass = shard.shared.trust.linkAdmission.pass(hello.credential) else {
                return turnDown(hello, "producers need an API key here that may publish: RINGPOST_API_KEY or --api-key-file")
            }
            return welcome(hello, pass)
        }
        guard hello.role == .node else { return welcome(hello) }
        switch shard.shared.lines.take(hello, by: self) {
        case .late: turnDown(hello, "a later connection of this event loop is here already")
        case .first:
            self.hello = hello
            welcome(hello)
        case .after(let previous):
            self.hello = hello
            isWaiting = true
            endIntroduction()
            previous.shard.eventLoop.execute { previous.giveWay(to: self) }
        }
    }

    private func turnDown(_ hello: LinkHello, _ sentence: String) {
        shard.counters.badLinks += 1
        let level: Logger.Level = shard.links.warnsOfRefusal(now: Moment.now().monotonic) ? .warning : .debug
        let metadata: Logger.Metadata = ["from": "\(LogText.escaped(hello.from))", "why": "\(LogText.escaped(sentence))"]
        shard.logger.log(level: level, "refused a link", metadata: metadata)
        state = .over
        refuse(sentence)
    }

    /// The other side has dialled again. Its new connection is welcomed as soon as all that this one has brought has gone its way.
    private func giveWay(to next: LinkServer) {
        successor = next
        if !isWaiting { passOn() }
    }

    private func passOn() {
        guard let next = successor else { return }
        successor = nil
        closeNow()
        runtime.sendPosts()
        next.shard.eventLoop.execute { next.onTurn() }
    }

    /// The connection before this one has ended.
    private func onTurn() {
        isWaiting = false
        if successor != nil {
            passOn()
        } else if let hello, isOpen, !isClosing {
            welcome(hello)
            onBytes()
        }
        if !isOpen, let hello { shard.shared.lines.giveUp(hello, by: self) }
    }

    private func welcome(_ hello: LinkHello, _ pass: LinkPass = LinkPass()) {
        let me = shard.shared.identity
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        number = shard.links.accept(self)
        switch hello.role {
        case .node: state = .node(MemberIdentity(id: hello.from, boot: hello.boot))
        case .producer: state = .producer(stream: shard.runtime.numbers.stream(), pass)
        case .probe: state = .over
        }
        if hello.role != .probe { endIntroduction() }
        let payloadBytesMax = UInt32(shard.shared.configuration.limits.payloadBytesMax)
        send(.welcome(LinkWelcome(node: me.id, boot: me.boot, epoch: shard.view?.epoch ?? 0, payloadBytesMax: payloadBytesMax)))
        if hello.role == .probe { closeWhenFlushed() }
    }

    private func handleNode(_ frame: LinkFrame) throws(LinkError) {
        switch frame {
        case .forward(let forward): try onForward(forward)
        case .attach(let attachment, let epoch, let key, let start, let stay):
            try check(key)
            let address = ReturnAddress(connectionID: connectionID, id: attachment)
            let request = AttachRequest(key: key, address: address, start: start, stay: stay)
            shard.post(.attach(request, epoch: epoch), to: shard.shardIndex(key.slot))
        case .detach(let attachment, let key):
            try check(key)
            let address = ReturnAddress(connectionID: connectionID, id: attachment)
            shard.post(.detach(address, key), to: shard.shardIndex(key.slot))
        case .presenceReport(let attachment, let key, let report):
            try check(key)
            guard case .node(let member) = state, key.kind == .channel else { throw LinkError("a report on what is no channel") }
            let address = ReturnAddress(connectionID: connectionID, id: attachment)
            shard.post(.report(key, address, node: member.id, report), to: shard.shardIndex(key.slot))
        case .slot(let frame): try post(frame)
        case .ping(let query, let sentAt, let standing):
            if case .node(let identity) = state { shard.shared.onStanding(of: identity, standing) }
            send(.pong(query: query, sentAt: sentAt, shard.shared.standing(shard)))
            if let news = shard.shared.news(for: standing, told: &toldEpoch) { send(news) }
        case .members(let epoch, let generation, let members):
            shard.shared.onMembers(epoch: epoch, generation: generation, members)
        case .ask(let request, let question, let argument):
            shard.shared.answer(question, argument, on: shard.eventLoop) { self.send(.told(request: request, json: $0)) }
        default: throw LinkError("a frame that a node doesn't send")
        }
    }

    var connectionID: UInt32 { ConnectionAddress(shard: shard.index, connection: number).connectionID }

    /// To the loop that has the slot; of a frame about many slots to each loop its part.
    private func post(_ frame: SlotFrame) throws(LinkError) {
        guard case .node(let member) = state, let hasher = shard.view?.hasher else { throw LinkError("this node is not in a ring yet") }
        guard frame.isWellPlaced(by: hasher) else { throw LinkError("a key in another's slot") }
        switch frame {
        case .holdings, .chunk, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused:
            throw LinkError("an answer that was not asked for")
        case .fetch(_, let slot), .append(_, let slot, _, _):
            shard.post(.slotRequest(frame, member, connectionID: connectionID), to: shard.shardIndex(Int(slot)))
        case .inquire, .adopt, .snapshots, .release:
            for (target, part) in frame.parts(by: { shard.shardIndex($0) }) {
                shard.post(.slotRequest(part, member, connectionID: connectionID), to: target)
            }
        }
    }

    /// The other side's boot or the own one is not what the handshake said any more.
    func breakOff() { if case .node = state { closeNow() } }

    private func onForward(_ forward: LinkForward) throws(LinkError) {
        try check(forward.key)
        let publish = Publish(
            key: forward.key, id: forward.id, isRepeatable: forward.isRepeatable, isForgettable: forward.isForgettable, data: forward.data,
            timeToLiveSeconds: forward.timeToLiveSeconds, deadline: lastHeard + Int64(forward.budgetMilliseconds),
            publishedAt: forward.publishedAt, mayBeRepeat: forward.mayBeRepeat)
        // The connection is the stream: what a sender forwards on it stays in order.
        let context = PublishContext(
            address: ReturnAddress(connectionID: connectionID, id: forward.request), hops: forward.hops, epoch: forward.epoch,
            stream: UInt64(shard.index) << 56 | 1 << 48 | UInt64(number), restarts: forward.restarts)
        submit(publish, context)
    }

    func submit(_ publish: Publish, _ context: PublishContext) {
        shard.post(.submit(publish, context), to: shard.shardIndex(publish.key.slot))
    }

    /// Peers are believed that a name is valid, but not where it belongs: one of them with another hash would split a mailbox.
    private func check(_ key: Key) throws(LinkError) {
        guard let hasher = shard.view?.hasher else { throw LinkError("this node is not in a ring yet") }
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
        if let hello, !isWaiting { shard.shared.lines.giveUp(hello, by: self) }
        endIntroduction()
        switch state {
        case .node:
            shard.postToAll(.connectionEnded(connectionID))
            shard.postToAll(.streamEnded(UInt64(shard.index) << 56 | 1 << 48 | UInt64(number)))
        case .producer(let stream, _): shard.postToAll(.streamEnded(stream))
        // One that only looks whether somebody listens has done no harm.
        case .silent where input.readableBytes == 0: break
        case .silent, .greeted: if isStranger { shard.counters.badLinks += 1 }
        case .over: break
        }
        if number != 0 { shard.links.removeAccepted(number) }
        state = .over
    }

    override func onDeadline(now: Int64) {
        switch state {
        case .node, .producer:
            if now - lastHeard > 2 * shard.heartbeatMilliseconds { closeNow() }
        case .silent, .greeted, .over: break
        }
    }
}
