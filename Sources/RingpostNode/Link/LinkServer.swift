// The accepted end of a link: another node that forwards and attaches, a producer, or somebody who only asks who is
// here. A stranger is told in one sentence what differs, and is gone within a second.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

final class LinkServer: LoopSocket, @unchecked Sendable {
    private enum State {
        /// Waits for a hello. Can transition to node, producer, over.
        case strange(until: Int64)
        /// Another node. Can transition to over.
        case node(MemberIdentity)
        /// A producer's stream. Can transition to over.
        case producer(stream: UInt64)
        /// Refused or closed. Final.
        case over
    }

    private var state: State
    private var decoder = LinkDecoder()
    private var number = 0
    /// Of the member list that was last sent here.
    private var toldEpoch: UInt64 = 0
    private var lastHeard = Moment.now().monotonic
    /// Producers' publishes under way; bounded like an HTTP connection's.
    private var inFlight = 0
    private var isPaused = false
    /// A node's; set once it has its line.
    private var hello: LinkHello?
    /// An earlier connection of the same line has not ended yet.
    private var isWaiting = false
    /// A later one, which has come meanwhile.
    private var successor: LinkServer?
    /// A producer's stream ends with the answer to the last publish that is under way.
    private var endsWhenAnswered = false

    override init(loop: NodeLoop) {
        state = .strange(until: Moment.now().monotonic + loop.shared.configuration.limits.handshakeMilliseconds)
        super.init(loop: loop)
    }

    private static let producerInFlightMax = 16_384
    private static let ringsDiffer = "the two rings differ at one epoch"

    var isForProducer: Bool { if case .producer = state { true } else { false } }

    // MARK: Out

    func send(_ frame: LinkFrame) {
        // Behind a last word, or where something was dropped, nothing may come: it would look as if it followed what is missing.
        if isClosing { return }
        write { LinkEncoder.write(frame, into: &$0) }
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
            loop.counters.count(result)
            if isPaused, inFlight < Self.producerInFlightMax / 2 {
                isPaused = false
                setReading(true)
                onBytes()
            }
        }
        send(.answer(request: request, result, message: nil))
        if endsWhenAnswered, inFlight == 0 { closeWhenFlushed() }
    }

    /// A peer that takes nothing is worse than none: its sockets attach again on a new link.
    private func checkRoom() {
        if pendingBytes <= loop.shared.configuration.limits.linkBytesMax { return }
        dropPending()
        refuse("too many bytes wait on this link")
    }

    // MARK: In

    override func onBytes() {
        lastHeard = Moment.now().monotonic
        do throws(LinkError) {
            while !isPaused, !isWaiting, !isClosing, let frame = try decoder.next(&input) { try handle(frame) }
        } catch {
            loop.counters.badLinks += 1
            refuse(error.description)
        }
    }

    private func handle(_ frame: LinkFrame) throws(LinkError) {
        switch state {
        case .strange:
            guard case .hello(let hello) = frame else { throw LinkError("a link begins with a hello") }
            greet(hello)
        case .node: try handleNode(frame)
        case .producer(let stream): try handleProducer(frame, stream: stream)
        case .over: break
        }
    }

    private func greet(_ hello: LinkHello) {
        let me = loop.shared.identity
        let generation = loop.view?.generation
        if let sentence = LinkGreeting.objection(to: hello, cluster: loop.shared.configuration.cluster, generation: generation, me: me) {
            return turnDown(hello, sentence)
        }
        guard hello.role == .node else { return welcome(hello) }
        if loop.shared.isRefused(MemberIdentity(id: hello.from, boot: hello.boot)) { return turnDown(hello, Self.ringsDiffer) }
        switch loop.shared.lines.take(hello, by: self) {
        case .late: turnDown(hello, "a later connection of this event loop is here already")
        case .first:
            self.hello = hello
            welcome(hello)
        case .after(let previous):
            self.hello = hello
            isWaiting = true
            previous.loop.eventLoop.execute { previous.giveWay(to: self) }
        }
    }

    private func turnDown(_ hello: LinkHello, _ sentence: String) {
        loop.counters.badLinks += 1
        loop.logger.warning("refused a link", metadata: ["from": "\(LogText.escaped(hello.from))", "why": "\(sentence)"])
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
        loop.sendCrossings()
        next.loop.eventLoop.execute { next.onTurn() }
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
        if !isOpen, let hello { loop.shared.lines.giveUp(hello, by: self) }
    }

    private func welcome(_ hello: LinkHello) {
        let me = loop.shared.identity
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        loop.lastConnection = loop.lastConnection % ChannelAddress.connectionsMax + 1
        number = loop.lastConnection
        loop.accepted[number] = self
        switch hello.role {
        case .node: state = .node(MemberIdentity(id: hello.from, boot: hello.boot))
        case .producer: state = .producer(stream: loop.freshStream())
        case .probe: state = .over
        }
        let payloadBytesMax = UInt32(loop.shared.configuration.limits.payloadBytesMax)
        send(.welcome(LinkWelcome(node: me.id, boot: me.boot, epoch: loop.view?.epoch ?? 0, payloadBytesMax: payloadBytesMax)))
        if hello.role == .probe { closeWhenFlushed() }
    }

    private func handleNode(_ frame: LinkFrame) throws(LinkError) {
        switch frame {
        case .forward(let forward): try submit(forward)
        case .attach(let attachment, let epoch, let key, let start, let stay):
            try check(key)
            let address = ReturnAddress(channel: ChannelAddress(loop: loop.index, connection: number).channel, id: attachment)
            let request = AttachRequest(key: key, address: address, start: start, stay: stay)
            loop.cross(.attach(request, epoch: epoch), to: loop.slotLoop(key.slot))
        case .detach(let attachment, let key):
            try check(key)
            let address = ReturnAddress(channel: ChannelAddress(loop: loop.index, connection: number).channel, id: attachment)
            loop.cross(.detach(address, key), to: loop.slotLoop(key.slot))
        case .presenceReport(let attachment, let key, let report):
            try check(key)
            guard case .node(let member) = state, key.kind == .channel else { throw LinkError("a report on what is no channel") }
            let address = ReturnAddress(channel: ChannelAddress(loop: loop.index, connection: number).channel, id: attachment)
            loop.cross(.report(key, address, node: member.id, report), to: loop.slotLoop(key.slot))
        case .slot(let frame): try cross(frame)
        case .ping(let query, let sentAt, let standing):
            if case .node(let identity) = state { loop.shared.onStanding(of: identity, standing) }
            send(.pong(query: query, sentAt: sentAt, loop.shared.standing(loop)))
            if let news = loop.shared.news(for: standing, told: &toldEpoch) { send(news) }
        case .members(let epoch, let generation, let members):
            loop.shared.onMembers(epoch: epoch, generation: generation, members)
        case .ask(let request, let question, let argument):
            loop.shared.answer(question, argument, on: loop.eventLoop) { self.send(.told(request: request, json: $0)) }
        default: throw LinkError("a frame that a node doesn't send")
        }
    }

    /// To the loop that has the slot; of a frame about many slots to each loop its part.
    private func cross(_ frame: SlotFrame) throws(LinkError) {
        guard case .node(let member) = state, let hasher = loop.view?.hasher else { throw LinkError("this node is not in a ring yet") }
        guard frame.isWellPlaced(by: hasher) else { throw LinkError("a key in another's slot") }
        let channel = ChannelAddress(loop: loop.index, connection: number).channel
        switch frame {
        case .holdings, .piece, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused:
            throw LinkError("an answer that was not asked for")
        case .fetch(_, let slot), .append(_, let slot, _, _):
            loop.cross(.slotRequest(frame, member, channel: channel), to: loop.slotLoop(Int(slot)))
        case .inquire, .adopt, .fill, .release:
            for (target, part) in frame.parts(by: { loop.slotLoop($0) }) {
                loop.cross(.slotRequest(part, member, channel: channel), to: target)
            }
        }
    }

    /// The other side's boot or the own one is not what the handshake said any more.
    func breakOff() { if case .node = state { closeNow() } }

    private func submit(_ forward: LinkForward) throws(LinkError) {
        try check(forward.key)
        let now = Moment.now().monotonic
        let publish = Publish(
            key: forward.key, id: forward.id, isRepeatable: forward.isRepeatable, data: forward.data,
            timeToLiveSeconds: forward.timeToLiveSeconds, deadline: now + Int64(forward.budgetMilliseconds),
            publishedAt: forward.publishedAt, mayBeRepeat: forward.mayBeRepeat)
        let channel = ChannelAddress(loop: loop.index, connection: number).channel
        // The connection is the stream: what a sender forwards on it stays in order.
        let context = PublishContext(
            address: ReturnAddress(channel: channel, id: forward.request), hops: forward.hops, epoch: forward.epoch,
            stream: UInt64(loop.index) << 56 | 1 << 48 | UInt64(number), restarts: forward.restarts)
        loop.cross(.submit(publish, context), to: loop.slotLoop(forward.key.slot))
    }

    /// Peers are believed that a name is valid, but not where it belongs: one of them with another hash would split a mailbox.
    private func check(_ key: Key) throws(LinkError) {
        guard let hasher = loop.view?.hasher else { throw LinkError("this node is not in a ring yet") }
        guard key.name.withUnsafeBytes({ hasher.hash(key.kind, utf8: $0) }) == key.hash else { throw LinkError("a key with another hash") }
    }

    private func handleProducer(_ frame: LinkFrame, stream: UInt64) throws(LinkError) {
        switch frame {
        case .produce(let produce):
            do throws(ProblemReport) {
                try submit(produce, stream: stream)
            } catch {
                loop.counters.count(.failure(error.problem))
                send(.answer(request: produce.request, .failure(error.problem), message: error.message))
            }
        case .ping(let query, let sentAt, _): send(.pong(query: query, sentAt: sentAt, loop.shared.standing(loop)))
        case .pong: break
        default: throw LinkError("a frame that a producer doesn't send")
        }
    }

    private func submit(_ produce: LinkProduce, stream: UInt64) throws(ProblemReport) {
        if loop.isLeaving { throw ProblemReport(.stopping) }
        guard let view = loop.view else { throw ProblemReport(.noOwner, "this node is not in a ring yet") }
        let key: Key
        do throws(NameError) {
            key = try Key(produce.kind, name: produce.name, hasher: view.hasher)
        } catch {
            throw ProblemReport(.badName, error.message)
        }
        let data = try Payload.encode(
            ByteBuffer(bytes: produce.data), kind: produce.isJSON ? .json : .text,
            bytesMax: loop.shared.configuration.limits.payloadBytesMax)
        let budget = min(Int64(produce.budgetMilliseconds), Publish.budgetMillisecondsMax)
        let request = PublishRequest(
            key: key, data: data, idempotencyKey: produce.idempotencyKey, timeToLive: produce.timeToLiveSeconds, budgetMilliseconds: budget)
        let publish = try request.publish(on: loop, hasher: view.hasher)
        inFlight += 1
        if inFlight >= Self.producerInFlightMax, !isPaused {
            isPaused = true
            setReading(false)
        }
        let channel = ChannelAddress(loop: loop.index, connection: number).channel
        let context = PublishContext(
            address: ReturnAddress(channel: channel, id: produce.request), stream: stream, restarts: produce.restarts)
        loop.cross(.submit(publish, context), to: loop.slotLoop(key.slot))
    }

    // MARK: End

    /// The node is stopping: a producer gets the answers to what is under way, and goes to another node. Links with nodes stay to
    /// the very end, because those answers come over them.
    func sayGoodbye() {
        guard isForProducer, !isClosing else { return }
        endsWhenAnswered = true
        if inFlight == 0 { closeWhenFlushed() }
    }

    func closeIf(from peer: MemberIdentity) {
        if case .node(let identity) = state, identity == peer { refuse(Self.ringsDiffer) }
    }

    private func refuse(_ sentence: String) {
        guard isOpen, !isClosing else { return }
        // Behind the answers that wait for the end of the tick: what was appended has its receipt.
        write { LinkEncoder.write(.refuse(sentence), into: &$0) }
        closeWhenFlushed()
    }

    override func onGone() {
        let channel = ChannelAddress(loop: loop.index, connection: number).channel
        if let hello, !isWaiting { loop.shared.lines.giveUp(hello, by: self) }
        switch state {
        case .node:
            loop.crossToAll(.channelEnded(channel))
            loop.crossToAll(.streamEnded(UInt64(loop.index) << 56 | 1 << 48 | UInt64(number)))
        case .producer(let stream): loop.crossToAll(.streamEnded(stream))
        case .strange, .over: break
        }
        if number != 0 { loop.accepted[number] = nil }
        state = .over
    }

    override func onDeadline(now: Int64) {
        switch state {
        case .strange(let until) where now >= until:
            loop.counters.badLinks += 1
            closeNow()
        case .node, .producer:
            if now - lastHeard > 2 * loop.heartbeatMilliseconds { closeNow() }
        case .strange, .over: break
        }
    }
}
